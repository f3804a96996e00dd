//! Brush and eraser: a stroke that grows with the pointer.

use serde::{Deserialize, Serialize};

use super::layer::LabelLayer;
use super::mask::PixelMask;
use super::pen::{LabelChange, LabelPen, PaintRule};
use super::sweep::Runs;
use crate::geo::PixelPos;
use crate::grid::PixelRect;

/// How far a drawn curve may be from the smooth one, in pixels.
const TOLERANCE_PX: f64 = 0.1;

/// Runs that are collected before they are painted.
const MAX_RUNS: usize = 1 << 16;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrushShape {
    #[default]
    Round,
    Square,
}

/// What the pointer covers.
///
/// Pixels count by their centre: a round brush covers those within `size_px / 2` of the
/// pointer's path, a square one those in `(-size_px / 2, size_px / 2]` of it in both axes, which
/// are `size_px`² for a click. A brush of 1 px draws one pixel per row or column, 8-connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brush {
    shape: BrushShape,
    /// 1 to `MAX_PX`.
    #[serde(deserialize_with = "size_within_limits")]
    size_px: u32,
}

impl Brush {
    pub const MAX_PX: u32 = 2001;

    /// `size_px` is brought into 1 to `MAX_PX`.
    pub fn new(shape: BrushShape, size_px: u32) -> Self {
        Self { shape, size_px: size_px.clamp(1, Self::MAX_PX) }
    }

    /// The brush of whole pixels that comes nearest to a size on the ground, within the limits.
    pub fn of_metres(shape: BrushShape, size_m: f64, pixel_m: f64) -> Self {
        Self::new(shape, (size_m / pixel_m).round() as u32)
    }

    pub const fn shape(&self) -> BrushShape {
        self.shape
    }

    /// Diameter or side.
    pub const fn size_px(&self) -> u32 {
        self.size_px
    }

    /// What a click covers, within `bounds`.
    pub fn footprint(&self, at: PixelPos, bounds: PixelRect) -> PixelMask {
        let mut runs = Runs::within(bounds);
        self.sweep(at, at, &mut runs);
        PixelMask::from_runs(runs.runs)
    }

    /// What the brush covers on a straight way, gathered in `runs`.
    pub(super) fn sweep(&self, from: PixelPos, to: PixelPos, runs: &mut Runs) {
        let half = f64::from(self.size_px) / 2.0;
        match self.shape {
            _ if self.size_px == 1 => runs.thin_line(from, to),
            BrushShape::Round => runs.sweep_disc(from, to, half),
            BrushShape::Square => runs.sweep_square(from, to, half),
        }
    }
}

impl Default for Brush {
    fn default() -> Self {
        Self::new(BrushShape::Round, 9)
    }
}

fn size_within_limits<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    u32::deserialize(deserializer).map(|size| size.clamp(1, Brush::MAX_PX))
}

/// A stroke in progress: begun, extended by the pointer's positions, then ended or aborted.
///
/// The path goes through every position and follows a fast hand in curves: each piece leaves
/// its start along the tangent of the circle through the last three positions. A position is
/// drawn when it comes, and the pixels are the same whether positions come one by one or all
/// at once.
#[derive(Debug)]
pub struct Stroke {
    brush: Brush,
    rule: PaintRule,
    pen: LabelPen,
    /// The last two positions, older first.
    path: (Option<PixelPos>, Option<PixelPos>),
}

impl Stroke {
    /// Puts the brush down; also gives the window that changed.
    pub fn begin(layer: &mut LabelLayer, brush: Brush, rule: PaintRule, at: PixelPos) -> (Self, Option<PixelRect>) {
        let mut stroke = Self { brush, rule, pen: LabelPen::default(), path: (None, None) };
        let dirty = stroke.extend(layer, &[at]);
        (stroke, dirty)
    }

    /// Goes on to further positions, in pixels of the scene, also outside of it; gives the
    /// window that may have changed, `None` if nothing did. Positions that are not finite are
    /// left out. Costs about 0.2 ms for 1001 px.
    pub fn extend(&mut self, layer: &mut LabelLayer, positions: &[PixelPos]) -> Option<PixelRect> {
        let mut runs = Runs::within(layer.rect());
        let mut dirty = None;
        for &to in positions.iter().filter(|pos| pos.col.is_finite() && pos.row.is_finite()) {
            match self.path {
                (_, Some(from)) if from == to => continue,
                (before, Some(from)) => {
                    self.sweep_curve(before, from, to, &mut runs);
                    self.path = (Some(from), Some(to));
                }
                (_, None) => {
                    self.brush.sweep(to, to, &mut runs);
                    self.path = (None, Some(to));
                }
            }
            if runs.runs.len() > MAX_RUNS {
                dirty = union(dirty, self.paint(layer, &mut runs));
            }
        }
        union(dirty, self.paint(layer, &mut runs))
    }

    /// Lifts the brush; the stroke is one step.
    pub fn end(self, layer: &mut LabelLayer) -> LabelChange {
        self.pen.lift(layer)
    }

    /// The layer as it was before the stroke.
    pub fn abort(self, layer: &mut LabelLayer) {
        self.pen.abort(layer);
    }

    fn paint(&mut self, layer: &mut LabelLayer, runs: &mut Runs) -> Option<PixelRect> {
        let mask = PixelMask::from_runs(std::mem::take(&mut runs.runs));
        self.pen.paint_mask(layer, &mask, self.rule);
        mask.bounds()
    }

    fn sweep_curve(&self, before: Option<PixelPos>, from: PixelPos, to: PixelPos, runs: &mut Runs) {
        let Some(control) = before.and_then(|before| control_point(before, from, to)) else {
            return self.brush.sweep(from, to, runs);
        };
        // A parabola in n pieces is a quarter of its second difference over n² off.
        let bend = (from.col - 2.0 * control.col + to.col).hypot(from.row - 2.0 * control.row + to.row);
        let n_pieces = (bend / (4.0 * TOLERANCE_PX)).sqrt().ceil().clamp(1.0, 64.0);
        let mut at = from;
        for piece in 1..=n_pieces as usize {
            let t = piece as f64 / n_pieces;
            let point = |a: f64, b: f64, c: f64| (1.0 - t) * (1.0 - t) * a + 2.0 * t * (1.0 - t) * b + t * t * c;
            let next = PixelPos::new(point(from.col, control.col, to.col), point(from.row, control.row, to.row));
            self.brush.sweep(at, next, runs);
            at = next;
        }
    }
}

/// The middle point of the quadratic curve `from` → `to` that begins along the circle through
/// three positions; `None` for a straight piece: the turn is sharper than a right angle, which
/// nobody draws by haste.
fn control_point(before: PixelPos, from: PixelPos, to: PixelPos) -> Option<PixelPos> {
    let (in_x, in_y) = (from.col - before.col, from.row - before.row);
    let (out_x, out_y) = (to.col - from.col, to.row - from.row);
    let (l_in, l_out) = (in_x.hypot(in_y), out_x.hypot(out_y));
    if in_x * out_x + in_y * out_y <= 0.0 {
        return None;
    }
    // The tangent turns from one chord to the other in proportion to their lengths.
    let (x, y) = (in_x / l_in * l_out + out_x / l_out * l_in, in_y / l_in * l_out + out_y / l_out * l_in);
    let cosine = (x * out_x + y * out_y) / (x.hypot(y) * l_out);
    let step = l_out / 2.0 / cosine / x.hypot(y);
    let control = PixelPos::new(from.col + step * x, from.row + step * y);
    (control.col.is_finite() && control.row.is_finite()).then_some(control)
}

fn union(a: Option<PixelRect>, b: Option<PixelRect>) -> Option<PixelRect> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.union(&b)),
        (a, b) => a.or(b),
    }
}
