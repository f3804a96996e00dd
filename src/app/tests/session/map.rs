//! Scenes, tiles, probes: what is on the map.

use nunatak_domain::colormap::ColormapName;
use nunatak_domain::geo::{GeoPos, GeoTransform, Georeference};
use nunatak_domain::inspect::Probe;
use nunatak_domain::layer::LayerSource;
use nunatak_domain::map::MapView;
use nunatak_domain::style::{Stretch, StretchMethod, Style};

use super::support::{act, ask, crs, notices, open, session, settle, sharp_frame, utm, view_of, write_raster};
use nunatak_app::{Command, Event, StretchExtent};

#[test]
fn a_scene_opens_and_its_tiles_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_raster(&folder.path().join("a.tif"), (4, 700, 500), utm(), |b, c, r| (b + c + r) as f32);
    let mut session = session();
    let (scene, layer) = open(&mut session, &path);
    let view = view_of(&session, 700, 500);

    let first = session.frame(&view, None);
    let frame = sharp_frame(&mut session, &view);

    assert!(first.layers[0].tiles.is_empty() && !first.missing.is_empty());
    assert!(first.missing.iter().all(|key| key.scene == scene && key.group == 0));
    assert_eq!(frame.layers[0].layer, layer);
    assert_eq!(frame.layers[0].tiles.len(), 6, "700 x 500 at full resolution are 3 x 2 tiles");
    let tile = &frame.layers[0].tiles[0];
    assert_eq!(tile.parts[0].1.bands, [0, 1, 2, 3]);
    assert_eq!(session.map_crs().and_then(|crs| crs.code.clone()).as_deref(), Some("EPSG:32633"));
    assert_eq!(session.layer_pixel_size(layer), Some(10.0));
    assert!(matches!(session.layers()[0].source, LayerSource::Scene { .. }));
    let statistics = session.scene(scene).unwrap().info.bands[0].statistics.as_ref().unwrap();
    assert_eq!(statistics.percentiles.len(), 101);
}

#[test]
fn a_change_of_style_asks_for_no_tile() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_raster(&folder.path().join("a.tif"), (4, 300, 300), utm(), |b, c, _| (b * c) as f32);
    let mut session = session();
    let (_, layer) = open(&mut session, &path);
    let view = view_of(&session, 300, 300);
    sharp_frame(&mut session, &view);

    let style = Style::Colormap {
        band: 3,
        stretch: Stretch::UNIT,
        method: StretchMethod::Manual,
        colormap: ColormapName::Viridis,
    };
    session.dispatch(Command::SetStyle { layer, style: style.clone() }).unwrap();

    let frame = session.frame(&view, None);
    assert!(frame.missing.is_empty());
    assert_eq!(frame.layers[0].style, style);
    assert!(
        session
            .dispatch(Command::SetStyle {
                layer,
                style: Style::Colormap {
                    band: 4,
                    stretch: Stretch::UNIT,
                    method: StretchMethod::Manual,
                    colormap: ColormapName::Gray,
                }
            })
            .is_err()
    );
}

#[test]
fn scenes_of_many_bands_load_only_what_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_raster(&folder.path().join("a.tif"), (20, 64, 64), utm(), |b, _, _| b as f32);
    let mut session = session();
    let (scene, _) = open(&mut session, &path);
    let view = view_of(&session, 64, 64);

    let frame = sharp_frame(&mut session, &view);

    let parts = &frame.layers[0].tiles[0].parts;
    assert_eq!(parts.iter().map(|(key, _)| key.group).collect::<Vec<_>>(), [1, 2, 3]);
    let refused = session.dispatch(Command::ShowPrior { scene });
    assert!(refused.is_err());
}

#[test]
fn a_coarse_tile_stands_in_after_zooming_in_and_fine_ones_after_zooming_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_raster(&folder.path().join("a.tif"), (1, 1024, 1024), utm(), |_, c, r| (c + r) as f32);
    let mut session = session();
    open(&mut session, &path);
    let whole = view_of(&session, 256, 256);
    sharp_frame(&mut session, &whole);
    let near = MapView { units_per_px: 10.0, ..whole };

    let standing_in = session.frame(&near, None);
    sharp_frame(&mut session, &near);
    // A view whose tiles (level 1) are not there, while finer and coarser ones are.
    let between = MapView { units_per_px: 20.0, ..whole };
    let finer = session.frame(&between, None);

    let tiles = &standing_in.layers[0].tiles;
    assert!(!tiles.is_empty() && tiles.iter().all(|tile| tile.parts[0].0.tile.level == 2));
    assert!(tiles.iter().all(|tile| tile.source[2] - tile.source[0] == 0.25));
    // The part's corners lie where the fine tile's do.
    let first = tiles[0].mesh.vertices[0];
    assert_eq!((first.x - 500_000.0) % 2560.0, 0.0, "{first:?}");
    let levels: Vec<u8> = finer.layers[0].tiles.iter().map(|tile| tile.parts[0].0.tile.level).collect();
    assert!(levels.contains(&0), "{levels:?}");
    assert!(finer.missing.iter().all(|key| key.tile.level == 1));
}

#[test]
fn probes_give_exact_values_top_layer_first() {
    let folder = tempfile::tempdir().unwrap();
    let below = write_raster(&folder.path().join("a.tif"), (2, 100, 100), utm(), |b, c, r| {
        if (b, c, r) == (1, 3, 4) { f32::NAN } else { (1000 * b + 10 * c + r) as f32 }
    });
    let above = write_raster(&folder.path().join("b.tif"), (1, 50, 50), utm(), |_, c, _| c as f32 + 0.25);
    let mut session = session();
    open(&mut session, &below);
    let (_, top) = open(&mut session, &above);
    let geo = GeoPos::new(500_000.0 + 35.0, 4_000_000.0 - 45.0);

    let answer = ask(&mut session, Probe { tag: 7, geo });
    let outside = ask(&mut session, Probe { tag: 7, geo: GeoPos::new(0.0, 0.0) });

    assert_eq!(answer.probe.tag, 7);
    assert_eq!(answer.layers.len(), 2);
    assert_eq!(answer.layers[0].layer, top);
    assert_eq!(answer.layers[0].values, [Some(3.25)]);
    assert_eq!(answer.layers[1].values, [Some(34.0), None]);
    assert_eq!((answer.layers[1].pixel.col, answer.layers[1].pixel.row), (3.5, 4.5));
    let (lon, lat) = answer.lon_lat.unwrap();
    assert!((lon - 15.0).abs() < 0.01 && (lat - 36.14).abs() < 0.01, "{lon} {lat}");
    assert!(outside.layers.is_empty());
}

#[test]
fn two_coordinate_systems_share_one_map() {
    let folder = tempfile::tempdir().unwrap();
    let below = write_raster(&folder.path().join("utm.tif"), (1, 200, 200), utm(), |_, c, _| c as f32);
    // Around 15° E, 36.14° N, where the other one lies.
    let transform = GeoTransform([14.99, 0.0002, 0.0, 36.15, 0.0, -0.0002]);
    let degrees = (crs("EPSG:4326"), Georeference::Affine { transform });
    let above = write_raster(&folder.path().join("degrees.tif"), (1, 200, 200), degrees, |_, _, r| r as f32);
    let mut session = session();
    let (_, lower) = open(&mut session, &below);
    let (_, upper) = open(&mut session, &above);
    let view = view_of(&session, 400, 400);

    let frame = sharp_frame(&mut session, &view);

    assert_eq!(session.map_crs().unwrap().code.as_deref(), Some("EPSG:32633"));
    assert_eq!(frame.layers.len(), 2);
    assert!(frame.layers.iter().all(|layer| !layer.tiles.is_empty()));
    let bounds = session.layer_bounds(upper).unwrap();
    assert!(bounds.intersects(&session.layer_bounds(lower).unwrap()), "{bounds:?}");
    // A place found on the map is the pixel it should be in the warped scene.
    let pixel = GeoPos::new(14.99 + 100.5 * 0.0002, 36.15 - 50.5 * 0.0002);
    let (lon, lat) = session.lon_lat(bounds.center()).unwrap();
    assert!((lon - 15.01).abs() < 1e-3 && (lat - 36.13).abs() < 1e-3, "{lon} {lat}");
    let to_map = nunatak_io::Transformer::new(&crs("EPSG:4326").unwrap(), &crs("EPSG:32633").unwrap()).unwrap();
    let answer = ask(&mut session, Probe { tag: 0, geo: to_map.point(pixel).unwrap() });
    assert_eq!(answer.layers[0].values, [Some(50.0)]);
}

#[test]
fn an_output_without_georeference_lies_on_the_grid_of_its_scene() {
    let folder = tempfile::tempdir().unwrap();
    let scene = write_raster(&folder.path().join("scene.tif"), (1, 60, 40), utm(), |_, _, _| 1.0);
    let plain = |name: &str, width| {
        write_raster(&folder.path().join(name), (1, width, 40), (None, Georeference::None), |_, _, _| 2.0)
    };
    let (same_size, other_size) = (plain("out.tif", 60), plain("other.tif", 61));
    let mut session = session();
    let (_, below) = open(&mut session, &scene);

    let (_, on_grid) = open(&mut session, &same_size);
    let events = act(&mut session, Command::OpenScene { path: other_size });

    assert_eq!(session.layer_bounds(on_grid), session.layer_bounds(below));
    assert!(notices(&events).iter().any(|text| text.contains("cannot be placed")), "{events:?}");
    let view = view_of(&session, 60, 40);
    assert_eq!(sharp_frame(&mut session, &view).layers.len(), 2);
}

#[test]
fn a_raster_without_crs_is_taken_to_be_in_the_maps() {
    let folder = tempfile::tempdir().unwrap();
    let with = write_raster(&folder.path().join("with.tif"), (1, 20, 20), utm(), |_, _, _| 1.0);
    let without = write_raster(&folder.path().join("without.tif"), (1, 20, 20), (None, utm().1), |_, _, _| 2.0);
    let mut session = session();
    let (_, a) = open(&mut session, &with);

    let events = act(&mut session, Command::OpenScene { path: without });

    let b = session.layers()[1].id;
    assert_eq!(session.layer_bounds(a), session.layer_bounds(b));
    assert!(notices(&events).iter().any(|text| text.contains("states no CRS")), "{events:?}");
}

#[test]
fn reordering_layers_does_not_move_the_map() {
    let folder = tempfile::tempdir().unwrap();
    let below = write_raster(&folder.path().join("utm.tif"), (1, 20, 20), utm(), |_, _, _| 1.0);
    let transform = GeoTransform([15.0, 0.0002, 0.0, 36.14, 0.0, -0.0002]);
    let degrees = (crs("EPSG:4326"), Georeference::Affine { transform });
    let above = write_raster(&folder.path().join("degrees.tif"), (1, 20, 20), degrees, |_, _, _| 1.0);
    let mut session = session();
    let (_, lower) = open(&mut session, &below);
    let (_, upper) = open(&mut session, &above);

    act(&mut session, Command::MoveLayer { layer: upper, to: 0 });
    let kept = session.map_crs().unwrap().code.clone();
    act(&mut session, Command::RemoveLayer { layer: lower });

    assert_eq!(kept.as_deref(), Some("EPSG:32633"));
    assert_eq!(session.map_crs().unwrap().code.as_deref(), Some("EPSG:4326"));
}

#[test]
fn stretching_to_the_view_looks_at_the_view_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_raster(&folder.path().join("a.tif"), (1, 100, 100), utm(), |_, c, _| c as f32);
    let mut session = session();
    let (_, layer) = open(&mut session, &path);
    let bounds = nunatak_domain::geo::GeoBounds { min_x: 500_200.0, max_x: 500_300.0, min_y: 3_999_500.0, max_y: 4e6 };

    act(
        &mut session,
        Command::Stretch { layer, method: StretchMethod::MinMax, extent: StretchExtent::View { bounds } },
    );

    let Style::Colormap { stretch, method, .. } = session.layer(layer).unwrap().style else { panic!("one band") };
    assert_eq!((stretch.min, stretch.max, method), (20.0, 29.0, StretchMethod::MinMax));
    let events =
        act(&mut session, Command::Stretch { layer, method: StretchMethod::MinMax, extent: StretchExtent::Whole });
    let Style::Colormap { stretch, .. } = session.layer(layer).unwrap().style else { panic!("one band") };
    assert_eq!((stretch.min, stretch.max), (0.0, 99.0));
    assert!(!events.iter().any(|event| matches!(event, Event::JobStarted { .. })), "statistics are known already");
}

#[test]
fn a_large_file_without_overviews_shows_a_draft_first() {
    // 1 GiB of interleaved bands, sparse on the disk: a whole view decodes 256 rows of 128 KiB.
    const SIDE: u64 = 8192;
    const BANDS: u64 = 16;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.img");
    let header = format!(
        "ENVI\nsamples = {SIDE}\nlines = {SIDE}\nbands = {BANDS}\ndata type = 1\ninterleave = bip\nbyte order = 0\n"
    );
    std::fs::write(folder.path().join("large.hdr"), header).unwrap();
    std::fs::File::create(&path).unwrap().set_len(SIDE * SIDE * BANDS).unwrap();
    let mut session = session();
    open(&mut session, &path);
    let view = view_of(&session, 256, 256);

    let empty = session.frame(&view, None);
    session.want(&empty.missing);
    settle(&mut session);
    let draft = session.frame(&view, None);
    session.want(&draft.missing);
    settle(&mut session);
    let sharp = session.frame(&view, None);

    assert!(empty.layers[0].tiles.is_empty());
    assert_eq!((draft.layers[0].tiles.len(), &draft.missing), (1, &empty.missing));
    assert_eq!((sharp.layers[0].tiles.len(), sharp.missing.len()), (1, 0));
}

#[test]
fn a_file_that_vanishes_is_said_once_and_nothing_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_raster(&folder.path().join("a.tif"), (1, 600, 600), utm(), |_, c, _| c as f32);
    let mut session = session();
    open(&mut session, &path);
    std::fs::remove_file(&path).unwrap();
    let view = view_of(&session, 600, 600);

    let first = session.frame(&view, None);
    session.want(&first.missing);
    let events = settle(&mut session);
    let second = session.frame(&view, None);

    assert!(first.missing.len() > 1 && second.missing.is_empty());
    assert_eq!(notices(&events).iter().filter(|text| text.contains("cannot be shown")).count(), 1, "{events:?}");
}
