use nunatak_app::Command;
use nunatak_domain::class::{ClassId, ClassScheme};
use nunatak_domain::geo::PixelPos;
use nunatak_domain::label::{Gesture, LabelsId, PaintRule, Target};

use super::*;

fn at(col: f64, row: f64) -> PixelPos {
    PixelPos::new(col, row)
}

fn setting() -> Setting {
    Setting {
        labels: LabelsId(4),
        rule: PaintRule { class: Some(ClassId(2)), onto: Target::Any },
        near_px: 2.0,
        size: (100, 80),
        options: ToolOptions::default(),
        bands: vec![3, 2, 1],
        spread: 10.0,
    }
}

fn click(pos: PixelPos) -> [Input; 2] {
    [Input::Press(pos), Input::Release(pos)]
}

fn gesture_of(commands: &[Command]) -> &Gesture {
    let [Command::Paint { labels: LabelsId(4), gesture, .. }] = commands else { panic!("{commands:?}") };
    gesture
}

#[test]
fn a_stroke_streams_every_position_of_a_frame() {
    let mut machine = Machine::of(PaintTool::Brush);
    let (a, b, c, d) = (at(1.0, 1.0), at(2.0, 1.0), at(3.0, 1.5), at(4.0, 2.0));

    let first = machine.take(&[Input::Press(a), Input::Move(b), Input::Move(c)], &setting());
    let busy = machine.busy();
    let second = machine.take(&[Input::Release(d)], &setting());

    let brush = setting().options.brush();
    assert_eq!(
        first,
        [
            Command::BeginStroke { labels: LabelsId(4), brush, rule: setting().rule, at: a },
            Command::ExtendStroke { positions: vec![b, c] }
        ]
    );
    assert!(busy && !machine.busy());
    assert_eq!(second, [Command::ExtendStroke { positions: vec![d] }, Command::EndStroke]);
}

#[test]
fn a_stroke_that_is_aborted_ends_nothing_and_a_later_release_neither() {
    let mut machine = Machine::of(PaintTool::Eraser);
    machine.take(&[Input::Press(at(1.0, 1.0))], &setting());

    let commands = machine.take(&[Input::Move(at(2.0, 2.0)), Input::Abort, Input::Release(at(3.0, 3.0))], &setting());

    assert_eq!(commands, [Command::AbortStroke]);
    assert!(!machine.busy());
}

#[test]
fn a_polygon_ends_on_its_first_vertex_by_enter_or_by_a_double_click() {
    let corners = [at(10.0, 10.0), at(50.0, 10.0), at(50.0, 40.0)];
    let ends: [&[Input]; 3] = [
        &[Input::Press(at(10.5, 10.5))],
        &[Input::Enter],
        &[Input::Press(at(50.0, 40.5)), Input::Release(at(50.0, 40.5)), Input::DoubleClick],
    ];
    for end in ends {
        let mut machine = Machine::of(PaintTool::Polygon);
        let clicks: Vec<Input> = corners.into_iter().flat_map(click).collect();
        assert!(machine.take(&clicks, &setting()).is_empty());
        assert_eq!(machine.outline(None).n_handles, 3);

        let commands = machine.take(end, &setting());

        assert_eq!(*gesture_of(&commands), Gesture::Polygon { rings: vec![corners.to_vec()] }, "{end:?}");
        assert!(!machine.busy());
    }
}

#[test]
fn backspace_takes_vertices_back_and_escape_all_of_them() {
    let mut machine = Machine::of(PaintTool::Polygon);
    let clicks: Vec<Input> =
        [at(1.0, 1.0), at(9.0, 1.0), at(9.0, 9.0), at(1.0, 9.0)].into_iter().flat_map(click).collect();
    machine.take(&clicks, &setting());

    machine.take(&[Input::Back], &setting());
    assert_eq!(machine.outline(Some(at(5.0, 5.0))).positions.len(), 4, "three and the pointer");
    assert!(machine.take(&[Input::Back, Input::Enter], &setting()).is_empty(), "two corners are no polygon");
    assert!(!machine.busy());

    machine.take(&clicks, &setting());
    machine.take(&[Input::Abort], &setting());
    assert!(!machine.busy() && machine.take(&[Input::Enter], &setting()).is_empty());
}

#[test]
fn a_line_is_dragged_or_clicked() {
    let (a, b) = (at(10.0, 10.0), at(60.0, 30.0));
    let line = Gesture::Line { width_px: 9, positions: vec![a, b] };
    let mut machine = Machine::of(PaintTool::Line);
    let dragged = machine.take(&[Input::Press(a), Input::Move(b), Input::Release(b)], &setting());
    assert_eq!(*gesture_of(&dragged), line);

    let clicks: Vec<Input> = [a, b].into_iter().flat_map(click).chain([Input::Enter]).collect();
    assert_eq!(*gesture_of(&machine.take(&clicks, &setting())), line);
}

#[test]
fn rectangle_and_lasso_take_what_was_dragged_and_a_click_is_nothing() {
    let (a, b, c) = (at(10.0, 10.0), at(60.0, 12.0), at(60.0, 40.0));
    let mut rectangle = Machine::of(PaintTool::Rectangle);
    let mut lasso = Machine::of(PaintTool::Lasso);
    let drag = [Input::Press(a), Input::Move(b), Input::Move(c), Input::Release(c)];

    assert_eq!(*gesture_of(&rectangle.take(&drag, &setting())), Gesture::Rectangle { from: a, to: c });
    assert_eq!(*gesture_of(&lasso.take(&drag, &setting())), Gesture::Polygon { rings: vec![vec![a, b, c]] });
    assert!(rectangle.take(&click(a), &setting()).is_empty());
    assert!(lasso.take(&click(a), &setting()).is_empty());
}

#[test]
fn a_gesture_keeps_the_rule_it_began_with() {
    let mut machine = Machine::of(PaintTool::Rectangle);
    let erase = Setting { rule: PaintRule { class: None, onto: Target::Any }, ..setting() };
    machine.take(&[Input::Press(at(1.0, 1.0))], &erase);

    let commands = machine.take(&[Input::Release(at(5.0, 5.0))], &setting());

    let [Command::Paint { rule, .. }] = commands[..] else { panic!("{commands:?}") };
    assert_eq!(rule.class, None);
}

#[test]
fn point_tools_paint_from_the_pixel_under_the_pointer() {
    let mut fill = Machine::of(PaintTool::Fill);
    let commands = fill.take(&click(at(12.9, 7.2)), &setting());
    assert!(matches!(*gesture_of(&commands), Gesture::Fill { col: 12, row: 7, max_px: 8000, .. }));
    assert!(fill.take(&click(at(-0.1, 7.2)), &setting()).is_empty(), "beside the scene");
    assert!(fill.take(&click(at(100.0, 7.2)), &setting()).is_empty(), "beside the scene");

    let commands = Machine::of(PaintTool::Wand).take(&click(at(1.0, 1.0)), &setting());
    let Gesture::Wand { wand, .. } = gesture_of(&commands) else { panic!("{commands:?}") };
    assert!((wand.tolerance - 5f64.to_radians()).abs() < 1e-12);

    let commands = Machine::of(PaintTool::Superpixel).take(&click(at(1.0, 1.0)), &setting());
    let Gesture::Superpixel { bands, .. } = gesture_of(&commands) else { panic!("{commands:?}") };
    assert_eq!(*bands, [3, 2, 1]);
}

#[test]
fn sizes_grow_in_growing_steps_and_come_back_within_1_to_2001() {
    let mut options = ToolOptions { size_px: 1, ..ToolOptions::default() };
    let mut sizes = vec![1];
    while options.size_px < 2001 {
        options.larger();
        sizes.push(options.size_px);
    }
    options.larger();
    assert_eq!(options.size_px, 2001);
    assert_eq!(sizes[..4], [1, 2, 3, 4]);
    assert!(sizes.windows(3).all(|s| s[2] == 2001 || s[2] - s[1] >= s[1] - s[0]), "{sizes:?}");
    assert!(sizes.len() < 80, "{} steps", sizes.len());

    for _ in 0..sizes.len() + 8 {
        options.smaller();
    }
    assert_eq!(options.size_px, 1);
}

#[test]
fn ctrl_erases_and_erasing_minds_only_a_class_that_is_to_be_replaced() {
    let scheme = ClassScheme::numbered(3);
    let one = Some(ClassId(1));
    let mut options = ToolOptions { onto: Onto::Unlabelled, ..ToolOptions::default() };

    let rule = |options: &ToolOptions, ctrl| options.rule(PaintTool::Brush, ctrl, one, &scheme);
    assert_eq!(rule(&options, false), PaintRule { class: one, onto: Target::Unlabelled });
    assert_eq!(rule(&options, true), PaintRule { class: None, onto: Target::Any });
    assert_eq!(options.rule(PaintTool::Eraser, false, one, &scheme).class, None);
    options.onto = Onto::Class(ClassId(2));
    assert_eq!(rule(&options, true).onto, Target::Class { class: ClassId(2) });
    options.onto = Onto::Class(ClassId(9));
    assert_eq!(rule(&options, false).onto, Target::Any, "a class that is gone");
}

#[test]
fn x_swaps_the_last_two_classes() {
    let scheme = ClassScheme::numbered(4);
    let mut hand = Hand::default();
    assert_eq!(hand.class(&scheme), Some(ClassId(0)));

    hand.swap(&scheme);
    assert_eq!(hand.class(&scheme), Some(ClassId(1)), "no other yet: the next");
    hand.choose(ClassId(3), &scheme);
    hand.swap(&scheme);
    assert_eq!(hand.class(&scheme), Some(ClassId(1)));
    hand.swap(&scheme);
    assert_eq!(hand.class(&scheme), Some(ClassId(3)));
}
