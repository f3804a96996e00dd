//! Small parts that panels are made of. They show values and report clicks; none knows the session.

mod buttons;
mod color_ramp;
mod histogram;
pub(crate) mod numbers;
mod rows;
mod spectrum_plot;

pub(crate) use buttons::{
    action_button, class_button, icon_button, primary_button, segments, small_icon_button, step_button, swatch,
};
pub(crate) use color_ramp::ramp;
pub(crate) use histogram::histogram;
pub(crate) use rows::{bar_row, chip, empty, fold_header, header, line, section, text_in, value_row};
pub(crate) use spectrum_plot::{Curve, SpectrumAxis, spectrum_plot};
