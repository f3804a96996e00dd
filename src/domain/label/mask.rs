//! A yes/no mask of pixels as runs of rows: what every tool selects and every reference remembers.

use serde::{Deserialize, Serialize};

use super::layer::LabelLayer;
use super::tile::TilePos;
use crate::class::ClassId;
use crate::grid::{PixelRect, TILE_SIZE};

/// Pixels of a scene as runs; a few bytes a row for a polygon of any size.
///
/// Invariant: sorted by row and column; runs of a row neither touch nor overlap; none is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PixelMask {
    runs: Vec<PixelRun>,
}

/// `len` pixels of a row from `col` on; written `[row, col, len]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PixelRun(pub u32, pub u32, pub u32);

impl PixelRun {
    pub const fn row(&self) -> usize {
        self.0 as usize
    }

    /// The columns it covers.
    pub const fn cols(&self) -> std::ops::Range<usize> {
        self.1 as usize..self.1 as usize + self.2 as usize
    }

    /// Position of its first pixel and of the one after its last on a line of all rows.
    /// Rows are 2³² long there, so that runs of two rows never touch.
    const fn span(&self) -> (u64, u64) {
        let start = ((self.0 as u64) << 32) | self.1 as u64;
        (start, start + self.2 as u64)
    }

    const fn of_span(start: u64, end: u64) -> Self {
        Self((start >> 32) as u32, start as u32, (end - start) as u32)
    }
}

impl PixelMask {
    /// From runs in any order that may touch and overlap; linear if they are sorted.
    pub fn from_runs(runs: impl IntoIterator<Item = PixelRun>) -> Self {
        let mut runs: Vec<PixelRun> = runs.into_iter().collect();
        for run in &mut runs {
            run.2 = run.2.min(u32::MAX - run.1);
        }
        if !runs.is_sorted() {
            // Stable: mostly a few sorted sequences one after the other.
            runs.sort();
        }
        let mut mask = Self { runs: Vec::with_capacity(runs.len()) };
        runs.iter().filter(|run| run.2 > 0).for_each(|run| mask.push(run.span()));
        mask
    }

    /// All pixels of a window; columns and rows beyond 2³² are left out.
    pub fn of_rect(rect: PixelRect) -> Self {
        let limit = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let (col, right) = (limit(rect.col), limit(rect.right()));
        let rows = if col < right { limit(rect.row)..limit(rect.bottom()) } else { 0..0 };
        Self { runs: rows.map(|row| PixelRun(row, col, right - col)).collect() }
    }

    /// The pixels of a window for which `[row, col]` says yes.
    ///
    /// # Panics
    /// If there are not as many values as pixels.
    pub fn from_values(rect: PixelRect, yes: &[bool]) -> Self {
        assert_eq!(yes.len(), rect.area(), "a value for each pixel of {rect:?}");
        let mut mask = Self::default();
        if rect.width == 0 {
            return mask;
        }
        for (row, values) in yes.chunks_exact(rect.width).enumerate() {
            let mut col = 0;
            for part in values.chunk_by(|a, b| a == b) {
                if part[0] {
                    let run = PixelRun((rect.row + row) as u32, (rect.col + col) as u32, part.len() as u32);
                    mask.runs.push(run);
                }
                col += part.len();
            }
        }
        mask
    }

    /// The pixels of one class in a window of a label layer.
    pub fn of_class(layer: &LabelLayer, class: ClassId, rect: PixelRect) -> Self {
        let mut mask = Self::default();
        let (Ok(id), Some(rect)) = (u16::try_from(class.0), rect.intersection(&layer.rect())) else { return mask };
        for tile_row in rect.row / TILE_SIZE..rect.bottom().div_ceil(TILE_SIZE) {
            let Some(band) = PixelRect::new(rect.col, tile_row * TILE_SIZE, rect.width, TILE_SIZE).intersection(&rect)
            else {
                continue;
            };
            let tiles: Vec<_> = TilePos::covering(band).filter_map(|pos| Some((pos, layer.tile(pos)?))).collect();
            for row in band.row..band.bottom() {
                for (pos, tile) in &tiles {
                    let Some(part) = pos.rect().intersection(&band) else { continue };
                    let ids = &tile.row(row % TILE_SIZE)[part.col % TILE_SIZE..][..part.width];
                    let start = ((row as u64) << 32) | part.col as u64;
                    runs_of(ids, id, |from, to| mask.push((start + from as u64, start + to as u64)));
                }
            }
        }
        mask
    }

    pub fn runs(&self) -> &[PixelRun] {
        &self.runs
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub fn n_px(&self) -> u64 {
        self.runs.iter().map(|run| u64::from(run.2)).sum()
    }

    /// The smallest window that holds all pixels, `None` if there is none.
    pub fn bounds(&self) -> Option<PixelRect> {
        let (first, last) = (self.runs.first()?, self.runs.last()?);
        let col = self.runs.iter().map(|run| run.cols().start).min()?;
        let right = self.runs.iter().map(|run| run.cols().end).max()?;
        Some(PixelRect::new(col, first.row(), right - col, last.row() + 1 - first.row()))
    }

    pub fn contains(&self, col: usize, row: usize) -> bool {
        let (Ok(row), Ok(col)) = (u32::try_from(row), u32::try_from(col)) else { return false };
        let at = PixelRun(row, col, 1).span().0;
        let next = self.runs.partition_point(|run| run.span().1 <= at);
        self.runs.get(next).is_some_and(|run| run.span().0 <= at)
    }

    /// Its pixels as `(col, row)`, row by row.
    pub fn pixels(&self) -> impl Iterator<Item = (usize, usize)> {
        self.runs.iter().flat_map(|run| run.cols().map(|col| (col, run.row())))
    }

    pub fn union(&self, other: &Self) -> Self {
        self.combined(other, |a, b| a || b)
    }

    pub fn intersection(&self, other: &Self) -> Self {
        self.combined(other, |a, b| a && b)
    }

    /// What is in `self` and not in `other`.
    pub fn difference(&self, other: &Self) -> Self {
        self.combined(other, |a, b| a && !b)
    }

    /// What lies in a window.
    pub fn clipped(&self, rect: PixelRect) -> Self {
        let first = self.runs.partition_point(|run| run.row() < rect.row);
        let runs = self.runs[first..].iter().take_while(|run| run.row() < rect.bottom()).filter_map(|run| {
            let (start, end) = (run.cols().start.max(rect.col), run.cols().end.min(rect.right()));
            (start < end).then(|| PixelRun(run.0, start as u32, (end - start) as u32))
        });
        Self { runs: runs.collect() }
    }

    /// Two masks in one sweep; `keep` says which pixels stay by where they are and must leave
    /// out those in neither.
    fn combined(&self, other: &Self, keep: fn(bool, bool) -> bool) -> Self {
        let mut mask = Self { runs: Vec::with_capacity(self.runs.len().max(other.runs.len())) };
        let mut a = self.runs.iter().map(PixelRun::span).peekable();
        let mut b = other.runs.iter().map(PixelRun::span).peekable();
        let mut at = 0;
        loop {
            while a.next_if(|(_, end)| *end <= at).is_some() {}
            while b.next_if(|(_, end)| *end <= at).is_some() {}
            // Up to the next border of either, where nothing changes.
            let border = |span: Option<&(u64, u64)>| span.map_or(u64::MAX, |(s, e)| if *s > at { *s } else { *e });
            let next = border(a.peek()).min(border(b.peek()));
            if next == u64::MAX {
                return mask;
            }
            let inside = |span: Option<&(u64, u64)>| span.is_some_and(|(start, _)| *start <= at);
            if keep(inside(a.peek()), inside(b.peek())) {
                mask.push((at, next));
            }
            at = next;
        }
    }

    /// Appends what begins at or after the last run, or overlaps it.
    fn push(&mut self, (start, end): (u64, u64)) {
        if let Some(last) = self.runs.last_mut() {
            let (last_start, last_end) = last.span();
            if start <= last_end {
                *last = PixelRun::of_span(last_start, last_end.max(end));
                return;
            }
        }
        self.runs.push(PixelRun::of_span(start, end));
    }
}

impl<'de> Deserialize<'de> for PixelMask {
    /// Whatever order the runs are in.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<PixelRun>::deserialize(deserializer).map(Self::from_runs)
    }
}

/// Calls `found(from, to)` for each longest run of `id`.
pub(super) fn runs_of(ids: &[u16], id: u16, mut found: impl FnMut(usize, usize)) {
    let mut at = 0;
    loop {
        let from = at + prefix(&ids[at..], |other| other != id);
        if from == ids.len() {
            return;
        }
        at = from + prefix(&ids[from..], |other| other == id);
        found(from, at);
    }
}

/// How many ids from the first on are as `like` says.
fn prefix(ids: &[u16], like: impl Fn(u16) -> bool) -> usize {
    // Without an early exit inside of a chunk the comparison is done in SIMD.
    let n = ids.chunks_exact(32).take_while(|chunk| chunk.iter().fold(true, |all, &id| all & like(id))).count() * 32;
    n + ids[n..].iter().take_while(|&&id| like(id)).count()
}
