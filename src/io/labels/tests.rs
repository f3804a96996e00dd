//! Labels of real data sets on their scenes. Expected values: rasterio's `features.rasterize`
//! after geopandas' `to_crs`, rasterio's `read`, and pyproj with numpy for alignment; the hash
//! stands for every pixel (FNV-1a over uint16, 65535 where there is no label).

use std::path::{Path, PathBuf};

use nunatak_domain::class::{Class, ClassId, ClassScheme, Rgb};
use nunatak_domain::geo::{Crs, GeoTransform, Georeference};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::label::LabelLayer;
use nunatak_domain::recipe::Recipe;
use nunatak_domain::scene::SceneInfo;
use nunatak_jobs::Silent;
use proptest::prelude::*;

use super::*;
use crate::classes::read_classes;

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("NUNATAK_TEST_DATA")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?).join("../../../shared/data")))?;
    if !folder.is_dir() {
        eprintln!("skipped: no {}", folder.display());
        return None;
    }
    Some(folder)
}

fn scene(path: impl AsRef<Path>) -> SceneInfo {
    crate::describe::describe(path.as_ref()).unwrap()
}

fn hash(layer: &LabelLayer) -> u64 {
    let ids = layer.read(layer.rect());
    ids.iter()
        .flat_map(|id| id.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn counts(layer: &LabelLayer) -> Vec<(u32, u64)> {
    layer.counts().into_iter().map(|(id, n)| (id.0, n)).collect()
}

fn raster(labels: &Path, scene: &SceneInfo) -> LabelImport {
    import_label_raster(&RasterLabels::new(labels), scene, &ClassScheme::default(), &Silent).unwrap()
}

fn vector(labels: &Path, field: &str, scene: &SceneInfo) -> LabelImport {
    import_label_vector(&VectorLabels::new(labels).field(field), scene, &ClassScheme::default(), &Silent).unwrap()
}

fn recipe() -> Recipe {
    Recipe::new(serde_json::json!({ "command": "labels export" }))
}

/// Out as a raster and as all kinds of vectors, and in again: every pixel and every class stays.
fn survives(import: &LabelImport, scene: &SceneInfo) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("labels.tif");
    export_label_raster(&import.layer, &import.classes, scene, (&out, false), &recipe(), &Silent).unwrap();
    let back = raster(&out, scene);
    assert!(back.layer == import.layer, "raster: {:?} became {:?}", counts(&import.layer), counts(&back.layer));
    for class in &import.classes.classes {
        assert_eq!(
            back.classes.get(class.id).map(|class| (&class.name, class.color)),
            Some((&class.name, class.color))
        );
    }
    let kinds = [
        ("labels.gpkg", AttributeSet::Plain, "class_id"),
        ("scp.shp", AttributeSet::Scp, "C_ID"),
        ("scp.gpkg", AttributeSet::Scp, "C_name"),
        ("arcgis.shp", AttributeSet::ArcGis, "Classvalue"),
        ("arcgis.geojson", AttributeSet::ArcGis, "Classname"),
    ];
    for (name, attributes, field) in
        kinds.into_iter().filter(|(name, _, _)| scene.map_crs().is_some() || !name.ends_with("geojson"))
    {
        let out = folder.path().join(name);
        let config = VectorExport { out: out.clone(), attributes, connectivity: Default::default(), overwrite: false };
        export_label_vector(&import.layer, &import.classes, scene, &config, &recipe(), &Silent).unwrap();

        let back = vector(&out, field, scene);

        // A name column gives new ids to names: compare by name there.
        if field.ends_with("name") && field != "Classname" {
            let names = |import: &LabelImport| {
                let mut named: Vec<(String, u64)> =
                    import.layer.counts().into_iter().map(|(id, n)| (import.classes.name(id), n)).collect();
                named.sort();
                named
            };
            assert_eq!(names(&back), names(import), "{name}");
        } else {
            assert!(back.layer == import.layer, "{name}: {:?} became {:?}", counts(&import.layer), counts(&back.layer));
        }
        if attributes == AttributeSet::ArcGis {
            for id in import.layer.counts().keys() {
                assert_eq!(
                    back.classes.get(*id).map(|class| class.color),
                    import.classes.get(*id).map(|class| class.color)
                );
            }
        }
    }
}

#[test]
fn label_rasters_of_the_scenes_land_on_their_pixels() {
    let Some(data) = data() else { return };
    type Case = (&'static str, &'static str, &'static [(u32, u64)]);
    let cases: [Case; 10] = [
        (
            "nc-landsat7/lsat7_2000_6band_int16.tif",
            "nc-landsat7/landsat96_labels_uint8.tif",
            &[(1, 427), (2, 65), (3, 609), (4, 290), (5, 939), (6, 433), (7, 109)],
        ),
        (
            "s2-slovenia-13band/scene2_13band_uint16.tif",
            "s2-slovenia-13band/lulc_uint8.tif",
            &[(1, 11), (2, 7601), (3, 1777), (4, 358), (8, 198)],
        ),
        (
            "berlin-class-rasters/landcover_map_l3.tif",
            "berlin-class-rasters/landcover_map_l3.tif",
            &[(1, 11683), (2, 19553), (3, 11492), (4, 26707), (5, 959), (6, 764)],
        ),
        (
            "berlin-class-rasters/landcover_map_l3.tif",
            "berlin-class-rasters/landcover_polygon_30m.tif",
            &[(1, 495), (2, 586), (3, 320), (4, 539), (5, 51), (6, 37)],
        ),
        ("berlin-class-rasters/landcover_map_l3.tif", "berlin-class-rasters/water_mask_30m.tif", &[(1, 764)]),
        (
            "enmap-potsdam-tiles/potsdam_128x32_224b_int16.tif",
            "enmap-potsdam-tiles/potsdam_128x32_labels.tif",
            &[(1, 185), (2, 346), (3, 236), (4, 209), (5, 38), (6, 56)],
        ),
        (
            "enmap-potsdam-tiles/images/enmap_potsdam_tile_96_96.tif",
            "enmap-potsdam-tiles/labels/enmap_potsdam_tile_96_96.tif",
            &[(1, 43), (2, 63), (3, 52), (4, 24)],
        ),
        (
            "enmap-potsdam-tiles/images/enmap_potsdam_tile_128_96.tif",
            "enmap-potsdam-tiles/labels/enmap_potsdam_tile_128_96.tif",
            &[(1, 40), (2, 68), (3, 89), (4, 77), (6, 20)],
        ),
        (
            "enmap-potsdam-tiles/images/enmap_potsdam_tile_160_96.tif",
            "enmap-potsdam-tiles/labels/enmap_potsdam_tile_160_96.tif",
            &[(1, 41), (2, 107), (3, 9), (4, 6), (5, 17)],
        ),
        (
            "enmap-potsdam-tiles/images/enmap_potsdam_tile_192_96.tif",
            "enmap-potsdam-tiles/labels/enmap_potsdam_tile_192_96.tif",
            &[(1, 61), (2, 108), (3, 86), (4, 102), (5, 21), (6, 36)],
        ),
    ];
    for (on, labels, expected) in cases {
        let on = scene(data.join(on));
        let import = raster(&data.join(labels), &on);

        assert_eq!(counts(&import.layer), expected, "{labels}");
        assert_eq!(import.report.n_labelled, expected.iter().map(|(_, n)| n).sum::<u64>());
        // Every pixel is where the raster has it.
        let values = crate::source::open(&data.join(labels)).unwrap();
        let mut values = values;
        let whole = PixelRect::whole(on.width, on.height);
        let stored = nunatak_domain::raster::RasterSource::read_window(&mut values, whole, &[0]).unwrap();
        for (id, value) in import.layer.read(whole).into_iter().zip(&stored.data) {
            assert_eq!(id == nunatak_domain::label::UNLABELLED, value.is_nan() || *value == 0.0);
            assert!(id == nunatak_domain::label::UNLABELLED || f32::from(id) == *value);
        }
        survives(&import, &on);
    }
}

#[test]
fn names_and_colours_come_with_the_raster() {
    let Some(data) = data() else { return };
    let on = scene(data.join("berlin-class-rasters/landcover_map_l3.tif"));

    let import = raster(&data.join("berlin-class-rasters/landcover_polygon_30m.tif"), &on);

    let low = import.classes.get(ClassId(3)).unwrap();
    assert_eq!((low.name.as_str(), low.color), ("low vegetation", Rgb([0x98, 0xe6, 0])));
    let zero = import.report.remarks.iter().find(|remark| remark.starts_with('0')).unwrap();
    assert!(zero.contains("was taken as no label, 85972 pixels; to make it a class, map it: 0=name"), "{zero}");
}

#[test]
fn a_map_makes_classes_of_what_would_be_no_label() {
    let Some(data) = data() else { return };
    let on = scene(data.join("berlin-class-rasters/landcover_map_l3.tif"));
    let mut config = RasterLabels::new(data.join("berlin-class-rasters/water_mask_30m.tif"));
    config.map = "0=land,1=water".parse().unwrap();
    let existing = ClassScheme { classes: vec![Class::new(ClassId(5), "Water", Rgb([0, 0, 255]))] };

    let import = import_label_raster(&config, &on, &existing, &Silent).unwrap();

    assert_eq!(counts(&import.layer), [(0, 87_236), (5, 764)]);
    assert_eq!(import.classes.name(ClassId(0)), "land");
    assert_eq!(import.classes.classes[0], existing.classes[0]);
    survives(&import, &on);
}

#[test]
fn vectors_land_on_the_pixels_that_rasterio_burns() {
    let Some(data) = data() else { return };
    type Case = (&'static str, &'static str, &'static str, &'static [(u32, u64)], u64);
    let cases: [Case; 11] = [
        (
            "nc-landsat7/lsat7_2000_6band_int16.tif",
            "nc-landsat7/vector/landsat96_polygons.shp",
            "id",
            &[(1, 343), (2, 46), (3, 476), (4, 202), (5, 788), (6, 352), (7, 57)],
            0x277b_9f26_e731_edf5,
        ),
        (
            "nc-landsat7/lsat7_2000_6band_int16.tif",
            "nc-landsat7/vector/landsat96_polygons.shp",
            "label",
            &[(1, 46), (2, 343), (3, 788), (4, 476), (5, 57), (6, 202), (7, 352)],
            0xcd32_3e1b_0fdd_7898,
        ),
        (
            "nc-landsat7/lsat7_2000_6band_int16.tif",
            "nc-landsat7/vector/landsat96_points.shp",
            "id",
            &[(1, 266), (2, 5), (3, 102), (4, 53), (5, 437), (6, 17), (7, 3)],
            0x5084_bfaa_a321_9fa7,
        ),
        (
            "s2-rachel-carson/s2_20181013_8band_uint8.tif",
            "s2-rachel-carson/vector/rcr_landcover.shp",
            "Classvalue",
            &[(2100, 144), (2253, 124), (2260, 82), (2360, 155), (6201, 54), (22531, 39)],
            0x27a3_0af8_cdc8_a2af,
        ),
        (
            "s2-rachel-carson/s2_20181013_8band_uint8.tif",
            "s2-rachel-carson/vector/rcr_landcover.shp",
            "Classname",
            &[(2100, 144), (2253, 124), (2260, 82), (2360, 155), (6201, 54), (22531, 39)],
            0x27a3_0af8_cdc8_a2af,
        ),
        (
            "s2-slovenia-13band/scene2_13band_uint16.tif",
            "s2-slovenia-13band/LULC.gpkg",
            "LULC_ID",
            &[(0, 155), (1, 11), (2, 7601), (3, 1777), (4, 358), (8, 198)],
            0x7416_850f_d32e_f80d,
        ),
        (
            "historical-map/map_lowres.tif",
            "historical-map/train.gpkg",
            "Class",
            &[(1, 1894), (2, 579), (3, 568), (4, 132), (5, 2)],
            0xf77e_dc01_5f5c_8981,
        ),
        (
            "berlin-class-rasters/landcover_map_l3.tif",
            "berlin-class-rasters/landcover_point_singlepart_3035.gpkg",
            "level_2",
            &[(1, 19), (2, 11), (3, 10), (4, 9), (5, 9)],
            0x7c63_8afe_d56c_3517,
        ),
        (
            "enmap-potsdam-tiles/enmap_landcover_unstyled.tif",
            "enmap-potsdam-tiles/vector/landcover_potsdam_point.gpkg",
            "level_2",
            &[(1, 30), (2, 20), (3, 23), (4, 38), (5, 9)],
            0xd1b1_c8fd_490e_8a53,
        ),
        (
            "demmin-fields/sentinel2_fields.tif",
            "demmin-fields/esus.gpkg",
            "esu",
            &[(1, 26), (2, 26), (3, 26)],
            0xe2ce_ff77_da12_89f1,
        ),
        (
            "demmin-fields/sentinel2_fields.tif",
            "demmin-fields/fields.gpkg",
            "desc",
            &[(1, 31446), (2, 53681)],
            0x4b4d_af26_6215_4451,
        ),
    ];
    for (on, labels, field, expected, pixels) in cases {
        let on = scene(data.join(on));

        let import = vector(&data.join(labels), field, &on);

        assert_eq!(counts(&import.layer), expected, "{labels} {field}");
        assert_eq!(hash(&import.layer), pixels, "{labels} {field}");
        let counted = import.report.features.unwrap();
        assert_eq!((counted.n_empty, counted.n_invalid, counted.n_without_class), (0, 0, 0), "{labels}");
        survives(&import, &on);
    }
}

#[test]
fn names_of_ids_and_styles_beside_vectors_are_found() {
    let Some(data) = data() else { return };
    let map = scene(data.join("historical-map/map_lowres.tif"));
    let train = import_label_vector(
        &VectorLabels::new(data.join("historical-map/train.gpkg")),
        &map,
        &ClassScheme::default(),
        &Silent,
    )
    .unwrap();
    assert_eq!(train.classes.name(ClassId(5)), "Buildings");

    let potsdam = scene(data.join("enmap-potsdam-tiles/enmap_landcover_unstyled.tif"));
    let points = vector(&data.join("enmap-potsdam-tiles/vector/landcover_potsdam_point.gpkg"), "level_2", &potsdam);
    let soil = points.classes.classes.iter().find(|class| class.name == "soil").unwrap();
    assert_eq!(soil.color, Rgb([168, 112, 0]));

    let slovenia = read_classes(data.join("s2-slovenia-13band/LULC.gpkg"), Some("lulc_id")).unwrap();
    assert_eq!(slovenia.classes.iter().map(|class| class.id.0).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 8]);
    assert_eq!(slovenia.name(ClassId(2)).to_lowercase(), "forest");
    let styled =
        read_classes(data.join("enmap-potsdam-tiles/vector/landcover_potsdam_point.level_2.qml"), None).unwrap();
    assert_eq!(styled.classes.len(), 5);
    assert_eq!(styled.classes[0], Class::new(ClassId(1), "impervious", Rgb([230, 0, 0])));
}

#[test]
fn a_grid_of_cells_covers_a_scene() {
    let Some(data) = data() else { return };
    let on = scene(data.join("nc-landsat7/lsat7_2000_6band_int16.tif"));

    let import = vector(&data.join("vector-labels/grid/nc_grid_57px.shp"), "id", &on);

    assert_eq!(hash(&import.layer), 0x43be_828e_d493_58f2);
    assert_eq!(import.layer.counts()[&ClassId(71)], 1452);
}

#[test]
fn shapes_outside_and_files_without_labels_are_said() {
    let Some(data) = data() else { return };
    let on = scene(data.join("nc-landsat7/lsat7_2000_6band_int16.tif"));
    let error = |path: &str, field: Option<&str>| {
        let mut config = VectorLabels::new(data.join(path));
        config.field = field.map(str::to_owned);
        import_label_vector(&config, &on, &ClassScheme::default(), &Silent).unwrap_err().to_string()
    };

    assert!(error("vector-labels/ny_samples.gpkg", None).starts_with("none of its features touches the scene"));
    assert!(error("vector-labels/broken-or-empty/empty.gpkg", Some("name")).starts_with("it holds no features"));
    assert!(error("vector-labels/broken-or-empty/invalid.geojson", None).contains("the file is empty"));
    assert!(
        error("nc-landsat7/vector/landsat96_polygons.shp", Some("x"))
            .starts_with("there is no field x, only label, id")
    );
    assert!(error("nc-landsat7/vector/none.shp", None).contains("no such file"));
    let fractions = import_label_raster(
        &RasterLabels::new(data.join("demmin-fields/landsat8_fields.tif")),
        &on,
        &ClassScheme::default(),
        &Silent,
    );
    assert!(fractions.unwrap_err().to_string().starts_with("labels have one band, this raster has 3: choose one"));
    let mut config = RasterLabels::new(data.join("demmin-fields/landsat8_fields.tif"));
    config.band = Some(0);
    let fractions = import_label_raster(&config, &scene(&config.raster), &ClassScheme::default(), &Silent);
    assert!(fractions.unwrap_err().to_string().contains("labels are whole numbers"));
}

/// A scene that no file holds.
fn made(crs: Option<&str>, transform: GeoTransform, (width, height): (usize, usize)) -> SceneInfo {
    let crs: Option<Crs> = crs.map(|code| crate::reproject::crs_from_user(code).unwrap());
    SceneInfo {
        path: "scene.tif".into(),
        driver: "GTiff".to_owned(),
        width,
        height,
        bands: Vec::new(),
        crs,
        georeference: Georeference::Affine { transform },
        overviews: Vec::new(),
        block: (256, 256),
        compression: None,
        interleave: None,
        subdatasets: Vec::new(),
        metadata: Vec::new(),
        remarks: Vec::new(),
    }
}

#[test]
fn labels_of_other_grids_are_aligned_at_pixel_centres_and_that_is_said() {
    let Some(data) = data() else { return };
    let labels = data.join("berlin-class-rasters/landcover_map_l3.tif");
    let laea = made(Some("EPSG:3035"), GeoTransform([4_545_000.0, 25.0, 0.0, 3_274_000.0, 0.0, -25.0]), (300, 420));

    let import = raster(&labels, &laea);

    assert_eq!(counts(&import.layer), [(1, 9466), (2, 15_042), (3, 3342), (4, 12_209), (5, 393), (6, 352)]);
    assert_eq!((hash(&import.layer), import.report.n_uncovered), (0xc36b_3448_27c4_6fb0, 77_363));
    assert_eq!(
        import.report.remarks[0],
        "the labels were brought to the scene's grid, nearest neighbour at pixel centres: from EPSG:32633 to EPSG:3035, \
         from pixels of 30 to pixels of 25, 220 x 400 pixels onto 300 x 420"
    );

    let finer = made(Some("EPSG:32633"), GeoTransform([380_007.0, 10.0, 0.0, 5_814_997.0, 0.0, -10.0]), (500, 600));
    let import = raster(&labels, &finer);
    assert_eq!((hash(&import.layer), import.report.n_uncovered), (0x48ee_b19c_80e1_8b6e, 57_000));
}

#[test]
fn a_part_of_larger_labels_is_cut_out() {
    let Some(data) = data() else { return };
    let on = scene(data.join("enmap-potsdam-tiles/potsdam_128x32_224b_int16.tif"));

    let import = raster(&data.join("enmap-potsdam-tiles/enmap_landcover_unstyled.tif"), &on);

    assert_eq!(hash(&import.layer), 0x07ee_4b11_ad20_9698);
    assert!(
        import.report.remarks[0].contains("cut to the scene, which begins at column"),
        "{:?}",
        import.report.remarks
    );
}

#[test]
fn labels_that_do_not_touch_the_scene_are_refused() {
    let Some(data) = data() else { return };
    let far = made(Some("EPSG:32633"), GeoTransform([0.0, 10.0, 0.0, 100.0, 0.0, -10.0]), (50, 50));

    let error = import_label_raster(
        &RasterLabels::new(data.join("berlin-class-rasters/landcover_map_l3.tif")),
        &far,
        &ClassScheme::default(),
        &Silent,
    );

    assert!(error.unwrap_err().to_string().starts_with("the labels do not touch the scene"));
}

const GRID: GeoTransform = GeoTransform([500_000.0, 10.0, 0.0, 6_000_000.0, 0.0, -10.0]);

/// Writes an array of any type of GDAL.
fn write<T: gdal::raster::GdalType + Copy>(path: &Path, width: usize, values: &[T], nodata: Option<f64>) {
    crate::library::start();
    let height = values.len() / width;
    let driver = gdal::DriverManager::get_driver_by_name("GTiff").unwrap();
    let mut dataset = driver.create_with_band_type::<T, _>(path, width, height, 1).unwrap();
    dataset.set_geo_transform(&GRID.0).unwrap();
    dataset.set_spatial_ref(&gdal::spatial_ref::SpatialRef::from_epsg(32_633).unwrap()).unwrap();
    let mut band = dataset.rasterband(1).unwrap();
    band.set_no_data_value(nodata).unwrap();
    band.write((0, 0), (width, height), &mut gdal::raster::Buffer::new((width, height), values.to_vec())).unwrap();
}

#[test]
fn integers_of_every_width_are_read_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.tif");
    let on = made(Some("EPSG:32633"), GRID, (4, 1));
    let values =
        |import: &LabelImport| import.report.values.iter().map(|value| value.value.clone()).collect::<Vec<_>>();

    // Float32 cannot tell these two.
    write::<i32>(&path, 4, &[16_777_216, 16_777_217, -9999, 3], None);
    let import = raster(&path, &on);
    assert_eq!(values(&import), ["-9999", "3", "16777216", "16777217"]);
    assert_eq!(import.layer.read(on_rect(&on)), [1, 2, u16::MAX, 3]);
    assert!(import.report.remarks.iter().any(|remark| remark.contains("16777216 became 1, 16777217 became 2")));

    write::<u32>(&path, 4, &[0, u32::MAX, 65_534, 65_535], Some(65_534.0));
    let import = raster(&path, &on);
    assert_eq!(import.layer.read(on_rect(&on)), [u16::MAX, 1, u16::MAX, 2]);

    write::<i16>(&path, 4, &[-2, 5, -32_768, 7], None);
    assert_eq!(raster(&path, &on).layer.read(on_rect(&on)), [1, 5, u16::MAX, 7]);

    write::<f64>(&path, 4, &[2.0, f64::NAN, 1e6, 4.0], None);
    assert_eq!(raster(&path, &on).layer.read(on_rect(&on)), [2, u16::MAX, 1, 4]);

    write::<f32>(&path, 4, &[2.0, 2.5, 1.0, 4.0], None);
    let error = import_label_raster(&RasterLabels::new(&path), &on, &ClassScheme::default(), &Silent).unwrap_err();
    assert!(error.to_string().contains("the value at column 1, row 0 is 2.5"), "{error}");
}

fn on_rect(info: &SceneInfo) -> PixelRect {
    PixelRect::whole(info.width, info.height)
}

fn geojson(folder: &Path, name: &str, features: &str) -> PathBuf {
    let path = folder.join(name);
    let text = format!(
        r#"{{"type":"FeatureCollection","crs":{{"type":"name","properties":{{"name":"urn:ogc:def:crs:EPSG::32633"}}}},"features":[{features}]}}"#
    );
    crate::atomic::write_text(&path, &text, true).unwrap();
    path
}

#[test]
fn lines_label_the_pixels_within_half_their_width() {
    let folder = tempfile::tempdir().unwrap();
    // From the centre of pixel (1, 1) to the centre of pixel (5, 1).
    let feature = r#"{"type":"Feature","properties":{"class":3},"geometry":{"type":"LineString","coordinates":[[500015,5999985],[500055,5999985]]}}"#;
    let path = geojson(folder.path(), "lines.geojson", feature);
    let on = made(Some("EPSG:32633"), GRID, (7, 4));
    let with = |width: LineWidth| {
        let config = VectorLabels { line_width: width, ..VectorLabels::new(&path) };
        let import = import_label_vector(&config, &on, &ClassScheme::default(), &Silent).unwrap();
        import.layer.read(on_rect(&on)).iter().map(|id| u8::from(*id == 3)).collect::<Vec<_>>()
    };

    #[rustfmt::skip]
    let thin = [
        0, 0, 0, 0, 0, 0, 0,
        0, 1, 1, 1, 1, 1, 0,
        0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0,
    ];
    #[rustfmt::skip]
    let wide = [
        0, 1, 1, 1, 1, 1, 0,
        1, 1, 1, 1, 1, 1, 1,
        0, 1, 1, 1, 1, 1, 0,
        0, 0, 0, 0, 0, 0, 0,
    ];
    assert_eq!(with(LineWidth::Px(1.0)), thin);
    assert_eq!(with(LineWidth::Px(2.0)), wide);
    assert_eq!(with(LineWidth::Metres(20.0)), wide);
}

#[test]
fn odd_features_are_counted_and_later_ones_cover_earlier_ones() {
    let folder = tempfile::tempdir().unwrap();
    let feature = |class: &str, geometry: &str| {
        format!(r#"{{"type":"Feature","properties":{{"name":{class}}},"geometry":{geometry}}}"#)
    };
    let square = |x: u32, y: u32, side: u32| {
        let (right, bottom) = (x + side, y - side);
        format!(
            r#"{{"type":"Polygon","coordinates":[[[{x},{y}],[{right},{y}],[{right},{bottom}],[{x},{bottom}],[{x},{y}]]]}}"#
        )
    };
    let features = [
        feature("\"wood\"", &square(500_000, 6_000_000, 40)),
        feature("\"lake\"", &square(500_000, 6_000_000, 20)),
        feature("null", &square(500_000, 6_000_000, 20)),
        feature("\"lake\"", "null"),
        feature("\"wood\"", &square(900_000, 6_000_000, 20)),
        feature(
            "\"wood\"",
            r#"{"type":"Polygon","coordinates":[[[500040,5999960],[500060,5999940],[500060,5999960],[500040,5999940],[500040,5999960]]]}"#,
        ),
        feature("\"speck\"", &square(500_061, 5_999_999, 2)),
        feature("\"point\"", r#"{"type":"MultiPoint","coordinates":[[500065,5999985],[500075,5999985]]}"#),
    ];
    let path = geojson(folder.path(), "odd.geojson", &features.join(","));
    let on = made(Some("EPSG:32633"), GRID, (8, 6));

    let import = import_label_vector(&VectorLabels::new(&path), &on, &ClassScheme::default(), &Silent).unwrap();

    let counted = import.report.features.unwrap();
    let expected = FeatureCounts {
        n_features: 8,
        n_with_pixels: 4,
        n_empty: 1,
        // Only GEOS can tell.
        n_invalid: u64::from(gdal::version::VersionInfo::has_geos()),
        n_outside: 1,
        n_without_pixels: 1,
        n_without_class: 1,
        n_unplaced: 0,
    };
    assert_eq!(counted, expected);
    assert_eq!(import.layer.get(0, 0).map(|id| import.classes.name(id)).as_deref(), Some("lake"));
    assert_eq!(import.layer.get(3, 3).map(|id| import.classes.name(id)).as_deref(), Some("wood"));
    assert_eq!(import.layer.get(7, 1).map(|id| import.classes.name(id)).as_deref(), Some("point"));
    assert!(
        import.report.remarks.contains(&"1 of 8 features lie outside of the scene".to_owned()),
        "{:?}",
        import.report.remarks
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_labels_survive_every_way_out_and_in(
        width in 1..40_usize,
        ids in prop::collection::vec(prop_oneof![Just(u16::MAX), Just(0_u16), Just(1), Just(254), Just(300), Just(65_534)], 1..900),
    ) {
        let height = ids.len() / width;
        prop_assume!(height > 0 && ids[..width * height].iter().any(|id| *id != u16::MAX));
        let mut layer = LabelLayer::new(width, height);
        let rect = PixelRect::whole(width, height);
        burn::write_ids(&mut layer, rect, &ids[..width * height]);
        let class = |id: u32| Class::new(ClassId(id), format!("name {id}"), Rgb([id as u8, 7, (id >> 8) as u8]));
        let classes = ClassScheme { classes: layer.counts().keys().map(|id| class(id.0)).collect() };
        let scene = made(Some("EPSG:32633"), GRID, (width, height));

        survives(&LabelImport { layer, classes, report: ImportReport::default() }, &scene);
    }
}
