//! The map: camera, input, what floats on it, and the start page in its place.

mod camera;
mod canvas;
mod input;
mod legend;
mod overlay;
mod paint;
mod start;
mod state;
mod swipe;

pub(crate) use canvas::{CURSOR_TAG, PinMark, map_ui};
pub(crate) use overlay::{scale_denominator, units_per_px_of_scale};
pub(crate) use paint::install;
pub(crate) use start::start_ui;
pub(crate) use state::{MapState, Tool};
pub(crate) use swipe::toggle as toggle_swipe;
