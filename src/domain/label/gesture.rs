//! What a hand or a script does on a label layer, as a value: tools make it, commands carry it.

use serde::{Deserialize, Serialize};

use super::brush::{Brush, Stroke};
use super::fill::{Connectivity, flood};
use super::layer::LabelLayer;
use super::mask::PixelMask;
use super::pen::{LabelChange, LabelPen, PaintRule};
use super::shapes;
use super::superpixel::Slic;
use super::wand::Wand;
use crate::geo::PixelPos;

/// Positions and pixels are those of the scene, level 0, whatever the zoom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Gesture {
    Stroke {
        brush: Brush,
        positions: Vec<PixelPos>,
    },
    Line {
        width_px: u32,
        positions: Vec<PixelPos>,
    },
    /// Closed rings, even-odd; a freehand lasso is one ring.
    Polygon {
        rings: Vec<Vec<PixelPos>>,
    },
    Rectangle {
        from: PixelPos,
        to: PixelPos,
    },
    /// The region of equal labels, or without labels, around a pixel.
    Fill {
        col: usize,
        row: usize,
        #[serde(default)]
        connectivity: Connectivity,
        /// The fill ends there.
        max_px: u64,
    },
    /// Pixels with a like spectrum; needs the scene's pixels.
    Wand {
        col: usize,
        row: usize,
        wand: Wand,
        /// All where it is empty.
        #[serde(default)]
        bands: Vec<usize>,
    },
    /// One piece of a scene cut up by likeness; needs the scene's pixels.
    Superpixel {
        col: usize,
        row: usize,
        #[serde(default)]
        slic: Slic,
        /// All where it is empty.
        #[serde(default)]
        bands: Vec<usize>,
    },
}

impl Gesture {
    /// For the history.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Stroke { .. } => "Brush stroke",
            Self::Line { .. } => "Line",
            Self::Polygon { .. } => "Polygon",
            Self::Rectangle { .. } => "Rectangle",
            Self::Fill { .. } => "Fill",
            Self::Wand { .. } => "Magic wand",
            Self::Superpixel { .. } => "Superpixel",
        }
    }

    /// Whether it looks at the scene: a job reads it then.
    pub const fn needs_pixels(&self) -> bool {
        matches!(self, Self::Wand { .. } | Self::Superpixel { .. })
    }

    /// Whether a window can wait for it: a fill or a polygon over a whole scene takes up to half
    /// a second, a brush of any size about a millisecond.
    pub fn is_quick(&self) -> bool {
        const QUICK_PX: f64 = 1e6;
        let around = |positions: &mut dyn Iterator<Item = &PixelPos>| {
            let (mut min, mut max) = ((f64::MAX, f64::MAX), (f64::MIN, f64::MIN));
            for pos in positions {
                min = (min.0.min(pos.col), min.1.min(pos.row));
                max = (max.0.max(pos.col), max.1.max(pos.row));
            }
            (max.0 - min.0).max(0.0) * (max.1 - min.1).max(0.0)
        };
        match self {
            Self::Stroke { positions, .. } => positions.len() < 64,
            Self::Line { positions, .. } => positions.len() < 1000,
            Self::Polygon { rings } => around(&mut rings.iter().flatten()) < QUICK_PX,
            Self::Rectangle { from, to } => around(&mut [*from, *to].iter()) < QUICK_PX,
            Self::Fill { .. } | Self::Wand { .. } | Self::Superpixel { .. } => false,
        }
    }

    /// The pixels it covers on a layer; `None` for those that need the scene.
    pub fn mask(&self, layer: &LabelLayer) -> Option<PixelMask> {
        let bounds = layer.rect();
        match self {
            Self::Stroke { brush, positions } => {
                let mut scratch = LabelLayer::new(layer.width(), layer.height());
                let class = crate::class::ClassId(0);
                let rule = PaintRule { class: Some(class), onto: super::Target::Any };
                paint_stroke(&mut scratch, *brush, rule, positions)?;
                Some(PixelMask::of_class(&scratch, class, bounds))
            }
            Self::Line { width_px, positions } => Some(shapes::line(positions, *width_px, bounds)),
            Self::Polygon { rings } => Some(shapes::polygon(rings, bounds)),
            Self::Rectangle { from, to } => Some(shapes::rectangle(*from, *to, bounds)),
            Self::Fill { col, row, connectivity, max_px } => {
                Some(flood(layer, (*col, *row), *connectivity, *max_px).mask)
            }
            Self::Wand { .. } | Self::Superpixel { .. } => None,
        }
    }

    /// Does it on a layer. `None` for those that need the scene.
    pub fn paint(&self, layer: &mut LabelLayer, rule: PaintRule) -> Option<LabelChange> {
        if let Self::Stroke { brush, positions } = self {
            return paint_stroke(layer, *brush, rule, positions);
        }
        let mask = self.mask(layer)?;
        Some(paint_mask(layer, &mask, rule))
    }
}

/// Writes a mask as one step.
pub fn paint_mask(layer: &mut LabelLayer, mask: &PixelMask, rule: PaintRule) -> LabelChange {
    let mut pen = LabelPen::default();
    pen.paint_mask(layer, mask, rule);
    pen.lift(layer)
}

/// The same pixels as a stroke that comes position by position.
fn paint_stroke(layer: &mut LabelLayer, brush: Brush, rule: PaintRule, positions: &[PixelPos]) -> Option<LabelChange> {
    let (first, rest) = positions.split_first()?;
    let (mut stroke, _) = Stroke::begin(layer, brush, rule, *first);
    stroke.extend(layer, rest);
    Some(stroke.end(layer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::ClassId;
    use crate::label::{BrushShape, Target};

    #[test]
    fn every_gesture_paints_what_its_mask_says() {
        let at = |col, row| PixelPos::new(col, row);
        let gestures = [
            Gesture::Stroke {
                brush: Brush::new(BrushShape::Round, 9),
                positions: vec![at(20.0, 20.0), at(300.0, 40.0), at(310.0, 280.0)],
            },
            Gesture::Line { width_px: 3, positions: vec![at(0.0, 0.0), at(299.0, 199.0)] },
            Gesture::Polygon { rings: vec![vec![at(10.0, 10.0), at(280.0, 30.0), at(150.0, 290.0)]] },
            Gesture::Rectangle { from: at(250.0, 250.0), to: at(260.0, 300.0) },
            Gesture::Fill { col: 5, row: 5, connectivity: Connectivity::Four, max_px: 1000 },
        ];
        let rule = PaintRule { class: Some(ClassId(7)), onto: Target::Any };
        for gesture in gestures {
            let mut layer = LabelLayer::new(320, 300);
            let mask = gesture.mask(&layer).expect("needs no pixels");

            let change = gesture.paint(&mut layer, rule).expect("needs no pixels");

            assert_eq!(layer.counts().get(&ClassId(7)).copied(), Some(mask.n_px()), "{gesture:?}");
            change.undo(&mut layer);
            assert!(layer.counts().is_empty());
        }
    }
}
