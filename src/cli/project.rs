//! Verbs on projects: each opens one, does its work, and saves it.

use std::path::{Path, PathBuf};

use nunatak_app::{Command, JobReport, LabelExport, ProjectAccess};
use nunatak_domain::job::DeviceChoice;
use nunatak_domain::label::LabelsId;
use nunatak_domain::layer::SceneId;
use serde_json::{Value, json};

use crate::args::GlobalArgs;
use crate::project_args::{LabelsArgs, LabelsExportArgs, LabelsImportArgs, LabelsVerb, ProjectArgs, ProjectVerb};
use crate::report;
use crate::run::{Headless, Stop};

pub(crate) fn labels(args: LabelsArgs, global: GlobalArgs) -> Result<(), Stop> {
    let mut desk = Headless::new(global, DeviceChoice::Auto);
    match args.verb {
        LabelsVerb::Import(args) => import(&mut desk, &args),
        LabelsVerb::Export(args) => export(&mut desk, args),
        LabelsVerb::Stats(args) => {
            open(&mut desk, &args.project, ProjectAccess::Read)?;
            let labels = match &args.layer {
                Some(name) => Some(named(&desk, name)?),
                None => None,
            };
            tell(&mut desk, Command::LabelStatistics { labels })
        }
    }
}

pub(crate) fn project(args: ProjectArgs, global: GlobalArgs) -> Result<(), Stop> {
    let mut desk = Headless::new(global, DeviceChoice::Auto);
    match args.verb {
        ProjectVerb::New { project, rasters, write } => {
            for path in rasters {
                desk.run(Command::OpenScene { path })?;
            }
            tell(&mut desk, Command::SaveProject { path: Some(project), overwrite: write.overwrite, view: None })
        }
        ProjectVerb::Info { project } => {
            open(&mut desk, &project, ProjectAccess::Read)?;
            let report = info(&desk);
            report::print(&desk.screen, None, &Value::Null, &[report]);
            Ok(())
        }
        ProjectVerb::Pack { project, out, with_scenes, write } => {
            // What its journal holds is saved first, where that can be.
            open(&mut desk, &project, ProjectAccess::Write)?;
            let reports = desk.run(Command::PackProject { out, with_scenes, overwrite: write.overwrite })?;
            report::print(&desk.screen, None, &Value::Null, reports.last().map_or(&[][..], std::slice::from_ref));
            Ok(())
        }
        ProjectVerb::Unpack { archive, into } => tell(&mut desk, Command::UnpackProject { archive, into }),
        ProjectVerb::Versions { project } => {
            open(&mut desk, &project, ProjectAccess::Write)?;
            tell(&mut desk, Command::ListVersions)
        }
        ProjectVerb::Restore { project, save } => {
            open(&mut desk, &project, ProjectAccess::Write)?;
            tell(&mut desk, Command::RestoreVersion { save })?;
            desk.run(again()).map(drop)
        }
        ProjectVerb::Relink { project, folder } => {
            open(&mut desk, &project, ProjectAccess::Write)?;
            tell(&mut desk, Command::RelinkScenes { folder })?;
            desk.run(again()).map(drop)
        }
    }
}

/// Exit code 1 where something is damaged.
pub(crate) fn verify(project: PathBuf, global: GlobalArgs) -> Result<(), Stop> {
    let mut desk = Headless::new(global, DeviceChoice::Auto);
    let reports = desk.run(Command::VerifyProject { path: project })?;
    report::print(&desk.screen, None, &Value::Null, &reports);
    let problems = reports
        .iter()
        .flat_map(|report| &report.facts)
        .any(|(name, value)| name == "problems" && value.as_array().is_some_and(|problems| !problems.is_empty()));
    if problems { Err(Stop::Failed) } else { Ok(()) }
}

fn import(desk: &mut Headless, args: &LabelsImportArgs) -> Result<(), Stop> {
    let project = args.project();
    let new = !project.exists();
    if new {
        let Some(scene) = &args.scene else {
            desk.screen.error(format!("there is no such project, and no --scene to make it of: {}", project.display()));
            return Err(Stop::Failed);
        };
        desk.run(Command::OpenScene { path: scene.clone() })?;
        desk.run(Command::SaveProject { path: Some(project.clone()), overwrite: false, view: None })?;
    } else {
        open(desk, project, ProjectAccess::Write)?;
    }
    let scene = match &args.scene {
        Some(path) => match scene_of(desk, path) {
            Some(scene) => Some(scene),
            None => {
                desk.run(Command::OpenScene { path: path.clone() })?;
                scene_of(desk, path)
            }
        },
        None => desk.session.layers().first().map(|layer| layer.source.scene()),
    };
    let Some(scene) = scene else {
        desk.screen.error("the project has no scene that is there: name one with --scene");
        return Err(Stop::Failed);
    };
    let command = Command::ImportLabels { file: args.file(), scene, labels: None, name: args.name.clone() };
    tell(desk, command)?;
    desk.run(again()).map(drop)
}

fn export(desk: &mut Headless, args: LabelsExportArgs) -> Result<(), Stop> {
    open(desk, &args.project, ProjectAccess::Read)?;
    let labels = match &args.layer {
        Some(name) => named(desk, name)?,
        None => match desk.session.project().labels.last() {
            Some(labels) => labels.id,
            None => {
                desk.screen.error(format!("the project has no labels: {}", args.project.display()));
                return Err(Stop::Failed);
            }
        },
    };
    tell(
        desk,
        Command::ExportLabels(LabelExport {
            labels,
            out: args.out,
            attributes: args.attributes.into(),
            connectivity: Default::default(),
            overwrite: args.write.overwrite,
        }),
    )
}

/// What is open, for people and scripts.
fn info(desk: &Headless) -> JobReport {
    let session = &desk.session;
    let (project, history) = (session.project(), session.history());
    let missing = session.missing_scenes();
    let scenes: Vec<Value> = session
        .layers()
        .iter()
        .filter_map(|layer| session.scene(layer.source.scene()))
        .map(|scene| scene.info.path.display().to_string())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .map(Value::String)
        .collect();
    let labels: Vec<Value> = project
        .labels
        .iter()
        .map(|labels| json!({ "name": labels.name, "pixels": labels.layer.counts().values().sum::<u64>() }))
        .collect();
    let classes: Vec<Value> =
        project.classes.classes.iter().map(|class| json!({ "id": class.id, "name": class.name })).collect();
    let file = session.project_file();
    let earlier = file.as_ref().map_or(0, |file| file.n_earlier_steps);
    let name = file.map_or_else(String::new, |file| file.name);
    let mut facts = vec![
        ("name".to_owned(), json!(name)),
        ("steps".to_owned(), json!(earlier + history.steps().len())),
        ("references".to_owned(), json!(project.references.references.len())),
        ("scenes".to_owned(), json!(scenes)),
        ("classes".to_owned(), json!(classes)),
        ("label_layers".to_owned(), json!(labels)),
    ];
    if !missing.is_empty() {
        let paths: Vec<String> = missing.iter().map(|scene| scene.path.display().to_string()).collect();
        facts.push(("missing_scenes".to_owned(), json!(paths)));
    }
    JobReport { facts, ..JobReport::default() }
}

fn open(desk: &mut Headless, path: &Path, access: ProjectAccess) -> Result<(), Stop> {
    desk.run(Command::OpenProject { path: path.to_owned(), access }).map(drop)
}

const fn again() -> Command {
    Command::SaveProject { path: None, overwrite: false, view: None }
}

/// Runs a command and prints what it reports.
fn tell(desk: &mut Headless, command: Command) -> Result<(), Stop> {
    let reports = desk.run(command)?;
    report::print(&desk.screen, None, &Value::Null, &reports);
    Ok(())
}

fn named(desk: &Headless, name: &str) -> Result<LabelsId, Stop> {
    let labels = &desk.session.project().labels;
    labels.iter().find(|labels| labels.name == name).map(|labels| labels.id).ok_or_else(|| {
        let names: Vec<&str> = labels.iter().map(|labels| labels.name.as_str()).collect();
        desk.screen.error(format!("there is no label layer {name}: the project has {}", names.join(", ")));
        Stop::Failed
    })
}

/// The scene of a file that is open.
fn scene_of(desk: &Headless, path: &Path) -> Option<SceneId> {
    let path = path.canonicalize().ok()?;
    let layers = desk.session.layers().iter().map(|layer| layer.source.scene());
    let scene = layers.filter_map(|id| desk.session.scene(id));
    scene.filter(|scene| scene.info.path.canonicalize().is_ok_and(|other| other == path)).map(|scene| scene.id).next()
}
