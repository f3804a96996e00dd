//! Painting, undo and redo through commands.

use nunatak_app::{ClassEdit, Command, Event, ReferenceEdit, Session};
use nunatak_domain::class::{Class, ClassId, Rgb};
use nunatak_domain::geo::PixelPos;
use nunatak_domain::label::post::LabelFilter;
use nunatak_domain::label::{
    Brush, BrushShape, Connectivity, Gesture, LabelLayer, LabelsId, PaintRule, SpectralMetric, Target, Wand, WandReach,
};
use nunatak_domain::layer::{LayerRole, SceneId};
use nunatak_domain::map::MapView;
use nunatak_domain::spectra::SpectralReference;

use crate::support::{act, session, utm, write_raster};

const LABELS: LabelsId = LabelsId(0);
const RULE: PaintRule = PaintRule { class: Some(ClassId(1)), onto: Target::Any };

/// A session with a scene of two halves, a class and an empty label layer.
fn desk(folder: &std::path::Path) -> Session {
    let path = write_raster(&folder.join("halves.tif"), (2, 600, 300), utm(), |band, col, _| {
        if col < 300 { 0.2 + 0.1 * band as f32 } else { 0.6 - 0.2 * band as f32 }
    });
    let mut session = session();
    act(&mut session, Command::OpenScene { path });
    for (id, name) in [(1, "Ice"), (2, "Rock")] {
        let class = Class::new(ClassId(id), name, Rgb::distinct(id as usize));
        act(&mut session, Command::EditClasses { edit: ClassEdit::Add { class } });
    }
    act(&mut session, Command::AddLabels { scene: SceneId(1), name: None });
    session
}

fn layer(session: &Session) -> &LabelLayer {
    &session.project().labels(LABELS).expect("the label layer").layer
}

fn count(session: &Session, id: u32) -> u64 {
    layer(session).counts().get(&ClassId(id)).copied().unwrap_or(0)
}

fn at(col: f64, row: f64) -> PixelPos {
    PixelPos::new(col, row)
}

#[test]
fn a_stroke_that_streams_gives_the_same_labels_as_one_command_and_is_one_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = [at(20.0, 20.0), at(120.0, 40.0), at(260.0, 200.0), at(500.0, 210.0)];
    let brush = Brush::new(BrushShape::Round, 25);
    let mut whole = desk(folder.path());
    let positions = path.to_vec();
    act(&mut whole, Command::Paint { labels: LABELS, gesture: Gesture::Stroke { brush, positions }, rule: RULE });

    let mut streamed = desk(folder.path());
    let steps = streamed.history().position();
    act(&mut streamed, Command::BeginStroke { labels: LABELS, brush, rule: RULE, at: path[0] });
    for position in &path[1..] {
        let events = act(&mut streamed, Command::ExtendStroke { positions: vec![*position] });
        assert!(matches!(events[..], [Event::LabelsChanged { labels: LABELS, .. }]), "{events:?}");
        assert!(streamed.drawing());
    }
    act(&mut streamed, Command::EndStroke);

    assert_eq!(layer(&whole), layer(&streamed));
    assert_eq!(streamed.history().position(), steps + 1);
    act(&mut streamed, Command::Undo);
    assert!(layer(&streamed).counts().is_empty());
    act(&mut streamed, Command::Redo);
    assert_eq!(layer(&whole), layer(&streamed));
}

#[test]
fn undo_in_mid_stroke_takes_the_stroke_back_and_makes_no_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut session = desk(folder.path());
    let rectangle = Gesture::Rectangle { from: at(0.0, 0.0), to: at(50.0, 50.0) };
    act(&mut session, Command::Paint { labels: LABELS, gesture: rectangle, rule: RULE });
    let before = layer(&session).clone();
    let steps = session.history().steps().len();
    let brush = Brush::new(BrushShape::Square, 41);

    let rule = PaintRule { class: None, onto: Target::Any };
    act(&mut session, Command::BeginStroke { labels: LABELS, brush, rule, at: at(10.0, 10.0) });
    assert!(count(&session, 1) < 2500);
    act(&mut session, Command::Undo);

    assert_eq!((layer(&session), session.history().steps().len()), (&before, steps));
    assert!(!session.drawing());
}

#[test]
fn a_wand_paints_the_half_that_it_was_clicked_in_and_a_filter_is_a_step_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut session = desk(folder.path());
    let reach = WandReach::Connected { connectivity: Connectivity::Four };
    let wand = Wand { metric: SpectralMetric::Euclidean, tolerance: 0.05, reach, max_px: 1 << 20 };

    let gesture = Gesture::Wand { col: 10, row: 10, wand, bands: Vec::new() };
    act(&mut session, Command::Paint { labels: LABELS, gesture, rule: RULE });
    assert_eq!(count(&session, 1), 300 * 300);

    let filter = LabelFilter::Replace { from: ClassId(1), to: Some(ClassId(2)) };
    act(&mut session, Command::FilterLabels { labels: LABELS, filter });
    assert_eq!((count(&session, 1), count(&session, 2)), (0, 300 * 300));
    act(&mut session, Command::Undo);
    assert_eq!((count(&session, 1), count(&session, 2)), (300 * 300, 0));
}

#[test]
fn merging_classes_takes_their_labels_along_and_undo_brings_both_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut session = desk(folder.path());
    for (id, col) in [(1, 0.0), (2, 100.0)] {
        let gesture = Gesture::Rectangle { from: at(col, 0.0), to: at(col + 10.0, 10.0) };
        let rule = PaintRule { class: Some(ClassId(id)), onto: Target::Any };
        act(&mut session, Command::Paint { labels: LABELS, gesture, rule });
    }

    act(&mut session, Command::EditClasses { edit: ClassEdit::Merge { id: ClassId(1), into: ClassId(2) } });

    assert_eq!((count(&session, 1), count(&session, 2)), (0, 200));
    assert_eq!(session.project().classes.classes.len(), 1);
    act(&mut session, Command::Undo);
    assert_eq!((count(&session, 1), count(&session, 2)), (100, 100));
}

#[test]
fn all_steps_back_and_forth_end_where_they_began() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut session = desk(folder.path());
    let reference = SpectralReference::new("ice", Rgb([1, 2, 3]), vec![0.2, 0.3]);
    act(&mut session, Command::EditReferences { edit: ReferenceEdit::Add { reference } });
    act(&mut session, Command::RenameLabels { labels: LABELS, name: "Glaciers".to_owned() });
    act(&mut session, Command::DuplicateLabels { labels: LABELS });
    act(&mut session, Command::RemoveLabels { labels: LABELS });
    let (end, layers) = (session.project().clone(), names(&session));

    act(&mut session, Command::GoToStep { position: 0 });
    assert!(session.project().labels.is_empty() && session.project().classes.classes.is_empty());
    assert!(session.references().references.is_empty());
    assert_eq!(names(&session), ["halves.tif"]);
    assert!(session.dispatch(Command::Undo).is_err());

    let position = session.history().steps().len();
    act(&mut session, Command::GoToStep { position });
    assert_eq!((session.project(), names(&session)), (&end, layers));
    assert_eq!(session.references().references[0].name, "ice");
    assert!(session.dispatch(Command::Redo).is_err());
}

#[test]
fn labels_are_drawn_on_the_grid_of_their_scene_as_soon_as_they_are_painted() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut session = desk(folder.path());
    let gesture = Gesture::Rectangle { from: at(0.0, 0.0), to: at(30.0, 30.0) };
    act(&mut session, Command::Paint { labels: LABELS, gesture, rule: RULE });
    let bounds = session.bounds().expect("a scene");
    let view = MapView::fitting(bounds, 600, 300, 0.0);

    let frame = session.frame(&view, None);

    let shown = session.layers().iter().find(|layer| layer.role == LayerRole::Labels).expect("a layer").id;
    let drawn = frame.layers.iter().find(|layer| layer.layer == shown).expect("drawn");
    assert_eq!(drawn.tiles.len(), 1, "only what is painted");
    assert_eq!(drawn.tiles[0].parts[0].1.raster.get(0, 29, 29), 1.0);
    assert!(drawn.tiles[0].parts[0].1.raster.get(0, 30, 29).is_nan());
    assert_eq!((drawn.tiles[0].mesh.vertices[0].x, drawn.tiles[0].mesh.vertices[0].y), (500_000.0, 4_000_000.0));
}

fn names(session: &Session) -> Vec<String> {
    session.layers().iter().map(|layer| layer.name.clone()).collect()
}
