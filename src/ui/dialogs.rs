//! File dialogs, off the UI thread, and a text field where the system has none.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use egui::{Id, Key, Modal};

use crate::theme;

/// What a path is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    OpenRaster,
    OpenModel,
    OpenReferences,
    ImportSpectra,
    SaveReferences,
    SavePicture,
    /// Fills the path of the export panel.
    ExportPath,
    ExportModel,
    OpenProject,
    SaveProject,
    RelinkScenes,
    PackProject,
    ImportLabels,
    ExportLabels,
    ImportClasses,
    ExportClasses,
    JudgeTruth,
    JudgePage,
    JudgeTable,
}

/// A question for a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub purpose: Purpose,
    /// Proposed for saving; `None` opens.
    pub save_as: Option<PathBuf>,
    /// Ask in the window even where the system has a dialog.
    pub typed: bool,
}

/// The paths a person chose; saving dialogs have already asked about replacing a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub purpose: Purpose,
    pub paths: Vec<PathBuf>,
    pub overwrite: bool,
}

/// A person cannot cancel faster than this: the system has no dialog.
const TOO_FAST: Duration = Duration::from_millis(300);

pub(crate) struct Dialogs {
    sender: Sender<(Ask, Option<Vec<PathBuf>>, bool)>,
    answers: Receiver<(Ask, Option<Vec<PathBuf>>, bool)>,
    /// A system dialog is open.
    open: bool,
    prompt: Option<Prompt>,
    /// Found out the first time: never asked again.
    unavailable: bool,
}

struct Prompt {
    ask: Ask,
    text: String,
    focused: bool,
}

impl Purpose {
    const fn title(self) -> &'static str {
        match self {
            Self::OpenRaster => "Open raster",
            Self::OpenModel => "Open model",
            Self::OpenReferences => "Open references",
            Self::ImportSpectra => "Import spectra",
            Self::SaveReferences => "Save references",
            Self::SavePicture => "Save picture of the view",
            Self::ExportPath => "Export as",
            Self::ExportModel => "Save model",
            Self::OpenProject => "Open project",
            Self::SaveProject => "Save project",
            Self::RelinkScenes => "Folder of the missing scenes",
            Self::PackProject => "Pack project",
            Self::ImportLabels => "Import labels",
            Self::ExportLabels => "Export labels",
            Self::ImportClasses => "Import classes",
            Self::ExportClasses => "Export classes",
            Self::JudgeTruth => "Choose the truth",
            Self::JudgePage | Self::JudgeTable => "Save the comparison",
        }
    }

    const fn hint(self) -> &'static str {
        match self {
            Self::OpenRaster => "path, /vsi… name or https address",
            Self::OpenModel => "path of a .pth or .safetensors file",
            Self::OpenReferences => "path of a .csv file",
            Self::ImportSpectra => "path of a library of spectra",
            Self::SaveReferences => "path of a .csv or .sli file",
            Self::SavePicture => "path of a .png file",
            Self::ExportPath => "path of the new file",
            Self::ExportModel => "path of a .safetensors file",
            Self::JudgeTruth => "path of points, polygons or a class raster",
            Self::JudgePage => "path of the new .html file",
            Self::JudgeTable => "path of the new .csv file",
            Self::OpenProject => "path of a folder ….nunatak or a packed project",
            Self::SaveProject => "path of the new folder ….nunatak",
            Self::RelinkScenes => "path of a folder, or of the scene's file",
            Self::PackProject => "path of the new .zip file",
            Self::ImportLabels => "path of a class raster or a vector file",
            Self::ExportLabels => "path of a .tif, .gpkg, .shp or .geojson file",
            Self::ImportClasses => "path of a .csv, .qml, raster or vector file",
            Self::ExportClasses => "path of a .csv or .qml file",
        }
    }

    const fn filter(self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Self::OpenRaster => Some((
                "Rasters",
                &[
                    "tif", "tiff", "TIF", "TIFF", "vrt", "jp2", "JP2", "img", "hdr", "dat", "bil", "bsq", "bip", "png",
                    "jpg", "jpeg", "nc", "h5", "hdf",
                ],
            )),
            Self::OpenModel => Some(("Models", &["pth", "pt", "safetensors"])),
            Self::OpenReferences => Some(("CSV", &["csv"])),
            Self::SaveReferences => Some(("CSV, ENVI library", &["csv", "sli"])),
            Self::ImportSpectra => {
                Some(("Spectra", &["sli", "hdr", "csv", "txt", "asd", "sig", "sed", "json", "geojson", "tsv"]))
            }
            Self::SavePicture => Some(("PNG", &["png"])),
            Self::ExportModel => Some(("safetensors", &["safetensors"])),
            Self::PackProject => Some(("Packed projects", &["zip"])),
            Self::ExportLabels => Some(("GeoTIFF, GeoPackage, shapefile, GeoJSON", &["tif", "gpkg", "shp", "geojson"])),
            Self::JudgePage => Some(("HTML", &["html"])),
            Self::JudgeTable => Some(("CSV", &["csv"])),
            Self::ImportLabels | Self::JudgeTruth => Some((
                "Labels",
                &["tif", "tiff", "img", "png", "vrt", "dat", "shp", "gpkg", "geojson", "json", "fgb", "kml", "gml"],
            )),
            Self::ImportClasses => {
                Some(("Classes", &["csv", "tsv", "qml", "clr", "txt", "tif", "tiff", "vrt", "shp", "gpkg", "geojson"]))
            }
            Self::ExportClasses => Some(("CSV, QGIS style", &["csv", "qml"])),
            Self::OpenProject | Self::SaveProject | Self::RelinkScenes => None,
            Self::ExportPath => None,
        }
    }
}

impl Default for Dialogs {
    fn default() -> Self {
        let (sender, answers) = unbounded();
        Self { sender, answers, open: false, prompt: None, unavailable: false }
    }
}

impl Dialogs {
    /// Opens a dialog; a second one while the first is open is ignored.
    pub(crate) fn ask(&mut self, ctx: &egui::Context, ask: Ask) {
        if self.open {
            return;
        }
        if self.unavailable || ask.typed {
            self.prompt = Some(Prompt::new(ask));
            return;
        }
        let (sender, ctx) = (self.sender.clone(), ctx.clone());
        let worker = std::thread::Builder::new().name("dialog".to_owned());
        let spawned = worker.spawn({
            let ask = ask.clone();
            move || {
                let begin = Instant::now();
                let paths = system_dialog(&ask);
                let unavailable = paths.is_none() && begin.elapsed() < TOO_FAST;
                // The window may be gone by now.
                drop(sender.send((ask, paths, unavailable)));
                ctx.request_repaint();
            }
        });
        match spawned {
            Ok(_) => self.open = true,
            Err(error) => {
                log::warn!("no thread for a file dialog: {error}");
                self.prompt = Some(Prompt::new(ask));
            }
        }
    }

    /// Answers since the last frame. Never blocks.
    pub(crate) fn poll(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        for (ask, paths, unavailable) in self.answers.try_iter().collect::<Vec<_>>() {
            self.open = false;
            if unavailable {
                self.unavailable = true;
                self.prompt = Some(Prompt::new(ask));
            } else if let Some(paths) = paths {
                answers.push(Answer { purpose: ask.purpose, paths, overwrite: true });
            }
        }
        answers
    }

    /// Draws the text field, where one is open.
    pub(crate) fn show(&mut self, ctx: &egui::Context) -> Option<Answer> {
        let prompt = self.prompt.as_mut()?;
        let unavailable = self.unavailable;
        let mut done = None;
        let frame = egui::Frame::popup(&ctx.global_style()).inner_margin(16);
        let modal =
            Modal::new(Id::unique("path prompt")).frame(frame).show(ctx, |ui| done = prompt.ui(ui, unavailable));
        let closed = modal.should_close();
        let purpose = prompt.ask.purpose;
        if closed || done.is_some() {
            self.prompt = None;
        }
        match done? {
            Done::Cancel => None,
            Done::Path(path) => Some(Answer { purpose, paths: vec![path], overwrite: false }),
        }
    }

    pub(crate) const fn prompting(&self) -> bool {
        self.prompt.is_some()
    }
}

enum Done {
    Cancel,
    Path(PathBuf),
}

impl Prompt {
    fn new(ask: Ask) -> Self {
        let text = ask.save_as.as_ref().map_or_else(String::new, |path| path.to_string_lossy().into_owned());
        Self { ask, text, focused: false }
    }

    fn ui(&mut self, ui: &mut egui::Ui, unavailable: bool) -> Option<Done> {
        let palette = theme::of(ui);
        let purpose = self.ask.purpose;
        ui.set_width(520.0);
        ui.heading(purpose.title());
        if unavailable {
            let text = "This system has no file dialog. Type a path, or drop a file onto the window.";
            ui.label(egui::RichText::new(text).color(palette.weak));
        }
        ui.add_space(theme::UNIT);
        let edit = egui::TextEdit::singleline(&mut self.text).hint_text(purpose.hint()).desired_width(f32::INFINITY);
        let response = ui.add(edit).accessible_name("Path");
        if !self.focused {
            response.request_focus();
            self.focused = true;
        }
        let enter = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let ready = !self.text.trim().is_empty();
        ui.add_space(2.0 * theme::UNIT);
        let mut done = None;
        ui.horizontal(|ui| {
            let verb = if self.ask.save_as.is_some() { "Save" } else { "Open" };
            if (crate::widgets::primary_button(ui, ready, verb).clicked() || enter) && ready {
                done = Some(Done::Path(path_of(&self.text)));
            }
            if ui.button("Cancel").clicked() {
                done = Some(Done::Cancel);
            }
        });
        done
    }
}

/// A typed path: quotes and `~` as a shell takes them, addresses as GDAL wants them.
pub(crate) fn path_of(text: &str) -> PathBuf {
    let text = text.trim().trim_matches('"').trim_matches('\'');
    if text.starts_with("http://") || text.starts_with("https://") {
        return PathBuf::from(format!("/vsicurl/{text}"));
    }
    match (text.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text.strip_prefix("file://").unwrap_or(text)),
    }
}

fn system_dialog(ask: &Ask) -> Option<Vec<PathBuf>> {
    let mut dialog = rfd::AsyncFileDialog::new().set_title(ask.purpose.title());
    if let Some((name, extensions)) = ask.purpose.filter() {
        dialog = dialog.add_filter(name, extensions);
        if ask.save_as.is_none() {
            dialog = dialog.add_filter("All files", &["*"]);
        }
    }
    match &ask.save_as {
        Some(path) => {
            if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
                dialog = dialog.set_directory(folder);
            }
            let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            let file = pollster::block_on(dialog.set_file_name(name).save_file())?;
            Some(vec![file.path().to_owned()])
        }
        None if matches!(ask.purpose, Purpose::OpenProject | Purpose::RelinkScenes) => {
            Some(vec![pollster::block_on(dialog.pick_folder())?.path().to_owned()])
        }
        None => {
            let files = pollster::block_on(dialog.pick_files())?;
            Some(files.into_iter().map(|file| file.path().to_owned()).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_paths_are_taken_as_people_write_them() {
        assert_eq!(path_of(" \"a b.tif\" "), PathBuf::from("a b.tif"));
        assert_eq!(path_of("https://example.org/a.tif"), PathBuf::from("/vsicurl/https://example.org/a.tif"));
        assert_eq!(path_of("file:///a.tif"), PathBuf::from("/a.tif"));
    }
}
