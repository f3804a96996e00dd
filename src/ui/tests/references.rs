use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use super::support::{click, sample, until, with_scene};
use crate::Shell;
use crate::map::Tool;

fn with_references() -> Harness<'static, Shell> {
    let mut harness = with_scene();
    harness.state_mut().open(&sample("references.csv"));
    until(&mut harness, "references are read", |shell| !shell.session().references().references.is_empty());
    click(&mut harness, "Explain");
    harness
}

fn center(harness: &Harness<'_, Shell>) -> egui::Pos2 {
    harness.get_by_label("Map").rect().center()
}

fn n_references(shell: &Shell) -> usize {
    shell.session().project().references.references.len()
}

#[test]
fn i_and_a_click_make_a_reference_and_the_next_stroke_grows_it() {
    let mut harness = with_scene();
    let at = center(&harness);
    harness.key_press(Key::I);
    harness.run_steps(2);
    assert_eq!(harness.state().map.tool, Tool::Pick);

    harness.hover_at(at);
    harness.drag_at(at);
    harness.drop_at(at);
    until(&mut harness, "a reference is sampled", |shell| n_references(shell) == 1);
    let n = |shell: &Shell| shell.session().project().references.references[0].sample.as_ref().map_or(0, |s| s.n);
    let first = n(harness.state());
    assert!(first > 0);

    let steps = harness.state().session().history().position();
    harness.drag_at(at);
    harness.run_steps(1);
    for step in 1..=5 {
        harness.hover_at(at + egui::vec2(16.0 * step as f32, 0.0));
        harness.run_steps(1);
    }
    harness.drop_at(at + egui::vec2(80.0, 0.0));
    until(&mut harness, "it has grown", move |shell| n(shell) > first);

    assert_eq!(n_references(harness.state()), 1);
    assert_eq!(harness.state().session().history().position(), steps + 1);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    until(&mut harness, "the stroke is undone", move |shell| n(shell) == first);
}

#[test]
fn dragging_a_weight_is_one_step_and_the_prior_follows_the_hand() {
    let mut harness = with_references();
    let name = harness.state().session().references().references[0].name.clone();
    let steps = harness.state().session().history().position();
    let threshold = |shell: &Shell| shell.session().prior().expect("a prior").thresholds()[0];
    let before = threshold(harness.state());
    let at = harness.get_by_label(&format!("Weight of {name}")).rect().center();

    harness.hover_at(at);
    harness.drag_at(at);
    harness.run_steps(1);
    for step in 1..=6 {
        harness.hover_at(at + egui::vec2(12.0 * step as f32, 0.0));
        harness.run_steps(1);
    }
    let shell = harness.state();
    assert!(threshold(shell) > before, "the prior follows the hand");
    assert_eq!(shell.session().history().position(), steps);
    assert_eq!(shell.session().project().references.references[0].weight, 1.0);
    harness.drop_at(at + egui::vec2(72.0, 0.0));
    harness.run_steps(2);

    let shell = harness.state();
    assert_eq!(shell.session().history().position(), steps + 1);
    assert!(shell.session().project().references.references[0].weight > 1.3);
}

#[test]
fn the_health_of_the_references_is_found_by_itself() {
    let mut harness = with_references();

    until(&mut harness, "health is found", |shell| {
        shell.session().health().is_some_and(|health| health.references.iter().any(|found| found.wins.is_some()))
    });

    harness.get_by_label("Reference health");
    harness.get_by_label("Condition number");
}

#[test]
fn an_index_is_found_by_its_name_and_a_wrong_formula_says_where() {
    let mut harness = with_scene();
    let layers = harness.state().session().layers().len();
    let scene = crate::panels::target_scene(harness.state().session(), None).expect("a scene");
    harness.state_mut().indices.ask(scene);
    harness.run_steps(3);

    harness.get_by_label("Formula").click();
    harness.run_steps(2);
    harness.get_by_label("Formula").type_text("(b1 - b99)");
    harness.run_steps(3);
    assert!(harness.query_all_by_label_contains("column 7: there is no band 99").next().is_some());
    harness.state_mut().indices.ask(scene);
    harness.run_steps(3);
    harness.get_by_label("Search indices").type_text("vegetation index");
    harness.run_steps(3);
    click(&mut harness, "NDVI");

    until(&mut harness, "the index is a layer", move |shell| shell.session().layers().len() == layers + 1);
    let layer = harness.state().session().layers().last().expect("the index").clone();
    assert_eq!(layer.formula.as_deref(), Some("ndvi"));
}
