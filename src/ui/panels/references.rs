//! REFERENCES: the spectra that pixels are compared with, and the prior they make.

use egui::{DragValue, Ui};
use nunatak_app::{Command, ReferenceEdit, Session};
use nunatak_domain::class::Rgb;
use nunatak_domain::spectra::SpectralReference;

use super::inspector::InspectorPanel;
use crate::action::{Action, Situation};
use crate::widgets::{self, numbers};
use crate::wishes::Wishes;
use crate::{icons, theme};

pub(crate) struct ReferencesPanel {
    pub open: bool,
}

impl Default for ReferencesPanel {
    fn default() -> Self {
        Self { open: true }
    }
}

pub(crate) fn references_ui(
    ui: &mut Ui,
    session: &Session,
    state: &mut ReferencesPanel,
    inspector: &InspectorPanel,
    now: &Situation,
    wishes: &mut Wishes,
) {
    let mut open = state.open;
    let mut actions = Vec::new();
    let save = Command::SaveReferences { path: "references.csv".into(), overwrite: false };
    let line = session.command_line(&save).filter(|_| !session.references().references.is_empty());
    let mut copied = false;
    let header = |ui: &mut Ui| {
        for action in [Action::SaveReferences, Action::OpenReferences] {
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
    widgets::section(ui, "References", &mut open, header, |ui| contents(ui, session, inspector, now, wishes));
    state.open = open;
    if let Some(line) = line.filter(|_| copied) {
        wishes.copy(ui, "Command", line);
    }
    wishes.actions.extend(actions);
}

fn contents(ui: &mut Ui, session: &Session, inspector: &InspectorPanel, now: &Situation, wishes: &mut Wishes) {
    let set = session.references();
    if set.references.is_empty() {
        widgets::empty(ui, "Spectra to compare pixels with. Pin a pixel and add it, or open a CSV.");
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
        ui.push_id(index, |ui| row(ui, index, reference, threshold, wishes));
    }
    if !set.references.is_empty()
        && let Err(reason) = session.prior()
    {
        ui.label(egui::RichText::new(reason).color(theme::of(ui).weak));
    }
    ui.add_space(theme::UNIT);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.y = 1.5 * theme::UNIT;
        let pinned = inspector.pinned_spectrum(session);
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
            let reference = SpectralReference {
                name: format!("Reference {n}"),
                color,
                class: None,
                weight: 1.0,
                enabled: true,
                spectrum,
                sample: None,
            };
            wishes.commands.push(Command::EditReferences { edit: ReferenceEdit::Add { reference } });
        }
        for action in [Action::UseModelReferences, Action::ShowPrior] {
            if action.enabled(now) {
                let info = action.info();
                if ui.button(format!("{}  {}", info.icon, info.text)).on_hover_text(info.hint(ui.ctx())).clicked() {
                    wishes.actions.push(action);
                }
            }
        }
    });
}

fn row(ui: &mut Ui, index: usize, reference: &SpectralReference, threshold: Option<f64>, wishes: &mut Wishes) {
    let edit = |edit: ReferenceEdit| Command::EditReferences { edit };
    widgets::line(ui, |ui| {
        let mut enabled = reference.enabled;
        if ui.checkbox(&mut enabled, "").accessible_name(format!("Use {}", reference.name)).changed() {
            wishes.commands.push(edit(ReferenceEdit::SetEnabled { index, enabled }));
        }
        let mut changed = reference.clone();
        if ui
            .color_edit_button_srgb(&mut changed.color.0)
            .accessible_name(format!("Colour of {}", reference.name))
            .changed()
        {
            wishes.commands.push(edit(ReferenceEdit::Replace { index, reference: changed.clone() }));
        }
        let name_width = (ui.available_width() - 118.0).max(60.0);
        let text = egui::TextEdit::singleline(&mut changed.name)
            .desired_width(name_width)
            .frame(egui::Frame::NONE.inner_margin(egui::Margin::symmetric(2, 4)));
        let response = ui.add(text).accessible_name(format!("Name of reference {}", index + 1));
        let hint = threshold.map_or_else(
            || "takes no part".to_owned(),
            |threshold| format!("Threshold {}: pixels nearer than this belong to it", numbers::value(threshold)),
        );
        if response.changed() {
            wishes.commands.push(edit(ReferenceEdit::Replace { index, reference: changed.clone() }));
        }
        response.on_hover_text(hint);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if widgets::icon_button(ui, icons::TRASH, &format!("Remove {}", reference.name), false).clicked() {
                wishes.commands.push(edit(ReferenceEdit::Remove { index }));
            }
            let mut weight = reference.weight;
            let drag = DragValue::new(&mut weight).speed(0.01).range(0.01..=10.0).fixed_decimals(2).prefix("× ");
            let response = ui.add(drag).accessible_name(format!("Weight of {}", reference.name));
            if response.changed() {
                wishes.commands.push(edit(ReferenceEdit::SetWeight { index, weight }));
            }
            response.on_hover_text("Factor on the threshold: above 1 accepts more, below 1 less");
        });
    });
}
