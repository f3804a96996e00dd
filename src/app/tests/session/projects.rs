//! Projects through commands: saved, opened, moved, and never lost.

use std::path::{Path, PathBuf};

use nunatak_app::{ClassEdit, Command, Event, LabelExport, LabelFile, Session, SessionOptions, unsaved_work};
use nunatak_domain::class::{Class, ClassId, Rgb};
use nunatak_domain::geo::PixelPos;
use nunatak_domain::job::DeviceChoice;
use nunatak_domain::label::{Brush, BrushShape, Gesture, LabelsId, PaintRule, Target};
use nunatak_domain::layer::{LayerId, LayerRole, SceneId};
use nunatak_domain::project::Project;
use nunatak_domain::raster::Raster;

use crate::support::{act, fact, notices, report, session, settle, utm, write_raster};

const LABELS: LabelsId = LabelsId(0);

fn rule(id: u32) -> PaintRule {
    PaintRule { class: Some(ClassId(id)), onto: Target::Any }
}

fn stroke(from: (f64, f64), to: (f64, f64), id: u32) -> Command {
    let positions = vec![PixelPos::new(from.0, from.1), PixelPos::new(to.0, to.1)];
    let gesture = Gesture::Stroke { brush: Brush::new(BrushShape::Round, 15), positions };
    Command::Paint { labels: LABELS, gesture, rule: rule(id) }
}

/// A scene, two classes and an empty label layer: four steps at most.
fn fill(session: &mut Session, folder: &Path) -> PathBuf {
    let path = write_raster(&folder.join("scene.tif"), (2, 600, 300), utm(), |band, col, _| {
        if col < 300 { 0.2 + 0.1 * band as f32 } else { 0.6 - 0.2 * band as f32 }
    });
    act(session, Command::OpenScene { path: path.clone() });
    for (id, name) in [(1, "Ice"), (2, "Rock")] {
        let class = Class::new(ClassId(id), name, Rgb::distinct(id as usize));
        act(session, Command::EditClasses { edit: ClassEdit::Add { class } });
    }
    act(session, Command::AddLabels { scene: SceneId(1), name: None });
    path
}

fn save(session: &mut Session, path: &Path) -> Vec<Event> {
    act(session, Command::SaveProject { path: Some(path.to_owned()), overwrite: false, view: None })
}

fn open(session: &mut Session, path: &Path) -> Vec<Event> {
    act(session, Command::OpenProject { path: path.to_owned(), access: Default::default() })
}

fn opened(path: &Path) -> Session {
    let mut session = session();
    let events = open(&mut session, path);
    assert!(events.iter().any(|event| matches!(event, Event::ProjectOpened { .. })), "{events:?}");
    session
}

/// A project with two strokes, and what it holds.
fn project(folder: &Path) -> (PathBuf, Project) {
    let mut session = session();
    fill(&mut session, folder);
    act(&mut session, stroke((20.0, 20.0), (200.0, 90.0), 1));
    let path = folder.join("glacier.nunatak");
    save(&mut session, &path);
    act(&mut session, stroke((50.0, 200.0), (500.0, 150.0), 2));
    (path, session.project().clone())
}

#[test]
fn what_was_painted_before_and_after_the_save_is_there_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, before) = project(folder.path());

    let session = opened(&path);

    assert_eq!(session.project(), &before);
    assert_eq!(session.history().steps().len(), 5);
    assert!(session.unsaved_steps(), "the second stroke came after the save");
    let layers: Vec<LayerRole> = session.layers().iter().map(|layer| layer.role).collect();
    assert_eq!(layers, [LayerRole::Imagery, LayerRole::Labels]);
    assert_eq!(session.project_file().expect("a project").name, "glacier");
}

#[test]
fn undo_goes_back_to_steps_of_the_session_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, before) = project(folder.path());
    let mut session = opened(&path);

    for _ in 0..5 {
        act(&mut session, Command::Undo);
    }

    assert_eq!(session.project(), &Project { next_labels: session.project().next_labels, ..Project::default() });
    act(&mut session, Command::GoToStep { position: 5 });
    assert_eq!(session.project(), &before);
    drop(session);
    assert_eq!(opened(&path).project(), &before, "moves are in the journal too");
}

#[test]
fn a_step_made_while_the_project_moves_is_in_the_new_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, _) = project(folder.path());
    let mut session = opened(&path);
    let other = folder.path().join("other.nunatak");

    session
        .dispatch(Command::SaveProject { path: Some(other.clone()), overwrite: false, view: None })
        .expect("accepted");
    session.dispatch(stroke((300.0, 20.0), (310.0, 200.0), 1)).expect("painted while the journal is away");
    settle(&mut session);

    let before = session.project().clone();
    assert_eq!(session.project_file().expect("a project").path, other.canonicalize().expect("there"));
    drop(session);
    assert_eq!(opened(&other).project(), &before);
    assert_ne!(opened(&path).project(), &before, "the old one stays as it was");
}

#[test]
fn an_existing_project_is_replaced_only_when_asked_and_stays_beside() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, before) = project(folder.path());
    let mut session = session();
    fill(&mut session, folder.path());

    let refused = save(&mut session, &path);
    assert!(notices(&refused)[0].contains("exists"), "{refused:?}");
    assert!(session.project_file().is_none());
    act(&mut session, Command::SaveProject { path: Some(path.clone()), overwrite: true, view: None });

    assert_eq!(session.project_file().expect("a project").path, path.canonicalize().expect("there"));
    assert_eq!(opened(&folder.path().join("glacier (replaced 1).nunatak")).project(), &before);
}

#[test]
fn a_missing_scene_stays_in_the_project_and_is_found_by_its_content() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, before) = project(folder.path());
    let away = folder.path().join("far/away");
    std::fs::create_dir_all(&away).unwrap();
    std::fs::rename(folder.path().join("scene.tif"), away.join("renamed.tif")).unwrap();

    let mut session = self::session();
    let events = open(&mut session, &path);
    assert!(notices(&events).iter().any(|text| text.starts_with("A scene of the project was not found")), "{events:?}");
    assert_eq!((session.layers().len(), session.missing_scenes().len()), (0, 1));
    // A save meanwhile must not forget it.
    act(&mut session, Command::SaveProject { path: None, overwrite: false, view: None });
    let events = act(&mut session, Command::RelinkScenes { folder: folder.path().to_owned() });

    assert_eq!(fact(&report(&events).facts, "found"), 1);
    assert!(session.missing_scenes().is_empty());
    assert_eq!(session.layers().len(), 2);
    assert_eq!(session.project(), &before);
    act(&mut session, Command::SaveProject { path: None, overwrite: false, view: None });
    drop(session);
    assert!(opened(&path).missing_scenes().is_empty());
}

#[test]
fn a_restored_version_is_a_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, before) = project(folder.path());
    let mut session = opened(&path);
    act(&mut session, Command::SaveProject { path: None, overwrite: false, view: None });
    let events = act(&mut session, Command::ListVersions);
    let versions = events.iter().find_map(|event| match event {
        Event::VersionsListed { versions } => Some(versions.clone()),
        _ => None,
    });
    let oldest = versions.expect("listed").last().expect("a version").save;

    act(&mut session, Command::RestoreVersion { save: oldest });

    assert_ne!(session.project(), &before);
    act(&mut session, Command::Undo);
    assert_eq!(session.project(), &before);
}

#[test]
fn another_project_takes_nothing_of_the_one_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, before) = project(folder.path());
    let mut session = session();
    let other = write_raster(&folder.path().join("other.tif"), (1, 50, 40), utm(), |_, _, _| 1.0);
    act(&mut session, Command::OpenScene { path: other });

    open(&mut session, &path);

    assert_eq!(session.scene(SceneId(1)).expect("the project's").info.width, 600);
    assert_eq!(session.project(), &before);
    act(&mut session, Command::CloseProject);
    assert!(session.layers().is_empty() && session.project_file().is_none());
    assert_eq!(session.project(), &Project::default());
    assert_eq!(opened(&path).project(), &before, "the lock is free again");
}

fn with_untitled(folder: &Path) -> Session {
    Session::new(SessionOptions {
        device: DeviceChoice::Cpu,
        untitled: Some(folder.to_owned()),
        ..SessionOptions::default()
    })
}

#[test]
fn work_that_nobody_named_is_offered_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let unsaved = folder.path().join("unsaved");
    let mut session = with_untitled(&unsaved);
    fill(&mut session, folder.path());
    act(&mut session, stroke((20.0, 20.0), (200.0, 90.0), 1));
    let before = session.project().clone();
    assert!(session.project_file().expect("begun by itself").untitled);
    assert!(unsaved_work(&unsaved).is_empty(), "it is open");
    drop(session);

    let found = unsaved_work(&unsaved);
    let mut next = with_untitled(&unsaved);
    open(&mut next, &found[0].path);

    assert_eq!(next.project(), &before);
    assert_eq!(next.layers().len(), 2, "labels know their scene");
    let refused = next.dispatch(Command::SaveProject { path: None, overwrite: false, view: None });
    assert!(refused.is_err_and(|error| error.to_string().contains("needs a name")));
    save(&mut next, &folder.path().join("named"));
    assert_eq!(next.project_file().expect("a project").name, "named");
    settle(&mut next);
    drop(next);
    assert!(unsaved_work(&unsaved).is_empty());
    assert_eq!(opened(&folder.path().join("named.nunatak")).project(), &before);
}

#[test]
fn a_step_that_was_just_made_survives_the_end_of_the_session() {
    let folder = tempfile::tempdir().expect("a folder");
    let unsaved = folder.path().join("unsaved");
    let mut session = with_untitled(&unsaved);
    let class = Class::new(ClassId(1), "Ice", Rgb::distinct(1));
    session.dispatch(Command::EditClasses { edit: ClassEdit::Add { class } }).expect("accepted");
    drop(session);

    let session = opened(&unsaved_work(&unsaved)[0].path);

    assert_eq!(session.project().classes.classes.len(), 1);
}

#[test]
fn unsaved_work_is_discarded_only_from_its_own_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, _) = project(folder.path());
    let unsaved = folder.path().join("unsaved");
    let mut session = with_untitled(&unsaved);

    assert!(session.dispatch(Command::DiscardUnsaved { path: path.clone() }).is_err());
    assert!(path.join("project.json").exists());
}

#[test]
fn a_folder_that_cannot_be_written_is_a_sentence_and_nothing_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut session = session();
    fill(&mut session, folder.path());
    let before = session.project().clone();

    let events = save(&mut session, Path::new("/proc/nowhere/glacier.nunatak"));

    assert!(notices(&events)[0].starts_with("failed to write project"), "{events:?}");
    assert_eq!(session.project(), &before);
    save(&mut session, &folder.path().join("here.nunatak"));
    drop(session);
    assert_eq!(opened(&folder.path().join("here.nunatak")).project(), &before);
}

#[test]
fn a_project_opens_read_only_where_somebody_else_writes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, before) = project(folder.path());
    let _writer = opened(&path);
    let mut session = session();

    let refused = open(&mut session, &path);
    assert!(notices(&refused)[0].contains("has the project open"), "{refused:?}");
    act(&mut session, Command::OpenProject { path, access: nunatak_app::ProjectAccess::Read });

    assert_eq!(session.project(), &before);
    assert!(session.project_file().expect("a project").read_only);
    act(&mut session, stroke((300.0, 20.0), (310.0, 200.0), 1));
    let changed = session.project().clone();
    let copy = folder.path().join("copy.nunatak");
    save(&mut session, &copy);
    drop(session);
    assert_eq!(opened(&copy).project(), &changed);
}

#[test]
fn a_packed_project_opens_elsewhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, before) = project(folder.path());
    let mut session = opened(&path);
    let zip = folder.path().join("glacier.nunatak.zip");
    act(&mut session, Command::PackProject { out: zip.clone(), with_scenes: true, overwrite: false });
    drop(session);
    let far = tempfile::tempdir().expect("a folder");
    std::fs::copy(&zip, far.path().join("sent.zip")).unwrap();
    std::fs::remove_file(folder.path().join("scene.tif")).unwrap();

    let session = opened(&far.path().join("sent.zip"));

    assert_eq!(session.project(), &before);
    assert_eq!(session.layers().len(), 2, "the scene came along");
}

#[test]
fn labels_survive_the_way_out_and_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, before) = project(folder.path());
    let mut session = opened(&path);
    let painted = before.labels(LABELS).expect("labels").layer.clone();
    for name in ["labels.tif", "labels.gpkg", "labels.shp", "labels.geojson"] {
        let out = folder.path().join(name);
        let export = LabelExport {
            labels: LABELS,
            out: out.clone(),
            attributes: Default::default(),
            connectivity: Default::default(),
            overwrite: false,
        };
        act(&mut session, Command::ExportLabels(export));
        let steps = session.history().position();
        let import = Command::ImportLabels { file: LabelFile::new(&out), scene: SceneId(1), labels: None, name: None };
        let events = act(&mut session, import);

        assert_eq!(session.history().position(), steps + 1, "{name} is one step");
        let id = LabelsId(fact(&report(&events).facts, "labels").as_u64().expect("an id"));
        assert_eq!(session.project().labels(id).expect("imported").layer.counts(), painted.counts(), "{name}");
        assert_eq!(session.project().classes, before.classes, "{name} brings no new classes");
    }
}

#[test]
fn a_prediction_becomes_labels_of_the_raster_it_was_made_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut session = session();
    fill(&mut session, folder.path());
    let scene = session.scene(SceneId(1)).expect("open").info.clone();
    let map = folder.path().join("map.tif");
    let scheme = session.project().classes.clone();
    let recipe = nunatak_domain::recipe::Recipe::new(serde_json::Value::Null);
    let config = nunatak_io::GeoTiffConfig::class_map(&map, &scene, scheme, recipe).expect("a class map");
    let mut sink = nunatak_io::GeoTiffSink::create(config).expect("created");
    let values = (0..600 * 300).map(|i| if i % 600 < 100 { 1.0 } else { 2.0 }).collect();
    nunatak_domain::raster::RasterSink::write(&mut sink, 0, 0, &Raster::new(1, 600, 300, values)).expect("written");
    sink.finish(&nunatak_jobs::Silent).expect("finished");
    act(&mut session, Command::OpenScene { path: map });

    let events = act(&mut session, Command::LabelsFromScene { scene: SceneId(2), onto: None });

    let id = LabelsId(fact(&report(&events).facts, "labels").as_u64().expect("an id"));
    let labels = session.project().labels(id).expect("made");
    assert_eq!(labels.scene, SceneId(1));
    let counts: Vec<(u32, u64)> = labels.layer.counts().into_iter().map(|(id, n)| (id.0, n)).collect();
    assert_eq!(counts, [(1, 100 * 300), (2, 500 * 300)]);
    assert!(session.layer(LayerId(1)).is_some());
}

/// A small generator: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

fn random_command(random: &mut Random, session: &Session) -> Command {
    let mut at = || (random.below(640) as f64 - 20.0, random.below(340) as f64 - 20.0);
    let (from, to) = (at(), at());
    let n = session.project().labels.len() as u64;
    let labels = if n == 0 { LABELS } else { session.project().labels[random.below(n) as usize].id };
    let id = ClassId(1 + random.below(3) as u32);
    match random.below(16) {
        0..=6 => {
            let positions = vec![PixelPos::new(from.0, from.1), PixelPos::new(to.0, to.1)];
            let brush = Brush::new(BrushShape::Square, 1 + random.below(40) as u32);
            let class = (random.below(4) > 0).then_some(id);
            let rule = PaintRule { class, onto: Target::Any };
            Command::Paint { labels, gesture: Gesture::Stroke { brush, positions }, rule }
        }
        7 => Command::AddLabels { scene: SceneId(1), name: Some(format!("Layer {}", random.below(3))) },
        8 => Command::RemoveLabels { labels },
        9 => Command::DuplicateLabels { labels },
        10 => Command::EditClasses { edit: ClassEdit::Rename { id, name: format!("Class {}", random.below(99)) } },
        11 => Command::EditClasses { edit: ClassEdit::Delete { id } },
        12 => Command::EditClasses { edit: ClassEdit::Add { class: Class::new(id, "New", Rgb([1, 2, 3])) } },
        13 | 14 => Command::Undo,
        _ => Command::Redo,
    }
}

#[test]
fn random_commands_undo_to_the_start_redo_to_the_end_and_survive_save_and_load() {
    let rounds: u64 = std::env::var("NUNATAK_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    for seed in 0..rounds {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("random.nunatak");
        let mut random = Random(seed);
        let mut session = session();
        fill(&mut session, folder.path());
        save(&mut session, &path);
        let mut made = 0;
        while made < 40 {
            let command = random_command(&mut random, &session);
            // Some make no sense now; they are refused and change nothing.
            made += usize::from(session.dispatch(command).is_ok());
            settle(&mut session);
            if random.below(12) == 0 {
                act(&mut session, Command::SaveProject { path: None, overwrite: false, view: None });
            }
        }
        let (end, n, position) =
            (session.project().clone(), session.history().steps().len(), session.history().position());

        drop(session);
        let mut session = opened(&path);
        assert_eq!(session.project(), &end, "seed {seed}: journal replay is memory");
        assert_eq!((session.history().steps().len(), session.history().position()), (n, position), "seed {seed}");

        act(&mut session, Command::GoToStep { position: n });
        let last = session.project().clone();
        act(&mut session, Command::GoToStep { position: 0 });
        let start = session.project();
        assert!(start.labels.is_empty() && start.classes.classes.is_empty(), "seed {seed}");
        act(&mut session, Command::GoToStep { position: n });
        assert_eq!(session.project(), &last, "seed {seed}: redo-all is the end");
        act(&mut session, Command::SaveProject { path: None, overwrite: false, view: None });
        drop(session);
        assert_eq!(opened(&path).project(), &last, "seed {seed}: save and load is identity");
    }
}
