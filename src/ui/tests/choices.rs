//! What a person chooses and finds: bands, pins, layers far apart, notices, recent files.

use std::path::{Path, PathBuf};

use egui::accesskit::Role;
use egui::{Key, Modifiers, Pos2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use nunatak_app::Command;
use nunatak_domain::geo::GeoBounds;
use nunatak_domain::job::ConvertConfig;
use nunatak_domain::layer::{LayerRole, LayerSource, SceneId};
use nunatak_domain::notice::Notice;

use super::support::{click, sample, until, window, with_scene};
use crate::saved::Workspace;
use crate::{RunOptions, Shell};

fn map_rect(harness: &Harness<'_, Shell>) -> egui::Rect {
    harness.get_by_label("Map").rect()
}

fn click_map(harness: &mut Harness<'_, Shell>, at: Pos2) {
    harness.hover_at(at);
    harness.run_steps(2);
    harness.drag_at(at);
    harness.run_steps(1);
    harness.drop_at(at);
    harness.run_steps(2);
    // Off the map again, and past the time in which a second click would be a double click.
    harness.hover_at(egui::pos2(5.0, 5.0));
    harness.run_steps(8);
}

/// A copy of the sample scene with these of its bands (0-based).
fn with_bands(harness: &mut Harness<'_, Shell>, folder: &Path, name: &str, bands: Vec<usize>) -> PathBuf {
    let out = folder.join(name);
    let config = ConvertConfig {
        raster: sample("scene.tif"),
        out: out.clone(),
        cog: false,
        bands: Some(bands),
        overwrite: false,
    };
    harness.state_mut().dispatch(Command::Convert(config));
    until(harness, "the copy is written", |shell| shell.session().jobs().is_empty());
    assert!(out.is_file());
    out
}

fn scene_named(shell: &Shell, name: &str) -> Option<SceneId> {
    let scenes = shell.session().layers().iter().map(|layer| layer.source.scene());
    scenes.into_iter().find(|id| shell.session().scene(*id).is_some_and(|scene| scene.info.name() == name))
}

#[test]
fn a_scene_with_other_bands_asks_which_to_read_and_predicts_with_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut harness = with_scene();
    let n = harness.state().session().scene(SceneId(1)).expect("the sample").info.n_bands();
    let reversed = with_bands(&mut harness, folder.path(), "reversed.tif", (0..n).rev().collect());
    harness.state_mut().open(&sample("model.safetensors"));
    harness.state_mut().open(&reversed);
    until(&mut harness, "both are open", |shell| {
        shell.session().model().is_some() && scene_named(shell, "reversed.tif").is_some()
    });

    harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    harness.run_steps(4);
    harness.get_by_label("Choose bands");
    click(&mut harness, "Predict with these bands");

    let scene = scene_named(harness.state(), "reversed.tif").expect("it is open");
    let chosen = harness.state().bands.chosen(harness.state().session(), scene);
    assert_eq!(chosen, Some((0..n).rev().collect()), "the model's own order");
    let classes = |shell: &Shell| shell.session().layers().iter().any(|layer| layer.role == LayerRole::ClassMap);
    until(&mut harness, "the class map is there", classes);
    // Remembered: it is not asked again.
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    harness.run_steps(4);
    assert!(harness.query_by_label("Predict with these bands").is_none());
}

#[test]
fn escape_leaves_the_bands_alone() {
    let mut harness = with_scene();
    harness.state_mut().open(&sample("model.safetensors"));
    until(&mut harness, "the model is open", |shell| shell.session().model().is_some());
    let Shell { bands, session, .. } = harness.state_mut();
    bands.ask(session, SceneId(1));
    harness.run_steps(3);
    harness.get_by_label("Predict with these bands");

    harness.key_press(Key::Escape);
    harness.run_steps(3);

    assert!(!harness.state().bands.asking());
    assert_eq!(harness.state().bands.chosen(harness.state().session(), SceneId(1)), None);
}

#[test]
fn the_inspector_says_what_it_shows_and_pins_have_names() {
    let mut harness = with_scene();
    let center = map_rect(&harness).center();
    harness.hover_at(center);
    until(&mut harness, "the cursor is answered", |shell| shell.inspector.cursor.is_some());
    harness.get_by_label("Inspector, at the cursor");

    click_map(&mut harness, center);
    click_map(&mut harness, center + egui::vec2(30.0, 10.0));
    assert_eq!(harness.state().inspector.pins.len(), 2);
    harness.get_by_label("Inspector, Pin 2");

    click(&mut harness, "Show pin 1");
    harness.hover_at(egui::pos2(5.0, 5.0));
    harness.run_steps(30);
    harness.get_by_label("Inspector, Pin 1");
    let (view, geo) = (harness.state().map.camera.view().center, harness.state().inspector.pins[0].geo);
    assert!((view.x - geo.x).abs() < 1e-6 && (view.y - geo.y).abs() < 1e-6, "centred");

    click(&mut harness, "More for pin 1");
    click(&mut harness, &format!("{}  Rename", crate::icons::PENCIL_SIMPLE));
    harness.get_by_label("Pin name").type_text("Reed");
    harness.run_steps(2);
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    assert_eq!(harness.state().inspector.pins[0].name, "Reed");

    click(&mut harness, "Remove pin 1");
    assert_eq!(harness.state().inspector.pins.len(), 1);
}

#[test]
fn a_click_beside_every_raster_pins_nothing() {
    let mut harness = with_scene();
    let bounds = harness.state().session().bounds().expect("a scene");
    let corner = map_rect(&harness).left_top() + egui::vec2(3.0, 3.0);
    harness.key_press(Key::Minus);
    harness.run_steps(40);
    assert!(harness.state().map.camera.view().bounds().min_x < bounds.min_x);

    click_map(&mut harness, corner);

    assert!(harness.state().inspector.pins.is_empty());
}

#[test]
fn home_shows_the_layer_and_an_empty_map_says_so() {
    let mut harness = with_scene();
    let bounds = harness.state().session().bounds().expect("a scene");
    let elsewhere = GeoBounds { min_x: bounds.max_x + 1e6, max_x: bounds.max_x + 2e6, ..bounds };
    harness.state_mut().map.camera.fit(elsewhere, 0.0);
    harness.run_steps(4);
    assert!(!harness.state().map.camera.view().bounds().intersects(&bounds));
    harness.get_by_label("No data here");

    click(&mut harness, "Back to the layer");
    harness.run_steps(40);

    assert!(harness.state().map.camera.view().bounds().intersects(&bounds));
    assert!(harness.query_by_label("No data here").is_none());
    harness.state_mut().map.camera.fit(elsewhere, 0.0);
    harness.key_press(Key::Home);
    harness.run_steps(40);
    assert!(harness.state().map.camera.view().bounds().intersects(&bounds));
}

#[test]
fn title_and_export_follow_the_chosen_layer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut harness = with_scene();
    assert_eq!(harness.state().title(), "scene.tif");
    let second = with_bands(&mut harness, folder.path(), "second.tif", vec![0, 1, 2]);
    harness.state_mut().open(&second);
    until(&mut harness, "the second scene is open", |shell| scene_named(shell, "second.tif").is_some());
    click(&mut harness, "Export");
    let (first, second) = (harness.state().session().layers()[0].id, harness.state().session().layers()[1].id);

    assert_eq!(harness.state().title(), "second.tif");
    assert_eq!(harness.state().export.layer, Some(second));

    harness.state_mut().map.chosen = Some(first);
    harness.run_steps(2);
    assert_eq!(harness.state().title(), "scene.tif");
    assert_eq!(harness.state().export.layer, Some(first));
}

#[test]
fn exports_are_proposed_beside_the_scene() {
    let harness = with_scene();
    let folder = harness.state().export_folder();
    assert_eq!(Some(folder.as_path()), harness.state().session().scene(SceneId(1)).expect("open").info.path.parent());
}

#[test]
fn the_palette_greys_what_cannot_be_done_and_enter_does_not_run_it() {
    let mut harness = window(RunOptions::default());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::P);
    harness.run_steps(3);
    harness.get_by_label("Find an action").type_text("predict");
    harness.run_steps(3);

    let entry = harness.get_by_role_and_label(Role::MenuItem, "Predict and explain");
    assert!(entry.accesskit_node().is_disabled());
    harness.key_press(Key::Enter);
    harness.run_steps(2);
    assert!(harness.state().toasts.texts().is_empty(), "nothing was run");
}

#[test]
fn errors_leave_after_a_while_and_stay_in_the_list() {
    let mut harness = window(RunOptions::default());
    for _ in 0..3 {
        harness.state_mut().toasts.push(Notice::error("no such file"));
    }
    harness.run_steps(2);
    harness.get_by_label("No such file  (×3)");

    // A step is a quarter of a second of the window's clock.
    harness.run_steps(52);
    assert!(harness.state().toasts.texts().is_empty());

    click(&mut harness, "Notices, 3 new");
    harness.get_by_label("No such file  (×3)");
    harness.run_steps(2);
    harness.get_by_label("Notices");
}

#[test]
fn the_inspector_folds_and_the_layers_take_its_place() {
    let mut harness = with_scene();
    harness.get_by_label("Inspector").click();
    harness.run_steps(3);
    assert!(!harness.state().saved.inspector_open);
    let header = harness.get_by_label("Inspector").rect();
    assert!(header.top() > 820.0, "at the bottom of the window: {header:?}");

    harness.get_by_label("Inspector").click();
    harness.run_steps(3);
    assert!(harness.state().saved.inspector_open);
    assert!(harness.get_by_label("Inspector").rect().top() < 700.0);
}

#[test]
fn layer_rows_are_low_and_still_something_to_hit() {
    let harness = with_scene();
    let row = harness.get_by_role(Role::ListItem).rect();
    assert!(row.height() <= 26.0 && row.height() >= 24.0, "{row:?}");
}

#[test]
fn a_scene_that_was_shown_has_a_thumbnail_at_the_next_start() {
    if sample("scene.tif").canonicalize().expect("the sample").starts_with(std::env::temp_dir()) {
        eprintln!("skipped: files in the temporary folder are not remembered, and this checkout is there");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut harness = window(RunOptions::default());
    harness.state_mut().thumbnails.folder = Some(folder.path().join("thumbnails"));
    harness.state_mut().open(&sample("scene.tif"));
    let listed = sample("scene.tif").canonicalize().expect("the sample");
    let file = harness.state().thumbnails.file(&listed).expect("a name");

    until(&mut harness, "the thumbnail is written", |_| file.is_file());

    let png = eframe::icon_data::from_png_bytes(&std::fs::read(&file).expect("a file")).expect("a PNG");
    assert_eq!(png.width.max(png.height), 192);
    assert!(png.rgba.chunks(4).filter(|pixel| pixel[3] == 255).count() > 1000);
    assert!(harness.state().session().jobs().is_empty(), "quietly");
    let Shell { thumbnails, .. } = harness.state_mut();
    let ctx = egui::Context::default();
    let begin = std::time::Instant::now();
    while thumbnails.texture(&ctx, &listed).is_none() {
        assert!(begin.elapsed().as_secs() < 60, "never read");
        std::thread::yield_now();
    }
}

#[test]
fn a_shift_dragged_box_is_explained_in_the_explain_workspace_only() {
    let mut harness = with_scene();
    harness.state_mut().open(&sample("model.safetensors"));
    until(&mut harness, "the model is open", |shell| shell.session().model().is_some());
    assert_eq!(harness.state().saved.workspace, Workspace::Explain);
    harness.run_steps(3);
    let before = *harness.state().map.camera.view();
    let center = map_rect(&harness).center();

    harness.event(egui::Event::ModifiersChanged(Modifiers::SHIFT));
    harness.event(egui::Event::PointerMoved(center));
    harness.run_steps(1);
    let button = |pressed, pos| egui::Event::PointerButton {
        pos,
        button: egui::PointerButton::Primary,
        pressed,
        modifiers: Modifiers::SHIFT,
    };
    harness.event(button(true, center));
    harness.run_steps(1);
    let corner = center + egui::vec2(60.0, 40.0);
    for pos in [center + egui::vec2(20.0, 20.0), corner] {
        harness.event(egui::Event::PointerMoved(pos));
        harness.run_steps(1);
    }
    harness.event(button(false, corner));
    harness.run_steps(1);
    harness.event(egui::Event::ModifiersChanged(Modifiers::NONE));

    let gradcam = |shell: &Shell| shell.session().layers().iter().any(|layer| layer.role == LayerRole::GradCam);
    until(&mut harness, "Grad-CAM of the box is on the map", gradcam);
    let shell = harness.state();
    let layer = shell.session().layers().last().expect("a layer");
    let info = &shell.session().scene(layer.source.scene()).expect("its scene").info;
    let size = |length: f64| length * before.units_per_px / shell.session().layer_pixel_size(layer.id).expect("a size");
    assert!((info.width as f64 - size(60.0)).abs() <= 2.0, "{} wide", info.width);
    assert!((info.height as f64 - size(40.0)).abs() <= 2.0, "{} high", info.height);
}

#[test]
fn a_pins_pixel_is_explained_for_its_class() {
    let mut harness = with_scene();
    harness.state_mut().open(&sample("model.safetensors"));
    until(&mut harness, "the model is open", |shell| shell.session().model().is_some());
    let center = map_rect(&harness).center();
    click_map(&mut harness, center);
    until(&mut harness, "the pin is answered", |shell| shell.inspector.pins.iter().any(|pin| pin.answer.is_some()));
    harness.run_steps(4);

    click(&mut harness, "More for pin 1");
    click(&mut harness, &format!("{}  Explain this pixel", crate::icons::SPARKLE));

    let gradcam = |shell: &Shell| shell.session().layers().iter().any(|layer| layer.role == LayerRole::GradCam);
    until(&mut harness, "Grad-CAM of the pixel is on the map", gradcam);
    let shell = harness.state();
    let pixel = shell.session().scene_pixel(SceneId(1), shell.inspector.pins[0].geo).expect("inside");
    let name = &shell.session().layers().last().expect("a layer").name;
    assert!(name.contains(&format!("at {}, {}", pixel[0], pixel[1])), "{name}");
}

#[test]
fn a_picture_of_the_view_has_the_prior_and_the_divider() {
    let mut harness = with_scene();
    harness.state_mut().open(&sample("references.csv"));
    until(&mut harness, "references are read", |shell| shell.session().prior().is_ok());
    harness.state_mut().dispatch(Command::ShowPrior { scene: SceneId(1) });
    harness.run_steps(2);
    let shell = harness.state();
    let prior = shell.session().layers().last().expect("the prior").id;
    let view = *shell.map.camera.view();
    let swipe = Some(nunatak_domain::map::Swipe { at: 0.25, layer: prior });

    let command = crate::panels::view_picture(shell.session(), &view, swipe, "view.png".into(), false);

    let line = shell.session().command_line(&command).expect("a script");
    assert!(line.starts_with("nunatak run - <<'END'"), "{line}");
    let Command::Render(config) = command else { panic!("{command:?}") };
    assert!(matches!(shell.session().layers()[1].source, LayerSource::Prior { .. }));
    assert_eq!(config.looks.iter().map(|look| look.prior).collect::<Vec<_>>(), [false, true]);
    assert_eq!(config.swipe, Some(nunatak_domain::job::PictureSwipe { at: 0.25, raster: 1 }));
    let references = config.references.expect("references");
    assert_eq!(references.references, shell.session().references().references);
}
