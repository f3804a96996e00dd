//! The model record: what a network needs to know about its data to give the same map
//! anywhere. Stored as JSON in the safetensors metadata (key `nunatak`) and beside the file.

use serde::{Deserialize, Serialize};

use crate::class::{ClassScheme, Rgb};

pub const RECORD_FORMAT: &str = "nunatak-model";
pub const RECORD_VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// `RECORD_FORMAT`.
    pub format: String,
    pub version: u32,
    pub network: NetworkConfig,
    /// One entry per input band.
    pub bands: Vec<ModelBand>,
    #[serde(default)]
    pub normalisation: Normalisation,
    /// Class i is logit i; its id is the value in the class map.
    pub classes: ClassScheme,
    #[serde(default)]
    pub nodata: NodataRule,
    #[serde(default)]
    pub tile: TileConfig,
    #[serde(default)]
    pub references: Option<ModelReferences>,
    /// Source, licence, training data, accuracy: free JSON.
    #[serde(default)]
    pub origin: serde_json::Value,
}

/// Which network, with its constructor's knobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NetworkConfig {
    Ssmgnet(SsmgnetConfig),
}

impl NetworkConfig {
    pub const fn n_bands(&self) -> usize {
        match self {
            Self::Ssmgnet(config) => config.bands,
        }
    }

    pub const fn n_classes(&self) -> usize {
        match self {
            Self::Ssmgnet(config) => config.classes,
        }
    }

    /// Pixels that a result depends on in each direction: with a halo this wide a
    /// window gives the whole image's logits.
    pub const fn receptive_radius(&self) -> usize {
        match self {
            Self::Ssmgnet(config) => {
                4 * (config.dilation * (config.kernel - 1) / 2) + (config.attention_kernel - 1) / 2
            }
        }
    }

    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ssmgnet(_) => "SSMGNet",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SsmgnetConfig {
    pub bands: usize,
    pub classes: usize,
    pub width: usize,
    pub kernel: usize,
    pub dilation: usize,
    pub attention_kernel: usize,
}

impl SsmgnetConfig {
    /// The published network's width, kernels and dilation.
    pub const fn new(bands: usize, classes: usize) -> Self {
        Self { bands, classes, width: 16, kernel: 3, dilation: 1, attention_kernel: 9 }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelBand {
    pub name: String,
    #[serde(default)]
    pub wavelength_nm: Option<f64>,
}

/// What happens to stored values before the network sees them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Normalisation {
    #[default]
    None,
    /// `value · scale + offset`, one of each per band.
    ScaleOffset { scale: Vec<f32>, offset: Vec<f32> },
}

impl Normalisation {
    /// One stored value of a band as the network, or a reference, sees it.
    pub fn value(&self, band: usize, stored: f64) -> f64 {
        match self {
            Self::None => stored,
            Self::ScaleOffset { scale, offset } => stored * f64::from(scale[band]) + f64::from(offset[band]),
        }
    }

    /// In place over `[row, col]` of one band.
    pub fn apply(&self, band: usize, values: &mut [f32]) {
        if let Self::ScaleOffset { scale, offset } = self {
            let (scale, offset) = (scale[band], offset[band]);
            values.iter_mut().for_each(|v| *v = *v * scale + offset);
        }
    }
}

/// Which pixels get no result, and what the network sees in their place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum NodataRule {
    /// No result where any band has no value; the network sees 0 there.
    #[default]
    MaskAny,
    /// No result where all bands have no value; the network sees 0 for each missing value.
    MaskAll,
    /// Every pixel gets a result; the network sees 0 (the original's rule).
    Zero,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TileConfig {
    pub size: usize,
    pub halo: usize,
}

impl TileConfig {
    /// Side of a window without its halo, in the range that this program computes with.
    pub fn side_px(&self) -> usize {
        self.size.clamp(16, 4096)
    }
}

impl Default for TileConfig {
    fn default() -> Self {
        Self { size: 256, halo: 8 }
    }
}

/// Reference spectra that came with the training, in the network's input values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelReferences {
    /// `normalised` (after `Normalisation`) or `stored`.
    pub scale: String,
    pub names: Vec<String>,
    /// One spectrum of `bands` values per reference.
    pub spectra: Vec<Vec<f64>>,
    #[serde(default)]
    pub class_ids: Vec<u32>,
    #[serde(default)]
    pub colors: Vec<Rgb>,
}

impl ModelRecord {
    /// The record of weights that came without one: bands and classes are what the shapes
    /// say, nothing is known of names, normalisation is none, NaN counts as 0.
    pub fn inferred(network: NetworkConfig, origin: impl Into<String>) -> Self {
        let (n_bands, n_classes) = (network.n_bands(), network.n_classes());
        let halo = network.receptive_radius();
        Self {
            format: RECORD_FORMAT.to_owned(),
            version: RECORD_VERSION,
            network,
            bands: (1..=n_bands).map(|n| ModelBand { name: format!("Band {n}"), wavelength_nm: None }).collect(),
            normalisation: Normalisation::None,
            classes: ClassScheme::numbered(n_classes),
            nodata: NodataRule::MaskAny,
            tile: TileConfig { size: 256, halo },
            references: None,
            origin: serde_json::json!({ "source": origin.into() }),
        }
    }
}
