//! The camera, and the plain list of what to draw that `render` turns into pixels.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::geo::{GeoBounds, GeoPos};
use crate::grid::TileId;
use crate::label::LabelsId;
use crate::layer::{Blend, LayerId, SceneId};
use crate::raster::Raster;
use crate::spectra::Prior;
use crate::style::Style;

/// Where the map looks. Screen x grows to the right, y down; the map is north-up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapView {
    /// In the map's CRS.
    pub center: GeoPos,
    /// Units of the map's CRS per physical screen pixel, > 0.
    pub units_per_px: f64,
    /// Physical pixels.
    pub width_px: u32,
    pub height_px: u32,
}

/// A position on the map's screen area, in physical pixels from its top left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScreenPos {
    pub x: f64,
    pub y: f64,
}

impl MapView {
    /// The view that shows all of `bounds` with a margin of `margin` (0.05 = 5 %).
    pub fn fitting(bounds: GeoBounds, width_px: u32, height_px: u32, margin: f64) -> Self {
        let (w, h) = (f64::from(width_px.max(1)), f64::from(height_px.max(1)));
        let units = (bounds.width() / w).max(bounds.height() / h) * (1.0 + 2.0 * margin);
        let units_per_px = if units > 0.0 && units.is_finite() { units } else { 1.0 };
        Self { center: bounds.center(), units_per_px, width_px, height_px }
    }

    pub fn geo_from_screen(&self, pos: ScreenPos) -> GeoPos {
        GeoPos {
            x: self.center.x + (pos.x - 0.5 * f64::from(self.width_px)) * self.units_per_px,
            y: self.center.y - (pos.y - 0.5 * f64::from(self.height_px)) * self.units_per_px,
        }
    }

    pub fn screen_from_geo(&self, pos: GeoPos) -> ScreenPos {
        ScreenPos {
            x: (pos.x - self.center.x) / self.units_per_px + 0.5 * f64::from(self.width_px),
            y: (self.center.y - pos.y) / self.units_per_px + 0.5 * f64::from(self.height_px),
        }
    }

    pub fn bounds(&self) -> GeoBounds {
        let half_w = 0.5 * f64::from(self.width_px) * self.units_per_px;
        let half_h = 0.5 * f64::from(self.height_px) * self.units_per_px;
        GeoBounds {
            min_x: self.center.x - half_w,
            min_y: self.center.y - half_h,
            max_x: self.center.x + half_w,
            max_y: self.center.y + half_h,
        }
    }

    /// Zoomed by `factor` (> 1 is closer) so that `anchor` stays where it is on the screen.
    #[must_use]
    pub fn zoomed(&self, factor: f64, anchor: ScreenPos) -> Self {
        let fixed = self.geo_from_screen(anchor);
        let mut view = Self { units_per_px: (self.units_per_px / factor).clamp(1e-12, 1e9), ..*self };
        let moved = view.geo_from_screen(anchor);
        view.center = GeoPos { x: view.center.x + fixed.x - moved.x, y: view.center.y + fixed.y - moved.y };
        view
    }

    /// Moved so that the map follows the hand by `dx`, `dy` screen pixels.
    #[must_use]
    pub fn panned(&self, dx: f64, dy: f64) -> Self {
        let center = GeoPos { x: self.center.x - dx * self.units_per_px, y: self.center.y + dy * self.units_per_px };
        Self { center, ..*self }
    }
}

/// A tile of a scene's pixels with the bands it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileKey {
    pub scene: SceneId,
    pub tile: TileId,
    /// Which group of bands: 0 holds them all for scenes of up to `MAX_RESIDENT_BANDS`
    /// bands; beyond that each band is a group of its own (group = band + 1). The highest bit
    /// marks what is not read from the scene: labels, what is computed for a layer, and places
    /// without pixels.
    pub group: u32,
}

impl TileKey {
    const DERIVED: u32 = 1 << 31;
    const COMPUTED: u32 = 1 << 30;

    /// Labels on the grid of a scene.
    pub const fn of_labels(scene: SceneId, tile: TileId, labels: LabelsId) -> Self {
        Self { scene, tile, group: Self::DERIVED | (labels.0 as u32 & (Self::COMPUTED - 1)) }
    }

    /// What is computed from the scene's pixels for a layer.
    pub const fn of_layer(scene: SceneId, tile: TileId, layer: LayerId) -> Self {
        Self { scene, tile, group: Self::group_of_layer(layer) }
    }

    /// The group of tiles that are computed for a layer.
    pub const fn group_of_layer(layer: LayerId) -> u32 {
        Self::DERIVED | Self::COMPUTED | (layer.0 as u32 & (Self::COMPUTED - 1))
    }

    /// The layer that it is computed for.
    pub const fn layer(self) -> Option<LayerId> {
        let computed = self.group & Self::DERIVED != 0 && self.group & Self::COMPUTED != 0;
        if computed && self.group != u32::MAX {
            return Some(LayerId((self.group & (Self::COMPUTED - 1)) as u64));
        }
        None
    }

    /// Only where the tile lies on the map: what is drawn there comes from elsewhere.
    pub const fn place_only(scene: SceneId, tile: TileId) -> Self {
        Self { scene, tile, group: u32::MAX }
    }

    /// Whether pixels of the scene belong to it.
    pub const fn has_scene_pixels(self) -> bool {
        self.group & Self::DERIVED == 0
    }
}

/// Up to this many bands a tile holds all of them, so that changing the band
/// combination or the references reads and uploads nothing.
pub const MAX_RESIDENT_BANDS: usize = 16;

/// Most references whose prior is computed while drawing; of more it is a job.
pub const MAX_LIVE_REFERENCES: usize = 64;

/// Pixels of a tile as they came from the disk, and where its corners lie on the map.
#[derive(Clone, Debug, PartialEq)]
pub struct TilePixels {
    /// Scene bands held, in the order of the raster's bands.
    pub bands: Vec<usize>,
    pub raster: Raster,
}

/// A regular grid of map positions over a tile: `(n + 1)²` vertices row by row, vertex
/// (i, j) at tile fractions `(j / n, i / n)`.
#[derive(Clone, Debug, PartialEq)]
pub struct TileMesh {
    pub n: usize,
    pub vertices: Vec<GeoPos>,
}

/// One tile to draw. Where the wanted tile has not arrived, a loaded ancestor stands in
/// and `source` is the part of it that is shown.
#[derive(Clone, Debug)]
pub struct DrawTile {
    /// The tiles that hold the bands the style needs: one for group 0, else one per band.
    pub parts: Vec<(TileKey, Arc<TilePixels>)>,
    /// Part of the tile's pixels that is drawn: `[u0, v0, u1, v1]` in [0, 1].
    pub source: [f32; 4],
    /// Positions on the map, same CRS as the view.
    pub mesh: Arc<TileMesh>,
}

/// One layer to draw, bottom to top in the frame.
#[derive(Clone, Debug)]
pub struct DrawLayer {
    pub layer: LayerId,
    pub opacity: f32,
    pub blend: Blend,
    pub style: Style,
    /// Set for prior layers: references, weights and thresholds, ready for the GPU.
    pub prior: Option<Arc<Prior>>,
    /// Only right (`true`) of the swipe divider.
    pub swiped: bool,
    pub tiles: Vec<DrawTile>,
}

/// Everything `render` needs for one picture.
#[derive(Clone, Debug)]
pub struct MapFrame {
    pub view: MapView,
    /// Bottom to top.
    pub layers: Vec<DrawLayer>,
    /// Where the swipe divider stands, as a share of the width; `None` without one.
    pub swipe: Option<f32>,
    /// Tiles that the view wants and that are not loaded, most wanted first.
    pub missing: Vec<TileKey>,
}

/// Where the swipe divider stands and which layer it uncovers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Swipe {
    /// Share of the width, in [0, 1]; the layer is drawn to the right of it only.
    pub at: f32,
    pub layer: LayerId,
}

/// 8-bit RGBA, straight alpha, rows from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub rgba: Vec<u8>,
}

/// Turns a frame into a picture without a window; `render` implements it on the GPU.
pub trait MapPainter: Send {
    /// # Errors
    /// One sentence: no adapter, device lost, out of memory.
    fn paint(&mut self, frame: &MapFrame) -> Result<Picture, String>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> MapView {
        MapView { center: GeoPos::new(500.0, 800.0), units_per_px: 2.0, width_px: 400, height_px: 300 }
    }

    #[test]
    fn zoom_keeps_the_place_under_the_cursor() {
        let cursor = ScreenPos { x: 37.0, y: 290.0 };

        let zoomed = view().zoomed(3.0, cursor);

        let (before, after) = (view().geo_from_screen(cursor), zoomed.geo_from_screen(cursor));
        assert!((before.x - after.x).abs() < 1e-9 && (before.y - after.y).abs() < 1e-9);
        assert_eq!(zoomed.units_per_px, 2.0 / 3.0);
    }

    #[test]
    fn pan_follows_the_hand() {
        let grabbed = view().geo_from_screen(ScreenPos { x: 100.0, y: 100.0 });

        let moved = view().panned(10.0, -20.0).geo_from_screen(ScreenPos { x: 110.0, y: 80.0 });

        assert_eq!(grabbed, moved);
    }

    #[test]
    fn screen_and_geo_are_inverse() {
        let pos = view().screen_from_geo(view().geo_from_screen(ScreenPos { x: 12.0, y: 34.0 }));
        assert!((pos.x - 12.0).abs() < 1e-9 && (pos.y - 34.0).abs() < 1e-9);
    }
}
