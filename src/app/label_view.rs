//! Label layers as the map draws them: coarser levels, and tiles of class ids for the renderer.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use nunatak_domain::grid::{PixelRect, TILE_SIZE, TileId};
use nunatak_domain::label::{LabelLayer, LabelPyramid, LabelTile, LabelsId, UNLABELLED};
use nunatak_domain::map::TilePixels;
use nunatak_domain::raster::Raster;

/// Tiles kept per layer before those that the last frame did not draw go: 64 MiB.
const MAX_TILES: usize = 256;

/// Derived from the document, so it is behind a cell: drawing may fill it.
#[derive(Default)]
pub(crate) struct LabelView {
    layers: RefCell<BTreeMap<LabelsId, View>>,
}

#[derive(Default)]
struct View {
    pyramid: LabelPyramid,
    tiles: BTreeMap<TileId, Drawn>,
    frame: u64,
}

struct Drawn {
    of: Arc<LabelTile>,
    pixels: Arc<TilePixels>,
    frame: u64,
}

impl LabelView {
    /// Takes note that a window of a layer has changed.
    pub(crate) fn invalidate(&self, labels: LabelsId, rect: PixelRect) {
        if let Some(view) = self.layers.borrow_mut().get_mut(&labels) {
            view.pyramid.invalidate(rect);
        }
    }

    /// Another document: nothing that was derived holds.
    pub(crate) fn clear(&self) {
        self.layers.borrow_mut().clear();
    }

    pub(crate) fn begin_frame(&self) {
        for view in self.layers.borrow_mut().values_mut() {
            view.frame += 1;
            if view.tiles.len() > MAX_TILES {
                let last = view.frame - 1;
                view.tiles.retain(|_, drawn| drawn.frame >= last);
            }
        }
    }

    /// Class ids of a tile, NaN where there is no label; `None` where nothing is labelled. The
    /// same `Arc` for as long as the tile does not change. About 50 µs for a tile that did.
    pub(crate) fn pixels(&self, labels: LabelsId, layer: &LabelLayer, tile: TileId) -> Option<Arc<TilePixels>> {
        let mut layers = self.layers.borrow_mut();
        let view = layers.entry(labels).or_default();
        let of = view.pyramid.tile(layer, tile)?;
        let frame = view.frame;
        if let Some(drawn) = view.tiles.get_mut(&tile).filter(|drawn| Arc::ptr_eq(&drawn.of, &of)) {
            drawn.frame = frame;
            return Some(Arc::clone(&drawn.pixels));
        }
        let pixels = Arc::new(as_pixels(&of, tile.size_px(layer.width(), layer.height())?));
        view.tiles.insert(tile, Drawn { of, pixels: Arc::clone(&pixels), frame });
        Some(pixels)
    }
}

fn as_pixels(tile: &LabelTile, (width, height): (usize, usize)) -> TilePixels {
    let value = |&id: &u16| if id == UNLABELLED { f32::NAN } else { f32::from(id) };
    let (width, height) = (width.min(TILE_SIZE), height.min(TILE_SIZE));
    let data = (0..height).flat_map(|row| tile.row(row)[..width].iter().map(value)).collect();
    TilePixels { bands: vec![0], raster: Raster::new(1, width, height, data) }
}

#[cfg(test)]
mod tests {
    use nunatak_domain::class::ClassId;
    use nunatak_domain::label::{PaintRule, PixelMask, Target, paint_mask};

    use super::*;

    #[test]
    fn a_tile_is_made_again_only_where_it_changed() {
        let view = LabelView::default();
        let labels = LabelsId(1);
        let mut layer = LabelLayer::new(700, 300);
        let rule = PaintRule { class: Some(ClassId(3)), onto: Target::Any };
        let paint = |layer: &mut LabelLayer, rect| {
            paint_mask(layer, &PixelMask::of_rect(rect), rule);
            view.invalidate(labels, rect);
        };
        let tile = |level, col, row| TileId { level, col, row };
        paint(&mut layer, PixelRect::new(10, 10, 20, 20));
        paint(&mut layer, PixelRect::new(600, 10, 20, 20));
        let (left, right) =
            (view.pixels(labels, &layer, tile(0, 0, 0)), view.pixels(labels, &layer, tile(0, 2, 0)).expect("painted"));

        paint(&mut layer, PixelRect::new(0, 0, 5, 5));

        assert_eq!((right.raster.width, right.raster.height), (700 - 512, 256));
        assert!(Arc::ptr_eq(&right, &view.pixels(labels, &layer, tile(0, 2, 0)).expect("as before")));
        let now = view.pixels(labels, &layer, tile(0, 0, 0)).expect("painted");
        assert!(!Arc::ptr_eq(&left.expect("painted"), &now));
        assert_eq!(now.raster.get(0, 2, 2), 3.0);
        assert!(now.raster.get(0, 100, 100).is_nan());
        let coarse = view.pixels(labels, &layer, tile(2, 0, 0)).expect("painted");
        assert_eq!((coarse.raster.width, coarse.raster.height), (175, 75));
        assert_eq!(coarse.raster.get(0, 4, 4), 3.0);
        assert!(view.pixels(labels, &layer, tile(0, 1, 1)).is_none());
    }
}
