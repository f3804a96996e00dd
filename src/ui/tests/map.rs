use egui::{Key, Modifiers, Pos2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use super::support::{click, drawn_window, sample, until, with_scene};
use crate::{RunOptions, Shell};

fn map_center(harness: &Harness<'_, Shell>) -> Pos2 {
    harness.get_by_label("Map").rect().center()
}

fn scale(harness: &Harness<'_, Shell>) -> f64 {
    harness.state().map.camera.view().units_per_px
}

/// Steps until a glide has ended.
fn settle(harness: &mut Harness<'_, Shell>) {
    harness.run_steps(40);
}

#[test]
fn the_first_layer_is_fitted() {
    let harness = with_scene();
    let bounds = harness.state().session().bounds().expect("a layer");
    let seen = harness.state().map.camera.view().bounds();

    assert!(seen.min_x <= bounds.min_x && seen.max_x >= bounds.max_x);
    assert!(seen.min_y <= bounds.min_y && seen.max_y >= bounds.max_y);
}

#[test]
fn a_click_pins_and_the_inspector_knows_the_pixel() {
    let mut harness = with_scene();
    let center = map_center(&harness);

    harness.hover_at(center);
    harness.run_steps(2);
    harness.drag_at(center);
    harness.run_steps(1);
    harness.drop_at(center);
    harness.run_steps(2);
    until(&mut harness, "the pin is answered", |shell| shell.inspector.pins.iter().any(|pin| pin.answer.is_some()));

    let shell = harness.state();
    let answer = shell.inspector.pins[0].answer.as_ref().expect("an answer");
    assert_eq!(answer.layers.len(), 1);
    assert!(answer.layers[0].values.iter().any(Option::is_some));
}

#[test]
fn dragging_moves_the_map_with_the_hand() {
    let mut harness = with_scene();
    let center = map_center(&harness);
    let before = harness.state().map.camera.view().center;

    harness.hover_at(center);
    harness.run_steps(1);
    harness.drag_at(center);
    harness.run_steps(1);
    for step in 1..=5 {
        harness.hover_at(center + egui::vec2(20.0 * step as f32, 0.0));
        harness.run_steps(1);
    }
    harness.drop_at(center + egui::vec2(100.0, 0.0));
    harness.run_steps(2);

    let moved = before.x - harness.state().map.camera.view().center.x;
    assert!((moved / scale(&harness) - 100.0).abs() < 8.0, "{}", moved / scale(&harness));
    assert!(harness.state().inspector.pins.is_empty());
}

#[test]
fn keys_zoom_and_go_back() {
    let mut harness = with_scene();
    settle(&mut harness);
    let before = scale(&harness);

    harness.key_press(Key::Plus);
    settle(&mut harness);
    assert!((before / scale(&harness) - 2.0).abs() < 1e-6);

    harness.key_press_modifiers(Modifiers::ALT, Key::ArrowLeft);
    settle(&mut harness);
    assert!((scale(&harness) / before - 1.0).abs() < 1e-6);
}

#[test]
fn one_to_one_shows_a_pixel_as_a_pixel() {
    let mut harness = with_scene();
    let layer = harness.state().session().layers()[0].id;
    let size = harness.state().session().layer_pixel_size(layer).expect("a size");

    harness.key_press(Key::End);
    settle(&mut harness);

    assert!((scale(&harness) / size - 1.0).abs() < 1e-9);
}

#[test]
fn swipe_has_a_divider_until_it_is_ended() {
    let mut harness = with_scene();

    harness.key_press(Key::S);
    harness.run_steps(2);
    harness.get_by_label("Swipe divider");

    click(&mut harness, "End swipe (S)");
    assert!(harness.state().map.swipe.is_none());
}

#[test]
fn the_map_shows_the_pixels_of_the_scene() {
    if nunatak_render::OffscreenPainter::new(nunatak_render::AdapterChoice::Auto).is_err() {
        assert!(std::env::var_os("REQUIRE_GPU").is_none(), "no adapter to draw with");
        eprintln!("skipped: no adapter to draw with");
        return;
    }
    let mut harness = drawn_window(RunOptions { files: vec![sample("scene.tif")], ..RunOptions::default() });
    until(&mut harness, "the scene is open", |shell| !shell.session().layers().is_empty());
    until(&mut harness, "all tiles are there", |shell| {
        let frame = shell.session().frame(shell.map.camera.view(), None);
        frame.missing.is_empty() && frame.layers.iter().any(|layer| !layer.tiles.is_empty())
    });
    let map = harness.get_by_label("Map").rect();

    let picture = harness.render().expect("a picture");

    // The scene is fitted: a row through its middle is imagery, not the even ground.
    let y = map.center().y as u32;
    let inside = (map.left() as u32 + 40)..(map.right() as u32 - 40);
    let mut colors: Vec<[u8; 4]> = inside.map(|x| picture.get_pixel(x, y).0).collect();
    let ground = colors.iter().filter(|color| color[0] == color[1] && color[1] == color[2]).count();
    assert!(ground * 2 < colors.len(), "{ground} of {} pixels are grey", colors.len());
    colors.sort_unstable();
    colors.dedup();
    assert!(colors.len() > 20, "{} colours", colors.len());
}
