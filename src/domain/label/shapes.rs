//! Shapes as masks: line, rectangle, polygon; a freehand lasso is a polygon.

use super::brush::{Brush, BrushShape};
use super::mask::{PixelMask, PixelRun};
use super::sweep::Runs;
use crate::geo::PixelPos;
use crate::grid::PixelRect;

/// The pixels within `width_px / 2` of a line through `positions`, with round ends; a line of
/// 1 px has one pixel per row or column. Width and pixel rule are those of a round [`Brush`].
pub fn line(positions: &[PixelPos], width_px: u32, bounds: PixelRect) -> PixelMask {
    let brush = Brush::new(BrushShape::Round, width_px);
    let positions: Vec<PixelPos> = positions.iter().copied().filter(is_finite).collect();
    let mut runs = Runs::within(bounds);
    match positions[..] {
        [at] => brush.sweep(at, at, &mut runs),
        _ => positions.windows(2).for_each(|pair| brush.sweep(pair[0], pair[1], &mut runs)),
    }
    PixelMask::from_runs(runs.runs)
}

/// The rectangle between two corners, by the pixel rule of [`polygon`].
pub fn rectangle(a: PixelPos, b: PixelPos, bounds: PixelRect) -> PixelMask {
    polygon(&[vec![a, PixelPos::new(b.col, a.row), b, PixelPos::new(a.col, b.row)]], bounds)
}

/// The pixels of a window whose centres lie inside of closed rings, even-odd: rings inside of
/// rings are holes, and what a ring covers twice is outside.
///
/// The rule is GDAL's (`GDALRasterizeGeometries` without `ALL_TOUCHED`), arithmetic included:
/// a centre on an edge belongs to the polygon where that is on its right or its upper side.
/// Only edges that run through a whole row of centres differ, where GDAL's answer depends on
/// the direction of the ring.
/// Positions may lie anywhere; those that are not finite are left out. Costs the vertices
/// sorted, then each row the edges that cross it.
pub fn polygon(rings: &[Vec<PixelPos>], bounds: PixelRect) -> PixelMask {
    let mut edges: Vec<Edge> = rings.iter().flat_map(|ring| ring_edges(ring, bounds)).collect();
    edges.sort_by_key(|edge| edge.first_row);

    let mut mask: Vec<PixelRun> = Vec::new();
    let mut upcoming = edges.iter().peekable();
    let mut active: Vec<&Edge> = Vec::new();
    let mut crossings: Vec<f64> = Vec::new();
    let mut row = edges.first().map_or(0, |edge| edge.first_row);
    while upcoming.peek().is_some() || !active.is_empty() {
        if active.is_empty() {
            row = upcoming.peek().map_or(row, |edge| edge.first_row);
        }
        while let Some(edge) = upcoming.next_if(|edge| edge.first_row <= row) {
            active.push(edge);
        }
        active.retain(|edge| edge.end_row > row);
        crossings.clear();
        crossings.extend(active.iter().map(|edge| edge.crossing(row as f64 + 0.5)));
        crossings.sort_by(f64::total_cmp);
        for pair in crossings.chunks_exact(2) {
            // Centres in (left, right].
            let start = ((pair[0] + 0.5).floor().max(0.0) as usize).max(bounds.col);
            let end = ((pair[1] + 0.5).floor().max(0.0) as usize).min(bounds.right());
            if start < end {
                mask.push(PixelRun(row as u32, start as u32, (end - start) as u32));
            }
        }
        row += 1;
    }
    PixelMask::from_runs(mask)
}

/// An edge that crosses the centres of the rows `first_row..end_row`, from top to bottom.
struct Edge {
    first_row: usize,
    end_row: usize,
    top: PixelPos,
    bottom: PixelPos,
}

impl Edge {
    fn crossing(&self, y: f64) -> f64 {
        let (top, bottom) = (self.top, self.bottom);
        // In this order, as GDAL: another rounding would move centres that lie on an edge.
        (y - top.row) * (bottom.col - top.col) / (bottom.row - top.row) + top.col
    }
}

/// The edges of a ring that cross rows of the window.
fn ring_edges(ring: &[PixelPos], bounds: PixelRect) -> Vec<Edge> {
    let ring: Vec<PixelPos> = ring.iter().copied().filter(is_finite).collect();
    let next = ring.iter().skip(1).chain(ring.first());
    let mut edges = Vec::with_capacity(ring.len());
    for (&a, &b) in ring.iter().zip(next) {
        let (top, bottom) = if a.row <= b.row { (a, b) } else { (b, a) };
        // Rows with top <= centre < bottom.
        let first = |y: f64| ((y - 0.5).ceil().max(0.0) as usize).clamp(bounds.row, bounds.bottom());
        let (first_row, end_row) = (first(top.row), first(bottom.row));
        if first_row < end_row {
            edges.push(Edge { first_row, end_row, top, bottom });
        }
    }
    edges
}

fn is_finite(pos: &PixelPos) -> bool {
    pos.col.is_finite() && pos.row.is_finite()
}
