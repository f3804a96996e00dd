//! Where scenes lie on the map: which CRS the map has and how each scene gets there.
//!
//! The map takes the CRS of its anchor: the lowest layer's scene when the map is new, kept
//! for as long as that scene has a layer, so that reordering layers never moves the map.
//! A scene that states no CRS is taken to be in the map's; a scene without any georeference
//! is drawn only on a map of bare pixels or, if it has the anchor's size, on its grid.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use nunatak_domain::geo::{Crs, GeoBounds, GeoPos, GeoTransform, Georeference, PixelPos};
use nunatak_domain::grid::{PixelRect, TileId, coarsest_level};
use nunatak_domain::layer::{Layer, Scene, SceneId};
use nunatak_domain::notice::Notice;
use nunatak_domain::scene::SceneInfo;
use nunatak_io::{Transformer, same_crs, wgs84};

/// Points per side of the net through which a warped rectangle's bounds are found.
const NET: usize = 8;

/// The map's CRS and every scene's way onto it.
#[derive(Default)]
pub(crate) struct Atlas {
    anchor: Option<SceneId>,
    crs: Option<Crs>,
    /// Somebody chose the CRS: it follows no scene.
    chosen: Option<Crs>,
    /// From the map to WGS 84.
    lon_lat: Option<Transformer>,
    places: BTreeMap<SceneId, Result<Place, Notice>>,
}

/// How one scene's pixels lie on the map.
pub(crate) struct Place {
    pub(crate) grid: Arc<Grid>,
    width: usize,
    height: usize,
    bounds: GeoBounds,
    warp: Option<Warp>,
    /// Bounds on the map of tiles looked at before, for warped scenes.
    tile_bounds: RefCell<BTreeMap<TileId, Option<GeoBounds>>>,
}

/// What a worker needs to place a tile.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grid {
    /// From pixels to `crs`.
    pub(crate) transform: GeoTransform,
    /// Source and map CRS where they differ.
    pub(crate) warp: Option<(Crs, Crs)>,
}

struct Warp {
    map_from_source: Transformer,
    source_from_map: Transformer,
}

impl Atlas {
    /// A map whose CRS is chosen; `None` takes that of its scenes.
    pub(crate) fn in_crs(chosen: Option<Crs>) -> Self {
        Self { chosen, ..Self::default() }
    }

    pub(crate) fn crs(&self) -> Option<&Crs> {
        self.crs.as_ref()
    }

    /// The scene's place, `None` where it is not drawn.
    pub(crate) fn place(&self, scene: SceneId) -> Option<&Place> {
        self.places.get(&scene)?.as_ref().ok()
    }

    pub(crate) fn lon_lat(&self, geo: GeoPos) -> Option<(f64, f64)> {
        let degrees = self.lon_lat.as_ref()?.point(geo)?;
        Some((degrees.x, degrees.y))
    }

    /// Places all scenes anew after the list of layers changed. Returns what is to be said
    /// of scenes that came in, and whether scenes lie elsewhere than before.
    pub(crate) fn update(&mut self, layers: &[Layer], scenes: &BTreeMap<SceneId, Scene>) -> (Vec<Notice>, bool) {
        let mut notices = Vec::new();
        let old_anchor = self.anchor;
        if self.anchor.is_none_or(|anchor| !scenes.contains_key(&anchor)) {
            let mut ids = layers.iter().map(|layer| layer.source.scene());
            let on_ground = |id: &SceneId| scenes.get(id).is_some_and(|scene| affine(&scene.info));
            // Bare pixels are no place in a chosen CRS.
            let fitting = self.chosen.is_some().then(|| ids.clone().find(on_ground)).flatten();
            self.anchor = fitting.or_else(|| ids.next());
        }
        self.places.retain(|id, _| scenes.contains_key(id));
        let Some(anchor) = self.anchor.and_then(|id| scenes.get(&id)) else {
            *self = Self::in_crs(self.chosen.take());
            return (notices, old_anchor.is_some());
        };
        let chosen = self.chosen.clone().filter(|_| affine(&anchor.info));
        let crs = chosen.or_else(|| map_crs(&anchor.info, layers, scenes));
        let moved = crs != self.crs || self.anchor != old_anchor;
        if moved {
            self.lon_lat = crs.as_ref().and_then(|crs| Transformer::new(crs, &wgs84()).ok());
            self.crs = crs;
            self.places.clear();
        }
        for (id, scene) in scenes {
            if self.places.contains_key(id) {
                continue;
            }
            let (place, remark) = place(&scene.info, &anchor.info, self.crs.as_ref());
            notices.extend(remark);
            notices.extend(place.as_ref().err().cloned());
            self.places.insert(*id, place);
        }
        (notices, moved)
    }
}

/// The anchor's CRS; where it states a transform but no CRS, that of the lowest layer which states one.
fn map_crs(anchor: &SceneInfo, layers: &[Layer], scenes: &BTreeMap<SceneId, Scene>) -> Option<Crs> {
    if !affine(anchor) {
        return None;
    }
    let lowest = || layers.iter().find_map(|layer| scenes.get(&layer.source.scene())?.info.map_crs());
    anchor.map_crs().or_else(lowest).cloned()
}

fn affine(info: &SceneInfo) -> bool {
    matches!(info.georeference, Georeference::Affine { .. })
}

/// A scene's place on the map of `anchor`, and what a person should know about it.
fn place(info: &SceneInfo, anchor: &SceneInfo, crs: Option<&Crs>) -> (Result<Place, Notice>, Option<Notice>) {
    let name = info.name();
    if affine(info) == affine(anchor) {
        let (grid, remark) = match (info.map_crs(), crs) {
            (Some(own), Some(map)) if !same_crs(own, map) => {
                (Grid { transform: info.map_transform(), warp: Some((own.clone(), map.clone())) }, None)
            }
            (None, Some(map)) => {
                let text = format!("{name} states no CRS: it is shown as if it were in {}", map.short_name());
                let remark =
                    Notice::warning(text).next_step("Assign its CRS with gdal_edit.py -a_srs if this is wrong");
                (Grid { transform: info.map_transform(), warp: None }, Some(remark))
            }
            _ => (Grid { transform: info.map_transform(), warp: None }, None),
        };
        return (Place::new(grid, info).map_err(|why| not_placed(&name, &why)), remark);
    }
    if (info.width, info.height) == (anchor.width, anchor.height) {
        let text = format!("{name} is shown on the grid of {}, whose size it has", anchor.name());
        let warp = anchor.map_crs().zip(crs).filter(|(own, map)| !same_crs(own, map));
        let warp = warp.map(|(own, map)| (own.clone(), map.clone()));
        let grid = Grid { transform: anchor.map_transform(), warp };
        let remark = (!affine(info)).then(|| Notice::info(text));
        return (Place::new(grid, info).map_err(|why| not_placed(&name, &why)), remark);
    }
    let why = if affine(info) {
        format!("the map shows the bare pixels of {}", anchor.name())
    } else {
        "it has no georeference".to_owned()
    };
    (Err(not_placed(&name, &why)), None)
}

fn not_placed(name: &str, why: &str) -> Notice {
    Notice::warning(format!("{name} cannot be placed on this map: {why}"))
        .next_step("Open it alone in a new window, or give both files a georeference")
}

impl Place {
    /// # Errors
    /// PROJ knows no way between the two CRS, or no part of the scene lies on the map.
    fn new(grid: Grid, info: &SceneInfo) -> Result<Self, String> {
        let warp = match &grid.warp {
            None => None,
            Some((source, map)) => Some(Warp {
                map_from_source: Transformer::new(source, map).map_err(|error| error.to_string())?,
                source_from_map: Transformer::new(map, source).map_err(|error| error.to_string())?,
            }),
        };
        let (width, height) = (info.width, info.height);
        let bounds = GeoBounds::default();
        let mut place = Self { grid: Arc::new(grid), width, height, bounds, warp, tile_bounds: RefCell::default() };
        // A finer net than for tiles: a whole scene may bulge around a pole.
        place.bounds = place
            .rect_bounds(PixelRect::whole(width, height), 4 * NET)
            .ok_or_else(|| "its CRS and the map's have no area in common".to_owned())?;
        Ok(place)
    }

    pub(crate) const fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Around the scene, in the map's CRS.
    pub(crate) const fn bounds(&self) -> GeoBounds {
        self.bounds
    }

    pub(crate) fn geo_from_pixel(&self, pos: PixelPos) -> Option<GeoPos> {
        let geo = self.grid.transform.geo_from_pixel(pos);
        match &self.warp {
            None => Some(geo),
            Some(warp) => warp.map_from_source.point(geo),
        }
    }

    pub(crate) fn pixel_from_geo(&self, pos: GeoPos) -> Option<PixelPos> {
        let geo = match &self.warp {
            None => pos,
            Some(warp) => warp.source_from_map.point(pos)?,
        };
        self.grid.transform.pixel_from_geo(geo)
    }

    /// Pixel at a place, `None` outside of the scene.
    pub(crate) fn pixel_at(&self, pos: GeoPos) -> Option<PixelPos> {
        let pixel = self.pixel_from_geo(pos)?;
        let inside =
            pixel.col >= 0.0 && pixel.row >= 0.0 && pixel.col < self.width as f64 && pixel.row < self.height as f64;
        inside.then_some(pixel)
    }

    /// Side of a scene pixel around a place of the map, in units of the map; the place is
    /// first moved into the scene. `None` where nothing can be said.
    pub(crate) fn pixel_size_near(&self, pos: GeoPos) -> Option<f64> {
        let clamp = |value: f64, max: usize| value.clamp(0.0, (max as f64 - 1.0).max(0.0));
        let middle = PixelPos::new(0.5 * self.width as f64, 0.5 * self.height as f64);
        let pixel = self.pixel_from_geo(pos).filter(|p| p.col.is_finite() && p.row.is_finite()).unwrap_or(middle);
        let (col, row) = (clamp(pixel.col, self.width), clamp(pixel.row, self.height));
        let corner = |dc, dr| self.geo_from_pixel(PixelPos::new(col + dc, row + dr));
        let (origin, right, below) = (corner(0.0, 0.0)?, corner(1.0, 0.0)?, corner(0.0, 1.0)?);
        let area = (right.x - origin.x) * (below.y - origin.y) - (right.y - origin.y) * (below.x - origin.x);
        Some(area.abs().sqrt()).filter(|size| *size > 0.0 && size.is_finite())
    }

    /// The window of scene pixels inside bounds of the map, `None` where they do not meet.
    pub(crate) fn window_of(&self, bounds: &GeoBounds) -> Option<PixelRect> {
        let at = |min: f64, max: f64, i: usize| min + (max - min) * i as f64 / NET as f64;
        let net = (0..=NET).flat_map(|i| (0..=NET).map(move |j| (i, j)));
        let pixels = net.filter_map(|(i, j)| {
            let geo = GeoPos::new(at(bounds.min_x, bounds.max_x, j), at(bounds.min_y, bounds.max_y, i));
            let pixel = self.pixel_from_geo(geo)?;
            Some(GeoPos::new(pixel.col, pixel.row))
        });
        let around = GeoBounds::around(pixels)?;
        let whole = |value: f64, max: usize| value.clamp(0.0, max as f64) as usize;
        let (col, row) = (whole(around.min_x.floor(), self.width), whole(around.min_y.floor(), self.height));
        let (right, bottom) = (whole(around.max_x.ceil(), self.width), whole(around.max_y.ceil(), self.height));
        (right > col && bottom > row).then(|| PixelRect::new(col, row, right - col, bottom - row))
    }

    /// Around a tile, in the map's CRS; `None` if it lies outside of scene or map.
    pub(crate) fn tile_bounds(&self, tile: TileId) -> Option<GeoBounds> {
        let window = tile.window(self.width, self.height)?;
        if self.warp.is_none() {
            return self.rect_bounds(window, 1);
        }
        *self.tile_bounds.borrow_mut().entry(tile).or_insert_with(|| {
            // Tiles that are a small part of their scene are hardly bent.
            let coarse = tile.level + 3 > coarsest_level(self.width, self.height);
            let bounds = self.rect_bounds(window, if coarse { NET } else { NET / 4 })?;
            // A curved edge bulges between two points of the net by far less than this.
            let (dx, dy) = (0.05 * bounds.width(), 0.05 * bounds.height());
            Some(GeoBounds {
                min_x: bounds.min_x - dx,
                min_y: bounds.min_y - dy,
                max_x: bounds.max_x + dx,
                max_y: bounds.max_y + dy,
            })
        })
    }

    /// Bounds of a net of `(n + 1)²` points over a window.
    fn rect_bounds(&self, window: PixelRect, n: usize) -> Option<GeoBounds> {
        let at = |start: usize, length: usize, i: usize| start as f64 + length as f64 * i as f64 / n as f64;
        let points = (0..=n).flat_map(|i| (0..=n).map(move |j| (i, j))).filter_map(|(i, j)| {
            self.geo_from_pixel(PixelPos::new(at(window.col, window.width, j), at(window.row, window.height, i)))
        });
        GeoBounds::around(points)
    }
}
