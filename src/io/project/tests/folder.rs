//! Saving, versions, scenes, locks, archives.

use std::fs::{self, File};

use gdal::Dataset;
use nunatak_domain::class::Rgb;
use nunatak_domain::edit::{recolor_class, rename_labels};
use nunatak_domain::label::UNLABELLED;

use super::*;
use crate::error::IoError;

#[test]
fn gdal_alone_reads_label_files_with_palette_names_and_place() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    let mut desk = Desk::new(&path);
    desk.make(recolor_class(&desk.project, ClassId(3), Rgb([10, 20, 30])).unwrap());
    desk.paint(PixelRect::new(250, 590, 20, 10), 3);
    desk.save();

    let file = names(&path.join("labels")).into_iter().find(|name| name == "0-snow-ice.000002.tif").unwrap();
    let dataset = Dataset::open(path.join("labels").join(file)).unwrap();
    let band = dataset.rasterband(1).unwrap();
    assert_eq!(dataset.raster_size(), (700, 600));
    assert_eq!(dataset.geo_transform().unwrap(), [500_000.0, 30.0, 0.0, 4_000_000.0, 0.0, -30.0]);
    assert_eq!(band.no_data_value(), Some(65_535.0));
    let color = band.color_table().unwrap().entry_as_rgb(3).unwrap();
    assert_eq!((color.r, color.g, color.b), (10, 20, 30));
    let text = fs::read_to_string(path.join("labels/0-snow-ice.000002.tif.aux.xml")).unwrap();
    assert!(text.contains("<Category>Class 3</Category>"), "{text}");
    let pixels = band.read_as::<u16>((249, 589), (3, 2), (3, 2), None).unwrap();
    assert_eq!(pixels.data(), [UNLABELLED, UNLABELLED, UNLABELLED, UNLABELLED, 3, 3]);
}

#[test]
fn a_save_writes_only_layers_that_changed_and_keeps_old_files_for_versions() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    let mut desk = Desk::new(&path);
    desk.make(add_labels(&desk.project, "other", SceneId(1), LabelLayer::new(10, 10)));
    desk.save();
    desk.paint(PixelRect::new(0, 0, 5, 5), 1);
    desk.save();
    desk.make(rename_labels(&desk.project, LabelsId(1), "renamed").unwrap());
    desk.save();

    let tifs: Vec<_> = names(&path.join("labels")).into_iter().filter(|name| name.ends_with(".tif")).collect();
    assert_eq!(tifs, ["0-snow-ice.000001.tif", "0-snow-ice.000003.tif", "1-other.000002.tif"]);
    assert_eq!(desk.folder.versions().iter().map(|version| version.save).collect::<Vec<_>>(), [3, 2, 1]);
    let old = desk.folder.read_version(2, &Silent).unwrap();
    assert_eq!((old.labels[1].name.as_str(), old.labels[0].layer.counts().len()), ("other", 0));
}

#[test]
fn versions_beyond_ten_go_with_their_label_files_and_files_of_others_stay() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    let mut desk = Desk::new(&path);
    atomic::write_text(path.join("labels/mine.tif"), "mine", false).unwrap();
    for i in 0..15 {
        desk.paint(PixelRect::new(i, 0, 1, 1), 1);
        desk.save();
    }

    let saves: Vec<_> = desk.folder.versions().iter().map(|version| version.save).collect();
    assert_eq!(saves, [15, 14, 13, 12, 11, 10, 9, 8, 7, 6]);
    let tifs: Vec<_> = names(&path.join("labels")).into_iter().filter(|name| name.ends_with(".tif")).collect();
    assert_eq!((tifs.len(), tifs[0].as_str(), tifs[11].as_str()), (12, "0-snow-ice.000006.tif", "mine.tif"));
}

#[test]
fn autosaves_do_not_push_out_versions() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    let mut desk = Desk::new(&path);
    for i in 0..12 {
        desk.paint(PixelRect::new(i, 0, 1, 1), 1);
        let snapshot = snapshot(&desk.project, &desk.scenes, desk.journal.place().unwrap());
        desk.saved = desk.folder.save(&snapshot, &desk.saved, SaveKind::Auto, &Silent).unwrap();
    }

    assert_eq!(desk.folder.versions().iter().map(|version| version.save).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_save_killed_before_its_last_rename_leaves_the_old_project_whole() {
    let root = tempfile::tempdir().unwrap();
    let (path, copy) = (root.path().join("p.nunatak"), root.path().join("copy.nunatak"));
    let mut desk = Desk::new(&path);
    desk.paint(PixelRect::new(0, 0, 5, 5), 1);
    let manifest = fs::read(path.join("project.json")).unwrap();
    desk.save();
    // All but the manifest is the new save's, with a partial file as a kill leaves it.
    copied(&path, &copy);
    atomic::write_bytes(copy.join("project.json"), &manifest, true).unwrap();
    atomic::write_bytes(copy.join("labels/.0-snow-ice.000002.tif.partial-4294967295-0.tif"), b"half", true).unwrap();

    let (mut other, remarks) = Desk::open(&copy);
    assert!(other.project == desk.project);
    assert_eq!(remarks[1..], ["1 step after the last save was brought back"]);
    other.paint(PixelRect::new(9, 9, 1, 1), 2);
    other.save();
    assert!(names(&copy.join("labels")).iter().all(|name| !name.contains("partial")));
    assert_eq!(verify(&copy, &Silent).unwrap().problems, Vec::<String>::new());
}

#[test]
fn a_cancelled_save_leaves_the_old_project_whole() {
    struct Cancels;
    impl nunatak_jobs::Monitor for Cancels {
        fn progress(&self, _done: f32, _note: &str) {}
        fn warn(&self, _notice: nunatak_domain::notice::Notice) {}
        fn check(&self) -> Result<(), nunatak_jobs::Cancelled> {
            Err(nunatak_jobs::Cancelled)
        }
    }
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    let mut desk = Desk::new(&path);
    let manifest = fs::read(path.join("project.json")).unwrap();
    desk.paint(PixelRect::new(0, 0, 5, 5), 1);

    let snapshot = snapshot(&desk.project, &desk.scenes, desk.journal.place().unwrap());
    let error = desk.folder.save(&snapshot, &desk.saved, SaveKind::Asked, &Cancels).unwrap_err();

    assert!(matches!(error, IoError::Cancelled));
    assert_eq!(fs::read(path.join("project.json")).unwrap(), manifest);
    assert_eq!(names(&path.join("labels")), ["0-snow-ice.000001.tif", "0-snow-ice.000001.tif.aux.xml"]);
}

#[test]
fn a_full_disk_keeps_steps_in_memory_until_there_is_room() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    let mut desk = Desk::new(&path);
    let Ok(full) = File::options().read(true).write(true).open("/dev/full") else {
        eprintln!("skipped: no /dev/full");
        return;
    };

    let good = desk.journal.swap_file(full);
    let mut offsets = Vec::new();
    for i in 0..3 {
        let mut pen = LabelPen::default();
        let layer = &mut desk.project.labels[0].layer;
        pen.paint_row(layer, i, 0..10, PaintRule { class: Some(ClassId(1)), onto: Target::Any });
        let edit = Edit::labels(LabelsId(0), "Brush", pen.lift(layer));
        let appended = desk.journal.append_step(desk.history.position(), &edit);
        assert!(appended.written.unwrap_err().to_string().starts_with("failed to write journal: No space left"));
        assert_eq!(desk.journal.read(appended.at).unwrap(), edit);
        offsets.push(appended.at);
        desk.history.push(Arc::new(edit), appended.at);
    }
    assert!(desk.journal.place().is_err());
    assert_eq!(desk.journal.n_unwritten(), 3);

    drop(desk.journal.swap_file(good));
    desk.paint(PixelRect::new(0, 3, 10, 1), 1);
    assert_eq!(desk.journal.n_unwritten(), 0);
    let project = desk.project.clone();
    drop(desk);
    assert!(Desk::open(&path).0.project == project);
}

#[test]
fn a_second_writer_is_told_who_has_the_project_and_may_read_it() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    let mut desk = Desk::new(&path);
    desk.paint(PixelRect::new(0, 0, 5, 5), 1);

    let error = open_project(&path, Access::Write, BUDGET, &Silent).unwrap_err();
    assert!(matches!(error, IoError::Locked { .. }));
    assert!(error.to_string().starts_with(&format!("process {} on ", std::process::id())), "{error}");
    let read = open_project(&path.join("project.json"), Access::Read, BUDGET, &Silent).unwrap();
    assert!(read.writer.is_none() && read.project == desk.project);

    drop(desk);
    assert_eq!(fs::read_to_string(path.join("lock")).unwrap(), "");
    drop(Desk::open(&path));
}

#[test]
fn a_lock_of_a_dead_process_is_taken_over_and_one_of_another_machine_only_when_told() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    drop(Desk::new(&path));
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    let held = |host: &str| serde_json::json!({"process": 4_294_967_295_u32, "host": host, "since": 1}).to_string();

    atomic::write_text(path.join("lock"), &held(&host), true).unwrap();
    let (desk, remarks) = Desk::open(&path);
    assert_eq!(remarks, ["the program that had the project open did not close it"]);
    drop(desk);

    atomic::write_text(path.join("lock"), &held("elsewhere"), true).unwrap();
    let error = open_project(&path, Access::Write, BUDGET, &Silent).unwrap_err().to_string();
    assert!(error.starts_with("process 4294967295 on elsewhere has the project open"), "{error}");
    assert!(open_project(&path, Access::TakeOver, BUDGET, &Silent).unwrap().writer.is_some());
}

#[test]
fn a_folder_that_cannot_be_written_is_opened_for_reading() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    drop(Desk::new(&path));
    // Root may write anywhere, but not into a folder as if it were a file.
    fs::remove_file(path.join("lock")).unwrap();
    fs::create_dir(path.join("lock")).unwrap();

    let opened = open_project(&path, Access::Write, BUDGET, &Silent).unwrap();

    assert!(opened.writer.is_none());
    assert!(opened.remarks[0].starts_with("the project is open for reading only"), "{:?}", opened.remarks);
}

#[test]
fn save_as_takes_history_along() {
    let root = tempfile::tempdir().unwrap();
    let (path, other) = (root.path().join("p.nunatak"), root.path().join("deep.nunatak"));
    let mut desk = Desk::new(&path);
    desk.paint(PixelRect::new(0, 0, 5, 5), 1);
    desk.paint(PixelRect::new(9, 0, 5, 5), 2);

    let snapshot = snapshot(&desk.project, &desk.scenes, desk.journal.place().unwrap());
    let (folder, saved) = ProjectFolder::save_as(&other, snapshot, &mut desk.journal, &Silent).unwrap();
    (desk.folder, desk.saved) = (folder, saved);
    desk.go_to(1);
    drop(desk);

    let (mut desk, _) = Desk::open(&other);
    assert_eq!((desk.count(), desk.history.position(), desk.history.steps().len()), (25, 1, 2));
    desk.go_to(2);
    assert_eq!(desk.count(), 50);
    // The old one has its steps as well.
    assert_eq!(Desk::open(&path).0.count(), 50);
    assert!(matches!(ProjectFolder::create(&path), Err(IoError::Exists(_))));
}

#[test]
fn scenes_are_found_again_where_they_went() {
    let root = tempfile::tempdir().unwrap();
    let of = |name: &str| root.path().join(name);
    for folder in ["a", "a/scenes", "b", "far/away"] {
        fs::create_dir_all(of(folder)).unwrap();
    }
    let mut content = vec![7; 5 << 20];
    content[3 << 20] = 1;
    atomic::write_bytes(of("a/scenes/big.tif"), &content, false).unwrap();
    let mut desk = Desk::new(&of("a/p.nunatak"));
    let big = Fingerprint::of(&of("a/scenes/big.tif")).unwrap();
    desk.scenes = vec![ProjectScene {
        id: SceneId(2),
        path: of("a/scenes/big.tif"),
        content: Some(big),
        state: SceneState::Found,
        ..scene()
    }];
    desk.save();
    drop(desk);
    let manifest = fs::read_to_string(of("a/p.nunatak/project.json")).unwrap();
    assert!(manifest.contains("\"path\": \"../scenes/big.tif\""), "{manifest}");

    // All of it was moved.
    fs::rename(of("a"), of("moved")).unwrap();
    let (desk, _) = Desk::open(&of("moved/p.nunatak"));
    let moved = fs::canonicalize(of("moved/scenes/big.tif")).unwrap();
    assert_eq!((&desk.scenes[0].path, &desk.scenes[0].state), (&moved, &SceneState::Found));
    drop(desk);

    // The scene went to the project's side, then far away, under another name.
    fs::rename(of("moved/scenes/big.tif"), of("moved/big.tif")).unwrap();
    let (desk, _) = Desk::open(&of("moved/p.nunatak"));
    assert_eq!(desk.scenes[0].state, SceneState::Moved { from: moved });
    drop(desk);
    fs::rename(of("moved/big.tif"), of("far/away/renamed.img")).unwrap();
    let mut other = content.clone();
    other[0] = 9;
    atomic::write_bytes(of("far/big.tif"), &other, false).unwrap();
    let (mut desk, _) = Desk::open(&of("moved/p.nunatak"));
    assert!(matches!(&desk.scenes[0].state, SceneState::Missing { tried } if tried.len() == 4));
    let found = relink(&mut desk.scenes, &of("far"), &Silent).unwrap();
    assert_eq!((found, &desk.scenes[0].path), (vec![SceneId(2)], &of("far/away/renamed.img")));

    // A file of the same name with another content is said, and used.
    desk.save();
    drop(desk);
    atomic::write_bytes(of("far/away/renamed.img"), &other, true).unwrap();
    assert_eq!(Desk::open(&of("moved/p.nunatak")).0.scenes[0].state, SceneState::Changed);
}

#[test]
fn an_archive_holds_the_project_and_scenes_only_when_asked() {
    let root = tempfile::tempdir().unwrap();
    let of = |name: &str| root.path().join(name);
    fs::create_dir(of("into")).unwrap();
    fs::create_dir(of("again")).unwrap();
    atomic::write_text(of("scene.dat"), "pixels", false).unwrap();
    atomic::write_text(of("scene.hdr"), "ENVI", false).unwrap();
    let mut desk = Desk::new(&of("p.nunatak"));
    let content = Fingerprint::of(&of("scene.dat")).ok();
    desk.scenes = vec![ProjectScene { path: of("scene.dat"), content, state: SceneState::Found, ..scene() }];
    desk.folder.write_thumbnail("project", b"png").unwrap();
    desk.paint(PixelRect::new(0, 0, 5, 5), 1);
    desk.save();
    let project = desk.project.clone();
    drop(desk);

    let without = pack(&of("p.nunatak"), &of("p.zip"), false, false, &Silent).unwrap();
    let with = pack(&of("p.nunatak"), &of("full.zip"), true, false, &Silent).unwrap();
    assert_eq!((without.n_files, with.n_files), (5, 7));
    assert_eq!(without.scenes_left_out.len(), 1);
    let folder = unpack(&of("p.zip"), &of("into"), &Silent).unwrap();
    let full = unpack(&of("full.zip"), &of("again"), &Silent).unwrap();
    assert_eq!(names(&of("into")), ["p.nunatak"]);
    assert!(matches!(unpack(&of("p.zip"), &of("into"), &Silent), Err(IoError::Exists(_))));
    let (mut desk, remarks) = Desk::open(&folder);
    assert!(desk.project == project && remarks.is_empty());
    desk.go_to(0);
    assert_eq!(desk.count(), 0);
    assert_eq!(Desk::open(&full).0.scenes[0].path, fs::canonicalize(full.join("scenes/0/scene.dat")).unwrap());
    assert!(full.join("scenes/0/scene.hdr").exists());
    let error = unpack(&of("scene.dat"), &of("into"), &Silent).unwrap_err().to_string();
    assert!(error.starts_with("failed to read archive: "), "{error}");
}

#[test]
fn a_giant_layer_with_few_labels_is_saved_and_opened() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    let mut desk = Desk::new(&path);
    let mut layer = LabelLayer::new(100_000, 99_999);
    let mut pen = LabelPen::default();
    for i in 0..300 {
        let (col, row) = (i * 333, 99_998 - i * 300);
        pen.paint_row(&mut layer, row, col..col + 300, PaintRule { class: Some(ClassId(2)), onto: Target::Any });
    }
    drop(pen.lift(&mut layer));
    desk.make(add_labels(&desk.project, "giant", SceneId(9), layer));

    let start = std::time::Instant::now();
    desk.save();
    let saved = start.elapsed();
    let project = desk.project.clone();
    drop(desk);
    let start = std::time::Instant::now();
    let (desk, _) = Desk::open(&path);
    eprintln!("saved in {saved:?}, opened in {:?}", start.elapsed());

    assert!(desk.project == project);
    assert_eq!(desk.project.labels[1].layer.counts()[&ClassId(2)], 300 * 300);
}

#[test]
fn the_cost_of_a_stroke_in_the_journal_follows_its_outline() {
    let root = tempfile::tempdir().unwrap();
    let mut desk = Desk::new(&root.path().join("p.nunatak"));
    desk.make(add_labels(&desk.project, "big", SceneId(1), LabelLayer::new(10_000, 10_000)));
    let layer = &mut desk.project.labels[1].layer;
    let mut pen = LabelPen::default();
    // A brush of 1001 px drawn over 3000 px.
    for row in 0..1001_usize {
        let half = (500.0_f64.powi(2) - (row as f64 - 500.0).powi(2)).max(0.0).sqrt() as usize;
        let cols = 2000 - half..5000 + half;
        pen.paint_row(layer, 3000 + row, cols, PaintRule { class: Some(ClassId(2)), onto: Target::Any });
    }
    let edit = Edit::labels(LabelsId(1), "Brush", pen.lift(layer));

    let start = std::time::Instant::now();
    let appended = desk.journal.append_step(desk.history.position(), &edit);
    eprintln!("{} KiB of tiles appended in {:?}", edit.bytes() >> 10, start.elapsed());
    let bytes = desk.journal.end() - appended.at;

    assert!(bytes < 40_000, "{bytes}");
    assert_eq!(desk.journal.read(appended.at).unwrap(), edit);
}
