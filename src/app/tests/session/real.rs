//! The published network and scene of SSMGNet; skipped where they are not at hand.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{act, command, fact, report, session};

/// `$NUNATAK_TEST_DATA/ssmgnet`, or the folder beside the repository.
fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("NUNATAK_TEST_DATA")
        .map_or_else(
            || {
                Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests"))
                    .join("../../../shared/data")
            },
            PathBuf::from,
        )
        .join("ssmgnet");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("NUNATAK_TEST_DATA").is_none(), "no ssmgnet in $NUNATAK_TEST_DATA");
    eprintln!("skipped: the data of SSMGNet is not here");
    None
}

fn pixels(list: &Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|entry| entry["pixels"].as_u64().unwrap()).collect()
}

#[test]
fn the_published_network_gives_the_published_class_map() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("c.tif");

    let events = act(
        &mut session(),
        command(json!({
            "command": "predict", "model": data.join("pth_files/epoch8-loss0.176-val_loss0.174.pth"),
            "raster": data.join("test_sample/365.tif"), "out": out, "tile_px": 100,
        })),
    );

    assert_eq!(pixels(fact(&report(&events).facts, "classes")), [5029, 39769, 20738]);
}

#[test]
fn the_published_references_give_the_published_labels() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();

    let events = act(
        &mut session(),
        command(json!({
            "command": "prior", "references": data.join("references.csv"), "raster": data.join("test_sample/365.tif"),
            "out": folder.path().join("s.tif"), "classes": folder.path().join("c.tif"), "mode": "compat",
        })),
    );

    let facts = &report(&events).facts;
    let labels = pixels(fact(facts, "labels"));
    assert_eq!(labels, [16406, 90, 545, 18, 537, 100, 14750, 9242, 8956, 10929, 3963]);
    let mean = fact(facts, "mean_similarity").as_f64().unwrap();
    assert!((mean - 0.5927).abs() < 5e-5, "{mean}");
    let thresholds: Vec<String> = fact(facts, "thresholds")
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| format!("{:.4}", entry["threshold"].as_f64().unwrap()))
        .collect();
    let published = "0.0139 0.0230 0.0110 0.0284 0.0110 0.0730 0.1831 0.0443 0.0730 0.1039";
    assert_eq!(thresholds.join(" "), published);
}
