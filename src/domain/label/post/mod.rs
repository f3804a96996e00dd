//! Work on a whole label layer: sieve, majority, morphology, other class ids. Each gives a new
//! layer that shares the tiles it does not change; `LabelChange::between` makes it a step.

mod filter;
mod majority;
mod morphology;
mod sieve;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::layer::LabelLayer;
use super::tile::{LabelTile, UNLABELLED};
use super::{LabelError, Progress};
use crate::class::ClassId;

pub use filter::LabelFilter;
pub use majority::majority;
pub use morphology::{Element, Morphology, dilated, eroded, morphology};
pub use sieve::{remove_small, sieve};

/// Gives classes other ids, `None` takes the label away; classes that the table does not name
/// stay. Merging classes is a table with several keys to one value, "replace A by B" one entry.
///
/// # Errors
/// Cancelled.
pub fn remap(
    layer: &LabelLayer,
    table: &BTreeMap<ClassId, Option<ClassId>>,
    progress: &mut Progress<'_>,
) -> Result<LabelLayer, LabelError> {
    let mut new_ids: Vec<u16> = (0..=u16::MAX).collect();
    for (from, to) in table {
        if let Some(id) = u16::try_from(from.0).ok().filter(|&id| id != UNLABELLED) {
            new_ids[usize::from(id)] = to.map_or(UNLABELLED, |to| u16::try_from(to.0).unwrap_or(UNLABELLED));
        }
    }
    let mut result = layer.clone();
    // Tiles that were one stay one.
    let mut done: BTreeMap<*const LabelTile, Arc<LabelTile>> = BTreeMap::new();
    let n_tiles = layer.tiles().count();
    for (i, (pos, tile)) in layer.tiles().enumerate() {
        if !progress(i as f32 / n_tiles as f32) {
            return Err(LabelError::Cancelled);
        }
        if tile.ids().iter().all(|&id| new_ids[usize::from(id)] == id) {
            continue;
        }
        let new = done.entry(Arc::as_ptr(tile)).or_insert_with(|| {
            Arc::new(LabelTile::new(tile.ids().iter().map(|&id| new_ids[usize::from(id)]).collect()))
        });
        result.set_tile(pos, Some(Arc::clone(new)));
    }
    Ok(result)
}
