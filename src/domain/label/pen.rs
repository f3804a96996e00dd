//! Writing labels: a pen remembers each tile before its first change, so that a gesture can be
//! kept as one step or taken back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::layer::LabelLayer;
use super::mask::{PixelMask, PixelRun};
use super::tile::{LabelTile, N_TILE_PX, TilePos, UNLABELLED};
use crate::class::ClassId;
use crate::grid::TILE_SIZE;

/// What a gesture writes and onto what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaintRule {
    /// `None` erases.
    pub class: Option<ClassId>,
    #[serde(default)]
    pub onto: Target,
}

/// Which pixels may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Target {
    #[default]
    Any,
    /// Only those without a label.
    Unlabelled,
    /// Only those of one class ("replace class A by B").
    Class { class: ClassId },
}

/// A tile before and after; `None` where it holds no label, never a tile without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileChange {
    pub before: Option<Arc<LabelTile>>,
    pub after: Option<Arc<LabelTile>>,
}

/// What a gesture did to a layer: the tiles that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelChange {
    pub tiles: BTreeMap<TilePos, TileChange>,
}

impl LabelChange {
    pub fn is_empty(&self) -> bool {
        self.tiles.is_empty()
    }

    /// Memory of its tiles; those that it holds several times count once.
    pub fn bytes(&self) -> usize {
        let tiles = self.tiles.values().flat_map(|change| [&change.before, &change.after]).flatten();
        tiles.map(Arc::as_ptr).collect::<BTreeSet<_>>().len() * N_TILE_PX * size_of::<u16>()
    }

    pub fn redo(&self, layer: &mut LabelLayer) {
        for (pos, change) in &self.tiles {
            layer.restore_tile(*pos, change.after.clone());
        }
    }

    pub fn undo(&self, layer: &mut LabelLayer) {
        for (pos, change) in &self.tiles {
            layer.restore_tile(*pos, change.before.clone());
        }
    }

    /// From one state of a layer to another of the same size. Tiles that both share cost nothing.
    pub fn between(before: &LabelLayer, after: &LabelLayer) -> Self {
        let mut tiles = BTreeMap::new();
        for (pos, tile) in before.tiles() {
            if !after.tile(pos).is_some_and(|other| Arc::ptr_eq(tile, other) || tile == other) {
                let change = TileChange { before: Some(Arc::clone(tile)), after: after.tile(pos).cloned() };
                tiles.insert(pos, change);
            }
        }
        for (pos, tile) in after.tiles().filter(|(pos, _)| before.tile(*pos).is_none()) {
            tiles.insert(pos, TileChange { before: None, after: Some(Arc::clone(tile)) });
        }
        Self { tiles }
    }
}

/// A gesture in progress on a layer.
///
/// Invariant: `before` holds each touched tile as it was when the pen was put down.
#[derive(Debug, Default)]
pub struct LabelPen {
    before: BTreeMap<TilePos, Option<Arc<LabelTile>>>,
    /// By class a tile that is all of it; tiles that are covered whole share it.
    whole: BTreeMap<u16, Arc<LabelTile>>,
}

impl LabelPen {
    /// Writes `cols` of `row` by `rule`; what lies outside of the layer is left out.
    pub fn paint_row(&mut self, layer: &mut LabelLayer, row: usize, cols: Range<usize>, rule: PaintRule) {
        let cols = cols.start..cols.end.min(layer.width());
        if row < layer.height() && !cols.is_empty() {
            let run = PixelRun(row as u32, cols.start as u32, cols.len() as u32);
            self.paint_mask(layer, &PixelMask::from_runs([run]), rule);
        }
    }

    /// Writes a mask by `rule`; what lies outside of the layer is left out. Tiles that are
    /// covered whole become one shared tile, so that a polygon over 10k² takes a few MB.
    pub fn paint_mask(&mut self, layer: &mut LabelLayer, mask: &PixelMask, rule: PaintRule) {
        for band in mask.runs().chunk_by(|a, b| a.row() / TILE_SIZE == b.row() / TILE_SIZE) {
            let end = band.partition_point(|run| run.row() < layer.height());
            if end > 0 {
                self.paint_band(layer, &band[..end], rule);
            }
        }
    }

    /// Runs of one row of tiles.
    fn paint_band(&mut self, layer: &mut LabelLayer, band: &[PixelRun], rule: PaintRule) {
        let id = rule.class.map_or(UNLABELLED, |class| u16::try_from(class.0).unwrap_or(UNLABELLED));
        let width = layer.width();
        let mut n_covered = vec![0; width.div_ceil(TILE_SIZE)];
        for run in band {
            for_parts(run, width, |tile, cols| n_covered[tile] += cols.len());
        }

        // Taken out of the layer while they are written, so that a run finds its tile by index.
        let mut open: Vec<Option<Arc<LabelTile>>> = vec![None; n_covered.len()];
        for (col, n_covered) in n_covered.into_iter().enumerate().filter(|(_, n)| *n > 0) {
            let pos = TilePos { col: col as u32, row: (band[0].row() / TILE_SIZE) as u32 };
            let old = layer.take_tile(pos);
            if old.is_none() && (id == UNLABELLED || matches!(rule.onto, Target::Class { .. })) {
                continue;
            }
            self.before.entry(pos).or_insert_with(|| old.clone());
            let all_change = rule.onto == Target::Any || (rule.onto == Target::Unlabelled && old.is_none());
            match old {
                _ if n_covered == N_TILE_PX && all_change => {
                    if id != UNLABELLED {
                        layer.put_tile(pos, self.whole_tile(id));
                    }
                }
                Some(tile) => open[col] = Some(tile),
                None => open[col] = Some(Arc::new(LabelTile::empty())),
            }
        }
        for run in band {
            for_parts(run, width, |tile, cols| {
                if let Some(tile) = &mut open[tile] {
                    let start = (run.row() % TILE_SIZE) * TILE_SIZE + cols.start;
                    write(&mut Arc::make_mut(tile).ids_mut()[start..][..cols.len()], id, rule.onto);
                }
            });
        }
        for (col, tile) in open.into_iter().enumerate() {
            if let Some(tile) = tile {
                layer.put_tile(TilePos { col: col as u32, row: (band[0].row() / TILE_SIZE) as u32 }, tile);
            }
        }
    }

    fn whole_tile(&mut self, id: u16) -> Arc<LabelTile> {
        let tile = self.whole.entry(id).or_insert_with(|| Arc::new(LabelTile::new(vec![id; N_TILE_PX])));
        Arc::clone(tile)
    }

    /// What was changed so far; the gesture becomes one step. Empty if nothing differs.
    pub fn lift(self, layer: &mut LabelLayer) -> LabelChange {
        let mut tiles = BTreeMap::new();
        for (pos, before) in self.before {
            let after = layer.tile(pos).filter(|tile| !tile.is_empty()).cloned();
            // Empty tiles go, and tiles that are as they were are shared again.
            if before == after {
                layer.set_tile(pos, before);
            } else {
                layer.set_tile(pos, after.clone());
                tiles.insert(pos, TileChange { before, after });
            }
        }
        LabelChange { tiles }
    }

    /// The layer as it was when the pen was put down.
    pub fn abort(self, layer: &mut LabelLayer) {
        for (pos, tile) in self.before {
            layer.set_tile(pos, tile);
        }
    }
}

/// The parts of a run by column of tiles, in columns of the tile; cut off at `width`.
fn for_parts(run: &PixelRun, width: usize, mut part: impl FnMut(usize, Range<usize>)) {
    let (mut col, end) = (run.cols().start, run.cols().end.min(width));
    while col < end {
        let tile = col / TILE_SIZE;
        let stop = end.min((tile + 1) * TILE_SIZE);
        part(tile, col - tile * TILE_SIZE..stop - tile * TILE_SIZE);
        col = stop;
    }
}

fn write(pixels: &mut [u16], id: u16, onto: Target) {
    let from = match onto {
        Target::Any => return pixels.fill(id),
        Target::Unlabelled => UNLABELLED,
        Target::Class { class } => match u16::try_from(class.0) {
            Ok(from) => from,
            Err(_) => return,
        },
    };
    for pixel in pixels {
        *pixel = if *pixel == from { id } else { *pixel };
    }
}
