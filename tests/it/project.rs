//! Projects through the program: verbs, and what is left when it is killed.
#![allow(clippy::disallowed_methods, reason = "fixtures need no atomic writer")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nunatak_domain::label::UNLABELLED;
use nunatak_io::project::{Access, OpenedProject, open_project};
use serde_json::{Value, json};

/// A folder of its own with the sample scene in it.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
        let scene = PathBuf::from(root).join("sample_scenes/rachel_carson/scene.tif");
        std::fs::copy(scene, folder.path().join("scene.tif")).expect("the sample");
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nunatak"));
        command.args(words).current_dir(self.0.path()).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("the program starts")
    }

    fn done(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "nunatak {}: {stderr}", words.join(" "));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn json(&self, words: &[&str]) -> Value {
        let text = self.done(words);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// Two squares of a vector file over the sample scene, in degrees.
fn write_geojson(desk: &Desk) {
    let info = desk.json(&["info", "scene.tif", "--json"]);
    let extent: Vec<f64> =
        info["extent_lon_lat"].as_array().expect("an extent").iter().map(|v| v.as_f64().expect("a number")).collect();
    let (x, y) = (0.5 * (extent[0] + extent[2]), 0.5 * (extent[1] + extent[3]));
    let square = |x: f64, value: u32| {
        let d = 0.002;
        let ring = [[x, y], [x + d, y], [x + d, y + d], [x, y + d], [x, y]];
        json!({ "type": "Feature", "properties": { "type": value },
                "geometry": { "type": "Polygon", "coordinates": [ring] } })
    };
    let json = json!({ "type": "FeatureCollection", "features": [square(x, 4), square(x - 0.004, 7)] });
    std::fs::write(desk.path("areas.geojson"), json.to_string()).expect("written");
}

#[test]
fn labels_go_into_a_project_and_out_of_it_by_the_command_line() {
    let desk = Desk::new();
    write_geojson(&desk);

    let import = ["labels", "import", "bay.nunatak", "areas.geojson", "--scene", "scene.tif", "--field", "type"];
    let import = [&import[..], &["--map", "4=wetland,7=water", "--json"]].concat();
    let report = desk.json(&import);

    let n = report["n_labelled"].as_u64().expect("a count");
    // 0.002° × 0.002° are about 174 × 222 m at 43.2° N: 17 × 22 pixels of 10 m, twice.
    assert!((600..1000).contains(&n), "{report:#}");
    assert_eq!(desk.json(&["verify", "bay.nunatak", "--json"])["problems"], json!([]));
    let stats = desk.json(&["labels", "stats", "bay.nunatak", "--json"]);
    let rows = stats["areas"].as_array().expect("a table");
    let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["wetland", "water"]);
    assert_eq!(rows.iter().map(|row| row["pixels"].as_u64().expect("a count")).sum::<u64>(), n);

    desk.done(&["labels", "export", "bay.nunatak", "out.tif"]);
    desk.done(&["labels", "export", "bay.nunatak", "out.gpkg", "--attributes", "scp"]);
    desk.done(&["labels", "import", "bay.nunatak", "out.tif"]);
    let info = desk.json(&["project", "info", "bay.nunatak", "--json"]);
    assert_eq!(info["label_layers"], json!([{ "name": "areas", "pixels": n }, { "name": "out", "pixels": n }]));
    assert_eq!(info["steps"], 2);
}

#[test]
fn a_project_is_packed_unpacked_and_relinked_by_the_command_line() {
    let desk = Desk::new();
    desk.done(&["project", "new", "bay.nunatak", "scene.tif"]);
    desk.done(&["project", "pack", "bay.nunatak", "bay.zip"]);
    std::fs::create_dir_all(desk.path("far/scenes")).expect("folders");
    std::fs::rename(desk.path("scene.tif"), desk.path("far/scenes/renamed.tif")).expect("moved");
    desk.done(&["project", "unpack", "bay.zip", "far"]);

    let before = desk.json(&["project", "info", "far/bay.nunatak", "--json"]);
    let relinked = desk.json(&["project", "relink", "far/bay.nunatak", "far/scenes", "--json"]);
    let after = desk.json(&["project", "info", "far/bay.nunatak", "--json"]);

    assert_eq!(before["missing_scenes"].as_array().map(Vec::len), Some(1));
    assert_eq!(relinked["found"], 1);
    assert_eq!(after["missing_scenes"], Value::Null);
    // An archive holds no versions; the save after relinking kept the one before it.
    let versions = desk.json(&["project", "versions", "far/bay.nunatak", "--json"]);
    assert_eq!(versions["versions"].as_array().map(Vec::len), Some(1), "{versions:#}");
}

#[test]
fn damage_is_said_with_an_exit_code() {
    let desk = Desk::new();
    desk.done(&["project", "new", "bay.nunatak", "scene.tif"]);
    std::fs::write(desk.path("scene.tif"), "no raster any more").expect("written");

    let output = desk.run(&["verify", "bay.nunatak"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("has another content"), "{output:?}");
}

const CELLS: usize = 20;
/// Steps before the first stroke: three classes and a label layer.
const BEFORE: usize = 4;

/// Stroke number `n` fills a cell with one of three classes.
fn stroke(n: usize) -> Value {
    let (col, row) = cell(n);
    json!({ "command": "paint", "labels": 0, "rule": { "class": class(n), "onto": { "kind": "any" } },
            "gesture": { "kind": "stroke", "brush": { "shape": "square", "size_px": 5 },
                         "positions": [{ "col": col as f64 + 0.5, "row": row as f64 + 0.5 }] } })
}

fn cell(n: usize) -> (usize, usize) {
    (5 + 10 * (n % CELLS), 5 + 10 * (n / CELLS % CELLS))
}

fn class(n: usize) -> u16 {
    1 + (n / (CELLS * CELLS) + n) as u16 % 3
}

/// Every cell has the class of the last of `n` strokes that filled it.
fn assert_strokes(opened: &OpenedProject, n: usize) {
    let layer = &opened.project.labels[0].layer;
    for at in 0..CELLS * CELLS {
        let last = (0..n).rev().find(|stroke| stroke % (CELLS * CELLS) == at);
        let (col, row) = cell(at);
        let found = layer.read(nunatak_domain::grid::PixelRect::new(col, row, 1, 1))[0];
        assert_eq!(found, last.map_or(UNLABELLED, class), "cell {at} after {n} strokes");
    }
}

/// Lines that begin or go on with a project, and then paint, save and export without an end.
fn script(project: &Path, from: usize) -> String {
    let mut lines = Vec::new();
    if project.exists() {
        lines.push(json!({ "command": "open_project", "path": project }));
    } else {
        lines.push(json!({ "command": "open_scene", "path": "scene.tif" }));
        for id in 1..=3 {
            let class = json!({ "id": id, "name": format!("class {id}"), "color": format!("#0{id}64c8") });
            lines.push(json!({ "command": "edit_classes", "edit": { "kind": "add", "class": class } }));
        }
        lines.push(json!({ "command": "add_labels", "scene": 1 }));
        lines.push(json!({ "command": "save_project", "path": project }));
    }
    for n in from..from + 600 {
        lines.push(stroke(n));
        if n % 7 == 6 {
            lines.push(json!({ "command": "save_project" }));
        }
        if n % 16 == 15 {
            lines.push(json!({ "command": "export_labels", "labels": 0, "out": "out.tif", "overwrite": true }));
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Runs a script, kills it, and gives the number of strokes that were said to be done.
fn killed(desk: &Desk, script: String, delay: Duration) -> usize {
    let mut command = desk.command(&["run", "-", "--json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
    let mut stdin = child.stdin.take().expect("piped");
    let stdout = BufReader::new(child.stdout.take().expect("piped"));
    let (begun, first) = mpsc::channel();
    let writer = std::thread::Builder::new().spawn(move || {
        // The pipe breaks with the program.
        let _ = stdin.write_all(script.as_bytes());
    });
    let reader = std::thread::Builder::new().spawn(move || {
        let mut n = 0;
        for line in stdout.lines().map_while(Result::ok) {
            // A line that was cut off was not said.
            let Ok(line) = serde_json::from_str::<Value>(&line) else { break };
            n += usize::from(line["command"]["command"] == "paint");
            let _ = begun.send(());
        }
        n
    });
    // From the first answer on, so that kills fall into work and not into the start.
    let _ = first.recv_timeout(Duration::from_secs(60));
    std::thread::sleep(delay);
    child.kill().expect("killed");
    child.wait().expect("gone");
    drop(writer.expect("a thread").join());
    reader.expect("a thread").join().expect("counted")
}

#[test]
fn a_killed_program_loses_no_stroke_that_it_said_was_done() {
    let rounds: usize = std::env::var("NUNATAK_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let desk = Desk::new();
    let project = desk.path("killed.nunatak");
    let mut random = 20_261_121_u64;
    let (mut done, mut n_said) = (0, 0);
    for round in 0..rounds {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let delay = Duration::from_micros((random >> 33) % 300_000);
        let said = killed(&desk, script(&project, done), delay);
        if !project.join("project.json").exists() {
            // Killed before there was a project; the next round makes one.
            assert_eq!(said, 0);
            let _ = std::fs::remove_dir_all(&project);
            continue;
        }

        let opened = open_project(&project, Access::Write, 1 << 26, &nunatak_jobs::Silent)
            .unwrap_or_else(|error| panic!("kill {round}: {error}"));

        let n = opened.history.position() - BEFORE.min(opened.history.position());
        assert!(n >= done + said, "kill {round}: {said} strokes after {done} were done, and {n} are there");
        if opened.history.position() < BEFORE {
            // Killed while the project was being made: its first steps are not all said to be done.
            assert_eq!(said, 0);
            drop(opened);
            std::fs::remove_dir_all(&project).expect("removed");
            continue;
        }
        assert_strokes(&opened, n);
        (done, n_said) = (n, n_said + said);
    }
    eprintln!("{rounds} kills, {done} strokes, {n_said} of them said to be done");
    assert!(done > 0, "something was painted");
}
