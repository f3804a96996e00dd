//! REFERENCES: the spectra that pixels are compared with, painted on the map or imported, and
//! the prior they make.

use egui::{DragValue, Ui};
use nunatak_app::{Command, ReferenceEdit, Session};
use nunatak_domain::class::{ClassScheme, Rgb};
use nunatak_domain::layer::SceneId;
use nunatak_domain::spectra::SpectralReference;

use super::inspector::InspectorPanel;
use crate::action::{Action, Situation};
use crate::tools::Picker;
use crate::widgets::{self, Curve, SpectrumAxis, numbers};
use crate::wishes::Wishes;
use crate::{icons, theme};

const PLOT_HEIGHT: f32 = 150.0;

pub(crate) struct ReferencesPanel {
    pub open: bool,
    /// A name that is being typed; it becomes a step when the field is left.
    renaming: Option<(usize, String)>,
    /// A colour that is being chosen; it becomes a step when the button is let go.
    color: Option<(usize, Rgb)>,
}

impl Default for ReferencesPanel {
    fn default() -> Self {
        Self { open: true, renaming: None, color: None }
    }
}

/// What the panel shows besides the references.
pub(crate) struct Beside<'a> {
    pub inspector: &'a InspectorPanel,
    /// The tool that picks spectra, and whether it is in the hand.
    pub picker: &'a mut Picker,
    pub picking: bool,
    /// The scene that is meant.
    pub scene: Option<SceneId>,
}

pub(crate) fn references_ui(
    ui: &mut Ui,
    session: &Session,
    state: &mut ReferencesPanel,
    mut beside: Beside<'_>,
    now: &Situation,
    wishes: &mut Wishes,
) {
    let mut open = state.open;
    let mut actions = Vec::new();
    let save = Command::SaveReferences { path: "references.csv".into(), overwrite: false };
    let line = session.command_line(&save).filter(|_| !session.references().references.is_empty());
    let mut copied = false;
    let header = |ui: &mut Ui| {
        for action in [Action::SaveReferences, Action::ImportSpectra, Action::OpenReferences] {
            let info = action.info();
            let enabled = action.enabled(now);
            ui.add_enabled_ui(enabled, |ui| {
                if widgets::action_button(ui, info, false).clicked() {
                    actions.push(action);
                }
            });
        }
        if line.is_some() {
            copied = widgets::icon_button(ui, icons::TERMINAL_WINDOW, "Copy saving as command", false).clicked();
        }
    };
    widgets::section(ui, "References", &mut open, header, |ui| {
        contents(ui, session, state, &mut beside, now, wishes);
    });
    state.open = open;
    if let Some(line) = line.filter(|_| copied) {
        wishes.copy(ui, "Command", line);
    }
    wishes.actions.extend(actions);
}

fn contents(
    ui: &mut Ui,
    session: &Session,
    state: &mut ReferencesPanel,
    beside: &mut Beside<'_>,
    now: &Situation,
    wishes: &mut Wishes,
) {
    let set = session.references();
    if set.references.is_empty() {
        widgets::empty(ui, "Spectra to compare pixels with. Pick some on the map (I), or import a library.");
    } else {
        plot(ui, session, beside);
    }
    let thresholds: Vec<f64> = session.prior().map(|prior| prior.thresholds().to_vec()).unwrap_or_default();
    let mut enabled_index = 0;
    for (index, reference) in set.references.iter().enumerate() {
        let threshold = if reference.enabled {
            enabled_index += 1;
            thresholds.get(enabled_index - 1).copied()
        } else {
            None
        };
        let classes = &session.project().classes;
        ui.push_id(index, |ui| row(ui, (index, reference), threshold, classes, state, beside, wishes));
    }
    if !set.references.is_empty()
        && let Err(reason) = session.prior()
    {
        ui.label(egui::RichText::new(reason).color(theme::of(ui).weak));
    }
    ui.add_space(theme::UNIT);
    buttons(ui, session, beside, now, wishes);
}

fn buttons(ui: &mut Ui, session: &Session, beside: &mut Beside<'_>, now: &Situation, wishes: &mut Wishes) {
    let set = session.references();
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.y = 1.5 * theme::UNIT;
        let new = beside.picking && beside.picker.target.is_none();
        let paint = egui::Button::new(format!("{}  New from map", icons::PLUS)).selected(new);
        let hint = "Click or paint pixels on the map: their mean becomes a reference";
        if ui.add_enabled(beside.scene.is_some(), paint).on_hover_text(hint).clicked() {
            wishes.pick = Some((None, false));
        }
        let pinned = beside.inspector.pinned_spectrum(session);
        let fits = pinned.as_ref().is_some_and(|(_, spectrum)| set.n_bands() == 0 || set.n_bands() == spectrum.len());
        let add = ui.add_enabled(fits, egui::Button::new(format!("{}  Add pinned pixel", icons::PUSH_PIN)));
        let why = if pinned.is_none() {
            "Pin a pixel first: click on the map"
        } else {
            "The pin has another number of bands than the references"
        };
        if add.on_disabled_hover_text(why).clicked()
            && let Some((color, spectrum)) = pinned
        {
            let n = set.references.len() + 1;
            let color = Rgb([color.r(), color.g(), color.b()]);
            let reference = SpectralReference::new(format!("Reference {n}"), color, spectrum);
            wishes.commands.push(Command::EditReferences { edit: ReferenceEdit::Add { reference } });
        }
        for action in [
            Action::UseModelReferences,
            Action::ShowPrior,
            Action::ShowAngles,
            Action::ShowDistances,
            Action::ShowLikelihoods,
        ] {
            if action.enabled(now) {
                let info = action.info();
                if ui.button(format!("{}  {}", info.icon, info.text)).on_hover_text(info.hint(ui.ctx())).clicked() {
                    wishes.actions.push(action);
                }
            }
        }
    });
}

/// All references with the spread of their pixels, and the pixel under the cursor on top.
fn plot(ui: &mut Ui, session: &Session, beside: &Beside<'_>) {
    let set = session.references();
    let palette = theme::of(ui);
    let info = beside.scene.and_then(|id| session.scene(id)).map(|scene| &scene.info);
    let bands = info.and_then(|info| Some((info, set.bands_in(info)?)));
    let axis = match bands {
        Some((info, bands)) => {
            let bands: Vec<_> = bands.into_iter().map(|band| info.bands[band].clone()).collect();
            SpectrumAxis::of(&bands)
        }
        None => SpectrumAxis::numbered(set.n_bands(), &set.bands),
    };
    let mut curves: Vec<Curve> = set
        .enabled()
        .map(|reference| Curve {
            name: reference.name.clone(),
            color: theme::color(reference.color),
            values: reference.spectrum.iter().copied().map(Some).collect(),
            spread: reference.sample.as_ref().map(|sample| sample.std.clone()).unwrap_or_default(),
            main: false,
        })
        .collect();
    if let Some(values) = beside.inspector.cursor_spectrum(session) {
        let values = values.into_iter().map(Some).collect();
        let name = "Pixel".to_owned();
        curves.push(Curve { name, color: palette.strong, values, spread: Vec::new(), main: true });
    }
    widgets::spectrum_plot(ui, "references", &axis, &curves, PLOT_HEIGHT);
}

fn row(
    ui: &mut Ui,
    (index, reference): (usize, &SpectralReference),
    threshold: Option<f64>,
    classes: &ClassScheme,
    state: &mut ReferencesPanel,
    beside: &Beside<'_>,
    wishes: &mut Wishes,
) {
    let edit = |edit: ReferenceEdit| Command::EditReferences { edit };
    widgets::line(ui, |ui| {
        let mut enabled = reference.enabled;
        if ui.checkbox(&mut enabled, "").accessible_name(format!("Use {}", reference.name)).changed() {
            wishes.commands.push(edit(ReferenceEdit::SetEnabled { index, enabled }));
        }
        color_ui(ui, (index, reference), state, wishes);
        name_ui(ui, (index, reference), threshold, state, wishes);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let more = widgets::small_icon_button(ui, icons::DOTS_THREE, &format!("More for {}", reference.name));
            egui::Popup::menu(&more).show(|ui| menu(ui, (index, reference), classes, wishes));
            let adds = beside.picking && beside.picker.target == Some(index) && !beside.picker.erase;
            let paint = widgets::icon_button(ui, icons::PAINT_BRUSH, &format!("Paint more {}", reference.name), adds);
            if paint.clicked() {
                wishes.pick = Some((Some(index), false));
            }
            weight_ui(ui, (index, reference), wishes);
            let n = reference.sample.as_ref().map_or_else(String::new, |sample| numbers::grouped(sample.n as f64, 0));
            if !n.is_empty() {
                ui.label(egui::RichText::new(format!("{n} px")).small().color(theme::of(ui).weak));
            }
        });
    });
}

fn color_ui(
    ui: &mut Ui,
    (index, reference): (usize, &SpectralReference),
    state: &mut ReferencesPanel,
    wishes: &mut Wishes,
) {
    let mut color = state.color.filter(|(held, _)| *held == index).map_or(reference.color, |(_, color)| color);
    ui.spacing_mut().interact_size.x = 20.0;
    let button = ui.color_edit_button_srgb(&mut color.0);
    if button.accessible_name(format!("Colour of {}", reference.name)).changed() {
        state.color = Some((index, color));
    }
    let held = ui.input(|input| input.pointer.any_down());
    if let Some((_, color)) = state.color.take_if(|(of, _)| *of == index && !held) {
        let reference = SpectralReference { color, ..reference.clone() };
        wishes.commands.push(Command::EditReferences { edit: ReferenceEdit::Replace { index, reference } });
    }
}

fn name_ui(
    ui: &mut Ui,
    (index, reference): (usize, &SpectralReference),
    threshold: Option<f64>,
    state: &mut ReferencesPanel,
    wishes: &mut Wishes,
) {
    let typed = state.renaming.as_ref().filter(|(of, _)| *of == index).map(|(_, name)| name.clone());
    let mut name = typed.unwrap_or_else(|| reference.name.clone());
    let beside = if reference.sample.is_some() { 186.0 } else { 136.0 };
    let width = (ui.available_width() - beside).max(60.0);
    let text = egui::TextEdit::singleline(&mut name)
        .desired_width(width)
        .frame(egui::Frame::NONE.inner_margin(egui::Margin::symmetric(2, 4)));
    let response = ui.add(text).accessible_name(format!("Name of reference {}", index + 1));
    if response.changed() {
        state.renaming = Some((index, name));
    }
    if response.lost_focus()
        && let Some((_, name)) = state.renaming.take_if(|(of, _)| *of == index)
        && name != reference.name
    {
        let reference = SpectralReference { name, ..reference.clone() };
        wishes.commands.push(Command::EditReferences { edit: ReferenceEdit::Replace { index, reference } });
    }
    response.on_hover_text(threshold.map_or_else(
        || "takes no part".to_owned(),
        |threshold| format!("Threshold {}: pixels nearer than this belong to it", numbers::value(threshold)),
    ));
}

/// The map follows the hand; the step is made when it lets go.
fn weight_ui(ui: &mut Ui, (index, reference): (usize, &SpectralReference), wishes: &mut Wishes) {
    let mut weight = reference.weight;
    let drag = DragValue::new(&mut weight).speed(0.01).range(0.01..=10.0).fixed_decimals(2).prefix("× ");
    let drag = drag.update_while_editing(false);
    let response = ui.add(drag).accessible_name(format!("Weight of {}", reference.name));
    let edit = ReferenceEdit::SetWeight { index, weight };
    if response.drag_stopped() || (response.changed() && !response.dragged()) {
        wishes.commands.push(Command::EditReferences { edit });
    } else if response.changed() {
        wishes.preview = Some(edit);
    }
    response.on_hover_text("Factor on the threshold: above 1 accepts more, below 1 less");
}

fn menu(ui: &mut Ui, (index, reference): (usize, &SpectralReference), classes: &ClassScheme, wishes: &mut Wishes) {
    ui.set_min_width(180.0);
    let entry = |ui: &mut Ui, icon: &str, text: &str| {
        ui.add(egui::Button::new(format!("{icon}  {text}")).frame_when_inactive(false)).clicked()
    };
    if entry(ui, icons::PAINT_BRUSH, "Paint more") {
        wishes.pick = Some((Some(index), false));
    }
    if reference.sample.is_some() && entry(ui, icons::ERASER, "Take pixels away") {
        wishes.pick = Some((Some(index), true));
    }
    if !classes.classes.is_empty() {
        ui.separator();
        let none = (None, "No class");
        let named = classes.classes.iter().map(|class| (Some(class.id), class.name.as_str()));
        for (class, name) in std::iter::once(none).chain(named) {
            if ui.radio(reference.class == class, name).clicked() && reference.class != class {
                let reference = SpectralReference { class, ..reference.clone() };
                wishes.commands.push(Command::EditReferences { edit: ReferenceEdit::Replace { index, reference } });
            }
        }
    }
    ui.separator();
    if entry(ui, icons::TRASH, "Remove") {
        wishes.commands.push(Command::EditReferences { edit: ReferenceEdit::Remove { index } });
    }
}
