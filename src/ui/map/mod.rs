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

pub(crate) use canvas::{CURSOR_TAG, PinMark, draw, interact};
pub(crate) use input::screen_pos;
pub(crate) use overlay::{
    line_on_map, metres_per_map_unit, pos_of, scale_denominator, text_on_map, units_per_px_of_scale,
};
pub(crate) use paint::install;
pub(crate) use start::{StartPage, start_ui};
pub(crate) use state::{MapState, Tool};
pub(crate) use swipe::toggle as toggle_swipe;
