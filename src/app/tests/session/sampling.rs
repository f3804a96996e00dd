//! References that are painted, and what answers them: previews, health, indices, class maps.

use std::time::Instant;

use nunatak_app::{Command, ReferenceEdit, SampleMode, SampleRequest, Session};
use nunatak_domain::geo::PixelPos;
use nunatak_domain::inspect::Probe;
use nunatak_domain::job::ClassifyMethod;
use nunatak_domain::label::Gesture;
use nunatak_domain::layer::{LayerSource, SceneId};
use nunatak_domain::map::MapFrame;
use nunatak_domain::style::{Stretch, Style};

use crate::support::{act, ask, notices, open, session, settle, sharp_frame, utm, view_of, write_raster};

const SCENE: SceneId = SceneId(1);

/// Two halves with a texture, so that pixels spread.
fn value(band: usize, col: usize, row: usize) -> f32 {
    let texture = 0.01 * ((col * 7 + row * 13 + band * 5) % 11) as f32;
    texture + if col < 300 { 0.2 + 0.1 * band as f32 } else { 0.8 - 0.2 * band as f32 }
}

fn desk(folder: &std::path::Path) -> Session {
    let path = write_raster(&folder.join("halves.tif"), (3, 600, 300), utm(), value);
    let mut session = session();
    open(&mut session, &path);
    session
}

fn rectangle(col: f64, row: f64, side: f64) -> Gesture {
    Gesture::Rectangle { from: PixelPos::new(col, row), to: PixelPos::new(col + side, row + side) }
}

fn request(reference: Option<usize>, mode: SampleMode, gesture: Gesture) -> SampleRequest {
    SampleRequest { scene: SCENE, reference, gesture, mode, name: None, class: None }
}

fn sample(session: &mut Session, reference: Option<usize>, mode: SampleMode, gesture: Gesture) {
    act(session, Command::SampleReference(request(reference, mode, gesture)));
}

/// Mean and covariance of a square by two passes.
fn expected(col: usize, row: usize, side: usize) -> (Vec<f64>, Vec<f64>) {
    let pixels: Vec<Vec<f64>> = (row..row + side)
        .flat_map(|r| (col..col + side).map(move |c| (0..3).map(|b| f64::from(value(b, c, r))).collect()))
        .collect();
    let n = pixels.len() as f64;
    let mean: Vec<f64> = (0..3).map(|b| pixels.iter().map(|p| p[b]).sum::<f64>() / n).collect();
    let covariance = (0..9)
        .map(|i| pixels.iter().map(|p| (p[i / 3] - mean[i / 3]) * (p[i % 3] - mean[i % 3])).sum::<f64>() / (n - 1.0));
    (mean.clone(), covariance.collect())
}

fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?} instead of {expected:?}");
}

fn values_at(frame: &MapFrame, layer: usize, col: usize, row: usize) -> f32 {
    frame.layers[layer].tiles[0].parts[0].1.raster.get(0, col, row)
}

#[test]
fn painted_pixels_give_mean_and_covariance_and_grow_and_shrink_by_steps() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut session = desk(folder.path());

    sample(&mut session, None, SampleMode::Add, rectangle(10.0, 10.0, 20.0));
    let found = session.references().references[0].clone();
    let (mean, covariance) = expected(10, 10, 20);
    close(&found.spectrum, &mean);
    let pixels = found.sample.as_ref().expect("pixels");
    close(&pixels.covariance, &covariance);
    assert_eq!((pixels.n, pixels.mask.n_px(), pixels.scene), (400, 400, Some(SCENE)));
    assert_eq!(session.references().bands, ["b1", "b2", "b3"]);

    // Half of it again and as much beyond: 30 × 20 pixels then.
    let more = Gesture::Rectangle { from: PixelPos::new(20.0, 10.0), to: PixelPos::new(40.0, 30.0) };
    sample(&mut session, Some(0), SampleMode::Add, more.clone());
    assert_eq!(session.references().references[0].sample.as_ref().expect("pixels").n, 600);
    sample(&mut session, Some(0), SampleMode::Erase, more);
    let half = &session.references().references[0];
    assert_eq!(half.sample.as_ref().expect("pixels").n, 200);

    assert_eq!(session.history().position(), 3);
    act(&mut session, Command::Undo);
    act(&mut session, Command::Undo);
    assert_eq!(session.references().references[0], found);
}

#[test]
fn what_cannot_be_sampled_is_a_sentence_and_no_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut session = desk(folder.path());
    let beyond = rectangle(700.0, 10.0, 5.0);

    let events = act(&mut session, Command::SampleReference(request(None, SampleMode::Add, beyond.clone())));
    assert_eq!(notices(&events), ["there is no pixel with data in every band"]);
    let refused = |session: &mut Session, request: SampleRequest| {
        session.dispatch(Command::SampleReference(request)).expect_err("refused").to_string()
    };
    assert_eq!(
        refused(&mut session, request(Some(0), SampleMode::Add, beyond.clone())),
        "there is no reference 1: there are 0"
    );
    assert!(refused(&mut session, request(None, SampleMode::Erase, beyond)).starts_with("choose the reference"));
    assert_eq!(session.history().position(), 0);
}

#[test]
fn a_preview_moves_the_prior_and_leaves_the_history_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut session = desk(folder.path());
    sample(&mut session, None, SampleMode::Add, rectangle(10.0, 10.0, 20.0));
    sample(&mut session, None, SampleMode::Add, rectangle(400.0, 10.0, 20.0));
    let made = session.references().clone();

    session.preview_sample(&request(Some(0), SampleMode::Add, rectangle(500.0, 100.0, 20.0))).expect("accepted");
    settle(&mut session);
    assert_eq!(session.references().references[0].sample.as_ref().expect("pixels").n, 800);
    session.preview_reference(ReferenceEdit::SetWeight { index: 1, weight: 3.0 }).expect("accepted");
    assert_eq!(session.references().references[1].weight, 3.0);
    assert_eq!(session.project().references, made);
    session.end_preview();

    assert_eq!(session.references(), &made);
    assert_eq!(session.history().position(), 2);
    // A late answer of an older question changes nothing.
    session.preview_sample(&request(Some(0), SampleMode::Add, rectangle(500.0, 100.0, 20.0))).expect("accepted");
    session.end_preview();
    settle(&mut session);
    assert_eq!(session.references(), &made);
}

#[test]
fn an_index_is_a_layer_of_computed_tiles_with_nodata_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let with_hole = |band, col, row| if (col, row) == (5, 5) && band == 1 { f32::NAN } else { value(band, col, row) };
    let path = write_raster(&folder.path().join("hole.tif"), (3, 200, 100), utm(), with_hole);
    let mut session = session();
    open(&mut session, &path);

    let add = |formula: &str| Command::AddIndex { scene: SCENE, formula: formula.to_owned(), name: None };
    act(&mut session, add("(b2 - b1) / (b2 + b1)"));
    let wrong = session.dispatch(add("(b2 - b9)")).expect_err("no such band").to_string();
    assert!(wrong.starts_with("column 7: there is no band"), "{wrong}");
    assert!(session.dispatch(add("ndvi")).is_err(), "no near infrared is known here");

    let layer = session.layers()[1].clone();
    assert_eq!(
        (layer.source, layer.formula.as_deref()),
        (LayerSource::Index { scene: SCENE }, Some("(b2 - b1) / (b2 + b1)"))
    );
    let view = view_of(&session, 200, 100);
    let frame = sharp_frame(&mut session, &view);
    let index = |col, row| {
        let (a, b) = (f64::from(value(1, col, row)), f64::from(value(0, col, row)));
        (a - b) / (a + b)
    };
    assert!((f64::from(values_at(&frame, 1, 40, 20)) - index(40, 20)).abs() < 1e-6);
    assert!(values_at(&frame, 1, 5, 5).is_nan());
    // Limits were found from the index's own values.
    let Style::Colormap { stretch, .. } = &layer.style else { panic!("{:?}", layer.style) };
    let Stretch { min, max, .. } = *stretch;
    assert!(min > 0.05 && max < 0.35 && min < max, "{stretch:?}");

    let geo = session.geo_of(SCENE, PixelPos::new(40.5, 20.5)).expect("a place");
    let answer = ask(&mut session, Probe { tag: 1, geo });
    let probed = answer.layers.iter().find(|probe| probe.layer == layer.id).expect("the index").values.clone();
    assert!((probed[0].expect("a value") - index(40, 20)).abs() < 1e-6);
}

#[test]
fn class_maps_follow_the_references_and_need_pixels_for_likelihoods() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut session = desk(folder.path());
    sample(&mut session, None, SampleMode::Add, rectangle(10.0, 10.0, 20.0));
    sample(&mut session, None, SampleMode::Add, rectangle(400.0, 10.0, 20.0));

    let methods =
        [ClassifyMethod::Sam, ClassifyMethod::MinDistance, ClassifyMethod::MaxLikelihood, ClassifyMethod::Mahalanobis];
    for method in methods {
        act(&mut session, Command::ShowClasses { scene: SCENE, method });
    }
    // One tile, four pixels of the scene to a pixel.
    let view = view_of(&session, 150, 75);
    let frame = sharp_frame(&mut session, &view);
    for layer in 1..=methods.len() {
        let found = [10, 70, 80, 140].map(|col| values_at(&frame, layer, col, 30));
        assert_eq!(found, [1.0, 1.0, 2.0, 2.0], "{layer}");
    }

    // Without its first reference the other one wins everywhere.
    act(&mut session, Command::EditReferences { edit: ReferenceEdit::Remove { index: 0 } });
    let frame = sharp_frame(&mut session, &view);
    assert_eq!(values_at(&frame, 1, 10, 30), 1.0);
    let Style::Classes { scheme, .. } = &session.layers()[1].style else { panic!("classes") };
    assert_eq!(scheme.classes.len(), 1);

    let bare =
        nunatak_domain::spectra::SpectralReference::new("bare", nunatak_domain::class::Rgb([1, 2, 3]), vec![0.1; 3]);
    act(&mut session, Command::EditReferences { edit: ReferenceEdit::Add { reference: bare } });
    let needs = Command::ShowClasses { scene: SCENE, method: ClassifyMethod::MaxLikelihood };
    let why = session.dispatch(needs).expect_err("no pixels").to_string();
    assert_eq!(why, "bare has no painted pixels, which this method needs: paint some");
}

#[test]
fn health_counts_wins_over_the_view_and_names_confusable_pairs() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut session = desk(folder.path());
    sample(&mut session, None, SampleMode::Add, rectangle(10.0, 10.0, 20.0));
    sample(&mut session, None, SampleMode::Add, rectangle(60.0, 60.0, 20.0));
    sample(&mut session, None, SampleMode::Add, rectangle(400.0, 10.0, 20.0));

    session.examine_references(Some(SCENE), session.bounds());
    settle(&mut session);

    let health = session.health().expect("examined");
    assert_eq!(health.references.iter().map(|found| found.n_px).collect::<Vec<_>>(), [400, 400, 400]);
    assert!(health.references.iter().all(|found| found.wins.is_some() && found.threshold.is_some()));
    assert_eq!((health.pairs[0].a, health.pairs[0].b), (0, 1));
    assert!(health.pairs[0].confusable() && !health.pairs[2].confusable());
}

#[test]
fn spectra_of_a_library_come_on_the_scenes_bands_as_one_step_and_go_out_as_envi() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut session = desk(folder.path());
    let csv = folder.path().join("library.csv");
    std::fs::write(&csv, "name,b1,b2,b3\nice,0.2,0.3,0.4\nsnow,0.5,0.6,0.7\nrock,0.1,0.1,0.1\n").expect("written");

    act(&mut session, Command::OpenSpectra { path: csv.clone() });
    assert_eq!(session.library().expect("read").library.spectra.len(), 3);
    let import = |pick| Command::ImportSpectra { path: csv.clone(), scene: SCENE, pick, method: Default::default() };
    act(&mut session, import(vec![0, 2]));

    let names: Vec<_> = session.references().references.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["ice", "rock"]);
    assert_eq!(session.references().references[0].spectrum, [0.2, 0.3, 0.4]);
    assert_eq!(session.history().position(), 1);

    let out = folder.path().join("out.sli");
    act(&mut session, Command::SaveReferences { path: out.clone(), overwrite: false });
    let back = nunatak_io::read_spectral_library(&out).expect("an ENVI library");
    assert_eq!(back.spectra[1].values, [0.1, 0.1, 0.1]);
}

#[test]
fn a_pixel_more_moves_the_class_map_within_a_tenth_of_a_second() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut session = desk(folder.path());
    sample(&mut session, None, SampleMode::Add, rectangle(10.0, 10.0, 20.0));
    sample(&mut session, None, SampleMode::Add, rectangle(400.0, 10.0, 20.0));
    act(&mut session, Command::ShowPrior { scene: SCENE });
    act(&mut session, Command::ShowClasses { scene: SCENE, method: ClassifyMethod::Sam });
    let view = view_of(&session, 600, 300);
    sharp_frame(&mut session, &view);

    let begin = Instant::now();
    sample(&mut session, Some(0), SampleMode::Add, rectangle(100.0, 100.0, 1.0));
    sharp_frame(&mut session, &view);
    let took = begin.elapsed();

    assert_eq!(session.references().references[0].sample.as_ref().expect("pixels").n, 401);
    eprintln!("a pixel more: {:.1} ms", took.as_secs_f64() * 1e3);
    // A debug build on a busy machine has five times as long.
    assert!(took.as_millis() < 500, "{took:?}");
}

#[test]
fn imported_references_give_the_prior_of_opened_ones() {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    let folder = std::path::Path::new(&manifest).join("../../sample_scenes/rachel_carson");
    let with = |command: fn(std::path::PathBuf) -> Command| {
        let mut session = session();
        open(&mut session, &folder.join("scene.tif"));
        act(&mut session, command(folder.join("references.csv")));
        session
    };
    let opened = with(|path| Command::OpenReferences { path });

    let imported =
        with(|path| Command::ImportSpectra { path, scene: SCENE, pick: Vec::new(), method: Default::default() });

    let spectra = |session: &Session| -> Vec<Vec<f64>> {
        session.references().references.iter().map(|reference| reference.spectrum.clone()).collect()
    };
    assert_eq!(spectra(&opened).len(), 6);
    assert_eq!(spectra(&imported), spectra(&opened));
    let (a, b) = (opened.prior().expect("a prior"), imported.prior().expect("a prior"));
    assert_eq!(a.thresholds(), b.thresholds());
}
