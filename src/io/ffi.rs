//! The calls into GDAL that the gdal crate does not offer, each behind a safe function:
//! attribute tables, category names, polygonise, and copies and overviews with progress.
//!
//! Also `checked`, which makes errors visible that GDAL before 3.7 only reports to its
//! message handler: a full disk while a file is flushed or closed.
#![allow(unsafe_code, reason = "the gdal crate has no safe calls for these parts of GDAL")]

use std::ffi::{CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::ptr;

use gdal::cpl::CslStringList;
use gdal::raster::RasterBand;
use gdal::vector::{Layer, LayerAccess};
use gdal::{Dataset, Driver};
use gdal_sys::{CPLErr, GDALRATFieldType, GDALRATFieldUsage};
use nunatak_domain::grid::PixelRect;

use crate::library::with_messages;

/// Told how far GDAL is, in [0, 1]; `false` stops it.
pub(crate) type OnProgress<'a> = &'a mut dyn FnMut(f64) -> bool;

/// One row of a class raster's attribute table.
pub(crate) struct TableRow {
    pub(crate) value: i32,
    pub(crate) name: String,
    pub(crate) color: [u8; 3],
}

/// Runs GDAL calls and gives the errors GDAL reports meanwhile, also those that no return
/// value tells of.
pub(crate) fn guarded<T>(calls: impl FnOnce() -> T) -> (T, Vec<String>) {
    let (value, messages) = with_messages(calls);
    (value, messages.into_iter().filter(|message| message.failure).map(|message| message.text).collect())
}

/// `guarded`, with any reported error as the result.
///
/// # Errors
/// GDAL's message.
pub(crate) fn checked<T, E: std::fmt::Display>(calls: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    let (value, errors) = guarded(calls);
    let message = errors.into_iter().next();
    match (value, message) {
        (Ok(value), None) => Ok(value),
        (_, Some(message)) => Err(message),
        (Err(error), None) => Err(error.to_string()),
    }
}

/// Copies a dataset into another format, block by block.
///
/// # Errors
/// GDAL's message; also where `progress` said stop.
pub(crate) fn create_copy(
    dataset: &Dataset,
    driver: &Driver,
    path: &Path,
    options: &CslStringList,
    progress: OnProgress,
) -> Result<Dataset, String> {
    let path = CString::new(path.to_string_lossy().as_bytes()).map_err(|error| error.to_string())?;
    let mut call = Progress { call: progress };
    checked(|| {
        // SAFETY: all pointers are valid for the call; `call` outlives it.
        let copy = unsafe {
            gdal_sys::GDALCreateCopy(
                driver.c_driver(),
                path.as_ptr(),
                dataset.c_dataset(),
                0,
                options.as_ptr(),
                Some(on_progress),
                (&raw mut call).cast(),
            )
        };
        if copy.is_null() {
            return Err("GDAL could not make the copy");
        }
        // SAFETY: a new handle that nobody else owns.
        Ok(unsafe { Dataset::from_c_dataset(copy) })
    })
}

/// A virtual copy of a raster with `gdal_translate`'s arguments; refers to `dataset`, which must outlive it.
///
/// # Errors
/// GDAL's message.
pub(crate) fn translate_to_vrt(dataset: &Dataset, arguments: &[String]) -> Result<Dataset, String> {
    let mut list = CslStringList::new();
    for argument in ["-of", "VRT"].into_iter().chain(arguments.iter().map(String::as_str)) {
        list.add_string(argument).map_err(|error| error.to_string())?;
    }
    checked(|| {
        // SAFETY: the list is only read; the options are freed below and the handle is new.
        unsafe {
            let options = gdal_sys::GDALTranslateOptionsNew(list.as_ptr(), ptr::null_mut());
            if options.is_null() {
                return Err("GDAL refused the options");
            }
            let copy = gdal_sys::GDALTranslate(c"".as_ptr(), dataset.c_dataset(), options, ptr::null_mut());
            gdal_sys::GDALTranslateOptionsFree(options);
            if copy.is_null() { Err("GDAL could not describe the copy") } else { Ok(Dataset::from_c_dataset(copy)) }
        }
    })
}

/// Builds overviews of all bands.
///
/// # Errors
/// GDAL's message; also where `progress` said stop.
pub(crate) fn build_overviews(
    dataset: &mut Dataset,
    resampling: &str,
    factors: &[i32],
    progress: OnProgress,
) -> Result<(), String> {
    let resampling = CString::new(resampling).map_err(|error| error.to_string())?;
    let mut call = Progress { call: progress };
    let mut factors = factors.to_vec();
    checked(|| {
        // SAFETY: `factors` holds as many integers as are announced; no band list means all bands.
        succeeded(unsafe {
            gdal_sys::GDALBuildOverviews(
                dataset.c_dataset(),
                resampling.as_ptr(),
                factors.len() as c_int,
                factors.as_mut_ptr(),
                0,
                ptr::null_mut(),
                Some(on_progress),
                (&raw mut call).cast(),
            )
        })
    })
}

/// Whether a window of a band may hold data; false only where a sparse file stores none of its blocks.
pub(crate) fn may_hold_data(band: &RasterBand, window: PixelRect) -> bool {
    const UNKNOWN: c_int = 1;
    const DATA: c_int = 2;
    let (col, row) = (window.col as c_int, window.row as c_int);
    let (width, height) = (window.width as c_int, window.height as c_int);
    // SAFETY: the band is open; no percentage is asked for.
    let status = unsafe {
        gdal_sys::GDALGetDataCoverageStatus(band.c_rasterband(), col, row, width, height, DATA, ptr::null_mut())
    };
    status & (UNKNOWN | DATA) != 0
}

/// Names of the values 0, 1, ….
///
/// # Errors
/// GDAL's message.
pub(crate) fn set_category_names(band: &mut RasterBand, names: &[String]) -> Result<(), String> {
    let mut list = CslStringList::new();
    for name in names {
        list.add_string(&name.replace('\0', " ")).map_err(|error| error.to_string())?;
    }
    checked(|| {
        // SAFETY: GDAL copies the list.
        succeeded(unsafe { gdal_sys::GDALSetRasterCategoryNames(band.c_rasterband(), list.as_ptr()) })
    })
}

/// A thematic attribute table with columns Value, Class, Red, Green, Blue.
///
/// # Errors
/// GDAL's message.
pub(crate) fn set_class_table(band: &mut RasterBand, rows: &[TableRow]) -> Result<(), String> {
    struct Table(gdal_sys::GDALRasterAttributeTableH);
    impl Drop for Table {
        fn drop(&mut self) {
            // SAFETY: made by GDALCreateRasterAttributeTable; GDAL keeps a copy of its own.
            unsafe { gdal_sys::GDALDestroyRasterAttributeTable(self.0) };
        }
    }
    let columns = [
        (c"Value", GDALRATFieldType::GFT_Integer, GDALRATFieldUsage::GFU_MinMax),
        (c"Class", GDALRATFieldType::GFT_String, GDALRATFieldUsage::GFU_Name),
        (c"Red", GDALRATFieldType::GFT_Integer, GDALRATFieldUsage::GFU_Red),
        (c"Green", GDALRATFieldType::GFT_Integer, GDALRATFieldUsage::GFU_Green),
        (c"Blue", GDALRATFieldType::GFT_Integer, GDALRATFieldUsage::GFU_Blue),
    ];
    checked(|| {
        // SAFETY: rows and columns are created before their cells are set; GDAL copies all strings
        // and, in GDALSetDefaultRAT, the table.
        unsafe {
            let table = Table(gdal_sys::GDALCreateRasterAttributeTable());
            for (name, kind, usage) in columns {
                succeeded(gdal_sys::GDALRATCreateColumn(table.0, name.as_ptr(), kind, usage))?;
            }
            gdal_sys::GDALRATSetRowCount(table.0, rows.len() as c_int);
            gdal_sys::GDALRATSetTableType(table.0, gdal_sys::GDALRATTableType::GRTT_THEMATIC);
            for (index, row) in rows.iter().enumerate() {
                let index = index as c_int;
                let name = CString::new(row.name.replace('\0', " ")).unwrap_or_default();
                gdal_sys::GDALRATSetValueAsInt(table.0, index, 0, row.value);
                gdal_sys::GDALRATSetValueAsString(table.0, index, 1, name.as_ptr());
                for (column, value) in (2..).zip(row.color) {
                    gdal_sys::GDALRATSetValueAsInt(table.0, index, column, c_int::from(value));
                }
            }
            succeeded(gdal_sys::GDALSetDefaultRAT(band.c_rasterband(), table.0))
        }
    })
}

/// Polygons of equal values where the band is not 0, with the value in `field`.
///
/// # Errors
/// GDAL's message; also where `progress` said stop.
pub(crate) fn polygonize(
    band: &RasterBand,
    layer: &Layer,
    field: i32,
    eight_connected: bool,
    progress: OnProgress,
) -> Result<(), String> {
    let mut options = CslStringList::new();
    if eight_connected {
        options.add_string("8CONNECTED=8").map_err(|error| error.to_string())?;
    }
    let mut call = Progress { call: progress };
    checked(|| {
        // SAFETY: band and layer are open; the band is its own mask; options are only read.
        succeeded(unsafe {
            gdal_sys::GDALPolygonize(
                band.c_rasterband(),
                band.c_rasterband(),
                layer.c_layer(),
                field,
                options.as_ptr(),
                Some(on_progress),
                (&raw mut call).cast(),
            )
        })
    })
}

/// Regions of fewer than `smallest_px` pixels take the value of their largest neighbour, where
/// that is larger; pixels of 0 stay and are nobody's neighbour.
///
/// # Errors
/// GDAL's message; also where `progress` said stop.
pub(crate) fn sieve(
    from: &RasterBand,
    to: &RasterBand,
    smallest_px: i32,
    eight_connected: bool,
    progress: OnProgress,
) -> Result<(), String> {
    let mut call = Progress { call: progress };
    checked(|| {
        // SAFETY: both bands are open and of one size; the first is its own mask; no options.
        succeeded(unsafe {
            gdal_sys::GDALSieveFilter(
                from.c_rasterband(),
                from.c_rasterband(),
                to.c_rasterband(),
                smallest_px,
                if eight_connected { 8 } else { 4 },
                ptr::null_mut(),
                Some(on_progress),
                (&raw mut call).cast(),
            )
        })
    })
}

fn succeeded(code: CPLErr::Type) -> Result<(), &'static str> {
    if code == CPLErr::CE_None { Ok(()) } else { Err("GDAL gave no reason") }
}

struct Progress<'a> {
    call: OnProgress<'a>,
}

/// # Safety
/// `argument` points to a `Progress`.
unsafe extern "C" fn on_progress(done: f64, _message: *const c_char, argument: *mut c_void) -> c_int {
    // SAFETY: every caller in this file passes its `Progress`, which outlives the call.
    let progress = unsafe { &mut *argument.cast::<Progress>() };
    // A panic must not cross C; it stops the work instead.
    c_int::from(catch_unwind(AssertUnwindSafe(|| (progress.call)(done))).unwrap_or(false))
}
