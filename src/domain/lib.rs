//! What things are: values and rules.
//!
//! Nothing here opens a file, starts a thread, reads a clock, or knows a GPU or
//! a widget, and everything is deterministic. The rest of the program may use
//! all of it.
//!
//! Conventions, everywhere in the program: pixels are 0-based `(col, row)` with
//! the corner of pixel (0, 0) at (0.0, 0.0); bands are 0-based; arrays are
//! `[band, row, col]`, row-major; nodata inside the program is NaN, per band.

pub mod class;
pub mod colormap;
pub mod edit;
pub mod geo;
pub mod grid;
pub mod history;
pub mod index;
pub mod inspect;
pub mod job;
pub mod label;
pub mod layer;
pub mod map;
pub mod metrics;
pub mod model;
pub mod notice;
pub mod project;
pub mod raster;
pub mod recipe;
pub mod scene;
pub mod spectra;
pub mod style;
