//! The folder of a project that is open for writing, and the versions in it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::journal::Journal;
use super::lock::{LockHolder, ProjectLock};
use super::manifest::{MANIFEST_FILE, Manifest, ManifestError};
use crate::atomic;
use crate::error::IoError;

pub(super) const LABELS_FOLDER: &str = "labels";
pub(super) const VERSIONS_FOLDER: &str = "versions";
const THUMBNAILS_FOLDER: &str = "thumbnails";
pub(super) const JOURNAL_FILE: &str = "journal.bin";

/// The right to write a project; let go of when dropped. Jobs share it in an `Arc`.
#[derive(Debug)]
pub struct ProjectFolder {
    path: PathBuf,
    _lock: ProjectLock,
}

/// An earlier save that is still there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VersionInfo {
    /// Number of the save; the current one is the highest.
    pub save: u64,
    /// Seconds since 1970, UTC.
    pub saved: u64,
    pub autosave: bool,
    pub n_labels: usize,
    pub n_classes: usize,
    pub n_references: usize,
}

impl ProjectFolder {
    /// Makes the folder of a new project with an empty journal. There is no project in it until
    /// the first save.
    ///
    /// # Errors
    /// There is something of that name, or the disk is read-only.
    pub(super) fn create(path: &Path) -> Result<(Self, Journal), IoError> {
        let fail = |error: std::io::Error| IoError::write(path, "project", error.to_string());
        if path.exists() && fs::read_dir(path).map_err(fail)?.next().is_some() {
            return Err(IoError::Exists(path.to_owned()));
        }
        for folder in [LABELS_FOLDER, VERSIONS_FOLDER, THUMBNAILS_FOLDER] {
            fs::create_dir_all(path.join(folder)).map_err(fail)?;
        }
        let path = fs::canonicalize(path).map_err(fail)?;
        let taken = ProjectLock::take(&path, false)?;
        let journal = Journal::create(&path.join(JOURNAL_FILE))?;
        Ok((Self { path, _lock: taken.lock }, journal))
    }

    /// Takes the lock of a project; also gives who left it behind.
    pub(super) fn lock(path: &Path, take_over: bool) -> Result<(Self, Option<LockHolder>), IoError> {
        let taken = ProjectLock::take(path, take_over)?;
        Ok((Self { path: path.to_owned(), _lock: taken.lock }, taken.left_by))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts a PNG into `thumbnails/`; `name` is a plain file name without its ending.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_thumbnail(&self, name: &str, png: &[u8]) -> Result<(), IoError> {
        let folder = self.path.join(THUMBNAILS_FOLDER);
        fs::create_dir_all(&folder).map_err(|error| IoError::write(&folder, "thumbnail", error.to_string()))?;
        atomic::write_bytes(folder.join(format!("{}.png", slug(name))), png, true)
    }
}

/// `project.json` of a folder.
pub(super) fn read_manifest(path: &Path) -> Result<Result<Manifest, ManifestError>, IoError> {
    let bytes = fs::read(path).map_err(|error| IoError::read(path, "project", error.to_string()))?;
    Ok(Manifest::parse(&String::from_utf8_lossy(&bytes)))
}

/// Manifests of earlier saves that can be read, newest first.
pub(super) fn versions(folder: &Path) -> Vec<Manifest> {
    let Ok(entries) = fs::read_dir(folder.join(VERSIONS_FOLDER)) else { return Vec::new() };
    let mut versions: Vec<Manifest> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .filter_map(|path| read_manifest(&path).ok()?.ok())
        .collect();
    versions.sort_by_key(|manifest| std::cmp::Reverse(manifest.save));
    versions
}

/// The current manifest's and the versions' files in `folder`.
pub(super) fn manifest_path(folder: &Path) -> PathBuf {
    folder.join(MANIFEST_FILE)
}

pub(super) fn version_path(folder: &Path, save: u64) -> PathBuf {
    folder.join(VERSIONS_FOLDER).join(format!("{save:06}.json"))
}

impl VersionInfo {
    pub(super) fn of(manifest: &Manifest) -> Self {
        Self {
            save: manifest.save,
            saved: manifest.saved,
            autosave: manifest.autosave,
            n_labels: manifest.labels.len(),
            n_classes: manifest.classes.classes.len(),
            n_references: manifest.references().references.len(),
        }
    }
}

/// A name as part of a file name on every system: letters and digits of ASCII, dashes.
pub(super) fn slug(name: &str) -> String {
    const MAX: usize = 40;
    let mut slug = String::new();
    for c in name.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => slug.push(c.to_ascii_lowercase()),
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(MAX);
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "labels".to_owned() } else { slug.to_owned() }
}
