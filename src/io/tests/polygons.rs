//! Polygons of class maps: every wanted pixel once, in valid rings, in three formats.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::path::{Path, PathBuf};

use gdal::vector::{Geometry, LayerAccess};
use nunatak_domain::class::ClassScheme;
use nunatak_domain::geo::{GeoTransform, Georeference};
use nunatak_domain::job::{Connectivity, PolygonizeConfig, SmallPolygons};
use nunatak_domain::raster::{Raster, RasterSink};
use nunatak_domain::recipe::Recipe;
use nunatak_domain::scene::DataType;
use nunatak_io::{AreaKind, GeoTiffConfig, GeoTiffSink, PolygonReport, polygonize, read_recipe};
use nunatak_jobs::Silent;

const UTM: GeoTransform = GeoTransform([500_000.0, 30.0, 0.0, 7_000_000.0, 0.0, -30.0]);

struct Map {
    folder: tempfile::TempDir,
    raster: PathBuf,
}

impl Map {
    fn new(width: usize, values: &[f32], place: Option<(&str, GeoTransform)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let raster = folder.path().join("class.tif");
        let height = values.len() / width;
        let config = GeoTiffConfig {
            path: raster.clone(),
            width,
            height,
            bands: vec!["class".to_owned()],
            data_type: DataType::UInt8,
            nodata: Some(255.0),
            crs: place.map(|(code, _)| nunatak_io::crs_from_user(code).unwrap()),
            georeference: place.map_or(Georeference::None, |(_, transform)| Georeference::Affine { transform }),
            classes: None,
            recipe: recipe(),
            overwrite: false,
        };
        let mut sink = GeoTiffSink::create(config).unwrap();
        sink.write(0, 0, &Raster::new(1, width, height, values.to_vec())).unwrap();
        sink.finish(&Silent).unwrap();
        Self { folder, raster }
    }

    fn config(&self, out: &str) -> PolygonizeConfig {
        PolygonizeConfig {
            raster: self.raster.clone(),
            out: self.folder.path().join(out),
            connectivity: Connectivity::Four,
            min_area: 0.0,
            small: SmallPolygons::Merge,
            simplify: 0.0,
            classes: None,
            overwrite: false,
        }
    }
}

fn recipe() -> Recipe {
    Recipe::new(serde_json::json!({ "command": "polygonize" }))
}

fn run(config: &PolygonizeConfig) -> PolygonReport {
    polygonize(config, &ClassScheme::numbered(4), &Silent, &recipe()).unwrap()
}

/// Class id, label, area and outline of each polygon.
fn read(path: &Path) -> Vec<(i32, String, f64, Geometry)> {
    let dataset = gdal::Dataset::open(path).unwrap();
    let mut layer = dataset.layer(0).unwrap();
    let read = |feature: gdal::vector::Feature| {
        let field = |name: &str| feature.field_index(name).unwrap();
        let class = feature.field_as_integer(field("class_id")).unwrap().unwrap();
        let label = feature.field_as_string(field("label")).unwrap().unwrap();
        let area = feature.field_as_double(field("area")).unwrap().unwrap();
        (class, label, area, feature.geometry().unwrap().clone())
    };
    layer.features().map(read).collect()
}

const N: f32 = f32::NAN;

#[rustfmt::skip]
const SMALL: [f32; 20] = [
    1.0, 1.0, 0.0, 2.0, 2.0,
    1.0, 0.0, 2.0, 0.0, 2.0,
    0.0, 1.0, 2.0, 2.0, 2.0,
    N,   N,   3.0, N,   0.0,
];

/// A GDAL without GEOS, as the feature `bundled` links it, calls everything invalid.
fn valid(geometry: &Geometry) -> bool {
    if !gdal::version::VersionInfo::has_geos() {
        eprintln!("skipped: this GDAL cannot tell whether a polygon is valid");
        return true;
    }
    geometry.is_valid()
}

#[test]
fn every_region_of_a_class_is_a_polygon_in_every_format() {
    let map = Map::new(5, &SMALL, Some(("EPSG:32632", UTM)));
    for out in ["p.gpkg", "p.shp", "p.geojson"] {
        let config = map.config(out);

        let report = run(&config);

        assert_eq!(report.n_polygons, 4, "{out}: class 1 twice, 2 and 3 once");
        assert_eq!(report.area_kind, AreaKind::Planar);
        let classes: Vec<_> = report.classes.iter().map(|class| (class.id.0, class.n_polygons, class.area)).collect();
        assert_eq!(classes, [(1, 2, 4.0 * 900.0), (2, 1, 7.0 * 900.0), (3, 1, 900.0)]);
        let polygons = read(&config.out);
        let mut summary: Vec<_> = polygons.iter().map(|(id, label, area, _)| (*id, label.as_str(), *area)).collect();
        summary.sort_by(|a, b| (a.0, a.2).partial_cmp(&(b.0, b.2)).unwrap());
        let expected = [(1, "Class 1", 900.0), (1, "Class 1", 2700.0), (2, "Class 2", 6300.0), (3, "Class 3", 900.0)];
        assert_eq!(summary, expected, "{out}");
        assert!(polygons.iter().all(|(.., geometry)| valid(geometry)));
        assert_eq!(read_recipe(&config.out).unwrap(), Some(recipe()));
        if out != "p.geojson" {
            assert!(polygons.iter().all(|(_, _, area, geometry)| geometry.area() == *area));
        }
    }
    let mut names: Vec<_> =
        std::fs::read_dir(map.folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    // GDAL from 3.11 on says more of a GeoPackage beside it.
    names.retain(|name| name != "p.gpkg.aux.xml");
    names.sort_unstable();
    let expected = [
        "class.tif",
        "p.cpg",
        "p.dbf",
        "p.geojson",
        "p.geojson.recipe.json",
        "p.gpkg",
        "p.prj",
        "p.shp",
        "p.shp.recipe.json",
        "p.shx",
    ];
    assert_eq!(names, expected);
}

#[test]
fn corners_join_regions_only_where_asked() {
    let map = Map::new(5, &SMALL, Some(("EPSG:32632", UTM)));
    let config = PolygonizeConfig { connectivity: Connectivity::Eight, ..map.config("p.gpkg") };

    let report = run(&config);

    // Class 1: (1, 0) touches the lone pixel (1, 2) through no corner: (0, 1) does.
    assert_eq!(report.n_polygons, 3);
    let polygons = read(&config.out);
    assert!(polygons.iter().all(|(.., geometry)| valid(geometry)));
    let two_parts = polygons.iter().find(|(id, ..)| *id == 1).unwrap();
    assert_eq!((two_parts.2, two_parts.3.area(), two_parts.3.geometry_count()), (3600.0, 3600.0, 2));
}

#[test]
fn classes_and_smallest_area_can_be_chosen() {
    let map = Map::new(5, &SMALL, Some(("EPSG:32632", UTM)));
    let zero = run(&PolygonizeConfig { classes: Some(vec![0, 3]), ..map.config("zero.gpkg") });
    let small = SmallPolygons::Drop;
    let large = run(&PolygonizeConfig { min_area: 900.0 * 3.0, small, ..map.config("large.gpkg") });

    assert_eq!(zero.classes.iter().map(|class| class.id.0).collect::<Vec<_>>(), [0, 3]);
    assert_eq!(zero.classes[0].area, 900.0 * 5.0);
    assert_eq!((large.n_polygons, large.n_too_small, large.too_small_area), (2, 2, 900.0 * 2.0));
    assert_eq!((large.n_merged, large.merged_area), (0, 0.0));
}

/// Expected: rasterio.features.sieve (GDAL 3.10) with size 3 and nodata masked.
#[test]
fn small_regions_become_part_of_their_largest_neighbour() {
    let map = Map::new(5, &SMALL, Some(("EPSG:32632", UTM)));
    let config = PolygonizeConfig { min_area: 900.0 * 3.0, ..map.config("p.gpkg") };

    let report = run(&config);

    let classes: Vec<_> = report.classes.iter().map(|class| (class.id.0, class.n_polygons, class.area)).collect();
    assert_eq!(classes, [(1, 1, 4.0 * 900.0), (2, 1, 13.0 * 900.0)]);
    assert_eq!((report.n_merged, report.merged_area), (7, 7.0 * 900.0));
    assert_eq!((report.n_too_small, report.too_small_area), (0, 0.0));
    let one = PolygonizeConfig { classes: Some(vec![1]), min_area: 900.0 * 3.0, ..map.config("one.gpkg") };
    assert_eq!(run(&one).classes.iter().map(|class| class.area).collect::<Vec<_>>(), [4.0 * 900.0]);
}

#[test]
fn small_regions_between_small_ones_merge_too_and_those_in_nodata_are_dropped() {
    #[rustfmt::skip]
    let values = [
        1.0, 1.0, 1.0, 1.0, 1.0, 1.0, N, N,
        1.0, 2.0, 3.0, 4.0, 1.0, 1.0, N, 2.0,
        1.0, 3.0, 2.0, 3.0, 1.0, 1.0, N, N,
        1.0, 4.0, 3.0, 2.0, 1.0, 1.0, N, N,
        1.0, 1.0, 1.0, 1.0, 1.0, 1.0, N, N,
    ];
    let map = Map::new(8, &values, Some(("EPSG:32632", UTM)));
    let config = PolygonizeConfig { min_area: 900.0 * 3.0, ..map.config("p.gpkg") };

    let report = run(&config);

    assert_eq!((report.n_polygons, report.classes[0].area), (1, 30.0 * 900.0));
    assert_eq!((report.n_merged, report.merged_area), (9, 9.0 * 900.0));
    assert_eq!((report.n_too_small, report.too_small_area), (1, 900.0));
}

#[test]
fn geojson_is_in_wgs_84_and_counterclockwise() {
    let map = Map::new(5, &SMALL, Some(("EPSG:32632", UTM)));
    let config = map.config("p.geojson");
    run(&config);

    let text = std::fs::read_to_string(&config.out).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(json.get("crs").is_none());
    for feature in json["features"].as_array().unwrap() {
        let ring = feature["geometry"]["coordinates"][0].as_array().unwrap();
        let at = |i: usize| (ring[i][0].as_f64().unwrap(), ring[i][1].as_f64().unwrap());
        let doubled: f64 = (0..ring.len() - 1).map(|i| at(i).0 * at(i + 1).1 - at(i + 1).0 * at(i).1).sum();
        assert!(doubled > 0.0, "outer rings are counterclockwise");
        assert!((at(0).0 - 9.0).abs() < 0.01 && (at(0).1 - 63.1).abs() < 0.1, "{:?}", at(0));
    }
}

#[test]
fn without_a_crs_pixels_are_counted_and_geojson_is_refused() {
    let map = Map::new(5, &SMALL, None);
    let config = PolygonizeConfig { min_area: 3.0, ..map.config("p.shp") };

    let report = run(&config);
    let refused = polygonize(&map.config("p.geojson"), &ClassScheme::default(), &Silent, &recipe()).unwrap_err();

    assert_eq!((report.area_kind, report.n_polygons), (AreaKind::Pixels, 2));
    // Pixels with y up, as the map shows them.
    let envelope = read(&config.out)[0].3.envelope();
    assert!(envelope.MaxY <= 0.0 && envelope.MinX >= 0.0);
    assert!(refused.to_string().starts_with("cannot make GeoJSON"));
}

#[test]
fn a_raster_that_is_no_class_map_is_refused() {
    let map = Map::new(2, &[1.0, 2.0], None);
    let refuse =
        |out: &str| polygonize(&map.config(out), &ClassScheme::default(), &Silent, &recipe()).unwrap_err().to_string();
    assert!(refuse("p.kml").starts_with("cannot write polygons in this format: choose .shp, .gpkg or .geojson"));

    let path = map.folder.path().join("float.tif");
    let base = GeoTiffConfig {
        path: path.clone(),
        width: 3,
        height: 2,
        bands: vec!["margin".to_owned()],
        data_type: DataType::Float32,
        nodata: None,
        crs: None,
        georeference: Georeference::None,
        classes: None,
        recipe: recipe(),
        overwrite: false,
    };
    let mut sink = GeoTiffSink::create(base).unwrap();
    sink.write(0, 0, &Raster::new(1, 3, 2, vec![0.0, 1.0, 2.0, 3.0, 0.25, 5.0])).unwrap();
    sink.finish(&Silent).unwrap();
    let config = PolygonizeConfig { raster: path, ..map.config("p.shp") };
    let error = polygonize(&config, &ClassScheme::default(), &Silent, &recipe()).unwrap_err().to_string();
    assert!(error.starts_with("cannot make polygons: 0.25 at column 1, row 1 is no class id"), "{error}");
}

/// Blobs of a few pixels, without gaps: classes 1 to 3 everywhere.
fn noise(width: usize, height: usize, blob: usize) -> Vec<f32> {
    let cell = |c: usize, r: usize| {
        let mixed = (c as u64 * 0x9e37_79b9 + r as u64 * 0x85eb_ca6b + 7).wrapping_mul(0xff51_afd7_ed55_8ccd);
        (1 + (mixed >> 40) % 3) as f32
    };
    (0..width * height).map(|i| cell(i % width / blob, i / width / blob)).collect()
}

#[test]
fn polygons_of_noise_are_valid_and_cover_each_pixel_once() {
    let map = Map::new(60, &noise(60, 45, 1), Some(("EPSG:32632", UTM)));
    for connectivity in [Connectivity::Four, Connectivity::Eight] {
        let config = PolygonizeConfig { connectivity, overwrite: true, ..map.config("p.gpkg") };

        let report = run(&config);

        let polygons = read(&config.out);
        let invalid = polygons.iter().filter(|(.., geometry)| !valid(geometry)).count();
        assert_eq!((invalid, polygons.len() as u64), (0, report.n_polygons));
        assert!(polygons.iter().all(|(_, _, area, geometry)| (geometry.area() - area).abs() < 1e-6));
        let total: f64 = report.classes.iter().map(|class| class.area).sum();
        assert_eq!(total, 60.0 * 45.0 * 900.0);
    }
}

#[test]
fn simplified_neighbours_leave_no_gap_and_no_overlap() {
    if !gdal::version::VersionInfo::has_geos() {
        eprintln!("skipped: without GEOS outlines stay as they are, for nothing tells whether simpler ones are valid");
        return;
    }
    // Diagonal bands of three classes: staircases everywhere.
    let (width, height) = (90, 70);
    let values: Vec<f32> = (0..width * height).map(|i| (1 + (i % width + i / width) / 20 % 3) as f32).collect();
    let map = Map::new(width, &values, Some(("EPSG:32632", UTM)));
    let plain = map.config("plain.gpkg");
    let config = PolygonizeConfig { simplify: 30.0, ..map.config("simple.gpkg") };

    run(&plain);
    let report = run(&config);

    let polygons = read(&config.out);
    assert!(polygons.iter().all(|(.., geometry)| valid(geometry)));
    let points = |polygons: &[(i32, String, f64, Geometry)]| -> usize {
        polygons.iter().map(|(.., geometry)| geometry.get_geometry(0).point_count()).sum()
    };
    assert!(points(&polygons) * 4 < points(&read(&plain.out)), "staircases become lines");
    let outlines: f64 = polygons.iter().map(|(.., geometry)| geometry.area()).sum();
    let pixels: f64 = report.classes.iter().map(|class| class.area).sum();
    assert!((outlines - pixels).abs() < 1e-3, "{outlines} m² in outlines, {pixels} m² in pixels");
}

#[test]
fn degrees_are_measured_on_the_ellipsoid() {
    let degrees = GeoTransform([9.0, 0.001, 0.0, 60.0, 0.0, -0.001]);
    let map = Map::new(5, &SMALL, Some(("EPSG:4326", degrees)));
    let report = run(&map.config("p.gpkg"));

    assert_eq!(report.area_kind, AreaKind::Ellipsoid);
    // At 60 degrees north a degree is 55.80 km by 111.41 km.
    let pixel = report.classes[2].area;
    assert!((pixel / (55.80 * 111.41) - 1.0).abs() < 1e-3, "{pixel} m²");
}
