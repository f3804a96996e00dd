//! The window: the only crate that names egui.
//!
//! One `Shell` holds the session and every panel's small state. Panels draw and say what they
//! want in `Wishes`; commands are dispatched and events taken in one place, `shell.rs`.

mod action;
mod arrivals;
mod dialogs;
mod icons;
mod keymap;
mod map;
mod painter;
mod palette;
mod panels;
mod perform;
mod projects;
mod sample;
mod saved;
mod settings;
mod shell;
mod side;
#[cfg(test)]
mod tests;
mod theme;
mod thumbnails;
mod toasts;
mod tools;
mod widgets;
mod wishes;

use std::path::PathBuf;

use nunatak_app::Command;
use nunatak_domain::job::DeviceChoice;

pub use shell::Shell;

/// What the window starts with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunOptions {
    /// Rasters, models (`.pth`, `.pt`, `.safetensors`) and reference spectra (`.csv`).
    pub files: Vec<PathBuf>,
    /// Dispatched after the files are asked for.
    pub commands: Vec<Command>,
    /// Predict and explain as soon as a raster and a model are open.
    pub predict: bool,
    pub device: DeviceChoice,
}

/// Opens the window and returns when it is closed.
///
/// # Errors
/// One sentence: no display, no graphics adapter.
pub fn run(options: RunOptions) -> Result<(), String> {
    let viewport = egui::ViewportBuilder::default()
        .with_app_id("nunatak")
        .with_title("Nunatak")
        .with_inner_size([1440.0, 900.0])
        .with_min_inner_size([800.0, 520.0])
        .with_drag_and_drop(true);
    let native = eframe::NativeOptions { viewport, ..Default::default() };
    eframe::run_native("nunatak", native, Box::new(|cc| Ok(Box::new(Shell::new(cc, options)))))
        .map_err(|error| format!("the window cannot be opened: {error}"))
}
