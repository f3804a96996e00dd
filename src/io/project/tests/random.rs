//! Random command sequences.

use nunatak_domain::class::Rgb;
use nunatak_domain::edit::*;
use nunatak_domain::label::{PixelMask, PixelRun};
use nunatak_domain::spectra::{Sample, SpectralReference};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Paint { layer: usize, col: usize, row: usize, width: usize, height: usize, class: usize, onto: usize },
    AddClass(u32),
    RenameClass(usize, String),
    ChangeClassId(usize, u32),
    MergeClasses(usize, usize),
    DeleteClass(usize),
    MoveClass(usize, usize),
    GroupClass(usize, Option<String>),
    AddLabels(String),
    RemoveLabels(usize),
    RenameLabels(usize, String),
    DuplicateLabels(usize),
    PaintReference(usize, f64),
    RemoveReference(usize),
    Restore,
    GoTo(usize),
    Save,
    Reopen,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..9usize, 0..700usize, 0..600usize, 1..400usize, 1..300usize, 0..9usize, 0..4usize).prop_map(
            |(layer, col, row, width, height, class, onto)| Op::Paint { layer, col, row, width, height, class, onto }
        ),
        1 => (0..70_000u32).prop_map(Op::AddClass),
        1 => (0..9usize, ".{0,12}").prop_map(|(at, name)| Op::RenameClass(at, name)),
        1 => (0..9usize, 0..66_000u32).prop_map(|(at, id)| Op::ChangeClassId(at, id)),
        1 => (0..9usize, 0..9usize).prop_map(|(a, b)| Op::MergeClasses(a, b)),
        1 => (0..9usize).prop_map(Op::DeleteClass),
        1 => (0..9usize, 0..9usize).prop_map(|(a, b)| Op::MoveClass(a, b)),
        1 => (0..9usize, proptest::option::of("[a-z]{0,3}")).prop_map(|(at, name)| Op::GroupClass(at, name)),
        1 => ".{0,8}".prop_map(Op::AddLabels),
        1 => (0..9usize).prop_map(Op::RemoveLabels),
        1 => (0..9usize, ".{0,8}").prop_map(|(at, name)| Op::RenameLabels(at, name)),
        1 => (0..9usize).prop_map(Op::DuplicateLabels),
        2 => (0..9usize, proptest::num::f64::NORMAL).prop_map(|(at, value)| Op::PaintReference(at, value)),
        1 => (0..9usize).prop_map(Op::RemoveReference),
        1 => Just(Op::Restore),
        5 => (0..60usize).prop_map(Op::GoTo),
        2 => Just(Op::Save),
        2 => Just(Op::Reopen),
    ]
}

/// The edit of an operation on the state as it is; none where it is refused.
fn edit(desk: &mut Desk, op: Op) -> Option<Edit> {
    let project = &desk.project;
    let class = |at: usize| Some(project.classes.classes.get(at % project.classes.classes.len().max(1))?.id);
    let labels = |at: usize| Some(project.labels.get(at % project.labels.len().max(1))?.id);
    match op {
        Op::Paint { layer, col, row, width, height, class: at, onto } => {
            let rule = PaintRule {
                class: class(at).filter(|_| at > 0),
                onto: match onto {
                    0 => Target::Unlabelled,
                    1 => Target::Class { class: class(at / 2)? },
                    _ => Target::Any,
                },
            };
            let labels = desk.project.labels_mut(labels(layer)?)?;
            let mut pen = LabelPen::default();
            for row in row..row + height {
                pen.paint_row(&mut labels.layer, row, col..col + width, rule);
            }
            let change = pen.lift(&mut labels.layer);
            change.undo(&mut labels.layer);
            Some(Edit::labels(labels.id, "Rectangle", change))
        }
        Op::AddClass(id) => add_class(project, Class::numbered(id)).ok(),
        Op::RenameClass(at, name) => rename_class(project, class(at)?, &name).ok(),
        Op::ChangeClassId(at, id) => change_class_id(project, class(at)?, ClassId(id)).ok(),
        Op::MergeClasses(a, b) => merge_classes(project, class(a)?, class(b)?).ok(),
        Op::DeleteClass(at) => delete_class(project, class(at)?).ok(),
        Op::MoveClass(at, to) => move_class(project, class(at)?, to).ok(),
        Op::GroupClass(at, group) => group_class(project, class(at)?, group).ok(),
        Op::AddLabels(name) => Some(add_labels(project, &name, SceneId(1), LabelLayer::new(700, 600))),
        Op::RemoveLabels(at) => remove_labels(project, labels(at)?).ok(),
        Op::RenameLabels(at, name) => rename_labels(project, labels(at)?, &name).ok(),
        Op::DuplicateLabels(at) => duplicate_labels(project, labels(at)?).ok(),
        Op::PaintReference(at, value) => {
            let mut after = project.references.clone();
            let mut reference = SpectralReference::new(format!("r{at}"), Rgb::distinct(at), vec![value, value / 3.0]);
            reference.class = class(at);
            reference.sample = Some(Sample {
                scene: Some(SceneId(1)),
                n: at as u64,
                std: vec![value.sqrt().abs(), f64::INFINITY],
                covariance: vec![value, 0.1, 0.1, 1.0 / value],
                mask: PixelMask::from_runs([PixelRun(3, at as u32, 5), PixelRun(9, 0, 1)]),
            });
            // NaN is not equal to itself, and no reference.
            if reference.sample.as_ref().is_some_and(|sample| sample.std[0].is_nan()) {
                return None;
            }
            let at = at.min(after.references.len());
            after.references.insert(at, reference);
            Some(Edit::references("Paint reference", &project.references, &after))
        }
        Op::RemoveReference(at) => {
            let mut after = project.references.clone();
            (at < after.references.len()).then(|| after.references.remove(at))?;
            Some(Edit::references("Remove reference", &project.references, &after))
        }
        Op::Restore => {
            let version = desk.folder.versions().last()?.save;
            let old = desk.folder.read_version(version, &Silent).unwrap();
            Some(Edit::between("Restore", project, &old))
        }
        Op::GoTo(_) | Op::Save | Op::Reopen => None,
    }
}

/// The same 24 sequences in every run, or the first `NUNATAK_TEST_CASES`.
fn config() -> ProptestConfig {
    let cases = std::env::var("NUNATAK_TEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(24);
    ProptestConfig { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(3), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_disk_and_the_history_agree_with_memory_after_any_commands(ops in proptest::collection::vec(op(), 1..50)) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("p.nunatak");
        let mut desk = Desk::new(&path);
        let start = desk.project.clone();

        for op in ops {
            match op {
                Op::GoTo(position) => desk.go_to(position),
                Op::Save => desk.save(),
                Op::Reopen => {
                    // Not saved: the journal has to bring everything back.
                    let (project, position) = (desk.project.clone(), desk.history.position());
                    let (n, saved) = (desk.history.steps().len(), desk.history.is_saved());
                    drop(desk);
                    desk = Desk::open(&path).0;
                    prop_assert_eq!(&desk.project, &project);
                    prop_assert_eq!((desk.history.position(), desk.history.steps().len()), (position, n));
                    prop_assert_eq!(desk.history.is_saved(), saved);
                }
                op => if let Some(edit) = edit(&mut desk, op) {
                    desk.make(edit);
                }
            }
        }

        let end = desk.project.clone();
        let (position, n) = (desk.history.position(), desk.history.steps().len());
        desk.go_to(0);
        prop_assert_eq!(&desk.project, &start);
        desk.go_to(n);
        desk.go_to(position);
        prop_assert_eq!(&desk.project, &end);
        desk.save();
        drop(desk);
        let (desk, remarks) = Desk::open(&path);
        prop_assert_eq!(&desk.project, &end);
        prop_assert!(remarks.is_empty(), "{:?}", remarks);
        prop_assert_eq!(verify(&path, &Silent).unwrap().problems, Vec::<String>::new());
    }
}
