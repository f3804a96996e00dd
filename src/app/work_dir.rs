//! The session's own folder for results that nobody named.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Made by the first job that needs it, removed with the session.
pub(crate) struct WorkDir {
    shared: Arc<Shared>,
    n_names: u64,
}

struct Shared {
    parent: PathBuf,
    made: OnceLock<PathBuf>,
}

/// A folder inside for the results of one job, which makes it when it begins: the window's
/// thread does not wait for the disk.
#[derive(Clone)]
pub(crate) struct Fresh {
    shared: Arc<Shared>,
    name: String,
}

static COUNTER: AtomicU64 = AtomicU64::new(0);

impl WorkDir {
    /// A folder inside `parent`, or inside the system's folder for temporary files.
    pub(crate) fn new(parent: Option<PathBuf>) -> Self {
        let parent = parent.unwrap_or_else(std::env::temp_dir);
        Self { shared: Arc::new(Shared { parent, made: OnceLock::new() }), n_names: 0 }
    }

    /// A new folder inside for the results of one job; nothing is made yet.
    pub(crate) fn fresh(&mut self, name: &str) -> Fresh {
        self.n_names += 1;
        Fresh { shared: Arc::clone(&self.shared), name: format!("{name}-{}", self.n_names) }
    }

    /// A path inside of the folder. Never waits.
    pub(crate) fn holds(&self, path: &Path) -> bool {
        self.shared.made.get().is_some_and(|made| path.starts_with(made))
    }
}

impl Fresh {
    /// Makes the folder, which may be there from an earlier try.
    ///
    /// # Errors
    /// One sentence: it cannot be made.
    pub(crate) fn make(&self) -> Result<PathBuf, String> {
        let folder = self.shared.folder()?.join(&self.name);
        std::fs::create_dir_all(&folder).map_err(|error| not_made(&error, &folder))?;
        Ok(folder)
    }
}

impl Shared {
    fn folder(&self) -> Result<&Path, String> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        std::fs::create_dir_all(&self.parent).map_err(|error| not_made(&error, &self.parent))?;
        remove_left_behind(&self.parent);
        let folder = make(&self.parent)?;
        if let Err(second) = self.made.set(folder) {
            // Another job was faster.
            let _ = std::fs::remove_dir(second);
        }
        Ok(self.made.get().expect("set above"))
    }
}

/// A folder of its own that nobody else may look into. One that is there already, whoever
/// made it, is not used.
fn make(parent: &Path) -> Result<PathBuf, String> {
    loop {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("nunatak-{}-{number}", std::process::id()));
        match private().create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(not_made(&error, &folder)),
        }
    }
}

fn private() -> std::fs::DirBuilder {
    #[allow(unused_mut, reason = "only Unix has modes")]
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

fn not_made(error: &std::io::Error, folder: &Path) -> String {
    format!("failed to make a folder for results: {error}: {}", folder.display())
}

/// Removes the folders of sessions that ended without cleaning up. Only where the system
/// says which processes live (`/proc`).
fn remove_left_behind(parent: &Path) {
    let processes = Path::new("/proc");
    if !processes.join(std::process::id().to_string()).exists() {
        return;
    }
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        // A link is no folder here: it is left alone.
        let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let Some(pid) = entry.file_name().to_str().and_then(process_of).filter(|_| folder) else { continue };
        if !processes.join(pid.to_string()).exists()
            && let Err(error) = std::fs::remove_dir_all(entry.path())
        {
            log::info!("a folder left behind stays: {error}: {}", entry.path().display());
        }
    }
}

/// The process that a session's folder is named after.
fn process_of(name: &str) -> Option<u32> {
    let (pid, number) = name.strip_prefix("nunatak-")?.split_once('-')?;
    number.parse::<u64>().ok()?;
    pid.parse().ok()
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        if let Some(folder) = self.shared.made.get()
            && let Err(error) = std::fs::remove_dir_all(folder)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            log::warn!("failed to remove the session's folder: {error}: {}", folder.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_goes_with_the_session() {
        let parent = tempfile::tempdir().expect("a folder");
        let mut dir = WorkDir::new(Some(parent.path().to_owned()));

        let (first, second) = (dir.fresh("predict"), dir.fresh("predict"));
        assert_eq!(std::fs::read_dir(parent.path()).expect("there").count(), 0, "nothing before a job begins");
        let (again, first, second) =
            (first.clone().make().expect("made"), first.make().expect("made"), second.make().expect("made"));
        assert_eq!(again, first);

        assert!(first.is_dir() && second.is_dir() && first != second);
        drop(dir);
        assert_eq!(std::fs::read_dir(parent.path()).expect("still there").count(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn folders_of_dead_processes_are_removed_and_others_stay() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = |name: &str| parent.path().join(name);
        // Above the kernel's largest process number.
        let (dead, alive) = (folder("nunatak-4194999-0"), folder(&format!("nunatak-{}-999999", std::process::id())));
        let mine = folder("nunatak-4194999-notes");
        [&dead, &alive, &mine].into_iter().for_each(|path| std::fs::create_dir(path).expect("made"));

        WorkDir::new(Some(parent.path().to_owned())).fresh("predict").make().expect("made");

        assert!(!dead.exists() && alive.exists() && mine.exists());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_look_into_the_folder() {
        use std::os::unix::fs::PermissionsExt as _;
        let parent = tempfile::tempdir().expect("a folder");
        let mut dir = WorkDir::new(Some(parent.path().to_owned()));

        let result = dir.fresh("predict").make().expect("made");

        let made = result.parent().expect("the session's folder");
        assert!(dir.holds(&result) && !dir.holds(parent.path()));
        assert_eq!(made.metadata().expect("there").permissions().mode() & 0o777, 0o700);
    }
}
