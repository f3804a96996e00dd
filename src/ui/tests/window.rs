use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use nunatak_domain::layer::LayerRole;
use nunatak_domain::notice::Level;

use super::support::{click, sample, until, window, with_scene};
use crate::RunOptions;
use crate::saved::{ThemeChoice, Workspace};

#[test]
fn the_start_page_says_what_can_be_done() {
    let harness = window(RunOptions::default());

    harness.get_by_label("Open raster…");
    harness.get_by_label("Open model…");
    assert!(harness.query_by_label("Map").is_none());
}

#[test]
fn an_opened_raster_is_on_the_map_and_in_the_list() {
    let harness = with_scene();

    harness.get_by_label("Map");
    let name = harness.state().session().layers()[0].name.clone();
    harness.get_by_role_and_label(Role::ListItem, &name);
    assert!(harness.query_by_label("Open model…").is_none());
}

#[test]
fn the_palette_finds_and_runs_an_action() {
    let mut harness = window(RunOptions::default());

    harness.key_press_modifiers(Modifiers::COMMAND, Key::P);
    harness.run_steps(3);
    harness.get_by_label("Find an action").type_text("dark");
    harness.run_steps(2);
    harness.key_press(Key::Enter);
    harness.run_steps(2);

    assert_eq!(harness.state().saved.theme, ThemeChoice::Dark);
    assert!(!harness.state().palette.open);
}

#[test]
fn escape_closes_the_palette() {
    let mut harness = window(RunOptions::default());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::P);
    harness.run_steps(2);
    assert!(harness.state().palette.open);

    harness.key_press(Key::Escape);
    harness.run_steps(2);

    assert!(!harness.state().palette.open);
}

#[test]
fn a_file_that_is_not_there_is_one_sentence_that_stays() {
    let mut harness = window(RunOptions { files: vec![sample("missing.tif")], ..RunOptions::default() });

    until(&mut harness, "a notice is shown", |shell| !shell.toasts.texts().is_empty());

    assert!(harness.state().session().layers().is_empty());
    assert_eq!(harness.state().toasts.levels(), [Level::Error]);
    harness.get_by_label("Dismiss");
}

#[test]
fn workspaces_rearrange_the_right_side() {
    let mut harness = with_scene();

    click(&mut harness, "Explain");
    assert_eq!(harness.state().saved.workspace, Workspace::Explain);
    harness.get_by_label("Model");
    harness.get_by_label("References");

    click(&mut harness, "Export");
    harness.get_by_label("Export path");
}

#[test]
fn four_clicks_lead_from_the_start_to_a_shapefile_of_the_sample() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut harness = window(RunOptions::default());
    harness.state_mut().saved.export_dir = Some(folder.path().to_owned());

    click(&mut harness, "Try the sample");
    until(&mut harness, "the class map is there", |shell| {
        shell.session().layers().iter().any(|layer| layer.role == LayerRole::ClassMap)
            && shell.session().jobs().is_empty()
    });
    let roles: Vec<LayerRole> = harness.state().session().layers().iter().map(|layer| layer.role).collect();
    for role in [LayerRole::Imagery, LayerRole::Attention, LayerRole::GradCam, LayerRole::Probabilities] {
        assert!(roles.contains(&role), "{role:?} of {roles:?}");
    }

    click(&mut harness, "Export");
    click(&mut harness, "Polygons, shapefile");
    harness.get_by_label("Write file").click();
    until(&mut harness, "the shapefile is written", |shell| {
        shell.session().jobs().is_empty() && std::fs::read_dir(folder.path()).is_ok_and(|files| files.count() > 3)
    });

    let endings: Vec<String> = std::fs::read_dir(folder.path())
        .expect("the folder")
        .filter_map(|file| Some(file.ok()?.path().extension()?.to_string_lossy().into_owned()))
        .collect();
    for ending in ["shp", "shx", "dbf", "prj", "cpg"] {
        assert!(endings.iter().any(|found| found == ending), "{ending} of {endings:?}");
    }
}
