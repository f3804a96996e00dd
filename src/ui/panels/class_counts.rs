//! Pixels of each class of a label layer, counted again only where tiles changed and a few
//! tiles per frame, so that a large layer never makes a frame wait.

use std::collections::BTreeMap;
use std::sync::Arc;

use nunatak_domain::class::ClassId;
use nunatak_domain::label::{LabelTile, LabelsId, TilePos, UNLABELLED};
use nunatak_domain::project::Labels;

/// Tiles counted per frame: about 1 ms.
const TILES_PER_FRAME: usize = 32;

#[derive(Default)]
pub(crate) struct ClassCounts {
    labels: Option<LabelsId>,
    tiles: BTreeMap<TilePos, Counted>,
    totals: BTreeMap<ClassId, u64>,
    complete: bool,
}

/// A tile and the pixels of each class in it.
type Counted = (Arc<LabelTile>, Vec<(u16, u64)>);

impl ClassCounts {
    /// The layer has changed.
    pub(crate) const fn invalidate(&mut self) {
        self.complete = false;
    }

    pub(crate) const fn complete(&self) -> bool {
        self.complete
    }

    pub(crate) fn of(&self, class: ClassId) -> u64 {
        self.totals.get(&class).copied().unwrap_or(0)
    }

    pub(super) fn follow(&mut self, labels: &Labels) {
        if self.labels != Some(labels.id) {
            *self = Self { labels: Some(labels.id), ..Self::default() };
        }
        if self.complete {
            return;
        }
        self.tiles.retain(|pos, _| labels.layer.tile(*pos).is_some());
        let mut left = TILES_PER_FRAME;
        for (pos, tile) in labels.layer.tiles() {
            if self.tiles.get(&pos).is_some_and(|(known, _)| Arc::ptr_eq(known, tile)) {
                continue;
            }
            if left == 0 {
                return;
            }
            left -= 1;
            self.tiles.insert(pos, (Arc::clone(tile), counts_of(tile)));
        }
        self.totals.clear();
        for (id, n) in self.tiles.values().flat_map(|(_, counts)| counts) {
            *self.totals.entry(ClassId(u32::from(*id))).or_default() += n;
        }
        self.complete = true;
    }
}

fn counts_of(tile: &LabelTile) -> Vec<(u16, u64)> {
    let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
    for run in tile.ids().chunk_by(|a, b| a == b).filter(|run| run[0] != UNLABELLED) {
        *counts.entry(run[0]).or_default() += run.len() as u64;
    }
    counts.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nunatak_domain::grid::PixelRect;
    use nunatak_domain::label::{LabelLayer, PaintRule, PixelMask, Target, paint_mask};
    use nunatak_domain::layer::SceneId;

    #[test]
    fn counts_follow_what_is_painted_a_few_tiles_at_a_time() {
        let layer = LabelLayer::new(2560, 2560);
        let mut labels = Labels { id: LabelsId(1), name: "a".to_owned(), scene: SceneId(1), layer };
        let rule = |id| PaintRule { class: Some(ClassId(id)), onto: Target::Any };
        paint_mask(&mut labels.layer, &PixelMask::of_rect(PixelRect::new(0, 0, 2560, 2559)), rule(3));
        let mut counts = ClassCounts::default();

        let mut frames = 0;
        while !counts.complete() {
            counts.follow(&labels);
            frames += 1;
        }
        assert_eq!(frames, 100usize.div_ceil(TILES_PER_FRAME));
        assert_eq!(counts.of(ClassId(3)), 2560 * 2559);

        paint_mask(&mut labels.layer, &PixelMask::of_rect(PixelRect::new(5, 5, 10, 10)), rule(4));
        counts.invalidate();
        counts.follow(&labels);
        assert!(counts.complete(), "one tile changed");
        assert_eq!((counts.of(ClassId(3)), counts.of(ClassId(4))), (2560 * 2559 - 100, 100));
    }
}
