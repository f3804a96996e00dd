//! The pixels that a disc or a square covers on its way along a segment.
//!
//! A pixel counts by its centre. A segment is one sweep: its cost is its rows, whatever its
//! length, and there are no gaps.

use super::mask::PixelRun;
use crate::geo::PixelPos;
use crate::grid::PixelRect;

/// Runs inside of a window, in no order.
#[derive(Debug)]
pub(super) struct Runs {
    pub(super) runs: Vec<PixelRun>,
    bounds: PixelRect,
}

impl Runs {
    pub(super) const fn within(bounds: PixelRect) -> Self {
        Self { runs: Vec::new(), bounds }
    }

    /// The rows whose centres lie in `(top, bottom]`, cut off at the window.
    fn rows(&self, top: f64, bottom: f64) -> std::ops::Range<usize> {
        clip(top, bottom, self.bounds.row, self.bounds.bottom())
    }

    /// The pixels of a row whose centres lie in `(left, right]`.
    fn push(&mut self, row: usize, left: f64, right: f64) {
        let cols = clip(left, right, self.bounds.col, self.bounds.right());
        if !cols.is_empty() {
            self.runs.push(PixelRun(row as u32, cols.start as u32, cols.len() as u32));
        }
    }

    fn push_px(&mut self, col: i64, row: i64) {
        let inside = |at: i64, from: usize, to: usize| usize::try_from(at).is_ok_and(|at| (from..to).contains(&at));
        let bounds = &self.bounds;
        if inside(col, bounds.col, bounds.right()) && inside(row, bounds.row, bounds.bottom()) {
            self.runs.push(PixelRun(row as u32, col as u32, 1));
        }
    }

    /// Centres within `radius` of the segment; the border belongs to it.
    pub(super) fn sweep_disc(&mut self, a: PixelPos, b: PixelPos, radius: f64) {
        let (dx, dy) = (b.col - a.col, b.row - a.row);
        let length_2 = dx * dx + dy * dy;
        let reach = radius * length_2.sqrt();
        for row in self.rows(a.row.min(b.row) - radius - 1.0, a.row.max(b.row) + radius) {
            let y = row as f64 + 0.5;
            // Convex, so that a row is one run: from the leftmost to the rightmost of its parts.
            let mut hull = disc(a, radius, y);
            hull = joined(hull, disc(b, radius, y));
            if length_2 > 0.0 {
                // Beside the segment: 0 <= along <= length² and |across| <= radius * length.
                let along = between(dx, (y - a.row) * dy, 0.0, length_2);
                let across = between(dy, -(y - a.row) * dx, -reach, reach);
                let band = (a.col + along.0.max(across.0), a.col + along.1.min(across.1));
                hull = joined(hull, band);
            }
            if hull.0 <= hull.1 {
                // (left, right] of `push` with the left end taken in.
                self.push(row, hull.0.next_down(), hull.1);
            }
        }
    }

    /// Centres in `(x - half, x + half]` × `(y - half, y + half]` for some place of the
    /// segment: a square of n px always covers n × n of them.
    pub(super) fn sweep_square(&mut self, a: PixelPos, b: PixelPos, half: f64) {
        let (dx, dy) = (b.col - a.col, b.row - a.row);
        for row in self.rows(a.row.min(b.row) - half, a.row.max(b.row) + half) {
            let y = row as f64 + 0.5;
            // The part of the segment from which the square reaches the row.
            let (from, to) = between(dy, a.row - y, -half, half);
            let ends = [a.col + from.clamp(0.0, 1.0) * dx, a.col + to.clamp(0.0, 1.0) * dx];
            self.push(row, ends[0].min(ends[1]) - half, ends[0].max(ends[1]) + half);
        }
    }

    /// One pixel per row or column, whichever are more, from the pixel that holds `a` to the
    /// one that holds `b`.
    pub(super) fn thin_line(&mut self, a: PixelPos, b: PixelPos) {
        let [x0, y0, x1, y1] = [a.col, a.row, b.col, b.row].map(f64::floor);
        let steep = (y1 - y0).abs() > (x1 - x0).abs();
        // Along the longer axis, always in the same direction, so that a line has no sense.
        let (mut from, mut to) = if steep { ((y0, x0), (y1, x1)) } else { ((x0, y0), (x1, y1)) };
        if from.0 > to.0 {
            std::mem::swap(&mut from, &mut to);
        }
        let (low, high) = match steep {
            true => (self.bounds.row, self.bounds.bottom()),
            false => (self.bounds.col, self.bounds.right()),
        };
        let slope = if to.0 > from.0 { (to.1 - from.1) / (to.0 - from.0) } else { 0.0 };
        for at in clip(from.0 - 0.5, to.0 + 0.5, low, high) {
            let across = (from.1 + (at as f64 - from.0) * slope).round() as i64;
            let (col, row) = if steep { (across, at as i64) } else { (at as i64, across) };
            self.push_px(col, row);
        }
    }
}

/// Whole numbers whose `+ 0.5` lies in `(low, high]`, within `from..to`.
fn clip(low: f64, high: f64, from: usize, to: usize) -> std::ops::Range<usize> {
    let start = ((low + 0.5).floor().max(0.0) as usize).max(from);
    let end = ((high + 0.5).floor().max(0.0) as usize).min(to);
    start..end.max(start)
}

/// Where a row at `y` cuts a disc; empty (low > high) where it does not.
fn disc(center: PixelPos, radius: f64, y: f64) -> (f64, f64) {
    let rest = radius * radius - (y - center.row) * (y - center.row);
    if rest < 0.0 {
        return (f64::INFINITY, f64::NEG_INFINITY);
    }
    (center.col - rest.sqrt(), center.col + rest.sqrt())
}

/// The `x` for which `low <= slope * x + offset <= high`.
fn between(slope: f64, offset: f64, low: f64, high: f64) -> (f64, f64) {
    if slope == 0.0 {
        let all = low <= offset && offset <= high;
        return if all { (f64::NEG_INFINITY, f64::INFINITY) } else { (f64::INFINITY, f64::NEG_INFINITY) };
    }
    let (a, b) = ((low - offset) / slope, (high - offset) / slope);
    (a.min(b), a.max(b))
}

fn joined(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    match (a.0 <= a.1, b.0 <= b.1) {
        (true, true) => (a.0.min(b.0), a.1.max(b.1)),
        (true, false) => a,
        _ => b,
    }
}
