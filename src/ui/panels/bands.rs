//! CHOOSE BANDS: which band of a scene the model reads as which of its own. Asked where a scene
//! does not fit as it is; what was chosen is remembered for that model and scene.

use std::path::PathBuf;

use egui::{ComboBox, Id, Modal, Ui};
use nunatak_app::Session;
use nunatak_domain::layer::SceneId;
use nunatak_domain::model::ModelRecord;
use nunatak_domain::scene::SceneInfo;

use super::style::band_label;
use crate::{theme, widgets};

const WIDTH: f32 = 560.0;
const ROWS_HEIGHT: f32 = 340.0;

/// How scene bands were found for the model's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    Wavelength,
    Name,
    Order,
    Hand,
}

/// The open question, and the answers given so far.
#[derive(Default)]
pub(crate) struct BandsDialog {
    open: Option<Choice>,
    chosen: Vec<(PathBuf, PathBuf, Vec<usize>)>,
}

struct Choice {
    scene: SceneId,
    bands: Vec<usize>,
    how: Match,
}

impl BandsDialog {
    /// The bands chosen for the session's model and a scene; `None` takes them in order.
    pub(crate) fn chosen(&self, session: &Session, scene: SceneId) -> Option<Vec<usize>> {
        let (model, raster) = (&session.model()?.path, &session.scene(scene)?.info.path);
        let known = self.chosen.iter().find(|(a, b, _)| a == model && b == raster);
        known.map(|(_, _, bands)| bands.clone())
    }

    /// Asks, with the best match as a start.
    pub(crate) fn ask(&mut self, session: &Session, scene: SceneId) {
        let (Some(model), Some(open)) = (session.model(), session.scene(scene)) else { return };
        let (bands, how) = match self.chosen(session, scene) {
            Some(bands) => (bands, Match::Hand),
            None => best_match(&open.info, &model.record),
        };
        self.open = Some(Choice { scene, bands, how });
    }

    pub(crate) const fn asking(&self) -> bool {
        self.open.is_some()
    }

    /// Draws the question; the scene to predict once it is answered.
    pub(crate) fn show(&mut self, ctx: &egui::Context, session: &Session) -> Option<SceneId> {
        let choice = self.open.as_mut()?;
        let (Some(model), Some(scene)) = (session.model(), session.scene(choice.scene)) else {
            self.open = None;
            return None;
        };
        let frame = egui::Frame::popup(&ctx.global_style()).inner_margin(16);
        let mut done = None;
        let modal = Modal::new(Id::unique("choose bands")).frame(frame).show(ctx, |ui| {
            ui.set_width(WIDTH.min(ctx.content_rect().width() - 64.0));
            done = choice_ui(ui, choice, &scene.info, &model.record);
        });
        let (closed, id) = (modal.should_close(), choice.scene);
        match done {
            Some(true) => {
                let (model, raster) = (model.path.clone(), scene.info.path.clone());
                self.chosen.retain(|(a, b, _)| *a != model || *b != raster);
                self.chosen.push((model, raster, choice.bands.clone()));
                self.open = None;
                Some(id)
            }
            Some(false) => {
                self.open = None;
                None
            }
            None => {
                if closed {
                    self.open = None;
                }
                None
            }
        }
    }
}

/// `Some(true)`: predict; `Some(false)`: not now.
fn choice_ui(ui: &mut Ui, choice: &mut Choice, info: &SceneInfo, record: &ModelRecord) -> Option<bool> {
    let palette = theme::of(ui);
    ui.heading("Choose bands");
    let why = misfit(info, record).unwrap_or_else(|| "The scene's bands fit the model as they are.".to_owned());
    ui.add(egui::Label::new(egui::RichText::new(why).color(palette.weak)).wrap());
    ui.add_space(theme::UNIT);
    ui.horizontal(|ui| {
        ui.label("Match");
        let mut choices = Vec::new();
        let found = [(Match::Wavelength, "by wavelength"), (Match::Name, "by name"), (Match::Order, "in order")];
        for (how, text) in found {
            if matched(info, record, how).is_some() {
                choices.push((how, text));
            }
        }
        if choice.how == Match::Hand {
            choices.push((Match::Hand, "by hand"));
        }
        if widgets::segments(ui, &mut choice.how, &choices)
            && let Some(bands) = matched(info, record, choice.how)
        {
            choice.bands = bands;
        }
    });
    ui.add_space(theme::UNIT);
    egui::ScrollArea::vertical().max_height(ROWS_HEIGHT).min_scrolled_height(ROWS_HEIGHT).show(ui, |ui| {
        egui::Grid::new("bands").num_columns(3).spacing([16.0, 6.0]).min_col_width(96.0).show(ui, |ui| {
            for title in ["The model reads", "from this band of the scene", ""] {
                ui.label(egui::RichText::new(title).font(theme::strong_font(theme::SMALL)).color(palette.weak));
            }
            ui.end_row();
            for (index, band) in choice.bands.iter_mut().enumerate() {
                let before = *band;
                band_row(ui, index, band, info, record);
                if *band != before {
                    choice.how = Match::Hand;
                }
                ui.end_row();
            }
        });
    });
    let mut sorted = choice.bands.clone();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        ui.label(egui::RichText::new("A band is used more than once.").color(palette.warning));
    }
    ui.add_space(2.0 * theme::UNIT);
    let mut done = None;
    ui.horizontal(|ui| {
        if widgets::primary_button(ui, true, "Predict with these bands").clicked() {
            done = Some(true);
        }
        if ui.button("Cancel").clicked() {
            done = Some(false);
        }
    });
    done
}

fn band_row(ui: &mut Ui, index: usize, band: &mut usize, info: &SceneInfo, record: &ModelRecord) {
    let palette = theme::of(ui);
    let wanted = record.bands.get(index);
    let name = wanted.map_or_else(|| format!("Band {}", index + 1), |wanted| wanted.name.clone());
    let nm = wanted.and_then(|wanted| wanted.wavelength_nm);
    let numbered = if name.starts_with("Band ") { name.clone() } else { format!("{}  {name}", index + 1) };
    ui.label(nm.map_or_else(|| numbered.clone(), |nm| format!("{numbered} · {nm:.0} nm")));
    let text = info.bands.get(*band).map_or_else(String::new, |found| band_label(*band, found));
    let combo = ComboBox::from_id_salt(("band", index)).selected_text(text).width(220.0).truncate();
    let response = combo.show_ui(ui, |ui| {
        for (i, found) in info.bands.iter().enumerate() {
            ui.selectable_value(band, i, band_label(i, found));
        }
    });
    drop(response.response.accessible_name(format!("Scene band for {name}")));
    let found = info.bands.get(*band);
    match (nm, found.and_then(|found| found.wavelength_nm)) {
        (Some(wants), Some(has)) => {
            let color = if far(wants, has) { palette.warning } else { palette.weak };
            ui.label(egui::RichText::new(format!("{:.0} nm away", (wants - has).abs())).color(color));
        }
        _ if found.is_some_and(|found| same(&found.name, &name)) => {
            ui.label(egui::RichText::new("same name").color(palette.weak));
        }
        _ => {
            ui.label("");
        }
    }
}

/// Why the scene's first bands are not what the model expects; `None` where they fit, or where
/// nothing is known that speaks against it.
pub(crate) fn misfit(info: &SceneInfo, record: &ModelRecord) -> Option<String> {
    let (has, wants) = (info.n_bands(), record.network.n_bands());
    if has < wants {
        return Some(format!(
            "The model reads {wants} bands and {} has {has}: a band may serve more than once.",
            info.name()
        ));
    }
    let pairs = || record.bands.iter().zip(&info.bands);
    let known = pairs().filter_map(|(model, scene)| Some((model.wavelength_nm?, scene.wavelength_nm?)));
    let (n_known, n_far) = known.fold((0, 0), |(n, f), (a, b)| (n + 1, f + usize::from(far(a, b))));
    if n_far > 0 {
        return Some(format!(
            "{n_far} of the first {wants} bands of {} have other wavelengths than the model's.",
            info.name()
        ));
    }
    let in_order = pairs().all(|(model, scene)| same(&model.name, &scene.name));
    if n_known < wants && !in_order && matched(info, record, Match::Name).is_some() {
        return Some(format!("{} has the model's bands in another order.", info.name()));
    }
    if has > wants && n_known < wants && !in_order {
        return Some(format!("The model reads {wants} bands and {} has {has}.", info.name()));
    }
    None
}

/// By wavelength where both sides know all of them, else by name, else in order.
fn best_match(info: &SceneInfo, record: &ModelRecord) -> (Vec<usize>, Match) {
    let found = [Match::Wavelength, Match::Name, Match::Order]
        .into_iter()
        .find_map(|how| Some((matched(info, record, how)?, how)));
    found.unwrap_or_else(|| (vec![0; record.network.n_bands()], Match::Hand))
}

/// A scene band for each of the model's; `None` where that way of matching says nothing.
fn matched(info: &SceneInfo, record: &ModelRecord, how: Match) -> Option<Vec<usize>> {
    let wants = record.network.n_bands();
    match how {
        Match::Wavelength => {
            let nearest = |wanted: f64| {
                let known = info.bands.iter().enumerate().filter_map(|(i, band)| Some((i, band.wavelength_nm?)));
                known.min_by(|a, b| (a.1 - wanted).abs().total_cmp(&(b.1 - wanted).abs())).map(|(i, _)| i)
            };
            (record.bands.len() == wants).then_some(())?;
            record.bands.iter().map(|band| nearest(band.wavelength_nm?)).collect()
        }
        Match::Name => {
            (record.bands.len() == wants).then_some(())?;
            let place = |name: &str| info.bands.iter().position(|band| same(&band.name, name));
            record.bands.iter().map(|band| place(&band.name)).collect()
        }
        Match::Order => {
            let last = info.n_bands().checked_sub(1)?;
            Some((0..wants).map(|band| band.min(last)).collect())
        }
        Match::Hand => None,
    }
}

fn same(a: &str, b: &str) -> bool {
    a.trim().eq_ignore_ascii_case(b.trim())
}

/// As `ml` judges: red of two sensors lies within 30 nm; short-wave infrared bands are wider.
fn far(model_nm: f64, scene_nm: f64) -> bool {
    (model_nm - scene_nm).abs() > (0.05 * model_nm).max(30.0)
}
