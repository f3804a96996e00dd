//! Whole datasets through GDAL: copies into tiled and cloud-optimised GeoTIFFs, overviews.

use std::ops::Range;

use gdal::{Dataset, DatasetOptions, DriverManager, GdalOpenFlags};
use nunatak_domain::scene::DataType;
use nunatak_jobs::Monitor;

use crate::atomic::AtomicPath;
use crate::error::{IoError, gdal_reason};
use crate::ffi::{self, checked};
use crate::geotiff::{creation_options, deflate_level, overview_factors};

/// Share of the work done when pixels are copied and overviews are not.
const COPIED: f32 = 0.7;

/// Copies a dataset into a cloud-optimised GeoTIFF at `output`'s partial name.
pub(crate) fn write_cog(
    dataset: &Dataset,
    output: &AtomicPath,
    data_type: DataType,
    resampling: &str,
    monitor: &dyn Monitor,
) -> Result<(), IoError> {
    let fail = |reason: String| output.failed("COG", &reason);
    let driver = DriverManager::get_driver_by_name("COG").map_err(|error| fail(gdal_reason(&error)))?;
    let mut options = gdal::cpl::CslStringList::new();
    let predictor = match data_type {
        DataType::Float32 | DataType::Float64 => "PREDICTOR=FLOATING_POINT",
        DataType::UInt64 | DataType::Int64 | DataType::Complex | DataType::Unknown => "PREDICTOR=NO",
        _ => "PREDICTOR=STANDARD",
    };
    let level = format!("LEVEL={}", deflate_level(data_type));
    let resampling = format!("OVERVIEW_RESAMPLING={resampling}");
    for option in
        ["COMPRESS=DEFLATE", level.as_str(), predictor, "BIGTIFF=IF_SAFER", "NUM_THREADS=ALL_CPUS", resampling.as_str()]
    {
        options.add_string(option).map_err(|error| fail(gdal_reason(&error)))?;
    }
    let mut on_progress = progress(monitor, "writing COG", 0.0..1.0);
    let copy = ffi::create_copy(dataset, &driver, &output.partial(), &options, &mut on_progress);
    monitor.check()?;
    close(copy.map_err(fail)?).map_err(fail)
}

/// Copies a dataset into a tiled GeoTIFF with overviews at `output`'s partial name.
pub(crate) fn write_tiled(
    dataset: &Dataset,
    output: &AtomicPath,
    data_type: DataType,
    resampling: &str,
    monitor: &dyn Monitor,
) -> Result<(), IoError> {
    write_tiled_with(dataset, output, data_type, resampling, monitor, |_| Ok(()))
}

/// As `write_tiled`; `change` may add to the copy what GDAL does not take over.
pub(crate) fn write_tiled_with(
    dataset: &Dataset,
    output: &AtomicPath,
    data_type: DataType,
    resampling: &str,
    monitor: &dyn Monitor,
    change: impl FnOnce(&Dataset) -> Result<(), String>,
) -> Result<(), IoError> {
    let fail = |reason: String| output.failed("GeoTIFF", &reason);
    let driver = DriverManager::get_driver_by_name("GTiff").map_err(|error| fail(gdal_reason(&error)))?;
    // Few bands are read together, of many one at a time.
    let interleave = if dataset.raster_count() > 4 { "INTERLEAVE=BAND" } else { "INTERLEAVE=PIXEL" };
    let options = creation_options(data_type, &[interleave]).map_err(fail)?;
    let mut on_progress = progress(monitor, "writing pixels", 0.0..COPIED);
    let copy = ffi::create_copy(dataset, &driver, &output.partial(), &options, &mut on_progress);
    monitor.check()?;
    close(copy.map_err(fail)?).map_err(fail)?;
    let mut copy = reopen(output)?;
    checked(|| change(&copy)).map_err(fail)?;
    add_overviews(&mut copy, output, resampling, monitor)?;
    close(copy).map_err(fail)
}

/// Closes a dataset; GDAL writes what it still holds, and may find the disk full only now.
pub(crate) fn close(dataset: Dataset) -> Result<(), String> {
    checked(|| dataset.close().map_err(|error| gdal_reason(&error)))
}

/// Tells the monitor how far GDAL is on its way through `part` of the work, and GDAL to stop
/// when the job is cancelled.
pub(crate) fn progress<'a>(monitor: &'a dyn Monitor, note: &'a str, part: Range<f32>) -> impl FnMut(f64) -> bool + 'a {
    move |done| {
        monitor.progress(part.start + (part.end - part.start) * done as f32, note);
        monitor.check().is_ok()
    }
}

/// Opens `output`'s partial GeoTIFF for changes.
pub(crate) fn reopen(output: &AtomicPath) -> Result<Dataset, IoError> {
    let options = DatasetOptions {
        open_flags: GdalOpenFlags::GDAL_OF_RASTER | GdalOpenFlags::GDAL_OF_UPDATE,
        allowed_drivers: Some(&["GTiff"]),
        ..DatasetOptions::default()
    };
    checked(|| Dataset::open_ex(output.partial(), options).map_err(|error| gdal_reason(&error)))
        .map_err(|reason| output.failed("GeoTIFF", &reason))
}

/// Internal overviews of a raster above 512 px on a side.
pub(crate) fn add_overviews(
    dataset: &mut Dataset,
    output: &AtomicPath,
    resampling: &str,
    monitor: &dyn Monitor,
) -> Result<(), IoError> {
    let (width, height) = dataset.raster_size();
    let factors = overview_factors(width, height);
    if factors.is_empty() {
        return Ok(());
    }
    let mut on_progress = progress(monitor, "building overviews", COPIED..1.0);
    let built = ffi::build_overviews(dataset, resampling, &factors, &mut on_progress);
    monitor.check()?;
    built.map_err(|reason| output.failed("overviews", &reason))
}
