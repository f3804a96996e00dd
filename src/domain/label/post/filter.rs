//! The filters of a label layer as one value, for commands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Element, Morphology, majority, morphology, remap, remove_small, sieve};
use crate::class::ClassId;
use crate::label::{Connectivity, LabelError, LabelLayer, Progress, Target};

/// What is done to a whole label layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LabelFilter {
    /// Regions of fewer pixels become part of their largest neighbour.
    Sieve {
        min_px: u64,
        #[serde(default)]
        connectivity: Connectivity,
    },
    /// Regions of fewer pixels lose their label.
    RemoveSmall {
        min_px: u64,
        #[serde(default)]
        connectivity: Connectivity,
    },
    /// Each pixel becomes the most frequent class around it; `size_px` is odd.
    Majority { size_px: usize },
    Morphology {
        class: ClassId,
        operation: Morphology,
        element: Element,
        /// What a class may grow onto.
        #[serde(default)]
        onto: Target,
    },
    /// Every pixel of one class becomes another's, or unlabelled.
    Replace {
        from: ClassId,
        #[serde(default)]
        to: Option<ClassId>,
    },
}

impl LabelFilter {
    /// For the history.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Sieve { .. } => "Sieve",
            Self::RemoveSmall { .. } => "Remove small regions",
            Self::Majority { .. } => "Majority filter",
            Self::Morphology { operation: Morphology::Erode, .. } => "Erode class",
            Self::Morphology { operation: Morphology::Dilate, .. } => "Dilate class",
            Self::Morphology { operation: Morphology::Open, .. } => "Open class",
            Self::Morphology { operation: Morphology::Close, .. } => "Close class",
            Self::Replace { .. } => "Replace class",
        }
    }

    /// The layer after it; tiles that do not change are shared.
    ///
    /// # Errors
    /// Cancelled.
    pub fn apply(&self, layer: &LabelLayer, progress: &mut Progress<'_>) -> Result<LabelLayer, LabelError> {
        match *self {
            Self::Sieve { min_px, connectivity } => sieve(layer, min_px, connectivity, progress),
            Self::RemoveSmall { min_px, connectivity } => remove_small(layer, min_px, connectivity, progress),
            Self::Majority { size_px } => majority(layer, size_px, progress),
            Self::Morphology { class, operation, element, onto } => {
                morphology(layer, class, operation, element, onto, progress)
            }
            Self::Replace { from, to } => remap(layer, &BTreeMap::from([(from, to)]), progress),
        }
    }
}
