//! Writing labels: a pen remembers each tile before its first change, so that a gesture can be
//! kept as one step or taken back.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::layer::LabelLayer;
use super::tile::{LabelTile, TilePos, UNLABELLED};
use crate::class::ClassId;
use crate::grid::{PixelRect, TILE_SIZE};

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

/// A tile before and after; `None` where it holds no label.
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

    pub fn redo(&self, layer: &mut LabelLayer) {
        for (pos, change) in &self.tiles {
            layer.set_tile(*pos, change.after.clone());
        }
    }

    pub fn undo(&self, layer: &mut LabelLayer) {
        for (pos, change) in &self.tiles {
            layer.set_tile(*pos, change.before.clone());
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
}

impl LabelPen {
    /// Writes `cols` of `row` by `rule`; what lies outside of the layer is left out.
    pub fn paint_row(&mut self, layer: &mut LabelLayer, row: usize, cols: Range<usize>, rule: PaintRule) {
        let cols = cols.start..cols.end.min(layer.width());
        if row >= layer.height() || cols.is_empty() {
            return;
        }
        let id = rule.class.map_or(UNLABELLED, |class| u16::try_from(class.0).unwrap_or(UNLABELLED));
        let rect = PixelRect::new(cols.start, row, cols.len(), 1);
        for pos in TilePos::covering(rect) {
            let Some(part) = pos.rect().intersection(&rect) else { continue };
            if layer.tile(pos).is_none() && (id == UNLABELLED || matches!(rule.onto, Target::Class { .. })) {
                continue;
            }
            let old = layer.tile(pos).cloned();
            self.before.entry(pos).or_insert(old);
            let start = (row % TILE_SIZE) * TILE_SIZE + part.col % TILE_SIZE;
            let pixels = &mut layer.tile_mut(pos).ids_mut()[start..][..part.width];
            match rule.onto {
                Target::Any => pixels.fill(id),
                Target::Unlabelled => replace(pixels, UNLABELLED, id),
                Target::Class { class } => {
                    if let Ok(from) = u16::try_from(class.0) {
                        replace(pixels, from, id);
                    }
                }
            }
        }
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

fn replace(pixels: &mut [u16], from: u16, to: u16) {
    for pixel in pixels.iter_mut().filter(|pixel| **pixel == from) {
        *pixel = to;
    }
}
