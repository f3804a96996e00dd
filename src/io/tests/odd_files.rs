//! Runs over the collections of awkward rasters that are too large, or not licensed, to be kept
//! in the repository: `odd-geotiff` and `envi-rasters` under `$NUNATAK_TEST_DATA`.
#![allow(clippy::disallowed_methods, reason = "a hanging file needs a thread that can be left behind")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nunatak_domain::geo::{GeoTransform, Georeference, PixelPos};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::raster::{Raster, RasterSource};
use nunatak_domain::scene::{ColorRole, MaskKind, SceneInfo};
use nunatak_io::{GdalSource, IoError, describe, open, probe};

/// No single file may take longer than this, with several tests and builds on two cores.
const PATIENCE: Duration = Duration::from_secs(60);

fn collection(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("NUNATAK_TEST_DATA").map_or_else(
        || {
            Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests"))
                .join("../../../shared/data")
        },
        PathBuf::from,
    );
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no {} (set NUNATAK_TEST_DATA)", folder.display());
    None
}

/// Runs `work` on a thread of its own; a panic or a hang names the file.
fn bounded<T: Send + 'static>(path: &Path, work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    let (sender, receiver) = mpsc::channel();
    let started = Instant::now();
    let thread = std::thread::spawn(move || {
        let _ = sender.send(work());
    });
    match receiver.recv_timeout(PATIENCE) {
        Ok(value) => {
            let took = started.elapsed();
            if took > Duration::from_secs(5) {
                eprintln!("slow: {took:?}: {}", path.display());
            }
            Ok(value)
        }
        Err(mpsc::RecvTimeoutError::Timeout) => Err(format!("hangs: {}", path.display())),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let _ = thread.join();
            Err(format!("panics: {}", path.display()))
        }
    }
}

/// A view as the window's first one: at most 256 pixels wide and high, few blocks.
fn coarse_view(source: &mut GdalSource) -> Result<Raster, IoError> {
    let (width, height) = (source.info().width, source.info().height);
    let scale = width.max(height).div_ceil(256);
    let size = (width.div_ceil(scale), height.div_ceil(scale));
    let bands: Vec<usize> = (0..source.info().n_bands().min(4)).collect();
    source.read_coarse(PixelRect::whole(width, height), &bands, size, 16)
}

fn sentence(error: &IoError) -> Result<(), String> {
    let text = error.to_string();
    let fine = text.len() > 20 && !text.contains('\n') && !text.contains("panicked");
    if fine { Ok(()) } else { Err(format!("not a sentence: {text}")) }
}

type Row = BTreeMap<String, String>;

fn rows(path: &Path) -> Vec<Row> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(path).expect("a readable table");
    let header = reader.headers().expect("a header").clone();
    let row =
        |record: csv::StringRecord| header.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect();
    reader.records().map(|record| row(record.expect("a record"))).collect()
}

#[test]
fn derived_files_are_as_the_manifest_says() {
    let Some(folder) = collection("odd-geotiff/derived") else { return };
    let rows = rows(&folder.join("manifest.csv"));
    assert!(rows.len() > 140, "{} rows", rows.len());
    let mut problems = Vec::new();
    let mut refused = Vec::new();
    for row in rows {
        let path = folder.join(&row["file"]);
        let expect = row["expect"].clone();
        let work_path = path.clone();
        let outcome = bounded(&path, move || match check(&work_path, &row) {
            Ok(()) => Ok(None),
            Err(Failure::Refused(error)) => sentence(&error).map(|()| Some(error.to_string())),
            Err(Failure::Wrong(what)) => Err(format!("{what}: {}", row["file"])),
        });
        match outcome {
            // GDAL reads this one, and it cannot be told for sure that it is wrong: a remark says so.
            Ok(Ok(None)) if path.ends_with("bits_per_sample_3.tif") => {
                let remarks = describe(&path).map(|info| info.remarks).unwrap_or_default();
                assert!(remarks.iter().any(|text| text.contains("values may be wrong")), "{remarks:?}");
            }
            Ok(Ok(None)) if expect.starts_with("clear error") => {
                problems.push(format!("was read without an error: {}", path.display()))
            }
            Ok(Ok(None)) => {}
            Ok(Ok(Some(error))) if expect.contains("error") || expect.contains("refus") => refused.push(error),
            Ok(Ok(Some(error))) if error.contains("missing codec") => eprintln!("skipped: {error}"),
            Ok(Ok(Some(error))) => problems.push(format!("refused: {error}")),
            Ok(Err(problem)) | Err(problem) => problems.push(problem),
        }
    }
    for error in &refused {
        eprintln!("{error}");
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

enum Failure {
    Refused(IoError),
    Wrong(String),
}

impl From<IoError> for Failure {
    fn from(error: IoError) -> Self {
        Self::Refused(error)
    }
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), Failure> {
    if found == expected { Ok(()) } else { Err(Failure::Wrong(format!("{what} is {found:?}, not {expected:?}"))) }
}

/// Opens, compares everything the row states, reads band 1 whole where it is small.
fn check(path: &Path, row: &Row) -> Result<(), Failure> {
    let cell = |key: &str| row.get(key).map(String::as_str).filter(|text| !text.is_empty());
    let mut source = open(path)?;
    let info = source.info().clone();
    let described = describe(path)?;
    // As text: NaN nodata is not equal to itself.
    equal("the description", &format!("{described:?}"), &format!("{info:?}"))?;
    if let Some(width) = cell("width") {
        equal("width", &info.width.to_string().as_str(), &width)?;
        equal("height", &info.height.to_string().as_str(), &cell("height").unwrap_or_default())?;
        equal("bands", &info.n_bands().to_string().as_str(), &cell("bands").unwrap_or_default())?;
        equal("block", &format!("{}x{}", info.block.0, info.block.1).as_str(), &cell("block").unwrap_or_default())?;
        let dtype = cell("dtype").unwrap_or_default();
        equal("type", &info.bands[0].data_type.name(), &if dtype.starts_with("complex") { "complex" } else { dtype })?;
        let nodata: Option<f64> = cell("nodata").and_then(|text| text.parse().ok());
        equal("nodata", &format!("{:?}", info.bands[0].nodata), &format!("{nodata:?}"))?;
        check_place(&info, row)?;
        let expected: Vec<usize> =
            cell("overviews").unwrap_or_default().split(' ').filter_map(|f| f.parse().ok()).collect();
        let found: Vec<usize> =
            info.overviews.iter().map(|(w, _)| (info.width as f64 / *w as f64).round() as usize).collect();
        equal("overviews", &found, &expected)?;
    }
    coarse_view(&mut source)?;
    if info.width * info.height <= 1 << 20 {
        check_values(&mut source, row)?;
    }
    Ok(())
}

fn check_place(info: &SceneInfo, row: &Row) -> Result<(), Failure> {
    let text = |key: &str| row.get(key).map(String::as_str).unwrap_or_default();
    let crs = text("crs");
    let found = info.crs.as_ref();
    if crs.is_empty() || crs.starts_with("LOCAL_CS") {
        equal("crs", &found.map(|crs| crs.short_name()), &None)?;
    } else if crs.starts_with("EPSG:") {
        equal("crs", &found.and_then(|crs| crs.code.as_deref()), &Some(crs))?;
    } else {
        let name = crs.split('"').nth(1).unwrap_or_default();
        equal("crs", &found.map(|crs| crs.name.as_str()), &Some(name))?;
    }
    // rasterio's order: a b c d e f.
    let c: Vec<f64> = text("transform").split(' ').filter_map(|number| number.parse().ok()).collect();
    let expected = GeoTransform([c[2], c[0], c[1], c[5], c[3], c[4]]);
    let gcps: usize = text("gcps").parse().unwrap_or(0);
    match &info.georeference {
        Georeference::Affine { transform } => {
            for (found, expected) in transform.0.iter().zip(expected.0) {
                if (found - expected).abs() > 1e-6 + 1e-11 * expected.abs() {
                    return Err(Failure::Wrong(format!("transform is {transform:?}, not {expected:?}")));
                }
            }
        }
        Georeference::Gcps { points, .. } => equal("ground control points", &points.len(), &gcps)?,
        Georeference::None => equal("transform", &GeoTransform([0.0, 1.0, 0.0, 0.0, 0.0, 1.0]), &expected)?,
    }
    Ok(())
}

/// First and last pixel exactly; minimum, maximum and sum of band 1, with nodata put back in
/// because the manifest counts it.
fn check_values(source: &mut GdalSource, row: &Row) -> Result<(), Failure> {
    let number = |key: &str| row.get(key).and_then(|text| text.parse::<f64>().ok());
    let info = source.info().clone();
    let whole = PixelRect::whole(info.width, info.height);
    let bands: Vec<usize> = (0..info.n_bands()).collect();
    let raster =
        source.read_window(whole, &bands).map_err(|error| Failure::Refused(IoError::Crs(error.to_string())))?;
    let corners = [("b1_px_0_0", 0, 0), ("b1_px_last", info.width - 1, info.height - 1)];
    for (key, col, row) in corners {
        let Some(expected) = number(key) else { continue };
        let value = probe(source, PixelPos::new(col as f64 + 0.5, row as f64 + 0.5))?[0];
        let nothing = expected.is_nan() || Some(expected) == info.bands[0].nodata;
        match value {
            None if nothing => {}
            // The manifest rounds float32 to its shortest text.
            Some(value) if (value - expected).abs() <= 1e-7 * expected.abs() => {}
            _ => return Err(Failure::Wrong(format!("{key} is {value:?}, not {expected}"))),
        }
    }
    let masked = matches!(info.bands[0].mask, MaskKind::Dataset | MaskKind::Band)
        || info.bands.iter().any(|band| band.color == ColorRole::Alpha);
    if masked && row["file"].starts_with("nodata/") {
        let empty = raster.band(0).iter().filter(|value| value.is_nan()).count();
        return if empty > 0 { Ok(()) } else { Err(Failure::Wrong("no pixel is masked".to_owned())) };
    }
    let (Some(min), Some(max), Some(sum)) = (number("b1_min"), number("b1_max"), number("b1_sum")) else {
        return Ok(());
    };
    let nodata = info.bands[0].nodata.filter(|nodata| nodata.is_finite());
    let values: Vec<f64> =
        raster.band(0).iter().filter_map(|&v| if v.is_nan() { nodata } else { Some(f64::from(v)) }).collect();
    let found = values.iter().fold((f64::MAX, f64::MIN, 0.0), |(lo, hi, sum), &v| (lo.min(v), hi.max(v), sum + v));
    let magnitude: f64 = values.iter().map(|value| value.abs()).sum();
    let close = |found: f64, expected: f64, scale: f64| (found - expected).abs() <= 1e-6 * scale;
    // Decoders of lossy JPEG differ by a step or two.
    if row["file"].contains("jpeg") && close(found.2, sum, 1e3 * magnitude) && (found.1 - max).abs() <= 2.0 {
        return Ok(());
    }
    // Infinities of the one file that has them are no values here.
    let all = close(found.0, min, min.abs()) && close(found.1, max, max.abs()) && close(found.2, sum, magnitude);
    if all { Ok(()) } else { Err(Failure::Wrong(format!("min, max, sum are {found:?}, not {min}, {max}, {sum}"))) }
}

#[test]
fn real_files_open_or_say_why_not() {
    let Some(folder) = collection("odd-geotiff") else { return };
    let mut problems = Vec::new();
    let mut n_opened = 0;
    for row in rows(&folder.join("inventory.csv")).into_iter().filter(|row| row["file"].starts_with("real/")) {
        let path = folder.join(&row["file"]);
        let work_path = path.clone();
        let outcome = bounded(&path, move || -> Result<bool, String> {
            let described = describe(&work_path);
            let mut source = match open(&work_path) {
                Ok(source) => source,
                Err(error) => return sentence(&error).map(|()| false),
            };
            described.map_err(|error| format!("describes worse than it opens: {error}"))?;
            let size = (source.info().width.to_string(), source.info().height.to_string());
            if row["kind"] == "raster" && size != (row["width"].clone(), row["height"].clone()) {
                return Err(format!("the size is {size:?}: {}", work_path.display()));
            }
            if let Err(error) = coarse_view(&mut source) {
                eprintln!("{error}");
                sentence(&error)?;
            }
            Ok(true)
        });
        match outcome {
            Ok(Ok(opened)) => n_opened += usize::from(opened),
            Ok(Err(problem)) | Err(problem) => problems.push(problem),
        }
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    // A GDAL with all its drivers opens 118; one without JPEG 2000, netCDF and HDF5 fewer.
    assert!(n_opened >= 110, "only {n_opened} opened");
}

#[test]
fn envi_cubes_have_their_wavelengths_and_values() {
    let Some(folder) = collection("envi-rasters/potsdam-variants") else { return };
    let expected = rows(&folder.join("expected.csv"));
    for name in ["bil_int16.bil", "bip_int16.bip", "bsq_int16.bsq", "bsq_int16.hdr"] {
        let mut source = open(&folder.join(name)).unwrap_or_else(|error| panic!("{error}"));
        let info = source.info().clone();
        assert_eq!((info.width, info.height, info.n_bands()), (128, 32, 56), "{name}");
        assert_eq!(info.crs.as_ref().and_then(|crs| crs.code.as_deref()), Some("EPSG:32633"), "{name}");
        let at =
            |source: &mut GdalSource, col: f64, row: f64| probe(source, PixelPos::new(col, row)).expect("readable");
        let probes = [at(&mut source, 0.5, 0.5), at(&mut source, 127.5, 31.5), at(&mut source, 50.5, 10.5)];
        let bands: Vec<usize> = (0..56).collect();
        let raster = source.read_window(PixelRect::whole(128, 32), &bands).expect("readable");
        for (band, row) in expected.iter().enumerate() {
            let number = |key: &str| row[key].parse::<f64>().expect("a number");
            // Bands in the water vapour's absorption hold nothing else.
            let value = |number: f64| Some(number).filter(|&number| number != -32_768.0);
            assert_eq!(info.bands[band].wavelength_nm, Some(number("wavelength_nm")), "{name} band {band}");
            assert!(info.bands[band].fwhm_nm.is_some(), "{name} band {band}");
            for (probe, key) in probes.iter().zip(["px_row0_col0", "px_row31_col127", "px_row10_col50"]) {
                assert_eq!(probe[band], value(number(key)), "{name} band {band} {key}");
            }
            if value(number("min")).is_none() {
                assert!(raster.band(band).iter().all(|v| v.is_nan()), "{name} band {band}");
                continue;
            }
            let values = raster.band(band).iter().map(|&v| f64::from(v));
            let found = values.fold((f64::MAX, f64::MIN, 0.0), |(lo, hi, sum), v| (lo.min(v), hi.max(v), sum + v));
            assert_eq!(found, (number("min"), number("max"), number("sum")), "{name} band {band}");
        }
    }
}

#[test]
fn other_envi_files_are_read_or_explained() {
    let Some(folder) = collection("envi-rasters") else { return };
    let potsdam = folder.join("potsdam-variants");
    let info = |name: &str| describe(&potsdam.join(name)).unwrap_or_else(|error| panic!("{error}"));

    let micrometres = info("bsq_float32_micrometers");
    assert!(micrometres.bands.iter().all(|band| band.wavelength_nm.is_some_and(|nm| (400.0..2500.0).contains(&nm))));
    assert_eq!(info("offset512_uint16.img").n_bands(), 8);
    assert_eq!(info("bsq_int16_bigendian.dat").n_bands(), 14);
    assert_eq!(info("no_map_info.bip").georeference, Georeference::None);

    let classes = info("classification");
    assert!(classes.categorical());
    assert!(
        classes.bands[0].categories.iter().filter(|name| !name.is_empty()).count() >= 3,
        "{:?}",
        classes.bands[0].categories
    );
    assert!(classes.bands[0].palette.is_some());

    for path in [potsdam.join("truncated.bsq"), folder.join("header-only/enmap_berlin.hdr")] {
        let error = open(&path).err().unwrap_or_else(|| panic!("opened: {}", path.display()));
        eprintln!("{error}");
        sentence(&error).expect("a sentence");
    }
}

#[test]
fn wavelengths_are_found_in_every_tag_style() {
    let Some(folder) = collection("envi-rasters/wavelength-variants") else { return };
    let nm = |name: &str| -> Vec<(Option<f64>, Option<f64>)> {
        let info = describe(&folder.join(name)).unwrap_or_else(|error| panic!("{error}"));
        info.bands.iter().map(|band| (band.wavelength_nm, band.fwhm_nm)).collect()
    };
    let centres = vec![(Some(400.0), None), (Some(500.0), None)];
    let widths = vec![(Some(400.0), Some(10.0)), (Some(500.0), Some(20.0))];
    assert_eq!(nm("enmapbox_envidomain_bandlevel.tif"), centres);
    assert_eq!(nm("enmapbox_envidomain_dslevel.tif"), centres);
    assert_eq!(nm("envi_wl_fwhm.bsq"), widths);
    assert_eq!(nm("envi_wl_implicit_nm.bsq"), centres);
    assert_eq!(nm("envi_wl_implicit_um.bsq"), centres);
    assert_eq!(nm("gdal_wl_fwhm.tif"), widths);
    assert_eq!(nm("gdal_wl_only.tif"), centres);
    assert_eq!(nm("gdal_no_info.tif"), vec![(None, None), (None, None)]);
    assert_eq!(nm("staclike.tif"), vec![(Some(4000.0), Some(100.0)), (Some(5000.0), Some(200.0))]);
}
