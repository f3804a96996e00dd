//! Class labels of a scene: sparse tiles on the scene's own grid, copied only where they change.
//!
//! Tools select pixels as a [`PixelMask`], and a [`LabelPen`] writes it by a [`PaintRule`].
//! Everything here works on pixels of the scene in memory; drawing, files and jobs are elsewhere.

mod brush;
mod fill;
mod gesture;
mod layer;
mod mask;
mod pen;
pub mod post;
mod pyramid;
pub mod shapes;
mod superpixel;
mod sweep;
#[cfg(test)]
mod tests;
mod tile;
mod wand;

pub use brush::{Brush, BrushShape, Stroke};
pub use fill::{Connectivity, Fill, flood};
pub use gesture::{Gesture, paint_mask};
pub use layer::{LabelLayer, LabelsId};
pub use mask::{PixelMask, PixelRun};
pub use pen::{LabelChange, LabelPen, PaintRule, Target, TileChange};
pub use pyramid::LabelPyramid;
pub use superpixel::{Slic, Superpixels};
pub use tile::{LabelTile, TilePos, UNLABELLED};
pub use wand::{PixelWindows, RasterAt, SourceBands, SpectralMetric, Wand, WandReach};

use crate::raster::RasterError;

/// Told how much is done, from 0 to 1; answers `false` to cancel.
pub type Progress<'a> = dyn FnMut(f32) -> bool + 'a;

/// Why work on labels gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    #[error("cancelled")]
    Cancelled,
    #[error(transparent)]
    Pixels(#[from] RasterError),
}
