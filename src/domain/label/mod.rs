//! Class labels of a scene: sparse tiles on the scene's own grid, copied only where they change.

mod layer;
mod pen;
mod tile;

pub use layer::{LabelLayer, LabelsId};
pub use pen::{LabelChange, LabelPen, PaintRule, Target, TileChange};
pub use tile::{LabelTile, TilePos, UNLABELLED};
