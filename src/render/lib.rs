//! Drawing the map: the only crate that names wgpu.
//!
//! `MapRenderer` turns a `MapFrame` into pixels on somebody else's device (the window's);
//! `OffscreenPainter` does the same without a window. Colours are display-referred
//! throughout: what a style computes is what a PNG holds and what egui shows.

mod canvas;
mod frame;
mod geometry;
mod look;
mod offscreen;
mod pipelines;
mod prior;
mod renderer;
mod shaders;
mod textures;

#[cfg(test)]
mod pictures;

pub use offscreen::{AdapterChoice, OffscreenPainter, RenderError};
pub use prior::{MAX_PRIOR_BANDS, MAX_PRIOR_REFERENCES};
pub use renderer::{MapRenderer, Prepared};
pub use textures::{UploadLimits, UploadStats};
