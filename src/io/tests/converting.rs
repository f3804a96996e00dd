//! Copies: everything known of a raster survives, or the copy is refused with a sentence.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use nunatak_domain::geo::{GeoTransform, Georeference};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::job::ConvertConfig;
use nunatak_domain::notice::Notice;
use nunatak_domain::raster::{Raster, RasterSink, RasterSource};
use nunatak_domain::recipe::Recipe;
use nunatak_domain::scene::DataType;
use nunatak_io::{GeoTiffConfig, GeoTiffSink, convert, describe, open, read_recipe};
use nunatak_jobs::{Cancelled, Monitor, Silent};

const TRANSFORM: GeoTransform = GeoTransform([500_000.0, 10.0, 0.0, 7_000_000.0, 0.0, -10.0]);

fn recipe(command: &str) -> Recipe {
    Recipe::new(serde_json::json!({ "command": command }))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

struct CancelAfter(AtomicUsize);

impl Monitor for CancelAfter {
    fn progress(&self, _done: f32, _note: &str) {}

    fn warn(&self, _notice: Notice) {}

    fn check(&self) -> Result<(), Cancelled> {
        let left = self.0.load(Ordering::Relaxed);
        self.0.store(left.saturating_sub(1), Ordering::Relaxed);
        if left == 0 { Err(Cancelled) } else { Ok(()) }
    }
}

fn multiband(path: &Path) {
    let layer = GeoTiffConfig {
        bands: ["blue", "green", "red", "nir"].map(str::to_owned).to_vec(),
        data_type: DataType::UInt16,
        nodata: Some(0.0),
        path: path.to_owned(),
        width: 1200,
        height: 700,
        crs: Some(nunatak_io::crs_from_user("EPSG:32632").unwrap()),
        georeference: Georeference::Affine { transform: TRANSFORM },
        classes: None,
        recipe: recipe("predict"),
        overwrite: false,
    };
    let mut sink = GeoTiffSink::create(layer).unwrap();
    let data = (0..4 * 1200 * 700).map(|i| if i % 97 == 0 { f32::NAN } else { (i % 60_000 + 1) as f32 }).collect();
    sink.write(0, 0, &Raster::new(4, 1200, 700, data)).unwrap();
    sink.finish(&Silent).unwrap();
    let options = gdal::DatasetOptions { open_flags: gdal::GdalOpenFlags::GDAL_OF_UPDATE, ..Default::default() };
    let dataset = gdal::Dataset::open_ex(path, options).unwrap();
    {
        let mut band = dataset.rasterband(3).unwrap();
        band.set_scale(0.0001).unwrap();
        band.set_offset(-0.1).unwrap();
        gdal::Metadata::set_metadata_item(&mut band, "CENTRAL_WAVELENGTH_UM", "0.6646", "IMAGERY").unwrap();
    }
    dataset.close().unwrap();
}

/// A virtual raster of the first two bands of `raster`, each with its nodata value.
fn with_nodata(raster: &Path, name: &str, nodata: [Option<f64>; 2]) -> std::path::PathBuf {
    let band = |index: usize| {
        let value = nodata[index].map_or_else(String::new, |value| format!("<NoDataValue>{value}</NoDataValue>"));
        format!(
            r#"<VRTRasterBand dataType="UInt16" band="{0}">{value}<SimpleSource><SourceFilename>{1}</SourceFilename><SourceBand>{0}</SourceBand></SimpleSource></VRTRasterBand>"#,
            index + 1,
            raster.display()
        )
    };
    let path = raster.with_file_name(name);
    let text = format!(r#"<VRTDataset rasterXSize="1200" rasterYSize="700">{}{}</VRTDataset>"#, band(0), band(1));
    nunatak_io::atomic::write_text(&path, &text, false).unwrap();
    path
}

#[test]
fn bands_with_different_nodata_values_are_refused_with_a_sentence_and_can_be_copied_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let raster = folder.path().join("in.tif");
    multiband(&raster);
    let copy = |raster: &Path, out: &str, bands: Option<Vec<usize>>| {
        let out = folder.path().join(out);
        let config = ConvertConfig { raster: raster.to_owned(), out, cog: false, bands, overwrite: false };
        convert(&config, &Silent, &recipe("convert"))
    };
    let different = with_nodata(&raster, "different.vrt", [Some(0.0), Some(7.0)]);
    let some = with_nodata(&raster, "some.vrt", [None, Some(7.0)]);

    let error = copy(&different, "all.tif", None).unwrap_err().to_string();
    let reason =
        "the bands have different nodata values, which a GeoTIFF cannot hold: convert them one by one (--bands)";
    assert_eq!(error, format!("{reason}: {}", different.display()));
    copy(&different, "second.tif", Some(vec![1])).unwrap();
    copy(&some, "some.tif", None).unwrap();

    assert_eq!(describe(&folder.path().join("second.tif")).unwrap().bands[0].nodata, Some(7.0));
    assert_eq!(describe(&folder.path().join("some.tif")).unwrap().bands[1].nodata, Some(7.0));
}

#[test]
fn a_copy_of_some_bands_keeps_what_is_known_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let (raster, out) = (folder.path().join("in.tif"), folder.path().join("out.tif"));
    multiband(&raster);
    let before = describe(&raster).unwrap();
    for cog in [false, true] {
        let config =
            ConvertConfig { raster: raster.clone(), out: out.clone(), cog, bands: Some(vec![3, 2]), overwrite: cog };

        let report = convert(&config, &Silent, &recipe("convert")).unwrap();

        let info = describe(&out).unwrap();
        assert_eq!((report.n_bands, info.n_bands()), (2, 2));
        assert_eq!((info.bands[0].name.as_str(), info.bands[1].name.as_str()), ("nir", "red"));
        assert_eq!(info.bands[1].wavelength_nm, Some(664.6));
        assert_eq!((info.bands[1].scale, info.bands[1].offset), (0.0001, -0.1));
        assert_eq!((info.bands[1].data_type, info.bands[1].nodata), (DataType::UInt16, Some(0.0)));
        assert_eq!((&info.crs, &info.georeference), (&before.crs, &before.georeference));
        assert!(!info.overviews.is_empty());
        assert_eq!(read_recipe(&out).unwrap(), Some(recipe("convert")));
        let rect = PixelRect::new(1000, 600, 100, 100);
        let copied = open(&out).unwrap().read_window(rect, &[0, 1]).unwrap();
        let original = open(&raster).unwrap().read_window(rect, &[3, 2]).unwrap();
        assert!(copied.data.iter().zip(&original.data).all(|(a, b)| a == b || a.is_nan() && b.is_nan()));
    }
}

#[test]
fn a_cancelled_copy_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let raster = folder.path().join("in.tif");
    multiband(&raster);
    let before = names(folder.path());
    let out = folder.path().join("out.tif");
    let config = ConvertConfig { raster, out, cog: false, bands: None, overwrite: false };

    let error = convert(&config, &CancelAfter(AtomicUsize::new(3)), &recipe("convert")).unwrap_err();

    assert_eq!(error.to_string(), "cancelled");
    assert_eq!(names(folder.path()), before);
}

#[test]
fn impossible_copies_are_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let raster = folder.path().join("in.tif");
    multiband(&raster);
    let refuse = |out: &str, bands: Option<Vec<usize>>| {
        let config = ConvertConfig { raster: raster.clone(), out: out.into(), cog: false, bands, overwrite: false };
        convert(&config, &Silent, &recipe("convert")).unwrap_err().to_string()
    };

    assert_eq!(refuse("x.bmp", None), "cannot write this raster format: choose .tif, .png or .jpg: x.bmp");
    assert!(refuse("x.jpg", None).starts_with("JPEG holds 1 or 3 bands of uint8, not 4 of uint16"));
    assert!(refuse("x.tif", Some(vec![9])).starts_with("there is no band 10: the raster has 4"));
}
