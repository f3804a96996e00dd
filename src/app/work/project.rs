//! Jobs on projects: open with all scenes, make, move, pack, verify, look for scenes.

use std::path::{Path, PathBuf};

use nunatak_domain::geo::Crs;
use nunatak_domain::history::DEFAULT_BUDGET_BYTES;
use nunatak_domain::layer::{Layer, LayerRole, LayerSource, SceneId};
use nunatak_domain::notice::Notice;
use nunatak_domain::project::Project;
use nunatak_domain::scene::SceneInfo;
use nunatak_io::IoError;
use nunatak_io::project::{
    Access, Journal, JournalPlace, OpenedProject, ProjectFolder, ProjectScene, ProjectSnapshot, Saved, SceneState,
    VersionInfo, open_project,
};
use nunatak_jobs::{JobError, Monitor};
use serde_json::{Value, json};

use super::{Done, Facts, io_error, open::described};
use crate::placement::Prepared;

/// What a job on a project leaves for the session.
pub(crate) enum ProjectDone {
    Opened(Box<Opened>),
    Made { made: Box<Made>, untitled: bool },
    Moved { moved: Box<Moved>, position: usize, last_step_at: Option<u64> },
    Saved { path: PathBuf, position: usize, last_step_at: Option<u64>, scenes: Vec<ProjectScene> },
    NotSaved { why: String },
    Versions(Vec<VersionInfo>),
    Restored { save: u64, project: Box<Project> },
    Relinked { found: Vec<(ProjectScene, PlacedScene)>, n_left: usize },
}

pub(crate) struct Opened {
    pub(crate) project: OpenedProject,
    pub(crate) scenes: Vec<PlacedScene>,
    /// Of scenes that cannot be shown, one sentence each.
    pub(crate) problems: Vec<String>,
    /// It came out of an archive.
    pub(crate) unpacked: bool,
}

pub(crate) struct PlacedScene {
    pub(crate) id: SceneId,
    pub(crate) info: Box<SceneInfo>,
    pub(crate) prepared: Box<Prepared>,
}

pub(crate) struct Made {
    pub(crate) folder: ProjectFolder,
    pub(crate) journal: Journal,
    pub(crate) saved: Saved,
    pub(crate) scenes: Vec<ProjectScene>,
}

pub(crate) struct Moved {
    pub(crate) folder: ProjectFolder,
    pub(crate) saved: Saved,
    pub(crate) scenes: Vec<ProjectScene>,
}

/// A snapshot before the disk was asked for the content of its scenes.
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) project: Project,
    pub(crate) open: Vec<(SceneId, SceneInfo)>,
    pub(crate) others: Vec<ProjectScene>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) view: Value,
}

impl Draft {
    pub(crate) fn finish(self, journal: JournalPlace) -> ProjectSnapshot {
        let mut scenes: Vec<ProjectScene> =
            self.open.iter().map(|(id, info)| ProjectScene::of(*id, info)).chain(self.others).collect();
        scenes.sort_by_key(|scene| scene.id);
        let Self { name, project, layers, view, .. } = self;
        ProjectSnapshot { name, project, scenes, layers, view, journal }
    }

    /// Where the place in the journal does not matter.
    fn anywhere(self) -> ProjectSnapshot {
        self.finish(JournalPlace { path: PathBuf::new(), id: String::new(), end: 0, position: 0 })
    }
}

pub(crate) fn create(path: &Path, draft: Draft, overwrite: bool, monitor: &dyn Monitor) -> Result<Made, JobError> {
    if let Some(folder) = path.parent() {
        let made = std::fs::create_dir_all(folder);
        made.map_err(|error| io_error(IoError::write(folder, "project", error.to_string())))?;
    }
    put_aside(path, overwrite, monitor)?;
    let snapshot = draft.anywhere();
    let scenes = snapshot.scenes.clone();
    let (folder, journal, saved) = ProjectFolder::create_project(path, snapshot, monitor).map_err(project_error)?;
    Ok(Made { folder, journal, saved, scenes })
}

pub(crate) fn save_as(
    path: &Path,
    draft: Draft,
    overwrite: bool,
    current: Option<&Path>,
    journal: &mut Journal,
    monitor: &dyn Monitor,
) -> Result<Moved, JobError> {
    if path.canonicalize().is_ok_and(|path| current.is_some_and(|current| current == path)) {
        return Err(Notice::error("this is the project that is open: save it without a name").into());
    }
    put_aside(path, overwrite, monitor)?;
    let snapshot = draft.anywhere();
    let scenes = snapshot.scenes.clone();
    let (folder, saved) = ProjectFolder::save_as(path, snapshot, journal, monitor).map_err(project_error)?;
    Ok(Moved { folder, saved, scenes })
}

/// A project that is to be replaced stays beside the new one: it is more than a file.
fn put_aside(path: &Path, overwrite: bool, monitor: &dyn Monitor) -> Result<(), JobError> {
    if !overwrite || !path.join("project.json").exists() {
        return Ok(());
    }
    if nunatak_io::project::is_in_use(path) {
        let text = format!("another program has the project open: {}", path.display());
        return Err(Notice::error(text).next_step("Choose another name").into());
    }
    let stem = crate::projects::name_of(path);
    let names = (1..).map(|n| path.with_file_name(format!("{stem} (replaced {n}).nunatak")));
    let aside = names.into_iter().find(|aside| !aside.exists()).expect("one of endless names is free");
    std::fs::rename(path, &aside).map_err(|error| io_error(IoError::write(path, "project", error.to_string())))?;
    monitor.warn(Notice::info(format!("The project that was there is now {}", aside.display())));
    Ok(())
}

/// Opens a project, or a packed one, which is unpacked beside itself first.
pub(crate) fn open(path: &Path, access: Access, monitor: &dyn Monitor) -> Result<Opened, JobError> {
    let packed = path.is_file() && path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip"));
    let folder = if packed {
        let into = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        nunatak_io::project::unpack(path, into, monitor).map_err(io_error)?
    } else {
        path.to_owned()
    };
    let mut project = open_project(&folder, access, DEFAULT_BUDGET_BYTES, monitor).map_err(project_error)?;
    let (mut scenes, mut problems) = (Vec::new(), Vec::new());
    // The map takes the CRS of its lowest scene.
    let lowest = project.layers.first().map(|layer| layer.source.scene());
    project.scenes.sort_by_key(|scene| (Some(scene.id) != lowest, scene.id));
    let mut map: Option<Crs> = None;
    for scene in &mut project.scenes {
        monitor.check()?;
        if scene.state.is_missing() {
            continue;
        }
        match placed(scene, map.as_ref(), monitor) {
            Ok(placed) => {
                map = map.or_else(|| placed.info.map_crs().cloned());
                scenes.push(placed);
            }
            Err(JobError::Cancelled) => return Err(JobError::Cancelled),
            Err(error) => {
                problems.push(format!("A scene of the project cannot be shown: {error}"));
                scene.state = SceneState::Missing { tried: vec![scene.path.clone()] };
            }
        }
        if scene.state == SceneState::Changed {
            problems.push(format!("{} is not the file that the project was made with", scene.path.display()));
        }
    }
    Ok(Opened { project, scenes, problems, unpacked: packed })
}

fn placed(scene: &ProjectScene, map: Option<&Crs>, monitor: &dyn Monitor) -> Result<PlacedScene, JobError> {
    let info = described(&scene.path, monitor)?;
    if (info.width, info.height) != (scene.width, scene.height) {
        let text = format!(
            "it has {} × {} pixels and had {} × {}: {}",
            info.width,
            info.height,
            scene.width,
            scene.height,
            scene.path.display()
        );
        return Err(Notice::error(text).into());
    }
    let prepared = Prepared::new(&info, map);
    Ok(PlacedScene { id: scene.id, info: Box::new(info), prepared: Box::new(prepared) })
}

/// Looks for missing scenes in a folder by their content; a file is taken for the scene of its size.
pub(crate) fn relink(
    mut missing: Vec<ProjectScene>,
    folder: &Path,
    map: Option<&Crs>,
    monitor: &dyn Monitor,
) -> Result<ProjectDone, JobError> {
    if folder.is_file() {
        let info = described(folder, monitor)?;
        let same = |scene: &&mut ProjectScene| (scene.width, scene.height) == (info.width, info.height);
        if let Some(scene) = missing.iter_mut().find(same) {
            let fresh = ProjectScene::of(scene.id, &info);
            *scene = fresh;
        }
    } else if folder.is_dir() {
        nunatak_io::project::relink(&mut missing, folder, monitor).map_err(io_error)?;
    } else {
        return Err(Notice::error(format!("there is no such folder: {}", folder.display())).into());
    }
    let (mut found, mut n_left) = (Vec::new(), 0);
    for scene in missing {
        if scene.state.is_missing() {
            n_left += 1;
            continue;
        }
        let placed = placed(&scene, map, monitor)?;
        found.push((scene, placed));
    }
    Ok(ProjectDone::Relinked { found, n_left })
}

pub(crate) fn pack(
    path: &Path,
    out: &Path,
    with_scenes: bool,
    overwrite: bool,
    monitor: &dyn Monitor,
) -> Result<Done, JobError> {
    let packed = nunatak_io::project::pack(path, out, with_scenes, overwrite, monitor).map_err(io_error)?;
    let facts = Facts::default()
        .with("files", packed.n_files)
        .with("bytes", packed.bytes)
        .with("scenes_left_out", packed.scenes_left_out);
    Ok(facts.report(vec![out.to_owned()]))
}

pub(crate) fn unpack(archive: &Path, into: &Path, monitor: &dyn Monitor) -> Result<Done, JobError> {
    let folder = nunatak_io::project::unpack(archive, into, monitor).map_err(io_error)?;
    Ok(Facts::default().report(vec![folder]))
}

pub(crate) fn verify(path: &Path, monitor: &dyn Monitor) -> Result<Done, JobError> {
    let report = nunatak_io::project::verify(path, monitor).map_err(io_error)?;
    for problem in &report.problems {
        monitor.warn(Notice::warning(problem.clone()));
    }
    let value = json!(report);
    let facts = value.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone()));
    Ok(Facts(facts.collect()).report(Vec::new()))
}

/// A picture of the lowest raster for lists; nothing is said where that fails.
pub(crate) fn write_thumbnail(folder: &ProjectFolder, snapshot: &ProjectSnapshot, monitor: &dyn Monitor) {
    let picture = folder.path().join("thumbnails").join("project.png");
    if picture.exists() {
        return;
    }
    let raster = |layer: &&Layer| {
        matches!(layer.source, LayerSource::Scene { .. })
            && matches!(layer.role, LayerRole::Imagery | LayerRole::ClassMap)
    };
    let Some(layer) = snapshot.layers.iter().find(raster) else { return };
    let Some(scene) = snapshot.scenes.iter().find(|scene| scene.id == layer.source.scene()) else { return };
    if let Err(error) = super::thumbnail::write(&scene.path, &layer.style, &picture, monitor) {
        log::warn!("failed to write a thumbnail: {error:?}: {}", picture.display());
    }
}

pub(crate) fn project_error(error: IoError) -> JobError {
    let next_step = match &error {
        IoError::Locked { .. } => "Close it there, or open it for reading only",
        IoError::Write { .. } => "Make room on the disk, or choose another folder; everything stays open here",
        _ => return io_error(error),
    };
    JobError::Failed(Notice::error(error.to_string()).next_step(next_step))
}
