use proptest::prelude::*;

use super::super::{
    Brush, BrushShape, Connectivity, LabelChange, LabelLayer, LabelPen, PaintRule, Stroke, Target, flood, shapes,
};
use super::{pos, rule};
use crate::class::ClassId;
use crate::geo::PixelPos;
use crate::grid::PixelRect;

fn stroked(
    layer: &mut LabelLayer,
    brush: Brush,
    rule: PaintRule,
    path: &[PixelPos],
) -> (LabelChange, Option<PixelRect>) {
    let (mut stroke, mut dirty) = Stroke::begin(layer, brush, rule, path[0]);
    for at in &path[1..] {
        dirty = match (dirty, stroke.extend(layer, &[*at])) {
            (Some(a), Some(b)) => Some(a.union(&b)),
            (a, b) => a.or(b),
        };
    }
    (stroke.end(layer), dirty)
}

#[test]
fn an_aborted_stroke_leaves_the_layer_as_it_was() {
    let mut layer = LabelLayer::new(600, 600);
    stroked(&mut layer, Brush::new(BrushShape::Round, 40), rule(1), &[pos(200.0, 200.0), pos(300.0, 280.0)]);
    let before = layer.clone();

    let (mut stroke, _) = Stroke::begin(&mut layer, Brush::new(BrushShape::Square, 90), rule(2), pos(250.0, 250.0));
    stroke.extend(&mut layer, &[pos(400.0, 100.0), pos(599.0, 599.0)]);
    assert_ne!(layer, before);
    stroke.abort(&mut layer);

    assert_eq!(layer, before);
}

#[test]
fn a_fast_circle_comes_out_round() {
    // Twelve positions on a circle of 100 px: chords are 100 (1 - cos 15°) = 3.4 px off it.
    let circle: Vec<PixelPos> = (0..=13)
        .map(|i| f64::from(i) * std::f64::consts::TAU / 12.0)
        .map(|angle| pos(150.0 + 100.0 * angle.cos(), 150.0 + 100.0 * angle.sin()))
        .collect();
    let mut layer = LabelLayer::new(300, 300);
    stroked(&mut layer, Brush::new(BrushShape::Round, 2), rule(1), &circle);

    let mask = super::super::PixelMask::of_class(&layer, ClassId(1), layer.rect());
    // Without the first two pieces, of which the first has no tangent yet.
    let off: Vec<f64> = mask
        .pixels()
        .map(|(col, row)| (col as f64 + 0.5 - 150.0, row as f64 + 0.5 - 150.0))
        .filter(|(x, y)| !(0.0..1.1).contains(&y.atan2(*x)))
        .map(|(x, y)| (x.hypot(y) - 100.0).abs())
        .collect();

    // 1 px of brush; the parabola of an arc of 30° is 0.02 px off, the pieces 0.1 px.
    assert!(off.iter().all(|off| *off < 1.15), "{:?}", off.iter().copied().fold(0.0, f64::max));
    assert!(off.len() > 800);
}

#[test]
fn a_corner_stays_a_corner() {
    let path = [pos(10.0, 50.0), pos(60.0, 50.0), pos(60.0, 90.0), pos(30.0, 90.0)];
    let mut layer = LabelLayer::new(100, 100);
    stroked(&mut layer, Brush::new(BrushShape::Round, 5), rule(1), &path);

    assert_eq!(
        super::super::PixelMask::of_class(&layer, ClassId(1), layer.rect()),
        shapes::line(&path, 5, layer.rect())
    );
}

#[test]
fn positions_far_outside_or_without_a_number_do_no_harm() {
    let mut layer = LabelLayer::new(50, 40);
    let path = [pos(f64::NAN, 1.0), pos(-1e12, 20.0), pos(1e12, 20.0), pos(f64::INFINITY, 0.0), pos(1e300, 1e300)];

    for brush in
        [Brush::new(BrushShape::Round, 1), Brush::new(BrushShape::Round, 11), Brush::new(BrushShape::Square, 11)]
    {
        let (change, dirty) = stroked(&mut layer, brush, rule(3), &path);
        assert!(!change.is_empty() && dirty.is_some());
        change.undo(&mut layer);
    }
    assert_eq!(layer, LabelLayer::new(50, 40));
}

#[derive(Clone, Debug)]
enum Gesture {
    Stroke { size: u32, square: bool, path: Vec<(f64, f64)> },
    Polygon(Vec<(f64, f64)>),
    Fill(usize, usize, bool),
    Abort(Vec<(f64, f64)>),
}

fn path() -> impl Strategy<Value = Vec<(f64, f64)>> {
    proptest::collection::vec((-40.0..640.0f64, -40.0..440.0f64), 1..7)
}

fn gesture() -> impl Strategy<Value = (Gesture, PaintRule)> {
    let gesture = prop_oneof![
        (1u32..120, any::<bool>(), path()).prop_map(|(size, square, path)| Gesture::Stroke { size, square, path }),
        path().prop_map(Gesture::Polygon),
        (0usize..600, 0usize..400, any::<bool>()).prop_map(|(col, row, eight)| Gesture::Fill(col, row, eight)),
        path().prop_map(Gesture::Abort),
    ];
    let class = proptest::option::weighted(0.8, (0u32..4).prop_map(ClassId));
    let onto = prop_oneof![
        3 => Just(Target::Any),
        1 => Just(Target::Unlabelled),
        1 => (0u32..4).prop_map(|class| Target::Class { class: ClassId(class) }),
    ];
    (gesture, (class, onto).prop_map(|(class, onto)| PaintRule { class, onto }))
}

fn play(layer: &mut LabelLayer, gesture: &Gesture, rule: PaintRule) -> LabelChange {
    let positions = |path: &[(f64, f64)]| path.iter().map(|(col, row)| pos(*col, *row)).collect::<Vec<_>>();
    let mut pen = LabelPen::default();
    match gesture {
        Gesture::Stroke { size, square, path } => {
            let brush = Brush::new(if *square { BrushShape::Square } else { BrushShape::Round }, *size);
            return stroked(layer, brush, rule, &positions(path)).0;
        }
        Gesture::Polygon(ring) => pen.paint_mask(layer, &shapes::polygon(&[positions(ring)], layer.rect()), rule),
        Gesture::Fill(col, row, eight) => {
            let connectivity = if *eight { Connectivity::Eight } else { Connectivity::Four };
            pen.paint_mask(layer, &flood(layer, (*col, *row), connectivity, u64::MAX).mask, rule);
        }
        Gesture::Abort(path) => {
            let path = positions(path);
            let (mut stroke, _) = Stroke::begin(layer, Brush::default(), rule, path[0]);
            stroke.extend(layer, &path[1..]);
            stroke.abort(layer);
        }
    }
    pen.lift(layer)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn undo_of_all_gestures_is_the_start_and_redo_the_end(gestures in proptest::collection::vec(gesture(), 1..12)) {
        let start = LabelLayer::new(600, 400);
        let mut layer = start.clone();

        let changes: Vec<LabelChange> = gestures.iter().map(|(gesture, rule)| play(&mut layer, gesture, *rule)).collect();
        let end = layer.clone();
        prop_assert!(layer.tiles().all(|(_, tile)| !tile.is_empty()));

        changes.iter().rev().for_each(|change| change.undo(&mut layer));
        prop_assert_eq!(&layer, &start);
        changes.iter().for_each(|change| change.redo(&mut layer));
        prop_assert_eq!(&layer, &end);
        prop_assert!(LabelChange::between(&end, &layer).is_empty());
    }

    #[test]
    fn a_stroke_is_the_same_one_by_one_and_all_at_once(path in path(), size in 1u32..80, square in any::<bool>()) {
        let brush = Brush::new(if square { BrushShape::Square } else { BrushShape::Round }, size);
        let path: Vec<PixelPos> = path.iter().map(|(col, row)| pos(*col, *row)).collect();
        let (mut streamed, mut at_once) = (LabelLayer::new(600, 400), LabelLayer::new(600, 400));

        let (change, dirty) = stroked(&mut streamed, brush, rule(2), &path);
        let (mut stroke, _) = Stroke::begin(&mut at_once, brush, rule(2), path[0]);
        stroke.extend(&mut at_once, &path[1..]);

        prop_assert_eq!(&stroke.end(&mut at_once), &change);
        prop_assert_eq!(&at_once, &streamed);
        let painted = super::super::PixelMask::of_class(&streamed, ClassId(2), streamed.rect());
        prop_assert_eq!(painted.bounds(), dirty);
    }
}
