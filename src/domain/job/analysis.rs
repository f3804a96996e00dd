//! Configs of what is computed from spectra and class maps: classification, indices, judging.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Connectivity;
use crate::spectra::Resampling;

/// What a pixel's class is chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassifyMethod {
    /// Smallest spectral angle.
    Sam,
    /// Smallest Euclidean distance.
    MinDistance,
    /// Smallest Mahalanobis distance under a common covariance.
    Mahalanobis,
    /// Gaussian maximum likelihood.
    MaxLikelihood,
    SfCnm,
}

/// Class map of a raster by the spectra of its pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassifyConfig {
    pub method: ClassifyMethod,
    /// Reference CSV or any library of spectra.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<PathBuf>,
    /// Labels of the raster's pixels in place of references: raster or vector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<PathBuf>,
    /// Field of vector labels that holds the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    pub raster: PathBuf,
    pub out: PathBuf,
    /// Angle, distance or log-likelihood of the chosen class.
    #[serde(default)]
    pub score: Option<PathBuf>,
    /// In radians, of `sam`.
    #[serde(default)]
    pub max_angle: Option<f64>,
    /// Of `min-distance` (in the unit of the references) and `mahalanobis`.
    #[serde(default)]
    pub max_distance: Option<f64>,
    /// In (0, 1), of `max-likelihood`.
    #[serde(default)]
    pub min_probability: Option<f64>,
    /// Scene band for each band of the references (0-based); with training the bands to use.
    #[serde(default)]
    pub bands: Option<Vec<usize>>,
    #[serde(default)]
    pub overwrite: bool,
}

/// How well references or labelled classes can be told apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeparabilityConfig {
    /// References, a library of spectra, or labels (raster or vector) of the raster's pixels.
    pub classes: PathBuf,
    /// Where labels lie, and whose pixels references are to win; references alone need none.
    #[serde(default)]
    pub raster: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    #[serde(default)]
    pub bands: Option<Vec<usize>>,
}

/// A spectral index or band maths of a raster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexConfig {
    /// Id of an index (`ndvi`), or a formula over bands (`(b8-b4)/(b8+b4)`, bands from 1).
    pub index: String,
    pub raster: PathBuf,
    pub out: PathBuf,
    #[serde(default)]
    pub overwrite: bool,
}

/// Accuracy of a class map against a truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccuracyConfig {
    /// Raster or vector (points, lines, polygons); brought to the map's grid.
    pub truth: PathBuf,
    pub map: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What values of both mean, `4=wetland,0=`; as in importing labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<String>,
    /// Areas and accuracies by Olofsson et al. (2014): the truth is a stratified random sample.
    #[serde(default)]
    pub area_adjusted: bool,
    #[serde(default)]
    pub html: Option<PathBuf>,
    #[serde(default)]
    pub csv: Option<PathBuf>,
    #[serde(default)]
    pub overwrite: bool,
}

/// How points are shared out among mapped classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleAllocation {
    Equal,
    /// By area, with a smallest number for rare classes.
    #[default]
    Proportional,
    /// By area times the expected standard deviation.
    Neyman,
}

/// A stratified random sample of a class map, to be labelled blind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleConfig {
    pub map: PathBuf,
    /// `.gpkg`, `.geojson` or `.csv`.
    pub out: PathBuf,
    /// Points; `None` with `target_error`.
    #[serde(default)]
    pub n: Option<u64>,
    /// Half the width of the 95 % interval of the overall accuracy, a share.
    #[serde(default)]
    pub target_error: Option<f64>,
    #[serde(default)]
    pub allocation: SampleAllocation,
    /// Points of each class at least, where `allocation` is proportional.
    #[serde(default = "fifty")]
    pub min_per_class: u64,
    /// Expected user's accuracies: one for all classes, or one per class by ascending id.
    #[serde(default = "expected")]
    pub expected_accuracy: Vec<f64>,
    #[serde(default = "first_seed")]
    pub seed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<String>,
    #[serde(default)]
    pub overwrite: bool,
}

/// A class map without small regions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SieveConfig {
    pub map: PathBuf,
    pub out: PathBuf,
    /// Regions of fewer pixels become part of their largest neighbour; 0 keeps all.
    #[serde(default)]
    pub min_size: u64,
    #[serde(default)]
    pub connectivity: Connectivity,
    /// Side of a majority filter in pixels, odd, which comes after the sieve; 0 for none.
    #[serde(default)]
    pub majority: usize,
    #[serde(default)]
    pub overwrite: bool,
}

/// Spectra in another format or on other bands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConvertSpectraConfig {
    pub spectra: PathBuf,
    /// `.sli` or `.csv`.
    pub out: PathBuf,
    /// Resample to the bands of this raster.
    #[serde(default)]
    pub to_bands: Option<PathBuf>,
    /// Resample to the bands of this table: centre and full width at half maximum in nm.
    #[serde(default)]
    pub bands: Option<PathBuf>,
    #[serde(default)]
    pub method: Resampling,
    #[serde(default)]
    pub overwrite: bool,
}

/// An output made again from its recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplayConfig {
    pub output: PathBuf,
    /// Keeps what was made; else it is compared and thrown away.
    #[serde(default)]
    pub out: Option<PathBuf>,
    #[serde(default)]
    pub overwrite: bool,
}

const fn fifty() -> u64 {
    50
}

fn expected() -> Vec<f64> {
    vec![0.8]
}

const fn first_seed() -> u64 {
    1
}
