//! GeoTIFFs through the sink: what is written is what was asked for, whole or not at all.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::fs;
use std::path::{Path, PathBuf};

use nunatak_domain::class::{Class, ClassId, ClassScheme, Rgb};
use nunatak_domain::geo::{Gcp, GeoPos, GeoTransform, Georeference, PixelPos};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::raster::{Raster, RasterSink, RasterSource};
use nunatak_domain::recipe::Recipe;
use nunatak_domain::scene::DataType;
use nunatak_io::atomic::write_text;
use nunatak_io::{GeoTiffConfig, GeoTiffSink, PreparedGeoTiff, class_scheme, open, read_qml, read_recipe};
use nunatak_jobs::{Cancelled, Monitor, Silent};

const TRANSFORM: GeoTransform = GeoTransform([500_000.0, 10.0, 0.0, 7_000_000.0, 0.0, -10.0]);

fn recipe(note: &str) -> Recipe {
    Recipe::new(serde_json::json!({ "command": "predict", "note": note }))
}

fn scheme() -> ClassScheme {
    let class = |id, name: &str, color| Class::new(ClassId(id), name, Rgb(color));
    ClassScheme {
        classes: vec![
            class(0, "background", [0, 0, 0]),
            class(1, "clean ice", [80, 160, 255]),
            class(5, "Moräne", [120, 90, 60]),
        ],
    }
}

fn config(path: &Path, width: usize, height: usize) -> GeoTiffConfig {
    GeoTiffConfig {
        path: path.to_owned(),
        width,
        height,
        bands: vec!["class".to_owned()],
        data_type: DataType::UInt8,
        nodata: Some(255.0),
        crs: Some(nunatak_io::crs_from_user("EPSG:32632").unwrap()),
        georeference: Georeference::Affine { transform: TRANSFORM },
        classes: Some(scheme()),
        recipe: recipe("a"),
        overwrite: false,
    }
}

/// Class 0, 1 or 5 by place; NaN on a diagonal.
fn class_at(col: usize, row: usize) -> f32 {
    if col == row { f32::NAN } else { [0.0, 1.0, 5.0][(col / 40 + row / 30) % 3] }
}

fn window(rect: PixelRect, value: impl Fn(usize, usize) -> f32) -> Raster {
    let rows = (rect.row..rect.bottom()).flat_map(|row| (rect.col..rect.right()).map(move |col| (col, row)));
    Raster::new(1, rect.width, rect.height, rows.map(|(col, row)| value(col, row)).collect())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

fn assert_same(read: &Raster, value: impl Fn(usize, usize) -> f32) {
    for row in 0..read.height {
        for col in 0..read.width {
            let (found, expected) = (read.get(0, col, row), value(col, row));
            assert!(found == expected || found.is_nan() && expected.is_nan(), "{found} for {expected} at {col}, {row}");
        }
    }
}

#[test]
fn a_class_map_written_in_any_order_is_whole_and_styled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("class.tif");
    let (width, height) = (700, 530);

    let mut sink = GeoTiffSink::create(config(&path, width, height)).unwrap();
    let mut windows: Vec<_> = PixelRect::tiles(width, height, 100).collect();
    windows.reverse();
    windows.swap(3, 20);
    for rect in windows {
        sink.write(rect.col, rect.row, &window(rect, class_at)).unwrap();
    }
    assert!(!path.exists(), "visible before it is finished");
    let written = sink.finish(&Silent).unwrap();

    assert_eq!(written[0], path);
    assert_eq!(names(folder.path()), ["class.qml", "class.tif", "class.tif.aux.xml"]);
    let mut source = open(&path).unwrap();
    assert_same(&source.read_window(PixelRect::whole(width, height), &[0]).unwrap(), class_at);
    let info = source.info();
    assert_eq!(info.georeference, Georeference::Affine { transform: TRANSFORM });
    assert_eq!(info.crs.as_ref().unwrap().code.as_deref(), Some("EPSG:32632"));
    assert_eq!(info.bands[0].nodata, Some(255.0));
    assert_eq!(info.overviews, [(350, 265), (175, 133)]);
    assert_eq!(info.block, (256, 256));
    assert_eq!(class_scheme(info), scheme());
    assert_eq!(read_qml(folder.path().join("class.qml")).unwrap(), scheme());
    assert_eq!(read_recipe(&path).unwrap(), Some(recipe("a")));
}

#[test]
fn overviews_of_a_class_map_invent_no_class() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("class.tif");
    let mut sink = GeoTiffSink::create(config(&path, 600, 600)).unwrap();
    let stripes = |col: usize, _row: usize| if col.is_multiple_of(3) { 1.0 } else { 5.0 };
    let whole = PixelRect::whole(600, 600);
    sink.write(0, 0, &window(whole, stripes)).unwrap();
    sink.finish(&Silent).unwrap();

    let coarse = open(&path).unwrap().read(whole, &[0], 150, 150).unwrap();

    assert!(coarse.data.iter().all(|v| [1.0, 5.0].contains(v)));
}

#[test]
fn a_cog_has_the_layout_of_one_and_keeps_its_classes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("class.tif");
    let (width, height) = (1100, 600);
    let mut sink = GeoTiffSink::create(config(&path, width, height)).unwrap();
    for rect in PixelRect::tiles(width, height, 256) {
        sink.write(rect.col, rect.row, &window(rect, class_at)).unwrap();
    }
    PreparedGeoTiff::commit_all(vec![sink.prepare_cog(&Silent).unwrap()]).unwrap();

    let dataset = gdal::Dataset::open(&path).unwrap();
    let layout = gdal::Metadata::metadata_item(&dataset, "LAYOUT", "IMAGE_STRUCTURE");
    assert_eq!(layout.as_deref(), Some("COG"));
    let mut source = open(&path).unwrap();
    assert_same(&source.read_window(PixelRect::whole(width, height), &[0]).unwrap(), class_at);
    assert_eq!(class_scheme(source.info()), scheme());
    assert!(!source.info().overviews.is_empty());
    assert_eq!(read_recipe(&path).unwrap(), Some(recipe("a")));
    assert_eq!(names(folder.path()), ["class.qml", "class.tif", "class.tif.aux.xml"]);
}

#[test]
fn a_sink_that_is_not_finished_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("class.tif");
    write_text(&path, "old", false).unwrap();

    let refused = GeoTiffSink::create(config(&path, 64, 64)).err().expect("not asked to overwrite").to_string();
    let mut sink = GeoTiffSink::create(config(&path, 64, 64).overwrite(true)).unwrap();
    sink.write(0, 0, &window(PixelRect::whole(64, 64), class_at)).unwrap();
    drop(sink);

    assert_eq!(refused, format!("{} exists; add --overwrite", path.display()));
    assert_eq!(names(folder.path()), ["class.tif"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
}

#[test]
fn an_interrupted_file_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("class.tif");
    let (width, height) = (640, 640);
    let windows: Vec<_> = PixelRect::tiles(width, height, 128).collect();
    let (first, rest) = windows.split_at(10);

    let mut sink = GeoTiffSink::resume_or_create(config(&path, width, height)).unwrap();
    for rect in first {
        sink.write(rect.col, rect.row, &window(*rect, class_at)).unwrap();
    }
    sink.flush().unwrap();
    // This one is not flushed: an interruption may lose it.
    sink.write(rest[0].col, rest[0].row, &window(rest[0], class_at)).unwrap();
    drop(sink);
    assert_eq!(names(folder.path()), [".class.tif.partial.json", ".class.tif.partial.tif"]);

    let mut sink = GeoTiffSink::resume_or_create(config(&path, width, height)).unwrap();
    assert!(first.iter().all(|rect| sink.has(*rect)) && !rest.iter().any(|rect| sink.has(*rect)));
    for rect in rest {
        sink.write(rect.col, rect.row, &window(*rect, class_at)).unwrap();
    }
    sink.finish(&Silent).unwrap();

    assert_same(&open(&path).unwrap().read_window(PixelRect::whole(width, height), &[0]).unwrap(), class_at);
    assert_eq!(names(folder.path()), ["class.qml", "class.tif", "class.tif.aux.xml"]);
}

#[test]
fn a_style_of_somebody_else_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("class.tif");
    write_text(folder.path().join("class.qml"), "mine", false).unwrap();
    let mut sink = GeoTiffSink::create(config(&path, 64, 64)).unwrap();
    sink.write(0, 0, &window(PixelRect::whole(64, 64), class_at)).unwrap();

    sink.finish(&Silent).unwrap();

    assert_eq!(fs::read_to_string(folder.path().join("class.qml")).unwrap(), "mine");
}

#[test]
fn another_recipe_starts_afresh() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("class.tif");
    let rect = PixelRect::whole(64, 64);
    let mut sink = GeoTiffSink::resume_or_create(config(&path, 64, 64)).unwrap();
    sink.write(0, 0, &window(rect, class_at)).unwrap();
    sink.flush().unwrap();
    drop(sink);

    let other = GeoTiffConfig { recipe: recipe("b"), ..config(&path, 64, 64) };
    let sink = GeoTiffSink::resume_or_create(other).unwrap();

    assert!(!sink.has(rect));
}

#[test]
fn float_layers_keep_values_rotation_and_control_points() {
    let folder = tempfile::tempdir().unwrap();
    let rotated = GeoTransform([10.0, 0.5, 0.25, 50.0, 0.25, -0.5]);
    let gcp = |col, row| Gcp { pixel: PixelPos::new(col, row), geo: GeoPos::new(10.0 + col, 50.0 - row), z: 3.0 };
    let crs = nunatak_io::crs_from_user("EPSG:4326").unwrap();
    let places = [
        Georeference::Affine { transform: rotated },
        Georeference::Gcps { points: vec![gcp(0.0, 0.0), gcp(20.0, 0.0), gcp(0.0, 10.0)], crs: Some(crs.clone()) },
        Georeference::None,
    ];
    for (index, georeference) in places.into_iter().enumerate() {
        let path = folder.path().join(format!("layer{index}.tif"));
        let layer = GeoTiffConfig {
            bands: vec!["margin".to_owned(), "entropy".to_owned()],
            data_type: DataType::Float32,
            nodata: Some(f64::NAN),
            crs: matches!(georeference, Georeference::Affine { .. }).then(|| crs.clone()),
            georeference: georeference.clone(),
            classes: None,
            ..config(&path, 20, 10)
        };
        let mut values = Raster::new(2, 20, 10, (0..400).map(|i| i as f32 / 7.0).collect());
        values.data[5] = f32::NAN;
        let mut sink = GeoTiffSink::create(layer).unwrap();
        sink.write(0, 0, &values).unwrap();
        sink.finish(&Silent).unwrap();

        let mut source = open(&path).unwrap();
        let read = source.read_window(PixelRect::whole(20, 10), &[0, 1]).unwrap();
        assert!(
            read.data.iter().zip(&values.data).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
        );
        let info = source.info();
        assert_eq!(info.bands.iter().map(|band| band.name.as_str()).collect::<Vec<_>>(), ["margin", "entropy"]);
        match (&info.georeference, &georeference) {
            (Georeference::Gcps { points, crs }, Georeference::Gcps { points: expected, .. }) => {
                assert_eq!(points, expected);
                assert_eq!(crs.as_ref().unwrap().code.as_deref(), Some("EPSG:4326"));
            }
            (found, expected) => assert_eq!(found, expected),
        }
    }
}

/// Runs one test of this binary again as a process of its own, with `folder` in `variable`;
/// `before` is what the shell does first.
#[cfg(target_os = "linux")]
fn in_a_process(test: &str, before: &str, variable: &str, folder: &Path) -> bool {
    let status = std::process::Command::new("bash")
        .args(["-c", &format!("{before} exec \"$0\" --exact {test}")])
        .arg(std::env::current_exe().unwrap())
        .env(variable, folder)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    status.unwrap().success()
}

/// The inside of the test below: dies after 45 windows, of which 40 are flushed.
#[test]
fn until_it_dies() {
    let Some(folder) = std::env::var_os("NUNATAK_DIES").map(PathBuf::from) else { return };
    let mut sink = GeoTiffSink::resume_or_create(config(&folder.join("class.tif"), 1000, 1000)).unwrap();
    let left: Vec<_> = PixelRect::tiles(1000, 1000, 100).filter(|rect| !sink.has(*rect)).collect();
    for (index, rect) in left.into_iter().enumerate() {
        if index == 45 {
            std::process::abort();
        }
        sink.write(rect.col, rect.row, &window(rect, class_at)).unwrap();
        if index % 20 == 19 {
            sink.flush().unwrap();
        }
    }
    sink.finish(&Silent).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_process_loses_no_flushed_window() {
    let folder = tempfile::tempdir().unwrap();
    let run = || in_a_process("until_it_dies", "ulimit -c 0;", "NUNATAK_DIES", folder.path());

    let finished = [run(), run(), run()];

    assert_eq!(finished, [false, false, true]);
    let mut source = open(&folder.path().join("class.tif")).unwrap();
    assert_same(&source.read_window(PixelRect::whole(1000, 1000), &[0]).unwrap(), class_at);
    assert_eq!(names(folder.path()), ["class.qml", "class.tif", "class.tif.aux.xml"]);
}

fn noise(col: usize, row: usize) -> f32 {
    let mixed = (col as u64 * 0x9e37_79b9 + row as u64 * 0x85eb_ca6b).wrapping_mul(0xff51_afd7_ed55_8ccd);
    [0.0, 1.0, 5.0][(mixed >> 33) as usize % 3]
}

/// The inside of the full-disk tests; does nothing when run as a test.
#[test]
fn on_a_small_disk() {
    let Some(folder) = std::env::var_os("NUNATAK_SMALL_DISK").map(PathBuf::from) else { return };
    let path = folder.join("class.tif");
    let mut sink = GeoTiffSink::create(config(&path, 2048, 2048).overwrite(true)).unwrap();
    let failed = PixelRect::tiles(2048, 2048, 256)
        .try_for_each(|rect| sink.write(rect.col, rect.row, &window(rect, noise)))
        .map_err(|error| error.to_string())
        .and_then(|()| sink.finish(&Silent).map(drop).map_err(|error| error.to_string()));
    assert!(failed.unwrap_err().contains("failed to write"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_or_a_kill_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("class.tif");
    write_text(&path, "old", false).unwrap();

    // Ignoring the signal of the limit makes it an error of writing; bash counts in KiB.
    let limit = "ulimit -f 200;";
    let run = |before: &str| in_a_process("on_a_small_disk", before, "NUNATAK_SMALL_DISK", folder.path());
    let noticed = run(&format!("trap '' XFSZ; {limit}"));
    assert!(noticed, "a full disk is an error");
    assert_eq!(names(folder.path()), ["class.tif"]);
    let survived = run(&format!("ulimit -c 0; {limit}"));
    assert!(!survived, "the signal kills");

    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    let mut sink = GeoTiffSink::create(config(&path, 64, 64).overwrite(true)).unwrap();
    sink.write(0, 0, &window(PixelRect::whole(64, 64), class_at)).unwrap();
    sink.finish(&Silent).unwrap();
    assert_eq!(names(folder.path()), ["class.qml", "class.tif", "class.tif.aux.xml"]);
}

/// Cancels from the first word about overviews on.
struct CancelAtOverviews(std::sync::atomic::AtomicBool);

impl Monitor for CancelAtOverviews {
    fn progress(&self, _done: f32, note: &str) {
        if note.contains("overviews") {
            self.0.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }

    fn warn(&self, _notice: nunatak_domain::notice::Notice) {}

    fn check(&self) -> Result<(), Cancelled> {
        if self.0.load(std::sync::atomic::Ordering::Relaxed) { Err(Cancelled) } else { Ok(()) }
    }
}

#[test]
fn outputs_of_one_job_appear_together_and_a_cancel_in_between_leaves_what_can_be_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| folder.path().join(name);
    let rect = PixelRect::whole(600, 600);
    let written = |name: &str| {
        let mut sink = GeoTiffSink::resume_or_create(config(&of(name), 600, 600)).unwrap();
        if !sink.has(rect) {
            sink.write(0, 0, &window(rect, class_at)).unwrap();
        }
        sink
    };

    let first = written("a.tif").prepare(&Silent).unwrap();
    let error = written("b.tif").prepare(&CancelAtOverviews(false.into())).err().expect("cancelled");
    assert_eq!(error.to_string(), "cancelled");
    drop(first);

    assert!(
        names(folder.path())
            .iter()
            .all(|name| name.starts_with(".a.tif.partial.") || name.starts_with(".b.tif.partial."))
    );
    let again = ["a.tif", "b.tif"].map(|name| {
        let sink = written(name);
        assert!(sink.has(rect), "{name} needs no second computation");
        sink.prepare(&Silent).unwrap()
    });
    assert!(!of("a.tif").exists() && !of("b.tif").exists());
    PreparedGeoTiff::commit_all(again.into()).unwrap();
    let all = ["a.qml", "a.tif", "a.tif.aux.xml", "b.qml", "b.tif", "b.tif.aux.xml"];
    assert_eq!(names(folder.path()), all);
}

#[test]
fn an_output_that_cannot_get_its_name_takes_the_others_back_and_stays_resumable() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| folder.path().join(name);
    write_text(of("a.tif"), "old", false).unwrap();
    let rect = PixelRect::whole(64, 64);
    let prepared = |name: &str| {
        let mut sink = GeoTiffSink::resume_or_create(config(&of(name), 64, 64).overwrite(true)).unwrap();
        sink.write(0, 0, &window(rect, class_at)).unwrap();
        sink.prepare(&Silent).unwrap()
    };
    let both = vec![prepared("a.tif"), prepared("b.tif")];
    fs::create_dir(of("b.tif")).unwrap();

    assert!(PreparedGeoTiff::commit_all(both).is_err());

    assert_eq!(fs::read_to_string(of("a.tif")).unwrap(), "old");
    assert!(!of("a.qml").exists() && !of("b.qml").exists() && !of("a.tif.aux.xml").exists());
    assert!(GeoTiffSink::resume_or_create(config(&of("a.tif"), 64, 64).overwrite(true)).unwrap().has(rect));
}
