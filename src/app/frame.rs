//! From a view to the list of tiles to draw, and of those that are missing.
//!
//! A tile that has not arrived is covered by finer tiles that are there (after zooming
//! out) or by the part of a coarser one (after zooming in), each place by one tile only,
//! so that layers which are not opaque show no overlaps.

use std::sync::Arc;

use nunatak_domain::geo::{GeoBounds, GeoPos};
use nunatak_domain::grid::{PixelRect, TileId, coarsest_level};
use nunatak_domain::label::LabelsId;
use nunatak_domain::layer::{Layer, LayerSource, Scene, SceneId};
use nunatak_domain::map::{
    DrawLayer, DrawTile, MAX_RESIDENT_BANDS, MapFrame, MapView, Swipe, TileKey, TileMesh, TilePixels,
};
use nunatak_domain::project::Project;

use crate::label_view::LabelView;
use crate::layers::Layers;
use crate::placement::{Atlas, Place};
use crate::references::References;
use crate::tiles::{TileStore, groups};

/// Most tiles that one layer asks for in one frame: a 8K screen has about 600.
const MAX_TILES: usize = 2048;

/// How many levels finer tiles may stand in for a missing one.
const FINER_LEVELS: u8 = 2;

/// Everything a frame is made of.
pub(crate) struct Stage<'a> {
    pub(crate) layers: &'a Layers,
    pub(crate) atlas: &'a Atlas,
    pub(crate) tiles: &'a TileStore,
    /// For prior layers.
    pub(crate) references: &'a References,
    /// For label layers; without them those are left out.
    pub(crate) labels: Option<(&'a LabelView, &'a Project)>,
    /// Ask for a coarse tile first where no place could be filled otherwise.
    pub(crate) coarse_first: bool,
}

impl Stage<'_> {
    pub(crate) fn frame(&self, view: &MapView, swipe: Option<Swipe>) -> MapFrame {
        self.tiles.begin_frame();
        if let Some((view, _)) = self.labels {
            view.begin_frame();
        }
        let mut missing = Vec::new();
        let mut layers = Vec::new();
        for layer in self.layers.all().iter().filter(|layer| layer.visible && layer.opacity > 0.0) {
            let swiped = swipe.is_some_and(|swipe| swipe.layer == layer.id);
            if let Some(tiles) = self.layer_tiles(layer, view, &mut missing) {
                layers.push(self.draw_layer(layer, tiles, swiped));
            }
        }
        MapFrame { view: *view, layers, swipe: swipe.map(|swipe| swipe.at), missing: most_wanted_first(missing) }
    }

    fn draw_layer(&self, layer: &Layer, tiles: Vec<DrawTile>, swiped: bool) -> DrawLayer {
        let prior = match layer.source {
            LayerSource::Prior { scene } => {
                self.layers.scene(scene).and_then(|scene| self.references.prior_on(&scene.info))
            }
            LayerSource::Scene { .. }
            | LayerSource::Labels { .. }
            | LayerSource::Index { .. }
            | LayerSource::Spectral { .. } => None,
        };
        let (opacity, blend, style) = (layer.opacity, layer.blend, layer.style.clone());
        DrawLayer { layer: layer.id, opacity, blend, style, prior, swiped, tiles }
    }

    /// `None` for layers that cannot be drawn on this map.
    fn layer_tiles(&self, layer: &Layer, view: &MapView, missing: &mut Vec<Missing>) -> Option<Vec<DrawTile>> {
        let scene = self.layers.scene(layer.source.scene())?;
        let place = self.atlas.place(scene.id)?;
        let bands = match layer.source {
            LayerSource::Labels { labels, .. } => return self.label_tiles(labels, scene, place, view, missing),
            LayerSource::Scene { .. } => layer.style.bands(),
            LayerSource::Index { .. } | LayerSource::Spectral { .. } => self.layers.computed(layer.id)?.bands.clone(),
            LayerSource::Prior { .. } => {
                let prior = self.references.prior_on(&scene.info)?;
                (prior.n_bands() <= MAX_RESIDENT_BANDS).then_some(())?;
                (0..prior.n_bands()).collect()
            }
        };
        let groups = if layer.source.computed() {
            vec![TileKey::group_of_layer(layer.id)]
        } else {
            groups(scene.info.n_bands(), &bands)
        };
        let coarse_first = self.coarse_first;
        let painter =
            LayerTiles { scene, place, groups: &groups, tiles: self.tiles, center: view.center, coarse_first };
        let mut out = Vec::new();
        let level = level(place, view);
        for tile in visible(place, level, &view.bounds()) {
            painter.cover(tile, FINER_LEVELS, &mut out);
            painter.list_missing(tile, missing);
        }
        Some(out)
    }
}

impl Stage<'_> {
    fn label_tiles(
        &self,
        labels: LabelsId,
        scene: &Scene,
        place: &Place,
        view: &MapView,
        missing: &mut Vec<Missing>,
    ) -> Option<Vec<DrawTile>> {
        let (label_view, project) = self.labels?;
        let layer = &project.labels(labels)?.layer;
        let mut out = Vec::new();
        for tile in visible(place, level(place, view), &view.bounds()) {
            let Some(pixels) = label_view.pixels(labels, layer, tile) else { continue };
            let Some(mesh) = self.label_mesh(scene, place, tile) else {
                let center = place.tile_bounds(tile).map_or(view.center, |bounds| bounds.center());
                let (dx, dy) = (center.x - view.center.x, center.y - view.center.y);
                let key = TileKey::place_only(scene.id, tile);
                if !self.tiles.has_failed(&key) {
                    missing.push(Missing { key, draft: false, distance: dx * dx + dy * dy });
                }
                continue;
            };
            let parts = vec![(TileKey::of_labels(scene.id, tile, labels), pixels)];
            out.push(DrawTile { parts, source: [0.0, 0.0, 1.0, 1.0], mesh });
        }
        Some(out)
    }

    /// Where a tile lies: known from the scene's own tiles, or exact at once where nothing is warped.
    fn label_mesh(&self, scene: &Scene, place: &Place, tile: TileId) -> Option<Arc<TileMesh>> {
        if let Some(mesh) = self.tiles.mesh(scene.id, tile) {
            return Some(Arc::clone(mesh));
        }
        let window = tile.window(scene.info.width, scene.info.height)?;
        place.grid.exact_mesh(window).map(Arc::new)
    }
}

/// The level whose pixels are between half and one screen pixel wide.
fn level(place: &Place, view: &MapView) -> u8 {
    let (width, height) = place.size();
    let coarsest = coarsest_level(width, height);
    let Some(pixel) = place.pixel_size_near(view.center) else { return coarsest };
    let scene_px_per_screen_px = view.units_per_px / pixel;
    // A hair above one keeps 1:1 at full resolution in spite of rounding.
    let level = (scene_px_per_screen_px * (1.0 + 1e-9)).log2().floor();
    level.clamp(0.0, f64::from(coarsest)) as u8
}

/// The tiles of a level that touch `bounds`, found from the coarsest tile downward.
fn visible(place: &Place, level: u8, bounds: &GeoBounds) -> Vec<TileId> {
    let (width, height) = place.size();
    let mut stack = vec![TileId { level: coarsest_level(width, height), col: 0, row: 0 }];
    let mut found = Vec::new();
    while let Some(tile) = stack.pop() {
        if !place.tile_bounds(tile).is_some_and(|around| around.intersects(bounds)) {
            continue;
        }
        if tile.level <= level {
            found.push(tile);
            if found.len() == MAX_TILES {
                break;
            }
        } else {
            stack.extend(children(tile));
        }
    }
    found
}

fn children(tile: TileId) -> [TileId; 4] {
    [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dc, dr)| TileId {
        level: tile.level - 1,
        col: tile.col * 2 + dc,
        row: tile.row * 2 + dr,
    })
}

/// A tile to be asked for.
struct Missing {
    key: TileKey,
    draft: bool,
    /// Squared distance of its middle from that of the view.
    distance: f64,
}

/// What cannot be drawn yet before what can; coarse tiles first, so that no place stays
/// empty; then from the middle outward.
fn most_wanted_first(mut missing: Vec<Missing>) -> Vec<TileKey> {
    missing.sort_by(|a, b| {
        let draft = a.draft.cmp(&b.draft);
        draft
            .then(b.key.tile.level.cmp(&a.key.tile.level))
            .then(a.distance.total_cmp(&b.distance))
            .then(a.key.cmp(&b.key))
    });
    missing.dedup_by_key(|missing| missing.key);
    missing.into_iter().map(|missing| missing.key).collect()
}

/// One layer's tiles in one frame.
struct LayerTiles<'a> {
    scene: &'a Scene,
    place: &'a Place,
    groups: &'a [u32],
    tiles: &'a TileStore,
    center: GeoPos,
    coarse_first: bool,
}

impl LayerTiles<'_> {
    /// Adds what shows the area of `tile` best; finer tiles from up to `depth` levels below.
    fn cover(&self, tile: TileId, depth: u8, out: &mut Vec<DrawTile>) {
        if let Some(whole) = self.loaded(tile) {
            out.push(whole);
        } else if self.finer_loaded(tile, depth) {
            for child in children(tile) {
                if child.window(self.scene.info.width, self.scene.info.height).is_some() {
                    self.cover(child, depth - 1, out);
                }
            }
        } else {
            out.extend(self.part_of_ancestor(tile));
        }
    }

    /// Invariant: false for depth 0.
    fn finer_loaded(&self, tile: TileId, depth: u8) -> bool {
        depth > 0
            && tile.level > 0
            && children(tile).into_iter().any(|child| self.complete(child) || self.finer_loaded(child, depth - 1))
    }

    fn complete(&self, tile: TileId) -> bool {
        self.groups.iter().all(|&group| self.tiles.complete(&self.key(tile, group)))
    }

    fn loaded(&self, tile: TileId) -> Option<DrawTile> {
        let mesh = Arc::clone(self.tiles.mesh(self.scene.id, tile)?);
        Some(DrawTile { parts: self.parts(tile)?, source: [0.0, 0.0, 1.0, 1.0], mesh })
    }

    fn parts(&self, tile: TileId) -> Option<Vec<(TileKey, Arc<TilePixels>)>> {
        let part = |&group: &u32| {
            let key = self.key(tile, group);
            Some((key, Arc::clone(self.tiles.pixels(&key)?)))
        };
        self.groups.iter().map(part).collect()
    }

    /// The nearest loaded ancestor, cut to the area of `tile`.
    fn part_of_ancestor(&self, tile: TileId) -> Option<DrawTile> {
        let (width, height) = (self.scene.info.width, self.scene.info.height);
        let coarsest = coarsest_level(width, height);
        let mut ancestor = tile;
        while ancestor.level < coarsest {
            ancestor = ancestor.parent();
            if !self.complete(ancestor) {
                continue;
            }
            let source = fractions(tile.window(width, height)?, ancestor.window(width, height)?);
            let mesh = match self.tiles.mesh(self.scene.id, tile) {
                Some(mesh) => Arc::clone(mesh),
                None => Arc::new(part_of_mesh(self.tiles.mesh(self.scene.id, ancestor)?, source)),
            };
            return Some(DrawTile { parts: self.parts(ancestor)?, source: source.map(|s| s as f32), mesh });
        }
        None
    }

    /// Lists what has to be read for `tile`, and a coarse one where nothing could stand in.
    fn list_missing(&self, tile: TileId, missing: &mut Vec<Missing>) {
        self.list(tile, missing);
        if self.complete(tile) {
            return;
        }
        let (width, height) = (self.scene.info.width, self.scene.info.height);
        let top = TileId { level: coarsest_level(width, height), col: 0, row: 0 };
        if self.coarse_first && tile != top && !self.complete(top) {
            self.list(top, missing);
        }
    }

    fn list(&self, tile: TileId, missing: &mut Vec<Missing>) {
        let center = self.place.tile_bounds(tile).map_or(self.center, |bounds| bounds.center());
        let (dx, dy) = (center.x - self.center.x, center.y - self.center.y);
        for &group in self.groups {
            let key = self.key(tile, group);
            let draft = self.tiles.is_draft(&key);
            if (draft || !self.tiles.complete(&key)) && !self.tiles.has_failed(&key) {
                missing.push(Missing { key, draft, distance: dx * dx + dy * dy });
            }
        }
    }

    const fn key(&self, tile: TileId, group: u32) -> TileKey {
        let scene: SceneId = self.scene.id;
        TileKey { scene, tile, group }
    }
}

/// Where `part` lies in `whole`: `[u0, v0, u1, v1]`.
fn fractions(part: PixelRect, whole: PixelRect) -> [f64; 4] {
    let across = |at: usize| (at as f64 - whole.col as f64) / whole.width as f64;
    let down = |at: usize| (at as f64 - whole.row as f64) / whole.height as f64;
    [across(part.col), down(part.row), across(part.right()), down(part.bottom())]
}

/// The mesh over a part of a tile, bilinear between the vertices of the tile's own.
fn part_of_mesh(mesh: &TileMesh, [u0, v0, u1, v1]: [f64; 4]) -> TileMesh {
    let n = mesh.n;
    let vertex = |i: usize, j: usize| mesh.vertices[i * (n + 1) + j];
    let at = |u: f64, v: f64| {
        let (x, y) = (u * n as f64, v * n as f64);
        let (j, i) = ((x as usize).min(n - 1), (y as usize).min(n - 1));
        let (fx, fy) = (x - j as f64, y - i as f64);
        let mix = |a: GeoPos, b: GeoPos, t: f64| GeoPos::new(a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t);
        mix(mix(vertex(i, j), vertex(i, j + 1), fx), mix(vertex(i + 1, j), vertex(i + 1, j + 1), fx), fy)
    };
    let between = |a: f64, b: f64, i: usize| a + (b - a) * i as f64 / n as f64;
    let vertices = (0..=n).flat_map(|i| (0..=n).map(move |j| (i, j)));
    let vertices = vertices.map(|(i, j)| at(between(u0, u1, j), between(v0, v1, i))).collect();
    TileMesh { n, vertices }
}
