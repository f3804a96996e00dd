//! Saving: label files that changed, then the manifest, in one step for whoever looks.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use nunatak_domain::class::ClassScheme;
use nunatak_domain::label::{LabelChange, LabelLayer, LabelsId};
use nunatak_domain::layer::{Layer, SceneId};
use nunatak_domain::project::{Labels, Project};
use nunatak_jobs::Monitor;

use super::folder::{
    LABELS_FOLDER, ProjectFolder, VERSIONS_FOLDER, VersionInfo, manifest_path, read_manifest, slug, version_path,
    versions,
};
use super::journal::{Journal, JournalPlace};
use super::label_file::{read_labels, write_labels};
use super::manifest::{Contents, JournalEntry, LabelsEntry, Manifest};
use super::scenes::ProjectScene;
use crate::atomic;
use crate::error::IoError;
use crate::hash::sha256_file;

/// Earlier saves that are kept.
const N_VERSIONS: usize = 10;
/// An autosave becomes a version only this long after the one before, so that a minute's
/// autosaves do not push out yesterday's work.
const AUTOSAVE_SPACING_SECS: u64 = 600;

/// Everything that a save writes, taken at one moment; a job owns it.
#[derive(Clone, Debug)]
pub struct ProjectSnapshot {
    pub name: String,
    pub project: Project,
    pub scenes: Vec<ProjectScene>,
    /// Layers of the map, bottom to top.
    pub layers: Vec<Layer>,
    /// Whatever else the front end wants to find again.
    pub view: serde_json::Value,
    /// `journal.place()` of the same moment.
    pub journal: JournalPlace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveKind {
    /// Somebody asked for it.
    Asked,
    Auto,
}

/// What the last save wrote, so that the next one writes only what changed since. A clone
/// shares the label tiles.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    pub(super) save: u64,
    /// Seconds since 1970, UTC; 0 where nothing was saved yet.
    pub time: u64,
    pub(super) layers: Vec<SavedLayer>,
    /// Those in the palettes of the label files.
    pub(super) classes: ClassScheme,
}

#[derive(Clone, Debug)]
pub(super) struct SavedLayer {
    pub(super) id: LabelsId,
    pub(super) scene: SceneId,
    pub(super) layer: LabelLayer,
    pub(super) file: String,
    pub(super) sha256: String,
}

impl ProjectFolder {
    /// A new project at `path` (`….nunatak`) with the contents of `snapshot`, whose journal
    /// place does not matter; history starts here. To take the history along: `save_as`.
    ///
    /// # Errors
    /// There is something of that name, or it cannot be written.
    pub fn create_project(
        path: &Path,
        mut snapshot: ProjectSnapshot,
        monitor: &dyn Monitor,
    ) -> Result<(Self, Journal, Saved), IoError> {
        let (folder, mut journal) = Self::create(path)?;
        snapshot.journal = journal.place()?;
        let saved = folder.save(&snapshot, &Saved::default(), SaveKind::Asked, monitor)?;
        Ok((folder, journal, saved))
    }

    /// Saves under another name and goes on there: the journal moves along, also with steps that
    /// its old disk had no room for. `snapshot.journal` does not matter.
    ///
    /// # Errors
    /// As `create_project`; the journal then stays where it was.
    pub fn save_as(
        path: &Path,
        mut snapshot: ProjectSnapshot,
        journal: &mut Journal,
        monitor: &dyn Monitor,
    ) -> Result<(Self, Saved), IoError> {
        let (folder, fresh) = Self::create(path)?;
        let target = fresh.path().to_owned();
        drop(fresh);
        fs::remove_file(&target).map_err(|error| IoError::write(path, "project", error.to_string()))?;
        let mut moved = journal.copy_to(&target)?;
        snapshot.journal = moved.place()?;
        let saved = folder.save(&snapshot, &Saved::default(), SaveKind::Asked, monitor)?;
        *journal = moved;
        Ok((folder, saved))
    }

    /// Writes what changed since `last`. The state on the disk is the old one until the last
    /// rename, and the new one after it.
    ///
    /// Cost: label files of layers that changed, each written as a whole (about 0.2 ms per tile).
    ///
    /// # Errors
    /// The disk is full or read-only, or the job was cancelled; the old state is whole then.
    pub fn save(
        &self,
        snapshot: &ProjectSnapshot,
        last: &Saved,
        kind: SaveKind,
        monitor: &dyn Monitor,
    ) -> Result<Saved, IoError> {
        let folder = self.path();
        let fail = |error: std::io::Error| IoError::write(folder, "project", error.to_string());
        for name in [LABELS_FOLDER, VERSIONS_FOLDER] {
            fs::create_dir_all(folder.join(name)).map_err(fail)?;
        }
        let save = 1 + last.save.max(versions(folder).first().map_or(0, |version| version.save));
        let project = &snapshot.project;
        let same_palette = last.classes == project.classes;
        let mut layers = Vec::new();
        for (n, labels) in project.labels.iter().enumerate() {
            monitor.check()?;
            monitor.progress(n as f32 / project.labels.len() as f32, "saving labels");
            let unchanged = last.layers.iter().find(|saved| same_palette && saved.holds(labels));
            layers.push(match unchanged {
                Some(saved) => saved.clone(),
                None => self.save_layer(labels, save, snapshot, monitor)?,
            });
        }
        // The manifest must not be ahead of the journal that it refers to.
        File::options().write(true).open(&snapshot.journal.path).and_then(|file| file.sync_all()).map_err(fail)?;
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let manifest = manifest(folder, snapshot, &layers, (save, time, kind == SaveKind::Auto));
        let text = manifest.text();
        monitor.check()?;
        keep_version(folder)?;
        atomic::write_text(manifest_path(folder), &text, true)?;
        remove_unused(folder, &manifest);
        Ok(Saved { save, time, layers, classes: project.classes.clone() })
    }

    fn save_layer(
        &self,
        labels: &Labels,
        save: u64,
        snapshot: &ProjectSnapshot,
        monitor: &dyn Monitor,
    ) -> Result<SavedLayer, IoError> {
        let file = format!("{LABELS_FOLDER}/{}-{}.{save:06}.tif", labels.id.0, slug(&labels.name));
        let path = self.path().join(&file);
        let scene = snapshot.scenes.iter().find(|scene| scene.id == labels.scene);
        write_labels(&path, &labels.layer, &snapshot.project.classes, scene, monitor)?;
        let sha256 = sha256_file(&path, monitor)?;
        Ok(SavedLayer { id: labels.id, scene: labels.scene, layer: labels.layer.clone(), file, sha256 })
    }

    /// Earlier saves, newest first; the current one is not among them.
    pub fn versions(&self) -> Vec<VersionInfo> {
        versions(self.path()).iter().map(VersionInfo::of).collect()
    }

    /// The project as an earlier save left it. To restore it, make
    /// `Edit::between(…, current, it)` a step: then it can be undone.
    ///
    /// # Errors
    /// There is no such version, or one of its files is damaged.
    pub fn read_version(&self, save: u64, monitor: &dyn Monitor) -> Result<Project, IoError> {
        let path = version_path(self.path(), save);
        let manifest = read_manifest(&path)?
            .map_err(|error| IoError::read(&path, "version", format!("it is damaged: {error:?}")))?;
        let mut layers = Vec::new();
        for entry in &manifest.labels {
            layers.push(entry.read(self.path(), monitor)?);
        }
        Ok(manifest.project(layers))
    }
}

impl SavedLayer {
    fn holds(&self, labels: &Labels) -> bool {
        self.id == labels.id
            && self.scene == labels.scene
            && self.layer.rect() == labels.layer.rect()
            && LabelChange::between(&self.layer, &labels.layer).is_empty()
    }
}

impl LabelsEntry {
    pub(super) fn read(&self, folder: &Path, monitor: &dyn Monitor) -> Result<LabelLayer, IoError> {
        read_labels(&folder.join(&self.file), (self.width, self.height), monitor)
    }
}

impl Manifest {
    /// The document, with a layer for each of `labels`.
    pub(super) fn project(&self, layers: Vec<LabelLayer>) -> Project {
        let labels = self.labels.iter().zip(layers).map(|(entry, layer)| Labels {
            id: entry.id,
            name: entry.name.clone(),
            scene: entry.scene,
            layer,
        });
        Project {
            classes: self.classes.clone(),
            references: self.references(),
            labels: labels.collect(),
            next_labels: self.next_labels,
        }
    }
}

fn manifest(folder: &Path, snapshot: &ProjectSnapshot, layers: &[SavedLayer], when: (u64, u64, bool)) -> Manifest {
    let project = &snapshot.project;
    let contents = Contents {
        name: &snapshot.name,
        classes: &project.classes,
        references: &project.references,
        next_labels: project.next_labels,
        scenes: &snapshot.scenes,
        layers: &snapshot.layers,
        view: &snapshot.view,
    };
    let entries = project.labels.iter().zip(layers).map(|(labels, saved)| LabelsEntry {
        id: labels.id,
        name: labels.name.clone(),
        scene: labels.scene,
        width: labels.layer.width(),
        height: labels.layer.height(),
        file: saved.file.clone(),
        sha256: saved.sha256.clone(),
    });
    let place = &snapshot.journal;
    let journal = JournalEntry {
        file: place.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        id: place.id.clone(),
        end: place.end,
        position: place.position,
    };
    Manifest::new(folder, &contents, when, journal, entries.collect())
}

/// Puts a copy of the current manifest among the versions, and lets go of those too many.
fn keep_version(folder: &Path) -> Result<(), IoError> {
    let current = manifest_path(folder);
    if !current.exists() {
        return Ok(());
    }
    let Ok(manifest) = read_manifest(&current)? else { return Ok(()) };
    let mut kept = versions(folder);
    let newest = kept.first().map_or(0, |version| version.saved);
    if manifest.autosave && manifest.saved < newest.saturating_add(AUTOSAVE_SPACING_SECS) {
        return Ok(());
    }
    atomic::write_text(version_path(folder, manifest.save), &manifest.text(), true)?;
    kept.retain(|version| version.save != manifest.save);
    for old in kept.iter().skip(N_VERSIONS - 1) {
        remove(&version_path(folder, old.save));
    }
    Ok(())
}

/// Removes label files of saves that nothing refers to any more, and what killed saves left.
fn remove_unused(folder: &Path, current: &Manifest) {
    let kept = versions(folder);
    let used: BTreeSet<&str> =
        kept.iter().chain([current]).flat_map(|manifest| &manifest.labels).map(|entry| entry.file.as_str()).collect();
    let Ok(entries) = fs::read_dir(folder.join(LABELS_FOLDER)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(tif) = own_file(&name)
            && !used.contains(format!("{LABELS_FOLDER}/{tif}").as_str())
        {
            remove(&entry.path());
        }
    }
}

/// The label file that a name belongs to (itself, its sidecar, its partial), if a save wrote it:
/// files that somebody put there stay.
fn own_file(name: &str) -> Option<&str> {
    let tif = name.trim_start_matches('.');
    let tif = &tif[..tif.find(".tif")? + ".tif".len()];
    let (stem, save) = tif.strip_suffix(".tif")?.rsplit_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (id, _) = stem.split_once('-')?;
    (digits(id) && digits(save)).then_some(tif)
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        log::warn!("cannot remove {}: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_a_save_wrote_are_recognised() {
        assert_eq!(own_file("3-snow-line.000012.tif"), Some("3-snow-line.000012.tif"));
        assert_eq!(own_file("3-snow.000012.tif.aux.xml"), Some("3-snow.000012.tif"));
        assert_eq!(own_file(".3-snow.000012.tif.partial-7-0.tif"), Some("3-snow.000012.tif"));
        for other in ["snow.tif", "3-snow.tif", "a-snow.000012.tif", "3-snow.v2.tif", "notes.txt"] {
            assert_eq!(own_file(other), None, "{other}");
        }
    }
}
