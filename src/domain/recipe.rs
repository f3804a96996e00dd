//! Everything needed to make an output again; written into every output.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How an output was made. As JSON it goes into the GeoTIFF's metadata item
/// `NUNATAK_RECIPE`, into the GeoPackage's or shapefile's sidecar, and so on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Program and version, for example `nunatak 0.1.0`.
    pub program: String,
    /// The `Command` that made it, as a script line holds it.
    pub command: serde_json::Value,
    pub inputs: Vec<RecipeInput>,
    /// Facts decided at run time: device, reference thresholds, statistics, …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, serde_json::Value>,
}

/// One file that went in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipeInput {
    /// `raster`, `model`, `references`, …; `raster part` for further files that a raster is
    /// made of (sources of a VRT, header of an ENVI file, masks).
    pub role: String,
    pub path: String,
    /// SHA-256 of the file; absent for remote and very large files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Of very large files instead: SHA-256 over the length in bytes (little endian, 8 bytes) and
    /// 128 samples of 64 KiB. Sample `i` begins at byte `i · (length − 65536) / 127`, rounded
    /// down, so the first one is the file's beginning and the last one its end. A change between
    /// the samples that keeps the length goes unnoticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256_of_samples: Option<String>,
    /// Given with `sha256_of_samples`, as is `modified`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Seconds since 1970, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<u64>,
}

impl Recipe {
    pub fn new(command: serde_json::Value) -> Self {
        Self {
            program: concat!("nunatak ", env!("CARGO_PKG_VERSION")).to_owned(),
            command,
            inputs: Vec::new(),
            facts: BTreeMap::new(),
        }
    }
}
