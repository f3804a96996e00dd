//! Maps against truths: scores of scikit-learn and of the paper, held-out areas, answers that follow labels.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nunatak_app::{ClassEdit, Command, Event, HeldOut, JudgeRequest, JudgeTruth, Session};
use nunatak_domain::class::{Class, ClassId, ClassScheme, Rgb};
use nunatak_domain::geo::PixelPos;
use nunatak_domain::label::{Gesture, LabelsId, PaintRule, Target};
use nunatak_domain::layer::{LayerId, SceneId};
use nunatak_domain::metrics::SpatialSplit;
use nunatak_domain::raster::{Raster, RasterSink};
use nunatak_domain::recipe::Recipe;
use nunatak_domain::scene::DataType;
use nunatak_io::{GeoTiffConfig, GeoTiffSink};
use nunatak_jobs::Silent;
use serde_json::Value;

use crate::support::{act, open, report, session, utm, write_raster};

const LABELS: LabelsId = LabelsId(0);

fn fixture(name: &str) -> Vec<Value> {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let path = Path::new(&root).join("../../tests/fixtures/statistics").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn named(ids: &[(u32, &str)]) -> ClassScheme {
    let class = |&(id, name): &(u32, &str)| Class::new(ClassId(id), name, Rgb::distinct(id as usize));
    ClassScheme { classes: ids.iter().map(class).collect() }
}

/// A uint16 class map of 10 m pixels.
fn write_map(path: &Path, width: usize, ids: &[u16], classes: ClassScheme) -> PathBuf {
    let (crs, georeference) = utm();
    let height = ids.len() / width;
    let config = GeoTiffConfig {
        path: path.to_owned(),
        width,
        height,
        bands: vec!["class".to_owned()],
        data_type: DataType::UInt16,
        nodata: Some(65535.0),
        crs,
        georeference,
        classes: Some(classes),
        recipe: Recipe::new(Value::Null),
        overwrite: true,
    };
    let mut sink = GeoTiffSink::create(config).unwrap();
    let data = ids.iter().map(|id| f32::from(*id)).collect();
    sink.write(0, 0, &Raster::new(1, width, height, data)).unwrap();
    sink.finish(&Silent).unwrap();
    path.to_owned()
}

fn request(truth: JudgeTruth, map: LayerId) -> JudgeRequest {
    JudgeRequest { truth, map, held_out: None, area_adjusted: false }
}

fn close(ours: Option<f64>, theirs: &Value, what: &str) {
    match (ours, theirs.as_f64()) {
        (Some(a), Some(b)) => assert!((a - b).abs() < 1e-12, "{what}: {a} instead of {b}"),
        (None, None) => {}
        other => panic!("{what}: {other:?}"),
    }
}

/// Polls until the answer has caught up.
fn caught_up(session: &mut Session) -> Vec<Event> {
    let start = Instant::now();
    let mut events = Vec::new();
    while session.judgement_stale() {
        assert!(start.elapsed() < Duration::from_secs(120), "still stale: {:?}", session.jobs());
        events.extend(session.poll());
        std::thread::yield_now();
    }
    events
}

#[test]
fn two_layers_are_judged_as_scikit_learn_does() {
    let folder = tempfile::tempdir().unwrap();
    for (index, case) in fixture("confusion.json").iter().enumerate() {
        let ids: Vec<u32> = serde_json::from_value(case["classes"].clone()).unwrap();
        let names: Vec<String> = ids.iter().map(|id| format!("c{id}")).collect();
        let classes: Vec<(u32, &str)> = ids.iter().copied().zip(names.iter().map(String::as_str)).collect();
        let pixels = |name: &str| -> Vec<u16> { serde_json::from_value(case[name].clone()).unwrap() };
        let (truth, map) = (pixels("reference"), pixels("map"));
        let file = |name: &str| folder.path().join(format!("{name}{index}.tif"));
        let truth = write_map(&file("truth"), truth.len(), &truth, named(&classes));
        let map = write_map(&file("map"), map.len(), &map, named(&classes));
        let mut session = session();
        let truth = open(&mut session, &truth).1;
        let map = open(&mut session, &map).1;

        let events = act(&mut session, Command::Judge(request(JudgeTruth::Layer { layer: truth }, map)));

        assert!(events.contains(&Event::Judged), "{events:?}");
        let matrix = &session.judgement().unwrap().matrix;
        let counts: Vec<Vec<u64>> = serde_json::from_value(case["counts"].clone()).unwrap();
        assert_eq!(matrix.counts(), counts.concat());
        close(matrix.overall_accuracy(), &case["overall_accuracy"], "overall accuracy");
        close(matrix.kappa(), &case["kappa"], "kappa");
        close(matrix.macro_average().iou, &case["mean_iou"], "mean IoU");
        close(matrix.weighted_average().iou, &case["frequency_weighted_iou"], "frequency-weighted IoU");
        let fact = report(&events).facts.iter().find(|(name, _)| name == "mean_iou").unwrap();
        assert_eq!(fact.1.as_f64(), matrix.macro_average().iou);
    }
}

/// A scene of 40 x 20 pixels, a class map of it (left half 1, right half 2) and empty labels.
fn desk(folder: &Path) -> (Session, LayerId, LayerId) {
    let scene = write_raster(&folder.join("scene.tif"), (1, 40, 20), utm(), |_, col, _| col as f32);
    let ids: Vec<u16> = (0..800).map(|index| if index % 40 < 20 { 1 } else { 2 }).collect();
    let map = write_map(&folder.join("map.tif"), 40, &ids, named(&[(1, "Ice"), (2, "Rock")]));
    let mut session = session();
    act(&mut session, Command::OpenScene { path: scene });
    let map = open(&mut session, &map).1;
    // The project numbers its classes the other way round.
    for class in named(&[(1, "Rock"), (2, "Ice")]).classes {
        act(&mut session, Command::EditClasses { edit: ClassEdit::Add { class } });
    }
    act(&mut session, Command::AddLabels { scene: SceneId(1), name: None });
    let labels = session.layers().iter().find(|layer| layer.source.labels().is_some()).unwrap().id;
    (session, labels, map)
}

fn paint(session: &mut Session, class: u32, [from_col, from_row, to_col, to_row]: [f64; 4]) {
    let gesture = Gesture::Rectangle { from: PixelPos::new(from_col, from_row), to: PixelPos::new(to_col, to_row) };
    let rule = PaintRule { class: Some(ClassId(class)), onto: Target::Any };
    act(session, Command::Paint { labels: LABELS, gesture, rule });
}

#[test]
fn labels_are_matched_by_name_and_the_answer_follows_them() {
    let folder = tempfile::tempdir().unwrap();
    let (mut session, labels, map) = desk(folder.path());
    // Ice (2 here, 1 on the map): 10 x 10 pixels, all on ice. Rock: 10 x 20, half of it on ice.
    paint(&mut session, 2, [0.0, 0.0, 10.0, 10.0]);
    paint(&mut session, 1, [15.0, 0.0, 25.0, 20.0]);

    act(&mut session, Command::Judge(request(JudgeTruth::Layer { layer: labels }, map)));

    let found = session.judgement().unwrap();
    let (ice, rock) = (ClassId(1), ClassId(2));
    assert_eq!(found.matrix.counts(), [100, 0, 100, 100]);
    assert_eq!(found.matrix.overall_accuracy(), Some(200.0 / 300.0));
    // Truth, then map: rock is 1 in the project and 2 on the map.
    assert_eq!(found.by_name, [(ClassId(1), rock, "Rock".to_owned()), (ClassId(2), ice, "Ice".to_owned())]);
    assert_eq!(found.examples[&(rock, ice)], [17, 0]);
    assert!(!session.judgement_stale());

    // The rock on ice becomes ice: 100 pixels go from wrong to right.
    paint(&mut session, 2, [15.0, 0.0, 20.0, 20.0]);
    session.poll();
    assert!(session.judgement_stale());
    let events = caught_up(&mut session);

    assert!(events.contains(&Event::Judged));
    assert!(!events.iter().any(|event| matches!(event, Event::JobEnded { .. })), "nobody asked: {events:?}");
    assert_eq!(session.judgement().unwrap().matrix.counts(), [200, 0, 0, 100]);
    act(&mut session, Command::Undo);
    caught_up(&mut session);
    assert_eq!(session.judgement().unwrap().matrix.counts(), [100, 0, 100, 100]);
}

#[test]
fn only_held_out_blocks_count() {
    let folder = tempfile::tempdir().unwrap();
    let (mut session, labels, map) = desk(folder.path());
    paint(&mut session, 2, [0.0, 0.0, 40.0, 20.0]);
    let held_out = HeldOut { block_px: 5, share: 0.25, seed: 11 };
    let asked = JudgeRequest { held_out: Some(held_out), ..request(JudgeTruth::Layer { layer: labels }, map) };

    act(&mut session, Command::Judge(asked));

    // 8 x 4 blocks of 25 pixels, a quarter of them: 8 blocks; left ones are ice on both.
    let split = SpatialSplit::new(40, 20, 5, 0.25, 11);
    let pixels = (0..20).flat_map(|row| (0..40).map(move |col| (col, row)));
    let left = pixels.filter(|&(col, row)| split.held_out(col, row) && col < 20).count() as u64;
    let matrix = &session.judgement().unwrap().matrix;
    assert_eq!(matrix.total(), 200);
    assert_eq!(matrix.count(ClassId(1), ClassId(1)), left);
    assert_eq!(matrix.count(ClassId(1), ClassId(2)), 200 - left);
}

#[test]
fn a_sample_of_points_gives_the_areas_of_the_paper() {
    let folder = tempfile::tempdir().unwrap();
    let case = &fixture("area.json")[0];
    let counts: Vec<Vec<u64>> = serde_json::from_value(case["counts"].clone()).unwrap();
    // A hundredth of the paper's map: 2000, 1500, 32000 and 64500 pixels in rows of 500.
    let ids: Vec<u16> = [(1, 2000), (2, 1500), (3, 32_000), (4, 64_500)]
        .into_iter()
        .flat_map(|(id, n)| std::iter::repeat_n(id, n))
        .collect();
    let names = [(1, "Deforestation"), (2, "Gain"), (3, "Forest"), (4, "Other")];
    let map = write_map(&folder.path().join("map.tif"), 500, &ids, named(&names));
    // The first pixels of each mapped class, one point each; rows of the fixture are the map.
    let mut features = Vec::new();
    for (stratum, row) in counts.iter().enumerate() {
        let mut pixel = ids.iter().position(|id| usize::from(*id) == stratum + 1).unwrap();
        for (class, n) in row.iter().enumerate() {
            for _ in 0..*n {
                let (x, y) = (500_005.0 + 10.0 * (pixel % 500) as f64, 3_999_995.0 - 10.0 * (pixel / 500) as f64);
                features.push(serde_json::json!({ "type": "Feature", "properties": { "class": class + 1 },
                    "geometry": { "type": "Point", "coordinates": [x, y] } }));
                pixel += 1;
            }
        }
    }
    let points = folder.path().join("points.geojson");
    let crs = serde_json::json!({ "type": "name", "properties": { "name": "urn:ogc:def:crs:EPSG::32633" } });
    let json = serde_json::json!({ "type": "FeatureCollection", "crs": crs, "features": features });
    std::fs::write(&points, json.to_string()).unwrap();
    let mut session = session();
    let map = open(&mut session, &map).1;
    let truth = JudgeTruth::File { path: points, field: Some("class".to_owned()) };

    act(&mut session, Command::Judge(JudgeRequest { area_adjusted: true, ..request(truth, map) }));

    let found = session.judgement().unwrap();
    let areas = found.areas.as_ref().unwrap();
    // Pixels of a UTM zone are not all of one size on the ellipsoid: 1e-4 apart here.
    let close = |ours: f64, theirs: &Value, tolerance: f64, what: &str| {
        let theirs = theirs.as_f64().unwrap();
        assert!((ours - theirs).abs() < tolerance * theirs.abs(), "{what}: {ours} instead of {theirs}");
    };
    close(areas.accuracy.overall.value, &case["overall"], 1e-4, "overall");
    close(areas.accuracy.overall.standard_error, &case["overall_se"], 1e-3, "standard error");
    let total: f64 = areas.accuracy.classes.iter().map(|class| class.mapped_area).sum();
    for (index, class) in areas.accuracy.classes.iter().enumerate() {
        close(class.users.unwrap().value, &case["users"][index], 1e-12, "user's accuracy");
        close(class.producers.unwrap().value, &case["producers"][index], 1e-3, "producer's accuracy");
        close(1e7 * class.area.value / total, &case["area"][index], 1e-3, "area");
        close(1e7 * class.area.standard_error / total, &case["area_se"][index], 1e-3, "error of the area");
    }
    // 100 000 pixels of 100 m² are 1000 ha, less what UTM shrinks in the middle of its zone.
    assert_eq!(areas.unit, "ha");
    assert!((total - 1000.0).abs() < 1.0, "{total}");
}

#[test]
fn a_comparison_is_written_as_page_and_table() {
    let folder = tempfile::tempdir().unwrap();
    let (mut session, labels, map) = desk(folder.path());
    let (html, csv) = (folder.path().join("a.html"), folder.path().join("a.csv"));
    let save = Command::SaveJudgement { html: Some(html.clone()), csv: Some(csv.clone()), overwrite: false };
    assert!(session.dispatch(save.clone()).unwrap_err().to_string().contains("judge a map first"));
    paint(&mut session, 2, [0.0, 0.0, 10.0, 10.0]);
    paint(&mut session, 1, [15.0, 0.0, 25.0, 20.0]);
    act(&mut session, Command::Judge(request(JudgeTruth::Layer { layer: labels }, map)));

    act(&mut session, save);

    let table = std::fs::read_to_string(csv).unwrap();
    assert!(table.starts_with("truth \\ map,Ice,Rock\nIce,100,0\nRock,100,100\n"), "{table}");
    assert!(std::fs::read_to_string(html).unwrap().contains("Rock was matched by name"));
}

#[test]
fn what_cannot_be_judged_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let (mut session, labels, map) = desk(folder.path());
    let layer = |layer| JudgeTruth::Layer { layer };
    let mut refused = |request| session.dispatch(Command::Judge(request)).unwrap_err().to_string();

    assert!(refused(request(layer(map), map)).contains("says nothing about itself"));
    assert!(refused(request(layer(labels), LayerId(1))).contains("neither a class map"));
    assert!(refused(request(layer(labels), LayerId(99))).contains("there is no layer 99"));
    let held_out = Some(HeldOut { block_px: 0, share: 0.5, seed: 1 });
    assert!(refused(JudgeRequest { held_out, ..request(layer(labels), map) }).contains("held-out blocks"));
}
