//! The session's own folder for results that nobody named.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Made when first needed, removed with the session.
pub(crate) struct WorkDir {
    parent: PathBuf,
    made: Option<PathBuf>,
    n_names: u64,
}

static COUNTER: AtomicU64 = AtomicU64::new(0);

impl WorkDir {
    /// A folder inside `parent`, or inside the system's folder for temporary files.
    pub(crate) fn new(parent: Option<PathBuf>) -> Self {
        Self { parent: parent.unwrap_or_else(std::env::temp_dir), made: None, n_names: 0 }
    }

    /// A new folder inside for the results of one job.
    ///
    /// # Errors
    /// One sentence: it cannot be made.
    pub(crate) fn fresh(&mut self, name: &str) -> Result<PathBuf, String> {
        self.n_names += 1;
        let name = format!("{name}-{}", self.n_names);
        let folder = self.folder().join(name);
        let fail =
            |error: std::io::Error| format!("failed to make a folder for results: {error}: {}", folder.display());
        std::fs::create_dir_all(&folder).map_err(fail)?;
        Ok(folder)
    }

    fn folder(&mut self) -> &Path {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let parent = &self.parent;
        self.made.get_or_insert_with(|| parent.join(format!("nunatak-{}-{number}", std::process::id())))
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        if let Some(folder) = &self.made
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

        let (first, second) = (dir.fresh("predict").expect("made"), dir.fresh("predict").expect("made"));

        assert!(first.is_dir() && second.is_dir() && first != second);
        drop(dir);
        assert_eq!(std::fs::read_dir(parent.path()).expect("still there").count(), 0);
    }
}
