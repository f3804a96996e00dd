//! What is known of a raster without reading its pixels.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::geo::{Crs, GeoBounds, GeoTransform, Georeference};
use crate::model::Normalisation;

/// A raster file (or subdataset, VRT, remote file) as the program sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneInfo {
    /// What GDAL was asked to open: a path, `/vsicurl/…`, or a subdataset name.
    pub path: PathBuf,
    /// GDAL's short driver name, for example `GTiff`.
    pub driver: String,
    pub width: usize,
    pub height: usize,
    pub bands: Vec<BandInfo>,
    pub crs: Option<Crs>,
    pub georeference: Georeference,
    /// Width and height of band 0's overviews, finest first.
    pub overviews: Vec<(usize, usize)>,
    /// Width and height of band 0's natural block.
    pub block: (usize, usize),
    pub compression: Option<String>,
    /// `PIXEL`, `BAND` or `LINE` where the driver says.
    pub interleave: Option<String>,
    /// Name and description; a file that only holds subdatasets has no bands of its own.
    pub subdatasets: Vec<(String, String)>,
    /// The default metadata domain, sorted.
    pub metadata: Vec<(String, String)>,
    /// What a careful person should know, one sentence each (for example: GCPs only,
    /// a wavelength list of the wrong length, lossy compression).
    pub remarks: Vec<String>,
}

impl SceneInfo {
    /// The transform the map uses: the file's own, or pixels with `y` up.
    pub fn map_transform(&self) -> GeoTransform {
        match &self.georeference {
            Georeference::Affine { transform } => *transform,
            Georeference::None | Georeference::Gcps { .. } => GeoTransform::PIXELS,
        }
    }

    /// The CRS the map may rely on: `None` where only GCPs or nothing tie it down.
    pub fn map_crs(&self) -> Option<&Crs> {
        match &self.georeference {
            Georeference::Affine { .. } => self.crs.as_ref(),
            Georeference::None | Georeference::Gcps { .. } => None,
        }
    }

    pub fn bounds(&self) -> GeoBounds {
        self.map_transform().bounds(self.width, self.height)
    }

    pub fn n_bands(&self) -> usize {
        self.bands.len()
    }

    /// What turns stored into physical values: each band's scale and offset.
    pub fn physical(&self) -> Normalisation {
        if self.bands.iter().all(|band| band.scale == 1.0 && band.offset == 0.0) {
            return Normalisation::None;
        }
        Normalisation::ScaleOffset {
            scale: self.bands.iter().map(|band| band.scale as f32).collect(),
            offset: self.bands.iter().map(|band| band.offset as f32).collect(),
        }
    }

    /// File name without folders, for people.
    pub fn name(&self) -> String {
        self.path.file_name().map_or_else(|| self.path.to_string_lossy(), |name| name.to_string_lossy()).into_owned()
    }

    /// One integer band with a palette or category names: a class map.
    pub fn categorical(&self) -> bool {
        self.bands.len() == 1
            && self.bands[0].data_type.integer()
            && (self.bands[0].palette.is_some() || !self.bands[0].categories.is_empty())
    }
}

/// Whether two bands see the same part of the spectrum, as far as their middles tell: within
/// 30 nm, as red of two sensors is, or 5 % of `nm`, for short-wave infrared bands are wider.
pub fn same_wavelength(nm: f64, other_nm: f64) -> bool {
    (nm - other_nm).abs() <= (0.05 * nm).max(30.0)
}

/// One band of a scene.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BandInfo {
    /// Never empty: the band's description, or its wavelength, or `Band 3`.
    pub name: String,
    pub data_type: DataType,
    /// As stored; NaN is written `"nan"` in JSON by the reports.
    pub nodata: Option<f64>,
    /// physical = stored · scale + offset.
    pub scale: f64,
    pub offset: f64,
    pub unit: String,
    pub wavelength_nm: Option<f64>,
    pub fwhm_nm: Option<f64>,
    pub color: ColorRole,
    pub mask: MaskKind,
    pub statistics: Option<BandStatistics>,
    /// Colour of value i, RGBA.
    pub palette: Option<Vec<[u8; 4]>>,
    /// Name of value i (GDAL category names or attribute table); empty names allowed.
    pub categories: Vec<String>,
}

/// GDAL's pixel types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataType {
    UInt8,
    Int8,
    UInt16,
    Int16,
    UInt32,
    Int32,
    UInt64,
    Int64,
    Float32,
    Float64,
    /// Complex of integers or floats; read as magnitude.
    Complex,
    Unknown,
}

impl DataType {
    pub const fn integer(self) -> bool {
        !matches!(self, Self::Float32 | Self::Float64 | Self::Complex | Self::Unknown)
    }

    /// As people write it: `uint16`, `float32`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UInt8 => "uint8",
            Self::Int8 => "int8",
            Self::UInt16 => "uint16",
            Self::Int16 => "int16",
            Self::UInt32 => "uint32",
            Self::Int32 => "int32",
            Self::UInt64 => "uint64",
            Self::Int64 => "int64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Complex => "complex",
            Self::Unknown => "unknown",
        }
    }
}

/// GDAL's colour interpretation, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColorRole {
    Undefined,
    Gray,
    Palette,
    Red,
    Green,
    Blue,
    Alpha,
    Other,
}

/// What says which pixels hold no data, GDAL's mask flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskKind {
    AllValid,
    Nodata,
    /// An internal mask or `.msk`, one for all bands.
    Dataset,
    /// A mask of this band's own.
    Band,
    Alpha,
}

/// Where statistics come from; a sample says so wherever it is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StatisticsSource {
    /// Written in the file or its `.aux.xml`.
    Stored,
    /// Every pixel was read.
    Exact,
    /// `pixels` of `of`, evenly spaced.
    Sampled { pixels: u64, of: u64 },
}

/// Statistics of the valid, stored values of one band.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BandStatistics {
    pub min: f64,
    pub max: f64,
    pub mean: f64,
    pub std_dev: f64,
    /// Share of pixels with a value, in [0, 1]; `None` where stored statistics do not say.
    pub valid: Option<f64>,
    /// Ascending values at 0, 1, … 100 %; empty where only stored statistics exist.
    #[serde(default)]
    pub percentiles: Vec<f64>,
    pub source: StatisticsSource,
}

impl BandStatistics {
    /// Statistics of values (unsorted, NaN left out); `None` if nothing is left.
    pub fn of(values: impl IntoIterator<Item = f64>, n_total: u64, source: StatisticsSource) -> Option<Self> {
        let mut finite: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
        if finite.is_empty() {
            return None;
        }
        finite.sort_unstable_by(f64::total_cmp);
        let n = finite.len() as f64;
        let mean = finite.iter().sum::<f64>() / n;
        let variance = finite.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
        let last = finite.len() - 1;
        let percentiles = (0..=100).map(|p| finite[(last * p + 50) / 100]).collect();
        Some(Self {
            min: finite[0],
            max: finite[last],
            mean,
            std_dev: variance.sqrt(),
            valid: (n_total > 0).then(|| n / n_total as f64),
            percentiles,
            source,
        })
    }

    /// Value below which `percent` % of the pixels lie (0 … 100), linear between whole percents;
    /// min and max where no percentiles are known.
    pub fn percentile(&self, percent: f64) -> f64 {
        let at = percent.clamp(0.0, 100.0);
        if self.percentiles.len() != 101 {
            return self.min + (self.max - self.min) * at / 100.0;
        }
        let low = at.floor() as usize;
        let high = (low + 1).min(100);
        self.percentiles[low] + (self.percentiles[high] - self.percentiles[low]) * at.fract()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_leave_nan_out() {
        let source = StatisticsSource::Exact;
        let stats = BandStatistics::of([1.0, f64::NAN, 3.0, 5.0], 4, source).expect("some values");

        assert_eq!((stats.min, stats.max, stats.mean), (1.0, 5.0, 3.0));
        assert_eq!(stats.valid, Some(0.75));
        assert_eq!(stats.percentile(50.0), 3.0);
        assert!(BandStatistics::of([f64::NAN], 1, StatisticsSource::Exact).is_none());
    }
}
