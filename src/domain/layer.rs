//! The layers of the map, bottom to top.

use serde::{Deserialize, Serialize};

use crate::job::ClassifyMethod;
use crate::label::LabelsId;
use crate::scene::SceneInfo;
use crate::style::Style;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LayerId(pub u64);

/// A raster on disk that is open; several layers may show one scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SceneId(pub u64);

/// What a layer draws from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LayerSource {
    /// Pixels of a scene, through the layer's style.
    Scene { scene: SceneId },
    /// The SF-CNM prior of a scene's pixels against the session's references, computed
    /// while drawing. `Style::Colormap` shows the similarity, `Style::Classes` the class map.
    Prior { scene: SceneId },
    /// A formula over the scene's bands, in the layer's `formula`, computed while drawing.
    Index { scene: SceneId },
    /// The class map of a scene's pixels by the session's references, computed while drawing.
    Spectral { scene: SceneId, method: ClassifyMethod },
    /// Labels of the project, on the grid of a scene.
    Labels { labels: LabelsId, scene: SceneId },
}

impl LayerSource {
    pub const fn scene(self) -> SceneId {
        match self {
            Self::Scene { scene }
            | Self::Prior { scene }
            | Self::Index { scene }
            | Self::Spectral { scene, .. }
            | Self::Labels { scene, .. } => scene,
        }
    }

    /// The label layer that is shown.
    pub const fn labels(self) -> Option<LabelsId> {
        match self {
            Self::Labels { labels, .. } => Some(labels),
            Self::Scene { .. } | Self::Prior { .. } | Self::Index { .. } | Self::Spectral { .. } => None,
        }
    }

    /// Tiles of it are computed by the workers.
    pub const fn computed(self) -> bool {
        matches!(self, Self::Index { .. } | Self::Spectral { .. })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blend {
    #[default]
    Normal,
    Multiply,
    Screen,
    /// Lighter of both.
    Lighten,
}

impl Blend {
    pub const ALL: [Self; 4] = [Self::Normal, Self::Multiply, Self::Screen, Self::Lighten];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Multiply => "Multiply",
            Self::Screen => "Screen",
            Self::Lighten => "Lighten",
        }
    }
}

/// What the map shows of a scene at that place in the order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    pub id: LayerId,
    pub name: String,
    pub source: LayerSource,
    pub visible: bool,
    /// In [0, 1].
    pub opacity: f32,
    #[serde(default)]
    pub blend: Blend,
    pub style: Style,
    /// What this layer means, so that the inspector and exports know it.
    #[serde(default)]
    pub role: LayerRole,
    /// Of an index: the id of one in the catalogue, or a formula over bands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
}

/// Why a layer exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerRole {
    #[default]
    Imagery,
    ClassMap,
    Probabilities,
    Entropy,
    Margin,
    Attention,
    GradCam,
    Prior,
    Index,
    Labels,
}

/// A scene that is open in the session.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    pub id: SceneId,
    pub info: SceneInfo,
}
