//! Copies of rasters: other bands, tiled GeoTIFF or COG, or a picture for a document.

use std::path::{Path, PathBuf};

use gdal::config::{clear_thread_local_config_option, set_thread_local_config_option};
use gdal::cpl::CslStringList;
use gdal::errors::GdalError;
use gdal::raster::GdalDataType;
use gdal::{Dataset, DriverManager, Metadata};
use nunatak_domain::job::ConvertConfig;
use nunatak_domain::notice::Notice;
use nunatak_domain::recipe::Recipe;
use nunatak_domain::scene::{BandInfo, DataType, SceneInfo};
use nunatak_jobs::Monitor;
use serde::Serialize;

use crate::atomic::AtomicPath;
use crate::class_raster::{class_scheme, write_style};
use crate::copy::{close, progress, write_cog, write_tiled_with};
use crate::describe::{open_dataset, scene_info};
use crate::error::{IoError, gdal_reason};
use crate::ffi::{self, checked};
use crate::recipe::{RECIPE_ITEM, recipe_text};

/// What `convert` wrote.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConvertReport {
    /// The target first, then its sidecars.
    pub outputs: Vec<PathBuf>,
    pub width: usize,
    pub height: usize,
    pub n_bands: usize,
}

/// Copies a raster, block by block, with its data type, nodata, masks, scale and offset, names,
/// palette, attribute table, wavelengths, georeference and metadata.
///
/// `.tif` becomes a tiled GeoTIFF with overviews, or a COG; `.png` and `.jpg` hold 8-bit (PNG
/// also 16-bit) pictures with a world file. Where bands differ in type, all take the smallest
/// that holds them.
///
/// # Errors
/// The raster cannot be read, a band does not exist, the bands have different nodata values, the
/// format is unknown or cannot hold the data, the disk is full, or the job was cancelled; the old file is as it was.
pub fn convert(config: &ConvertConfig, monitor: &dyn Monitor, recipe: &Recipe) -> Result<ConvertReport, IoError> {
    let format = Format::of(config)?;
    let (source, gdal_path) = open_dataset(&config.raster)?;
    let (info, _) = scene_info(&source, gdal_path);
    let bands = chosen_bands(config, &info)?;
    let data_type = common_type(&bands);
    format.check(&config.out, &bands, data_type)?;
    check_nodata(config, &bands, monitor)?;
    let output = AtomicPath::create(&config.out, config.overwrite)?;
    let fail = |reason: String| IoError::write(&config.out, "copy", reason);
    let mut view = ffi::translate_to_vrt(&source, &arguments(config, &bands, data_type)).map_err(fail)?;
    describe_view(&mut view, &bands, recipe).map_err(fail)?;

    let classes = info.categorical() && bands.len() == 1;
    let resampling = match data_type {
        _ if classes => "MODE",
        DataType::Complex | DataType::Unknown => "NEAREST",
        _ => "AVERAGE",
    };
    let written = internal_mask(|| match format {
        Format::Cog => write_cog(&view, &output, data_type, resampling, monitor),
        Format::Tiled => write_tiled_with(&view, &output, data_type, resampling, monitor, |copy| {
            set_imagery(copy, &bands).map_err(|error| gdal_reason(&error))
        }),
        Format::Png => write_picture(&view, &output, "PNG", &["WORLDFILE=YES"], monitor),
        Format::Jpeg => write_picture(&view, &output, "JPEG", &["WORLDFILE=YES", "QUALITY=92"], monitor),
    });
    written.map_err(|error| blame(error, &config.raster))?;
    drop(view);
    if classes {
        write_style(&output, &class_scheme(&info))?;
    }
    let n_bands = bands.len();
    Ok(ConvertReport { outputs: output.commit()?, width: info.width, height: info.height, n_bands })
}

/// A copy can also fail because the source is damaged; GDAL's message tells.
fn blame(error: IoError, raster: &Path) -> IoError {
    match error {
        IoError::Write { reason, .. } if ["Read", "ecod", "read"].iter().any(|word| reason.contains(word)) => {
            IoError::read(raster, "pixels", reason)
        }
        other => other,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Tiled,
    Cog,
    Png,
    Jpeg,
}

impl Format {
    fn of(config: &ConvertConfig) -> Result<Self, IoError> {
        let extension = config.out.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        match (extension.as_str(), config.cog) {
            ("tif" | "tiff", true) => Ok(Self::Cog),
            ("tif" | "tiff", false) => Ok(Self::Tiled),
            ("png", false) => Ok(Self::Png),
            ("jpg" | "jpeg", false) => Ok(Self::Jpeg),
            (_, true) => Err(IoError::unsupported(&config.out, "a cloud-optimised GeoTIFF ends in .tif")),
            _ => Err(IoError::unsupported(&config.out, "cannot write this raster format: choose .tif, .png or .jpg")),
        }
    }

    /// Pictures hold few kinds of data.
    fn check(self, path: &Path, bands: &[(usize, &BandInfo)], data_type: DataType) -> Result<(), IoError> {
        let n = bands.len();
        let reason = match self {
            Self::Tiled | Self::Cog => return Ok(()),
            Self::Png if n <= 4 && matches!(data_type, DataType::UInt8 | DataType::UInt16) => return Ok(()),
            Self::Jpeg if matches!(n, 1 | 3) && data_type == DataType::UInt8 => return Ok(()),
            Self::Png => "PNG holds 1 to 4 bands of uint8 or uint16",
            Self::Jpeg => "JPEG holds 1 or 3 bands of uint8",
        };
        let found = format!("{reason}, not {n} of {}; choose .tif, or render a picture", data_type.name());
        Err(IoError::unsupported(path, found))
    }
}

/// The wanted bands with their index.
fn chosen_bands<'a>(config: &ConvertConfig, info: &'a SceneInfo) -> Result<Vec<(usize, &'a BandInfo)>, IoError> {
    let n = info.n_bands();
    let indexes = config.bands.clone().unwrap_or_else(|| (0..n).collect());
    if indexes.is_empty() {
        return Err(IoError::unsupported(&config.raster, "there are no bands to copy"));
    }
    let band = |index: usize| {
        let band = info.bands.get(index).ok_or_else(|| {
            IoError::unsupported(&config.raster, format!("there is no band {}: the raster has {n}", index + 1))
        });
        Ok((index, band?))
    };
    indexes.into_iter().map(band).collect()
}

/// The type of all bands, or the smallest that holds them all.
fn common_type(bands: &[(usize, &BandInfo)]) -> DataType {
    let first = bands[0].1.data_type;
    let any = |types: &[DataType]| bands.iter().any(|(_, band)| types.contains(&band.data_type));
    if bands.iter().all(|(_, band)| band.data_type == first) {
        first
    } else if any(&[DataType::Complex, DataType::Unknown]) {
        DataType::Complex
    } else if any(&[DataType::Float64, DataType::UInt32, DataType::Int32, DataType::UInt64, DataType::Int64]) {
        DataType::Float64
    } else if any(&[DataType::Float32]) {
        DataType::Float32
    } else {
        DataType::Int32
    }
}

/// One nodata value is all that a GeoTIFF or a picture has.
fn check_nodata(config: &ConvertConfig, bands: &[(usize, &BandInfo)], monitor: &dyn Monitor) -> Result<(), IoError> {
    let bits = |band: &BandInfo| band.nodata.map(f64::to_bits);
    let mut values: Vec<u64> = bands.iter().filter_map(|(_, band)| bits(band)).collect();
    let some_without = values.len() < bands.len();
    values.sort_unstable();
    values.dedup();
    if values.len() > 1 {
        let reason =
            "the bands have different nodata values, which a GeoTIFF cannot hold: convert them one by one (--bands)";
        return Err(IoError::unsupported(&config.raster, reason));
    }
    if !values.is_empty() && some_without {
        let text = "only some bands have a nodata value and the output holds it for all of them";
        monitor.warn(Notice::warning(text).next_step("Convert the bands into files of their own."));
    }
    Ok(())
}

fn arguments(config: &ConvertConfig, bands: &[(usize, &BandInfo)], data_type: DataType) -> Vec<String> {
    let mut arguments = Vec::new();
    if config.bands.is_some() {
        arguments.extend(bands.iter().flat_map(|(index, _)| ["-b".to_owned(), (index + 1).to_string()]));
    }
    let gdal_name = match data_type {
        DataType::Float64 => "Float64",
        DataType::Float32 => "Float32",
        DataType::Int32 => "Int32",
        _ => "CFloat64",
    };
    if bands.iter().any(|(_, band)| band.data_type != data_type) {
        arguments.extend(["-ot".to_owned(), gdal_name.to_owned()]);
    }
    arguments
}

/// Adds what `gdal_translate` drops: wavelengths, whatever form the source gave them in.
fn describe_view(view: &mut Dataset, bands: &[(usize, &BandInfo)], recipe: &Recipe) -> Result<(), String> {
    let mut describe = || -> Result<(), GdalError> {
        view.set_metadata_item(RECIPE_ITEM, &recipe_text(recipe), "")?;
        let nodata = bands.iter().find_map(|(_, info)| info.nodata);
        for (position, (_, info)) in bands.iter().enumerate() {
            let mut band = view.rasterband(position + 1)?;
            if nodata.is_some() && info.nodata.is_none() {
                // Given to later bands only, GDAL fails to write it into the finished file.
                band.set_no_data_value(nodata)?;
            }
            if band.metadata_item("NBITS", "IMAGE_STRUCTURE").is_some() {
                // Files of 1 to 15 bits would be packed again, which no predictor supports.
                band.set_metadata_item("NBITS", &full_bits(band.band_type()), "IMAGE_STRUCTURE")?;
            }
            // As GDAL names them for ENVI files: a copy takes over no other domain than this one.
            if let Some(nm) = info.wavelength_nm {
                band.set_metadata_item("wavelength", &nm.to_string(), "")?;
                band.set_metadata_item("wavelength_units", "Nanometers", "")?;
            }
            if let Some(nm) = info.fwhm_nm {
                band.set_metadata_item("fwhm", &nm.to_string(), "")?;
            }
        }
        Ok(())
    };
    checked(|| describe().map_err(|error| gdal_reason(&error)))
}

/// Wavelengths where GDAL 3.10 and later look for them.
fn set_imagery(copy: &Dataset, bands: &[(usize, &BandInfo)]) -> Result<(), GdalError> {
    let micrometres = |nm: f64| ((nm * 1e3).round() / 1e6).to_string();
    for (position, (_, info)) in bands.iter().enumerate() {
        let mut band = copy.rasterband(position + 1)?;
        if let Some(nm) = info.wavelength_nm {
            band.set_metadata_item("CENTRAL_WAVELENGTH_UM", &micrometres(nm), "IMAGERY")?;
        }
        if let Some(nm) = info.fwhm_nm {
            band.set_metadata_item("FWHM_UM", &micrometres(nm), "IMAGERY")?;
        }
    }
    Ok(())
}

fn full_bits(data_type: GdalDataType) -> String {
    match data_type {
        GdalDataType::UInt8 => "8",
        GdalDataType::UInt16 | GdalDataType::Int16 => "16",
        _ => "32",
    }
    .to_owned()
}

fn write_picture(
    view: &Dataset,
    output: &AtomicPath,
    driver: &str,
    options: &[&str],
    monitor: &dyn Monitor,
) -> Result<(), IoError> {
    let fail = |reason: String| output.failed("picture", &reason);
    let driver = DriverManager::get_driver_by_name(driver).map_err(|error| fail(gdal_reason(&error)))?;
    let mut list = CslStringList::new();
    for option in options {
        list.add_string(option).map_err(|error| fail(gdal_reason(&error)))?;
    }
    let mut on_progress = progress(monitor, "writing pixels", 0.0..1.0);
    let copy = ffi::create_copy(view, &driver, &output.partial(), &list, &mut on_progress);
    monitor.check()?;
    close(copy.map_err(fail)?).map_err(fail)
}

/// Masks inside the GeoTIFF instead of a `.msk` beside it.
fn internal_mask<T>(work: impl FnOnce() -> T) -> T {
    const OPTION: &str = "GDAL_TIFF_INTERNAL_MASK";
    let _ = set_thread_local_config_option(OPTION, "YES");
    let value = work();
    let _ = clear_thread_local_config_option(OPTION);
    value
}
