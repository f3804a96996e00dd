//! A window for tests, in a user's verbs.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use crate::{RunOptions, Shell};

/// Long enough for a slow machine under load; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn sample(name: &str) -> PathBuf {
    Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests"))
        .join("../../sample_scenes/rachel_carson")
        .join(name)
}

pub(super) fn window(options: RunOptions) -> Harness<'static, Shell> {
    let mut harness = Harness::builder()
        .with_size([1440.0, 900.0])
        .with_max_steps(8)
        .build_eframe(move |cc| Shell::new(cc, options.clone()));
    harness.run_steps(2);
    harness
}

/// The window with its map drawn, on a software adapter where there is one.
pub(super) fn drawn_window(options: RunOptions) -> Harness<'static, Shell> {
    let builder = Harness::builder().with_size([1000.0, 700.0]).with_max_steps(8).wgpu();
    builder.build_eframe(move |cc| Shell::new(cc, options.clone()))
}

/// A window with the sample scene open.
pub(super) fn with_scene() -> Harness<'static, Shell> {
    let mut harness = window(RunOptions { files: vec![sample("scene.tif")], ..RunOptions::default() });
    until(&mut harness, "the scene is open", |shell| !shell.session().layers().is_empty());
    harness
}

/// Steps until the condition holds.
pub(super) fn until(harness: &mut Harness<'_, Shell>, what: &str, condition: impl Fn(&Shell) -> bool) {
    let begin = Instant::now();
    while !condition(harness.state()) {
        assert!(begin.elapsed() < PATIENCE, "waited in vain until {what}");
        harness.step();
        std::thread::yield_now();
    }
    harness.run_steps(2);
}

pub(super) fn click(harness: &mut Harness<'_, Shell>, label: &str) {
    harness.get_by_label(label).click();
    harness.run_steps(3);
}

/// Clicks the row of the first layer.
pub(super) fn click_row(harness: &mut Harness<'_, Shell>) {
    harness.get_by_role(Role::ListItem).click();
    harness.run_steps(3);
}
