//! What the map widget remembers between frames.

use nunatak_domain::geo::{GeoBounds, GeoPos};
use nunatak_domain::layer::LayerId;
use nunatak_domain::map::Swipe;

use super::camera::Camera;
use crate::tools::PaintTool;

/// What the left mouse button does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tool {
    Pan,
    BoxZoom,
    /// Drag moves the map, a click pins.
    #[default]
    Inspect,
    /// Strokes become reference spectra.
    Pick,
    /// The hand paints labels.
    Paint(PaintTool),
}

#[derive(Default)]
pub(crate) struct MapState {
    pub camera: Camera,
    pub tool: Tool,
    /// Divider, while swiping.
    pub swipe: Option<Swipe>,
    /// Place under the cursor.
    pub cursor: Option<GeoPos>,
    /// What was asked last, so that a cursor at rest asks nothing.
    pub asked: Option<GeoPos>,
    /// A place that was clicked to be pinned; the shell takes it.
    pub clicked: Option<GeoPos>,
    /// A double click zoomed: the pin that its first click made goes again.
    pub double_clicked: bool,
    /// Start of the box being dragged, in points.
    pub(super) box_from: Option<egui::Pos2>,
    /// A drag with the painting tool moves the map: Space was held when it began.
    pub(super) space_pans: bool,
    /// The wheel was turned with Shift the last time.
    pub(super) wheel_sizes: bool,
    /// Shift+wheel that the painting tool's size takes, in points.
    pub size_travel: f32,
    /// That box began with Shift: where `box_explains`, it is explained and not zoomed to.
    pub(super) box_by_shift: bool,
    /// A Shift-dragged box means "explain this"; the shell says when.
    pub box_explains: bool,
    /// A box to explain; the shell takes it.
    pub explain_box: Option<GeoBounds>,
    /// "Fit layer" was pressed where the map is empty; the shell takes it.
    pub fit_pressed: bool,
    /// Tiles are missing since this time.
    pub(super) missing_since: Option<f64>,
    /// A new layer: brought into view where the map looks elsewhere.
    pub show_if_hidden: Option<LayerId>,
    /// Layer that right-click, 1:1 and band steps mean.
    pub chosen: Option<LayerId>,
    /// Physical pixels per point, as of the last frame.
    pub pixels_per_point: f64,
}

impl MapState {
    /// A box is being dragged.
    pub(crate) const fn boxing(&self) -> bool {
        self.box_from.is_some()
    }
}

impl Tool {
    /// `[`, `]` and Shift+wheel change its size.
    pub(super) fn has_size(self) -> bool {
        match self {
            Self::Paint(tool) => tool.has_size(),
            tool => tool == Self::Pick,
        }
    }

    pub(super) const fn paints(self) -> bool {
        matches!(self, Self::Paint(_) | Self::Pick)
    }
}
