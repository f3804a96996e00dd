//! Outputs that appear all at once, or not at all.
//!
//! Invariant: until `commit`, nothing under the target's name has changed, so a full disk,
//! a cancelled job or a killed program leaves the old file as it was. Outputs that belong
//! together go through `commit_all`. Everything in the program that writes a file goes
//! through here.

mod claim;
mod commit;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use claim::process_alive;
pub use commit::commit_all;

use claim::Claim;
use commit::{OBSOLETE_SHAPEFILE, SHAPEFILE};

use crate::error::IoError;

/// A target path and the hidden partial file beside it that stands in for it until `commit`.
///
/// The partial of `out/class.tif` is `out/.class.tif.partial-<process>-<n>.tif`; every file that
/// starts with `.class.tif.partial-<process>-<n>.` is a sidecar and is renamed with it
/// (`….tif.aux.xml`, `….qml`, `….dbf`). Dropped without `commit`, all of them are removed.
///
/// A sidecar that bears the target's whole name (`class.tif.aux.xml`) belongs to the target. One
/// that shares only the stem (`class.dbf`) may be another file's and is replaced only where
/// overwriting was asked for.
#[derive(Debug)]
pub struct AtomicPath {
    target: PathBuf,
    folder: PathBuf,
    /// Start of the target's file name that sidecars share.
    stem: String,
    /// Start of the partial's file name, without a dot at the end.
    tag: String,
    extension: String,
    overwrite: bool,
    /// Set for those that can be resumed.
    claim: Option<Claim>,
    keep: bool,
}

static COUNTER: AtomicU64 = AtomicU64::new(0);

impl AtomicPath {
    /// Prepares to write `target`, removes what killed programs left of it.
    ///
    /// # Errors
    /// The target (of a shapefile: any part) exists and `overwrite` is not set, its folder is
    /// missing, or it is a folder itself.
    pub fn create(target: impl AsRef<Path>, overwrite: bool) -> Result<Self, IoError> {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        Self::new(target.as_ref(), overwrite, Some(number))
    }

    /// As `create`, under a name that the next process finds again. Dropping it removes the
    /// files as well, unless `keep` was called.
    ///
    /// # Errors
    /// As `create`, and where this or another process is already writing the same target.
    pub fn resumable(target: impl AsRef<Path>, overwrite: bool) -> Result<Self, IoError> {
        let mut path = Self::new(target.as_ref(), overwrite, None)?;
        let fail = |error: std::io::Error| write_error(error, &path.target);
        let folder = fs::canonicalize(&path.folder).map_err(fail)?;
        let key = folder.join(path.target.file_name().unwrap_or_default());
        let lock_path = path.folder.join(format!("{}-lock", path.tag));
        match Claim::take(key, lock_path) {
            Ok(claim) => path.claim = Some(claim),
            Err(reason) => {
                // The files are somebody else's.
                path.keep = true;
                return Err(write_error(reason, &path.target));
            }
        }
        Ok(path)
    }

    /// Whether no other process can be writing this resumable target.
    pub(crate) fn locked(&self) -> bool {
        self.claim.as_ref().is_some_and(Claim::locked)
    }

    fn new(target: &Path, overwrite: bool, number: Option<u64>) -> Result<Self, IoError> {
        if target.starts_with("/vsimem") || target.to_string_lossy().starts_with("/vsi") {
            return Err(write_error("only files on this machine's disks can be written", target));
        }
        // Renaming onto a link would replace the link, not the file it points to.
        let target = if target.is_symlink() {
            fs::canonicalize(target).unwrap_or_else(|_| target.into())
        } else {
            target.into()
        };
        if target.is_dir() {
            return Err(write_error("it is a folder", &target));
        }
        let Some(name) = target.file_name().map(|name| name.to_string_lossy().into_owned()) else {
            return Err(write_error("it is not a file name", &target));
        };
        let folder = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        if !folder.is_dir() {
            return Err(write_error("its folder does not exist", &target));
        }
        refuse_existing(&target, overwrite)?;
        let stem = target.file_stem().map_or_else(|| name.clone(), |stem| stem.to_string_lossy().into_owned());
        let extension = name[stem.len()..].to_owned();
        let tag = match number {
            Some(number) => format!(".{name}.partial-{}-{number}", std::process::id()),
            None => format!(".{name}.partial"),
        };
        let path = Self { target, folder, stem, tag, extension, overwrite, claim: None, keep: false };
        if path.is_shapefile() {
            for ending in SHAPEFILE.iter().chain(&OBSOLETE_SHAPEFILE) {
                path.refuse_existing_sidecar(&format!(".{ending}"))?;
            }
        }
        path.remove_stale();
        if number.is_some() {
            // Numbers are given once, so this is from a process that had our number before.
            path.remove_partial();
        }
        Ok(path)
    }

    /// The name to write to until `commit`; keeps the target's extension.
    pub fn partial(&self) -> PathBuf {
        self.folder.join(format!("{}{}", self.tag, self.extension))
    }

    /// The partial name of the sidecar that ends up as `<stem>.<ending>`.
    pub fn sidecar(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.tag))
    }

    /// The partial name of the sidecar that ends up as `<target>.<ending>`.
    pub fn appended(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}{}.{ending}", self.tag, self.extension))
    }

    /// Whether `<stem>.<ending>` may be written: it is not there, or overwriting was asked for.
    pub fn may_write(&self, ending: &str) -> bool {
        self.overwrite || !self.target.with_file_name(format!("{}.{ending}", self.stem)).exists()
    }

    pub fn target(&self) -> &Path {
        &self.target
    }

    /// File name of the target without its extension.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// The error of writing this file, without the partial name that a library may have put in.
    pub(crate) fn failed(&self, what: &str, reason: &str) -> IoError {
        let partial = self.partial().to_string_lossy().into_owned();
        let reason = reason.replace(&format!("{partial}: "), "").replace(&partial, "the file");
        IoError::write(&self.target, what, reason)
    }

    /// A folder for intermediate files, removed with the partial.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn scratch_dir(&self) -> Result<PathBuf, IoError> {
        let path = self.folder.join(format!("{}-scratch", self.tag));
        fs::create_dir_all(&path).map_err(|error| write_error(error, &self.target))?;
        Ok(path)
    }

    /// Leaves the partial files where they are when dropped, for a later `resumable`.
    pub fn keep(&mut self, keep: bool) {
        self.keep = keep;
    }

    /// What follows the tag in the names of the partial and its sidecars.
    fn siblings(&self) -> std::io::Result<Vec<String>> {
        let mut endings = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(ending) = name.strip_prefix(&self.tag)
                && (ending.is_empty() || ending.starts_with('.'))
                && entry.file_type()?.is_file()
            {
                endings.push(ending.to_owned());
            }
        }
        Ok(endings)
    }

    fn remove_partial(&self) {
        for ending in self.siblings().unwrap_or_default() {
            remove(&self.folder.join(format!("{}{ending}", self.tag)));
        }
    }

    fn is_shapefile(&self) -> bool {
        self.extension.eq_ignore_ascii_case(".shp")
    }

    /// Files that bear the target's whole name belong to it and do not count.
    fn refuse_existing_sidecar(&self, ending: &str) -> Result<(), IoError> {
        if ending.strip_prefix(self.extension.as_str()).is_some_and(|rest| rest.starts_with('.')) {
            return Ok(());
        }
        refuse_existing(&self.target.with_file_name(format!("{}{ending}", self.stem)), self.overwrite)
    }

    /// Removes partial files of this target whose process is gone; those kept for resuming
    /// carry no process number and stay.
    fn remove_stale(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let prefix = format!(".{}{}.partial-", self.stem, self.extension);
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let process = name.strip_prefix(&prefix).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
            if process.is_some_and(|process| process != std::process::id() && !process_alive(process, &entry.path())) {
                remove(&entry.path());
            }
        }
    }
}

impl Drop for AtomicPath {
    fn drop(&mut self) {
        remove(&self.folder.join(format!("{}-scratch", self.tag)));
        if !self.keep {
            self.remove_partial();
        }
    }
}

/// Writes a text file atomically.
///
/// # Errors
/// As `AtomicPath::create` and `commit`, or the disk is full.
pub fn write_text(path: impl AsRef<Path>, text: &str, overwrite: bool) -> Result<(), IoError> {
    write_bytes(path.as_ref(), text.as_bytes(), overwrite)
}

/// Writes a file atomically.
///
/// # Errors
/// As `AtomicPath::create` and `commit`, or the disk is full.
pub fn write_bytes(path: impl AsRef<Path>, bytes: &[u8], overwrite: bool) -> Result<(), IoError> {
    write_together(&[(path.as_ref(), bytes)], overwrite)
}

/// Writes several files that belong together: all appear, or none.
///
/// # Errors
/// As `AtomicPath::create` and `commit_all`, or the disk is full.
pub fn write_together(files: &[(&Path, &[u8])], overwrite: bool) -> Result<(), IoError> {
    let write = |&(path, bytes): &(&Path, &[u8])| {
        let output = AtomicPath::create(path, overwrite)?;
        write_plain(&output.partial(), bytes).map_err(|error| write_error(error, output.target()))?;
        Ok(output)
    };
    let outputs = files.iter().map(write).collect::<Result<Vec<_>, IoError>>()?;
    commit_all(outputs).map(drop)
}

/// Writes bytes under a name nobody reads yet; not atomic by itself.
pub(crate) fn write_plain(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn refuse_existing(target: &Path, overwrite: bool) -> Result<(), IoError> {
    if !overwrite && target.exists() {
        return Err(IoError::Exists(target.to_path_buf()));
    }
    Ok(())
}

fn write_error(reason: impl std::fmt::Display, path: &Path) -> IoError {
    IoError::write(path, "file", reason.to_string())
}

fn remove(path: &Path) {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    if let Err(error) = removed
        && error.kind() != std::io::ErrorKind::NotFound
    {
        log::warn!("cannot remove {}: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_dropped_output_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("map.tif");
        write_text(&target, "old", false).unwrap();

        let output = AtomicPath::create(&target, true).unwrap();
        write_plain(&output.partial(), b"new").unwrap();
        write_plain(&output.appended("aux.xml"), b"new").unwrap();
        output.scratch_dir().unwrap();
        drop(output);

        assert_eq!(names(folder.path()), ["map.tif"]);
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");
    }

    #[test]
    fn sidecars_are_renamed_with_their_file_and_obsolete_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.b.shp");
        for name in
            ["a.b.shp", "a.b.dbf", "a.b.qix", "a.b.prj", "a.b.cpg", "a.b.shp.xml", "a.b.shp.aux.xml", "a.b.other"]
        {
            write_text(folder.path().join(name), "old", false).unwrap();
        }

        let output = AtomicPath::create(&target, true).unwrap();
        write_plain(&output.partial(), b"new").unwrap();
        write_plain(&output.sidecar("dbf"), b"new").unwrap();
        write_plain(&output.appended("recipe.json"), b"{}").unwrap();
        let written = output.commit().unwrap();

        assert_eq!(written[0], target);
        assert_eq!(names(folder.path()), ["a.b.dbf", "a.b.other", "a.b.shp", "a.b.shp.recipe.json"]);
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
    }

    #[test]
    fn sidecars_do_not_replace_files_of_others_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| folder.path().join(name);
        write_text(of("b.dbf"), "table", false).unwrap();
        write_text(of("c.prj"), "place", false).unwrap();
        write_text(of("d.tif.aux.xml"), "statistics", false).unwrap();

        for (shapefile, taken) in [("b.shp", "b.dbf"), ("c.shp", "c.prj")] {
            let error = AtomicPath::create(of(shapefile), false).unwrap_err().to_string();
            assert_eq!(error, format!("{} exists; add --overwrite", of(taken).display()));
        }
        let late = AtomicPath::create(of("late.png"), false).unwrap();
        write_plain(&late.partial(), b"new").unwrap();
        write_plain(&late.sidecar("pgw"), b"new").unwrap();
        write_text(of("late.pgw"), "old", false).unwrap();
        assert!(late.commit().is_err());
        write_text(of("d.tif"), "new", false).unwrap();

        assert_eq!(names(folder.path()), ["b.dbf", "c.prj", "d.tif", "late.pgw"]);
        assert_eq!(fs::read_to_string(of("late.pgw")).unwrap(), "old");
    }

    #[test]
    fn outputs_that_share_a_stem_do_not_touch_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let short = AtomicPath::resumable(folder.path().join("out.tif"), false).unwrap();
        write_plain(&short.partial(), b"short").unwrap();

        let long = AtomicPath::resumable(folder.path().join("out.tiff"), false).unwrap();
        assert!(short.partial() != long.partial() && short.sidecar("json") != long.sidecar("json"));
        drop(long);
        let again = folder.path().join(".").join("out.tif");
        let error = AtomicPath::resumable(&again, false).unwrap_err().to_string();

        assert!(error.starts_with("failed to write file: another job is writing it"), "{error}");
        assert!(short.partial().exists());
    }

    #[test]
    fn a_lock_and_not_a_process_number_says_who_is_writing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.tif");
        // What a killed process leaves is not locked; a live one holds its lock.
        let path = folder.path().join(".out.tif.partial-lock");
        let other = File::create(&path).unwrap();
        other.lock().unwrap();
        write_plain(&folder.path().join(".out.tif.partial.tif"), b"kept").unwrap();

        let error = AtomicPath::resumable(&target, false).unwrap_err().to_string();
        assert!(error.starts_with("failed to write file: another process is writing it"), "{error}");
        drop(other);
        let mut resumed = AtomicPath::resumable(&target, false).unwrap();
        resumed.keep(true);
        drop(resumed);

        assert_eq!(names(folder.path()), [".out.tif.partial.tif"]);
    }

    #[test]
    fn an_existing_file_is_not_overwritten_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("report.json");
        write_text(&target, "old", false).unwrap();

        let error = write_text(&target, "new", false).unwrap_err().to_string();

        assert_eq!(error, format!("{} exists; add --overwrite", target.display()));
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");
    }

    #[test]
    fn partial_files_of_dead_processes_are_removed_and_resumable_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        // The highest process number Linux gives is 4194304.
        let other = ".other.tif.partial-4294967295-0.tif";
        for name in [".map.tif.partial-4294967295-0.tif", ".map.tif.partial.tif", other] {
            write_plain(&folder.path().join(name), b"").unwrap();
        }

        write_text(folder.path().join("map.tif"), "new", false).unwrap();

        assert_eq!(names(folder.path()), [".map.tif.partial.tif", other, "map.tif"]);
    }

    #[test]
    fn the_same_target_cannot_be_written_twice_at_once_for_resuming() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("map.tif");
        let first = AtomicPath::resumable(&target, false).unwrap();

        assert!(AtomicPath::resumable(&target, false).is_err());
        drop(first);
        assert!(AtomicPath::resumable(&target, false).is_ok());
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = write_text("no/such/folder/x.txt", "", false).unwrap_err().to_string();
        assert_eq!(error, "failed to write file: its folder does not exist: no/such/folder/x.txt");
    }
}
