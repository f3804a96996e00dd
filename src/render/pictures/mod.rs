//! The renderer, seen through the pictures it gives.

mod compose;
mod memory;
mod place;
mod prior;
mod styles;

use std::sync::Arc;

use nunatak_domain::class::{Class, ClassId, ClassScheme, Rgb};
use nunatak_domain::colormap::ColormapName;
use nunatak_domain::geo::GeoPos;
use nunatak_domain::grid::TileId;
use nunatak_domain::layer::{Blend, LayerId, SceneId};
use nunatak_domain::map::{DrawLayer, DrawTile, MapFrame, MapView, Picture, TileKey, TileMesh, TilePixels};
use nunatak_domain::raster::Raster;
use nunatak_domain::style::{Stretch, StretchMethod, Style};

use crate::offscreen::{AdapterChoice, OffscreenPainter};

/// On the software adapter, so that pictures are the same everywhere, or on a GPU with
/// `NUNATAK_ADAPTER=hardware` (docs/gpu.md). `None`, said aloud, where there is no such adapter;
/// an error with `REQUIRE_GPU=1`.
fn painter() -> Option<OffscreenPainter> {
    let choice = match std::env::var("NUNATAK_ADAPTER").as_deref() {
        Ok("hardware") => AdapterChoice::Hardware,
        Ok("software") | Err(_) => AdapterChoice::Software,
        Ok(other) => panic!("NUNATAK_ADAPTER is hardware or software, not {other}"),
    };
    match OffscreenPainter::new(choice) {
        Ok(painter) => {
            eprintln!("drawing on {}", painter.adapter());
            Some(painter)
        }
        Err(error) if std::env::var_os("REQUIRE_GPU").is_some_and(|value| value == "1") => panic!("{error}"),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// A view of `width` × `height` pixels whose top left corner is at (0, 0) and whose pixels
/// are `units_per_px` wide; y goes down to negative values.
fn view(width: u32, height: u32, units_per_px: f64) -> MapView {
    let center = GeoPos::new(0.5 * f64::from(width) * units_per_px, -0.5 * f64::from(height) * units_per_px);
    MapView { center, units_per_px, width_px: width, height_px: height }
}

fn frame(view: MapView, layers: Vec<DrawLayer>) -> MapFrame {
    MapFrame { view, layers, swipe: None, missing: Vec::new() }
}

fn key(col: u32) -> TileKey {
    TileKey { scene: SceneId(1), tile: TileId { level: 0, col, row: 0 }, group: 0 }
}

/// One pixel of `raster` is one unit wide; the first corner lies at `(x, -y)`.
fn tile_at(col: u32, x: f64, y: f64, raster: Raster) -> DrawTile {
    let (width, height) = (raster.width as f64, raster.height as f64);
    let bands = (0..raster.bands).collect();
    DrawTile {
        parts: vec![(key(col), Arc::new(TilePixels { bands, raster }))],
        source: [0.0, 0.0, 1.0, 1.0],
        mesh: Arc::new(rectangle(x, y, width, height)),
    }
}

fn rectangle(x: f64, y: f64, width: f64, height: f64) -> TileMesh {
    let vertices = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
        .map(|(u, v)| GeoPos::new(x + u * width, -(y + v * height)))
        .to_vec();
    TileMesh { n: 1, vertices }
}

fn layer(style: Style, tiles: Vec<DrawTile>) -> DrawLayer {
    DrawLayer { layer: LayerId(1), opacity: 1.0, blend: Blend::Normal, style, prior: None, swiped: false, tiles }
}

fn rgb(bands: [usize; 3], max: f64) -> Style {
    let stretch = Stretch { min: 0.0, max, gamma: 1.0 };
    Style::Rgb { bands, stretch: [stretch; 3], method: StretchMethod::Manual }
}

fn gray(max: f64) -> Style {
    let stretch = Stretch { min: 0.0, max, gamma: 1.0 };
    Style::Colormap { band: 0, stretch, method: StretchMethod::Manual, colormap: ColormapName::Gray }
}

fn classes(entries: &[(u32, [u8; 3])]) -> Style {
    let classes =
        entries.iter().map(|&(id, color)| Class::new(ClassId(id), format!("class {id}"), Rgb(color))).collect();
    Style::Classes { band: 0, scheme: ClassScheme { classes } }
}

/// A colour as three bands of 0 … 255.
fn solid(color: [f32; 3], width: usize, height: usize) -> Raster {
    let data = color.iter().flat_map(|value| std::iter::repeat_n(*value, width * height)).collect();
    Raster::new(3, width, height, data)
}

fn at(picture: &Picture, x: u32, y: u32) -> [u8; 4] {
    let start = ((y * picture.width + x) * 4) as usize;
    picture.rgba[start..start + 4].try_into().expect("four channels")
}

/// Half floats and 8 bits round differently by one step at most.
#[track_caller]
fn assert_near(found: [u8; 4], expected: [u8; 4]) {
    assert!(found.iter().zip(&expected).all(|(a, b)| a.abs_diff(*b) <= 1), "{found:?} for {expected:?}");
}

const TRANSPARENT: [u8; 4] = [0; 4];
