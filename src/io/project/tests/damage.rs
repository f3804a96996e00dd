//! What is left of a damaged project.

use std::fs;

use super::*;

/// Three saves with 25, 50 and 75 pixels, and a step after the last: 100.
fn worked_on(path: &Path) -> Project {
    let mut desk = Desk::new(path);
    for i in 0..4 {
        desk.paint(PixelRect::new(10 * i, 0, 5, 5), 1);
        if i < 3 {
            desk.save();
        }
    }
    desk.project
}

fn write(path: &Path, bytes: &[u8]) {
    atomic::write_bytes(path, bytes, true).unwrap();
}

#[test]
fn a_broken_manifest_costs_nothing_because_a_version_and_the_journal_lead_to_the_end() {
    for damage in [&b""[..], b"{\"format\": \"nunatak proj", b"\0\0\0\0"] {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("p.nunatak");
        let project = worked_on(&path);
        write(&path.join("project.json"), damage);

        let (mut desk, remarks) = Desk::open(&path);
        assert!(desk.project == project, "{remarks:?}");
        assert!(remarks[0].starts_with("the project file could not be read"), "{remarks:?}");
        assert_eq!(remarks[1], "save 3 and the journal from there on stand in for what is damaged");
        assert_eq!(fs::read(path.join("project-damaged.json")).unwrap(), damage);
        desk.go_to(0);
        assert_eq!(desk.count(), 0);
        drop(desk);
        // Repaired for good.
        let remarks = Desk::open(&path).1;
        assert!(remarks.iter().all(|remark| remark.contains("brought back")), "{remarks:?}");
    }
}

#[test]
fn a_broken_label_file_costs_nothing_either() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    let project = worked_on(&path);
    let file = path.join("labels/0-snow-ice.000004.tif");
    let bytes = fs::read(&file).unwrap();
    write(&file, &bytes[..bytes.len() / 2]);

    assert_eq!(verify(&path, &Silent).unwrap().problems.len(), 1);
    let (desk, remarks) = Desk::open(&path);
    assert!(desk.project == project, "{remarks:?}");
    assert!(remarks[0].starts_with("failed to read labels: "), "{remarks:?}");
    drop(desk);
    assert_eq!(Desk::open(&path).1, Vec::<String>::new());
}

#[test]
fn a_label_file_lost_with_the_journal_is_taken_from_the_version_before() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    worked_on(&path);
    fs::remove_file(path.join("labels/0-snow-ice.000004.tif")).unwrap();
    fs::remove_file(path.join("journal.bin")).unwrap();

    let (desk, remarks) = Desk::open(&path);

    assert_eq!(desk.count(), 50);
    assert!(remarks.contains(&"label layer Snow & ice is as it was in save 3".to_owned()), "{remarks:?}");
    assert!(remarks.iter().any(|remark| remark.starts_with("undo starts anew")), "{remarks:?}");
}

#[test]
fn what_cannot_be_had_is_named_and_the_rest_opens() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    worked_on(&path);
    for name in names(&path.join("labels")).iter().filter(|name| name.ends_with(".tif")) {
        write(&path.join("labels").join(name), b"II*\0 not a raster");
    }

    let (desk, remarks) = Desk::open(&path);

    // The step after the save gives its tile back whole; classes are in the manifest.
    assert_eq!((desk.count(), desk.project.classes.classes.len()), (100, 5));
    assert!(remarks.contains(&"the labels of Snow & ice before the last save are lost".to_owned()), "{remarks:?}");
}

#[test]
fn a_journal_damaged_before_the_last_save_costs_only_its_undo() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    let project = worked_on(&path);
    let mut bytes = fs::read(path.join("journal.bin")).unwrap();
    // The head of the first step.
    bytes[40] ^= 1;
    write(&path.join("journal.bin"), &bytes);

    let (mut desk, remarks) = Desk::open(&path);
    assert!(desk.project == project, "{remarks:?}");
    assert!(remarks[0].starts_with("the journal is damaged before the last save"), "{remarks:?}");
    assert!(desk.history.steps().is_empty() && desk.history.is_saved());
    assert_eq!(fs::read(path.join("journal.bin")).unwrap(), bytes);
    desk.paint(PixelRect::new(0, 50, 5, 5), 2);
    let project = desk.project.clone();
    drop(desk);
    let (desk, remarks) = Desk::open(&path);
    assert!(desk.project == project);
    assert_eq!(remarks, ["1 step after the last save was brought back"]);
}

#[test]
fn steps_after_one_that_does_not_fit_are_kept_aside() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    let mut desk = Desk::new(&path);
    desk.paint(PixelRect::new(0, 0, 5, 5), 1);
    let stray = Edit::RenameLabels { id: LabelsId(77), before: String::new(), after: "x".to_owned() };
    desk.journal.append_step(1, &stray).written.unwrap();
    desk.journal.append_position(2).written.unwrap();
    drop(desk);

    let (mut desk, remarks) = Desk::open(&path);
    assert_eq!((desk.count(), desk.history.position()), (25, 1));
    assert_eq!(remarks[1], "the steps after that could not be: there is no label layer 77");
    assert!(names(&path).iter().any(|name| name.starts_with("journal-cut-")));
    desk.paint(PixelRect::new(9, 0, 5, 5), 1);
    drop(desk);
    assert_eq!(Desk::open(&path).0.count(), 50);
}

#[test]
fn a_journal_alone_gives_its_steps() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    let mut desk = Desk::new(&path);
    desk.make(add_labels(&desk.project, "moraine", SceneId(1), LabelLayer::new(300, 300)));
    drop(desk);
    fs::remove_file(path.join("project.json")).unwrap();

    // No version was kept of the first save.
    let (desk, remarks) = Desk::open(&path);

    assert!(remarks.iter().any(|remark| remark.starts_with("only the journal is left")), "{remarks:?}");
    // Its place in the list was above a layer that is lost.
    assert!(desk.project.labels.is_empty());
}

#[test]
fn a_project_of_a_newer_program_is_refused_and_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    worked_on(&path);
    let text = fs::read_to_string(path.join("project.json")).unwrap();
    let newer = text.replace("\"version\": 1", "\"version\": 2").replace("nunatak 0.1.0", "nunatak 9.0.0");
    write(&path.join("project.json"), newer.as_bytes());
    let before = names(&path);

    let error = open_project(&path, Access::Write, BUDGET, &Silent).unwrap_err().to_string();

    assert!(error.contains("it was saved by nunatak 9.0.0 in format 2, and this program reads up to 1"), "{error}");
    assert_eq!(names(&path), before);
    assert_eq!(fs::read_to_string(path.join("project.json")).unwrap(), newer);
}

#[test]
fn a_folder_without_a_project_is_said_to_be_none() {
    let root = tempfile::tempdir().unwrap();

    let error = open_project(root.path(), Access::Write, BUDGET, &Silent).unwrap_err().to_string();

    assert!(error.starts_with("failed to read project: there is no project.json in it"), "{error}");
    assert_eq!(names(root.path()), Vec::<String>::new());
}
