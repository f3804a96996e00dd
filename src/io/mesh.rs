//! Grids of map positions over a window of pixels, fine enough that straight lines between
//! them lie within a stated error of the true transformation.

use nunatak_domain::geo::{GeoBounds, GeoPos, GeoTransform, PixelPos};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::map::TileMesh;

use crate::reproject::Transformer;

/// A mesh has at most this many cells along a side.
pub const MAX_CELLS: usize = 32;

/// The mesh of a tile: map positions of a grid over `window` (scene pixels), the coarsest of
/// 1, 2, 4, … 32 cells along a side whose bilinear interpolation lies within `tolerance_px` of
/// the true positions, in pixels of the tile's own `size_px`.
///
/// Vertices that have no place in the map's CRS are NaN, and the mesh is then the finest one:
/// cells with such a vertex are not to be drawn. Where the map's x begins again after a period
/// (longitudes, Mercator), x runs on continuously within the mesh, beyond ±180° if need be,
/// and the tile lies where its middle is nearest to `x_near`: tiles of one scene that are
/// given one `x_near` meet.
pub fn warp_mesh(
    transformer: &Transformer,
    transform: &GeoTransform,
    window: PixelRect,
    size_px: (usize, usize),
    tolerance_px: f64,
    x_near: Option<f64>,
) -> TileMesh {
    if transformer.identity() {
        return TileMesh { n: 1, vertices: affine_grid(transform, window, 1) };
    }
    let grid = Grid::new(transformer, transform, window, x_near);
    // The finest grid whose middles are still checked.
    let finest = 2 * MAX_CELLS;
    if let Some(period) = transformer.period {
        let coarse = grid.exact(2);
        let jumps =
            |positions: &[GeoPos]| positions.windows(2).any(|pair| (pair[0].x - pair[1].x).abs() > 0.25 * period);
        let wide = jumps(&coarse) || coarse.iter().any(|pos| pos.x.is_nan());
        if wide {
            let fine = grid.continuous(finest);
            return coarsest_within(size_px, tolerance_px, |n| thinned(&fine, finest, n));
        }
    }
    coarsest_within(size_px, tolerance_px, |n| grid.continuous(n))
}

/// Bounds of the net of `(n + 1)²` map positions over `window`, continuous and near `x_near` as
/// `warp_mesh`'s; `None` if no position has an image.
///
/// Around a pole no net is continuous: the bounds then reach a whole period to either side.
pub fn warp_bounds(
    transformer: &Transformer,
    transform: &GeoTransform,
    window: PixelRect,
    n: usize,
    x_near: Option<f64>,
) -> Option<GeoBounds> {
    let net = Grid::new(transformer, transform, window, x_near).continuous(n);
    let bounds = GeoBounds::around(net.iter().copied())?;
    let Some(period) = transformer.period else { return Some(bounds) };
    let torn = |a: GeoPos, b: GeoPos| (a.x - b.x).abs() > 0.5 * period;
    let across = net.chunks_exact(n + 1).any(|row| row.windows(2).any(|pair| torn(pair[0], pair[1])));
    let down = net.iter().zip(&net[n + 1..]).any(|(above, below)| torn(*above, *below));
    if !(across || down) {
        return Some(bounds);
    }
    let middle = x_near.unwrap_or_else(|| bounds.center().x);
    Some(GeoBounds { min_x: bounds.min_x.min(middle - period), max_x: bounds.max_x.max(middle + period), ..bounds })
}

/// The x nearest to `near` that means the same place, in a CRS whose x begins again after
/// `period`. Half a period away, up to rounding, is near enough: x stays as it is.
pub fn near(x: f64, near: f64, period: f64) -> f64 {
    const ROUNDING: f64 = 1e-9;
    let periods = (x - near) / period;
    if periods.abs() <= 0.5 + ROUNDING { x } else { x - period * periods.round() }
}

/// Positions over a window, at whatever density.
struct Grid<'a> {
    transformer: &'a Transformer,
    transform: &'a GeoTransform,
    window: PixelRect,
    /// Where the middle of the window lies; `None` where x does not begin again.
    middle_x: Option<f64>,
}

impl<'a> Grid<'a> {
    fn new(transformer: &'a Transformer, transform: &'a GeoTransform, window: PixelRect, x_near: Option<f64>) -> Self {
        let PixelRect { col, row, width, height } = window;
        let middle = PixelPos::new(col as f64 + 0.5 * width as f64, row as f64 + 0.5 * height as f64);
        let middle_x = transformer.period.and_then(|period| {
            let x = transformer.point(transform.geo_from_pixel(middle)).map(|pos| pos.x);
            match (x, x_near) {
                (Some(x), Some(x_near)) => Some(near(x, x_near, period)),
                (x, x_near) => x.or(x_near),
            }
        });
        Self { transformer, transform, window, middle_x }
    }

    /// As PROJ gives them.
    fn exact(&self, n: usize) -> Vec<GeoPos> {
        let mut grid = affine_grid(self.transform, self.window, n);
        self.transformer.points(&mut grid);
        grid
    }

    /// Without jumps by a period, around `middle_x`.
    fn continuous(&self, n: usize) -> Vec<GeoPos> {
        let mut grid = self.exact(n);
        let Some(period) = self.transformer.period else { return grid };
        unwrap(&mut grid, n, period);
        let Some(middle_x) = self.middle_x else { return grid };
        let Some(bounds) = GeoBounds::around(grid.iter().copied()) else { return grid };
        // Grids of every density have about the same bounds, not all a vertex in the middle.
        let x = bounds.center().x;
        let shift = near(x, middle_x, period) - x;
        if shift != 0.0 {
            grid.iter_mut().for_each(|pos| pos.x += shift);
        }
        grid
    }
}

/// Tries meshes from coarse to fine; each is checked against the next finer grid.
fn coarsest_within(size_px: (usize, usize), tolerance_px: f64, grid: impl Fn(usize) -> Vec<GeoPos>) -> TileMesh {
    let mut n = 1;
    let mut vertices = grid(n);
    loop {
        if n == MAX_CELLS {
            return TileMesh { n, vertices };
        }
        let finer = grid(2 * n);
        if error_px(&vertices, &finer, n, size_px) <= tolerance_px {
            return TileMesh { n, vertices };
        }
        n *= 2;
        vertices = finer;
    }
}

/// Largest distance, in tile pixels, between the mesh's middles (of edges and cells) and their
/// true places; infinite where a position is missing.
fn error_px(vertices: &[GeoPos], finer: &[GeoPos], n: usize, (width, height): (usize, usize)) -> f64 {
    let (coarse_stride, fine_stride) = (n + 1, 2 * n + 1);
    let px_per_cell = (width.max(1) as f64 / n as f64, height.max(1) as f64 / n as f64);
    let mut worst = 0.0_f64;
    for row in 0..fine_stride {
        for col in 0..fine_stride {
            let (r0, c0) = (row / 2, col / 2);
            let (r1, c1) = (row.div_ceil(2), col.div_ceil(2));
            let corner = |r: usize, c: usize| vertices[r * coarse_stride + c];
            let corners = [corner(r0, c0), corner(r0, c1), corner(r1, c0), corner(r1, c1)];
            let x = corners.iter().map(|pos| pos.x).sum::<f64>() / 4.0;
            let y = corners.iter().map(|pos| pos.y).sum::<f64>() / 4.0;
            let truth = finer[row * fine_stride + col];
            if !(x.is_finite() && truth.x.is_finite()) {
                return f64::INFINITY;
            }
            if (row % 2, col % 2) != (0, 0) {
                let (r, c) = (r0.min(n - 1), c0.min(n - 1));
                let units_per_px = pixel_size([corner(r, c), corner(r, c + 1), corner(r + 1, c)], px_per_cell);
                worst = worst.max((x - truth.x).hypot(y - truth.y) / units_per_px);
            }
        }
    }
    worst
}

/// Map units per tile pixel within a cell, along the side where they are fewer.
fn pixel_size([origin, right, below]: [GeoPos; 3], (px_across, px_down): (f64, f64)) -> f64 {
    let side = |to: GeoPos| (to.x - origin.x).hypot(to.y - origin.y);
    (side(right) / px_across).min(side(below) / px_down).max(f64::MIN_POSITIVE)
}

fn affine_grid(transform: &GeoTransform, window: PixelRect, n: usize) -> Vec<GeoPos> {
    let along = |start: usize, length: usize, i: usize| start as f64 + length as f64 * i as f64 / n as f64;
    (0..=n)
        .flat_map(|row| (0..=n).map(move |col| (col, row)))
        .map(|(col, row)| {
            let pos = PixelPos::new(along(window.col, window.width, col), along(window.row, window.height, row));
            transform.geo_from_pixel(pos)
        })
        .collect()
}

/// Every so manieth vertex of a finer grid.
fn thinned(fine: &[GeoPos], finest: usize, n: usize) -> Vec<GeoPos> {
    let step = finest / n;
    (0..=n).flat_map(|row| (0..=n).map(move |col| fine[row * step * (finest + 1) + col * step])).collect()
}

/// Moves positions by whole periods so that neighbours are never more than half a period apart:
/// down the first column, then along each row.
fn unwrap(grid: &mut [GeoPos], n: usize, period: f64) {
    let stride = n + 1;
    let mut above: Option<f64> = None;
    for row in grid.chunks_exact_mut(stride) {
        let mut last = above;
        let mut first_of_row = None;
        for pos in row.iter_mut().filter(|pos| pos.x.is_finite()) {
            if let Some(last) = last {
                pos.x = near(pos.x, last, period);
            }
            last = Some(pos.x);
            first_of_row = first_of_row.or(last);
        }
        above = first_of_row.or(above);
    }
}

#[cfg(test)]
mod tests {
    use nunatak_domain::geo::Crs;

    use super::*;
    use crate::reproject::{crs_from_user, wgs84};

    fn crs(text: &str) -> Crs {
        crs_from_user(text).expect("a known system")
    }

    /// Largest error at many places within the tile, in tile pixels, measured against its
    /// local pixel size.
    fn true_error_px(
        mesh: &TileMesh,
        transformer: &Transformer,
        transform: &GeoTransform,
        window: PixelRect,
        side: usize,
    ) -> f64 {
        const STEPS: usize = 101;
        let at = |u: f64, v: f64| {
            let pos = PixelPos::new(
                window.col as f64 + u * window.width as f64,
                window.row as f64 + v * window.height as f64,
            );
            let pos = transformer.point(transform.geo_from_pixel(pos)).expect("an image");
            let middle = mesh.vertices[mesh.n * (mesh.n + 1) / 2 + mesh.n / 2].x;
            GeoPos { x: transformer.period.map_or(pos.x, |period| near(pos.x, middle, period)), ..pos }
        };
        let mut worst = 0.0_f64;
        for i in 0..STEPS {
            for j in 0..STEPS {
                let (u, v) = ((j as f64 + 0.5) / STEPS as f64, (i as f64 + 0.5) / STEPS as f64);
                let (c, r) = ((u * mesh.n as f64) as usize, (v * mesh.n as f64) as usize);
                let (fu, fv) = (u * mesh.n as f64 - c as f64, v * mesh.n as f64 - r as f64);
                let corner = |r: usize, c: usize| mesh.vertices[r * (mesh.n + 1) + c];
                let lerp = |f: fn(GeoPos) -> f64| {
                    let top = f(corner(r, c)) * (1.0 - fu) + f(corner(r, c + 1)) * fu;
                    let bottom = f(corner(r + 1, c)) * (1.0 - fu) + f(corner(r + 1, c + 1)) * fu;
                    top * (1.0 - fv) + bottom * fv
                };
                let truth = at(u, v);
                let step = 1.0 / side as f64;
                let (right, below) = (at((u + step).min(1.0 + step), v), at(u, v + step));
                let px = (right.x - truth.x).hypot(right.y - truth.y).min((below.x - truth.x).hypot(below.y - truth.y));
                worst = worst.max((lerp(|p| p.x) - truth.x).hypot(lerp(|p| p.y) - truth.y) / px);
            }
        }
        worst
    }

    #[test]
    fn meshes_lie_within_half_a_pixel() {
        let utm = GeoTransform([300_000.0, 10.0, 0.0, 6_000_000.0, 0.0, -10.0]);
        let polar = GeoTransform([-2_000_000.0, 500.0, 0.0, -300_000.0, 0.0, -500.0]);
        let degrees = GeoTransform([5.0, 0.001, 0.0, 60.0, 0.0, -0.001]);
        let cases = [
            ("EPSG:32633", "EPSG:4326", utm, 256),
            ("EPSG:32633", "EPSG:4326", utm, 10_980),
            ("EPSG:32633", "EPSG:3857", utm, 10_980),
            ("EPSG:4326", "EPSG:3857", degrees, 20_000),
            ("EPSG:4326", "EPSG:32632", degrees, 8000),
            ("EPSG:3413", "EPSG:4326", polar, 1000),
            ("EPSG:3031", "EPSG:3857", polar, 2000),
        ];
        for (from, to, transform, window) in cases {
            let transformer = Transformer::new(&crs(from), &crs(to)).expect("known");
            let window = PixelRect::new(100, 50, window, window);

            let mesh = warp_mesh(&transformer, &transform, window, (256, 256), 0.5, None);

            let error = true_error_px(&mesh, &transformer, &transform, window, 256);
            assert!(error <= 0.5, "{from} to {to}, {} px: n = {}, error {error} px", window.width, mesh.n);
            assert_eq!(mesh.vertices.len(), (mesh.n + 1) * (mesh.n + 1));
        }
    }

    #[test]
    fn the_same_system_needs_one_cell() {
        let transformer = Transformer::new(&crs("EPSG:32633"), &crs("+proj=utm +zone=33 +datum=WGS84")).expect("known");
        let rotated = GeoTransform([100.0, 8.0, 6.0, 500.0, 6.0, -8.0]);

        let mesh = warp_mesh(&transformer, &rotated, PixelRect::new(10, 20, 30, 40), (30, 40), 0.5, None);

        assert_eq!(mesh.n, 1);
        assert_eq!(mesh.vertices[0], rotated.geo_from_pixel(PixelPos::new(10.0, 20.0)));
        assert_eq!(mesh.vertices[3], rotated.geo_from_pixel(PixelPos::new(40.0, 60.0)));
    }

    #[test]
    fn longitudes_run_on_across_the_antimeridian() {
        // UTM 60N reaches over 180° east of its zone.
        let transformer = Transformer::new(&crs("EPSG:32660"), &wgs84()).expect("known");
        let transform = GeoTransform([600_000.0, 1000.0, 0.0, 6_000_000.0, 0.0, -1000.0]);

        let mesh = warp_mesh(&transformer, &transform, PixelRect::new(0, 0, 300, 300), (256, 256), 0.5, None);

        let (min, max) = mesh.vertices.iter().fold((f64::MAX, f64::MIN), |(lo, hi), p| (lo.min(p.x), hi.max(p.x)));
        assert!(max - min < 10.0 && (max > 180.0 || min < -180.0), "{min} to {max}");
    }

    #[test]
    fn the_whole_world_stays_as_wide_as_it_is() {
        let transformer = Transformer::new(&wgs84(), &crs("EPSG:3857")).expect("known");
        let transform = GeoTransform([-180.0, 1.0, 0.0, 85.0, 0.0, -1.0]);

        let mesh = warp_mesh(&transformer, &transform, PixelRect::new(0, 0, 360, 170), (256, 256), 0.5, None);

        let width = mesh.vertices[mesh.n].x - mesh.vertices[0].x;
        assert!((width - 40_075_016.7).abs() < 1.0, "{width}");
    }

    #[test]
    fn places_outside_of_the_target_are_nan_and_the_mesh_is_fine() {
        let transformer = Transformer::new(&wgs84(), &crs("EPSG:3413")).expect("known");
        let transform = GeoTransform([-180.0, 1.0, 0.0, 90.0, 0.0, -1.0]);

        let mesh = warp_mesh(&transformer, &transform, PixelRect::new(0, 0, 360, 180), (256, 256), 0.5, None);

        assert_eq!(mesh.n, MAX_CELLS);
    }

    #[test]
    fn scenes_across_the_antimeridian_are_whole_on_every_map() {
        let degrees = GeoTransform([175.0, 0.01, 0.0, -10.0, 0.0, -0.01]);
        // The same part of the earth, in metres from 150° E and from Greenwich.
        let pdc = GeoTransform([2_782_987.0, 1200.0, 0.0, -1_111_000.0, 0.0, -1200.0]);
        let web = GeoTransform([19_480_908.0, 1200.0, 0.0, -1_118_890.0, 0.0, -1200.0]);
        let polar = GeoTransform([-1_600_000.0, 1000.0, 0.0, 2_700_000.0, 0.0, -1000.0]);
        let north = GeoTransform([175.0, 0.01, 0.0, 75.0, 0.0, -0.01]);
        let cases = [
            ("EPSG:4326", "EPSG:3832", degrees),
            ("EPSG:4326", "EPSG:3857", degrees),
            ("EPSG:3832", "EPSG:4326", pdc),
            ("EPSG:3857", "EPSG:4326", web),
            ("EPSG:3832", "EPSG:3857", pdc),
            ("EPSG:3857", "EPSG:3832", web),
            ("EPSG:4326", "EPSG:3413", north),
            ("EPSG:3413", "EPSG:4326", polar),
        ];
        for (from, to, transform) in cases {
            let transformer = Transformer::new(&crs(from), &crs(to)).expect("known");
            let whole = PixelRect::whole(1000, 800);
            let scene = warp_bounds(&transformer, &transform, whole, 32, None).expect("on the map");
            let x_near = Some(scene.center().x);
            let meshes = PixelRect::tiles(1000, 800, 250).map(|window| {
                let mesh = warp_mesh(&transformer, &transform, window, (250, 250), 0.5, x_near);
                let error = true_error_px(&mesh, &transformer, &transform, window, 250);
                assert!(error <= 0.5, "{from} to {to}, {window:?}: {error} px");
                mesh
            });
            let around = GeoBounds::around(meshes.flat_map(|mesh| mesh.vertices)).expect("vertices");
            assert!(
                transformer.period.is_none_or(|period| around.width() < 0.1 * period),
                "{from} to {to}: {around:?}"
            );
            let slack = 0.02 * around.width();
            let off = (around.min_x - scene.min_x).abs().max((around.max_x - scene.max_x).abs());
            assert!(off < slack, "{from} to {to}: {around:?} in {scene:?}");
        }
    }

    #[test]
    fn x_near_chooses_the_copy_of_the_world() {
        let transformer = Transformer::new(&crs("EPSG:32701"), &wgs84()).expect("known");
        let transform = GeoTransform([300_000.0, 100.0, 0.0, 8_000_000.0, 0.0, -100.0]);
        let bounds = |x_near| {
            warp_bounds(&transformer, &transform, PixelRect::whole(1000, 1000), 8, x_near).expect("on the map")
        };

        assert!((bounds(None).center().x + 178.3).abs() < 0.2 && (bounds(Some(180.0)).center().x - 181.7).abs() < 0.2);
    }

    #[test]
    fn bounds_around_a_pole_reach_around_the_world() {
        let transformer = Transformer::new(&crs("EPSG:3413"), &wgs84()).expect("known");
        let transform = GeoTransform([-1_000_000.0, 1000.0, 0.0, 1_000_000.0, 0.0, -1000.0]);

        let bounds = warp_bounds(&transformer, &transform, PixelRect::whole(2000, 2000), 32, None).expect("on the map");

        assert!(bounds.width() >= 360.0, "{bounds:?}");
    }
}
