//! The labels of one scene.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::tile::{LabelTile, TilePos, UNLABELLED};
use crate::class::ClassId;
use crate::grid::{PixelRect, TILE_SIZE};

/// A label layer of the project; numbers are not used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LabelsId(pub u64);

/// Labels of a scene of `width` × `height` pixels. Tiles that were never painted do not exist;
/// a clone shares all tiles, and writing copies the tiles it touches: a snapshot for a job or
/// for undo costs a pointer per tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelLayer {
    width: usize,
    height: usize,
    tiles: BTreeMap<TilePos, Arc<LabelTile>>,
}

impl LabelLayer {
    pub const fn new(width: usize, height: usize) -> Self {
        Self { width, height, tiles: BTreeMap::new() }
    }

    pub const fn width(&self) -> usize {
        self.width
    }

    pub const fn height(&self) -> usize {
        self.height
    }

    /// The whole scene.
    pub const fn rect(&self) -> PixelRect {
        PixelRect::whole(self.width, self.height)
    }

    pub fn get(&self, col: usize, row: usize) -> Option<ClassId> {
        self.tile(TilePos::of_pixel(col, row))?.get(col % TILE_SIZE, row % TILE_SIZE)
    }

    pub fn tile(&self, pos: TilePos) -> Option<&Arc<LabelTile>> {
        self.tiles.get(&pos)
    }

    /// Tiles that hold a label, by column and row.
    pub fn tiles(&self) -> impl Iterator<Item = (TilePos, &Arc<LabelTile>)> {
        self.tiles.iter().map(|(pos, tile)| (*pos, tile))
    }

    /// Puts a tile in place or takes it away; empty tiles are not kept.
    pub fn set_tile(&mut self, pos: TilePos, tile: Option<Arc<LabelTile>>) {
        match tile.filter(|tile| !tile.is_empty()) {
            Some(tile) => self.tiles.insert(pos, tile),
            None => self.tiles.remove(&pos),
        };
    }

    /// For writing; `put_tile` brings it back.
    pub(super) fn take_tile(&mut self, pos: TilePos) -> Option<Arc<LabelTile>> {
        self.tiles.remove(&pos)
    }

    /// As `set_tile`, but an empty tile stays until the pen is lifted.
    pub(super) fn put_tile(&mut self, pos: TilePos, tile: Arc<LabelTile>) {
        self.tiles.insert(pos, tile);
    }

    /// As `set_tile` for a tile that is known to hold a label: looking for one takes 10 µs.
    pub(super) fn restore_tile(&mut self, pos: TilePos, tile: Option<Arc<LabelTile>>) {
        match tile {
            Some(tile) => self.tiles.insert(pos, tile),
            None => self.tiles.remove(&pos),
        };
    }

    /// Whether any tile of a block of tiles exists; costs a search per column.
    pub(super) fn has_tile_in(&self, mut cols: Range<u32>, rows: Range<u32>) -> bool {
        cols.any(|col| {
            let from = TilePos { col, row: rows.start };
            self.tiles.range(from..TilePos { col, row: rows.end }).next().is_some()
        })
    }

    /// Ids of a window, `[row, col]`, `UNLABELLED` where there is none.
    pub fn read(&self, rect: PixelRect) -> Vec<u16> {
        let mut ids = vec![UNLABELLED; rect.area()];
        for pos in TilePos::covering(rect) {
            let Some(tile) = self.tile(pos) else { continue };
            let Some(part) = pos.rect().intersection(&rect) else { continue };
            for row in part.row..part.bottom() {
                let from = &tile.row(row % TILE_SIZE)[part.col % TILE_SIZE..][..part.width];
                ids[(row - rect.row) * rect.width + (part.col - rect.col)..][..part.width].copy_from_slice(from);
            }
        }
        ids
    }

    /// Labelled pixels by class.
    pub fn counts(&self) -> BTreeMap<ClassId, u64> {
        let mut counts = BTreeMap::new();
        for tile in self.tiles.values() {
            for run in tile.ids().chunk_by(|a, b| a == b).filter(|run| run[0] != UNLABELLED) {
                *counts.entry(ClassId(u32::from(run[0]))).or_default() += run.len() as u64;
            }
        }
        counts
    }
}
