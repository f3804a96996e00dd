//! The few GDAL functions that its Rust binding does not wrap. All unsafe code of reading is here.
#![allow(unsafe_code, reason = "GDAL functions without a safe wrapper")]

use std::ffi::{CStr, c_char, c_int};
use std::path::{Path, PathBuf};
use std::ptr;

use gdal::Dataset;
use gdal::raster::RasterBand;
use gdal::spatial_ref::{CoordTransform, SpatialRef};
use gdal_sys::{GDALDataType, GDALRIOResampleAlg, GDALRWFlag, GDALRasterIOExtraArg};
use nunatak_domain::grid::PixelRect;

use crate::library::{reason, with_messages, with_settings_for};

/// A transformation that may be made on one thread and used on another.
pub(crate) struct Movable(pub(crate) CoordTransform);

// SAFETY: `OGRProjCT` ties its PROJ objects to the context of the thread that uses them, at each
// call and when it is destroyed (`proj_assign_context` in ogrct.cpp), and nothing else of it
// belongs to a thread. It is not `Sync`: one thread at a time.
unsafe impl Send for Movable {}

/// Number types GDAL converts pixels to.
pub(crate) trait Sample: Copy + Default + sealed::Sealed {
    const TYPE: GDALDataType::Type;
}

mod sealed {
    /// Invariant: a type's layout is that of its `Sample::TYPE`.
    pub(crate) trait Sealed {}
}

macro_rules! sample {
    ($($type:ty = $gdal:expr),+) => {
        $(impl sealed::Sealed for $type {}
        impl Sample for $type {
            const TYPE: GDALDataType::Type = $gdal;
        })+
    };
}

// GDT_UInt64 and GDT_Int64 have no name in the bindings of GDAL 3.4.
sample!(
    i32 = GDALDataType::GDT_Int32,
    u32 = GDALDataType::GDT_UInt32,
    f32 = GDALDataType::GDT_Float32,
    f64 = GDALDataType::GDT_Float64,
    u64 = 12,
    i64 = 13,
    [f64; 2] = GDALDataType::GDT_CFloat64
);

/// Reads `window` of `bands` (0-based) into `out` at `width` × `height` by nearest
/// neighbour, `[band, row, col]`.
///
/// # Errors
/// What GDAL said.
pub(crate) fn read_bands<T: Sample>(
    dataset: &Dataset,
    window: PixelRect,
    bands: &[usize],
    (width, height): (usize, usize),
    out: &mut [T],
) -> Result<(), String> {
    assert_eq!(out.len(), bands.len() * width * height, "buffer of {} bands of {height} x {width}", bands.len());
    let int = |n: usize| c_int::try_from(n).map_err(|_| format!("{n} pixels are too many"));
    let [col, row, window_width, window_height] =
        [int(window.col)?, int(window.row)?, int(window.width)?, int(window.height)?];
    let (buffer_width, buffer_height, n_bands) = (int(width)?, int(height)?, int(bands.len())?);
    let mut band_numbers = bands.iter().map(|&band| int(band + 1)).collect::<Result<Vec<c_int>, _>>()?;
    // SAFETY: plain numbers and pointers, for all of which zero means the default. Newer GDALs
    // have more fields, so that they cannot all be named here.
    let mut extra: GDALRasterIOExtraArg = unsafe { std::mem::zeroed() };
    extra.nVersion = 1;
    extra.eResampleAlg = GDALRIOResampleAlg::GRIORA_NearestNeighbour;
    let (status, messages) = with_messages(|| {
        // SAFETY: the dataset is open; spacings of 0 mean packed, so GDAL fills exactly
        // n_bands * height * width values of T::TYPE, which is `out`'s length; GDAL checks
        // window and band numbers itself and fails on wrong ones.
        unsafe {
            gdal_sys::GDALDatasetRasterIOEx(
                dataset.c_dataset(),
                GDALRWFlag::GF_Read,
                col,
                row,
                window_width,
                window_height,
                out.as_mut_ptr().cast(),
                buffer_width,
                buffer_height,
                T::TYPE,
                n_bands,
                band_numbers.as_mut_ptr(),
                0,
                0,
                0,
                &raw mut extra,
            )
        }
    });
    if status == gdal_sys::CPLErr::CE_None {
        Ok(())
    } else {
        Err(reason(&messages).unwrap_or_else(|| "GDAL gave no reason".to_owned()))
    }
}

/// The files that a raster is made of as far as its driver knows, the raster itself included;
/// empty for what GDAL does not open.
pub(crate) fn files_of(path: &Path) -> Vec<PathBuf> {
    let opened = with_messages(|| with_settings_for(path, || Dataset::open(path))).0;
    let Ok(dataset) = opened else { return Vec::new() };
    let mut files = Vec::new();
    // SAFETY: the dataset is open; the list ends with a null pointer and is freed here.
    unsafe {
        let list = gdal_sys::GDALGetFileList(dataset.c_dataset());
        let mut at = list;
        while !at.is_null() && !(*at).is_null() {
            files.push(PathBuf::from(text(*at)));
            at = at.add(1);
        }
        gdal_sys::CSLDestroy(list);
    }
    files
}

/// GDAL's pixel type number; the binding's own enum fails on types it does not know.
pub(crate) fn data_type(band: &RasterBand<'_>) -> GDALDataType::Type {
    // SAFETY: the band belongs to an open dataset.
    unsafe { gdal_sys::GDALGetRasterDataType(band.c_rasterband()) }
}

/// Category names of a band, value i at index i.
pub(crate) fn category_names(band: &RasterBand<'_>) -> Vec<String> {
    let mut names = Vec::new();
    // SAFETY: the band is open; GDAL owns the returned list, which ends with a null pointer.
    unsafe {
        let list = gdal_sys::GDALGetRasterCategoryNames(band.c_rasterband());
        let mut at = list;
        while !at.is_null() && !(*at).is_null() {
            names.push(text(*at));
            at = at.add(1);
        }
    }
    names
}

/// A raster attribute table as text: the columns with name, GDAL's usage number and cells.
pub(crate) struct AttributeColumn {
    pub(crate) name: String,
    pub(crate) usage: u32,
    pub(crate) cells: Vec<String>,
}

/// At most `max_rows` rows of a band's attribute table; empty without one.
pub(crate) fn attribute_table(band: &RasterBand<'_>, max_rows: usize) -> Vec<AttributeColumn> {
    // SAFETY: the band is open; GDAL owns the table, and rows and columns stay below its counts.
    unsafe {
        let table = gdal_sys::GDALGetDefaultRAT(band.c_rasterband());
        if table.is_null() {
            return Vec::new();
        }
        let n_rows = gdal_sys::GDALRATGetRowCount(table).min(max_rows as c_int);
        (0..gdal_sys::GDALRATGetColumnCount(table))
            .map(|column| AttributeColumn {
                name: text(gdal_sys::GDALRATGetNameOfCol(table, column)),
                usage: gdal_sys::GDALRATGetUsageOfCol(table, column),
                cells: (0..n_rows).map(|row| text(gdal_sys::GDALRATGetValueAsString(table, row, column))).collect(),
            })
            .collect()
    }
}

/// The horizontal part: a compound or three-dimensional system without its heights.
pub(crate) fn horizontal(crs: &SpatialRef) -> SpatialRef {
    let flat = crs.clone();
    // SAFETY: the handle is valid; a null name keeps the system's own.
    let status = unsafe { gdal_sys::OSRDemoteTo2D(flat.to_c_hsrs(), ptr::null()) };
    if status == gdal_sys::OGRErr::OGRERR_NONE { flat } else { crs.clone() }
}

/// Both mean the same system when x is east and y north in both.
pub(crate) fn same(a: &SpatialRef, b: &SpatialRef) -> bool {
    let options = [c"IGNORE_DATA_AXIS_TO_SRS_AXIS_MAPPING=YES".as_ptr(), ptr::null()];
    // SAFETY: both handles are valid, the options end with a null pointer.
    unsafe { gdal_sys::OSRIsSameEx(a.to_c_hsrs(), b.to_c_hsrs(), options.as_ptr()) == 1 }
}

/// WKT 1 as GDAL likes it, or WKT 2 where WKT 1 has no words for the system.
pub(crate) fn wkt(crs: &SpatialRef) -> Option<String> {
    if let Ok(wkt) = with_messages(|| crs.to_wkt()).0
        && !wkt.is_empty()
    {
        return Some(wkt);
    }
    let options = [c"FORMAT=WKT2_2019".as_ptr(), ptr::null()];
    let mut out: *mut c_char = ptr::null_mut();
    // SAFETY: the options end with a null pointer; GDAL allocates the text, which is freed here.
    unsafe {
        let status = gdal_sys::OSRExportToWktEx(crs.to_c_hsrs(), &raw mut out, options.as_ptr());
        let wkt = text(out);
        gdal_sys::VSIFree(out.cast());
        (status == gdal_sys::OGRErr::OGRERR_NONE && !wkt.is_empty()).then_some(wkt)
    }
}

/// The entry of PROJ's database that means the same, for systems written without a code.
pub(crate) fn best_match(crs: &SpatialRef) -> Option<SpatialRef> {
    /// GDAL calls matches of 90 and more identical but for names.
    const MIN_CONFIDENCE: c_int = 90;
    let mut n = 0;
    let mut confidences: *mut c_int = ptr::null_mut();
    // SAFETY: GDAL fills `n` and an array of that length; `from_c_obj` clones the match before
    // the array is freed; the confidences are freed with GDAL's own allocator.
    unsafe {
        let matches = gdal_sys::OSRFindMatches(crs.to_c_hsrs(), ptr::null_mut(), &raw mut n, &raw mut confidences);
        if matches.is_null() {
            return None;
        }
        let found = if n > 0 && !confidences.is_null() && *confidences >= MIN_CONFIDENCE {
            SpatialRef::from_c_obj(*matches).ok()
        } else {
            None
        };
        gdal_sys::OSRFreeSRSArray(matches);
        gdal_sys::VSIFree(confidences.cast());
        found
    }
}

/// # Safety
/// `pointer` is null or points to a C string.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: not null, and a C string by this function's contract.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
