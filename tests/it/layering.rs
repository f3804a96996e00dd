//! The layers of ARCHITECTURE.md: who may use whom, and who may name which foreign crate.

use std::collections::BTreeMap;
use std::path::Path;

/// Foreign crates that only some layers may name.
const FOREIGN: [(&str, &[&str]); 9] = [
    ("gdal", &["io"]),
    ("gdal-sys", &["io"]),
    ("proj", &["io"]),
    ("image", &["io"]),
    ("burn", &["ml"]),
    ("wgpu", &["render", "ml", "ui"]),
    ("egui", &["ui"]),
    ("rfd", &["ui"]),
    ("clap", &["cli"]),
];

/// Our crates that each layer may use.
const OURS: [(&str, &[&str]); 8] = [
    ("domain", &[]),
    ("jobs", &["domain"]),
    ("io", &["domain", "jobs"]),
    ("ml", &["domain", "jobs"]),
    ("app", &["domain", "jobs", "io", "ml"]),
    ("render", &["domain"]),
    ("ui", &["domain", "app", "render"]),
    ("cli", &["domain", "app", "render"]),
];

/// Names under `[dependencies]` of a crate; dev-dependencies may be anything.
fn dependencies(layer: &str) -> Vec<String> {
    let path = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests"))
        .join("src")
        .join(layer)
        .join("Cargo.toml");
    let text = std::fs::read_to_string(&path).expect("the manifest of a layer");
    text.lines()
        .skip_while(|line| line.trim() != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn layers_use_only_what_lies_below() {
    for (layer, allowed) in OURS {
        for name in dependencies(layer).iter().filter_map(|name| name.strip_prefix("nunatak-")) {
            assert!(allowed.contains(&name), "`{layer}` must not use `{name}`");
        }
    }
}

#[test]
fn foreign_crates_stay_in_their_layer() {
    let owners: BTreeMap<_, _> = FOREIGN.into_iter().collect();
    for (layer, _) in OURS {
        for name in dependencies(layer) {
            if let Some(owners) = owners.get(name.as_str()) {
                assert!(owners.contains(&layer), "`{layer}` must not name `{name}`");
            }
        }
    }
}

#[test]
fn the_reader_of_dependencies_sees_them() {
    assert!(dependencies("io").contains(&"gdal".to_owned()));
}
