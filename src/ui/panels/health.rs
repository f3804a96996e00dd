//! HEALTH: whether the references can be told apart, and which of them are in the way.

use egui::Ui;
use nunatak_app::Session;
use nunatak_domain::geo::GeoBounds;
use nunatak_domain::layer::SceneId;
use nunatak_domain::spectra::{PairReport, ReferenceHealth, ReferenceSet, SeparabilityGrade};

use crate::widgets::{self, numbers};
use crate::{icons, theme};

/// Pairs listed at most: the most alike come first.
const MAX_PAIRS: usize = 12;
/// Width of the column of names, in points.
const NAME_WIDTH: f32 = 128.0;
/// The references and the view rest for so long before they are looked at, in seconds.
const REST_SECS: f64 = 0.4;

pub(crate) struct HealthPanel {
    pub open: bool,
    /// What was asked about last.
    asked: Option<(ReferenceSet, Option<SceneId>, GeoBounds)>,
    /// When that changed last; `None` once it was looked at.
    changed: Option<f64>,
}

impl Default for HealthPanel {
    fn default() -> Self {
        Self { open: true, asked: None, changed: None }
    }
}

impl HealthPanel {
    /// Whether it is time to look at the references anew: they or the view changed and have
    /// come to rest.
    pub(crate) fn due(&mut self, ui: &Ui, session: &Session, scene: Option<SceneId>, view: GeoBounds) -> bool {
        let set = session.references();
        if !self.open || set.references.len() < 2 {
            return false;
        }
        let now = ui.input(|input| input.time);
        let same = self.asked.as_ref().is_some_and(|asked| asked.0 == *set && (asked.1, asked.2) == (scene, view));
        if !same {
            self.asked = Some((set.clone(), scene, view));
            self.changed = Some(now);
        }
        let Some(since) = self.changed else { return false };
        let rest = REST_SECS - (now - since);
        if rest > 0.0 {
            ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(rest));
            return false;
        }
        self.changed = None;
        true
    }
}

pub(crate) fn health_ui(ui: &mut Ui, session: &Session, state: &mut HealthPanel) {
    if session.references().references.len() < 2 {
        return;
    }
    let mut open = state.open;
    widgets::section(
        ui,
        "Reference health",
        &mut open,
        |_| {},
        |ui| match session.health() {
            None => widgets::empty(ui, "Looking at the references …"),
            Some(health) => contents(ui, session, health),
        },
    );
    state.open = open;
}

fn contents(ui: &mut Ui, session: &Session, health: &ReferenceHealth) {
    let palette = theme::of(ui);
    let weak = |text: String| egui::RichText::new(text).small().color(palette.weak);
    egui::Grid::new("reference health").num_columns(4).spacing([12.0, 3.0]).show(ui, |ui| {
        for title in ["", "pixels", "threshold", "wins in view"] {
            ui.label(weak(title.to_owned()));
        }
        ui.end_row();
        let total: u64 = health.references.iter().filter_map(|found| found.wins).sum();
        for (found, reference) in health.references.iter().zip(session.references().enabled()) {
            ui.horizontal(|ui| {
                ui.set_width(NAME_WIDTH);
                widgets::swatch(ui, theme::color(reference.color));
                ui.add(egui::Label::new(&found.name).truncate());
            });
            ui.label(if found.n_px > 0 { numbers::grouped(found.n_px as f64, 0) } else { "–".to_owned() });
            ui.label(found.threshold.map_or_else(|| "–".to_owned(), numbers::short));
            ui.label(match found.wins {
                Some(0) => "none".to_owned(),
                Some(wins) => format!("{:.0} %", 100.0 * wins as f64 / total.max(1) as f64),
                None => "–".to_owned(),
            });
            ui.end_row();
        }
    });
    if let Some(condition) = health.condition_number {
        let text = if condition.is_finite() { numbers::short(condition) } else { "infinite".to_owned() };
        widgets::value_row(ui, "Condition number", &text);
    }
    for pair in health.pairs.iter().take(MAX_PAIRS) {
        pair_ui(ui, health, pair);
    }
    if health.pairs.len() > MAX_PAIRS {
        ui.label(weak(format!("{} more pairs are farther apart", health.pairs.len() - MAX_PAIRS)));
    }
    for remark in &health.remarks {
        ui.horizontal_top(|ui| {
            ui.label(egui::RichText::new(icons::WARNING).font(theme::icon_font(13.0)).color(palette.warning));
            ui.add(egui::Label::new(egui::RichText::new(remark).small()).wrap());
        });
    }
}

/// Both names and how far apart they are; the square's colour is the grade.
fn pair_ui(ui: &mut Ui, health: &ReferenceHealth, pair: &PairReport) {
    let palette = theme::of(ui);
    let name = |index: usize| health.references.get(index).map_or("", |found| found.name.as_str());
    let both = format!("{} – {}", name(pair.a), name(pair.b));
    let (value, hint) = match &pair.separability {
        Some(found) => (
            numbers::short(found.jeffries_matusita),
            format!(
                "Jeffries–Matusita {:.4} of √2, squared {:.4} of 2, transformed divergence {:.4} of 2, angle {:.2}°",
                found.jeffries_matusita,
                found.jeffries_matusita_squared,
                found.transformed_divergence,
                pair.angle.to_degrees()
            ),
        ),
        None => (
            format!("{:.1}°", pair.angle.to_degrees()),
            "Spectral angle: without painted pixels nothing is known of how they spread".to_owned(),
        ),
    };
    let grade = pair.separability.as_ref().map(|found| found.grade());
    let color = match (pair.equal || pair.confusable(), grade) {
        (true, Some(SeparabilityGrade::Moderate)) => palette.warning,
        (true, _) => palette.error,
        (false, _) => palette.info,
    };
    let row = ui.horizontal(|ui| {
        widgets::swatch(ui, color);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.label(value);
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                ui.add(egui::Label::new(egui::RichText::new(&both).color(palette.text)).truncate());
            });
        });
    });
    row.response.on_hover_text(format!("{both}\n{hint}"));
}
