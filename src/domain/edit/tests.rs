use std::sync::Arc;

use super::*;
use crate::class::{Class, Rgb};
use crate::history::{History, Travel};
use crate::label::{LabelLayer, LabelPen, PaintRule, Target};
use crate::layer::SceneId;

/// Two layers of 300 × 300 with classes 1 and 2 in the first rows, and a reference of class 1.
fn project() -> Project {
    let mut project = Project {
        classes: ClassScheme { classes: vec![Class::numbered(1), Class::numbered(2), Class::numbered(7)] },
        ..Project::default()
    };
    let mut reference = SpectralReference::new("ice", Rgb([1, 2, 3]), vec![0.5, 0.25]);
    reference.class = Some(ClassId(1));
    project.references.references.push(reference);
    for name in ["a", "b"] {
        let mut layer = LabelLayer::new(300, 300);
        paint(&mut layer, 0, 1);
        paint(&mut layer, 1, 2);
        add_labels(&project, name, SceneId(1), layer).apply(&mut project).unwrap();
    }
    project
}

fn paint(layer: &mut LabelLayer, row: usize, class: u32) -> LabelChange {
    let mut pen = LabelPen::default();
    pen.paint_row(layer, row, 0..300, PaintRule { class: Some(ClassId(class)), onto: Target::Any });
    pen.lift(layer)
}

fn counts(project: &Project, layer: usize) -> Vec<(u32, u64)> {
    project.labels[layer].layer.counts().into_iter().map(|(id, n)| (id.0, n)).collect()
}

/// Applies, checks that reverting gives the start back, and applies again.
fn make(project: &mut Project, edit: &Edit) {
    let before = project.clone();
    edit.apply(project).unwrap();
    let after = project.clone();
    edit.revert(project).unwrap();
    assert_eq!(*project, before, "{}", edit.title());
    edit.apply(project).unwrap();
    assert_eq!(*project, after, "{}", edit.title());
}

#[test]
fn labels_and_references_follow_a_class_that_gets_another_id() {
    let mut project = project();

    let edit = change_class_id(&project, ClassId(1), ClassId(40)).unwrap();
    make(&mut project, &edit);

    assert_eq!(project.classes.classes[0].id, ClassId(40));
    assert_eq!(counts(&project, 0), [(2, 300), (40, 300)]);
    assert_eq!(counts(&project, 1), [(2, 300), (40, 300)]);
    assert_eq!(project.references.references[0].class, Some(ClassId(40)));
    assert_eq!(change_class_id(&project, ClassId(40), ClassId(2)), Err(EditError::ClassExists(ClassId(2))));
    assert_eq!(change_class_id(&project, ClassId(40), ClassId(65_535)), Err(EditError::BadClassId(65_535)));
    assert!(change_class_id(&project, ClassId(40), ClassId(40)).unwrap().is_empty());
}

#[test]
fn merging_gives_labels_and_references_to_the_other_class() {
    let mut project = project();

    let edit = merge_classes(&project, ClassId(1), ClassId(2)).unwrap();
    make(&mut project, &edit);

    assert_eq!(project.classes.classes.iter().map(|class| class.id.0).collect::<Vec<_>>(), [2, 7]);
    assert_eq!(counts(&project, 1), [(2, 600)]);
    assert_eq!(project.references.references[0].class, Some(ClassId(2)));
    assert_eq!(edit.title(), "Merge class Class 1 into Class 2");
}

#[test]
fn deleting_a_class_takes_its_labels_away() {
    let mut project = project();

    let edit = delete_class(&project, ClassId(1)).unwrap();
    make(&mut project, &edit);

    assert_eq!(counts(&project, 0), [(2, 300)]);
    assert_eq!(project.references.references[0].class, None);
    assert_eq!(delete_class(&project, ClassId(1)), Err(EditError::NoClass(ClassId(1))));
}

#[test]
fn the_list_of_classes_is_edited_without_touching_labels() {
    let mut project = project();
    let firn = Class::new(ClassId(3), "Firn", Rgb([9, 9, 9]));

    for edit in [
        add_class(&project, firn.clone()).unwrap(),
        rename_class(&project, ClassId(2), "Ice").unwrap(),
        recolor_class(&project, ClassId(2), Rgb([0, 0, 1])).unwrap(),
        group_class(&project, ClassId(2), Some("Cold".to_owned())).unwrap(),
        move_class(&project, ClassId(7), 0).unwrap(),
    ] {
        // Each from the same start.
        let mut copy = project.clone();
        make(&mut copy, &edit);
    }
    let edit = add_class(&project, firn.clone()).unwrap();
    make(&mut project, &edit);
    let edit = move_class(&project, ClassId(3), 1).unwrap();
    make(&mut project, &edit);

    assert_eq!(project.classes.classes.iter().map(|class| class.id.0).collect::<Vec<_>>(), [1, 3, 2, 7]);
    assert_eq!(free_class_id(&project.classes), ClassId(4));
    assert_eq!(add_class(&project, firn), Err(EditError::ClassExists(ClassId(3))));
    assert_eq!(rename_class(&project, ClassId(1), "  "), Err(EditError::NoName));
    assert!(rename_class(&project, ClassId(1), "Class 1").unwrap().is_empty());
}

#[test]
fn ids_of_label_layers_that_are_gone_are_not_given_again() {
    let mut project = project();

    let edit = remove_labels(&project, LabelsId(1)).unwrap();
    make(&mut project, &edit);
    let edit = duplicate_labels(&project, LabelsId(0)).unwrap();
    make(&mut project, &edit);

    assert_eq!(project.labels.iter().map(|l| (l.id.0, l.name.as_str())).collect::<Vec<_>>(), [(0, "a"), (2, "a copy")]);
    assert_eq!(counts(&project, 1), [(1, 300), (2, 300)]);
    let edit = rename_labels(&project, LabelsId(2), "snow").unwrap();
    make(&mut project, &edit);
    assert_eq!(project.free_labels_name("snow"), "snow 2");
}

#[test]
fn a_group_that_fails_leaves_nothing_of_itself() {
    let mut project = project();
    let before = project.clone();
    let edits = vec![
        rename_labels(&project, LabelsId(0), "x").unwrap(),
        Edit::RenameLabels { id: LabelsId(9), before: String::new(), after: "y".to_owned() },
    ];

    let error = Edit::group("both", edits).apply(&mut project).unwrap_err();

    assert_eq!(error, EditError::NoLabels(LabelsId(9)));
    assert_eq!(project, before);
}

#[test]
fn a_reference_edit_holds_only_what_differs() {
    let reference = |name: &str| SpectralReference::new(name, Rgb([0; 3]), vec![1.0]);
    let set = |names: &[&str]| ReferenceSet {
        references: names.iter().map(|name| reference(name)).collect(),
        bands: Vec::new(),
    };

    let change = ReferencesChange::between(&set(&["a", "b", "c", "d"]), &set(&["a", "x", "c", "d"]));
    assert_eq!((change.at, change.before.len(), change.after.len()), (1, 1, 1));
    let grown = ReferencesChange::between(&set(&["a", "a"]), &set(&["a", "a", "a"]));
    assert_eq!((grown.before.len(), grown.after.len()), (0, 1));
    assert!(ReferencesChange::between(&set(&["a"]), &set(&["a"])).is_empty());
}

#[test]
fn an_edit_leads_from_any_project_to_any_other() {
    let start = project();
    let mut end = start.clone();
    merge_classes(&end, ClassId(1), ClassId(2)).unwrap().apply(&mut end).unwrap();
    remove_labels(&end, LabelsId(0)).unwrap().apply(&mut end).unwrap();
    add_labels(&end, "new", SceneId(4), LabelLayer::new(5, 5)).apply(&mut end).unwrap();
    end.references.references.clear();

    let mut project = start.clone();
    make(&mut project, &Edit::between("Restore", &start, &end));
    assert_eq!(project, end);
    make(&mut project, &Edit::between("Restore", &end, &start));
    assert_eq!(project, Project { next_labels: end.next_labels, ..start });
}

/// A history of `n` strokes on one layer, each of which makes two tiles of 128 KiB.
fn strokes(project: &mut Project, n: usize, budget: usize) -> (History, Vec<Arc<Edit>>) {
    let mut history = History::new(budget);
    let mut edits = Vec::new();
    for i in 0..n {
        let change = paint(&mut project.labels[0].layer, 10 + i, 7);
        let edit = Arc::new(Edit::labels(LabelsId(0), format!("Stroke {i}"), change));
        edits.push(Arc::clone(&edit));
        history.push(edit, 1000 + i as u64);
    }
    (history, edits)
}

#[test]
fn undo_and_redo_lead_back_and_forth_and_a_new_step_drops_the_branch() {
    let mut project = project();
    let start = project.clone();
    let (mut history, _) = strokes(&mut project, 3, usize::MAX);
    let end = project.clone();

    for title in ["Stroke 2", "Stroke 1", "Stroke 0"] {
        assert_eq!(history.undo(&mut project).unwrap(), Travel::Done(title.to_owned()));
    }
    assert_eq!(history.undo(&mut project).unwrap(), Travel::AtEnd);
    assert_eq!(project, start);
    while history.redo(&mut project).unwrap() != Travel::AtEnd {}
    assert_eq!(project, end);

    history.mark_saved(3, history.last_step_at());
    assert!(history.is_saved());
    while history.step_towards(1, &mut project).unwrap() != Travel::AtEnd {}
    assert_eq!((history.position(), history.is_saved()), (1, false));
    let change = paint(&mut project.labels[1].layer, 50, 2);
    history.push(Arc::new(Edit::labels(LabelsId(1), "Other", change)), 5000);
    assert_eq!(history.steps().iter().map(|s| s.title.as_str()).collect::<Vec<_>>(), ["Stroke 0", "Other"]);
    assert_eq!((history.redo_title(), history.saved_position()), (None, None));
}

#[test]
fn an_edit_that_changes_nothing_is_no_step() {
    let mut project = project();
    let mut history = History::new(usize::MAX);

    let change = paint(&mut project.labels[0].layer, 0, 1);
    history.push(Arc::new(Edit::labels(LabelsId(0), "Same again", change)), 1);

    assert!(history.steps().is_empty() && history.is_saved());
}

#[test]
fn memory_is_bounded_and_old_steps_are_asked_for() {
    let mut project = project();
    let start = project.clone();
    let budget = 4 << 20;
    let (mut history, edits) = strokes(&mut project, 100, budget);

    // 2 tiles before and after: 512 KiB a stroke, so that 7 of 100 stay.
    assert!(history.bytes() <= budget, "{}", history.bytes());
    assert_eq!(history.steps().iter().filter(|step| step.in_memory()).count(), 7);
    let mut fetched = 0;
    loop {
        match history.undo(&mut project).unwrap() {
            Travel::Done(_) => assert!(history.bytes() <= budget),
            Travel::AtEnd => break,
            Travel::Fetch { step, at } => {
                assert_eq!(at, 1000 + step as u64);
                history.supply(step, at, Arc::clone(&edits[step]));
                fetched += 1;
            }
        }
    }
    assert_eq!(fetched, 93);
    assert_eq!(project, start);
}

#[test]
fn a_save_that_ends_late_marks_the_state_it_wrote() {
    let mut project = project();
    let (mut history, _) = strokes(&mut project, 2, usize::MAX);
    let (position, at) = (history.position(), history.last_step_at());
    let change = paint(&mut project.labels[0].layer, 60, 2);
    history.push(Arc::new(Edit::labels(LabelsId(0), "Meanwhile", change)), 2000);

    history.mark_saved(position, at);
    assert!(!history.is_saved());
    let _ = history.undo(&mut project).unwrap();
    assert!(history.is_saved());

    let _ = history.undo(&mut project).unwrap();
    let change = paint(&mut project.labels[0].layer, 61, 2);
    history.push(Arc::new(Edit::labels(LabelsId(0), "Another branch", change)), 3000);
    history.mark_saved(position, at);
    assert_eq!(history.saved_position(), None);
}
