//! Where the document is kept: a project's folder, its scenes (also those that are missing), and
//! the commands that open, save, move and close it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nunatak_domain::edit::Edit;
use nunatak_domain::geo::GeoPos;
use nunatak_domain::history::{DEFAULT_BUDGET_BYTES, History};
use nunatak_domain::layer::{Layer, SceneId};
use nunatak_domain::notice::Notice;
use nunatak_domain::project::Project;
use nunatak_io::project::{Access, Journal, ProjectFolder, ProjectScene, SaveKind, Saved, VersionInfo};
use nunatak_jobs::JobId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::autosave::Clock;
use crate::command::CommandError;
use crate::document::Document;
use crate::event::{Event, JobReport};
use crate::placement::Atlas;
use crate::references::{ReferenceScale, References};
use crate::session::Session;
use crate::work::Done;
use crate::work::project::{self, Draft, Opened, PlacedScene, ProjectDone};

/// Ending of a project's folder.
const ENDING: &str = "nunatak";

/// The session's project on the disk.
#[derive(Default)]
pub(crate) struct Keep {
    pub(crate) home: Option<Home>,
    /// The document before its first step, for as long as that is in no journal.
    start: Project,
    /// A job makes a folder, or moves the journal to another one.
    pub(crate) moving: Option<Moving>,
    /// Scenes as the last save or the opening found them, also those that are not open.
    pub(crate) scenes: Vec<ProjectScene>,
    /// Layers of scenes that are missing, with their place from the bottom.
    absent: Vec<(usize, Layer)>,
    /// Where the front end looked.
    view: Option<ProjectView>,
    pub(crate) clock: Clock,
    /// Jobs of a project that is closed: what they made is for nobody.
    stale: BTreeSet<JobId>,
}

/// A project that is open.
pub(crate) struct Home {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    /// In the program's own folder, until somebody names it.
    pub(crate) untitled: bool,
    /// `None` where it is open for reading only.
    pub(crate) writer: Option<Writer>,
    /// Steps of its journal that undo cannot reach: those of a project that is only read.
    earlier: usize,
}

pub(crate) struct Writer {
    folder: Arc<ProjectFolder>,
    /// Only jobs on the `files` lane take the lock.
    saved: Arc<Mutex<Saved>>,
}

pub(crate) struct Moving {
    pub(crate) job: JobId,
    /// Has the journal while the job runs, and after it, however it ends.
    journal: Arc<Mutex<Option<Journal>>>,
    /// What was asked for meanwhile.
    then: Option<(Option<PathBuf>, bool)>,
}

/// What a front end shows of the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectFile {
    pub path: PathBuf,
    pub name: String,
    /// Nobody has named it yet; the program keeps it for the next start.
    pub untitled: bool,
    pub read_only: bool,
    /// Scenes that were not found.
    pub n_missing: usize,
    /// Steps that the history does not list, because the project is only read.
    pub n_earlier_steps: usize,
}

/// Where a front end looked when it saved the project.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectView {
    /// In the map's CRS.
    pub center: GeoPos,
    /// Units of the map's CRS per physical screen pixel.
    pub units_per_px: f64,
}

/// How a project is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectAccess {
    #[default]
    Write,
    /// Also where a program on another machine seems to have it open.
    TakeOver,
    Read,
}

impl From<ProjectAccess> for Access {
    fn from(access: ProjectAccess) -> Self {
        match access {
            ProjectAccess::Write => Self::Write,
            ProjectAccess::TakeOver => Self::TakeOver,
            ProjectAccess::Read => Self::Read,
        }
    }
}

impl Session {
    /// The project on the disk, if there is one.
    pub fn project_file(&self) -> Option<ProjectFile> {
        let home = self.keep.home.as_ref()?;
        Some(ProjectFile {
            path: home.path.clone(),
            name: home.name.clone(),
            untitled: home.untitled,
            read_only: home.writer.is_none(),
            n_missing: self.missing_scenes().len(),
            n_earlier_steps: home.earlier,
        })
    }

    /// Steps were made that no save holds; the journal holds them.
    pub fn unsaved_steps(&self) -> bool {
        !self.document.history.is_saved()
    }

    /// What the front end gave with the last save of the project that is open.
    pub const fn project_view(&self) -> Option<ProjectView> {
        self.keep.view
    }

    /// Scenes of the project whose files were not found.
    pub fn missing_scenes(&self) -> Vec<&ProjectScene> {
        let needed = |id: SceneId| {
            self.document.project.labels.iter().any(|labels| labels.scene == id)
                || self.keep.absent.iter().any(|(_, layer)| layer.source.scene() == id)
        };
        let open = |id: SceneId| self.layers.scene(id).is_some();
        let missing = |scene: &&ProjectScene| !open(scene.id) && needed(scene.id) && scene.state.is_missing();
        self.keep.scenes.iter().filter(missing).collect()
    }

    pub(crate) fn save_project(
        &mut self,
        path: Option<PathBuf>,
        overwrite: bool,
        view: Option<ProjectView>,
    ) -> Result<Vec<Event>, CommandError> {
        self.end_drawing();
        self.keep.view = view.or(self.keep.view);
        if let Some(moving) = &mut self.keep.moving {
            moving.then = Some((path, overwrite));
            return Ok(Vec::new());
        }
        let path = path.map(with_ending);
        let here = |home: &Home| path.as_ref().is_none_or(|path| same_path(path, &home.path));
        match (&self.keep.home, path.clone()) {
            (Some(home), None) if home.untitled => Err(CommandError("the project needs a name".to_owned())),
            (None, None) => Err(CommandError("there is no project yet: give it a name".to_owned())),
            (Some(home), _) if here(home) => self.save_in_place(SaveKind::Asked),
            (_, None) => self.save_in_place(SaveKind::Asked),
            (_, Some(path)) if self.document.journal.is_some() => Ok(self.move_to(path, overwrite)),
            (_, Some(path)) => {
                self.make_home(path, overwrite, false);
                Ok(Vec::new())
            }
        }
    }

    /// Saves what changed; an autosave says nothing.
    pub(crate) fn save_in_place(&mut self, kind: SaveKind) -> Result<Vec<Event>, CommandError> {
        // A snapshot holds whole strokes only, as the journal does.
        self.end_drawing();
        let Some(Home { writer: Some(writer), name, path, .. }) = &self.keep.home else {
            return Err(CommandError("the project is open for reading only: save it under another name".to_owned()));
        };
        let (folder, saved) = (Arc::clone(&writer.folder), Arc::clone(&writer.saved));
        let (name, path) = (name.clone(), path.clone());
        if let Err(why) = self.document.write() {
            log::warn!("{why}");
        }
        let journal = self.document.journal.as_mut().ok_or_else(|| CommandError("the journal is away".to_owned()))?;
        let place = journal.place().map_err(|error| CommandError(error.to_string()))?;
        let draft = self.draft(name.clone(), self.document.project.clone());
        let (position, last_step_at) = (self.document.history.position(), self.document.history.last_step_at());
        let job = move |monitor: &dyn nunatak_jobs::Monitor| {
            let snapshot = draft.finish(place);
            let mut saved = saved.lock().unwrap_or_else(PoisonError::into_inner);
            let outcome = folder.save(&snapshot, &saved, kind, monitor);
            outcome.map(|now| {
                *saved = now;
                project::write_thumbnail(&folder, &snapshot, monitor);
                ProjectDone::Saved { path, position, last_step_at, scenes: snapshot.scenes }
            })
        };
        self.keep.clock.begun(self.document.changes);
        if kind == SaveKind::Asked {
            return Ok(self.start_files(format!("Save {name}"), move |monitor| {
                Ok(Done::Project(Box::new(job(monitor).map_err(crate::work::io_error)?)))
            }));
        }
        let started = self.runner.start(&self.files_lane, move |(), monitor| {
            let done = job(monitor).unwrap_or_else(|error| ProjectDone::NotSaved { why: error.to_string() });
            Ok(Done::Project(Box::new(done)))
        });
        self.keep.clock.running = Some(started);
        Ok(Vec::new())
    }

    /// Begins a project's folder with the state before the first step; the steps follow when it
    /// is there.
    pub(crate) fn make_home(&mut self, path: PathBuf, overwrite: bool, untitled: bool) {
        let draft = self.draft(name_of(&path), self.keep.start.clone());
        let job = self.runner.start(&self.files_lane, move |(), monitor| {
            let made = project::create(&path, draft, overwrite, monitor)?;
            Ok(Done::Project(Box::new(ProjectDone::Made { made: Box::new(made), untitled })))
        });
        self.keep.moving = Some(Moving { job, journal: Arc::default(), then: None });
    }

    /// Saves under another name and goes on there.
    fn move_to(&mut self, path: PathBuf, overwrite: bool) -> Vec<Event> {
        if let Err(why) = self.document.write() {
            log::warn!("{why}");
        }
        let name = name_of(&path);
        let draft = self.draft(name.clone(), self.document.project.clone());
        let journal = Arc::new(Mutex::new(self.document.journal.take()));
        let (slot, old) = (Arc::clone(&journal), self.keep.home.as_ref().map(|home| home.path.clone()));
        let (position, last_step_at) = (self.document.history.position(), self.document.history.last_step_at());
        let events = self.start_files(format!("Save {name}"), move |monitor| {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            let journal = slot.as_mut().ok_or_else(|| Notice::error("the journal is away"))?;
            let moved = project::save_as(&path, draft, overwrite, old.as_deref(), journal, monitor)?;
            Ok(Done::Project(Box::new(ProjectDone::Moved { moved: Box::new(moved), position, last_step_at })))
        });
        let job = self.jobs.list.last().expect("it was just entered").job;
        self.keep.clock.begun(self.document.changes);
        self.keep.moving = Some(Moving { job, journal, then: None });
        events
    }

    /// Takes the journal back when a job that had it has ended, however it did.
    pub(crate) fn end_move(&mut self, job: JobId, done: bool, events: &mut Vec<Event>) {
        if self.keep.clock.running == Some(job) {
            self.keep.clock.running = None;
        }
        if self.keep.moving.as_ref().is_none_or(|moving| moving.job != job) {
            return;
        }
        let Some(moving) = self.keep.moving.take() else { return };
        if let Some(journal) = moving.journal.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.document.journal = Some(journal);
        }
        events.extend(self.write_journal());
        if !done {
            self.keep.clock.refused();
        }
        self.keep.clock.then = moving.then;
    }

    /// Whether a job's result is for a project that is closed by now.
    pub(crate) fn is_stale(&mut self, job: JobId, done: &Done) -> bool {
        self.keep.stale.remove(&job) && !matches!(done, Done::Report(_) | Done::Device { .. } | Done::Model(_))
    }

    pub(crate) fn take_project(&mut self, done: ProjectDone, events: &mut Vec<Event>) -> JobReport {
        match done {
            ProjectDone::Opened(opened) => {
                events.extend(self.take_opened(*opened));
                JobReport::default()
            }
            ProjectDone::Made { made, untitled } => {
                let (folder, journal, saved) = (made.folder, made.journal, made.saved);
                self.keep.scenes = made.scenes;
                self.document.journal = Some(journal);
                self.settle_in(folder, saved, untitled);
                events.extend(self.write_journal());
                events.push(Event::ProjectChanged);
                if self.keep.clock.close {
                    events.extend(self.clear());
                    return JobReport::default();
                }
                let then = self.keep.clock.then.take();
                let next = match then {
                    Some((path, overwrite)) => self.save_project(path, overwrite, None),
                    None if untitled => Ok(Vec::new()),
                    None => self.save_in_place(SaveKind::Asked),
                };
                events.extend(next.unwrap_or_else(|error| vec![Event::Notice(Notice::error(error.to_string()))]));
                JobReport::default()
            }
            ProjectDone::Moved { moved, position, last_step_at } => {
                let left = self.keep.home.take();
                self.keep.scenes = moved.scenes;
                let outputs = vec![moved.folder.path().to_owned()];
                self.settle_in(moved.folder, moved.saved, false);
                self.document.history.mark_saved(position, last_step_at);
                if let Some(Home { path, untitled: true, .. }) = left {
                    self.remove_untitled(path);
                }
                events.push(Event::ProjectChanged);
                if let Some((path, overwrite)) = self.keep.clock.then.take() {
                    let next = self.save_project(path, overwrite, None);
                    events.extend(next.unwrap_or_else(|error| vec![Event::Notice(Notice::error(error.to_string()))]));
                }
                JobReport { outputs, ..JobReport::default() }
            }
            ProjectDone::Saved { path, position, last_step_at, scenes } => {
                if self.keep.home.as_ref().is_none_or(|home| home.path != path) {
                    return JobReport::default();
                }
                self.document.history.mark_saved(position, last_step_at);
                self.keep.scenes = scenes;
                events.extend(self.keep.clock.saved());
                events.push(Event::ProjectChanged);
                JobReport { outputs: vec![path], ..JobReport::default() }
            }
            ProjectDone::NotSaved { why } => {
                events.extend(self.keep.clock.not_saved(&why));
                JobReport::default()
            }
            ProjectDone::Versions(versions) => {
                events.push(Event::VersionsListed { versions: versions.clone() });
                JobReport { facts: vec![("versions".to_owned(), json!(versions))], ..JobReport::default() }
            }
            ProjectDone::Restored { save, project } => {
                let edit = Edit::between(format!("Restore save {save}"), &self.document.project, &project);
                let made = self.make(edit);
                let report = JobReport { facts: vec![("restored".to_owned(), json!(save))], ..JobReport::default() };
                self.taken(made.map(|events| (report, events)), events)
            }
            ProjectDone::Relinked { found, n_left } => self.take_relinked(found, n_left, events),
        }
    }

    fn settle_in(&mut self, folder: ProjectFolder, saved: Saved, untitled: bool) {
        let path = folder.path().to_owned();
        let writer = Writer { folder: Arc::new(folder), saved: Arc::new(Mutex::new(saved)) };
        self.keep.home = Some(Home { name: name_of(&path), path, untitled, writer: Some(writer), earlier: 0 });
    }

    pub(crate) fn open_project(&mut self, path: PathBuf, access: ProjectAccess) -> Result<Vec<Event>, CommandError> {
        self.end_drawing();
        if self.keep.home.as_ref().is_some_and(|home| same_path(&path, &home.path)) {
            return Err(CommandError("the project is open already".to_owned()));
        }
        self.secure()?;
        let title = format!("Open {}", name_of(&path));
        Ok(self.start_files(title, move |monitor| {
            let opened = project::open(&path, access.into(), monitor)?;
            Ok(Done::Project(Box::new(ProjectDone::Opened(Box::new(opened)))))
        }))
    }

    /// Lets go of the project, and of everything on the map. Its journal has every step.
    pub(crate) fn close_project(&mut self) -> Result<Vec<Event>, CommandError> {
        self.end_drawing();
        if self.untitled.is_some() {
            self.secure()?;
        }
        if self.keep.moving.is_some() {
            self.keep.clock.close = true;
            return Ok(Vec::new());
        }
        Ok(self.clear())
    }

    fn take_opened(&mut self, opened: Opened) -> Vec<Event> {
        self.end_drawing();
        drop(self.write_journal());
        if (self.homeless() && self.document.has_waiting()) || self.journal_is_behind() {
            let text = "The project was not opened: steps of this session are not on the disk yet";
            let next_step = "Save this project first, then open the other one";
            return vec![Event::Notice(Notice::error(text).next_step(next_step))];
        }
        let Opened { project: opened, scenes, problems, unpacked } = opened;
        let mut events = self.clear();
        let untitled = self.untitled.as_ref().is_some_and(|folder| opened.path.parent() == Some(folder));
        let path = opened.path.clone();
        let earlier = if opened.writer.is_none() { opened.history.steps().len() } else { 0 };
        let (writer, history) = match opened.writer {
            Some((folder, journal)) => {
                self.document.journal = Some(journal);
                let saved = Arc::new(Mutex::new(opened.saved));
                (Some(Writer { folder: Arc::new(folder), saved }), opened.history)
            }
            // Without a journal to write to, and one to read from, history begins here.
            None => (None, History::new(DEFAULT_BUDGET_BYTES)),
        };
        let journal = self.document.journal.take();
        self.document = Document::new(opened.project, history);
        self.document.journal = journal;
        self.keep.start = self.document.project.clone();
        self.keep.home = Some(Home { name: opened.name, path: path.clone(), untitled, writer, earlier });
        self.keep.clock = Clock::new(self.document.changes);
        let view = View::of(opened.view);
        self.keep.view = view.window;
        self.scales = view.scales;
        let position = self.document.history.position();
        let scale = self.scales.iter().rfind(|(from, _)| *from <= position).map(|(_, scale)| scale.clone());
        let references = self.document.project.references.clone();
        self.references = References::new(references, scale.unwrap_or(ReferenceScale::Physical));

        self.layers.number_from(opened.scenes.iter().map(|scene| scene.id), opened.layers.iter().map(|layer| layer.id));
        self.keep.scenes = opened.scenes;
        self.put_scenes(scenes);
        for (at, layer) in opened.layers.into_iter().enumerate() {
            let gone = layer.source.labels().is_some_and(|labels| self.document.project.labels(labels).is_none());
            if self.layers.scene(layer.source.scene()).is_none() {
                self.keep.absent.push((at, layer));
            } else if !gone {
                self.layers.put(at, layer);
            }
        }
        self.layers.drop_bare_scenes(|scene| self.document.project.labels.iter().any(|labels| labels.scene == scene));
        events.extend(self.match_label_layers());
        self.restyle_label_layers();
        events.extend(self.references_changed());
        events.extend([Event::ClassesChanged, Event::HistoryChanged, Event::ProjectChanged]);
        events.push(Event::ProjectOpened { path, unpacked });
        let mut notices: Vec<Notice> = opened.remarks.iter().map(|remark| Notice::info(sentence(remark))).collect();
        notices.extend(problems.into_iter().map(Notice::warning));
        if let Some(missing) = self.missing_notice() {
            notices.push(missing);
        }
        events.extend(notices.into_iter().map(Event::Notice));
        events
    }

    /// What to say of scenes that were not found.
    fn missing_notice(&self) -> Option<Notice> {
        let missing = self.missing_scenes();
        let names: Vec<String> = missing.iter().map(|scene| scene.path.display().to_string()).collect();
        let text = match missing.len() {
            0 => return None,
            1 => format!("A scene of the project was not found: {}", names[0]),
            n => format!("{n} scenes of the project were not found"),
        };
        let next_step = "Relink scenes: name the folder that they are in now";
        Some(Notice::warning(text).details(names.join("\n")).next_step(next_step))
    }

    fn put_scenes(&mut self, scenes: Vec<PlacedScene>) {
        for PlacedScene { id, info, prepared } in scenes {
            self.atlas.prepare(*prepared);
            self.layers.put_scene(id, *info);
        }
    }

    /// An empty session with the same workers.
    fn clear(&mut self) -> Vec<Event> {
        self.keep = Keep {
            stale: (self.jobs.list.iter().map(|status| status.job))
                .chain(self.keep.moving.iter().map(|moving| moving.job))
                .chain(self.keep.clock.running)
                .chain(self.keep.stale.iter().copied())
                .collect(),
            ..Keep::default()
        };
        self.document = Document::default();
        self.label_view.clear();
        self.judging = crate::judging::Judging::default();
        self.references = References::default();
        self.scales.clear();
        self.layers.clear();
        self.atlas = Atlas::default();
        *self.map_crs.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.generation += 1;
        self.tiles.clear();
        self.said.clear();
        // Scenes of the next project may have the numbers of these: no answer of the old workers
        // may be taken for one of theirs. The old ones end beside the window's thread.
        let pool = std::mem::replace(&mut self.pool, crate::session::tile_workers(&self.wake));
        self.runner.start(&self.open_lane, move |(), _| {
            drop(pool);
            Ok(Done::Report(JobReport::default()))
        });
        let mut events = self.layers_changed();
        events.extend([Event::ReferencesChanged, Event::ClassesChanged, Event::HistoryChanged, Event::ProjectChanged]);
        events
    }

    pub(crate) fn relink_scenes(&mut self, folder: PathBuf) -> Result<Vec<Event>, CommandError> {
        let missing: Vec<ProjectScene> = self.missing_scenes().into_iter().cloned().collect();
        if missing.is_empty() {
            return Err(CommandError("no scene of the project is missing".to_owned()));
        }
        let map = self.atlas.crs().cloned();
        Ok(self.start_open("Look for scenes".to_owned(), move |monitor| {
            Ok(Done::Project(Box::new(project::relink(missing, &folder, map.as_ref(), monitor)?)))
        }))
    }

    fn take_relinked(
        &mut self,
        found: Vec<(ProjectScene, PlacedScene)>,
        n_left: usize,
        events: &mut Vec<Event>,
    ) -> JobReport {
        let n_found = found.len();
        for (scene, placed) in found {
            let id = scene.id;
            match self.keep.scenes.iter_mut().find(|known| known.id == id) {
                Some(known) => *known = scene,
                None => self.keep.scenes.push(scene),
            }
            self.put_scenes(vec![placed]);
            let (back, away) =
                std::mem::take(&mut self.keep.absent).into_iter().partition(|(_, layer)| layer.source.scene() == id);
            self.keep.absent = away;
            let back: Vec<(usize, Layer)> = back;
            for (at, layer) in back {
                self.layers.put(at, layer);
            }
        }
        events.extend(self.match_label_layers());
        self.restyle_label_layers();
        self.keep.clock.urgent = n_found > 0;
        if n_left > 0 {
            let text = match n_left {
                1 => "One scene was not found there".to_owned(),
                n => format!("{n} scenes were not found there"),
            };
            events.push(Event::Notice(Notice::warning(text).next_step("Name another folder, or the file itself")));
        }
        events.push(Event::ProjectChanged);
        let facts = vec![("found".to_owned(), json!(n_found)), ("missing".to_owned(), json!(n_left))];
        JobReport { facts, ..JobReport::default() }
    }

    pub(crate) fn list_versions(&mut self) -> Result<Vec<Event>, CommandError> {
        let folder = self.folder()?;
        Ok(self.start_open("List versions".to_owned(), move |_| {
            let versions: Vec<VersionInfo> = folder.versions();
            Ok(Done::Project(Box::new(ProjectDone::Versions(versions))))
        }))
    }

    pub(crate) fn restore_version(&mut self, save: u64) -> Result<Vec<Event>, CommandError> {
        let folder = self.folder()?;
        Ok(self.start_files(format!("Restore save {save}"), move |monitor| {
            let project = folder.read_version(save, monitor).map_err(crate::work::io_error)?;
            Ok(Done::Project(Box::new(ProjectDone::Restored { save, project: Box::new(project) })))
        }))
    }

    /// Saves first where that is needed: the archive holds what is saved.
    pub(crate) fn pack_project(
        &mut self,
        out: PathBuf,
        with_scenes: bool,
        overwrite: bool,
    ) -> Result<Vec<Event>, CommandError> {
        let path = self.keep.home.as_ref().map(|home| home.path.clone()).ok_or_else(no_project)?;
        let mut events = match self.keep.home.as_ref().is_some_and(|home| home.writer.is_some()) {
            true => self.save_in_place(SaveKind::Asked)?,
            false => Vec::new(),
        };
        let title = format!("Pack {}", name_of(&path));
        events.extend(
            self.start_files(title, move |monitor| project::pack(&path, &out, with_scenes, overwrite, monitor)),
        );
        Ok(events)
    }

    fn folder(&self) -> Result<Arc<ProjectFolder>, CommandError> {
        let home = self.keep.home.as_ref().ok_or_else(no_project)?;
        let writer = home.writer.as_ref();
        let writer = writer.ok_or_else(|| CommandError("the project is open for reading only".to_owned()))?;
        Ok(Arc::clone(&writer.folder))
    }

    /// Everything that a save writes, but for what needs the disk.
    fn draft(&self, name: String, project: Project) -> Draft {
        let labelled = |id: SceneId| self.document.project.labels.iter().any(|labels| labels.scene == id);
        // Results that nobody named are gone with the session.
        let stays = |id: SceneId| {
            labelled(id) || self.layers.scene(id).is_some_and(|scene| !self.work_dir.holds(&scene.info.path))
        };
        let open: Vec<_> = self
            .layers
            .scenes()
            .values()
            .filter(|scene| stays(scene.id))
            .map(|scene| (scene.id, scene.info.clone()))
            .collect();
        let is_absent = |id: SceneId| self.keep.absent.iter().any(|(_, layer)| layer.source.scene() == id);
        let is_open = |id: SceneId| open.iter().any(|(other, _)| *other == id);
        let others = self.keep.scenes.iter().filter(|scene| !is_open(scene.id));
        let others = others.filter(|scene| labelled(scene.id) || is_absent(scene.id)).cloned().collect();
        let mut layers: Vec<Layer> =
            self.layers.all().iter().filter(|layer| stays(layer.source.scene())).cloned().collect();
        for (at, layer) in &self.keep.absent {
            layers.insert((*at).min(layers.len()), layer.clone());
        }
        let view = View { window: self.keep.view, scales: self.scales.clone() };
        Draft { name, project, open, others, layers, view: json!(view) }
    }
}

/// The manifest's `view`: the front end's, and what of the session is no document.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct View {
    window: Option<ProjectView>,
    /// Scale of the references from so many steps on.
    scales: Vec<(usize, ReferenceScale)>,
}

impl View {
    fn of(value: Value) -> Self {
        serde_json::from_value(value).unwrap_or_default()
    }
}

/// Remarks of `io` begin small.
fn sentence(remark: &str) -> String {
    let mut letters = remark.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn with_ending(path: PathBuf) -> PathBuf {
    if path.extension().is_some_and(|ending| ending == ENDING) {
        return path;
    }
    let mut name = path.into_os_string();
    name.push(".");
    name.push(ENDING);
    name.into()
}

pub(crate) fn name_of(path: &Path) -> String {
    path.file_stem().map_or_else(|| path.to_string_lossy(), |stem| stem.to_string_lossy()).into_owned()
}

/// By name alone: the disk is not asked.
fn same_path(a: &Path, b: &Path) -> bool {
    a == b || matches!((std::path::absolute(a), std::path::absolute(b)), (Ok(a), Ok(b)) if a == b)
}

fn no_project() -> CommandError {
    CommandError("there is no project: open or save one first".to_owned())
}
