//! What is known at one place: what the inspector shows and `info --at` prints.

use serde::{Deserialize, Serialize};

use crate::geo::{GeoPos, PixelPos};
use crate::layer::{LayerId, SceneId};

/// A question: everything at this place of the map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Chosen by the asker, comes back with the answer (pin number, 0 for the cursor).
    pub tag: u64,
    /// In the map's CRS.
    pub geo: GeoPos,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeAnswer {
    pub probe: Probe,
    /// Longitude and latitude in degrees (WGS 84), where the map's CRS is known.
    pub lon_lat: Option<(f64, f64)>,
    /// Top layer first; layers that do not reach this place are left out.
    pub layers: Vec<LayerProbe>,
}

/// One layer's values at a place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerProbe {
    pub layer: LayerId,
    pub scene: SceneId,
    pub pixel: PixelPos,
    /// Stored values of every band, in double precision; `None` is nodata.
    pub values: Vec<Option<f64>>,
    /// Distances to the references; only for scenes with as many bands as the references.
    pub references: Option<ReferenceDistances>,
}

/// SF-CNM distances of one pixel, reference by reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReferenceDistances {
    pub distances: Vec<f64>,
    pub thresholds: Vec<f64>,
    /// Index of the nearest reference; valid only if its distance is below its threshold.
    pub best: usize,
    pub valid: bool,
    /// In [0, 1], the default mode's similarity.
    pub similarity: f64,
}
