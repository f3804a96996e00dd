//! Projects in the window: opening, saving, versions, missing scenes, work that nobody named.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use egui::{Id, Key, Modal};
use nunatak_app::{Command, ProjectView, UnsavedWork, VersionInfo, unsaved_work};
use nunatak_domain::label::LabelsId;
use nunatak_domain::layer::SceneId;

use crate::dialogs::{Ask, Purpose};
use crate::shell::Shell;
use crate::{panels, theme};

const FOLDER: &str = "unsaved";

/// What the window shows of projects beside the map.
#[derive(Default)]
pub(crate) struct Projects {
    /// Found at the start.
    pub unsaved: Vec<UnsavedWork>,
    /// Where they lie; `None` where nothing is remembered from one start to the next.
    pub folder: Option<PathBuf>,
    versions: Option<Vec<VersionInfo>>,
    /// Fit the map to what was opened, or go where it was left.
    arriving: bool,
}

impl Projects {
    pub(crate) fn new(remembering: bool) -> Self {
        let folder = eframe::storage_dir("nunatak").map(|folder| folder.join(FOLDER)).filter(|_| remembering);
        let unsaved = folder.as_deref().map(unsaved_work).unwrap_or_default();
        Self { unsaved, folder, ..Self::default() }
    }

    pub(crate) fn list(&mut self, versions: Vec<VersionInfo>) {
        self.versions = Some(versions);
    }

    pub(crate) const fn asking(&self) -> bool {
        self.versions.is_some()
    }

    /// The list of versions, where it is open.
    fn show(&mut self, ctx: &egui::Context) -> Option<u64> {
        let versions = self.versions.as_ref()?;
        let frame = egui::Frame::popup(&ctx.global_style()).inner_margin(16);
        let (mut restore, mut close) = (None, false);
        let modal = Modal::new(Id::unique("versions")).frame(frame).show(ctx, |ui| {
            ui.set_width(420.0);
            let palette = theme::of(ui);
            ui.label(egui::RichText::new("Versions").font(theme::strong_font(16.0)).color(palette.strong));
            let text = match versions.len() {
                0 => "No earlier save is kept yet. Each save keeps the one before it.",
                _ => "Restoring is a step: undo takes it back.",
            };
            ui.label(egui::RichText::new(text).color(palette.weak));
            ui.add_space(theme::UNIT);
            egui::ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
                for version in versions {
                    ui.horizontal(|ui| {
                        ui.set_min_height(28.0);
                        let when = ago(SystemTime::UNIX_EPOCH + Duration::from_secs(version.saved));
                        let kind = if version.autosave { ", saved by itself" } else { "" };
                        ui.label(format!("{when}{kind}"));
                        let holds = format!(
                            "{}, {}",
                            count(version.n_labels, "label layer", "label layers"),
                            count(version.n_classes, "class", "classes")
                        );
                        ui.label(egui::RichText::new(holds).color(palette.weak));
                        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                            if ui.button("Restore").clicked() {
                                restore = Some(version.save);
                            }
                        });
                    });
                }
            });
            ui.add_space(theme::UNIT);
            close = ui.button("Close").clicked() || ui.input(|input| input.key_pressed(Key::Escape));
        });
        if modal.should_close() || close || restore.is_some() {
            self.versions = None;
        }
        restore
    }
}

impl Shell {
    pub(crate) fn projects_ui(&mut self, ctx: &egui::Context) {
        if let Some(save) = self.projects.show(ctx) {
            self.dispatch(Command::RestoreVersion { save });
        }
        if let Some(wait) = self.session.next_autosave() {
            ctx.request_repaint_after(wait);
        }
    }

    /// A folder `….nunatak`, its manifest, or a packed project.
    pub(crate) fn is_project(path: &Path) -> bool {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        name.ends_with(".nunatak") || name == "project.json" || name.ends_with(".zip")
    }

    pub(crate) fn open_project(&mut self, path: &Path) {
        self.dispatch(Command::OpenProject { path: path.to_owned(), access: Default::default() });
    }

    pub(crate) fn project_opened(&mut self, path: &Path) {
        self.drop_gesture();
        self.map.chosen = self.session.layers().last().map(|layer| layer.id);
        self.map.swipe = None;
        self.inspector.pins.clear();
        self.projects.arriving = true;
        self.projects.unsaved.retain(|work| work.path != path);
        self.remember_project();
        self.ask_again();
    }

    /// Puts the project at the head of the recent files.
    pub(crate) fn remember_project(&mut self) {
        let named = self.session.project_file().filter(|project| !project.untitled);
        if let Some(project) = named {
            let _ = self.saved.remember(&project.path);
        }
    }

    /// After the map knows its size.
    pub(crate) fn arrive(&mut self, now: f64) {
        if !std::mem::take(&mut self.projects.arriving) {
            return;
        }
        if let Some(bounds) = self.session.bounds() {
            self.map.camera.fit(bounds, now);
        }
        if let Some(view) = self.session.project_view() {
            self.map.camera.look_at(view.center, view.units_per_px, now);
        }
    }

    fn window_view(&self) -> ProjectView {
        let view = self.map.camera.view();
        ProjectView { center: view.center, units_per_px: view.units_per_px }
    }

    pub(crate) fn save_project(&mut self, ctx: &egui::Context, ask: bool) {
        let named = self.session.project_file().is_some_and(|project| !project.untitled && !project.read_only);
        if named && !ask {
            self.dispatch(Command::SaveProject { path: None, overwrite: false, view: Some(self.window_view()) });
            return;
        }
        let name = self.session.project_file().filter(|project| !project.untitled);
        let name = name.map_or_else(|| "project".to_owned(), |project| format!("{} copy", project.name));
        let save_as = Some(self.project_folder().join(format!("{name}.nunatak")));
        self.dialogs.ask(ctx, Ask { purpose: Purpose::SaveProject, save_as, typed: false });
    }

    /// Beside the last project, else beside the scene.
    fn project_folder(&self) -> PathBuf {
        let named = self.session.project_file().filter(|project| !project.untitled);
        let beside = named.and_then(|project| project.path.parent().map(Path::to_owned));
        beside.unwrap_or_else(|| self.export_folder())
    }

    pub(crate) fn meant_scene(&self) -> Option<SceneId> {
        Some(self.session.layer(self.meant_layer()?)?.source.scene())
    }

    /// The chosen label layer, else the topmost.
    fn meant_labels(&self) -> Option<LabelsId> {
        let chosen = self.map.chosen.and_then(|id| self.session.layer(id)?.source.labels());
        chosen.or_else(|| self.session.layers().iter().rev().find_map(|layer| layer.source.labels()))
    }

    pub(crate) fn import_labels(&mut self, path: PathBuf) {
        let scene = panels::target_scene(&self.session, self.map.chosen).or_else(|| self.meant_scene());
        let Some(scene) = scene else { return };
        let file = nunatak_app::LabelFile::new(path);
        self.dispatch(Command::ImportLabels { file, scene, labels: None, name: None });
    }

    pub(crate) fn export_labels(&mut self, out: PathBuf, overwrite: bool) {
        let Some(labels) = self.meant_labels() else { return };
        self.dispatch(Command::ExportLabels(nunatak_app::LabelExport {
            labels,
            out,
            attributes: Default::default(),
            connectivity: Default::default(),
            overwrite,
        }));
    }

    pub(crate) fn save_project_as(&mut self, path: PathBuf, overwrite: bool) {
        let view = Some(self.window_view());
        self.dispatch(Command::SaveProject { path: Some(path), overwrite, view });
    }
}

/// How long ago, in words.
pub(crate) fn ago(time: SystemTime) -> String {
    let seconds = SystemTime::now().duration_since(time).map_or(0, |since| since.as_secs());
    match seconds {
        0..60 => "just now".to_owned(),
        60..3600 => format!("{} ago", count((seconds / 60) as usize, "minute", "minutes")),
        3600..172_800 => format!("{} ago", count((seconds / 3600) as usize, "hour", "hours")),
        _ => format!("{} ago", count((seconds / 86_400) as usize, "day", "days")),
    }
}

fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        let before = |secs| ago(SystemTime::now() - Duration::from_secs(secs));

        assert_eq!(before(5), "just now");
        assert_eq!(before(61), "1 minute ago");
        assert_eq!(before(7300), "2 hours ago");
        assert_eq!(before(3 * 86_400), "3 days ago");
    }

    #[test]
    fn projects_are_known_by_their_names() {
        assert!(Shell::is_project(Path::new("/a/glacier.nunatak")));
        assert!(Shell::is_project(Path::new("a.nunatak/project.json")));
        assert!(Shell::is_project(Path::new("a.nunatak.zip")));
        assert!(!Shell::is_project(Path::new("a.tif")));
    }
}
