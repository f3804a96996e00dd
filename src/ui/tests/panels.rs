use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use nunatak_domain::style::Style;

use super::support::{click, click_row, sample, until, with_scene};

#[test]
fn the_eye_hides_a_layer() {
    let mut harness = with_scene();
    let name = harness.state().session().layers()[0].name.clone();

    click(&mut harness, &format!("Hide {name}"));
    assert!(!harness.state().session().layers()[0].visible);

    click(&mut harness, &format!("Show {name}"));
    assert!(harness.state().session().layers()[0].visible);
}

#[test]
fn a_click_opens_the_style_in_place_and_changes_it() {
    let mut harness = with_scene();

    click_row(&mut harness);
    click(&mut harness, "One band");

    assert!(matches!(harness.state().session().layers()[0].style, Style::Colormap { .. }));
}

#[test]
fn delete_removes_the_chosen_layer() {
    let mut harness = with_scene();

    harness.key_press_modifiers(Modifiers::NONE, Key::Delete);
    harness.run_steps(2);

    assert!(harness.state().session().layers().is_empty());
    harness.get_by_label("Open raster…");
}

#[test]
fn comma_and_period_step_the_bands() {
    let mut harness = with_scene();
    let before = harness.state().session().layers()[0].style.bands();

    harness.key_press(Key::Period);
    harness.run_steps(2);
    assert_ne!(harness.state().session().layers()[0].style.bands(), before);

    harness.key_press(Key::Comma);
    harness.run_steps(2);
    assert_eq!(harness.state().session().layers()[0].style.bands(), before);
}

#[test]
fn export_writes_the_chosen_format() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("copy.cog.tif");
    let mut harness = with_scene();

    click(&mut harness, "Export");
    click(&mut harness, "Cloud-optimised GeoTIFF");
    harness.state_mut().export.path = out.to_string_lossy().into_owned();
    harness.state_mut().export.path_chosen = true;
    harness.run_steps(2);
    harness.get_by_label("Write file").click();
    until(&mut harness, "the copy is written", |_| out.is_file());
}

#[test]
fn references_open_and_can_be_switched_off() {
    let mut harness = with_scene();
    harness.state_mut().open(&sample("references.csv"));
    until(&mut harness, "references are read", |shell| !shell.session().references().references.is_empty());
    click(&mut harness, "Explain");
    let name = harness.state().session().references().references[0].name.clone();

    click(&mut harness, &format!("Use {name}"));

    assert!(!harness.state().session().references().references[0].enabled);
}

#[test]
fn dragging_a_row_sideways_changes_its_opacity() {
    let mut harness = with_scene();
    let row = harness.get_by_role(egui::accesskit::Role::ListItem).rect().center();

    harness.hover_at(row);
    harness.run_steps(1);
    harness.drag_at(row);
    harness.run_steps(1);
    for step in 1..=4 {
        harness.hover_at(row - egui::vec2(20.0 * step as f32, 0.0));
        harness.run_steps(1);
    }
    harness.drop_at(row - egui::vec2(80.0, 0.0));
    harness.run_steps(2);

    // 160 points of travel are the whole range.
    let opacity = harness.state().session().layers()[0].opacity;
    assert!((opacity - 0.5).abs() < 0.05, "{opacity}");
}

#[test]
fn the_picture_of_the_view_is_drawn_as_the_map_is() {
    let mut harness = with_scene();
    click_row(&mut harness);
    click(&mut harness, "One band");

    let shell = harness.state();
    let view = *shell.map.camera.view();
    let command = crate::panels::view_picture(shell.session(), &view, None, "view.png".into(), false);

    let nunatak_app::Command::Render(config) = command else { panic!("{command:?}") };
    assert_eq!(config.bbox, Some(view.bounds()));
    assert_eq!(config.looks[0].style, shell.session().layers()[0].style);
    assert!(shell.session().command_line(&nunatak_app::Command::Render(config)).is_some());
}

#[test]
fn opening_a_style_leaves_the_side_panel_as_wide_as_it_was() {
    let mut harness = with_scene();
    let edge = |harness: &egui_kittest::Harness<'_, crate::Shell>| harness.get_by_label("Map").rect().right();
    let before = edge(&harness);

    click_row(&mut harness);
    harness.run_steps(3);
    assert_eq!(edge(&harness), before, "three bands");

    click(&mut harness, "One band");
    harness.run_steps(3);
    assert_eq!(edge(&harness), before, "one band");

    for workspace in ["Explain", "Export"] {
        click(&mut harness, workspace);
        harness.run_steps(3);
        assert_eq!(edge(&harness), before, "{workspace}");
    }
}

#[test]
fn pictures_say_which_crs_their_box_is_in() {
    let harness = with_scene();
    let shell = harness.state();
    let view = *shell.map.camera.view();

    let of_view = crate::panels::view_picture(shell.session(), &view, None, "view.png".into(), false);

    let nunatak_app::Command::Render(config) = of_view else { panic!("{of_view:?}") };
    assert_eq!(config.crs, shell.session().map_crs().map(|crs| crs.code.clone().expect("a code")));
    assert!(config.crs.is_some());
}
