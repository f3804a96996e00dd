//! Where scenes lie on the map: which CRS the map has and how each scene gets there.
//!
//! The map takes the CRS of its anchor: the lowest layer's scene when the map is new, kept
//! for as long as that scene has a layer, so that reordering layers never moves the map.
//! A scene that states no CRS is taken to be in the map's; a scene without any georeference
//! is drawn only on a map of bare pixels or, if it has the anchor's size, on its grid.
//!
//! Where the map's x begins again (longitudes, Mercator), a scene is whole and lies on one copy
//! of the world: its own, or the one nearest to the anchor where its own does not meet that.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use nunatak_domain::geo::{Crs, GeoBounds, GeoPos, GeoTransform, Georeference, PixelPos};
use nunatak_domain::grid::{PixelRect, TileId, coarsest_level};
use nunatak_domain::layer::{Layer, Scene, SceneId};
use nunatak_domain::map::TileMesh;
use nunatak_domain::notice::Notice;
use nunatak_domain::scene::SceneInfo;
use nunatak_io::{Transformer, near, same_crs, warp_bounds, wgs84, x_period};

/// Points per side of the net through which a warped rectangle's bounds are found.
const NET: usize = 8;

/// The map's CRS and every scene's way onto it.
#[derive(Default)]
pub(crate) struct Atlas {
    anchor: Option<SceneId>,
    crs: Option<Crs>,
    /// After how many units the map's x begins again, where it does.
    period: Option<f64>,
    /// Somebody chose the CRS: it follows no scene.
    chosen: Option<Crs>,
    /// From the map to WGS 84.
    lon_lat: Option<Transformer>,
    places: BTreeMap<SceneId, Result<Place, Notice>>,
    warps: Warps,
}

/// Transformations made so far: making one asks PROJ's database and may take longer than a frame,
/// so that scenes of one CRS share theirs, and jobs make them for scenes that are to come.
#[derive(Default)]
struct Warps {
    known: Vec<((Crs, Crs), Rc<Warp>)>,
    /// To WGS 84, for a map that has no CRS yet.
    lon_lat: Option<Transformer>,
}

/// What a job made for the place of a new scene.
#[derive(Default)]
pub(crate) struct Prepared {
    warp: Option<((Crs, Crs), Warp)>,
    lon_lat: Option<Transformer>,
}

/// How one scene's pixels lie on the map.
pub(crate) struct Place {
    pub(crate) grid: Arc<Grid>,
    width: usize,
    height: usize,
    bounds: GeoBounds,
    warp: Option<Rc<Warp>>,
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
    /// Where the scene's middle lies on the map: of several x that mean one place, the nearest
    /// is meant. Only for warped scenes.
    pub(crate) x_near: Option<f64>,
}

impl Grid {
    /// An affine transform is exact with one cell; `None` where the scene is warped.
    pub(crate) fn exact_mesh(&self, window: PixelRect) -> Option<TileMesh> {
        if self.warp.is_some() {
            return None;
        }
        let corner = |col: usize, row: usize| self.transform.geo_from_pixel(PixelPos::new(col as f64, row as f64));
        let (left, top, right, bottom) = (window.col, window.row, window.right(), window.bottom());
        let vertices = vec![corner(left, top), corner(right, top), corner(left, bottom), corner(right, bottom)];
        Some(TileMesh { n: 1, vertices })
    }
}

/// A map that goes around the world, and the part of it that other scenes are drawn to.
#[derive(Clone, Copy)]
struct World {
    period: f64,
    anchor: GeoBounds,
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
        // A map may go on beyond the antimeridian, longitudes do not.
        Some((near(degrees.x, 0.0, 360.0), degrees.y))
    }

    /// Takes over what a job made for a scene that comes in next.
    pub(crate) fn prepare(&mut self, prepared: Prepared) {
        let Prepared { warp, lon_lat } = prepared;
        self.warps.known.extend(warp.map(|(between, warp)| (between, Rc::new(warp))));
        self.warps.lon_lat = lon_lat;
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
            *self = Self { warps: std::mem::take(&mut self.warps), ..Self::in_crs(self.chosen.take()) };
            return (notices, old_anchor.is_some());
        };
        let chosen = self.chosen.clone().filter(|_| affine(&anchor.info));
        let crs = chosen.or_else(|| map_crs(&anchor.info, layers, scenes));
        let moved = crs != self.crs || self.anchor != old_anchor;
        if moved {
            self.period = crs.as_ref().and_then(x_period);
            let ready = self.warps.lon_lat.take();
            self.lon_lat = crs.as_ref().and_then(|crs| {
                let ready = ready.filter(|ready| alike(&ready.from, crs));
                ready.or_else(|| Transformer::new(crs, &wgs84()).ok())
            });
            self.crs = crs;
            self.places.clear();
        }
        // The anchor first: the others are drawn to it.
        let (first, others): (Vec<_>, Vec<_>) = scenes.iter().partition(|(id, _)| Some(**id) == self.anchor);
        for (id, scene) in first.into_iter().chain(others) {
            if self.places.contains_key(id) {
                continue;
            }
            let world = self.world();
            let (place, remark) = place(&scene.info, &anchor.info, self.crs.as_ref(), world, &mut self.warps);
            notices.extend(remark);
            notices.extend(place.as_ref().err().cloned());
            self.places.insert(*id, place);
        }
        (notices, moved)
    }

    /// `None` before the anchor has its place.
    fn world(&self) -> Option<World> {
        Some(World { period: self.period?, anchor: self.place(self.anchor?)?.bounds })
    }
}

impl World {
    /// By how much a scene has to be moved to lie where the anchor is: whole periods.
    fn shift(&self, bounds: &GeoBounds) -> f64 {
        if bounds.min_x <= self.anchor.max_x && self.anchor.min_x <= bounds.max_x {
            return 0.0;
        }
        let x = bounds.center().x;
        near(x, self.anchor.center().x, self.period) - x
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
fn place(
    info: &SceneInfo,
    anchor: &SceneInfo,
    crs: Option<&Crs>,
    world: Option<World>,
    warps: &mut Warps,
) -> (Result<Place, Notice>, Option<Notice>) {
    let name = info.name();
    if affine(info) == affine(anchor) {
        let (grid, remark) = match (info.map_crs(), crs) {
            (Some(own), Some(map)) if !same_crs(own, map) => {
                (Grid::new(info.map_transform(), Some((own.clone(), map.clone()))), None)
            }
            (None, Some(map)) => {
                let text = format!("{name} states no CRS: it is shown as if it were in {}", map.short_name());
                let remark =
                    Notice::warning(text).next_step("Assign its CRS with gdal_edit.py -a_srs if this is wrong");
                (Grid::new(info.map_transform(), None), Some(remark))
            }
            _ => (Grid::new(info.map_transform(), None), None),
        };
        return (Place::new(grid, info, world, warps).map_err(|why| not_placed(&name, &why)), remark);
    }
    if (info.width, info.height) == (anchor.width, anchor.height) {
        let text = format!("{name} is shown on the grid of {}, whose size it has", anchor.name());
        let warp = anchor.map_crs().zip(crs).filter(|(own, map)| !same_crs(own, map));
        let warp = warp.map(|(own, map)| (own.clone(), map.clone()));
        let grid = Grid::new(anchor.map_transform(), warp);
        let remark = (!affine(info)).then(|| Notice::info(text));
        return (Place::new(grid, info, world, warps).map_err(|why| not_placed(&name, &why)), remark);
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

impl Warps {
    /// # Errors
    /// PROJ knows no way between the two CRS.
    fn between(&mut self, source: &Crs, map: &Crs) -> Result<Rc<Warp>, String> {
        if let Some((_, known)) = self.known.iter().find(|((s, m), _)| alike(s, source) && alike(m, map)) {
            return Ok(Rc::clone(known));
        }
        let warp = Rc::new(Warp::new(source, map)?);
        self.known.push(((source.clone(), map.clone()), Rc::clone(&warp)));
        Ok(warp)
    }
}

impl Warp {
    /// # Errors
    /// PROJ knows no way between the two CRS.
    fn new(source: &Crs, map: &Crs) -> Result<Self, String> {
        let between = |from, to| Transformer::new(from, to).map_err(|error| error.to_string());
        Ok(Self { map_from_source: between(source, map)?, source_from_map: between(map, source)? })
    }
}

impl Prepared {
    /// For a scene that goes onto a map in this CRS, or onto an empty one. What fails here is
    /// said when the scene is placed.
    pub(crate) fn new(info: &SceneInfo, map: Option<&Crs>) -> Self {
        let Some(own) = info.map_crs() else { return Self::default() };
        match map {
            None => Self { warp: None, lon_lat: Transformer::new(own, &wgs84()).ok() },
            Some(map) if same_crs(own, map) => Self::default(),
            Some(map) => {
                let warp = Warp::new(own, map).ok().map(|warp| ((own.clone(), map.clone()), warp));
                Self { warp, lon_lat: None }
            }
        }
    }
}

/// The same at a glance, without PROJ.
fn alike(a: &Crs, b: &Crs) -> bool {
    a.wkt == b.wkt || (a.code.is_some() && a.code == b.code)
}

impl Grid {
    const fn new(transform: GeoTransform, warp: Option<(Crs, Crs)>) -> Self {
        Self { transform, warp, x_near: None }
    }
}

impl Place {
    /// # Errors
    /// PROJ knows no way between the two CRS, or no part of the scene lies on the map.
    fn new(mut grid: Grid, info: &SceneInfo, world: Option<World>, warps: &mut Warps) -> Result<Self, String> {
        let warp = grid.warp.as_ref().map(|(source, map)| warps.between(source, map)).transpose()?;
        let (width, height) = (info.width, info.height);
        // A finer net than for tiles: a whole scene may bulge around a pole.
        let bounds = bounds_of(&grid, warp.as_deref(), PixelRect::whole(width, height), 4 * NET)
            .ok_or_else(|| "its CRS and the map's have no area in common".to_owned())?;
        let shift = world.map_or(0.0, |world| world.shift(&bounds));
        let bounds = GeoBounds { min_x: bounds.min_x + shift, max_x: bounds.max_x + shift, ..bounds };
        if warp.is_some() {
            grid.x_near = Some(bounds.center().x);
        } else {
            grid.transform.0[0] += shift;
        }
        Ok(Self { grid: Arc::new(grid), width, height, bounds, warp, tile_bounds: RefCell::default() })
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
            Some(warp) => {
                let geo = warp.map_from_source.point(geo)?;
                Some(near_to(geo, self.grid.x_near, warp.map_from_source.period))
            }
        }
    }

    pub(crate) fn pixel_from_geo(&self, pos: GeoPos) -> Option<PixelPos> {
        let geo = match &self.warp {
            None => pos,
            Some(warp) => {
                let middle = PixelPos::new(0.5 * self.width as f64, 0.5 * self.height as f64);
                let middle = self.grid.transform.geo_from_pixel(middle);
                near_to(warp.source_from_map.point(pos)?, Some(middle.x), warp.source_from_map.period)
            }
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
        let origin = corner(0.0, 0.0)?;
        let period = self.warp.as_ref().and_then(|warp| warp.map_from_source.period);
        let beside = |pos| near_to(pos, Some(origin.x), period);
        let (right, below) = (beside(corner(1.0, 0.0)?), beside(corner(0.0, 1.0)?));
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
            return bounds_of(&self.grid, None, window, 1);
        }
        *self.tile_bounds.borrow_mut().entry(tile).or_insert_with(|| {
            // Tiles that are a small part of their scene are hardly bent.
            let coarse = tile.level + 3 > coarsest_level(self.width, self.height);
            let net = if coarse { NET } else { NET / 4 };
            let bounds = bounds_of(&self.grid, self.warp.as_deref(), window, net)?;
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
}

/// Bounds on the map of a net of `(n + 1)²` points over a window.
fn bounds_of(grid: &Grid, warp: Option<&Warp>, window: PixelRect, n: usize) -> Option<GeoBounds> {
    match warp {
        Some(warp) => warp_bounds(&warp.map_from_source, &grid.transform, window, n, grid.x_near),
        None => {
            let (col, row) = (window.col as f64, window.row as f64);
            Some(grid.transform.window(col, row, 1.0, 1.0).bounds(window.width, window.height))
        }
    }
}

/// The position on the copy of the world where x is nearest to `x_near`.
fn near_to(pos: GeoPos, x_near: Option<f64>, period: Option<f64>) -> GeoPos {
    match (x_near, period) {
        (Some(x_near), Some(period)) => GeoPos::new(near(pos.x, x_near, period), pos.y),
        _ => pos,
    }
}
