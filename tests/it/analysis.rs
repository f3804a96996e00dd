//! The verbs that classify and judge, against what numpy, scikit-learn and `spectral` computed
//! (tests/fixtures/statistics/README.md).
#![allow(clippy::disallowed_methods, reason = "fixtures need no atomic writer")]

use std::path::PathBuf;
use std::process::{Command, Output};

use nunatak_domain::grid::PixelRect;
use nunatak_domain::raster::RasterSource;
use serde_json::Value;

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nunatak"));
        command.args(words).current_dir(self.0.path()).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
        command.output().expect("the program starts")
    }

    fn json(&self, words: &[&str]) -> Value {
        let output = self.run(&[words, &["--json"]].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "nunatak {}: {error}", words.join(" "));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// What is said on stderr by a command that must fail.
    fn refused(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(1), "nunatak {}", words.join(" "));
        String::from_utf8(output.stderr).expect("UTF-8")
    }

    /// An ENVI raster of float32, or of bytes where `bytes` says so; `[band, row, col]`.
    fn raster(&self, name: &str, size: [usize; 3], bytes: bool, values: &[f64], more: &str) {
        let [bands, height, width] = size;
        assert_eq!(values.len(), bands * height * width);
        let data: Vec<u8> = values
            .iter()
            .flat_map(|&value| if bytes { vec![value as u8] } else { (value as f32).to_le_bytes().to_vec() })
            .collect();
        std::fs::write(self.path(name), data).expect("written");
        let kind = if bytes { 1 } else { 4 };
        let header = format!(
            "ENVI\nsamples = {width}\nlines = {height}\nbands = {bands}\nheader offset = 0\nfile type = ENVI Standard\n\
             data type = {kind}\ninterleave = bsq\nbyte order = 0\n{more}"
        );
        std::fs::write(self.path(name).with_extension("hdr"), header).expect("written");
    }

    fn pixels(&self, name: &str) -> Vec<f32> {
        let mut source = nunatak_io::open(&self.path(name)).expect("a raster");
        let (width, height) = (source.info().width, source.info().height);
        source.read_window(PixelRect::whole(width, height), &[0]).expect("pixels").data
    }
}

fn fixture(name: &str) -> Value {
    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    let text = std::fs::read_to_string(format!("{root}/tests/fixtures/statistics/{name}.json")).expect("a fixture");
    serde_json::from_str(&text).expect("JSON")
}

/// Numbers, NaN where there is none.
fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
}

fn close(found: &Value, expected: &Value, what: &str) {
    let (found, expected) = (found.as_f64().expect(what), expected.as_f64().expect(what));
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1e-3), "{what}: {found} instead of {expected}");
}

#[test]
fn class_maps_equal_those_of_spectral() {
    let desk = Desk::new();
    let scene = fixture("classify");
    let size = |name: &str| scene[name].as_u64().expect("size") as usize;
    let (bands, height, width) = (size("bands"), size("height"), size("width"));
    desk.raster("scene.img", [bands, height, width], false, &numbers(&scene["stored"]), "");
    desk.raster("mask.img", [1, height, width], true, &numbers(&scene["mask"]), "");

    for (method, classes) in [
        ("sam", "angle_class"),
        ("min-distance", "distance_class"),
        ("max-likelihood", "gaussian_class"),
        ("mahalanobis", "mahalanobis_class"),
    ] {
        let (out, score) = (format!("{method}.tif"), format!("{method}-score.tif"));
        let words = ["classify", "--method", method, "--training", "mask.img", "scene.img", &out, "--score", &score];
        let report = desk.json(&words);

        let found = desk.pixels(&out);
        let expected: Vec<f32> = numbers(&scene[classes]).iter().map(|&class| class as f32).collect();
        assert!(found == expected, "{method}");
        let counted: u64 =
            report["classes"].as_array().expect("rows").iter().filter_map(|c| c["pixels"].as_u64()).sum();
        assert_eq!(counted as usize, width * height);
    }
    for (found, expected) in desk.pixels("sam-score.tif").iter().zip(numbers(&scene["angle"])) {
        assert!((f64::from(*found) - expected).abs() < 1e-7, "{found} instead of {expected}");
    }
}

#[test]
fn what_a_method_cannot_do_is_one_sentence() {
    let desk = Desk::new();
    desk.raster("scene.img", [2, 2, 2], false, &[1.0, 2.0, 3.0, 4.0, 4.0, 3.0, 2.0, 1.0], "");
    std::fs::write(desk.path("r.csv"), "name,b1,b2\nice,1,4\nrock,4,1\n").expect("written");

    let bare = desk.refused(&["classify", "--method", "max-likelihood", "r.csv", "scene.img", "o.tif"]);
    assert!(bare.starts_with("error: max-likelihood needs to know how the pixels of a class spread"), "{bare}");
    let limit = desk.refused(&["classify", "--method", "sam", "r.csv", "scene.img", "o.tif", "--max-distance", "1"]);
    assert!(limit.starts_with("error: --max-distance is no limit of sam: its limit is --max-angle"), "{limit}");
    let index = desk.refused(&["index", "(b3-b1)/b1", "scene.img", "o.tif"]);
    assert!(index.contains("there is no band 3, the scene has 2"), "{index}");
    let none = desk.refused(&["replay", "scene.img"]);
    assert!(none.starts_with("error: the file carries no recipe"), "{none}");
    assert!(!desk.path("o.tif").exists());
}

#[test]
fn accuracy_equals_scikit_learn() {
    let desk = Desk::new();
    let cases = fixture("confusion");
    let case = &cases[0];
    desk.raster("truth.img", [1, 10, 20], true, &numbers(&case["reference"]), "");
    desk.raster("map.img", [1, 10, 20], true, &numbers(&case["map"]), "");

    let report = desk.json(&["accuracy", "truth.img", "map.img", "--csv", "r.csv", "--html", "r.html"]);

    assert_eq!(report["confusion"]["counts"], case["counts"]);
    for (name, expected) in [
        ("overall_accuracy", "overall_accuracy"),
        ("kappa", "kappa"),
        ("mean_f1", "macro_f1"),
        ("mean_iou", "mean_iou"),
        ("frequency_weighted_iou", "frequency_weighted_iou"),
    ] {
        close(&report[name], &case[expected], name);
    }
    for name in ["precision", "recall", "f1", "iou"] {
        for (class, expected) in report["classes"].as_array().expect("rows").iter().zip(numbers(&case[name])) {
            close(&class[name], &expected.into(), name);
        }
    }
    let csv = std::fs::read_to_string(desk.path("r.csv")).expect("a table");
    assert!(csv.starts_with("truth \\ map,Class 1,Class 2,Class 3\nClass 1,45,8,6\n"), "{csv}");
    let html = std::fs::read_to_string(desk.path("r.html")).expect("a page");
    assert!(html.contains("71.5 %") && !html.contains("http"), "{html}");
    assert!(desk.path("r.html.recipe.json").exists());
}

#[test]
fn area_adjusted_accuracy_equals_the_paper() {
    let desk = Desk::new();
    let cases = fixture("area");
    let case = &cases[0];
    let (mut map, mut truth) = (Vec::new(), Vec::new());
    for (class, mapped) in numbers(&case["mapped"]).into_iter().enumerate() {
        let start = map.len();
        map.resize(start + mapped as usize, class as f64 + 1.0);
        // The sample lies in the first pixels of each stratum.
        for (reference, n) in numbers(&case["counts"][class]).into_iter().enumerate() {
            truth.resize(truth.len() + n as usize, reference as f64 + 1.0);
        }
        truth.resize(map.len(), 0.0);
    }
    desk.raster("map.img", [1, 2500, 4000], true, &map, "");
    desk.raster("truth.img", [1, 2500, 4000], true, &truth, "");

    let report = desk.json(&["accuracy", "truth.img", "map.img", "--area-adjusted"]);

    close(&report["area_adjusted_accuracy"], &case["overall"], "overall");
    close(&report["area_adjusted_accuracy_se"], &case["overall_se"], "overall error");
    assert_eq!(report["area_unit"], "px");
    for (index, class) in report["areas"].as_array().expect("rows").iter().enumerate() {
        close(&class["area"], &case["area"][index], "area");
        close(&class["area_se"], &case["area_se"][index], "area error");
        close(&class["users"], &case["users"][index], "user's accuracy");
        close(&class["producers"], &case["producers"][index], "producer's accuracy");
    }
}

#[test]
fn an_index_equals_numpy_and_carries_nodata() {
    let desk = Desk::new();
    let case = fixture("index");
    let bands = ["blue", "red", "nir"].map(|name| numbers(&case[name])).concat();
    desk.raster("scene.img", [3, 1, 40], false, &bands, "band names = {blue, red, nir}\n");

    let report = desk.json(&["index", "ndvi", "scene.img", "ndvi.tif"]);
    desk.json(&["index", "(b3-b2)/(b3+b2)", "scene.img", "formula.tif"]);

    let expected = numbers(&case["ndvi"]);
    for name in ["ndvi.tif", "formula.tif"] {
        for (found, expected) in desk.pixels(name).iter().zip(&expected) {
            let same = found.is_nan() && expected.is_nan();
            assert!(same || (f64::from(*found) - expected).abs() < 1e-6, "{found} instead of {expected}");
        }
    }
    assert_eq!(report["nodata_px"], expected.iter().filter(|value| value.is_nan()).count());
    assert_eq!(desk.json(&["index", "--list"])[0]["id"], "ndvi");
}

/// 60 × 50: class 1 on the left, 2 on the right, single pixels of 3 between them.
fn striped(desk: &Desk) {
    let class = |at: usize| match (at % 60, at / 60) {
        (col, row) if col % 10 == 5 && row % 10 == 5 => 3.0,
        (col, _) if col < 40 => 1.0,
        _ => 2.0,
    };
    desk.raster("map.img", [1, 50, 60], true, &(0..3000).map(class).collect::<Vec<_>>(), "");
}

#[test]
fn a_sample_is_blind_repeatable_and_has_its_share_of_each_class() {
    let desk = Desk::new();
    striped(&desk);

    let report = desk.json(&["sample", "map.img", "a.csv", "--n", "300", "--min-per-class", "20", "--seed", "7"]);
    desk.json(&["sample", "map.img", "b.csv", "--n", "300", "--min-per-class", "20", "--seed", "7"]);
    desk.json(&["sample", "map.img", "p.gpkg", "--n", "300"]);

    // 30 pixels of class 3, the other 280 points by area: 280 · (1980, 990) / 2970.
    let strata = report["strata"].as_array().expect("rows");
    assert_eq!(strata.iter().map(|row| row["points"].as_u64()).collect::<Vec<_>>(), [Some(187), Some(93), Some(20)]);
    let text = std::fs::read_to_string(desk.path("a.csv")).expect("points");
    assert_eq!(text, std::fs::read_to_string(desk.path("b.csv")).expect("points"));
    assert_eq!(text.lines().count(), 301);
    assert!(text.lines().skip(1).all(|line| line.ends_with(',')), "no class is told");
    let classes = desk.pixels("map.img");
    let mut of_three = 0;
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let (col, row): (usize, usize) = (cells[3].parse().expect("col"), cells[4].parse().expect("row"));
        of_three += usize::from(classes[row * 60 + col] == 3.0);
    }
    assert_eq!(of_three, 20);
    assert!(desk.path("p.gpkg").exists() && desk.path("a.csv.recipe.json").exists());
}

#[test]
fn a_sieve_gives_single_pixels_to_what_surrounds_them() {
    let desk = Desk::new();
    striped(&desk);

    let report = desk.json(&["sieve", "map.img", "clean.tif", "--min-size", "5", "--connectivity", "8"]);

    assert_eq!(report["changed_px"], 30);
    let found = desk.pixels("clean.tif");
    assert!(found.iter().enumerate().all(|(at, &class)| class == if at % 60 < 40 { 1.0 } else { 2.0 }));
    let nothing = desk.refused(&["sieve", "map.img", "again.tif"]);
    assert!(nothing.starts_with("error: there is nothing to do"), "{nothing}");
}

#[test]
fn a_replay_tells_whether_the_result_is_the_same() {
    let desk = Desk::new();
    striped(&desk);
    desk.json(&["sieve", "map.img", "clean.tif", "--min-size", "5"]);

    let report = desk.json(&["replay", "clean.tif", "--out", "again.tif"]);
    assert_eq!((&report["identical"], &report["n_different"]), (&true.into(), &0.into()));
    assert_eq!(report["inputs"][0]["state"], "same");
    assert_eq!(desk.pixels("again.tif"), desk.pixels("clean.tif"));

    let mut other = std::fs::read(desk.path("map.img")).expect("pixels");
    other[..120].fill(2);
    std::fs::write(desk.path("map.img"), other).expect("written");
    let text = desk.refused(&["replay", "clean.tif"]);
    assert!(text.contains("warning: map has changed since"), "{text}");
}

#[test]
fn spectra_are_shown_converted_and_resampled() {
    let desk = Desk::new();
    let csv = "name,450,550,650,750\nsoil,10,20,30,40\ngrass,5,10,5,50\n";
    std::fs::write(desk.path("library.csv"), csv).expect("written");
    std::fs::write(desk.path("bands.csv"), "wavelength,fwhm\n500,20\n700,20\n").expect("written");

    desk.json(&["spectra", "convert", "library.csv", "library.sli"]);
    let shown = desk.json(&["spectra", "show", "library.sli"]);
    desk.json(&["spectra", "convert", "library.sli", "two.csv", "--bands", "bands.csv", "--method", "linear"]);

    assert_eq!(shown["n_spectra"], 2);
    assert_eq!((&shown["spectra"][1]["name"], &shown["spectra"][1]["bands"]), (&"grass".into(), &4.into()));
    assert_eq!((&shown["spectra"][0]["from_nm"], &shown["spectra"][0]["to_nm"]), (&450.0.into(), &750.0.into()));
    let text = std::fs::read_to_string(desk.path("two.csv")).expect("a table");
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    // Halfway between their neighbours: (10 + 20) / 2, (30 + 40) / 2; (5 + 10) / 2, (5 + 50) / 2.
    assert_eq!(
        (&rows[1][rows[1].len() - 2..], &rows[2][rows[2].len() - 2..]),
        (&["15", "35"][..], &["7.5", "27.5"][..])
    );
    assert!(desk.path("two.csv.recipe.json").exists());
}

#[test]
fn separability_of_labelled_pixels_equals_numpy() {
    let desk = Desk::new();
    let case = fixture("separability");
    let classes = case["classes"].as_array().expect("classes");
    let pixels: Vec<(usize, Vec<f64>)> = classes
        .iter()
        .enumerate()
        .flat_map(|(class, one)| {
            one["pixels"].as_array().expect("pixels").iter().map(move |pixel| (class + 1, numbers(pixel)))
        })
        .collect();
    let n = pixels.len();
    let bands: Vec<f64> = (0..4).flat_map(|band| pixels.iter().map(move |(_, pixel)| pixel[band])).collect();
    desk.raster("scene.img", [4, 1, n], false, &bands, "");
    let ids: Vec<f64> = pixels.iter().map(|(class, _)| *class as f64).collect();
    desk.raster("labels.img", [1, 1, n], true, &ids, "");

    let report = desk.json(&["separability", "labels.img", "--raster", "scene.img"]);

    let pairs = report["pairs"].as_array().expect("pairs");
    assert_eq!(pairs.len(), 3);
    for expected in case["pairs"].as_array().expect("pairs") {
        let name = |key: &str| format!("Class {}", expected[key].as_u64().expect("index") + 1);
        let pair = pairs.iter().find(|pair| pair["name"] == name("a") && pair["other"] == name("b")).expect("a pair");
        for key in ["jeffries_matusita", "transformed_divergence"] {
            let (found, expected) = (pair[key].as_f64().expect(key), expected[key].as_f64().expect(key));
            // The raster holds float32.
            assert!((found - expected).abs() < 1e-5, "{key}: {found} instead of {expected}");
        }
    }
    let alone = desk.refused(&["separability", "labels.img"]);
    assert!(alone.starts_with("error: labels need the raster whose pixels they are on"), "{alone}");
}
