//! What long work is asked to do: one plain config per job, as scripts and recipes hold it.

mod analysis;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::geo::GeoBounds;
use crate::layer::Blend;
use crate::model::Normalisation;
use crate::spectra::SpectralReference;
use crate::style::Style;

pub use analysis::{
    AccuracyConfig, ClassifyConfig, ClassifyMethod, ConvertSpectraConfig, IndexConfig, ReplayConfig, SampleAllocation,
    SampleConfig, SeparabilityConfig, SieveConfig,
};

/// Which adapter computes: `auto`, `cpu`, `gpu`, `gpu:1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeviceChoice {
    /// The best GPU; the CPU where there is none or only a software adapter.
    #[default]
    Auto,
    Cpu,
    /// Adapter `n` of the list that `nunatak info --devices` prints; `None` is the best one.
    Gpu(Option<usize>),
}

impl std::str::FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        match lower.as_str() {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu(None)),
            other => other
                .strip_prefix("gpu:")
                .and_then(|n| n.parse().ok())
                .map(|n| Self::Gpu(Some(n)))
                .ok_or_else(|| format!("unknown device `{text}`: choose auto, cpu, gpu or gpu:N")),
        }
    }
}

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu(None) => f.write_str("gpu"),
            Self::Gpu(Some(n)) => write!(f, "gpu:{n}"),
        }
    }
}

impl Serialize for DeviceChoice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeviceChoice {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How an original's method is carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PredictMode {
    /// Logits with an exact halo: the result does not depend on the tiles.
    #[default]
    Exact,
    /// The original's large-image path: class ids of windows of 256 at stride 56 averaged and
    /// rounded. It invents classes between two others; for comparison only.
    Compat,
}

/// How the prior's distance becomes a similarity in [0, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SimilarityMode {
    /// `clamp(1 - d / threshold, 0, 1)`: depends on the pixel alone.
    #[default]
    Default,
    /// The original's min–max over the valid pixels of one patch (here: of the whole raster).
    Compat,
}

/// Class map of a raster by a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictConfig {
    pub model: PathBuf,
    pub raster: PathBuf,
    pub out: PathBuf,
    #[serde(default)]
    pub probabilities: Option<PathBuf>,
    /// Highest minus second highest probability, in [0, 1].
    #[serde(default)]
    pub margin: Option<PathBuf>,
    /// Shannon entropy of the probabilities divided by ln K, in [0, 1].
    #[serde(default)]
    pub entropy: Option<PathBuf>,
    #[serde(default)]
    pub mode: PredictMode,
    #[serde(default)]
    pub device: DeviceChoice,
    /// Side of a window without its halo; `None` takes what the model's record says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tile_px: Option<usize>,
    /// Scene band for each band of the model (0-based); `None` takes them in order.
    #[serde(default)]
    pub bands: Option<Vec<usize>>,
    /// Write class map as COG with overviews.
    #[serde(default)]
    pub cog: bool,
    /// Go on where an interrupted run of the same recipe stopped.
    #[serde(default)]
    pub resume: bool,
    #[serde(default)]
    pub overwrite: bool,
}

/// Class map, attention and Grad-CAM of a raster as files in a folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainConfig {
    pub model: PathBuf,
    pub raster: PathBuf,
    /// Gets `class.tif`, `attention.tif`, `gradcam.tif`.
    pub out_dir: PathBuf,
    /// Value in the class map of the class that Grad-CAM explains; `None` is the model's second
    /// class, as in the original.
    #[serde(default)]
    pub class: Option<usize>,
    /// Explain only this part of the raster (pixels); `None` is all of it. Grad-CAM's weights
    /// are means over this part.
    #[serde(default)]
    pub window: Option<crate::grid::PixelRect>,
    /// Column and row of the one pixel whose class Grad-CAM explains; `None` explains the class
    /// all over. Without `class` it is the class that the model gives this pixel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixel: Option<[usize; 2]>,
    #[serde(default)]
    pub bands: Option<Vec<usize>>,
    #[serde(default)]
    pub device: DeviceChoice,
    #[serde(default)]
    pub overwrite: bool,
}

/// SF-CNM similarity of a raster to reference spectra.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriorConfig {
    pub references: PathBuf,
    pub raster: PathBuf,
    pub out: PathBuf,
    /// Class map: 0 where no reference is near enough, else index of the reference + 1.
    #[serde(default)]
    pub classes: Option<PathBuf>,
    #[serde(default)]
    pub mode: SimilarityMode,
    /// What brings stored values to the references' scale, one factor per band of the
    /// references; `None` takes the raster's own scale and offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalisation: Option<Normalisation>,
    #[serde(default)]
    pub bands: Option<Vec<usize>>,
    #[serde(default)]
    pub overwrite: bool,
}

/// Polygons of a class map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolygonizeConfig {
    pub raster: PathBuf,
    /// `.shp`, `.gpkg` or `.geojson` decides the format.
    pub out: PathBuf,
    #[serde(default)]
    pub connectivity: Connectivity,
    /// Smallest polygon kept, in square metres (square pixels without a CRS).
    #[serde(default)]
    pub min_area: f64,
    /// What becomes of smaller ones.
    #[serde(default, skip_serializing_if = "SmallPolygons::is_merge")]
    pub small: SmallPolygons,
    /// Douglas–Peucker tolerance in units of the CRS; 0 keeps the pixel edges.
    #[serde(default)]
    pub simplify: f64,
    /// Only these classes; `None` is every class but 0 and nodata.
    #[serde(default)]
    pub classes: Option<Vec<u32>>,
    #[serde(default)]
    pub overwrite: bool,
}

/// What becomes of polygons below the smallest area.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmallPolygons {
    /// They become part of their largest neighbour, whatever its class, as `gdal_sieve` does it;
    /// dropped only where nodata surrounds them.
    #[default]
    Merge,
    /// They are left out and leave holes.
    Drop,
}

impl SmallPolygons {
    fn is_merge(&self) -> bool {
        *self == Self::Merge
    }
}

/// Pixels that touch by an edge (4) or also by a corner (8) belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Connectivity {
    #[default]
    #[serde(rename = "4")]
    Four,
    #[serde(rename = "8")]
    Eight,
}

/// A picture of a map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RenderConfig {
    /// Bottom to top; the first gives the map's CRS unless `crs` does.
    pub rasters: Vec<PathBuf>,
    pub out: PathBuf,
    pub width_px: u32,
    pub height_px: u32,
    /// In the map's CRS; `None` shows everything.
    #[serde(default)]
    pub bbox: Option<GeoBounds>,
    /// The map's CRS, as an authority's code or WKT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crs: Option<String>,
    /// Red, green, blue of the first raster (0-based), or one band.
    #[serde(default)]
    pub bands: Option<Vec<usize>>,
    /// Of every raster but the first.
    #[serde(default = "one")]
    pub overlay_opacity: f32,
    /// How each raster is drawn, in the order of `rasters`; where this is empty, `bands` and
    /// `overlay_opacity` say it, and else the files themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub looks: Vec<RasterLook>,
    /// What looks with `prior` are compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<PictureReferences>,
    /// One raster is drawn right of a divider only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swipe: Option<PictureSwipe>,
    #[serde(default)]
    pub overwrite: bool,
}

/// References of the live priors in a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PictureReferences {
    pub references: Vec<SpectralReference>,
    /// Names of their bands, by which rasters with others are matched; may be empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bands: Vec<String>,
    /// What brings stored values to their scale; `None` takes each raster's own scale and offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalisation: Option<Normalisation>,
}

/// A swipe divider in a picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PictureSwipe {
    /// Share of the width, in [0, 1].
    pub at: f32,
    /// Index in `rasters` of the one that is drawn right of it only.
    pub raster: usize,
}

/// How one raster of a picture is drawn: what a layer of the map knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RasterLook {
    pub style: Style,
    /// In [0, 1].
    pub opacity: f32,
    #[serde(default)]
    pub blend: Blend,
    /// Its similarity to the picture's references is drawn in place of its pixels.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prior: bool,
}

fn one() -> f32 {
    1.0
}

/// A copy of a raster in another format or with other bands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConvertConfig {
    pub raster: PathBuf,
    pub out: PathBuf,
    #[serde(default)]
    pub cog: bool,
    /// 0-based; `None` keeps all.
    #[serde(default)]
    pub bands: Option<Vec<usize>>,
    #[serde(default)]
    pub overwrite: bool,
}
