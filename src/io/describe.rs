//! `SceneInfo` of a file: everything that is known without reading pixels.

use std::path::{Path, PathBuf};

use gdal::{Dataset, DatasetOptions, GdalOpenFlags, Metadata};
use nunatak_domain::geo::{Crs, Gcp, GeoPos, GeoTransform, Georeference, PixelPos};
use nunatak_domain::scene::{BandInfo, ColorRole, DataType, SceneInfo};

use crate::area_of_use;
use crate::bands::{BandAccess, band_info};
use crate::crs::crs_from_gdal;
use crate::error::{IoError, without_path};
use crate::library::{gdal_path, plain_file, reason, with_messages, with_settings_for};
use crate::reproject::{Transformer, wgs84};
use crate::wavelength::wavelengths;

/// Describes whatever GDAL opens: a path, an `https://` address, a `/vsi…` name, a subdataset.
///
/// A file that holds only subdatasets has no bands and lists them.
///
/// # Errors
/// There is no such file, GDAL does not know its format, or it is damaged.
pub fn describe(path: &Path) -> Result<SceneInfo, IoError> {
    let (dataset, gdal_path) = open_dataset(path)?;
    Ok(scene_info(&dataset, gdal_path).0)
}

/// Opens read-only and gives the name that GDAL was asked for.
pub(crate) fn open_dataset(path: &Path) -> Result<(Dataset, PathBuf), IoError> {
    let gdal_path = gdal_path(path).map_err(|reason| IoError::open(path, reason))?;
    let options = DatasetOptions {
        open_flags: GdalOpenFlags::GDAL_OF_RASTER | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR,
        ..DatasetOptions::default()
    };
    let (result, messages) = with_messages(|| with_settings_for(&gdal_path, || Dataset::open_ex(&gdal_path, options)));
    match result {
        Ok(dataset) => {
            if let Some(reason) = missing_data(&dataset, &gdal_path) {
                return Err(IoError::open(path, reason));
            }
            Ok((dataset, gdal_path))
        }
        Err(_) => Err(IoError::open(path, why_not_opened(&gdal_path, reason(&messages)))),
    }
}

fn why_not_opened(path: &Path, said: Option<String>) -> String {
    if plain_file(path) {
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return "no such file".to_owned(),
            Err(error) => return error.to_string(),
            Ok(meta) if meta.is_dir() => return "this is a folder, not a raster".to_owned(),
            Ok(meta) if meta.len() == 0 => return "the file is empty".to_owned(),
            Ok(_) => {}
        }
    }
    match said {
        Some(text) if text.contains("not recognized as") => "no raster format that GDAL knows".to_owned(),
        Some(text) if text.contains("does not exist in the file system") => "no such file".to_owned(),
        Some(text) => format!("GDAL cannot read it ({})", without_path(&text, path)),
        None => "GDAL gave no reason".to_owned(),
    }
}

/// ENVI files say in their header how long they must be; GDAL reads what is missing as zeros.
fn missing_data(dataset: &Dataset, path: &Path) -> Option<String> {
    if dataset.driver().short_name() != "ENVI"
        || dataset.metadata_item("file_compression", "ENVI").is_some_and(|c| c != "0")
    {
        return None;
    }
    let (width, height) = dataset.raster_size();
    let offset =
        dataset.metadata_item("header_offset", "ENVI").and_then(|text| text.trim().parse().ok()).unwrap_or(0_u64);
    let pixel_bytes: u64 = dataset.rasterbands().flatten().map(|band| u64::from(band.band_type().bytes())).sum();
    let expected = (width as u64).saturating_mul(height as u64).saturating_mul(pixel_bytes).saturating_add(offset);
    let present = std::fs::metadata(path).ok()?.len();
    (present < expected).then(|| format!("the data file is cut off: it has {present} of {expected} bytes"))
}

/// The description, and for each band how it is read.
pub(crate) fn scene_info(dataset: &Dataset, path: PathBuf) -> (SceneInfo, Vec<BandAccess>) {
    // Sidecar files and broken tags make GDAL talk; what matters is in the remarks.
    with_messages(|| scene_info_quietly(dataset, path)).0
}

fn scene_info_quietly(dataset: &Dataset, path: PathBuf) -> (SceneInfo, Vec<BandAccess>) {
    let wavelengths = wavelengths(dataset, &path);
    let (bands, accesses): (Vec<BandInfo>, Vec<BandAccess>) =
        (0..dataset.raster_count()).filter_map(|band_index| band_info(dataset, band_index, &wavelengths)).unzip();
    let (width, height) = if bands.is_empty() { (0, 0) } else { dataset.raster_size() };
    let structure = |key: &str| dataset.metadata_item(key, "IMAGE_STRUCTURE").filter(|text| !text.is_empty());
    let (crs, georeference, geo_remarks) = georeference(dataset);
    let first = dataset.rasterband(1).ok();
    let mut overviews: Vec<(usize, usize)> = first
        .as_ref()
        .map(|band| {
            (0..band.overview_count().unwrap_or(0) as usize)
                .filter_map(|i| Some(band.overview(i).ok()?.size()))
                .collect()
        })
        .unwrap_or_default();
    overviews.sort_unstable_by(|a, b| b.cmp(a));
    let mut info = SceneInfo {
        path,
        driver: dataset.driver().short_name(),
        width,
        height,
        bands,
        crs,
        georeference,
        overviews,
        block: first.as_ref().map_or((0, 0), |band| band.block_size()),
        compression: structure("COMPRESSION"),
        interleave: structure("INTERLEAVE"),
        subdatasets: subdatasets(dataset),
        metadata: metadata(dataset),
        remarks: wavelengths.remarks,
    };
    info.remarks.extend(geo_remarks);
    let remarks = remarks(dataset, &info);
    info.remarks.extend(remarks);
    (info, accesses)
}

fn metadata(dataset: &Dataset) -> Vec<(String, String)> {
    let mut items: Vec<(String, String)> = dataset
        .metadata_domain("")
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| entry.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    items.sort();
    items
}

/// Names and descriptions, in the order of the file.
fn subdatasets(dataset: &Dataset) -> Vec<(String, String)> {
    let item = |key: String| dataset.metadata_item(&key, "SUBDATASETS");
    (1..)
        .map_while(|i| {
            let name = item(format!("SUBDATASET_{i}_NAME"))?;
            Some((name, item(format!("SUBDATASET_{i}_DESC")).unwrap_or_default()))
        })
        .collect()
}

/// CRS and tie to the earth. The affine transform wins over ground control points.
fn georeference(dataset: &Dataset) -> (Option<Crs>, Georeference, Vec<String>) {
    const IDENTITY: [f64; 6] = [0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let mut remarks = Vec::new();
    let reference = dataset.spatial_ref().ok();
    let crs = reference.as_ref().and_then(crs_from_gdal);
    if reference.is_some() && crs.is_none() {
        remarks.push("the coordinate system is a local one without a place on the earth".to_owned());
    }
    let transform = dataset.geo_transform().ok().map(GeoTransform).filter(|transform| {
        let finite = transform.0.iter().all(|coefficient| coefficient.is_finite());
        if !finite || transform.pixel_area() == 0.0 {
            remarks.push("the geotransform gives pixels no area and is left out".to_owned());
            return false;
        }
        // What drivers give, and some programs write, where nothing is known.
        transform.0 != IDENTITY
    });
    let gcps: Vec<Gcp> = dataset
        .gcps()
        .iter()
        .map(|gcp| Gcp {
            pixel: PixelPos::new(gcp.pixel(), gcp.line()),
            geo: GeoPos::new(gcp.x(), gcp.y()),
            z: gcp.z(),
        })
        .collect();
    let georeference = match transform {
        Some(transform) => {
            remarks.extend(transform_remarks(&transform, dataset.raster_size(), crs.as_ref()));
            if reference.is_none() {
                remarks.push("no coordinate system is stated: coordinates have no known place on the earth".to_owned());
            }
            Georeference::Affine { transform }
        }
        None if gcps.is_empty() => {
            let rpc = dataset.metadata_domain("RPC").is_some_and(|items| !items.is_empty());
            remarks.push(match (rpc, &crs) {
                (true, _) => {
                    "placed by rational polynomials (RPC) only: the map shows pixels; gdalwarp makes a map of it"
                        .to_owned()
                }
                (false, Some(crs)) => format!(
                    "a coordinate system ({}) but no position is stated: the map shows pixels",
                    crs.short_name()
                ),
                (false, None) => "no position on the earth is stated: the map shows pixels".to_owned(),
            });
            Georeference::None
        }
        None => {
            remarks.push(format!(
                "placed by {} ground control points only: the map shows pixels; gdalwarp makes a map of it",
                gcps.len()
            ));
            let crs = dataset.gcp_spatial_ref().as_ref().and_then(crs_from_gdal);
            Georeference::Gcps { points: gcps, crs }
        }
    };
    (crs, georeference, remarks)
}

fn transform_remarks(transform: &GeoTransform, (width, height): (usize, usize), crs: Option<&Crs>) -> Vec<String> {
    let mut remarks = Vec::new();
    if !transform.axis_aligned() {
        remarks.push("rows and columns are rotated or sheared against the axes of the coordinate system".to_owned());
    } else if transform.0[5] > 0.0 {
        remarks.push("rows run from south to north".to_owned());
    }
    let max_x = transform.bounds(width, height).max_x;
    if crs.is_some_and(|crs| crs.geographic) && max_x > 180.0 + 1e-6 {
        remarks.push(format!("longitudes run beyond 180°, to {max_x:.4}°"));
    }
    let center = transform.geo_from_pixel(PixelPos::new(0.5 * width as f64, 0.5 * height as f64));
    remarks.extend(crs.and_then(|crs| {
        let lon_lat = Transformer::new(crs, &wgs84()).ok()?.point(center)?;
        area_of_use::remark_outside(crs, lon_lat)
    }));
    remarks
}

fn remarks(dataset: &Dataset, info: &SceneInfo) -> Vec<String> {
    /// Pixels beyond which a zoomed-out view without overviews is slow.
    const MANY_PIXELS: u64 = 64 << 20;
    let mut remarks = Vec::new();
    let structure = |key: &str| dataset.metadata_item(key, "IMAGE_STRUCTURE").unwrap_or_default();
    let compression = info.compression.as_deref().unwrap_or_default();
    let reversibility = structure("COMPRESSION_REVERSIBILITY");
    let max_error: f64 = structure("MAX_Z_ERROR").parse().unwrap_or(0.0);
    if reversibility.starts_with("LOSSY") || matches!(compression, "JPEG" | "YCbCr JPEG") || max_error > 0.0 {
        let compression = if compression.is_empty() { "the" } else { compression };
        remarks.push(format!("{compression} compression is lossy: values differ a little from what was measured"));
    }
    if info.bands.iter().any(|band| band.data_type == DataType::Complex) {
        remarks.push("complex values are read as their magnitude".to_owned());
    }
    if info.bands.iter().any(|band| band.data_type == DataType::Unknown) {
        remarks.push("some bands have a type that is not known here and are read as float64".to_owned());
    }
    remarks.extend(contradictory_bits(dataset, info));
    if let Some(alpha) = info.bands.iter().position(|band| band.color == ColorRole::Alpha) {
        remarks.push(format!("band {} is marked as alpha: where it is 0, no band has data", alpha + 1));
    }
    if info.width as u64 * info.height as u64 > MANY_PIXELS && info.overviews.is_empty() {
        remarks.push("no overviews: zoomed-out views read slowly; gdaladdo adds them".to_owned());
    }
    if !info.bands.is_empty() && !info.subdatasets.is_empty() {
        remarks.push(format!("the file lists {} images as subdatasets; this is the first", info.subdatasets.len()));
    }
    remarks
}

/// Uncompressed TIFF blocks have exactly the bytes that their pixels need; far more means that
/// the header gives too few bits per value.
fn contradictory_bits(dataset: &Dataset, info: &SceneInfo) -> Option<String> {
    if info.driver != "GTiff" || info.compression.is_some() {
        return None;
    }
    let band = dataset.rasterband(1).ok()?;
    let bits: usize = band.metadata_item("NBITS", "IMAGE_STRUCTURE")?.parse().ok()?;
    let present: usize = band.metadata_item("BLOCK_SIZE_0_0", "TIFF")?.parse().ok()?;
    let samples = if info.interleave.as_deref() == Some("PIXEL") { info.bands.len() } else { 1 };
    let needed = (info.block.0 * samples * bits).div_ceil(8) * info.block.1.min(info.height);
    (present >= 2 * needed).then(|| {
        format!("blocks have {present} bytes where {bits} bits per value need {needed}: the header is damaged, and values may be wrong")
    })
}
