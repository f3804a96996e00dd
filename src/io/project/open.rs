//! Opening: the newest whole state, the journal from there on, and what had to be repaired.

use std::fs;
use std::path::{Path, PathBuf};

use nunatak_domain::history::History;
use nunatak_domain::label::LabelLayer;
use nunatak_domain::layer::Layer;
use nunatak_domain::project::Project;
use nunatak_jobs::Monitor;

use super::folder::{JOURNAL_FILE, ProjectFolder, manifest_path, read_manifest, versions};
use super::journal::{Cut, HEADER_BYTES, Journal, Scan, keep_cut, scan};
use super::manifest::{Manifest, ManifestError};
use super::replay::{Replayed, StepList, replay};
use super::save::{ProjectSnapshot, SaveKind, Saved, SavedLayer};
use super::scenes::ProjectScene;
use crate::atomic;
use crate::error::IoError;

/// How a project is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Write,
    /// Also where a program on another machine seems to have it open; for when somebody said
    /// that it does not.
    TakeOver,
    Read,
}

/// A project as it was left, with every step that was in the journal.
#[derive(Debug)]
pub struct OpenedProject {
    pub path: PathBuf,
    pub name: String,
    /// None where it is open for reading only.
    pub writer: Option<(ProjectFolder, Journal)>,
    pub project: Project,
    pub history: History,
    pub scenes: Vec<ProjectScene>,
    pub layers: Vec<Layer>,
    pub view: serde_json::Value,
    pub saved: Saved,
    /// What was repaired, brought back or lost, one sentence each; empty after an ordinary end.
    pub remarks: Vec<String>,
}

/// A saved state, before the journal.
struct Base {
    /// None where only the journal is left.
    manifest: Option<Manifest>,
    layers: Vec<LabelLayer>,
    /// Whether it is what `project.json` says, all of it.
    sound: bool,
}

/// Opens `….nunatak`, or the `project.json` in it. Where parts are damaged, the newest state
/// that can be put together is opened, the remarks say what is not, and (if it may be written)
/// it is saved at once, with the damaged files left beside it.
///
/// Cost: label files, about 0.2 ms per tile, and the steps since the last save.
///
/// # Errors
/// It is no project, one of a newer format, somebody else has it open ([`IoError::Locked`]), or
/// nothing of it can be read.
pub fn open_project(
    path: &Path,
    access: Access,
    budget_bytes: usize,
    monitor: &dyn Monitor,
) -> Result<OpenedProject, IoError> {
    let folder = project_folder(path)?;
    let current = current_manifest(&folder)?;
    let mut remarks = Vec::new();
    let writer = lock(&folder, access, &mut remarks)?;
    let found = match &current {
        Ok(manifest) => manifest.journal.file.clone(),
        Err(reason) => {
            remarks.push(format!("the project file could not be read ({reason})"));
            versions(&folder).first().map_or_else(|| JOURNAL_FILE.to_owned(), |manifest| manifest.journal.file.clone())
        }
    };
    let journal_path = folder.join(found);
    let verified = current.as_ref().map_or(0, |manifest| manifest.journal.end);
    let scanned = scan(&journal_path, 0, verified);
    let current = current.ok();
    let base = find_base(&folder, current, scanned.as_ref().ok(), &mut remarks, monitor)?;
    let mut project = match &base.manifest {
        Some(manifest) => manifest.project(base.layers.clone()),
        None => Project::default(),
    };
    let played = play(&mut project, base.manifest.as_ref(), &journal_path, scanned, &mut remarks);
    finish(&folder, writer, base, project, played, budget_bytes, remarks, monitor)
}

fn project_folder(path: &Path) -> Result<PathBuf, IoError> {
    let folder = if path.is_file() { path.parent().unwrap_or(path) } else { path };
    let folder = fs::canonicalize(folder).map_err(|error| IoError::read(path, "project", error.to_string()))?;
    if !manifest_path(&folder).exists() && versions(&folder).is_empty() && !folder.join(JOURNAL_FILE).exists() {
        return Err(IoError::read(path, "project", "there is no project.json in it"));
    }
    Ok(folder)
}

/// The inner error says why the manifest is damaged.
fn current_manifest(folder: &Path) -> Result<Result<Manifest, String>, IoError> {
    let path = manifest_path(folder);
    match read_manifest(&path) {
        Ok(Ok(manifest)) => Ok(Ok(manifest)),
        Ok(Err(ManifestError::Newer(reason))) => Err(IoError::read(folder, "project", reason)),
        Ok(Err(ManifestError::Damaged(reason))) => Ok(Err(reason)),
        Err(_) if !path.exists() => Ok(Err("it is not there".to_owned())),
        Err(error) => Err(error),
    }
}

fn lock(folder: &Path, access: Access, remarks: &mut Vec<String>) -> Result<Option<ProjectFolder>, IoError> {
    if access == Access::Read {
        return Ok(None);
    }
    match ProjectFolder::lock(folder, access == Access::TakeOver) {
        Ok((writer, left_by)) => {
            if left_by.is_some() {
                remarks.push("the program that had the project open did not close it".to_owned());
            }
            Ok(Some(writer))
        }
        Err(IoError::Write { reason, .. }) => {
            remarks
                .push(format!("the project is open for reading only, because its folder cannot be written: {reason}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The newest saved state from which everything can be had, else the one from which most can.
fn find_base(
    folder: &Path,
    current: Option<Manifest>,
    journal: Option<&Scan>,
    remarks: &mut Vec<String>,
    monitor: &dyn Monitor,
) -> Result<Base, IoError> {
    let mut lost = Vec::new();
    if let Some(manifest) = &current {
        let mut layers = Vec::new();
        for entry in &manifest.labels {
            match entry.read(folder, monitor) {
                Ok(layer) => layers.push(layer),
                Err(IoError::Cancelled) => return Err(IoError::Cancelled),
                Err(error) => {
                    lost.push((layers.len(), error));
                    layers.push(LabelLayer::new(entry.width, entry.height));
                }
            }
        }
        if lost.is_empty() {
            return Ok(Base { manifest: current, layers, sound: true });
        }
        for (_, error) in &lost {
            remarks.push(error.to_string());
        }
    }
    let older = versions(folder);
    // From an older save the journal leads to the same end.
    for manifest in &older {
        let leads_on =
            journal.is_some_and(|journal| journal.id == manifest.journal.id && manifest.journal.end <= journal.end);
        if leads_on && let Ok(layers) = read_all(manifest, folder, monitor) {
            remarks.push(format!("save {} and the journal from there on stand in for what is damaged", manifest.save));
            let mut manifest = manifest.clone();
            if let Some(current) = &current {
                manifest.take_view(current);
            }
            return Ok(Base { manifest: Some(manifest), layers, sound: false });
        }
    }
    if let Some(manifest) = current {
        let mut layers = Vec::new();
        for (at, entry) in manifest.labels.iter().enumerate() {
            if lost.iter().all(|(index, _)| *index != at) {
                layers.push(entry.read(folder, monitor)?);
                continue;
            }
            let stand_in = older.iter().find_map(|version| {
                let old = version.labels.iter().find(|old| (old.id, old.scene) == (entry.id, entry.scene))?;
                Some((version.save, old.read(folder, monitor).ok().filter(|layer| layer.rect() == entry.rect())?))
            });
            match stand_in {
                Some((save, layer)) => {
                    remarks.push(format!("label layer {} is as it was in save {save}", entry.name));
                    layers.push(layer);
                }
                None => {
                    remarks.push(format!("the labels of {} before the last save are lost", entry.name));
                    layers.push(LabelLayer::new(entry.width, entry.height));
                }
            }
        }
        return Ok(Base { manifest: Some(manifest), layers, sound: false });
    }
    for manifest in older {
        if let Ok(layers) = read_all(&manifest, folder, monitor) {
            remarks.push(format!("the project is as it was in save {}; what came after it is lost", manifest.save));
            return Ok(Base { manifest: Some(manifest), layers, sound: false });
        }
    }
    if journal.is_some_and(|journal| !journal.records.is_empty()) {
        remarks.push(
            "only the journal is left: scenes, map layers and what was there before its first step are lost".to_owned(),
        );
        return Ok(Base { manifest: None, layers: Vec::new(), sound: false });
    }
    Err(IoError::read(folder, "project", "neither the project file, nor a version of it, nor the journal can be read"))
}

fn read_all(manifest: &Manifest, folder: &Path, monitor: &dyn Monitor) -> Result<Vec<LabelLayer>, IoError> {
    manifest.labels.iter().map(|entry| entry.read(folder, monitor)).collect()
}

/// Where the journal led, and the journal to go on with, if it can be.
struct Played {
    list: StepList,
    /// Steps done, and the last of them, where the base was saved.
    saved: (usize, Option<u64>),
    /// None: history has to begin anew.
    journal: Option<(PathBuf, Scan)>,
    /// The history does not stand where the journal says.
    stopped: bool,
}

fn play(
    project: &mut Project,
    base: Option<&Manifest>,
    path: &Path,
    scanned: Result<Scan, IoError>,
    remarks: &mut Vec<String>,
) -> Played {
    let fresh = Played { list: StepList::default(), saved: (0, None), journal: None, stopped: false };
    let from = base.map_or(HEADER_BYTES, |manifest| manifest.journal.end);
    let scanned = match scanned {
        Ok(scanned) if base.is_none_or(|manifest| manifest.journal.id == scanned.id) => scanned,
        Ok(_) => {
            remarks.push("the journal belongs to another project, so undo starts anew".to_owned());
            return fresh;
        }
        Err(error) => {
            remarks.push(format!("undo starts anew, and steps after the last save are lost: {error}"));
            return fresh;
        }
    };
    let n_before = scanned.records.partition_point(|record| record.end <= from);
    let mut list = StepList::default();
    let whole = scanned.end >= from
        && scanned.records[..n_before].iter().all(|record| list.add(record))
        && base.is_none_or(|manifest| manifest.journal.position == list.position as u64);
    if !whole {
        return play_tail(project, base, path, remarks);
    }
    let saved = (list.position, list.last_step_at());
    let replayed = replay(project, list, &scanned.records[n_before..], path);
    say(&replayed, &scanned, remarks);
    let stopped = replayed.stopped.is_some();
    let mut journal = scanned;
    let end = replayed.end.max(from);
    if stopped && end < journal.end {
        // What comes after a step that does not fit does not fit either; it is kept aside.
        let bytes = journal.end - end + journal.cut.map_or(0, |cut| cut.bytes);
        journal.cut = Some(Cut { bytes, torn: false, reason: "a step does not fit" });
        journal.end = end;
    }
    Played { list: replayed.list, saved, journal: Some((path.to_owned(), journal)), stopped }
}

/// The steps after the save, where those before it cannot be listed.
fn play_tail(project: &mut Project, base: Option<&Manifest>, path: &Path, remarks: &mut Vec<String>) -> Played {
    remarks.push("the journal is damaged before the last save, so undo starts anew".to_owned());
    if let Some(manifest) = base
        && let Ok(tail) = scan(path, manifest.journal.end, 0)
    {
        let n = usize::try_from(manifest.journal.position).unwrap_or(0);
        // Their places are not known; a step back to one of them ends the replay.
        let list = StepList { steps: vec![(String::new(), u64::MAX); n], position: n };
        let replayed = replay(project, list, &tail.records, path);
        say(&replayed, &tail, remarks);
    }
    Played { list: StepList::default(), saved: (0, None), journal: None, stopped: false }
}

fn say(replayed: &Replayed, scanned: &Scan, remarks: &mut Vec<String>) {
    match replayed.n_played {
        0 => {}
        1 => remarks.push("1 step after the last save was brought back".to_owned()),
        n => remarks.push(format!("{n} steps after the last save were brought back")),
    }
    if let Some(reason) = &replayed.stopped {
        remarks.push(format!("the steps after that could not be: {reason}"));
    }
    if let Some(cut) = &scanned.cut {
        remarks.push(format!("the last {} bytes of the journal were left out: {}", cut.bytes, cut.reason));
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts that opening has found, each of another kind")]
fn finish(
    folder: &Path,
    writer: Option<ProjectFolder>,
    base: Base,
    project: Project,
    played: Played,
    budget_bytes: usize,
    mut remarks: Vec<String>,
    monitor: &dyn Monitor,
) -> Result<OpenedProject, IoError> {
    let history = match &played.journal {
        Some(_) => {
            let mut history = History::from_journal(played.list.steps, played.list.position, budget_bytes);
            history.mark_saved(played.saved.0, played.saved.1);
            history
        }
        None => History::new(budget_bytes),
    };
    let manifest = base.manifest.as_ref();
    let (layers, problems) = manifest.map_or_else(Default::default, Manifest::layers);
    remarks.extend(problems);
    let mut opened = OpenedProject {
        path: folder.to_owned(),
        name: manifest.map_or_else(|| stem(folder), |manifest| manifest.name.clone()),
        writer: None,
        project,
        history,
        scenes: manifest
            .map_or_else(Vec::new, |manifest| manifest.scenes.iter().map(|scene| scene.find(folder)).collect()),
        layers,
        view: manifest.map_or(serde_json::Value::Null, |manifest| manifest.view.clone()),
        saved: manifest.map_or_else(Saved::default, |manifest| saved(manifest, &base.layers, base.sound)),
        remarks,
    };
    if let Some(writer) = writer {
        let (journal, again) = match played.journal {
            Some((path, scan)) => {
                if scan.cut.as_ref().is_some_and(|cut| !cut.torn) {
                    let aside = keep_cut(&path, &scan);
                    aside.map_err(|error| IoError::write(&path, "journal", error.to_string()))?;
                }
                let position = opened.history.position();
                let mut journal = Journal::append_to(&path, &scan, position as u64)?;
                if played.stopped {
                    journal.append_position(position).written?;
                }
                (journal, !base.sound)
            }
            None => (fresh_journal(folder)?, true),
        };
        opened.writer = Some((writer, journal));
        if again {
            opened.save_repaired(monitor)?;
        }
    }
    Ok(opened)
}

impl OpenedProject {
    /// Saves what was put together, so that it does not have to be a second time. The damaged
    /// manifest stays beside the new one.
    fn save_repaired(&mut self, monitor: &dyn Monitor) -> Result<(), IoError> {
        let Some((folder, journal)) = &mut self.writer else { return Ok(()) };
        let current = manifest_path(folder.path());
        if let Ok(bytes) = fs::read(&current)
            && !matches!(read_manifest(&current), Ok(Ok(_)))
        {
            atomic::write_bytes(current.with_file_name("project-damaged.json"), &bytes, true)?;
        }
        let snapshot = ProjectSnapshot {
            name: self.name.clone(),
            project: self.project.clone(),
            scenes: self.scenes.clone(),
            layers: self.layers.clone(),
            view: self.view.clone(),
            journal: journal.place()?,
        };
        self.saved = folder.save(&snapshot, &self.saved, SaveKind::Asked, monitor)?;
        self.history.mark_saved(self.history.position(), self.history.last_step_at());
        Ok(())
    }
}

/// The label files of a manifest as the state that the next save compares with.
fn saved(manifest: &Manifest, layers: &[LabelLayer], sound: bool) -> Saved {
    let layers = manifest.labels.iter().zip(layers).filter(|_| sound).map(|(entry, layer)| SavedLayer {
        id: entry.id,
        scene: entry.scene,
        layer: layer.clone(),
        file: entry.file.clone(),
        sha256: entry.sha256.clone(),
    });
    Saved { save: manifest.save, time: manifest.saved, layers: layers.collect(), classes: manifest.classes.clone() }
}

/// Under a name that no manifest refers to yet.
fn fresh_journal(folder: &Path) -> Result<Journal, IoError> {
    let names = std::iter::once(JOURNAL_FILE.to_owned()).chain((2..).map(|n| format!("journal-{n}.bin")));
    let free = names.map(|name| folder.join(name)).find(|path| !path.exists()).expect("one of endless names is free");
    Journal::create(&free)
}

fn stem(folder: &Path) -> String {
    folder.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
