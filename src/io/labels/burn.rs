//! Shapes into pixels: windows of the scene, GDAL's fill for points and polygons, and a round
//! pen for lines.

use std::collections::BTreeMap;
use std::sync::Arc;

use gdal::DriverManager;
use gdal::raster::{RasterizeOptions, rasterize};
use gdal::vector::Geometry;
use nunatak_domain::geo::{GeoPos, GeoTransform, PixelPos};
use nunatak_domain::grid::{PixelRect, TILE_SIZE};
use nunatak_domain::label::{LabelLayer, LabelTile, TilePos, UNLABELLED};
use nunatak_domain::scene::SceneInfo;

use super::FeatureCounts;
use super::features::{ClassFeature, Shape};
use super::vector::LineWidth;
use crate::error::gdal_reason;
use crate::ffi::checked;

/// Side of the windows that shapes are burned into.
pub(super) const WINDOW: usize = 8 * TILE_SIZE;

/// Features by the window that they may touch, in the file's order.
pub(super) fn windows(
    features: &[ClassFeature],
    scene: &SceneInfo,
    transform: &GeoTransform,
    pen: &LinePen,
    counts: &mut FeatureCounts,
) -> BTreeMap<(usize, usize), Vec<usize>> {
    let mut windows: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for (index, feature) in features.iter().enumerate() {
        let mut touched = false;
        for shape in &feature.shapes {
            let Some(rect) = pixel_bounds(shape, transform, pen, scene) else { continue };
            touched = true;
            for row in rect.row / WINDOW..rect.bottom().div_ceil(WINDOW) {
                for col in rect.col / WINDOW..rect.right().div_ceil(WINDOW) {
                    let members = windows.entry((col, row)).or_default();
                    if members.last() != Some(&index) {
                        members.push(index);
                    }
                }
            }
        }
        counts.n_outside += u64::from(!touched);
    }
    windows
}

fn pixel_bounds(shape: &Shape, transform: &GeoTransform, pen: &LinePen, scene: &SceneInfo) -> Option<PixelRect> {
    let (corners, margin) = match shape {
        Shape::Burned(geometry) => {
            let e = geometry.envelope();
            (vec![(e.MinX, e.MinY), (e.MaxX, e.MinY), (e.MinX, e.MaxY), (e.MaxX, e.MaxY)], (0.0, 0.0))
        }
        Shape::Line(points) => (points.clone(), pen.reach()),
    };
    let (mut left, mut right, mut top, mut bottom) =
        (f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY, f64::NEG_INFINITY);
    for (x, y) in corners {
        let pos = transform.pixel_from_geo(GeoPos::new(x, y))?;
        if !pos.col.is_finite() || !pos.row.is_finite() {
            return None;
        }
        (left, right) = (left.min(pos.col), right.max(pos.col));
        (top, bottom) = (top.min(pos.row), bottom.max(pos.row));
    }
    let clamped = |value: f64, end: usize| value.clamp(0.0, end as f64) as usize;
    let (left, right) = (left - margin.0, right + margin.0);
    let (top, bottom) = (top - margin.1, bottom + margin.1);
    if right < 0.0 || bottom < 0.0 || left >= scene.width as f64 || top >= scene.height as f64 {
        return None;
    }
    let (col, row) = (clamped(left.floor(), scene.width), clamped(top.floor(), scene.height));
    let (end_col, end_row) = (clamped(right.floor() + 1.0, scene.width), clamped(bottom.floor() + 1.0, scene.height));
    Some(PixelRect::new(col, row, end_col.saturating_sub(col).max(1), end_row.saturating_sub(row).max(1)))
}

/// Index + 1 of the last feature over each pixel of a window, 0 where there is none.
pub(super) fn burn(
    features: &[ClassFeature],
    members: &[usize],
    rect: PixelRect,
    transform: &GeoTransform,
    pen: &LinePen,
) -> Result<Vec<u32>, String> {
    let mut pixels = vec![0_u32; rect.area()];
    let window = transform.window(rect.col as f64, rect.row as f64, 1.0, 1.0);
    // Order matters: what was gathered goes down before the next line covers it.
    let mut gathered: (Vec<Geometry>, Vec<f64>) = (Vec::new(), Vec::new());
    for &member in members {
        for shape in &features[member].shapes {
            match shape {
                Shape::Burned(geometry) => {
                    gathered.0.push(geometry.clone());
                    gathered.1.push((member + 1) as f64);
                }
                Shape::Line(points) => {
                    burn_geometries(&mut gathered, rect, &window, &mut pixels)?;
                    pen.draw(points, rect, &window, (member + 1) as u32, &mut pixels);
                }
            }
        }
    }
    burn_geometries(&mut gathered, rect, &window, &mut pixels)?;
    Ok(pixels)
}

fn burn_geometries(
    (geometries, values): &mut (Vec<Geometry>, Vec<f64>),
    rect: PixelRect,
    window: &GeoTransform,
    pixels: &mut [u32],
) -> Result<(), String> {
    if geometries.is_empty() {
        return Ok(());
    }
    let size = (rect.width, rect.height);
    let burned = checked(|| -> Result<Vec<u32>, String> {
        let say = |error: gdal::errors::GdalError| gdal_reason(&error);
        let driver = DriverManager::get_driver_by_name("MEM").map_err(say)?;
        let mut dataset = driver.create_with_band_type::<u32, _>("", rect.width, rect.height, 1).map_err(say)?;
        dataset.set_geo_transform(&window.0).map_err(say)?;
        rasterize(&mut dataset, &[1], geometries, values, Some(RasterizeOptions::default())).map_err(say)?;
        let band = dataset.rasterband(1).map_err(say)?;
        let buffer = band.read_as::<u32>((0, 0), size, size, None).map_err(say)?;
        Ok(buffer.data().to_vec())
    })?;
    for (pixel, value) in pixels.iter_mut().zip(burned).filter(|(_, value)| *value > 0) {
        *pixel = value;
    }
    geometries.clear();
    values.clear();
    Ok(())
}

/// A round pen for lines.
pub(super) struct LinePen {
    /// Half the width, in the unit of `scale`.
    radius: f64,
    /// Length of a pixel along a row and along a column: metres, or 1.
    scale: (f64, f64),
}

impl LinePen {
    pub(super) fn of(width: LineWidth, scene: &SceneInfo, transform: &GeoTransform) -> Result<Self, String> {
        let (width, scale) = match width {
            LineWidth::Px(width) => (width, (1.0, 1.0)),
            LineWidth::Metres(width) => {
                let crs = scene
                    .map_crs()
                    .ok_or("a width in metres needs a scene with a coordinate system: give it in pixels")?;
                let (w, h) = transform.pixel_size();
                let center =
                    transform.geo_from_pixel(PixelPos::new(0.5 * scene.width as f64, 0.5 * scene.height as f64));
                let shrink = if crs.geographic { center.y.to_radians().cos().max(1e-6) } else { 1.0 };
                (width, (w * crs.metres_per_unit * shrink, h * crs.metres_per_unit))
            }
        };
        if width.is_finite() && width > 0.0 {
            Ok(Self { radius: 0.5 * width, scale })
        } else {
            Err("a line's width must be above 0".to_owned())
        }
    }

    /// Pixels to each side.
    fn reach(&self) -> (f64, f64) {
        (self.radius / self.scale.0, self.radius / self.scale.1)
    }

    /// Sets the pixels whose centre is at most `radius` from the line.
    fn draw(&self, points: &[(f64, f64)], rect: PixelRect, window: &GeoTransform, value: u32, pixels: &mut [u32]) {
        let position = |&(x, y): &(f64, f64)| {
            let pos = window.pixel_from_geo(GeoPos::new(x, y))?;
            (pos.col.is_finite() && pos.row.is_finite()).then_some((pos.col * self.scale.0, pos.row * self.scale.1))
        };
        let positions: Vec<(f64, f64)> = points.iter().filter_map(position).collect();
        let reach = self.reach();
        let range = |a: f64, b: f64, reach: f64, scale: f64, end: usize| {
            let (low, high) = (a.min(b) / scale - reach, a.max(b) / scale + reach);
            low.floor().clamp(0.0, end as f64) as usize..(high.ceil().clamp(0.0, end as f64) as usize)
        };
        for pair in positions.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            for row in range(a.1, b.1, reach.1, self.scale.1, rect.height) {
                for col in range(a.0, b.0, reach.0, self.scale.0, rect.width) {
                    let center = ((col as f64 + 0.5) * self.scale.0, (row as f64 + 0.5) * self.scale.1);
                    if distance_to_segment(center, a, b) <= self.radius {
                        pixels[row * rect.width + col] = value;
                    }
                }
            }
        }
    }
}

fn distance_to_segment(p: (f64, f64), a: (f64, f64), b: (f64, f64)) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = dx * dx + dy * dy;
    let at = if length > 0.0 { (((p.0 - a.0) * dx + (p.1 - a.1) * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    (p.0 - a.0 - at * dx).hypot(p.1 - a.1 - at * dy)
}

/// Writes `[row, col]` ids of a window that begins and ends with tiles (or with the scene).
pub(super) fn write_ids(layer: &mut LabelLayer, rect: PixelRect, from: &[u16]) {
    for pos in TilePos::covering(rect) {
        let Some(part) = pos.rect().intersection(&rect) else { continue };
        let mut ids = vec![UNLABELLED; TILE_SIZE * TILE_SIZE];
        for row in part.row..part.bottom() {
            let from = &from[(row - rect.row) * rect.width + (part.col - rect.col)..][..part.width];
            ids[(row % TILE_SIZE) * TILE_SIZE + part.col % TILE_SIZE..][..part.width].copy_from_slice(from);
        }
        layer.set_tile(pos, Some(Arc::new(LabelTile::new(ids))));
    }
}
