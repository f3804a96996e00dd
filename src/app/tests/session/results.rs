//! The session's own files: how a copied command makes them anywhere, and how a prediction
//! that was stopped goes on.

use std::path::Path;

use nunatak_app::{Command, Session, SessionOptions};
use nunatak_domain::job::DeviceChoice;
use nunatak_domain::layer::{LayerRole, SceneId};
use nunatak_domain::model::Normalisation;
use serde_json::json;

use super::commands::{cancel_at, scene, write_model};
use super::support::{act, command, fact, notices, open, report, utm, write_raster};

fn session_in(folder: &Path) -> Session {
    let work_dir = Some(folder.to_owned());
    Session::new(SessionOptions { work_dir, device: DeviceChoice::Cpu, ..SessionOptions::default() })
}

fn predict(scene: SceneId) -> Command {
    Command::PredictLayer { scene, class: Some(1), bands: None }
}

#[test]
fn the_copied_line_of_a_predicted_layer_makes_it_first() {
    let folder = tempfile::tempdir().unwrap();
    let (raster, model) =
        (scene(folder.path()), write_model(&folder.path().join("m.safetensors"), Normalisation::None));
    let mut session = session_in(folder.path());
    let (id, _) = open(&mut session, &raster);
    act(&mut session, Command::OpenModel { path: model.clone() });
    act(&mut session, predict(id));
    let file = |role: LayerRole| {
        let layer = session.layers().iter().find(|layer| layer.role == role).expect("a layer");
        session.scene(layer.source.scene()).expect("its scene").info.path.clone()
    };
    let line = |json: serde_json::Value| session.command_line(&command(json)).expect("a line");

    let polygons = line(json!({ "command": "polygonize", "raster": file(LayerRole::ClassMap), "out": "c.shp" }));
    let heat = line(json!({ "command": "convert", "raster": file(LayerRole::GradCam), "out": "g.tif" }));
    let own = line(json!({ "command": "convert", "raster": raster, "out": "copy.tif" }));

    let (model, raster) = (model.display(), raster.display());
    assert_eq!(
        polygons,
        format!("nunatak predict {model} {raster} class.tif --device cpu && nunatak polygonize class.tif c.shp")
    );
    assert_eq!(
        heat,
        format!(
            "nunatak explain {model} {raster} explained --class 1 --device cpu && \
             nunatak convert explained/gradcam.tif g.tif"
        )
    );
    assert_eq!(own, format!("nunatak convert {raster} copy.tif"));
}

#[test]
fn a_prediction_for_the_map_goes_on_where_it_was_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let raster = write_raster(&folder.path().join("large.tif"), (2, 300, 300), utm(), |b, c, r| {
        ((c * (b + 1) + r) % 97) as f32 / 97.0
    });
    let model = folder.path().join("m.safetensors");
    write_model(&model, Normalisation::None);
    smaller_tiles(&model, 20);
    let mut session = session_in(folder.path());
    let (id, _) = open(&mut session, &raster);
    act(&mut session, Command::OpenModel { path: model });

    let in_class_map = cancel_at(&mut session, predict(id), 0.2);
    let in_grad_cam = cancel_at(&mut session, predict(id), 0.6);
    let done = act(&mut session, predict(id));

    for events in [&in_class_map, &in_grad_cam] {
        assert!(notices(events).iter().any(|text| text.contains("goes on where it was stopped")), "{events:?}");
    }
    // The class map was finished in the second run.
    assert_eq!(fact(&report(&done).facts, "tiles"), 0);
    let classes = fact(&report(&done).facts, "classes").as_array().unwrap();
    assert_eq!(classes.iter().filter_map(|class| class["pixels"].as_u64()).sum::<u64>(), 300 * 300);
    assert_eq!(session.layers().len(), 6, "the scene and the five layers of the run that ended");
}

/// Gives the model's record another side of its tiles.
fn smaller_tiles(model: &Path, size: usize) {
    let loaded = nunatak_ml::load_network(model).unwrap();
    let mut record = loaded.record;
    record.tile.size = size;
    std::fs::write(model, nunatak_ml::save_safetensors_bytes(&loaded.state, &record)).unwrap();
}

#[test]
fn the_models_tile_is_used_unless_another_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (raster, model) = (scene(folder.path()), folder.path().join("m.safetensors"));
    write_model(&model, Normalisation::None);
    smaller_tiles(&model, 50);
    let mut session = session_in(folder.path());
    let predict = |out: &str, tile_px: serde_json::Value| {
        let out = folder.path().join(out);
        command(json!({ "command": "predict", "model": model, "raster": raster, "out": out, "tile_px": tile_px }))
    };

    let by_model = act(&mut session, predict("a.tif", json!(null)));
    let by_hand = act(&mut session, predict("b.tif", json!(100)));

    // 300 x 200 pixels.
    assert_eq!(fact(&report(&by_model).facts, "tiles"), 6 * 4);
    assert_eq!(fact(&report(&by_hand).facts, "tiles"), 3 * 2);
}

#[test]
fn swapped_model_and_raster_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (raster, model) =
        (scene(folder.path()), write_model(&folder.path().join("m.safetensors"), Normalisation::None));
    let out = folder.path().join("c.tif");
    let mut session = session_in(folder.path());

    let events =
        act(&mut session, command(json!({ "command": "predict", "model": raster, "raster": model, "out": out })));

    assert!(notices(&events)[0].starts_with("the model comes first, then the raster"), "{events:?}");
    assert!(!out.exists());
}
