//! A GeoTIFF before its first pixel: size, place, names, palette; and how files are compressed.

use std::path::{Path, PathBuf};

use gdal::cpl::CslStringList;
use gdal::raster::GdalType;
use gdal::spatial_ref::SpatialRef;
use gdal::{Dataset, DriverManager, Gcp, Metadata};
use nunatak_domain::class::ClassScheme;
use nunatak_domain::geo::{Crs, Georeference};
use nunatak_domain::recipe::Recipe;
use nunatak_domain::scene::{DataType, SceneInfo};

use crate::atomic::AtomicPath;
use crate::class_raster;
use crate::crs::gdal_from_crs;
use crate::error::{IoError, gdal_reason};
use crate::ffi::checked;
use crate::recipe::{RECIPE_ITEM, recipe_text};

/// What a new GeoTIFF is to be.
#[derive(Clone, Debug)]
pub struct GeoTiffConfig {
    pub path: PathBuf,
    pub width: usize,
    pub height: usize,
    /// Names of the bands; there are as many bands as names.
    pub bands: Vec<String>,
    /// `UInt8`, `UInt16` or `Float32`.
    pub data_type: DataType,
    /// Stands for NaN in the file; without one NaN becomes 0 in integer files.
    pub nodata: Option<f64>,
    pub crs: Option<Crs>,
    pub georeference: Georeference,
    /// Makes band 1 a class map: palette, names, attribute table, `.qml`, overviews by mode.
    pub classes: Option<ClassScheme>,
    pub recipe: Recipe,
    pub overwrite: bool,
}

impl GeoTiffConfig {
    /// Float32 layers on the grid of `scene`, NaN as nodata.
    pub fn layers(path: impl Into<PathBuf>, scene: &SceneInfo, bands: Vec<String>, recipe: Recipe) -> Self {
        Self {
            path: path.into(),
            width: scene.width,
            height: scene.height,
            bands,
            data_type: DataType::Float32,
            nodata: Some(f64::NAN),
            crs: scene.crs.clone(),
            georeference: scene.georeference.clone(),
            classes: None,
            recipe,
            overwrite: false,
        }
    }

    /// A class map on the grid of `scene`: uint8 with nodata 255, or uint16 with nodata 65535
    /// where an id is above 254.
    ///
    /// # Errors
    /// An id is above 65534.
    pub fn class_map(
        path: impl Into<PathBuf>,
        scene: &SceneInfo,
        classes: ClassScheme,
        recipe: Recipe,
    ) -> Result<Self, IoError> {
        let layers = Self::layers(path, scene, vec!["class".to_owned()], recipe);
        let Some((data_type, nodata)) = class_raster::class_data_type(&classes) else {
            return Err(IoError::unsupported(&layers.path, "a class map holds ids of at most 65534"));
        };
        Ok(Self { data_type, nodata: Some(nodata), classes: Some(classes), ..layers })
    }

    #[must_use]
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Creates an uncompressed file at `output`'s partial name with everything but pixels.
    pub(crate) fn create(&self, output: &AtomicPath) -> Result<Dataset, IoError> {
        let fail = |reason: String| output.failed("GeoTIFF", &reason);
        let partial = &output.partial();
        if self.bands.is_empty() || self.width == 0 || self.height == 0 {
            return Err(fail("it would have no pixels".to_owned()));
        }
        let mut dataset = match self.data_type {
            DataType::UInt8 => self.create_as::<u8>(partial),
            DataType::UInt16 => self.create_as::<u16>(partial),
            DataType::Float32 => self.create_as::<f32>(partial),
            other => Err(format!("{} is not a type this program writes", other.name())),
        }
        .map_err(fail)?;
        set_place(&mut dataset, self.crs.as_ref(), &self.georeference).map_err(fail)?;
        if let Some(scheme) = &self.classes {
            class_raster::set_palette(&dataset, scheme).map_err(fail)?;
        }
        checked(|| {
            dataset.set_metadata_item(RECIPE_ITEM, &recipe_text(&self.recipe), "")?;
            dataset.set_metadata_item("TIFFTAG_SOFTWARE", &self.recipe.program, "")?;
            for (index, name) in self.bands.iter().enumerate() {
                let mut band = dataset.rasterband(index + 1)?;
                band.set_description(name)?;
                band.set_no_data_value(self.nodata)?;
            }
            Ok::<_, gdal::errors::GdalError>(())
        })
        .map_err(fail)?;
        Ok(dataset)
    }

    fn create_as<T: GdalType>(&self, partial: &Path) -> Result<Dataset, String> {
        let driver = DriverManager::get_driver_by_name("GTiff").map_err(|error| gdal_reason(&error))?;
        // Uncompressed, so that a kill can tear only what was being written: compressed tiles are
        // rewritten as a whole, with all that was finished in them.
        let mut options = CslStringList::new();
        for option in
            ["TILED=YES", "BLOCKXSIZE=256", "BLOCKYSIZE=256", "INTERLEAVE=BAND", "SPARSE_OK=TRUE", "BIGTIFF=IF_SAFER"]
        {
            options.add_string(option).map_err(|error| gdal_reason(&error))?;
        }
        checked(|| {
            driver.create_with_band_type_with_options::<T, _>(
                partial,
                self.width,
                self.height,
                self.bands.len(),
                &options,
            )
        })
    }

    /// How overviews are made: the most frequent class, or the mean.
    pub(crate) fn resampling(&self) -> &'static str {
        if self.classes.is_some() { "MODE" } else { "AVERAGE" }
    }
}

/// Deflate with the predictor that suits the type, tiles of 256, all processors. The levels are
/// those beyond which files hardly shrink and writing takes twice as long and more: level 6
/// makes floats 1.5 % and class maps 5 % smaller.
pub(crate) fn creation_options(data_type: DataType, more: &[&str]) -> Result<CslStringList, String> {
    let predictor = match data_type {
        DataType::Float32 | DataType::Float64 => "PREDICTOR=3",
        // Not every libtiff knows a predictor of 64-bit integers, none one of complex numbers.
        DataType::UInt64 | DataType::Int64 | DataType::Complex | DataType::Unknown => "PREDICTOR=1",
        _ => "PREDICTOR=2",
    };
    let level = format!("ZLEVEL={}", deflate_level(data_type));
    let mut options = CslStringList::new();
    let common = [
        "TILED=YES",
        "BLOCKXSIZE=256",
        "BLOCKYSIZE=256",
        "COMPRESS=DEFLATE",
        &level,
        "BIGTIFF=IF_SAFER",
        "NUM_THREADS=ALL_CPUS",
        predictor,
    ];
    for option in common.iter().chain(more) {
        options.add_string(option).map_err(|error| gdal_reason(&error))?;
    }
    Ok(options)
}

pub(crate) const fn deflate_level(data_type: DataType) -> u8 {
    match data_type {
        DataType::Float32 | DataType::Float64 => 2,
        _ => 4,
    }
}

/// Factors 2, 4, 8, … of overviews for rasters above 512 px on a side, down to 256 px.
pub(crate) fn overview_factors(width: usize, height: usize) -> Vec<i32> {
    let side = width.max(height);
    if side <= 512 {
        return Vec::new();
    }
    (1..31).map(|level| 1 << level).take_while(|factor| side.div_ceil(*factor as usize / 2) > 256).collect()
}

pub(crate) fn set_place(dataset: &mut Dataset, crs: Option<&Crs>, georeference: &Georeference) -> Result<(), String> {
    checked(|| {
        match georeference {
            Georeference::None => {}
            Georeference::Affine { transform } => {
                if let Some(crs) = crs {
                    let reference = gdal_from_crs(crs).map_err(|error| error.to_string())?;
                    dataset.set_spatial_ref(&reference).map_err(|error| gdal_reason(&error))?;
                }
                dataset.set_geo_transform(&transform.0).map_err(|error| gdal_reason(&error))?;
            }
            Georeference::Gcps { points, crs } => {
                let crs = match crs {
                    Some(crs) => gdal_from_crs(crs).map_err(|error| error.to_string())?,
                    None => SpatialRef::new().map_err(|error| gdal_reason(&error))?,
                };
                let points = points.iter().enumerate().map(|(index, point)| Gcp {
                    id: (index + 1).to_string(),
                    info: String::new(),
                    pixel: point.pixel.col,
                    line: point.pixel.row,
                    x: point.geo.x,
                    y: point.geo.y,
                    z: point.z,
                });
                dataset.set_gcps(points.collect(), &crs).map_err(|error| gdal_reason(&error))?;
            }
        }
        Ok::<_, String>(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overviews_go_down_to_one_tile() {
        assert!(overview_factors(512, 300).is_empty());
        assert_eq!(overview_factors(513, 300), [2, 4]);
        assert_eq!(overview_factors(1024, 1024), [2, 4]);
        assert_eq!(overview_factors(10_980, 10_980), [2, 4, 8, 16, 32, 64]);
    }
}
