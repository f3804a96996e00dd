//! Coarser levels of a label layer for display; derived, never stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::layer::LabelLayer;
use super::tile::{LabelTile, TilePos, UNLABELLED};
use crate::grid::{PixelRect, TILE_SIZE, TileId};

/// The coarser levels of one label layer, made when they are asked for and mended where the
/// layer has changed.
///
/// A pixel of a level has the label that most of its four have that are labelled at all, the
/// lower id if two are as many: thin strokes stay visible at every level.
///
/// Cost: a tile made anew reads its four, 0.2 ms, and what they need in turn, at most a third
/// of the tiles below; mending reads a third of the changed pixels in all levels together.
/// Memory: a third of the layer's at most; levels of one class share one tile.
#[derive(Clone, Debug, Default)]
pub struct LabelPyramid {
    /// From level 1 on.
    levels: Vec<BTreeMap<TilePos, Entry>>,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    tile: Option<Arc<LabelTile>>,
    /// Pixels of the level that have to be made again.
    stale: Option<PixelRect>,
}

impl LabelPyramid {
    /// A tile of any level, `None` where nothing is labelled. Level 0 is the layer itself.
    pub fn tile(&mut self, layer: &LabelLayer, id: TileId) -> Option<Arc<LabelTile>> {
        let pos = TilePos { col: id.col, row: id.row };
        let Some(level) = usize::from(id.level).checked_sub(1) else { return layer.tile(pos).cloned() };
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, BTreeMap::new);
        }
        let known = self.levels[level].get(&pos);
        if let Some(Entry { tile, stale: None }) = known {
            return tile.clone();
        }
        let span = 1u32.checked_shl(u32::from(id.level)).unwrap_or(u32::MAX);
        let tiles = |at: u32| at.saturating_mul(span)..(at + 1).saturating_mul(span);
        if known.is_none() && !layer.has_tile_in(tiles(pos.col), tiles(pos.row)) {
            return None;
        }
        let parts = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(col, row)| {
            self.tile(layer, TileId { level: id.level - 1, col: 2 * id.col + col, row: 2 * id.row + row })
        });
        let entry = self.levels[level].entry(pos).or_insert_with(|| Entry { tile: None, stale: Some(pos.rect()) });
        if let Some(stale) = entry.stale.take() {
            entry.mend(&parts, pos, stale);
        }
        entry.tile.clone()
    }

    /// Takes note that a window of the layer has changed; cheap, whatever its size.
    pub fn invalidate(&mut self, dirty: PixelRect) {
        if dirty.area() == 0 {
            return;
        }
        for (level, entries) in (1..).zip(&mut self.levels) {
            let (col, row) = (dirty.col >> level, dirty.row >> level);
            let (right, bottom) = (((dirty.right() - 1) >> level) + 1, ((dirty.bottom() - 1) >> level) + 1);
            let dirty = PixelRect::new(col, row, right - col, bottom - row);
            for pos in TilePos::covering(dirty) {
                let (Some(entry), Some(part)) = (entries.get_mut(&pos), pos.rect().intersection(&dirty)) else {
                    continue;
                };
                entry.stale = Some(entry.stale.map_or(part, |stale| stale.union(&part)));
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.levels.clear();
    }
}

impl Entry {
    /// Makes a part of the tile again from the four below.
    fn mend(&mut self, parts: &[Option<Arc<LabelTile>>; 4], pos: TilePos, stale: PixelRect) {
        if let Some(same) = shared(parts) {
            self.tile = same;
            return;
        }
        let tile = self.tile.get_or_insert_with(|| Arc::new(LabelTile::empty()));
        let ids = Arc::make_mut(tile).ids_mut();
        for (part, (right, down)) in parts.iter().zip([(0, 0), (1, 0), (0, 1), (1, 1)]) {
            const HALF: usize = TILE_SIZE / 2;
            let origin = pos.rect();
            let quarter = PixelRect::new(origin.col + right * HALF, origin.row + down * HALF, HALF, HALF);
            let Some(stale) = quarter.intersection(&stale) else { continue };
            for row in stale.row..stale.bottom() {
                let target = &mut ids[(row - origin.row) * TILE_SIZE + stale.col - origin.col..][..stale.width];
                let Some(part) = part else {
                    target.fill(UNLABELLED);
                    continue;
                };
                let (col, row) = (2 * (stale.col - quarter.col), 2 * (row - quarter.row));
                let above = part.row(row)[col..].chunks_exact(2);
                let below = part.row(row + 1)[col..].chunks_exact(2);
                for ((id, a), b) in target.iter_mut().zip(above).zip(below) {
                    *id = most_frequent([a[0], a[1], b[0], b[1]]);
                }
            }
        }
        if tile.is_empty() {
            self.tile = None;
        }
    }
}

/// The tile that all four are, if they are the same of one class, or nothing.
fn shared(parts: &[Option<Arc<LabelTile>>; 4]) -> Option<Option<Arc<LabelTile>>> {
    match &parts[0] {
        None => parts.iter().all(Option::is_none).then_some(None),
        Some(first) => {
            let id = first.uniform()?;
            let same = |part: &Option<Arc<LabelTile>>| {
                part.as_ref().is_some_and(|part| Arc::ptr_eq(part, first) || part.uniform() == Some(id))
            };
            parts.iter().all(same).then(|| Some(Arc::clone(first)))
        }
    }
}

/// Of those that are labelled; the lower id if two are as many.
fn most_frequent([a, b, c, d]: [u16; 4]) -> u16 {
    // Sorted without branches, so that a row is done in SIMD; unlabelled ones come last.
    let (a, b, c, d) = (a.min(b), a.max(b), c.min(d), c.max(d));
    let (a, b, c, d) = (a.min(c), b.min(d), a.max(c), b.max(d));
    let (b, c) = (b.min(c), b.max(c));
    // Two or more of the lowest, else two or more of another, else the lowest alone.
    let upper = if c == d && c != UNLABELLED { c } else { a };
    let middle = if b == c && b != UNLABELLED { b } else { upper };
    if a == b { a } else { middle }
}
