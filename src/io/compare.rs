//! Whether two files hold the same: pixel by pixel, feature by feature, byte by byte.

use std::path::Path;

use gdal::errors::GdalError;
use gdal::vector::LayerAccess;
use gdal::{Dataset, DatasetOptions, GdalOpenFlags};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::raster::RasterSource;
use nunatak_jobs::Monitor;
use serde::Serialize;

use crate::error::{IoError, gdal_reason};
use crate::ffi::checked;
use crate::labels::is_vector;

/// Bytes of pixels of one file that are compared at a time.
const STRIP_BYTES: usize = 32 << 20;

/// What comparing two files found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    pub identical: bool,
    /// What was compared: `pixels`, `features` or `bytes`.
    pub what: &'static str,
    /// Pixels in all bands, or features, or bytes.
    pub n: u64,
    pub n_different: u64,
    /// Differences of size, place, type or fields, one sentence each.
    pub remarks: Vec<String>,
}

/// Compares two files of one kind. Rasters are the same where size, place, types and nodata are
/// and every pixel has the same value (nodata equals nodata); vectors where fields and
/// geometries are, in order; all else byte by byte. Recipes, styles and overviews do not count.
///
/// # Errors
/// A file cannot be read, or the job was cancelled.
pub fn compare(a: &Path, b: &Path, monitor: &dyn Monitor) -> Result<Comparison, IoError> {
    if is_vector(a) {
        return compare_features(a, b);
    }
    let ending = a.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    if ["tif", "tiff", "png"].contains(&ending.as_str()) {
        return compare_pixels(a, b, monitor);
    }
    let read = |path: &Path| std::fs::read(path).map_err(|error| IoError::read(path, "file", error.to_string()));
    let (a, b) = (read(a)?, read(b)?);
    let n_different = a.iter().zip(&b).filter(|(a, b)| a != b).count() + a.len().abs_diff(b.len());
    let (n, n_different) = (a.len().max(b.len()) as u64, n_different as u64);
    Ok(Comparison { identical: n_different == 0, what: "bytes", n, n_different, remarks: Vec::new() })
}

fn compare_pixels(a: &Path, b: &Path, monitor: &dyn Monitor) -> Result<Comparison, IoError> {
    let (mut first, mut second) = (crate::source::open(a)?, crate::source::open(b)?);
    let (info, other) = (first.info().clone(), second.info().clone());
    let n_bands = info.n_bands();
    let mut found = Comparison {
        identical: false,
        what: "pixels",
        n: (info.width * info.height * n_bands) as u64,
        n_different: 0,
        remarks: Vec::new(),
    };
    if (info.width, info.height, n_bands) != (other.width, other.height, other.n_bands()) {
        found.n_different = found.n;
        let size = |info: &nunatak_domain::scene::SceneInfo| {
            format!("{} x {} pixels, {} bands", info.width, info.height, info.n_bands())
        };
        found.remarks.push(format!("the sizes differ: {} and {}", size(&info), size(&other)));
        return Ok(found);
    }
    if info.georeference != other.georeference || info.crs != other.crs {
        found.remarks.push("the georeferences differ".to_owned());
    }
    let same_band = |band: usize| {
        let (a, b) = (&info.bands[band], &other.bands[band]);
        a.data_type == b.data_type && a.nodata.map(f64::to_bits) == b.nodata.map(f64::to_bits) && a.name == b.name
    };
    if !(0..n_bands).all(same_band) {
        found.remarks.push("names, types or nodata of the bands differ".to_owned());
    }
    let bands: Vec<usize> = (0..n_bands).collect();
    let rows = (STRIP_BYTES / (4 * info.width * n_bands).max(1)).max(1);
    for row in (0..info.height).step_by(rows) {
        monitor.check()?;
        monitor.progress(row as f32 / info.height as f32, "comparing");
        let window = PixelRect::new(0, row, info.width, rows.min(info.height - row));
        let read = |source: &mut crate::source::GdalSource, path: &Path| {
            source.read_window(window, &bands).map_err(|error| IoError::read(path, "window", error.to_string()))
        };
        let (a, b) = (read(&mut first, a)?, read(&mut second, b)?);
        let different = |(a, b): &(&f32, &f32)| a != b && !(a.is_nan() && b.is_nan());
        found.n_different += a.data.iter().zip(&b.data).filter(different).count() as u64;
    }
    found.identical = found.n_different == 0 && found.remarks.is_empty();
    Ok(found)
}

fn compare_features(a: &Path, b: &Path) -> Result<Comparison, IoError> {
    let (first, second) = (features(a)?, features(b)?);
    let common = first.iter().zip(&second).filter(|(a, b)| a != b).count();
    let n_different = (common + first.len().abs_diff(second.len())) as u64;
    let n = first.len().max(second.len()) as u64;
    Ok(Comparison { identical: n_different == 0, what: "features", n, n_different, remarks: Vec::new() })
}

/// Fields and geometry of each feature of all layers.
fn features(path: &Path) -> Result<Vec<(String, Vec<u8>)>, IoError> {
    let fail = |reason: String| IoError::read(path, "features", reason);
    let options = DatasetOptions { open_flags: GdalOpenFlags::GDAL_OF_VECTOR, ..DatasetOptions::default() };
    let read = || -> Result<Vec<(String, Vec<u8>)>, GdalError> {
        let dataset = Dataset::open_ex(path, options)?;
        let mut all = Vec::new();
        for mut layer in dataset.layers() {
            for feature in layer.features() {
                let fields: Vec<_> = feature.fields().collect();
                let geometry = feature.geometry().map(|geometry| geometry.wkb()).transpose()?.unwrap_or_default();
                all.push((format!("{fields:?}"), geometry));
            }
        }
        Ok(all)
    };
    checked(|| read().map_err(|error| gdal_reason(&error))).map_err(fail)
}
