//! Outputs get their names: all files of all outputs of a job, or none.
//!
//! Invariant: nothing is renamed before everything is complete and synced. Where a rename fails
//! the earlier ones are taken back, and the files that were there before stand there again.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{AtomicPath, remove, write_error};
use crate::error::IoError;

/// Sidecars of a former file that would lie about a new one.
const OBSOLETE: [&str; 4] = ["aux.xml", "ovr", "msk", "recipe.json"];
/// Index files that GIS programs build beside a shapefile, and what tells its CRS and encoding.
pub(super) const OBSOLETE_SHAPEFILE: [&str; 8] = ["qix", "sbn", "sbx", "idm", "prj", "qpj", "cpg", "shp.xml"];
/// Parts of every shapefile.
pub(super) const SHAPEFILE: [&str; 2] = ["dbf", "shx"];

impl AtomicPath {
    /// Syncs the partial files, gives them their names, and returns those, the target first.
    ///
    /// # Errors
    /// As `commit_all`.
    pub fn commit(self) -> Result<Vec<PathBuf>, IoError> {
        commit_all(vec![self])
    }
}

/// Syncs the partial files of all outputs, then gives them their names. Returns those, output by
/// output, the target before its sidecars.
///
/// Sidecars are renamed before their target, so the target is complete when it appears. A kill
/// between two renames, which take microseconds, can leave some of the outputs.
///
/// # Errors
/// A file cannot be synced or renamed, or without `overwrite`: a target came into being, or
/// a sidecar would replace a file. Every name is then as it was before.
pub fn commit_all(outputs: Vec<AtomicPath>) -> Result<Vec<PathBuf>, IoError> {
    let ready = outputs.iter().map(Ready::check).collect::<Result<Vec<_>, _>>()?;
    let mut renamed = Renamed::default();
    for ready in &ready {
        // The target last.
        for ending in ready.sidecars.iter().chain([&ready.output.extension]) {
            let (partial, name) = ready.names(ending);
            renamed.rename(partial, name).map_err(|error| write_error(error, &ready.output.target))?;
        }
    }
    renamed.settle();
    let mut written = Vec::new();
    for ready in &ready {
        written.push(ready.output.target.clone());
        written.extend(ready.sidecars.iter().map(|ending| ready.names(ending).1));
        ready.remove_obsolete();
        // The files are there: a folder that cannot be synced is no reason to say otherwise.
        if let Err(error) = sync_folder(&ready.output.folder) {
            log::warn!("cannot sync {}: {error}", ready.output.folder.display());
        }
    }
    Ok(written)
}

/// An output whose files are all on the disk.
struct Ready<'a> {
    output: &'a AtomicPath,
    /// What follows the tag in their names, sorted.
    sidecars: Vec<String>,
}

impl<'a> Ready<'a> {
    fn check(output: &'a AtomicPath) -> Result<Self, IoError> {
        let fail = |error: io::Error| write_error(error, &output.target);
        super::refuse_existing(&output.target, output.overwrite)?;
        let mut sidecars = output.siblings().map_err(fail)?;
        sidecars.retain(|ending| *ending != output.extension);
        sidecars.sort_unstable();
        for ending in &sidecars {
            output.refuse_existing_sidecar(ending)?;
        }
        if !output.partial().is_file() {
            return Err(write_error("nothing was written", &output.target));
        }
        let ready = Self { output, sidecars };
        for ending in ready.sidecars.iter().chain([&output.extension]) {
            let file = File::options().read(true).write(true).open(ready.names(ending).0);
            file.and_then(|file| file.sync_all()).map_err(fail)?;
        }
        Ok(ready)
    }

    /// The partial file with this ending, and what it is to be called.
    fn names(&self, ending: &str) -> (PathBuf, PathBuf) {
        let AtomicPath { target, folder, stem, tag, .. } = self.output;
        (folder.join(format!("{tag}{ending}")), target.with_file_name(format!("{stem}{ending}")))
    }

    fn remove_obsolete(&self) {
        let AtomicPath { folder, stem, extension, .. } = self.output;
        let shapefile = self.output.is_shapefile();
        let appended = OBSOLETE.iter().map(|ending| format!("{extension}.{ending}"));
        let replaced = OBSOLETE_SHAPEFILE.iter().filter(|_| shapefile).map(|ending| format!(".{ending}"));
        for ending in appended.chain(replaced).filter(|ending| !self.sidecars.contains(ending)) {
            remove(&folder.join(format!("{stem}{ending}")));
        }
    }
}

/// Renames done so far; dropped before `settle`, they are taken back.
#[derive(Default)]
struct Renamed(Vec<Rename>);

struct Rename {
    partial: PathBuf,
    name: PathBuf,
    /// Another name of the file that was there before.
    old: Option<PathBuf>,
}

impl Renamed {
    fn rename(&mut self, partial: PathBuf, name: PathBuf) -> io::Result<()> {
        let old = name.is_file().then(|| keep_old(&partial, &name)).transpose()?;
        match fs::rename(&partial, &name) {
            Ok(()) => {
                self.0.push(Rename { partial, name, old });
                Ok(())
            }
            Err(error) => {
                old.iter().for_each(|old| remove(old));
                Err(error)
            }
        }
    }

    /// There is no way back from here.
    fn settle(mut self) {
        self.0.drain(..).filter_map(|rename| rename.old).for_each(|old| remove(&old));
    }
}

impl Drop for Renamed {
    fn drop(&mut self) {
        // Backwards, so that a target is gone before its sidecars are.
        for Rename { partial, name, old } in self.0.drain(..).rev() {
            let (from, to) = old.as_ref().map_or((&name, &partial), |old| (old, &name));
            if let Err(error) = fs::rename(from, to) {
                log::error!("cannot take back {}: {error}", name.display());
            }
        }
    }
}

/// A second name for the file `name`, beside `partial`. A hard link, so that the file never
/// lacks its first name; a copy where the file system has no links.
fn keep_old(partial: &Path, name: &Path) -> io::Result<PathBuf> {
    let mut old = partial.as_os_str().to_owned();
    old.push("-old");
    let old = PathBuf::from(old);
    remove(&old);
    if fs::hard_link(name, &old).is_err() {
        fs::copy(name, &old)?;
    }
    Ok(old)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atomic::{write_plain, write_text};

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        names
    }

    fn output(path: &Path, text: &str) -> AtomicPath {
        let output = AtomicPath::create(path, true).unwrap();
        write_plain(&output.partial(), text.as_bytes()).unwrap();
        output
    }

    #[test]
    fn several_outputs_appear_together() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| folder.path().join(name);
        write_text(of("a.tif"), "old", false).unwrap();
        write_text(of("a.tif.ovr"), "old", false).unwrap();
        let (a, b) = (output(&of("a.tif"), "new"), output(&of("b.tif"), "new"));
        write_plain(&b.appended("aux.xml"), b"new").unwrap();

        let written = commit_all(vec![a, b]).unwrap();

        assert_eq!(written, [of("a.tif"), of("b.tif"), of("b.tif.aux.xml")]);
        assert_eq!(names(folder.path()), ["a.tif", "b.tif", "b.tif.aux.xml"]);
        assert_eq!(fs::read_to_string(of("a.tif")).unwrap(), "new");
    }

    #[test]
    fn a_rename_that_fails_takes_the_earlier_ones_back() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| folder.path().join(name);
        write_text(of("a.tif"), "old a", false).unwrap();
        write_text(of("a.tif.aux.xml"), "old statistics", false).unwrap();
        let outputs = vec![output(&of("a.tif"), "new"), output(&of("b.tif"), "new"), output(&of("c.tif"), "new")];
        write_plain(&outputs[0].appended("aux.xml"), b"new").unwrap();
        // A folder is in the way of the last one.
        fs::create_dir(of("c.tif")).unwrap();

        let error = commit_all(outputs).unwrap_err().to_string();

        assert!(error.starts_with("failed to write file:") && error.ends_with("c.tif"), "{error}");
        assert_eq!(names(folder.path()), ["a.tif", "a.tif.aux.xml", "c.tif"]);
        assert_eq!(fs::read_to_string(of("a.tif")).unwrap(), "old a");
        assert_eq!(fs::read_to_string(of("a.tif.aux.xml")).unwrap(), "old statistics");
    }

    #[test]
    fn the_parts_of_a_shapefile_stay_those_of_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| folder.path().join(name);
        for name in ["a.shp", "a.dbf", "a.prj"] {
            write_text(of(name), "old", false).unwrap();
        }
        let shapefile = output(&of("a.shp"), "new");
        for ending in ["dbf", "prj", "shx"] {
            write_plain(&shapefile.sidecar(ending), b"new").unwrap();
        }
        fs::create_dir(of("a.shx")).unwrap();

        assert!(shapefile.commit().is_err());

        assert_eq!(names(folder.path()), ["a.dbf", "a.prj", "a.shp", "a.shx"]);
        assert!(["a.shp", "a.dbf", "a.prj"].iter().all(|name| fs::read_to_string(of(name)).unwrap() == "old"));
    }

    #[test]
    fn nothing_is_renamed_before_everything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| folder.path().join(name);
        let unwritten = AtomicPath::create(of("b.tif"), false).unwrap();

        let error = commit_all(vec![output(&of("a.tif"), "new"), unwritten]).unwrap_err().to_string();

        assert!(error.contains("nothing was written"), "{error}");
        assert!(names(folder.path()).is_empty());
    }
}
