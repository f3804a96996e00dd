//! A project as one zip file, for sending: the saved state with its journal, without versions.
//!
//! Scenes stay out unless asked for. Whoever unpacks it without them is asked for each, and a
//! scene of the same content is recognised wherever it lies.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use nunatak_jobs::Monitor;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::folder::{manifest_path, read_manifest};
use super::manifest::{MANIFEST_FILE, Manifest};
use crate::atomic::AtomicPath;
use crate::error::IoError;

const SCENES_FOLDER: &str = "scenes";

/// What went into an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    pub n_files: usize,
    /// Bytes of the archive.
    pub bytes: u64,
    /// Scenes that are not in it, by path.
    pub scenes_left_out: Vec<String>,
}

/// Packs the saved state of a project into `out`. With `with_scenes`, the files of its scenes
/// go along (with those beside them that share their name: headers, statistics, overviews).
///
/// # Errors
/// The project cannot be read, or the archive not be written.
pub fn pack(
    folder: &Path,
    out: &Path,
    with_scenes: bool,
    overwrite: bool,
    monitor: &dyn Monitor,
) -> Result<Packed, IoError> {
    let mut manifest = read_manifest(&manifest_path(folder))?.map_err(|error| {
        IoError::read(folder, "project", format!("it must be repaired by opening it first: {error:?}"))
    })?;
    let output = AtomicPath::create(out, overwrite)?;
    let fail = |reason: String| IoError::write(out, "archive", reason);
    let file = File::create(output.partial()).map_err(|error| fail(error.to_string()))?;
    let mut zip = Packer { zip: ZipWriter::new(file), root: root_name(folder), packed: Packed::default(), monitor };
    for entry in &manifest.labels {
        for name in [entry.file.clone(), format!("{}.aux.xml", entry.file)] {
            let path = folder.join(&name);
            if path.exists() {
                zip.add(&path, &name).map_err(fail)?;
            }
        }
    }
    zip.add(&folder.join(&manifest.journal.file), &manifest.journal.file).map_err(fail)?;
    for entry in fs::read_dir(folder.join("thumbnails")).into_iter().flatten().flatten() {
        zip.add(&entry.path(), &format!("thumbnails/{}", entry.file_name().to_string_lossy())).map_err(fail)?;
    }
    zip.add_scenes(folder, &mut manifest, with_scenes).map_err(fail)?;
    zip.start(MANIFEST_FILE).map_err(fail)?;
    zip.zip.write_all(manifest.text().as_bytes()).map_err(|error| fail(error.to_string()))?;
    let mut packed = zip.packed;
    zip.zip.finish().map_err(|error| fail(error.to_string()))?;
    output.commit()?;
    packed.bytes = fs::metadata(out).map_or(0, |metadata| metadata.len());
    Ok(packed)
}

/// Unpacks an archive into a folder of the project's name under `into`, and gives that.
///
/// # Errors
/// It is no project archive, something of that name is there, or the disk is full; nothing is
/// left behind then.
pub fn unpack(archive: &Path, into: &Path, monitor: &dyn Monitor) -> Result<PathBuf, IoError> {
    let fail = |reason: String| IoError::read(archive, "archive", reason);
    let file = File::open(archive).map_err(|error| fail(error.to_string()))?;
    let mut zip = ZipArchive::new(file).map_err(|error| fail(error.to_string()))?;
    let suffix = format!("/{MANIFEST_FILE}");
    let names: Vec<String> = zip.file_names().filter_map(Result::ok).map(|name| name.into_owned()).collect();
    let root = names.iter().find_map(|name| name.strip_suffix(&suffix).filter(|root| !root.contains('/')));
    let Some(root) = root.map(str::to_owned) else {
        return Err(fail("there is no project in it".to_owned()));
    };
    let target = into.join(&root);
    if target.exists() {
        return Err(IoError::Exists(target));
    }
    let unwritten = |error: std::io::Error| IoError::write(&target, "project", error.to_string());
    let scratch = tempfile::Builder::new().prefix(".unpacking-").tempdir_in(into).map_err(unwritten)?;
    for index in 0..zip.len() {
        monitor.check()?;
        let mut entry = zip.by_index(index).map_err(|error| fail(error.to_string()))?;
        // A name that leads out of the folder is no name of ours.
        let Some(name) = entry.enclosed_name() else { continue };
        let Ok(inside) = name.strip_prefix(&root) else { continue };
        if entry.is_dir() || inside.as_os_str().is_empty() {
            continue;
        }
        let path = scratch.path().join(inside);
        fs::create_dir_all(path.parent().unwrap_or(scratch.path())).map_err(unwritten)?;
        let mut out = File::create(&path).map_err(unwritten)?;
        std::io::copy(&mut entry, &mut out).map_err(|error| fail(error.to_string()))?;
        out.sync_all().map_err(unwritten)?;
    }
    let made = scratch.keep();
    if let Err(error) = fs::rename(&made, &target) {
        let _ = fs::remove_dir_all(&made);
        return Err(unwritten(error));
    }
    Ok(target)
}

struct Packer<'a> {
    zip: ZipWriter<File>,
    root: String,
    packed: Packed,
    monitor: &'a dyn Monitor,
}

impl Packer<'_> {
    fn start(&mut self, name: &str) -> Result<(), String> {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).large_file(true);
        self.packed.n_files += 1;
        self.zip.start_file(format!("{}/{name}", self.root), options).map_err(|error| error.to_string())
    }

    fn add(&mut self, path: &Path, name: &str) -> Result<(), String> {
        self.monitor.check().map_err(|_| "cancelled".to_owned())?;
        let mut file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        self.start(name)?;
        std::io::copy(&mut file, &mut self.zip).map_err(|error| error.to_string()).map(drop)
    }

    fn add_scenes(&mut self, folder: &Path, manifest: &mut Manifest, with_scenes: bool) -> Result<(), String> {
        for (n, scene) in manifest.scenes.iter_mut().enumerate() {
            let path = scene.find(folder).path;
            if !with_scenes || !path.is_file() {
                self.packed.scenes_left_out.push(path.to_string_lossy().into_owned());
                continue;
            }
            // A folder each, for two scenes may have one name.
            for file in files_of(&path) {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                self.add(&file, &format!("{SCENES_FOLDER}/{n}/{name}"))?;
            }
            scene.path = format!("{SCENES_FOLDER}/{n}/{}", path.file_name().unwrap_or_default().to_string_lossy());
        }
        Ok(())
    }
}

/// A raster and the files beside it that share its name up to the first dot of its ending.
fn files_of(path: &Path) -> Vec<PathBuf> {
    let stem = format!("{}.", path.file_stem().unwrap_or_default().to_string_lossy());
    let Some(entries) = path.parent().and_then(|folder| fs::read_dir(folder).ok()) else {
        return vec![path.to_owned()];
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&stem))
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    if !files.iter().any(|file| file.file_name() == path.file_name()) {
        files.push(path.to_owned());
    }
    files.sort_unstable();
    files
}

fn root_name(folder: &Path) -> String {
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    folder.file_name().map_or_else(|| "project.nunatak".to_owned(), |name| name.to_string_lossy().into_owned())
}
