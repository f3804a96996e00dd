use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use nunatak_domain::notice::Level;

use super::support::{click, sample, until, window, with_scene};
use crate::RunOptions;
use crate::saved::{ThemeChoice, Workspace};

#[test]
fn the_start_page_says_what_can_be_done() {
    let harness = window(RunOptions::default());

    harness.get_by_label("Open raster…");
    harness.get_by_label("Open model…");
    assert!(harness.query_by_label("Map").is_none());
}

#[test]
fn an_opened_raster_is_on_the_map_and_in_the_list() {
    let harness = with_scene();

    harness.get_by_label("Map");
    let name = harness.state().session().layers()[0].name.clone();
    harness.get_by_role_and_label(Role::ListItem, &name);
    assert!(harness.query_by_label("Open model…").is_none());
}

#[test]
fn the_palette_finds_and_runs_an_action() {
    let mut harness = window(RunOptions::default());

    harness.key_press_modifiers(Modifiers::COMMAND, Key::P);
    harness.run_steps(3);
    harness.get_by_label("Find an action").type_text("dark");
    harness.run_steps(2);
    harness.key_press(Key::Enter);
    harness.run_steps(2);

    assert_eq!(harness.state().saved.theme, ThemeChoice::Dark);
    assert!(!harness.state().palette.open);
}

#[test]
fn escape_closes_the_palette() {
    let mut harness = window(RunOptions::default());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::P);
    harness.run_steps(2);
    assert!(harness.state().palette.open);

    harness.key_press(Key::Escape);
    harness.run_steps(2);

    assert!(!harness.state().palette.open);
}

#[test]
fn a_file_that_is_not_there_is_one_sentence_that_stays() {
    let mut harness = window(RunOptions { files: vec![sample("missing.tif")], ..RunOptions::default() });

    until(&mut harness, "a notice is shown", |shell| !shell.toasts.texts().is_empty());

    assert!(harness.state().session().layers().is_empty());
    assert_eq!(harness.state().toasts.levels(), [Level::Error]);
    harness.get_by_label("Dismiss");
}

#[test]
fn workspaces_rearrange_the_right_side() {
    let mut harness = with_scene();

    click(&mut harness, "Explain");
    assert_eq!(harness.state().saved.workspace, Workspace::Explain);
    harness.get_by_label("Model");
    harness.get_by_label("References");

    click(&mut harness, "Export");
    harness.get_by_label("Export path");
}
