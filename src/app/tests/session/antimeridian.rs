//! Scenes that cross 180°, on maps whose x begins again there and on others.

use nunatak_domain::geo::{GeoBounds, GeoPos, GeoTransform, Georeference};
use nunatak_domain::inspect::Probe;
use nunatak_io::Transformer;

use super::support::{ask, crs, open, session, sharp_frame, view_of, write_raster};

const SIZE: (usize, usize) = (400, 300);

/// The same 10° around 180°, 15° S, in three systems; or a part of the north.
fn place(code: &str) -> GeoTransform {
    GeoTransform(match code {
        "EPSG:4326" => [175.0, 0.025, 0.0, -10.0, 0.0, -0.025],
        // 25° east of 150° E.
        "EPSG:3832" => [2_782_987.27, 2782.987, 0.0, -1_111_475.1, 0.0, -2782.987],
        "EPSG:3857" => [19_480_910.89, 2782.987, 0.0, -1_118_889.97, 0.0, -2782.987],
        // Around the pole's far side: 180° points up.
        _ => [-1_600_000.0, 8000.0, 0.0, 3_000_000.0, 0.0, -8000.0],
    })
}

#[test]
fn scenes_across_180_degrees_are_whole_over_a_base_in_another_system() {
    let folder = tempfile::tempdir().unwrap();
    for (base, above) in [
        ("EPSG:3832", "EPSG:4326"),
        ("EPSG:4326", "EPSG:3832"),
        ("EPSG:3857", "EPSG:4326"),
        ("EPSG:4326", "EPSG:3857"),
        ("EPSG:3832", "EPSG:3857"),
        ("EPSG:3857", "EPSG:3832"),
    ] {
        let raster = |name: &str, code: &str| {
            let georeference = Georeference::Affine { transform: place(code) };
            let size = (1, SIZE.0, SIZE.1);
            write_raster(&folder.path().join(name), size, (crs(code), georeference), |_, c, r| (c * 1000 + r) as f32)
        };
        let mut session = session();
        let (_, lower) = open(&mut session, &raster("base.tif", base));
        let (_, upper) = open(&mut session, &raster("above.tif", above));
        let (below, around) = (session.layer_bounds(lower).unwrap(), session.layer_bounds(upper).unwrap());

        // Both cover the same 10° of longitude.
        let case = format!("{above} over {base}");
        assert!((around.min_x - below.min_x).abs() < 0.01 * below.width(), "{case}: {around:?}, {below:?}");
        assert!((around.max_x - below.max_x).abs() < 0.01 * below.width(), "{case}: {around:?}, {below:?}");
        let view = view_of(&session, 400, 300);
        let frame = sharp_frame(&mut session, &view);
        let vertices = frame.layers[1].tiles.iter().flat_map(|tile| tile.mesh.vertices.iter().copied());
        let drawn = GeoBounds::around(vertices).unwrap();
        assert!((drawn.width() / below.width() - 1.0).abs() < 0.01, "{case}: drawn from {drawn:?}");
        // Columns east and west of 180°, found again at their place.
        let to_map = Transformer::new(&crs(above).unwrap(), &crs(base).unwrap()).unwrap();
        for col in [20, 199, 201, 380] {
            let scene = place(above).geo_from_pixel(nunatak_domain::geo::PixelPos::new(col as f64 + 0.5, 150.5));
            let mut geo = to_map.point(scene).unwrap();
            if geo.x < below.min_x {
                geo.x += nunatak_io::x_period(&crs(base).unwrap()).unwrap();
            }
            let answer = ask(&mut session, Probe { tag: 0, geo });
            let value = (col * 1000 + 150) as f64;
            assert_eq!(answer.layers.first().map(|layer| layer.values.clone()), Some(vec![Some(value)]), "{case}");
            let (lon, _) = session.lon_lat(geo).unwrap();
            assert!((-180.0..=180.0).contains(&lon), "{case}: {lon}");
        }
    }
}

#[test]
fn a_polar_map_shows_both_sides_of_180_degrees() {
    let folder = tempfile::tempdir().unwrap();
    let raster = |name: &str, code: &str, transform| {
        let georeference = Georeference::Affine { transform };
        let size = (1, SIZE.0, SIZE.1);
        write_raster(&folder.path().join(name), size, (crs(code), georeference), |_, c, _| c as f32)
    };
    let degrees = GeoTransform([175.0, 0.025, 0.0, 76.0, 0.0, -0.025]);
    let mut session = session();
    open(&mut session, &raster("polar.tif", "EPSG:3413", place("polar")));
    let (_, upper) = open(&mut session, &raster("degrees.tif", "EPSG:4326", degrees));

    let to_map = Transformer::new(&crs("EPSG:4326").unwrap(), &crs("EPSG:3413").unwrap()).unwrap();
    let bounds = session.layer_bounds(upper).unwrap();
    // 10° of longitude at 68.5° N are about 410 km.
    assert!(bounds.width() < 1_000_000.0, "{bounds:?}");
    for (lon, col) in [(175.5, 20.0), (184.5, 380.0)] {
        let geo = to_map.point(GeoPos::new(lon + 0.0125, 72.0)).unwrap();
        let answer = ask(&mut session, Probe { tag: 0, geo });
        let found = answer.layers.first().map(|layer| layer.values.clone());
        assert_eq!(found, Some(vec![Some(col)]), "{lon}° E");
    }
}

#[test]
fn a_scene_is_drawn_on_the_copy_of_the_world_where_the_base_is() {
    let folder = tempfile::tempdir().unwrap();
    let raster = |name: &str, code: &str, transform| {
        let georeference = Georeference::Affine { transform: GeoTransform(transform) };
        write_raster(&folder.path().join(name), (1, 100, 100), (crs(code), georeference), |_, c, _| c as f32)
    };
    let mut session = session();
    open(&mut session, &raster("base.tif", "EPSG:4326", [175.0, 0.1, 0.0, -10.0, 0.0, -0.1]));
    // Just east of 180°: in the same system, and in UTM zone 1.
    let (_, same) = open(&mut session, &raster("same.tif", "EPSG:4326", [-179.0, 0.01, 0.0, -12.0, 0.0, -0.01]));
    let utm = [300_000.0, 1000.0, 0.0, 8_500_000.0, 0.0, -1000.0];
    let (_, zone) = open(&mut session, &raster("zone.tif", "EPSG:32701", utm));

    let (same, zone) = (session.layer_bounds(same).unwrap(), session.layer_bounds(zone).unwrap());

    assert!((same.min_x - 181.0).abs() < 1e-9 && (same.max_x - 182.0).abs() < 1e-9, "{same:?}");
    assert!((zone.center().x - 181.6).abs() < 0.2, "{zone:?}");
    let answer = ask(&mut session, Probe { tag: 0, geo: GeoPos::new(181.505, -12.5) });
    assert!(answer.layers.iter().any(|layer| layer.values == [Some(50.0)]), "{answer:?}");
}
