//! Painting as a person does: a tool, a drag, a look at the labels.

use std::time::{Duration, Instant};

use egui::{Key, Modifiers, PointerButton, Pos2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use nunatak_app::Command;
use nunatak_domain::class::ClassId;
use nunatak_domain::label::{LabelLayer, LabelsId};
use nunatak_domain::layer::{LayerRole, SceneId};

use super::support::{click, with_scene};
use crate::Shell;
use crate::map::Tool;
use crate::saved::Workspace;
use crate::tools::PaintTool;

type Window = Harness<'static, Shell>;

fn center(harness: &Window) -> Pos2 {
    harness.get_by_label("Map").rect().center()
}

fn button(harness: &mut Window, at: Pos2, button: PointerButton, pressed: bool, modifiers: Modifiers) {
    harness.event_modifiers(egui::Event::PointerButton { pos: at, button, pressed, modifiers }, modifiers);
    harness.run_steps(1);
}

fn move_to(harness: &mut Window, at: Pos2) {
    harness.hover_at(at);
    harness.run_steps(1);
}

/// A drag with the left button and these modifiers.
fn drag(harness: &mut Window, way: &[Pos2], modifiers: Modifiers) {
    move_to(harness, way[0]);
    button(harness, way[0], PointerButton::Primary, true, modifiers);
    for at in &way[1..] {
        move_to(harness, *at);
    }
    button(harness, way[way.len() - 1], PointerButton::Primary, false, modifiers);
}

fn click_at(harness: &mut Window, at: Pos2) {
    drag(harness, &[at], Modifiers::NONE);
    // Past the time in which a second click would be a double click.
    harness.run_steps(4);
}

fn press(harness: &mut Window, key: Key) {
    harness.key_press(key);
    harness.run_steps(2);
}

fn labels(harness: &Window) -> &LabelLayer {
    &harness.state().session().project().labels.last().expect("a label layer").layer
}

fn n_px(harness: &Window, class: u32) -> u64 {
    labels(harness).counts().get(&ClassId(class)).copied().unwrap_or(0)
}

/// Label under a place of the window.
fn label_at(harness: &Window, at: Pos2) -> Option<ClassId> {
    let shell = harness.state();
    let rect = harness.get_by_label("Map").rect();
    let screen = crate::map::screen_pos(rect, at, shell.map.pixels_per_point);
    let geo = shell.map.camera.view().geo_from_screen(screen);
    let [col, row] = shell.session().scene_pixel(SceneId(1), geo).expect("on the scene");
    labels(harness).get(col, row)
}

fn n_steps(harness: &Window) -> usize {
    harness.state().session().history().position()
}

#[test]
fn a_brush_is_all_that_is_needed_to_paint_undo_and_redo() {
    let mut harness = with_scene();

    click(&mut harness, "Brush");
    let shell = harness.state();
    assert_eq!(shell.session().project().labels.len(), 1, "a label layer was made");
    assert_eq!(shell.session().project().classes.classes.len(), 2, "and two classes");
    assert_eq!(shell.saved.workspace, Workspace::Annotate);
    harness.get_by_label("Made a label layer and two classes: just paint");
    assert!(harness.state().session().layers().iter().any(|layer| layer.role == LayerRole::Labels));

    let from = center(&harness);
    let to = from + egui::vec2(60.0, 20.0);
    drag(&mut harness, &[from, from + egui::vec2(30.0, 10.0), to], Modifiers::NONE);
    assert_eq!(label_at(&harness, from), Some(ClassId(1)));
    assert_eq!(label_at(&harness, to), Some(ClassId(1)));
    assert_eq!(label_at(&harness, from + egui::vec2(15.0, 5.0)), Some(ClassId(1)), "and between");
    let painted = n_px(&harness, 1);
    assert!(harness.query_by_label("Made a label layer and two classes: just paint").is_none());

    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    harness.run_steps(2);
    assert_eq!(n_px(&harness, 1), 0);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Y);
    harness.run_steps(2);
    assert_eq!(n_px(&harness, 1), painted);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    harness.run_steps(2);
    harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    harness.run_steps(2);
    assert_eq!(n_px(&harness, 1), painted);
}

#[test]
fn ctrl_erases_and_digits_choose_the_class() {
    let mut harness = with_scene();
    press(&mut harness, Key::B);
    press(&mut harness, Key::Num2);
    let at = center(&harness);
    drag(&mut harness, &[at, at + egui::vec2(40.0, 0.0)], Modifiers::NONE);
    assert_eq!(label_at(&harness, at), Some(ClassId(2)));

    drag(&mut harness, &[at, at + egui::vec2(1.0, 0.0)], Modifiers::COMMAND);
    assert_eq!(label_at(&harness, at), None);
    assert_eq!(label_at(&harness, at + egui::vec2(40.0, 0.0)), Some(ClassId(2)));

    press(&mut harness, Key::X);
    drag(&mut harness, &[at, at + egui::vec2(1.0, 0.0)], Modifiers::NONE);
    assert_eq!(label_at(&harness, at), Some(ClassId(1)), "the class before");

    press(&mut harness, Key::E);
    drag(&mut harness, &[at, at + egui::vec2(1.0, 0.0)], Modifiers::NONE);
    assert_eq!(label_at(&harness, at), None);
}

#[test]
fn escape_right_click_and_undo_cancel_a_stroke_in_its_middle() {
    let mut harness = with_scene();
    press(&mut harness, Key::B);
    let steps = n_steps(&harness);
    let at = center(&harness);
    let begin = |harness: &mut Window| {
        move_to(harness, at);
        button(harness, at, PointerButton::Primary, true, Modifiers::NONE);
        move_to(harness, at + egui::vec2(30.0, 0.0));
        assert!(n_px(harness, 1) > 0 && harness.state().session().drawing());
    };
    let end = |harness: &mut Window| {
        assert_eq!(n_px(harness, 1), 0);
        move_to(harness, at + egui::vec2(60.0, 0.0));
        button(harness, at + egui::vec2(60.0, 0.0), PointerButton::Primary, false, Modifiers::NONE);
        assert_eq!(n_px(harness, 1), 0, "what follows of the stroke paints nothing");
        assert_eq!(n_steps(harness), steps);
        assert!(harness.state().toasts.texts().is_empty(), "{:?}", harness.state().toasts.texts());
    };

    begin(&mut harness);
    press(&mut harness, Key::Escape);
    end(&mut harness);

    begin(&mut harness);
    button(&mut harness, at, PointerButton::Secondary, true, Modifiers::NONE);
    button(&mut harness, at, PointerButton::Secondary, false, Modifiers::NONE);
    end(&mut harness);

    begin(&mut harness);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    harness.run_steps(2);
    end(&mut harness);
}

#[test]
fn a_polygon_closes_on_its_first_corner() {
    let mut harness = with_scene();
    press(&mut harness, Key::P);
    let c = center(&harness);
    let corners = [
        c - egui::vec2(60.0, 60.0),
        c + egui::vec2(60.0, -60.0),
        c + egui::vec2(60.0, 60.0),
        c + egui::vec2(-60.0, 60.0),
    ];
    for corner in corners {
        click_at(&mut harness, corner);
    }
    click_at(&mut harness, c + egui::vec2(-100.0, 0.0));
    press(&mut harness, Key::Backspace);
    assert_eq!(n_px(&harness, 1), 0, "not before it is closed");

    click_at(&mut harness, corners[0] + egui::vec2(2.0, 1.0));

    let units = harness.state().map.camera.view().units_per_px * harness.state().map.pixels_per_point;
    let layer = harness.state().session().layers()[0].id;
    let side = 120.0 * units / harness.state().session().layer_pixel_size(layer).expect("a size");
    let area = n_px(&harness, 1) as f64;
    assert!((area / (side * side) - 1.0).abs() < 0.05, "{area} px for {} expected", side * side);
    assert_eq!(label_at(&harness, c), Some(ClassId(1)));
    assert_eq!(label_at(&harness, c - egui::vec2(90.0, 0.0)), None);
}

#[test]
fn panning_and_zooming_with_a_brush_in_the_hand_paint_nothing() {
    let mut harness = with_scene();
    press(&mut harness, Key::B);
    let (steps, at) = (n_steps(&harness), center(&harness));
    let view = *harness.state().map.camera.view();

    harness.key_down(Key::Space);
    drag(&mut harness, &[at, at + egui::vec2(20.0, 0.0), at + egui::vec2(50.0, 0.0)], Modifiers::NONE);
    harness.key_up(Key::Space);
    harness.run_steps(1);
    let by_space = harness.state().map.camera.view().center;
    assert!(by_space.x < view.center.x, "the map moved");

    move_to(&mut harness, at);
    button(&mut harness, at, PointerButton::Middle, true, Modifiers::NONE);
    move_to(&mut harness, at + egui::vec2(20.0, 0.0));
    move_to(&mut harness, at + egui::vec2(50.0, 0.0));
    button(&mut harness, at + egui::vec2(50.0, 0.0), PointerButton::Middle, false, Modifiers::NONE);
    assert!(harness.state().map.camera.view().center.x < by_space.x, "and again");

    harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, 50.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Wheel,
        modifiers: Modifiers::NONE,
    });
    harness.run_steps(6);
    assert!(harness.state().map.camera.view().units_per_px < view.units_per_px, "the wheel zooms");

    assert_eq!(n_steps(&harness), steps);
    assert_eq!(n_px(&harness, 1), 0);
    // The same drag without Space paints and leaves the map where it is.
    let before = harness.state().map.camera.view().center;
    drag(&mut harness, &[at, at + egui::vec2(20.0, 0.0), at + egui::vec2(50.0, 0.0)], Modifiers::NONE);
    assert!(n_px(&harness, 1) > 0);
    assert_eq!(harness.state().map.camera.view().center, before);
}

#[test]
fn brackets_and_shift_wheel_change_the_size() {
    let mut harness = with_scene();
    press(&mut harness, Key::B);
    let size = |harness: &Window| harness.state().saved.tools.size_px;
    let before = size(&harness);

    press(&mut harness, Key::CloseBracket);
    assert_eq!(size(&harness), before + 1);
    press(&mut harness, Key::OpenBracket);
    press(&mut harness, Key::OpenBracket);
    assert_eq!(size(&harness), before - 1);

    let view = harness.state().map.camera.view().units_per_px;
    let at = center(&harness);
    move_to(&mut harness, at);
    harness.event_modifiers(
        egui::Event::MouseWheel {
            unit: egui::MouseWheelUnit::Point,
            delta: egui::vec2(0.0, 60.0),
            phase: egui::TouchPhase::Move,
            source: egui::MouseWheelSource::Wheel,
            modifiers: Modifiers::SHIFT,
        },
        Modifiers::SHIFT,
    );
    harness.run_steps(6);
    assert!(size(&harness) > before, "{}", size(&harness));
    assert_eq!(harness.state().map.camera.view().units_per_px, view, "and the map stays");
}

#[test]
fn only_unlabelled_leaves_labels_and_a_hidden_layer_shows_when_it_is_painted() {
    let mut harness = with_scene();
    press(&mut harness, Key::R);
    let c = center(&harness);
    drag(&mut harness, &[c, c + egui::vec2(50.0, 50.0)], Modifiers::NONE);
    let first = n_px(&harness, 1);
    press(&mut harness, Key::Num2);
    harness.state_mut().saved.tools.onto = crate::tools::Onto::Unlabelled;
    let layer = harness.state().session().layers().last().expect("labels").id;
    harness.state_mut().dispatch(Command::SetVisible { layer, visible: false });

    drag(&mut harness, &[c, c + egui::vec2(80.0, 50.0)], Modifiers::NONE);

    assert_eq!(n_px(&harness, 1), first);
    assert!(n_px(&harness, 2) > 0);
    assert!(harness.state().session().layer(layer).expect("labels").visible);
}

#[test]
fn the_history_goes_to_a_step_and_names_what_undo_takes_back() {
    let mut harness = with_scene();
    press(&mut harness, Key::R);
    let c = center(&harness);
    drag(&mut harness, &[c, c + egui::vec2(50.0, 50.0)], Modifiers::NONE);
    press(&mut harness, Key::B);
    drag(&mut harness, &[c, c + egui::vec2(0.0, 90.0)], Modifiers::NONE);
    let (n, painted) = (n_steps(&harness), n_px(&harness, 1));
    let shell = harness.state();
    assert_eq!(crate::action::Action::Undo.title(shell.session()), "Undo Brush stroke");

    click(&mut harness, &format!("Step {}, Rectangle", n - 1));
    assert_eq!(n_steps(&harness), n - 1);
    assert!(n_px(&harness, 1) < painted);
    click(&mut harness, &format!("Step {n}, Brush stroke"));
    assert_eq!(n_px(&harness, 1), painted);
    click(&mut harness, "Step 0, Opened");
    assert!(harness.state().session().project().labels.is_empty());
    assert!(!harness.state().session().layers().iter().any(|layer| layer.role == LayerRole::Labels));
}

#[test]
fn classes_are_added_renamed_merged_and_deleted_in_their_panel() {
    let mut harness = with_scene();
    click(&mut harness, "Annotate");
    click(&mut harness, "New class");
    click(&mut harness, "New class");
    press(&mut harness, Key::R);
    let c = center(&harness);
    drag(&mut harness, &[c, c + egui::vec2(50.0, 50.0)], Modifiers::NONE);
    let painted = n_px(&harness, 2);
    assert!(painted > 0, "the new class is in the hand");

    click(&mut harness, "More for class Class 2");
    click(&mut harness, "Rename");
    harness.get_by_label("Class name").type_text(" of reed");
    harness.run_steps(2);
    press(&mut harness, Key::Enter);
    assert_eq!(harness.state().session().project().classes.name(ClassId(2)), "Class 2 of reed");

    harness
        .state_mut()
        .dispatch(Command::EditClasses { edit: nunatak_app::ClassEdit::Merge { id: ClassId(2), into: ClassId(1) } });
    harness.run_steps(2);
    assert_eq!((n_px(&harness, 1), n_px(&harness, 2)), (painted, 0));
    let mut tries = 0;
    while !harness.state().classes.counts.complete() && tries < 50 {
        harness.run_steps(1);
        tries += 1;
    }
    assert_eq!(harness.state().classes.counts.of(ClassId(1)), painted);

    click(&mut harness, "More for class Class 1");
    click(&mut harness, "Delete");
    assert!(harness.state().session().project().classes.classes.is_empty());
    assert_eq!(n_px(&harness, 1), 0);
}

#[test]
fn ready_made_classes_come_in_one_step() {
    let mut harness = with_scene();
    click(&mut harness, "Annotate");
    click(&mut harness, "Ready-made classes");
    click(&mut harness, "ESA WorldCover");

    assert_eq!(harness.state().session().project().classes.name(ClassId(80)), "Permanent water bodies");
    assert_eq!(n_steps(&harness), 1);
}

#[test]
fn a_frame_of_painting_with_a_brush_of_1001_px_takes_less_than_16_ms() {
    let mut harness = with_scene();
    press(&mut harness, Key::B);
    harness.state_mut().saved.tools.size_px = 1001;
    let at = center(&harness);
    move_to(&mut harness, at);
    button(&mut harness, at, PointerButton::Primary, true, Modifiers::NONE);
    let mut times: Vec<Duration> = Vec::new();
    for step in 0..40 {
        for part in 0..4 {
            let travel = (4 * step + part) as f32;
            harness.hover_at(at + egui::vec2(travel, 30.0 * (0.1 * travel).sin()));
        }
        let begin = Instant::now();
        harness.step();
        times.push(begin.elapsed());
    }
    button(&mut harness, at, PointerButton::Primary, false, Modifiers::NONE);
    times.sort();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    eprintln!("painting with 1001 px: median {median:?}, worst {worst:?} a frame");
    assert!(n_px(&harness, 1) > 0);
    // Tests are built without full optimisation and share two cores; the bench has the limit.
    assert!(median < Duration::from_millis(if cfg!(debug_assertions) { 100 } else { 16 }), "{median:?}");
}

#[test]
fn keys_are_recorded_a_conflict_is_said_and_all_can_be_reset() {
    let mut harness = with_scene();
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Comma);
    harness.run_steps(3);
    harness.get_by_label("Find keys").type_text("brush");
    harness.run_steps(3);
    click(&mut harness, "Keys of Brush");
    press(&mut harness, Key::K);
    click(&mut harness, "Keys of Larger brush");
    press(&mut harness, Key::K);
    harness.get_by_label_contains("is “Brush”");
    click(&mut harness, "Leave it");
    click(&mut harness, "Keys of Larger brush");
    press(&mut harness, Key::Space);
    harness.get_by_label_contains("belongs to the map");
    press(&mut harness, Key::Escape);
    assert!(!harness.state().settings.open);

    press(&mut harness, Key::K);
    assert_eq!(harness.state().map.tool, Tool::Paint(PaintTool::Brush));
    press(&mut harness, Key::P);
    press(&mut harness, Key::B);
    assert_eq!(harness.state().map.tool, Tool::Paint(PaintTool::Polygon), "the old key is free");

    harness.key_press_modifiers(Modifiers::COMMAND, Key::Comma);
    harness.run_steps(3);
    click(&mut harness, "Reset all keys");
    press(&mut harness, Key::Escape);
    press(&mut harness, Key::B);
    assert_eq!(harness.state().map.tool, Tool::Paint(PaintTool::Brush));
}

#[test]
fn the_inspector_names_the_label_under_the_cursor() {
    let mut harness = with_scene();
    let named = |harness: &Window| harness.query_all_by_label("Class 1").count();
    press(&mut harness, Key::R);
    press(&mut harness, Key::I);
    let before = named(&harness);
    press(&mut harness, Key::R);
    let c = center(&harness);
    drag(&mut harness, &[c - egui::vec2(40.0, 40.0), c + egui::vec2(40.0, 40.0)], Modifiers::NONE);
    press(&mut harness, Key::I);

    move_to(&mut harness, c);
    let begin = Instant::now();
    while named(&harness) == before {
        assert!(begin.elapsed() < Duration::from_secs(60), "never named");
        harness.step();
        std::thread::yield_now();
    }
}

#[test]
fn removing_a_label_layer_is_a_step_and_its_scene_stays() {
    let mut harness = with_scene();
    press(&mut harness, Key::B);
    let at = center(&harness);
    drag(&mut harness, &[at, at + egui::vec2(40.0, 0.0)], Modifiers::NONE);
    harness.state_mut().map.chosen = harness.state().session().layers().last().map(|layer| layer.id);

    press(&mut harness, Key::Delete);
    assert!(harness.state().session().project().labels.is_empty());
    assert_eq!(harness.state().session().layers().len(), 1);

    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    harness.run_steps(2);
    assert_eq!(harness.state().session().project().labels[0].id, LabelsId(0));
    assert!(n_px(&harness, 1) > 0);
    assert_eq!(harness.state().map.tool, Tool::Paint(PaintTool::Brush));
}
