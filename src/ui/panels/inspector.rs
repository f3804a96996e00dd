//! INSPECTOR: everything known of the pixel under the cursor, and of pinned ones.
//!
//! While the cursor is on the map it follows it; off the map it shows the last pin, so that one
//! can look at it in peace.

use egui::{Color32, Ui};
use nunatak_app::Session;
use nunatak_domain::class::ClassId;
use nunatak_domain::geo::GeoPos;
use nunatak_domain::inspect::{LayerProbe, ProbeAnswer};
use nunatak_domain::layer::{Layer, LayerRole, LayerSource, SceneId};
use nunatak_domain::scene::SceneInfo;
use nunatak_domain::style::Style;

use crate::widgets::{self, Curve, SpectrumAxis, numbers};
use crate::wishes::Wishes;
use crate::{icons, theme};

const PLOT_HEIGHT: f32 = 176.0;
/// Probabilities listed at most; the rest is less likely than these.
const MAX_PROBABILITIES: usize = 8;

/// A pinned pixel.
pub(crate) struct Pin {
    pub tag: u64,
    pub geo: GeoPos,
    pub color: Color32,
    /// Given by the person; empty is its number.
    pub name: String,
    pub answer: Option<ProbeAnswer>,
    /// When it was pinned, in seconds of the window's clock.
    pub pinned_at: f64,
}

pub(crate) struct InspectorPanel {
    pub cursor: Option<ProbeAnswer>,
    pub pins: Vec<Pin>,
    pub next_tag: u64,
    pub cursor_on_map: bool,
    /// The pin that is shown while the cursor is elsewhere; `None` is the last one.
    pub selected: Option<u64>,
    renaming: Option<(u64, String)>,
    values_open: bool,
}

impl Default for InspectorPanel {
    fn default() -> Self {
        Self {
            cursor: None,
            pins: Vec::new(),
            next_tag: 1,
            cursor_on_map: false,
            selected: None,
            renaming: None,
            values_open: false,
        }
    }
}

impl InspectorPanel {
    /// Takes an answer to where it belongs; answers to pins that are gone are dropped.
    pub(crate) fn answered(&mut self, answer: ProbeAnswer, cursor_tag: u64) {
        if answer.probe.tag == cursor_tag {
            self.cursor = Some(answer);
        } else if let Some(pin) = self.pins.iter_mut().find(|pin| pin.tag == answer.probe.tag) {
            pin.answer = Some(answer);
        }
    }

    /// What is shown in detail.
    pub(crate) fn shown(&self) -> Option<&ProbeAnswer> {
        let pinned = self.selected_pin().and_then(|(_, pin)| pin.answer.as_ref());
        if self.cursor_on_map { self.cursor.as_ref() } else { pinned.or(self.cursor.as_ref()) }
    }

    /// The pin that was chosen, else the last one, with its number.
    fn selected_pin(&self) -> Option<(usize, &Pin)> {
        let mut pins = self.pins.iter().enumerate().map(|(i, pin)| (i + 1, pin));
        pins.clone().find(|(_, pin)| Some(pin.tag) == self.selected).or_else(|| pins.next_back())
    }

    /// What the panel is about: the cursor or one of the pins; nothing before there is either.
    pub(crate) fn heading(&self) -> String {
        match self.selected_pin() {
            Some((number, pin)) if !self.cursor_on_map => pin_title(number, pin),
            _ if self.cursor.is_some() => "at the cursor".to_owned(),
            _ => String::new(),
        }
    }

    /// The spectrum under the cursor on the references' scale, while the cursor is on the map.
    pub(crate) fn cursor_spectrum(&self, session: &Session) -> Option<Vec<f64>> {
        let (probe, _) = imagery(session, self.cursor.as_ref().filter(|_| self.cursor_on_map)?)?;
        let stored = probe.values.iter().copied().collect::<Option<Vec<f64>>>()?;
        Some(session.reference_values(probe.scene, &stored))
    }

    /// The spectrum a new reference would get: the chosen pin's on the top imagery layer.
    pub(crate) fn pinned_spectrum(&self, session: &Session) -> Option<(Color32, Vec<f64>)> {
        let (_, pin) = self.selected_pin()?;
        let (probe, _) = imagery(session, pin.answer.as_ref()?)?;
        let stored = probe.values.iter().copied().collect::<Option<Vec<f64>>>()?;
        Some((pin.color, session.reference_values(probe.scene, &stored)))
    }
}

pub(crate) fn inspector_ui(ui: &mut Ui, session: &Session, state: &mut InspectorPanel, wishes: &mut Wishes) {
    let Some(answer) = state.shown().cloned() else {
        let text = if session.layers().is_empty() {
            "Spectrum, classes and explanations of a pixel, once a raster is open."
        } else {
            "Move over the map. A click pins a pixel here."
        };
        widgets::empty(ui, text);
        return;
    };
    spectrum(ui, session, state, &answer);
    pins_ui(ui, session, state, wishes);
    if answer.layers.is_empty() {
        widgets::empty(ui, "No layer reaches this place.");
    }
    classes(ui, session, &answer);
    scores(ui, session, &answer);
    references(ui, session, &answer);
    others(ui, session, &answer);
    values(ui, session, state, &answer);
}

/// The top imagery layer that reaches the place, best one with a spectrum.
fn imagery<'a>(session: &'a Session, answer: &'a ProbeAnswer) -> Option<(&'a LayerProbe, &'a SceneInfo)> {
    let with_info = |probe: &'a LayerProbe| {
        let layer = session.layer(probe.layer)?;
        let matches = layer.role == LayerRole::Imagery && matches!(layer.source, LayerSource::Scene { .. });
        matches.then_some((probe, &session.scene(probe.scene)?.info))
    };
    let mut all = answer.layers.iter().filter_map(with_info);
    all.find(|(probe, _)| probe.values.len() > 1)
}

fn spectrum(ui: &mut Ui, session: &Session, state: &InspectorPanel, answer: &ProbeAnswer) {
    let Some((probe, info)) = imagery(session, answer) else { return };
    let palette = theme::of(ui);
    let scaled = |values: &[Option<f64>]| -> Vec<Option<f64>> {
        values.iter().zip(&info.bands).map(|(value, band)| value.map(|v| v * band.scale + band.offset)).collect()
    };
    let axis = SpectrumAxis::of(&info.bands);
    let mut curves = Vec::new();
    for reference in session.references().enabled().filter(|reference| reference.spectrum.len() == info.n_bands()) {
        let values: Vec<Option<f64>> =
            stored_values(session, probe.scene, &reference.spectrum).into_iter().map(Some).collect();
        curves.push(Curve {
            name: reference.name.clone(),
            color: theme::color(reference.color).gamma_multiply(0.75),
            values: scaled(&values),
            spread: Vec::new(),
            main: false,
        });
    }
    for (number, pin) in state.pins.iter().enumerate() {
        let Some((pinned, _)) = pin.answer.as_ref().and_then(|answer| imagery(session, answer)) else { continue };
        let main = !state.cursor_on_map && pin.tag == answer.probe.tag;
        let (name, values) = (pin_title(number + 1, pin), scaled(&pinned.values));
        curves.push(Curve { name, color: pin.color, values, spread: Vec::new(), main });
    }
    if state.cursor_on_map || state.pins.is_empty() {
        curves.push(Curve {
            name: "Pixel".to_owned(),
            color: palette.strong,
            values: scaled(&probe.values),
            spread: Vec::new(),
            main: true,
        });
    }
    let response = widgets::spectrum_plot(ui, "inspector spectrum", &axis, &curves, PLOT_HEIGHT);
    response.context_menu(|ui| {
        if ui.button("Copy as CSV").clicked() {
            ui.ctx().copy_text(csv(&axis, &curves));
        }
    });
    let scale_note =
        if info.bands.iter().any(|band| band.scale != 1.0 || band.offset != 0.0) { ", scale applied" } else { "" };
    let unit = info.bands.first().map(|band| band.unit.as_str()).filter(|unit| !unit.is_empty()).unwrap_or("value");
    let (col, row) = (probe.pixel.col.floor(), probe.pixel.row.floor());
    let over = if axis.nm { "nm" } else { "band" };
    let text = format!("{unit} over {over}{scale_note} · column {col:.0}, row {row:.0}");
    ui.label(egui::RichText::new(text).small().color(palette.weak));
}

/// A reference's spectrum as stored values, which the pixels are plotted from.
fn stored_values(session: &Session, scene: SceneId, spectrum: &[f64]) -> Vec<f64> {
    let zero = session.reference_values(scene, &vec![0.0; spectrum.len()]);
    let one = session.reference_values(scene, &vec![1.0; spectrum.len()]);
    let steps = zero.iter().zip(&one).map(|(zero, one)| (*zero, one - zero));
    spectrum
        .iter()
        .zip(steps)
        .map(|(value, (zero, step))| if step == 0.0 { *value } else { (value - zero) / step })
        .collect()
}

fn csv(axis: &SpectrumAxis, curves: &[Curve]) -> String {
    let mut text = String::from(if axis.nm { "band,nm" } else { "band,number" });
    for curve in curves {
        text.push_str(&format!(",{}", curve.name.replace(',', " ")));
    }
    for (i, (position, name)) in axis.positions.iter().zip(&axis.names).enumerate() {
        text.push_str(&format!("\n{},{position}", name.replace(',', " ")));
        for curve in curves {
            let value = curve.values.get(i).copied().flatten();
            text.push_str(&value.map_or_else(|| ",".to_owned(), |value| format!(",{value}")));
        }
    }
    text.push('\n');
    text
}

fn pin_title(number: usize, pin: &Pin) -> String {
    if pin.name.is_empty() { format!("Pin {number}") } else { pin.name.clone() }
}

fn pins_ui(ui: &mut Ui, session: &Session, state: &mut InspectorPanel, wishes: &mut Wishes) {
    let mut remove = None;
    let shown = state.selected_pin().filter(|_| !state.cursor_on_map).map(|(_, pin)| pin.tag);
    let InspectorPanel { pins, selected, renaming, .. } = state;
    for (index, pin) in pins.iter_mut().enumerate() {
        ui.push_id(pin.tag, |ui| {
            widgets::line(ui, |ui| {
                widgets::swatch(ui, pin.color);
                if renaming.as_ref().is_some_and(|(tag, _)| *tag == pin.tag) {
                    rename_pin(ui, pin, renaming);
                    return;
                }
                let row = pin_row(ui, session, index + 1, pin, shown == Some(pin.tag));
                if row.clicked() {
                    *selected = Some(pin.tag);
                    wishes.look_at = Some(at(pin.geo));
                }
                let more = widgets::small_icon_button(ui, icons::DOTS_THREE, &format!("More for pin {}", index + 1));
                let mut menu = |ui: &mut Ui| pin_menu(ui, session, pin, renaming, wishes);
                egui::Popup::menu(&more).show(&mut menu);
                row.context_menu(menu);
                if widgets::small_icon_button(ui, icons::X, &format!("Remove pin {}", index + 1)).clicked() {
                    remove = Some(index);
                }
            });
        });
    }
    if let Some(index) = remove {
        pins.remove(index);
    }
}

/// A box without a size: the map moves there at the scale it has.
const fn at(geo: GeoPos) -> nunatak_domain::geo::GeoBounds {
    nunatak_domain::geo::GeoBounds { min_x: geo.x, min_y: geo.y, max_x: geo.x, max_y: geo.y }
}

fn pin_row(ui: &mut Ui, session: &Session, number: usize, pin: &Pin, shown: bool) -> egui::Response {
    let palette = theme::of(ui);
    let width = ui.available_width() - 2.0 * (theme::SMALL_BUTTON + ui.spacing().item_spacing.x);
    let size = egui::vec2(width.max(40.0), theme::SMALL_BUTTON);
    let (rect, response) = ui.allocate_exact_size(size, egui::Sense::click());
    let title = pin_title(number, pin);
    response.widget_info(|| {
        egui::WidgetInfo::selected(egui::Role::Button, true, shown, format!("Show {}", title.to_lowercase()))
    });
    let fill = match (shown, response.hovered()) {
        (true, _) => palette.chosen,
        (false, true) => palette.hover,
        (false, false) => Color32::TRANSPARENT,
    };
    ui.painter().rect_filled(rect, theme::RADIUS, fill);
    let inside = rect.shrink2(egui::vec2(6.0, 0.0));
    let font = egui::FontId::proportional(theme::BODY);
    let end = widgets::text_in(ui, inside, &title, font.clone(), palette.text);
    if let Some((_, class)) = pin.answer.as_ref().and_then(|answer| class_of(session, answer)) {
        let beside = egui::Rect::from_min_max(egui::pos2(end + 8.0, rect.top()), inside.max);
        widgets::text_in(ui, beside, &class, font, palette.weak);
    }
    response.on_hover_text("Click: show this pin and centre the map on it")
}

fn pin_menu(ui: &mut Ui, session: &Session, pin: &Pin, renaming: &mut Option<(u64, String)>, wishes: &mut Wishes) {
    ui.set_min_width(180.0);
    let entry = |ui: &mut Ui, enabled: bool, icon: &str, text: &str| {
        let button = egui::Button::new(format!("{icon}  {text}")).frame_when_inactive(false);
        ui.add_enabled(enabled, button).on_disabled_hover_text("Open a model first").clicked()
    };
    if entry(ui, session.model().is_some(), icons::SPARKLE, "Explain this pixel") {
        wishes.explain = Some(pin.geo);
    }
    if entry(ui, true, icons::TARGET, "Centre the map here") {
        wishes.look_at = Some(at(pin.geo));
    }
    if entry(ui, true, icons::PENCIL_SIMPLE, "Rename") {
        *renaming = Some((pin.tag, pin.name.clone()));
    }
    if entry(ui, true, icons::COPY, "Copy coordinates") {
        wishes.copy(ui, "Coordinates", format!("{} {}", pin.geo.x, pin.geo.y));
    }
}

fn rename_pin(ui: &mut Ui, pin: &mut Pin, renaming: &mut Option<(u64, String)>) {
    let Some((_, text)) = renaming else { return };
    let edit = egui::TextEdit::singleline(text).desired_width(ui.available_width()).hint_text("Name of the pin");
    let response = ui.add(edit).accessible_name("Pin name");
    let escape = ui.input(|input| input.key_pressed(egui::Key::Escape));
    if response.lost_focus() || escape {
        if !escape {
            text.trim().clone_into(&mut pin.name);
        }
        *renaming = None;
    } else if !response.has_focus() {
        response.request_focus();
    }
}

fn class_of(session: &Session, answer: &ProbeAnswer) -> Option<(Color32, String)> {
    answer.layers.iter().find_map(|probe| {
        let layer = session.layer(probe.layer)?;
        class_at(session, layer, probe)
    })
}

/// Class of a layer that shows classes.
fn class_at(session: &Session, layer: &Layer, probe: &LayerProbe) -> Option<(Color32, String)> {
    let Style::Classes { band, scheme } = &layer.style else { return None };
    let named = |id| (scheme.get(id).map_or(Color32::TRANSPARENT, |class| theme::color(class.color)), scheme.name(id));
    if let Some(labels) = layer.source.labels() {
        // What is painted is in the project, and the answer may be older than the last stroke.
        let (col, row) = (probe.pixel.col as usize, probe.pixel.row as usize);
        return session.project().labels(labels)?.layer.get(col, row).map(named);
    }
    if matches!(layer.source, LayerSource::Prior { .. }) {
        return None;
    }
    Some(named(ClassId(probe.values.get(*band).copied().flatten()? as u32)))
}

fn with_role<'a>(
    session: &'a Session,
    answer: &'a ProbeAnswer,
    role: LayerRole,
) -> impl Iterator<Item = (&'a LayerProbe, &'a Layer)> {
    answer.layers.iter().filter_map(move |probe| {
        let layer = session.layer(probe.layer)?;
        (layer.role == role).then_some((probe, layer))
    })
}

fn heading(ui: &mut Ui, text: &str) {
    ui.add_space(theme::UNIT);
    ui.label(egui::RichText::new(text).font(theme::strong_font(theme::SMALL)).color(theme::of(ui).weak));
}

fn classes(ui: &mut Ui, session: &Session, answer: &ProbeAnswer) {
    for probe in &answer.layers {
        let Some(layer) = session.layer(probe.layer) else { continue };
        let Some((color, name)) = class_at(session, layer, probe) else { continue };
        ui.add_space(theme::UNIT);
        ui.horizontal(|ui| {
            widgets::swatch(ui, color);
            ui.label(egui::RichText::new(name).font(theme::strong_font(14.0)));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                ui.add(egui::Label::new(egui::RichText::new(&layer.name).color(theme::of(ui).weak)).truncate());
            });
        });
    }
    let Some((probe, layer)) = with_role(session, answer, LayerRole::Probabilities).next() else { return };
    let names = session.scene(layer.source.scene()).map(|scene| &scene.info.bands);
    let scheme = session.model().map(|model| &model.record.classes);
    let mut rows: Vec<(usize, f64)> =
        probe.values.iter().enumerate().filter_map(|(i, value)| Some((i, (*value)?))).collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (i, probability) in rows.into_iter().take(MAX_PROBABILITIES) {
        let class = scheme.and_then(|scheme| scheme.classes.get(i));
        let name = class
            .map(|class| class.name.clone())
            .or_else(|| names.and_then(|bands| bands.get(i)).map(|band| band.name.clone()));
        let color = class.map_or(theme::of(ui).accent, |class| theme::color(class.color));
        widgets::bar_row(ui, color, &name.unwrap_or_default(), probability as f32, &format!("{probability:.3}"));
    }
}

/// Values in [0, 1] that say something about the network's answer.
fn scores(ui: &mut Ui, session: &Session, answer: &ProbeAnswer) {
    const ROLES: [(LayerRole, &str); 4] = [
        (LayerRole::Attention, "Attention"),
        (LayerRole::GradCam, "Grad-CAM"),
        (LayerRole::Margin, "Margin"),
        (LayerRole::Entropy, "Entropy"),
    ];
    let accent = theme::of(ui).accent;
    let mut first = true;
    for (role, name) in ROLES {
        for (probe, _) in with_role(session, answer, role) {
            let Some(value) = probe.values.first().copied().flatten() else { continue };
            if std::mem::take(&mut first) {
                heading(ui, "Explanation");
            }
            widgets::bar_row(ui, accent, name, value as f32, &format!("{value:.3}"));
        }
    }
}

/// Distance to every reference against its threshold: a full bar is at the threshold.
fn references(ui: &mut Ui, session: &Session, answer: &ProbeAnswer) {
    let Some(found) = answer.layers.iter().find_map(|probe| probe.references.as_ref()) else { return };
    let palette = theme::of(ui);
    heading(ui, "Distance to references");
    if found.valid {
        widgets::bar_row(
            ui,
            palette.accent,
            "Similarity",
            found.similarity as f32,
            &format!("{:.3}", found.similarity),
        );
    } else {
        ui.label(egui::RichText::new("The nearest reference is beyond its threshold").color(palette.weak));
    }
    for (i, reference) in session.references().enabled().enumerate() {
        let (Some(distance), Some(threshold)) = (found.distances.get(i), found.thresholds.get(i)) else { continue };
        let near = i == found.best && found.valid;
        let share = if *threshold > 0.0 { (distance / threshold).min(1.0) } else { 1.0 };
        let mark = if near { icons::CHECK } else { "" };
        let name = if near { format!("{mark} {}", reference.name) } else { reference.name.clone() };
        let response =
            widgets::bar_row(ui, theme::color(reference.color), &name, share as f32, &numbers::short(*distance));
        response.on_hover_text(format!(
            "distance {} of a threshold of {}",
            numbers::value(*distance),
            numbers::value(*threshold)
        ));
    }
}

/// Single-band layers that are neither classes nor scores.
fn others(ui: &mut Ui, session: &Session, answer: &ProbeAnswer) {
    for probe in &answer.layers {
        let (Some(layer), Some(scene)) = (session.layer(probe.layer), session.scene(probe.scene)) else { continue };
        let plain = matches!(layer.role, LayerRole::Imagery | LayerRole::Index)
            && probe.values.len() == 1
            && !matches!(layer.style, Style::Classes { .. });
        if !plain {
            continue;
        }
        let shown = |value: f64| {
            if layer.source.computed() { numbers::value(value) } else { physical(&scene.info, 0, value) }
        };
        let text = probe.values[0].map_or_else(|| "no data".to_owned(), shown);
        widgets::value_row(ui, &layer.name, &text);
    }
}

fn physical(info: &SceneInfo, band: usize, stored: f64) -> String {
    let band = &info.bands[band];
    if band.scale == 1.0 && band.offset == 0.0 {
        return format!("{} {}", numbers::value(stored), band.unit).trim_end().to_owned();
    }
    format!("{} {} (stored {})", numbers::value(stored * band.scale + band.offset), band.unit, numbers::value(stored))
}

fn values(ui: &mut Ui, session: &Session, state: &mut InspectorPanel, answer: &ProbeAnswer) {
    const MAX_VALUES: usize = 64;
    let Some((probe, info)) = imagery(session, answer) else { return };
    let mut open = state.values_open;
    widgets::section(
        ui,
        "Values",
        &mut open,
        |_| {},
        |ui| {
            for (i, value) in probe.values.iter().enumerate().take(MAX_VALUES) {
                let text = value.map_or_else(|| "no data".to_owned(), |value| physical(info, i, value));
                widgets::value_row(ui, &super::style::band_label(i, &info.bands[i]), &text);
            }
            if probe.values.len() > MAX_VALUES {
                ui.label(format!("{} more bands: right-click the plot to copy all", probe.values.len() - MAX_VALUES));
            }
        },
    );
    state.values_open = open;
}
