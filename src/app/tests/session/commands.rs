//! Commands that run jobs: results, refusals, cancel, panics.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use nunatak_domain::class::Rgb;
use nunatak_domain::grid::PixelRect;
use nunatak_domain::inspect::Probe;
use nunatak_domain::layer::{LayerRole, LayerSource};
use nunatak_domain::map::{MapFrame, MapPainter, Picture};
use nunatak_domain::model::{ModelRecord, ModelReferences, NetworkConfig, Normalisation, SsmgnetConfig};
use nunatak_domain::raster::RasterSource;
use nunatak_domain::spectra::SpectralReference;
use nunatak_ml::save_safetensors_bytes;
use nunatak_ml::state::{StateDict, StateTensor};
use serde_json::json;

use super::support::{
    act, ask, command, fact, notices, open, report, session, settle, sharp_frame, utm, view_of, write_raster,
};
use nunatak_app::{Command, Event, JobOutcome, ReferenceEdit, Session, SessionOptions};

/// A two-band, two-class SSMGNet with small numbers for weights.
pub(crate) fn write_model(path: &Path, normalisation: Normalisation) -> PathBuf {
    let config = SsmgnetConfig::new(2, 2);
    let mut tensors = BTreeMap::new();
    let mut seed = 1u64;
    let mut add = |name: &str, shape: &[usize], scale: f32, offset: f32| {
        let n = shape.iter().product::<usize>();
        let data = (0..n).map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((seed >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * scale + offset
        });
        tensors.insert(name.to_owned(), StateTensor::new(shape.to_vec(), data.collect()));
    };
    for (stage, (from, to)) in [(2, 16), (16, 32), (32, 64), (64, 64)].into_iter().enumerate() {
        let stage = format!("stage{}", stage + 1);
        add(&format!("{stage}.0.weight"), &[to, from, 3, 3], 0.4, 0.0);
        for (name, scale, offset) in
            [("weight", 0.1, 1.0), ("bias", 0.1, 0.0), ("running_mean", 0.1, 0.0), ("running_var", 0.1, 1.0)]
        {
            add(&format!("{stage}.1.{name}"), &[to], scale, offset);
        }
    }
    add("sa_module4.conv.weight", &[1, 2, 9, 9], 0.1, 0.0);
    add("final.weight", &[2, 64, 1, 1], 0.5, 0.0);
    add("final.bias", &[2], 0.1, 0.0);
    let state = StateDict { tensors };
    let mut record = ModelRecord::inferred(NetworkConfig::Ssmgnet(config), "test");
    record.normalisation = normalisation;
    record.references = Some(ModelReferences {
        scale: "normalised".to_owned(),
        names: vec!["ice".to_owned(), "rock".to_owned()],
        spectra: vec![vec![0.9, 0.8], vec![0.2, 0.3]],
        class_ids: vec![0, 1],
        colors: Vec::new(),
    });
    std::fs::write(path, save_safetensors_bytes(&state, &record)).expect("written");
    path.to_owned()
}

pub(crate) fn scene(folder: &Path) -> PathBuf {
    write_raster(&folder.join("scene.tif"), (2, 300, 200), utm(), |b, c, r| {
        if c < 10 && r < 10 { f32::NAN } else { ((c * (b + 1) + r) % 97) as f32 / 97.0 }
    })
}

#[test]
fn predict_writes_every_file_and_counts_every_pixel() {
    let folder = tempfile::tempdir().unwrap();
    let (raster, model) =
        (scene(folder.path()), write_model(&folder.path().join("m.safetensors"), Normalisation::None));
    let out = |name: &str| folder.path().join(name);
    let mut session = session();
    let config = json!({
        "command": "predict", "model": model, "raster": raster, "out": out("c.tif"),
        "probabilities": out("p.tif"), "margin": out("m.tif"), "entropy": out("e.tif"), "tile_px": 64,
    });

    let events = act(&mut session, command(config.clone()));

    let facts = &report(&events).facts;
    let classes = fact(facts, "classes").as_array().unwrap();
    let pixels: u64 = classes.iter().map(|class| class["pixels"].as_u64().unwrap()).sum();
    assert_eq!(pixels + fact(facts, "nodata_px").as_u64().unwrap(), 300 * 200);
    assert_eq!(fact(facts, "nodata_px"), 100);
    assert_eq!(fact(facts, "tiles"), 5 * 4);
    assert!(["c.tif", "p.tif", "m.tif", "e.tif"].iter().all(|name| report(&events).outputs.contains(&out(name))));
    let info = nunatak_io::describe(&out("c.tif")).unwrap();
    assert!(info.categorical());
    assert_eq!(info.map_transform(), nunatak_io::describe(&raster).unwrap().map_transform());
    let recipe = nunatak_io::read_recipe(out("c.tif")).unwrap().expect("a recipe");
    assert_eq!(recipe.inputs.len(), 2);
    assert!(recipe.inputs.iter().all(|input| input.sha256.is_some()));
    assert_eq!(recipe.command["tile_px"], 64);
    let refused = act(&mut session, command(config));
    assert!(notices(&refused).iter().any(|text| text.starts_with("file exists")), "{refused:?}");
}

/// Polls until a job is half done, then cancels it; everything that happened.
fn cancel_halfway(session: &mut Session, command: Command) -> Vec<Event> {
    cancel_at(session, command, 0.5)
}

/// Polls until a job has come as far as `done`, then cancels it; everything that happened.
pub(crate) fn cancel_at(session: &mut Session, command: Command, done: f32) -> Vec<Event> {
    let mut events = session.dispatch(command).unwrap();
    let job = session.jobs()[0].job;
    while session.jobs().first().is_some_and(|status| status.done < done) {
        events.extend(session.poll());
        std::thread::yield_now();
    }
    session.dispatch(Command::CancelJob { job }).expect("still running");
    events.extend(settle(session));
    events
}

#[test]
fn a_cancelled_prediction_leaves_nothing_and_a_resumable_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let raster = write_raster(&folder.path().join("scene.tif"), (2, 600, 600), utm(), |b, c, r| {
        ((c * (b + 1) + r) % 97) as f32 / 97.0
    });
    let model = write_model(&folder.path().join("m.safetensors"), Normalisation::None);
    let predict = |out: &str, resume: bool| {
        command(json!({
            "command": "predict", "model": model, "raster": raster, "out": folder.path().join(out),
            "tile_px": 24, "resume": resume,
        }))
    };
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    let before = files();
    let mut session = session();

    let cancelled = cancel_halfway(&mut session, predict("a.tif", false));
    let after_cancel = files();
    cancel_halfway(&mut session, predict("b.tif", true));
    let resumed = act(&mut session, predict("b.tif", true));
    let whole = act(&mut session, predict("c.tif", false));

    let end = cancelled.iter().rev().find(|event| matches!(event, Event::JobEnded { .. }));
    assert!(matches!(end, Some(Event::JobEnded { outcome: JobOutcome::Cancelled, .. })), "{end:?}");
    assert_eq!(after_cancel, before);
    let skipped = fact(&report(&resumed).facts, "tiles_resumed").as_u64().unwrap();
    assert!(skipped > 0, "{:?}", report(&resumed));
    assert_eq!(fact(&report(&resumed).facts, "classes"), fact(&report(&whole).facts, "classes"));
    assert_eq!(pixels(&folder.path().join("b.tif")), pixels(&folder.path().join("c.tif")));
}

fn pixels(path: &Path) -> Vec<f32> {
    let mut source = nunatak_io::open(path).unwrap();
    let whole = PixelRect::whole(source.info().width, source.info().height);
    source.read_window(whole, &[0]).unwrap().data
}

#[test]
fn a_scene_with_too_few_bands_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let raster = write_raster(&folder.path().join("one.tif"), (1, 20, 20), utm(), |_, _, _| 1.0);
    let model = write_model(&folder.path().join("m.safetensors"), Normalisation::None);
    let out = folder.path().join("c.tif");
    let mut session = session();

    let events =
        act(&mut session, command(json!({ "command": "predict", "model": model, "raster": raster, "out": out })));

    assert!(notices(&events).iter().any(|text| text.contains("needs 2 bands")), "{events:?}");
    assert!(!out.exists());
}

#[test]
fn grad_cam_of_a_class_that_the_model_lacks_is_refused_with_those_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let (raster, model) =
        (scene(folder.path()), write_model(&folder.path().join("m.safetensors"), Normalisation::None));
    let out = folder.path().join("why");
    let mut session = session();

    let events = act(
        &mut session,
        command(json!({ "command": "explain", "model": model, "raster": raster, "out_dir": out, "class": 9 })),
    );

    assert!(notices(&events).iter().any(|text| text.contains("no class 9")), "{events:?}");
    assert!(!out.exists());
}

#[test]
fn explain_writes_three_files_of_the_part_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (raster, model) =
        (scene(folder.path()), write_model(&folder.path().join("m.safetensors"), Normalisation::None));
    let out = folder.path().join("why/deep");
    let mut session = session();

    let events = act(
        &mut session,
        command(json!({
            "command": "explain", "model": model, "raster": raster, "out_dir": out,
            "window": { "col": 20, "row": 30, "width": 70, "height": 50 },
        })),
    );

    assert_eq!(fact(&report(&events).facts, "gradcam_class"), "1 Class 1");
    for name in ["class.tif", "attention.tif", "gradcam.tif"] {
        let info = nunatak_io::describe(&out.join(name)).unwrap();
        assert_eq!((info.width, info.height), (70, 50));
        assert_eq!(info.map_transform().0[0], 500_200.0);
        assert_eq!(info.map_transform().0[3], 3_999_700.0);
    }
}

#[test]
fn predicting_a_layer_puts_the_results_on_the_map() {
    let folder = tempfile::tempdir().unwrap();
    let (raster, model) =
        (scene(folder.path()), write_model(&folder.path().join("m.safetensors"), Normalisation::None));
    let mut session = Session::new(SessionOptions {
        work_dir: Some(folder.path().to_owned()),
        device: nunatak_domain::job::DeviceChoice::Cpu,
        ..SessionOptions::default()
    });
    let (id, _) = open(&mut session, &raster);
    assert!(session.dispatch(Command::PredictLayer { scene: id, class: None, bands: None }).is_err(), "no model yet");
    act(&mut session, Command::OpenModel { path: model });

    act(&mut session, Command::PredictLayer { scene: id, class: Some(0), bands: None });

    let roles: Vec<LayerRole> = session.layers().iter().map(|layer| layer.role).collect();
    assert_eq!(
        roles,
        [
            LayerRole::Imagery,
            LayerRole::GradCam,
            LayerRole::Attention,
            LayerRole::Entropy,
            LayerRole::Probabilities,
            LayerRole::ClassMap
        ]
    );
    let visible: Vec<LayerRole> = session.layers().iter().filter(|l| l.visible).map(|l| l.role).collect();
    assert_eq!(visible, [LayerRole::Imagery, LayerRole::ClassMap]);
    let view = view_of(&session, 300, 200);
    assert_eq!(sharp_frame(&mut session, &view).layers.len(), 2);
    act(&mut session, Command::PredictLayer { scene: id, class: Some(0), bands: None });
    let names: Vec<&str> = session.layers().iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!((names[5], names[10]), ("Class map – scene.tif", "Class map 2 – scene.tif"));
    let files = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
    let before = files(folder.path());
    drop(session);
    assert_eq!(files(folder.path()), before - 1, "the session's folder goes with it");
}

#[test]
fn the_prior_of_the_models_references_compares_normalised_values() {
    let folder = tempfile::tempdir().unwrap();
    let raster = write_raster(&folder.path().join("dn.tif"), (2, 40, 40), utm(), |b, c, _| match (c < 20, b) {
        (true, 0) => 9000.0,
        (true, _) => 8000.0,
        (false, 0) => 2000.0,
        (false, _) => 3000.0,
    });
    let normalisation = Normalisation::ScaleOffset { scale: vec![1e-4; 2], offset: vec![0.0; 2] };
    let model = write_model(&folder.path().join("m.safetensors"), normalisation.clone());
    let mut session = session();
    let (id, _) = open(&mut session, &raster);
    act(&mut session, Command::OpenModel { path: model });
    assert!(session.dispatch(Command::ShowPrior { scene: id }).is_err(), "no references yet");

    act(&mut session, Command::UseModelReferences);
    assert_eq!(session.reference_normalisation(), Some(normalisation));
    act(&mut session, Command::ShowPrior { scene: id });
    let geo = session.bounds().unwrap().center();
    let answer = ask(&mut session, Probe { tag: 0, geo: nunatak_domain::geo::GeoPos::new(geo.x - 100.0, geo.y) });

    assert!(matches!(session.layers()[1].source, LayerSource::Prior { .. }));
    let distances = answer.layers[1].references.as_ref().expect("two bands, two references");
    assert_eq!((distances.best, distances.valid), (0, true));
    assert!(distances.distances[0].abs() < 1e-4, "{distances:?}");
    assert_eq!(session.reference_values(id, &[9000.0, 8000.0]).len(), 2);
    let view = view_of(&session, 40, 40);
    let frame = sharp_frame(&mut session, &view);
    assert!(frame.layers[1].prior.is_some() && frame.layers[1].tiles.len() == 1);
}

#[test]
fn an_edit_of_the_references_changes_the_prior_at_once() {
    let mut session = session();
    let add = |name: &str, spectrum: [f64; 2]| Command::EditReferences {
        edit: ReferenceEdit::Add { reference: SpectralReference::new(name, Rgb([0, 0, 255]), spectrum.to_vec()) },
    };
    session.dispatch(add("ice", [0.9, 0.8])).unwrap();
    assert!(session.prior().is_err());

    let events = session.dispatch(add("rock", [0.2, 0.3])).unwrap();

    assert_eq!(events, [Event::ReferencesChanged, Event::HistoryChanged]);
    assert_eq!(session.prior().unwrap().n_references(), 2);
    assert!(!session.busy());
}

#[test]
fn references_go_to_a_file_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.csv");
    let mut session = session();
    for (name, spectrum) in [("ice", vec![0.9, 0.8]), ("rock", vec![0.25, 0.5])] {
        let reference = SpectralReference::new(name, Rgb([1, 2, 3]), spectrum);
        session.dispatch(Command::EditReferences { edit: ReferenceEdit::Add { reference } }).unwrap();
    }
    let before = session.references().references.clone();

    act(&mut session, Command::SaveReferences { path: path.clone(), overwrite: false });
    session.dispatch(Command::EditReferences { edit: ReferenceEdit::Clear }).unwrap();
    act(&mut session, Command::OpenReferences { path });

    assert_eq!(session.references().references, before);
}

#[test]
fn the_prior_as_files_counts_labels_and_warns_of_scales() {
    let folder = tempfile::tempdir().unwrap();
    let raster = write_raster(&folder.path().join("a.tif"), (2, 30, 20), utm(), |b, c, r| match (c < 10, b) {
        _ if (c, r) == (0, 0) => f32::NAN,
        (true, 0) => 0.9,
        (true, _) => 0.8,
        (false, 0) => 0.2,
        (false, _) => 0.3,
    });
    let references = folder.path().join("r.csv");
    std::fs::write(&references, "name,b1,b2\nice,0.9,0.8\nrock,0.2,0.3\n").unwrap();
    let thousands = folder.path().join("thousands.csv");
    std::fs::write(&thousands, "name,b1,b2\nice,9000,8000\nrock,2000,3000\n").unwrap();
    let mut session = session();
    let prior = |references: &Path, out: &str, mode: &str| {
        command(json!({
            "command": "prior", "references": references, "raster": raster, "mode": mode,
            "out": folder.path().join(out), "classes": folder.path().join(format!("classes-{out}")),
        }))
    };

    for mode in ["default", "compat"] {
        let events = act(&mut session, prior(&references, &format!("{mode}.tif"), mode));
        let labels = fact(&report(&events).facts, "labels");
        let pixels: Vec<u64> = labels.as_array().unwrap().iter().map(|l| l["pixels"].as_u64().unwrap()).collect();
        assert_eq!(pixels, [0, 199, 400]);
        assert_eq!(fact(&report(&events).facts, "nodata_px"), 1);
    }
    let events = act(&mut session, prior(&thousands, "t.tif", "default"));

    assert!(notices(&events).iter().any(|text| text.contains("smaller than the references")), "{events:?}");
    let similarity = pixels(&folder.path().join("default.tif"));
    assert!(similarity[0].is_nan());
    assert!(similarity[5 * 30 + 5] > 0.99, "{}", similarity[5 * 30 + 5]);
}

#[test]
fn a_model_is_exported_with_its_record_and_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let model = write_model(&folder.path().join("m.safetensors"), Normalisation::None);
    let out = folder.path().join("copy.safetensors");
    let mut session = session();
    act(&mut session, Command::OpenModel { path: model });
    let record = session.model().unwrap().record.clone();

    act(&mut session, Command::ExportModel { path: out.clone(), overwrite: false });
    act(&mut session, Command::OpenModel { path: out });

    let mut exported = session.model().unwrap().record.clone();
    let recipe = exported.origin["recipe"].take();
    assert_eq!(recipe["command"]["command"], "export_model");
    assert_eq!(recipe["inputs"][0]["role"], "model");
    assert_eq!(recipe["inputs"][0]["sha256"].as_str().map(str::len), Some(64));
    exported.origin = record.origin.clone();
    assert_eq!(exported, record);
    assert!(folder.path().join("copy.json").exists());
}

#[test]
fn info_gives_the_scene_and_polygons_come_from_a_class_map() {
    let folder = tempfile::tempdir().unwrap();
    let (raster, model) =
        (scene(folder.path()), write_model(&folder.path().join("m.safetensors"), Normalisation::None));
    let mut session = session();
    let class = folder.path().join("c.tif");
    act(&mut session, command(json!({ "command": "predict", "model": model, "raster": raster, "out": class })));

    let info = act(&mut session, Command::Info { path: raster.clone(), statistics: true });
    let polygons = act(
        &mut session,
        command(json!({
            "command": "polygonize", "raster": class, "out": folder.path().join("c.geojson"), "classes": [0, 1],
        })),
    );
    let copy = act(
        &mut session,
        command(json!({
            "command": "convert", "raster": raster, "out": folder.path().join("copy.tif"), "bands": [1],
        })),
    );

    let info = report(&info).info.as_ref().unwrap();
    assert!(info.bands.iter().all(|band| band.statistics.is_some()));
    assert!(fact(&report(&polygons).facts, "polygons").as_u64().unwrap() > 0);
    assert_eq!(fact(&report(&copy).facts, "bands"), 1);
}

#[test]
fn a_file_that_cannot_be_opened_is_one_sentence_with_a_next_step() {
    let mut session = session();

    let events = act(&mut session, Command::OpenScene { path: "no/such/file.tif".into() });

    let Some(Event::JobEnded { outcome: JobOutcome::Failed { notice }, .. }) = events.last() else {
        panic!("{events:?}")
    };
    assert!(notice.text.contains("no such file"), "{notice:?}");
    assert!(!notice.next_step.is_empty());
}

/// Does what a test tells it: waits at a gate, panics, or paints grey.
struct FakePainter {
    gate: mpsc::Receiver<bool>,
}

impl MapPainter for FakePainter {
    fn paint(&mut self, frame: &MapFrame) -> Result<Picture, String> {
        assert!(self.gate.recv().expect("the test goes on"), "lost the device");
        let (width, height) = (frame.view.width_px, frame.view.height_px);
        Ok(Picture { width, height, rgba: vec![128; 4 * width as usize * height as usize] })
    }
}

fn painting_session() -> (Session, mpsc::Sender<bool>) {
    let (sender, gate) = mpsc::channel();
    let painter: Box<dyn MapPainter> = Box::new(FakePainter { gate });
    (Session::new(SessionOptions { painter: Some(painter), ..SessionOptions::default() }), sender)
}

fn render(folder: &Path, raster: &Path, out: &str) -> Command {
    command(json!({
        "command": "render", "rasters": [raster], "out": folder.join(out), "width_px": 64, "height_px": 48,
    }))
}

#[test]
fn a_panic_becomes_a_notice_and_the_next_job_runs() {
    let folder = tempfile::tempdir().unwrap();
    let raster = scene(folder.path());
    let (mut session, gate) = painting_session();
    gate.send(false).unwrap();
    gate.send(true).unwrap();

    let first = act(&mut session, render(folder.path(), &raster, "a.png"));
    let second = act(&mut session, render(folder.path(), &raster, "b.png"));

    let Some(Event::JobEnded { outcome: JobOutcome::Failed { notice }, .. }) = first.last() else {
        panic!("{first:?}")
    };
    assert!(notice.text.contains("internal error") && notice.details.contains("lost the device"), "{notice:?}");
    assert_eq!(report(&second).outputs[0], folder.path().join("b.png"));
    assert!(folder.path().join("b.png").exists());
}

#[test]
fn a_cancelled_job_leaves_no_file_and_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let raster = scene(folder.path());
    let (mut session, gate) = painting_session();
    session.dispatch(render(folder.path(), &raster, "a.png")).unwrap();
    session.dispatch(render(folder.path(), &raster, "b.png")).unwrap();
    let waiting = session.jobs()[1].job;

    session.dispatch(Command::CancelJob { job: waiting }).unwrap();
    let at_once = session.poll();
    gate.send(true).unwrap();
    let later = settle(&mut session);

    let cancelled = |event: &Event| matches!(event, Event::JobEnded { outcome: JobOutcome::Cancelled, .. });
    assert!(at_once.iter().any(cancelled), "{at_once:?}");
    assert_eq!(report(&later).outputs[0], folder.path().join("a.png"));
    assert!(!folder.path().join("b.png").exists());
    assert!(session.jobs().is_empty());
    assert!(session.dispatch(Command::CancelJob { job: waiting }).is_err());
}

#[test]
fn without_a_painter_pictures_are_refused() {
    let refused = session().dispatch(render(Path::new("."), Path::new("a.tif"), "a.png"));
    assert!(refused.is_err_and(|error| error.to_string().contains("painter")));
}

#[test]
fn the_device_is_named_after_somebody_asked() {
    let mut session = session();
    assert_eq!(session.device(), "cpu");

    settle(&mut session);
    settle(&mut session);

    assert!(session.device().starts_with("CPU"), "{}", session.device());
}
