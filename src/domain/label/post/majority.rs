//! Majority filter.

use std::sync::Arc;

use crate::grid::{PixelRect, TILE_SIZE};
use crate::label::layer::LabelLayer;
use crate::label::tile::{LabelTile, UNLABELLED};
use crate::label::{LabelError, Progress};

/// Gives each labelled pixel the class that most labelled pixels of the `size_px`² around it
/// have; if several are as many, its own if that is one of them, else the lowest id. Pixels
/// without a label stay so and do not count; nor does what lies beyond the edge.
///
/// `size_px` is odd; an even one is taken as the next. Costs `size_px` per pixel where classes
/// meet, nothing inside of them.
///
/// # Errors
/// Cancelled.
pub fn majority(layer: &LabelLayer, size_px: usize, progress: &mut Progress<'_>) -> Result<LabelLayer, LabelError> {
    let reach = (size_px / 2).min(layer.width().max(layer.height()));
    let mut result = layer.clone();
    let n_tiles = layer.tiles().count();
    for (i, (pos, tile)) in layer.tiles().enumerate() {
        if !progress(i as f32 / n_tiles as f32) {
            return Err(LabelError::Cancelled);
        }
        let Some(rect) = pos.rect().intersection(&layer.rect()) else { continue };
        let around = rect.grown(reach, layer.width(), layer.height());
        let ids = layer.read(around);
        if ids.iter().all(|&id| id == ids[0]) {
            continue;
        }
        let mut new = LabelTile::clone(tile);
        filter(&ids, around, rect, reach, &mut new);
        if new != **tile {
            result.set_tile(pos, Some(Arc::new(new)));
        }
    }
    Ok(result)
}

/// Filters the pixels of `rect` from those of `around`, row by row with a moving histogram.
fn filter(ids: &[u16], around: PixelRect, rect: PixelRect, reach: usize, tile: &mut LabelTile) {
    // Ids in ascending order become indexes, so that a histogram is short.
    let mut classes: Vec<u16> = ids.iter().copied().filter(|&id| id != UNLABELLED).collect();
    classes.sort_unstable();
    classes.dedup();
    let unlabelled = classes.len();
    let mut index_of = vec![unlabelled; 1 << 16];
    for (index, &id) in classes.iter().enumerate() {
        index_of[usize::from(id)] = index;
    }
    let indexes: Vec<usize> = ids.iter().map(|&id| index_of[usize::from(id)]).collect();

    let mut counts = vec![0i32; unlabelled + 1];
    for row in rect.row..rect.bottom() {
        let rows = row.saturating_sub(reach).max(around.row)..(row + reach + 1).min(around.bottom());
        let count = |col: usize, by: i32, counts: &mut [i32]| {
            for row in rows.clone() {
                counts[indexes[(row - around.row) * around.width + col - around.col]] += by;
            }
        };
        counts.fill(0);
        for col in around.col..(rect.col + reach).min(around.right()) {
            count(col, 1, &mut counts);
        }
        for col in rect.col..rect.right() {
            if col + reach < around.right() {
                count(col + reach, 1, &mut counts);
            }
            if col > around.col + reach {
                count(col - reach - 1, -1, &mut counts);
            }
            let own = indexes[(row - around.row) * around.width + col - around.col];
            if own == unlabelled {
                continue;
            }
            let mut best = own;
            for index in 0..unlabelled {
                if counts[index] > counts[best] {
                    best = index;
                }
            }
            tile.ids_mut()[(row % TILE_SIZE) * TILE_SIZE + col % TILE_SIZE] = classes[best];
        }
    }
}
