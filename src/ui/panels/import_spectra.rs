//! IMPORT SPECTRA: which spectra of a library become references, and how their channels meet the
//! scene's bands.

use egui::{Id, Modal, ScrollArea, Ui};
use nunatak_app::{Command, OpenLibrary, Session};
use nunatak_domain::layer::SceneId;
use nunatak_domain::spectra::{BandMatch, MatchKind, Resampling, TargetBand, resample};

use crate::widgets::{self, Curve, SpectrumAxis, numbers};
use crate::{icons, theme};

const WIDTH: f32 = 620.0;
const LIST_HEIGHT: f32 = 190.0;
const MATCH_HEIGHT: f32 = 110.0;
/// Spectra drawn at most.
const MAX_CURVES: usize = 24;

/// The open question.
#[derive(Default)]
pub(crate) struct ImportDialog {
    open: Option<Choice>,
}

#[derive(Default)]
struct Choice {
    /// One per spectrum.
    picked: Vec<bool>,
    search: String,
    method: Resampling,
}

impl ImportDialog {
    /// The session has read a library.
    pub(crate) fn ask(&mut self, session: &Session) {
        let n = session.library().map_or(0, |open| open.library.spectra.len());
        // A library of thousands is not meant as a whole.
        self.open = Some(Choice { picked: vec![n <= 16; n], ..Choice::default() });
    }

    pub(crate) const fn asking(&self) -> bool {
        self.open.is_some()
    }

    /// Draws the question; the command once it is answered.
    pub(crate) fn show(&mut self, ctx: &egui::Context, session: &Session, scene: Option<SceneId>) -> Option<Command> {
        let choice = self.open.as_mut()?;
        let Some(open) = session.library() else {
            self.open = None;
            return None;
        };
        let frame = egui::Frame::popup(&ctx.global_style()).inner_margin(16);
        let mut done = None;
        let modal = Modal::new(Id::unique("import spectra")).frame(frame).show(ctx, |ui| {
            ui.set_width(WIDTH.min(ctx.content_rect().width() - 64.0));
            done = choice_ui(ui, choice, session, open, scene);
        });
        let command = scene.filter(|_| done == Some(true)).map(|scene| Command::ImportSpectra {
            path: open.path.clone(),
            scene,
            pick: choice.picked.iter().enumerate().filter_map(|(index, picked)| picked.then_some(index)).collect(),
            method: choice.method,
        });
        if done.is_some() || modal.should_close() {
            self.open = None;
        }
        command
    }
}

/// `Some(true)`: import; `Some(false)`: not now.
fn choice_ui(
    ui: &mut Ui,
    choice: &mut Choice,
    session: &Session,
    OpenLibrary { path, library }: &OpenLibrary,
    scene: Option<SceneId>,
) -> Option<bool> {
    let palette = theme::of(ui);
    let weak = |text: String| egui::RichText::new(text).small().color(palette.weak);
    ui.heading("Import spectra");
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    ui.label(weak(format!("{} spectra of {name}", numbers::grouped(library.spectra.len() as f64, 0))));
    let bands = scene
        .ok_or_else(|| "Open a raster first: spectra are brought to its bands".to_owned())
        .and_then(|scene| session.import_bands(scene).map_err(|error| error.to_string()));
    ui.horizontal(|ui| {
        ui.add(egui::TextEdit::singleline(&mut choice.search).hint_text("Search").desired_width(220.0))
            .accessible_name("Search spectra");
        for (text, value) in [("All", true), ("None", false)] {
            if ui.button(text).clicked() {
                let wanted = choice.search.to_lowercase();
                for (picked, spectrum) in choice.picked.iter_mut().zip(&library.spectra) {
                    if spectrum.name.to_lowercase().contains(&wanted) {
                        *picked = value;
                    }
                }
            }
        }
        let nearest = Resampling::Nearest { tolerance_nm: 25.0 };
        let methods = [(Resampling::Gaussian, "Gaussian"), (Resampling::Linear, "Linear"), (nearest, "Nearest")];
        widgets::segments(ui, &mut choice.method, &methods);
    });
    let wanted = choice.search.to_lowercase();
    let shown: Vec<usize> =
        (0..library.spectra.len()).filter(|&i| library.spectra[i].name.to_lowercase().contains(&wanted)).collect();
    let list = ScrollArea::vertical().id_salt("spectra").max_height(LIST_HEIGHT).auto_shrink([false, true]);
    list.show_rows(ui, 20.0, shown.len(), |ui, rows| {
        for &index in &shown[rows] {
            let spectrum = &library.spectra[index];
            let range = spectrum.range_nm().map_or_else(String::new, |(low, high)| format!(", {low:.0}–{high:.0} nm"));
            let text = format!("{}  ({} channels{range})", spectrum.name, spectrum.values.len());
            if let Some(picked) = choice.picked.get_mut(index) {
                ui.checkbox(picked, text);
            }
        }
    });
    ui.add_space(theme::UNIT);
    let n = choice.picked.iter().filter(|picked| **picked).count();
    match &bands {
        Err(why) => {
            ui.label(egui::RichText::new(why).color(palette.warning));
        }
        Ok(bands) => preview(ui, choice, library, bands),
    }
    ui.add_space(theme::UNIT);
    let mut done = None;
    ui.horizontal(|ui| {
        let text = if n == 1 { "Import 1 spectrum".to_owned() } else { format!("Import {n} spectra") };
        if widgets::primary_button(ui, n > 0 && bands.is_ok(), &text).clicked() {
            done = Some(true);
        }
        if ui.button("Cancel").clicked() {
            done = Some(false);
        }
    });
    done
}

/// The picked spectra on the scene's bands, and which channels they come from.
fn preview(ui: &mut Ui, choice: &Choice, library: &nunatak_domain::spectra::SpectralLibrary, bands: &[TargetBand]) {
    let palette = theme::of(ui);
    let picked =
        library.spectra.iter().zip(&choice.picked).filter(|(_, picked)| **picked).map(|(spectrum, _)| spectrum);
    let resampled: Vec<_> =
        picked.take(MAX_CURVES).map(|spectrum| (spectrum, resample(spectrum, bands, choice.method))).collect();
    let curves: Vec<Curve> = resampled
        .iter()
        .enumerate()
        .map(|(index, (spectrum, found))| Curve {
            name: spectrum.name.clone(),
            color: theme::color(nunatak_domain::class::Rgb::distinct(1 + index % 7)),
            values: found.values.iter().map(|value| Some(*value).filter(|value| value.is_finite())).collect(),
            spread: Vec::new(),
            main: false,
        })
        .collect();
    widgets::spectrum_plot(ui, "import", &SpectrumAxis::of_targets(bands), &curves, 120.0);
    let Some((_, first)) = resampled.first() else { return };
    ScrollArea::vertical().id_salt("match").max_height(MATCH_HEIGHT).auto_shrink([false, true]).show(ui, |ui| {
        for remark in &first.remarks {
            ui.horizontal_top(|ui| {
                ui.label(egui::RichText::new(icons::INFO).font(theme::icon_font(13.0)).color(palette.info));
                ui.add(egui::Label::new(egui::RichText::new(remark).small()).wrap());
            });
        }
        egui::Grid::new("band match").num_columns(3).spacing([16.0, 2.0]).show(ui, |ui| {
            for found in &first.matches {
                match_row(ui, bands, found);
                ui.end_row();
            }
        });
    });
}

fn match_row(ui: &mut Ui, bands: &[TargetBand], found: &BandMatch) {
    let palette = theme::of(ui);
    let missing = found.used == MatchKind::Missing;
    let color = if missing { palette.warning } else { palette.text };
    let cell = |ui: &mut Ui, text: String| {
        ui.label(egui::RichText::new(text).small().color(color));
    };
    cell(ui, format!("{} ({:.0} nm)", bands[found.band].name, found.wavelength_nm));
    cell(ui, format!("nearest channel {:.1} nm", found.from_nm));
    let how = match found.used {
        MatchKind::Nearest => format!("taken, {:.1} nm away", found.distance_nm),
        MatchKind::Linear => "interpolated".to_owned(),
        MatchKind::Gaussian => "weighted over the band's width".to_owned(),
        MatchKind::Missing => "no value".to_owned(),
    };
    cell(ui, how);
}
