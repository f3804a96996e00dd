//! Decoded tiles in memory, within a budget of bytes.
//!
//! Pixels stay until the budget is used up, then the longest unused go first; what the
//! last frame drew is never thrown away, so that a small budget cannot make the map flicker.
//! Meshes belong to the map's CRS and go when it changes.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nunatak_domain::grid::TileId;
use nunatak_domain::layer::{LayerId, SceneId};
use nunatak_domain::map::{MAX_RESIDENT_BANDS, TileKey, TileMesh, TilePixels};

pub(crate) struct TileStore {
    pixels: BTreeMap<TileKey, Entry>,
    meshes: BTreeMap<(SceneId, TileId), Arc<TileMesh>>,
    /// Could not be read, or cannot be placed on this map: not asked for again.
    failed: BTreeSet<TileKey>,
    bytes: usize,
    budget: usize,
    /// Counts frames; entries remember the last one that used them.
    clock: Cell<u64>,
}

struct Entry {
    pixels: Arc<TilePixels>,
    quality: Quality,
    bytes: usize,
    used: Cell<u64>,
}

/// How a tile was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quality {
    Exact,
    /// Every few pixels only, because reading them all takes long; the rest is to follow.
    Draft,
    /// As `Draft`, and reading them all would take too long for a window.
    Coarse,
    /// Computed from what has changed since.
    Stale,
}

impl TileStore {
    pub(crate) fn new(budget: usize) -> Self {
        Self {
            pixels: BTreeMap::new(),
            meshes: BTreeMap::new(),
            failed: BTreeSet::new(),
            bytes: 0,
            budget,
            clock: Cell::new(1),
        }
    }

    /// A new frame begins: what it takes from now on is in use.
    pub(crate) fn begin_frame(&self) {
        self.clock.set(self.clock.get() + 1);
    }

    pub(crate) fn pixels(&self, key: &TileKey) -> Option<&Arc<TilePixels>> {
        let entry = self.pixels.get(key)?;
        entry.used.set(self.clock.get());
        Some(&entry.pixels)
    }

    pub(crate) fn mesh(&self, scene: SceneId, tile: TileId) -> Option<&Arc<TileMesh>> {
        self.meshes.get(&(scene, tile))
    }

    /// Pixels and mesh are there: it can be drawn.
    pub(crate) fn complete(&self, key: &TileKey) -> bool {
        self.pixels.contains_key(key) && self.meshes.contains_key(&(key.scene, key.tile))
    }

    pub(crate) fn quality(&self, key: &TileKey) -> Option<Quality> {
        self.pixels.get(key).map(|entry| entry.quality)
    }

    /// It can be drawn, but something better is to be read.
    pub(crate) fn is_draft(&self, key: &TileKey) -> bool {
        matches!(self.quality(key), Some(Quality::Draft | Quality::Stale))
    }

    /// The layer's tiles are to be computed anew; until then they are shown as they are.
    pub(crate) fn outdate(&mut self, layer: LayerId) {
        let entries = self.pixels.iter_mut().filter(|(key, _)| key.layer() == Some(layer));
        entries.for_each(|(_, entry)| entry.quality = Quality::Stale);
        self.failed.retain(|key| key.layer() != Some(layer));
    }

    pub(crate) fn has_failed(&self, key: &TileKey) -> bool {
        self.failed.contains(key)
    }

    pub(crate) fn insert_pixels(&mut self, key: TileKey, pixels: TilePixels, quality: Quality) {
        let bytes = size_of_val(pixels.raster.data.as_slice());
        let entry = Entry { pixels: Arc::new(pixels), quality, bytes, used: Cell::new(self.clock.get()) };
        self.bytes += bytes;
        if let Some(older) = self.pixels.insert(key, entry) {
            self.bytes -= older.bytes;
        }
        self.evict();
    }

    pub(crate) fn insert_mesh(&mut self, scene: SceneId, tile: TileId, mesh: TileMesh) {
        self.meshes.insert((scene, tile), Arc::new(mesh));
    }

    pub(crate) fn fail(&mut self, key: TileKey) {
        self.failed.insert(key);
    }

    /// The map's CRS changed: every tile has to be placed anew, and may be placeable now.
    pub(crate) fn forget_meshes(&mut self) {
        self.meshes.clear();
        self.failed.clear();
    }

    pub(crate) fn clear(&mut self) {
        *self = Self { clock: self.clock.clone(), ..Self::new(self.budget) };
    }

    pub(crate) fn forget_scene(&mut self, scene: SceneId) {
        self.pixels.retain(|key, _| key.scene != scene);
        self.meshes.retain(|key, _| key.0 != scene);
        self.failed.retain(|key| key.scene != scene);
        self.bytes = self.pixels.values().map(|entry| entry.bytes).sum();
    }

    /// Makes room; the least recently used first, the last frame's tiles never.
    fn evict(&mut self) {
        if self.bytes <= self.budget {
            return;
        }
        let now = self.clock.get();
        let mut oldest: Vec<(u64, TileKey)> = self
            .pixels
            .iter()
            .filter(|(_, entry)| entry.used.get() + 1 < now)
            .map(|(key, entry)| (entry.used.get(), *key))
            .collect();
        oldest.sort_unstable();
        // A tenth more than needed, so that the next arrivals need not sort again.
        let goal = self.budget - self.budget / 10;
        for (_, key) in oldest {
            if self.bytes <= goal {
                break;
            }
            self.remove(key);
        }
    }

    fn remove(&mut self, key: TileKey) {
        if let Some(entry) = self.pixels.remove(&key) {
            self.bytes -= entry.bytes;
        }
        let group = |group| TileKey { group, ..key };
        if self.pixels.range(group(0)..=group(u32::MAX)).next().is_none() {
            self.meshes.remove(&(key.scene, key.tile));
        }
    }
}

/// The groups of bands that hold `bands` of a scene with `n_bands` bands.
pub(crate) fn groups(n_bands: usize, bands: &[usize]) -> Vec<u32> {
    if n_bands <= MAX_RESIDENT_BANDS {
        return vec![0];
    }
    let mut groups: Vec<u32> = bands.iter().filter(|&&band| band < n_bands).map(|&band| band as u32 + 1).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// The bands that a group of a scene with `n_bands` bands holds.
pub(crate) fn bands_of_group(n_bands: usize, group: u32) -> Vec<usize> {
    match group {
        0 => (0..n_bands).collect(),
        one => vec![one as usize - 1],
    }
}

#[cfg(test)]
mod tests {
    use nunatak_domain::raster::Raster;

    use super::*;

    fn key(col: u32) -> TileKey {
        TileKey { scene: SceneId(1), tile: TileId { level: 0, col, row: 0 }, group: 0 }
    }

    /// 400 bytes.
    fn pixels() -> TilePixels {
        TilePixels { bands: vec![0], raster: Raster::filled(1, 10, 10, 0.0) }
    }

    fn mesh() -> TileMesh {
        TileMesh { n: 1, vertices: Vec::new() }
    }

    #[test]
    fn the_longest_unused_tile_goes_first() {
        let mut store = TileStore::new(1000);
        for col in 0..2 {
            store.begin_frame();
            store.insert_pixels(key(col), pixels(), Quality::Exact);
            store.insert_mesh(SceneId(1), key(col).tile, mesh());
        }
        store.begin_frame();
        assert!(store.pixels(&key(0)).is_some());
        (0..3).for_each(|_| store.begin_frame());

        store.insert_pixels(key(2), pixels(), Quality::Exact);

        assert!(store.complete(&key(0)));
        assert_eq!(store.quality(&key(1)), None);
        assert!(store.mesh(SceneId(1), key(1).tile).is_none());
        assert_eq!(store.quality(&key(2)), Some(Quality::Exact));
    }

    #[test]
    fn what_the_last_frame_drew_stays_even_over_budget() {
        let mut store = TileStore::new(1);
        for col in 0..3 {
            store.insert_pixels(key(col), pixels(), Quality::Exact);
        }
        store.begin_frame();

        assert!((0..3).all(|col| store.pixels(&key(col)).is_some()));
    }

    #[test]
    fn few_bands_share_a_tile_and_many_have_one_each() {
        assert_eq!(groups(16, &[3, 2, 1]), [0]);
        assert_eq!(groups(224, &[30, 20, 20]), [21, 31]);
        assert_eq!(bands_of_group(3, 0), [0, 1, 2]);
        assert_eq!(bands_of_group(224, 31), [30]);
    }
}
