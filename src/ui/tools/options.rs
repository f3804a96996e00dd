//! What a person sets for the tools; remembered from one start to the next.

use nunatak_domain::class::{ClassId, ClassScheme};
use nunatak_domain::label::{Brush, BrushShape, Connectivity, PaintRule, Target};
use serde::{Deserialize, Serialize};

use super::PaintTool;

/// What may be painted over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Onto {
    #[default]
    Anything,
    Unlabelled,
    /// Only this class: "replace class A by B".
    Class(ClassId),
}

/// How the wand compares spectra.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Metric {
    #[default]
    Angle,
    Distance,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ToolOptions {
    /// Of brush, eraser and line, 1 to `Brush::MAX_PX`.
    pub size_px: u32,
    pub shape: BrushShape,
    pub onto: Onto,
    pub connectivity: Connectivity,
    pub metric: Metric,
    pub angle_deg: f64,
    /// Of the spread of the scene's values.
    pub distance_percent: f64,
    /// The wand takes like pixels of the whole scene, not only connected ones.
    pub everywhere: bool,
    pub superpixel_px: u32,
}

impl Default for ToolOptions {
    fn default() -> Self {
        Self {
            size_px: 9,
            shape: BrushShape::Round,
            onto: Onto::Anything,
            connectivity: Connectivity::Four,
            metric: Metric::Angle,
            angle_deg: 5.0,
            distance_percent: 5.0,
            everywhere: false,
            superpixel_px: 16,
        }
    }
}

impl ToolOptions {
    pub(crate) fn brush(&self) -> Brush {
        Brush::new(self.shape, self.size_px)
    }

    /// Steps that grow with the size: 1, 2, 3, … 16, 18, 20, … 2001.
    pub(crate) fn larger(&mut self) {
        self.size_px = (self.size_px + (self.size_px / 8).max(1)).min(Brush::MAX_PX);
    }

    pub(crate) fn smaller(&mut self) {
        self.size_px = (self.size_px - (self.size_px / 9).max(1).min(self.size_px - 1)).max(1);
    }

    /// What a gesture writes with a tool; Ctrl turns every tool into an eraser.
    pub(crate) fn rule(&self, tool: PaintTool, ctrl: bool, class: Option<ClassId>, scheme: &ClassScheme) -> PaintRule {
        let class = class.filter(|_| tool != PaintTool::Eraser && !ctrl);
        let onto = match self.onto {
            // Where nothing is there is nothing to erase.
            Onto::Unlabelled if class.is_some() => Target::Unlabelled,
            Onto::Class(id) if scheme.get(id).is_some() => Target::Class { class: id },
            Onto::Anything | Onto::Unlabelled | Onto::Class(_) => Target::Any,
        };
        PaintRule { class, onto }
    }
}
