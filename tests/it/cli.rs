//! The program as a shell sees it: words in, files, text and exit codes out.
#![allow(clippy::disallowed_methods, reason = "fixtures need no atomic writer")]

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A path below the checkout that runs, which need not be the one that was compiled.
fn checkout(path: &str) -> String {
    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    format!("{root}/{path}")
}

/// A folder of its own with the sample scene, model and references in it.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["scene.tif", "model.safetensors", "references.csv"] {
            std::fs::copy(checkout(&format!("sample_scenes/rachel_carson/{name}")), folder.path().join(name))
                .expect(name);
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nunatak"));
        command.args(words).current_dir(self.folder.path()).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("the program starts")
    }

    /// Runs and must succeed; gives stdout.
    fn done(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(0), "nunatak {}: {}", words.join(" "), stderr(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn json(&self, words: &[&str]) -> Value {
        let text = self.done(words);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Names of the files, sorted.
    fn files(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The sample scene stretched to 50000 × 50000 pixels: enough work to be interrupted.
    fn endless_scene(&self) {
        self.stretched_scene("endless.vrt", 50_000);
    }

    /// The sample scene stretched to a square.
    fn stretched_scene(&self, name: &str, side: usize) {
        let info = self.json(&["info", "scene.tif", "--json"]);
        let (width, height) = (&info["width"], &info["height"]);
        let n_bands = info["bands"].as_array().expect("bands").len();
        let bands: String = (1..=n_bands)
            .map(|band| {
                format!(
                    "<VRTRasterBand dataType=\"Byte\" band=\"{band}\"><SimpleSource>\
                     <SourceFilename relativeToVRT=\"1\">scene.tif</SourceFilename><SourceBand>{band}</SourceBand>\
                     <SrcRect xOff=\"0\" yOff=\"0\" xSize=\"{width}\" ySize=\"{height}\"/>\
                     <DstRect xOff=\"0\" yOff=\"0\" xSize=\"{side}\" ySize=\"{side}\"/>\
                     </SimpleSource></VRTRasterBand>"
                )
            })
            .collect();
        let vrt = format!("<VRTDataset rasterXSize=\"{side}\" rasterYSize=\"{side}\">{bands}</VRTDataset>");
        std::fs::write(self.path(name), vrt).expect("written");
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn info_reads_like_a_description() {
    let text = Desk::new().done(&["info", "scene.tif"]);

    for expected in
        ["Driver      GTiff", "8 bands", "EPSG:32618", "10 × 10 m", "Lon/lat", "° W", "B04 red", "664.9", "uint8"]
    {
        assert!(text.contains(expected), "no `{expected}` in\n{text}");
    }
}

#[test]
fn info_as_json_holds_every_field() {
    let info = Desk::new().json(&["info", "scene.tif", "--json", "--stats"]);

    assert_eq!(info["driver"], "GTiff");
    assert_eq!(info["bands"][3]["band"], 4);
    assert_eq!(info["bands"][3]["wavelength_nm"], 664.9);
    assert_eq!(info["crs"]["code"], "EPSG:32618");
    assert!(info["bands"][0]["statistics"]["mean"].as_f64().is_some_and(|mean| mean > 0.0), "{info:#}");
    let west = info["extent_lon_lat"][0].as_f64().expect("longitude");
    assert!((-77.0..-76.0).contains(&west), "{west}");
}

#[test]
fn info_knows_models_too() {
    let desk = Desk::new();

    let text = desk.done(&["info", "model.safetensors"]);
    let json = desk.json(&["info", "--json", "model.safetensors"]);

    assert!(text.contains("SSMGNet, 8 bands in, 6 classes out"), "{text}");
    assert_eq!(json["record"]["classes"].as_array().map(Vec::len), Some(6));
}

#[test]
fn devices_are_listed() {
    let desk = Desk::new();
    assert!(desk.done(&["devices"]).contains("cpu     CPU"));
    assert_eq!(desk.done(&["info", "--devices"]), desk.done(&["devices"]));
}

#[test]
fn predict_writes_class_map_and_entropy_and_reports_counts() {
    let desk = Desk::new();

    let report = desk.json(&[
        "predict",
        "model.safetensors",
        "scene.tif",
        "class.tif",
        "--entropy",
        "entropy.tif",
        "--probabilities",
        "p.tif",
        "--device",
        "cpu",
        "--json",
    ]);

    let counted: u64 = report["classes"].as_array().expect("classes").iter().filter_map(|c| c["pixels"].as_u64()).sum();
    let class = desk.json(&["info", "class.tif", "--json"]);
    let pixels = class["width"].as_u64().expect("width") * class["height"].as_u64().expect("height");
    assert_eq!(counted, pixels, "{report:#}");
    assert!(class["bands"][0]["palette"].is_array(), "a class map has a palette");
    assert_eq!(class["crs"]["code"], "EPSG:32618");
    assert_eq!(desk.json(&["info", "p.tif", "--json"])["bands"].as_array().map(Vec::len), Some(6));
    assert_eq!(desk.json(&["info", "entropy.tif", "--json"])["bands"][0]["data_type"], "float32");
}

#[test]
fn predict_prints_a_table_of_classes() {
    let text = Desk::new().done(&["predict", "model.safetensors", "scene.tif", "class.tif", "--device", "cpu"]);

    assert!(text.starts_with("class.tif\n"), "{text}");
    for expected in ["Device", "Seconds", "Pixels", "Share", "Forested wetland"] {
        assert!(text.contains(expected), "no `{expected}` in\n{text}");
    }
}

#[test]
fn explain_writes_three_rasters_to_a_folder() {
    let desk = Desk::new();

    desk.done(&[
        "explain",
        "model.safetensors",
        "scene.tif",
        "out",
        "--class",
        "2",
        "--window",
        "0,0,96,80",
        "--device",
        "cpu",
    ]);

    for name in ["out/class.tif", "out/attention.tif", "out/gradcam.tif"] {
        let info = desk.json(&["info", name, "--json"]);
        assert_eq!((&info["width"], &info["height"]), (&96.into(), &80.into()), "{name}");
    }
}

#[test]
fn prior_writes_similarity_and_nearest_reference() {
    let desk = Desk::new();

    desk.done(&["prior", "references.csv", "scene.tif", "prior.tif", "--classes", "nearest.tif"]);

    assert_eq!(desk.json(&["info", "prior.tif", "--json"])["bands"][0]["data_type"], "float32");
    assert!(desk.path("nearest.tif").exists());
}

#[test]
fn polygons_are_written_in_three_formats() {
    let desk = Desk::new();
    desk.done(&["predict", "model.safetensors", "scene.tif", "class.tif", "--device", "cpu"]);

    for out in ["c.shp", "c.gpkg", "c.geojson"] {
        desk.done(&["polygonize", "class.tif", out, "--connectivity", "8", "--min-area", "900"]);
        assert!(desk.path(out).exists(), "{out}");
    }

    let json: Value =
        serde_json::from_slice(&std::fs::read(desk.path("c.geojson")).expect("read")).expect("valid GeoJSON");
    let first = &json["features"][0]["properties"];
    assert!(first["class_id"].is_number() && first["label"].is_string(), "{first}");
}

#[test]
fn render_draws_a_picture_of_the_size_asked_for() {
    let desk = Desk::new();

    desk.done(&["render", "scene.tif", "map.png", "--size", "320x200", "--bands", "4,3,2"]);

    let png = std::fs::read(desk.path("map.png")).expect("a picture");
    let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("four bytes"));
    assert_eq!((&png[1..4], side(16), side(20)), (b"PNG".as_slice(), 320, 200));
}

#[test]
fn convert_keeps_georeference_and_takes_bands_in_order() {
    let desk = Desk::new();

    desk.done(&["convert", "scene.tif", "rgb.tif", "--bands", "4,3,2", "--cog"]);

    let (before, after) = (desk.json(&["info", "scene.tif", "--json"]), desk.json(&["info", "rgb.tif", "--json"]));
    assert_eq!(after["georeference"], before["georeference"]);
    assert_eq!(after["bands"][0]["name"], before["bands"][3]["name"]);
    assert_eq!(after["bands"].as_array().map(Vec::len), Some(3));
}

#[test]
fn scripts_do_what_their_lines_say() {
    let outputs = [
        ("class_map_to_polygons", ["class.tif", "entropy.tif", "classes.gpkg", "map.png"].as_slice()),
        (
            "explain_and_prior",
            &["explained/attention.tif", "explained/gradcam.tif", "prior.tif", "nearest.tif", "rgb.tif"],
        ),
    ];
    for (name, files) in outputs {
        let desk = Desk::new();
        let script = checkout(&format!("tests/scripts/{name}.jsonl"));

        let lines = desk.done(&["run", &script, "--device", "cpu", "--json"]);

        let results: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
        assert!(results.iter().all(|result| result["command"]["command"].is_string() && result["line"].is_number()));
        for file in files {
            assert!(desk.path(file).exists(), "{name}: {file}");
        }
    }
}

#[test]
fn a_script_comes_through_standard_input_too() {
    let desk = Desk::new();
    let mut child = desk.command(&["run", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("started");
    let script = b"# what is it?\n{\"command\":\"info\",\"path\":\"scene.tif\"}\n";
    child.stdin.take().expect("a pipe").write_all(script).expect("written");

    let output = child.wait_with_output().expect("ended");

    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("GTiff"));
}

#[test]
fn a_script_that_fails_names_its_line() {
    let desk = Desk::new();
    std::fs::write(desk.path("s.jsonl"), "\n{\"command\":\"info\",\"path\":\"absent.tif\"}\n").expect("written");
    std::fs::write(desk.path("t.jsonl"), "{\"command\":\"fly\"}\n").expect("written");

    let (failed, refused) = (desk.run(&["run", "s.jsonl"]), desk.run(&["run", "t.jsonl"]));

    assert_eq!((failed.status.code(), refused.status.code()), (Some(1), Some(1)));
    assert!(stderr(&failed).contains("ended at line 2"), "{}", stderr(&failed));
    assert!(stderr(&refused).contains("line 1 is no command"), "{}", stderr(&refused));
}

#[test]
fn nothing_is_overwritten_unless_asked() {
    let desk = Desk::new();
    for (out, words) in [
        ("a.tif", vec!["convert", "scene.tif", "a.tif"]),
        ("b.tif", vec!["predict", "model.safetensors", "scene.tif", "b.tif", "--device", "cpu"]),
        ("c.png", vec!["render", "scene.tif", "c.png", "--size", "64x64"]),
        ("d.tif", vec!["prior", "references.csv", "scene.tif", "d.tif"]),
    ] {
        std::fs::write(desk.path(out), "mine").expect("written");

        let refused = desk.run(&words);

        assert_eq!(refused.status.code(), Some(1), "{words:?}");
        assert!(stderr(&refused).contains(out), "{}", stderr(&refused));
        assert_eq!(std::fs::read(desk.path(out)).expect("read"), b"mine", "{words:?}");

        let asked: Vec<_> = words.iter().copied().chain(["--overwrite"]).collect();
        desk.done(&asked);
        assert!(std::fs::metadata(desk.path(out)).expect("a file").len() > 4, "{words:?}");
    }
}

#[test]
fn wrong_usage_is_exit_code_two() {
    let desk = Desk::new();
    for words in [
        vec!["predictt"],
        vec!["predict", "model.safetensors"],
        vec!["convert", "scene.tif", "o.tif", "--bands", "0"],
        vec!["render", "scene.tif", "o.png", "--size", "large"],
        vec!["scene.tif", "absent.tif"],
    ] {
        assert_eq!(desk.run(&words).status.code(), Some(2), "{words:?}");
    }
    assert!(stderr(&desk.run(&["predictt"])).contains("'predict'"));
}

#[test]
fn a_broken_file_is_one_sentence() {
    let desk = Desk::new();
    let whole = std::fs::read(desk.path("scene.tif")).expect("read");
    std::fs::write(desk.path("broken.tif"), &whole[..100]).expect("written");

    for words in
        [vec!["info", "broken.tif"], vec!["convert", "broken.tif", "o.tif"], vec!["info", "model.safetensors.tif"]]
    {
        let output = desk.run(&words);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(text.starts_with("error: ") && !text.contains("panicked"), "{text}");
        assert_eq!(output.stdout, b"", "{words:?}");
    }
}

#[test]
fn a_model_of_other_bands_is_explained_before_anything_runs() {
    let desk = Desk::new();
    desk.done(&["convert", "scene.tif", "three.tif", "--bands", "1,2,3"]);

    let output = desk.run(&["predict", "model.safetensors", "three.tif", "class.tif", "--device", "cpu"]);

    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains('8') && text.contains('3') && text.contains("band"), "{text}");
    assert!(!desk.path("class.tif").exists());
}

#[test]
fn swapped_model_and_raster_are_told_apart() {
    let desk = Desk::new();

    for verb in ["predict", "explain"] {
        let output = desk.run(&[verb, "scene.tif", "model.safetensors", "out"]);

        assert_eq!(output.status.code(), Some(1), "{verb}");
        assert!(stderr(&output).contains("the model comes first, then the raster"), "{}", stderr(&output));
        assert!(!desk.path("out").exists());
    }
}

#[test]
fn a_picture_says_which_raster_it_misses() {
    let desk = Desk::new();
    let place = "500000,4000000,500640,4000400";
    desk.done(&["convert", "scene.tif", "one.tif", "--bands", "1"]);

    let output =
        desk.run(&["render", "scene.tif", "o.png", "--size", "64x40", "--bbox", place, "--overlay", "one.tif"]);

    assert_eq!(output.status.code(), Some(0));
    for name in ["scene.tif", "one.tif"] {
        assert!(stderr(&output).contains(&format!("{name} lies outside of the picture")), "{}", stderr(&output));
    }
    assert_eq!(stderr(&desk.run(&["render", "scene.tif", "p.png", "--size", "64x40"])), "");
}

/// Every verb that writes, with its output last but for options.
const WRITING: [&[&str]; 6] = [
    &["predict", "model.safetensors", "IN", "OUT.tif", "--device", "cpu"],
    &["explain", "model.safetensors", "IN", "OUT", "--device", "cpu"],
    &["prior", "references.csv", "IN", "OUT.tif"],
    &["polygonize", "IN", "OUT.gpkg"],
    &["render", "IN", "OUT.png"],
    &["convert", "IN", "OUT.tif"],
];

fn with<'a>(words: &[&'a str], input: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    words.iter().map(|word| if *word == "IN" { input } else { word }).chain(more.iter().copied()).collect()
}

#[test]
fn wrong_input_is_one_sentence_for_every_verb_and_leaves_nothing() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("folder")).expect("made");
    std::fs::write(desk.path("empty.tif"), "").expect("written");
    std::fs::write(desk.path("text.tif"), "no raster at all").expect("written");
    std::fs::write(desk.path("none.vrt"), "<VRTDataset rasterXSize=\"0\" rasterYSize=\"0\"/>").expect("written");
    let before = desk.files();

    for words in WRITING {
        for input in ["absent.tif", "folder", "empty.tif", "text.tif", "none.vrt"] {
            let words = with(words, input, &[]);

            let output = desk.run(&words);

            one_sentence(&output, &words);
            assert_eq!(desk.files(), before, "{words:?}");
        }
    }
    for words in [
        vec!["predict", "absent.pth", "scene.tif", "o.tif"],
        vec!["predict", "folder", "scene.tif", "o.tif"],
        vec!["prior", "absent.csv", "scene.tif", "o.tif"],
        vec!["prior", "folder", "scene.tif", "o.tif"],
        vec!["convert", "scene.tif", "o.tif", "--bands", "9"],
        vec!["render", "scene.tif", "o.png", "--bands", "9"],
        vec!["predict", "model.safetensors", "scene.tif", "o.tif", "--bands", "1,2,3,4,5,6,7,9"],
        vec!["prior", "references.csv", "scene.tif", "o.tif", "--bands", "1,2,3,4,5,6,7,9"],
        vec!["explain", "model.safetensors", "scene.tif", "o", "--class", "99"],
        vec!["explain", "model.safetensors", "scene.tif", "o", "--window", "9999,9999,10,10"],
        vec!["run", "absent.jsonl"],
        vec!["info", "absent.tif"],
        vec!["info", "folder"],
    ] {
        one_sentence(&desk.run(&words), &words);
        assert_eq!(desk.files(), before, "{words:?}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_one_sentence_for_every_verb() {
    let desk = Desk::new();
    desk.done(&["convert", "scene.tif", "one.tif", "--bands", "1"]);
    let before = desk.files();

    for words in WRITING {
        let absent: Vec<String> = words.iter().map(|word| word.replace("OUT", "no/such/OUT")).collect();
        let below_a_file: Vec<String> = words.iter().map(|word| word.replace("OUT", "scene.tif/OUT")).collect();
        for line in [absent, below_a_file] {
            // `explain` makes its folder.
            if line[0] == "explain" && line[3].starts_with("no/") {
                continue;
            }
            let line: Vec<&str> = line.iter().map(String::as_str).collect();
            let words = with(&line, if line[0] == "polygonize" { "one.tif" } else { "scene.tif" }, &[]);

            let output = desk.run(&words);

            one_sentence(&output, &words);
            assert_eq!(desk.files(), before, "{words:?}");
        }
    }
}

/// Exit code 1, nothing on stdout, one error with what to do, no panic.
fn one_sentence(output: &Output, words: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(1), "{words:?}: {text}");
    assert_eq!(output.stdout, b"", "{words:?}");
    let errors = text.lines().filter(|line| line.starts_with("error: ")).count();
    assert!(errors == 1 && !text.contains("panicked"), "{words:?}: {text}");
}

#[test]
fn a_window_without_a_display_says_what_works_instead() {
    let output = Desk::new().run(&["scene.tif"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no display") && stderr(&output).contains("predict"), "{}", stderr(&output));
}

#[test]
fn completions_and_man_pages_are_made() {
    let desk = Desk::new();

    assert!(desk.done(&["completions", "bash"]).contains("polygonize"));
    assert!(desk.done(&["completions", "fish"]).contains("polygonize"));
    assert!(desk.done(&["man"]).contains(".TH nunatak 1"));
    desk.done(&["man", "pages"]);
    assert!(desk.path("pages/nunatak.1").exists() && desk.path("pages/nunatak-predict.1").exists());
}

#[test]
fn help_and_version_succeed() {
    let desk = Desk::new();

    assert!(desk.done(&["--version"]).starts_with("nunatak "));
    for words in [vec!["--help"], vec!["predict", "--help"], vec!["help", "render"]] {
        assert!(desk.done(&words).contains("Usage: nunatak"), "{words:?}");
    }
}

#[test]
fn a_machine_without_a_session_hears_no_complaint_of_the_driver() {
    let desk = Desk::new();

    let output = desk.command(&["devices"]).env_remove("XDG_RUNTIME_DIR").env_remove("NODEVICE_SELECT").output();

    let output = output.expect("the program starts");
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_failure() {
    let desk = Desk::new();
    let mut child =
        desk.command(&["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    drop(child.stdout.take());

    let output = child.wait_with_output().expect("ended");

    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_a_prediction_and_leaves_nothing_behind() {
    let desk = Desk::new();
    desk.endless_scene();
    let before = desk.files();
    let words = ["predict", "model.safetensors", "endless.vrt", "class.tif", "--device", "cpu", "--json"];
    let mut child = desk.command(&words).stderr(Stdio::piped()).spawn().expect("started");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let started = lines.by_ref().map_while(Result::ok).any(|line| line.contains("job_progress"));
    assert!(started, "the job reported progress");

    interrupt(&child);
    // Reading on keeps the pipe open while the job winds up.
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let status = wait(&mut child);

    assert_eq!(status, Some(130), "{rest:?}");
    assert_eq!(desk.files(), before, "no part of a file is left");
}

#[cfg(unix)]
#[test]
fn a_killed_prediction_goes_on_with_resume_however_it_was_started() {
    let desk = Desk::new();
    desk.stretched_scene("square.vrt", 704);
    let words = ["predict", "model.safetensors", "square.vrt", "class.tif", "--device", "cpu", "--tile", "64"];
    let mut child = desk.command(&words).stderr(Stdio::null()).spawn().expect("started");
    let journalled = || {
        let journal = desk.files().into_iter().find(|name| name.starts_with(".class") && name.ends_with(".json"));
        let text = journal.and_then(|name| std::fs::read_to_string(desk.path(&name)).ok()).unwrap_or_default();
        let journal: Value = serde_json::from_str(&text).unwrap_or_default();
        journal["windows"].as_array().map_or(0, Vec::len)
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while journalled() == 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    let before = journalled();

    let report = desk.json(&[words.as_slice(), &["--resume", "--json"]].concat());

    assert!(before > 0, "the first run noted some windows");
    assert_eq!(report["tiles_resumed"], before, "{report:#}");
    assert_eq!(report["tiles"].as_u64(), Some(121 - before as u64));
    let pixels: u64 = report["classes"].as_array().expect("classes").iter().filter_map(|c| c["pixels"].as_u64()).sum();
    assert_eq!(pixels, 704 * 704);
    assert!(desk.files().iter().all(|name| !name.starts_with(".class")), "{:?}", desk.files());
}

#[cfg(unix)]
fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill starts");
    assert!(status.success());
}

/// The exit code; a program that does not end within a minute is ended and has none.
#[cfg(unix)]
fn wait(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    None
}
