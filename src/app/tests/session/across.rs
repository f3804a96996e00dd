//! What goes wrong where two things of different kind meet: coordinate systems, scales,
//! files that are gone.

use std::path::{Path, PathBuf};

use nunatak_app::{Command, Event, ReferenceEdit, Session, SessionOptions};
use nunatak_domain::class::Rgb;
use nunatak_domain::geo::{GeoPos, GeoTransform, Georeference};
use nunatak_domain::inspect::Probe;
use nunatak_domain::layer::LayerRole;
use nunatak_domain::map::{MAX_LIVE_REFERENCES, MapFrame, MapPainter, Picture};
use nunatak_domain::spectra::SpectralReference;
use serde_json::json;

use super::support::{
    act, ask, command, crs, fact, notices, open, report, session, sharp_frame, utm, view_of, write_raster,
};

/// Around 15° E, 36.14° N, where `utm` lies.
fn degrees() -> (Option<nunatak_domain::geo::Crs>, Georeference) {
    let transform = GeoTransform([14.99, 0.0002, 0.0, 36.15, 0.0, -0.0002]);
    (crs("EPSG:4326"), Georeference::Affine { transform })
}

/// Paints the share of layers that have tiles as grey.
struct Counting;

impl MapPainter for Counting {
    fn paint(&mut self, frame: &MapFrame) -> Result<Picture, String> {
        let (width, height) = (frame.view.width_px, frame.view.height_px);
        let drawn = frame.layers.iter().filter(|layer| !layer.tiles.is_empty()).count();
        Ok(Picture { width, height, rgba: vec![drawn as u8; 4 * width as usize * height as usize] })
    }
}

fn painting() -> Session {
    Session::new(SessionOptions { painter: Some(Box::new(Counting)), ..SessionOptions::default() })
}

#[test]
fn a_picture_is_drawn_in_the_crs_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let raster = write_raster(&folder.path().join("degrees.tif"), (1, 200, 200), degrees(), |_, c, _| c as f32);
    let out = |name: &str| folder.path().join(name);
    let render = |name: &str, crs: serde_json::Value| {
        command(json!({
            "command": "render", "rasters": [raster], "out": out(name), "width_px": 100, "height_px": 80, "crs": crs,
            "bbox": { "min_x": 500_000, "min_y": 3_998_000, "max_x": 502_500, "max_y": 4_000_000 },
        }))
    };
    let mut session = painting();

    let events = act(&mut session, render("utm.png", json!("EPSG:32633")));
    let refused = act(&mut session, render("none.png", json!("EPSG:nothing")));

    let facts = &report(&events).facts;
    assert_eq!(fact(facts, "crs"), "EPSG:32633");
    let place = nunatak_io::describe(&out("utm.png")).unwrap();
    assert_eq!(place.map_transform().0[0], 500_000.0);
    assert_eq!(place.map_transform().0[1], 25.0);
    assert!(notices(&refused).iter().any(|text| text.contains("EPSG:nothing")), "{refused:?}");
    assert!(!out("none.png").exists());
}

#[test]
fn a_picture_larger_than_memory_is_refused() {
    let render = |width: u32, height: u32| {
        command(json!({
            "command": "render", "rasters": ["a.tif"], "out": "a.png", "width_px": width, "height_px": height,
        }))
    };

    let refused = painting().dispatch(render(40_000, 40_000));

    assert!(refused.is_err_and(|error| error.to_string().contains("400 million")));
    assert!(painting().dispatch(render(20_000, 20_000)).is_ok());
}

#[test]
fn the_inspector_answers_although_one_layer_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let here = write_raster(&folder.path().join("here.tif"), (1, 40, 40), utm(), |_, _, _| 3.0);
    let gone = write_raster(&folder.path().join("gone.tif"), (1, 40, 40), utm(), |_, _, _| 4.0);
    let mut session = session();
    let (_, below) = open(&mut session, &here);
    open(&mut session, &gone);
    std::fs::remove_file(&gone).unwrap();
    let geo = session.bounds().unwrap().center();

    let answer = ask(&mut session, Probe { tag: 1, geo });

    assert_eq!(answer.layers.iter().map(|layer| layer.layer).collect::<Vec<_>>(), [below]);
    assert_eq!(answer.layers[0].values, [Some(3.0)]);
}

fn add(session: &mut Session, name: &str, spectrum: &[f64]) -> Vec<Event> {
    let reference = SpectralReference::new(name, Rgb([1, 2, 3]), spectrum.to_vec());
    session.dispatch(Command::EditReferences { edit: ReferenceEdit::Add { reference } }).unwrap()
}

fn two_materials(path: &Path, factor: f32) -> PathBuf {
    write_raster(path, (2, 40, 40), utm(), |b, c, _| match (c < 20, b) {
        (true, 0) => 0.9 * factor,
        (true, _) => 0.8 * factor,
        (false, 0) => 0.2 * factor,
        (false, _) => 0.3 * factor,
    })
}

#[test]
fn the_live_prior_warns_of_scales_and_becomes_a_file_where_it_is_too_large_to_draw() {
    let folder = tempfile::tempdir().unwrap();
    let fits = two_materials(&folder.path().join("reflectance.tif"), 1.0);
    let differs = two_materials(&folder.path().join("dn.tif"), 10_000.0);
    let mut session = session();
    let ((fits, _), (differs, _)) = (open(&mut session, &fits), open(&mut session, &differs));
    add(&mut session, "ice", &[0.9, 0.8]);
    add(&mut session, "rock", &[0.2, 0.3]);

    let quiet = session.dispatch(Command::ShowPrior { scene: fits }).unwrap();
    let loud = session.dispatch(Command::ShowPrior { scene: differs }).unwrap();
    for n in 2..=MAX_LIVE_REFERENCES {
        add(&mut session, &format!("r{n}"), &[n as f64, (n * n) as f64]);
    }
    let filed = act(&mut session, Command::ShowPrior { scene: fits });

    assert!(notices(&quiet).is_empty(), "{quiet:?}");
    assert!(notices(&loud).iter().any(|text| text.contains("larger than the references")), "{loud:?}");
    assert!(notices(&filed).iter().any(|text| text.contains("more than 64 references")), "{filed:?}");
    let [.., nearest, similar] = session.layers() else { panic!("two layers") };
    assert_eq!(
        (nearest.name.as_str(), similar.name.as_str()),
        ("Nearest reference – reflectance.tif", "Prior – reflectance.tif")
    );
    assert_eq!((nearest.role, nearest.visible, similar.role), (LayerRole::ClassMap, false, LayerRole::Prior));
    let path = &session.scene(similar.source.scene()).unwrap().info.path;
    assert!(session.keeps(path) && path.exists());
    let similarity = ask(&mut session, Probe { tag: 0, geo: GeoPos::new(500_050.0, 3_999_950.0) }).layers[0].values[0];
    assert!(similarity.is_some_and(|value| value > 0.99), "{similarity:?} at the very reference");
}

#[test]
fn a_prior_of_a_scene_with_more_bands_takes_those_of_the_same_name() {
    let folder = tempfile::tempdir().unwrap();
    // Bands b1 to b4; the references know b4 and b2, in this order.
    let raster = write_raster(&folder.path().join("four.tif"), (4, 40, 40), utm(), |b, c, _| match (c < 20, b) {
        (true, 3) => 0.9,
        (true, 1) => 0.8,
        (false, 3) => 0.2,
        (false, 1) => 0.3,
        _ => 55.0,
    });
    let (named, unnamed) = (folder.path().join("named.csv"), folder.path().join("unnamed.csv"));
    std::fs::write(&named, "name,b4,b2\nice,0.9,0.8\nrock,0.2,0.3\n").unwrap();
    std::fs::write(&unnamed, "name,1,2\nice,0.9,0.8\nrock,0.2,0.3\n").unwrap();
    let mut session = session();
    let (scene, _) = open(&mut session, &raster);

    act(&mut session, Command::OpenReferences { path: unnamed });
    let refused = session.dispatch(Command::ShowPrior { scene }).map(drop);
    act(&mut session, Command::OpenReferences { path: named.clone() });
    let events = session.dispatch(Command::ShowPrior { scene }).unwrap();
    let answer = ask(&mut session, Probe { tag: 0, geo: GeoPos::new(500_050.0, 3_999_950.0) });
    let out = folder.path().join("s.tif");
    let filed = act(
        &mut session,
        command(json!({
            "command": "prior", "references": named, "raster": raster, "out": out,
        })),
    );

    assert!(refused.is_err_and(|error| error.to_string().contains("by their wavelengths")));
    assert!(notices(&events).is_empty(), "{events:?}");
    let distances = answer.layers[0].references.as_ref().expect("compared");
    assert_eq!((distances.best, distances.valid), (0, true));
    assert!(distances.distances[0].abs() < 1e-6, "{distances:?}"); // Float32 pixels.
    assert_eq!(session.reference_values(scene, &[1.0, 2.0, 3.0, 4.0]), [4.0, 2.0]);
    let view = view_of(&session, 40, 40);
    assert_eq!(sharp_frame(&mut session, &view).layers[1].prior.as_ref().map(|prior| prior.n_bands()), Some(4));
    let labels = fact(&report(&filed).facts, "labels").as_array().unwrap();
    assert_eq!(labels.iter().map(|label| label["pixels"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 800, 800]);
}

#[test]
fn a_prior_never_reads_references_that_were_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let raster = two_materials(&folder.path().join("a.tif"), 1.0);
    let (references, out) = (folder.path().join("r.csv"), folder.path().join("s.tif"));
    std::fs::write(&references, "name,b1,b2\nold,0.9,0.8\nolder,0.2,0.3\n").unwrap();
    let prior = command(json!({ "command": "prior", "references": references, "raster": raster, "out": out }));
    let mut session = session();
    add(&mut session, "ice", &[0.9, 0.8]);
    add(&mut session, "rock", &[0.2, 0.3]);

    session.dispatch(Command::SaveReferences { path: references.clone(), overwrite: false }).unwrap();
    let events = act(&mut session, prior.clone());
    let written = out.exists();
    let later = act(&mut session, prior);

    let said = notices(&events);
    assert!(said.iter().any(|text| text.starts_with("file exists")), "{said:?}");
    assert!(said.iter().any(|text| text.starts_with("the references were not saved")), "{said:?}");
    assert!(!written);
    // Asked for by itself, the old file is what is meant.
    assert_eq!(report(&later).outputs[0], out);
}

#[test]
fn a_prior_after_saved_references_reads_them_on_the_scale_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let raster = two_materials(&folder.path().join("dn.tif"), 10_000.0);
    let (references, out) = (folder.path().join("r.csv"), folder.path().join("s.tif"));
    let prior = |normalisation: serde_json::Value| {
        command(json!({
            "command": "prior", "references": references, "raster": raster, "out": out, "overwrite": true,
            "normalisation": normalisation,
        }))
    };
    let mut session = session();
    add(&mut session, "ice", &[0.9, 0.8]);
    add(&mut session, "rock", &[0.2, 0.3]);

    session.dispatch(Command::SaveReferences { path: references.clone(), overwrite: false }).unwrap();
    let events = act(&mut session, prior(json!({ "kind": "scale_offset", "scale": [1e-4, 1e-4], "offset": [0, 0] })));
    let refused = act(&mut session, prior(json!({ "kind": "scale_offset", "scale": [1e-4], "offset": [0] })));

    assert!(notices(&events).is_empty(), "{events:?}");
    let labels = fact(&report(&events).facts, "labels").as_array().unwrap();
    assert_eq!(labels.iter().map(|label| label["pixels"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 800, 800]);
    assert!(notices(&refused).iter().any(|text| text.contains("1 factors")), "{refused:?}");
    assert_eq!(session.reference_normalisation(), None);
}
