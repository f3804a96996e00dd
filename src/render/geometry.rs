//! Tiles' meshes to triangles on the canvas. Positions are computed in float64 relative to
//! the view's centre; only clip coordinates are float32.

use bytemuck::{Pod, Zeroable};
use nunatak_domain::map::{DrawTile, MapView};

/// Twin of `Vertex` in `shaders/common.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(crate) struct Vertex {
    pub clip: [f32; 2],
    /// In texels of the tile's texture.
    pub texel: [f32; 2],
    /// Array layers of the three channels, 10 bits each.
    pub channels: u32,
}

/// The part of a view that is painted at once: a picture larger than a texture is painted in parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CanvasWindow {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// Triangles of one frame, all tiles one after the other.
#[derive(Debug, Default)]
pub(crate) struct Geometry {
    pub vertices: Vec<Vertex>,
    pub indices: Vec<u32>,
}

/// Corners that lie farther outside than this are clipped here, in float64: a tile under a
/// high zoom is millions of pixels wide, which float32 and rasterisers cannot place.
const GUARD_PX: f64 = 2048.0;

/// Clipped triangles reach this far over the canvas's edge.
const OVERHANG_PX: f64 = 16.0;

/// Positions are rounded to this share of a pixel, as rasterisers do, so that an edge which
/// two tiles computed apart is still one edge.
const SUBPIXEL: f64 = 256.0;

/// A corner on the canvas.
#[derive(Clone, Copy, Debug)]
struct Corner {
    x: f64,
    y: f64,
    u: f64,
    v: f64,
}

impl CanvasWindow {
    pub(crate) fn whole(view: &MapView) -> Self {
        Self { x: 0, y: 0, width: view.width_px, height: view.height_px }
    }
}

impl Geometry {
    pub(crate) fn clear(&mut self) {
        self.vertices.clear();
        self.indices.clear();
    }

    /// Appends a tile whose texture is `size` texels wide and high; returns its range of indices.
    /// Cells with a corner that has no place on the map (outside a projection) are left out.
    pub(crate) fn push(
        &mut self,
        tile: &DrawTile,
        size: [u32; 2],
        channels: u32,
        view: &MapView,
        window: CanvasWindow,
    ) -> std::ops::Range<u32> {
        let first_index = self.indices.len() as u32;
        let first_vertex = self.vertices.len() as u32;
        let n = tile.mesh.n;
        if n == 0 || tile.mesh.vertices.len() != (n + 1) * (n + 1) {
            return first_index..first_index;
        }
        let corners = corners(tile, size, view, window);
        self.vertices.extend(corners.iter().map(|corner| corner.vertex(channels, window)));
        for row in 0..n {
            for col in 0..n {
                let at = row * (n + 1) + col;
                let cell = [at, at + 1, at + n + 1, at + n + 2];
                if cell.iter().any(|&i| !(corners[i].x.is_finite() && corners[i].y.is_finite())) {
                    continue;
                }
                for triangle in [[cell[0], cell[1], cell[2]], [cell[2], cell[1], cell[3]]] {
                    self.push_triangle(triangle, &corners, first_vertex, channels, window);
                }
            }
        }
        first_index..self.indices.len() as u32
    }

    fn push_triangle(
        &mut self,
        triangle: [usize; 3],
        corners: &[Corner],
        first_vertex: u32,
        channels: u32,
        window: CanvasWindow,
    ) {
        let points = triangle.map(|i| corners[i]);
        let (width, height) = (f64::from(window.width), f64::from(window.height));
        let outside = |beyond: &dyn Fn(&Corner) -> bool| points.iter().all(beyond);
        if outside(&|p| p.x < 0.0) || outside(&|p| p.y < 0.0) || outside(&|p| p.x > width) || outside(&|p| p.y > height)
        {
            return;
        }
        let near = |p: &Corner| {
            (-GUARD_PX..=width + GUARD_PX).contains(&p.x) && (-GUARD_PX..=height + GUARD_PX).contains(&p.y)
        };
        if points.iter().all(near) {
            self.indices.extend(triangle.map(|i| first_vertex + i as u32));
            return;
        }
        let polygon = clipped(points.to_vec(), width, height);
        let start = self.vertices.len() as u32;
        self.vertices.extend(polygon.iter().map(|corner| corner.vertex(channels, window)));
        for i in 1..(polygon.len() as u32).saturating_sub(1) {
            self.indices.extend([start, start + i, start + i + 1]);
        }
    }
}

/// Whether a tile's texels are smaller than screen pixels, judged by its upper and left edge.
pub(crate) fn minified(tile: &DrawTile, size: [u32; 2], view: &MapView) -> bool {
    let n = tile.mesh.n;
    let [Some(first), Some(right), Some(below)] = [0, n, n * (n + 1)].map(|i| tile.mesh.vertices.get(i)) else {
        return false;
    };
    let [first, right, below] = [first, right, below].map(|geo| view.screen_from_geo(*geo));
    let [u0, v0, u1, v1] = tile.source.map(f64::from);
    let across = (u1 - u0) * f64::from(size[0]) / (right.x - first.x).hypot(right.y - first.y);
    let down = (v1 - v0) * f64::from(size[1]) / (below.x - first.x).hypot(below.y - first.y);
    // A hair above 1, so that 1:1 shows the pixels as they are.
    across.max(down) > 1.01
}

impl Corner {
    fn vertex(&self, channels: u32, window: CanvasWindow) -> Vertex {
        let snap = |px: f64| (px * SUBPIXEL).round() / SUBPIXEL;
        let x = 2.0 * snap(self.x) / f64::from(window.width) - 1.0;
        let y = 1.0 - 2.0 * snap(self.y) / f64::from(window.height);
        Vertex { clip: [x as f32, y as f32], texel: [self.u as f32, self.v as f32], channels }
    }

    fn between(a: &Self, b: &Self, t: f64) -> Self {
        let mix = |a: f64, b: f64| a + (b - a) * t;
        Self { x: mix(a.x, b.x), y: mix(a.y, b.y), u: mix(a.u, b.u), v: mix(a.v, b.v) }
    }
}

fn corners(tile: &DrawTile, size: [u32; 2], view: &MapView, window: CanvasWindow) -> Vec<Corner> {
    let n = tile.mesh.n;
    let [u0, v0, u1, v1] = tile.source.map(f64::from);
    let share = |i: usize| i as f64 / n as f64;
    tile.mesh
        .vertices
        .iter()
        .enumerate()
        .map(|(index, &geo)| {
            let screen = view.screen_from_geo(geo);
            Corner {
                x: screen.x - f64::from(window.x),
                y: screen.y - f64::from(window.y),
                u: (u0 + (u1 - u0) * share(index % (n + 1))) * f64::from(size[0]),
                v: (v0 + (v1 - v0) * share(index / (n + 1))) * f64::from(size[1]),
            }
        })
        .collect()
}

/// Sutherland–Hodgman against the canvas and a small overhang; texels stay linear.
fn clipped(polygon: Vec<Corner>, width: f64, height: f64) -> Vec<Corner> {
    let sides: [&dyn Fn(&Corner) -> f64; 4] =
        [&|p| p.x + OVERHANG_PX, &|p| width + OVERHANG_PX - p.x, &|p| p.y + OVERHANG_PX, &|p| {
            height + OVERHANG_PX - p.y
        }];
    sides.iter().fold(polygon, |polygon, inside| {
        let mut kept = Vec::with_capacity(polygon.len() + 1);
        for (i, b) in polygon.iter().enumerate() {
            let a = &polygon[(i + polygon.len() - 1) % polygon.len()];
            let (da, db) = (inside(a), inside(b));
            if (da < 0.0) != (db < 0.0) {
                kept.push(Corner::between(a, b, da / (da - db)));
            }
            if db >= 0.0 {
                kept.push(*b);
            }
        }
        kept
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nunatak_domain::geo::GeoPos;
    use nunatak_domain::map::TileMesh;
    use std::sync::Arc;

    fn view(units_per_px: f64) -> MapView {
        MapView { center: GeoPos::new(500_000.0, 4_000_000.0), units_per_px, width_px: 200, height_px: 100 }
    }

    fn square(west: f64, north: f64, side: f64) -> DrawTile {
        let vertices = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
            .map(|(x, y)| GeoPos::new(west + x * side, north - y * side))
            .to_vec();
        DrawTile { parts: Vec::new(), source: [0.0, 0.0, 1.0, 1.0], mesh: Arc::new(TileMesh { n: 1, vertices }) }
    }

    fn push(tile: &DrawTile, view: &MapView) -> Geometry {
        let mut geometry = Geometry::default();
        geometry.push(tile, [256, 256], 0, view, CanvasWindow::whole(view));
        geometry
    }

    #[test]
    fn a_tile_lands_where_the_view_says() {
        let geometry = push(&square(499_990.0, 4_000_010.0, 20.0), &view(1.0));

        assert_eq!(geometry.indices.len(), 6);
        assert_eq!(geometry.vertices[0].clip, [-0.1, 0.2]);
        assert_eq!(geometry.vertices[3].texel, [256.0, 256.0]);
    }

    #[test]
    fn a_tile_outside_the_view_draws_nothing() {
        assert!(push(&square(499_000.0, 4_000_010.0, 20.0), &view(1.0)).indices.is_empty());
    }

    #[test]
    fn a_corner_without_a_place_drops_its_cell_only() {
        let mut tile = square(499_990.0, 4_000_010.0, 20.0);
        Arc::make_mut(&mut tile.mesh).vertices[0].x = f64::NAN;

        assert!(push(&tile, &view(1.0)).indices.is_empty());
    }

    #[test]
    fn high_zoom_is_clipped_to_the_canvas_with_exact_texels() {
        // One texel is 40 000 px wide: the tile spans 10 million.
        let view = view(10.0 / 40_000.0);
        let tile = square(499_990.0, 4_000_010.0, 2560.0);

        let geometry = push(&tile, &view);

        assert!(!geometry.indices.is_empty());
        for index in &geometry.indices {
            let vertex = geometry.vertices[*index as usize];
            assert!(vertex.clip.iter().all(|c| c.abs() < 2.0), "{vertex:?}");
            let x = (f64::from(vertex.clip[0]) * 100.0) * view.units_per_px + 500_000.0;
            let expected = (x - 499_990.0) / 10.0;
            assert!((f64::from(vertex.texel[0]) - expected).abs() < 1e-5, "{vertex:?} {expected}");
        }
    }
}
