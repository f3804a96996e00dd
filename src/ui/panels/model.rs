//! MODEL: what the open network is, and the button that runs it.

use egui::{ComboBox, Ui};
use nunatak_app::{Command, OpenModel, Session};
use nunatak_domain::layer::{LayerRole, LayerSource, SceneId};
use nunatak_domain::model::{ModelRecord, NodataRule, Normalisation};
use nunatak_domain::scene::SceneInfo;

use super::bands::misfit;
use crate::action::{Action, Situation};
use crate::widgets;
use crate::wishes::Wishes;
use crate::{icons, theme};

pub(crate) struct ModelPanel {
    pub open: bool,
    /// Grad-CAM's target class, its value in the class map; `None` is the default.
    pub class: Option<usize>,
    details_open: bool,
}

impl Default for ModelPanel {
    fn default() -> Self {
        Self { open: true, class: None, details_open: false }
    }
}

/// The scene that "Predict" means: the chosen layer's if it is imagery, else the top imagery layer.
pub(crate) fn target_scene(session: &Session, chosen: Option<nunatak_domain::layer::LayerId>) -> Option<SceneId> {
    let imagery = |layer: &&nunatak_domain::layer::Layer| {
        layer.role == LayerRole::Imagery && matches!(layer.source, LayerSource::Scene { .. })
    };
    let chosen = chosen.and_then(|id| session.layer(id));
    if let Some(LayerSource::Labels { scene, .. }) = chosen.map(|layer| layer.source) {
        return Some(scene);
    }
    let chosen = chosen.filter(imagery);
    chosen.or_else(|| session.layers().iter().rev().find(imagery)).map(|layer| layer.source.scene())
}

pub(crate) fn model_ui(
    ui: &mut Ui,
    session: &Session,
    state: &mut ModelPanel,
    (target, bands): (Option<SceneId>, Option<Vec<usize>>),
    now: &Situation,
    wishes: &mut Wishes,
) {
    let mut open = state.open;
    let mut actions = Vec::new();
    let header = |ui: &mut Ui| {
        let info = Action::OpenModel.info();
        if widgets::icon_button(ui, icons::FOLDER_OPEN, info.text, false).clicked() {
            actions.push(Action::OpenModel);
        }
    };
    widgets::section(ui, "Model", &mut open, header, |ui| {
        let Some(model) = session.model() else {
            widgets::empty(ui, "A trained network: weights from PyTorch (.pth) or .safetensors.");
            if ui.button(format!("{}  Open model…", icons::BRAIN)).clicked() {
                wishes.actions.push(Action::OpenModel);
            }
            return;
        };
        summary(ui, session, model, state, wishes);
        run_ui(ui, session, model, state, (target, bands), now, wishes);
    });
    state.open = open;
    wishes.actions.extend(actions);
}

fn summary(ui: &mut Ui, session: &Session, model: &OpenModel, state: &mut ModelPanel, wishes: &mut Wishes) {
    let record = &model.record;
    let name = model.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let title = egui::RichText::new(name).font(theme::strong_font(14.0));
    ui.add(egui::Label::new(title).truncate()).on_hover_text(model.path.to_string_lossy());
    let network = record.network.name();
    ui.label(
        egui::RichText::new(format!(
            "{network} · {} bands · {} classes",
            record.network.n_bands(),
            record.network.n_classes()
        ))
        .color(theme::of(ui).weak),
    );
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(3.0 * theme::UNIT, 0.0);
        for class in &record.classes.classes {
            widgets::chip(ui, theme::color(class.color), &class.name);
        }
    });
    for remark in &model.remarks {
        ui.horizontal_wrapped(|ui| {
            ui.label(egui::RichText::new(icons::INFO).color(theme::of(ui).info));
            ui.label(egui::RichText::new(crate::toasts::sentence(remark)).color(theme::of(ui).weak));
        });
    }
    let mut open = state.details_open;
    widgets::section(
        ui,
        "Record",
        &mut open,
        |_| {},
        |ui| {
            details(ui, record);
            widgets::line(ui, |ui| {
                let info = Action::ExportModel.info();
                if ui.button(format!("{}  {}", icons::FLOPPY_DISK, info.text)).on_hover_text(info.tooltip).clicked() {
                    wishes.actions.push(Action::ExportModel);
                }
                let command = Command::ExportModel { path: "model.safetensors".into(), overwrite: false };
                if let Some(line) = session.command_line(&command)
                    && widgets::icon_button(ui, icons::TERMINAL_WINDOW, "Copy saving as command", false).clicked()
                {
                    wishes.copy(ui, "Command", line);
                }
            });
        },
    );
    state.details_open = open;
}

fn details(ui: &mut Ui, record: &ModelRecord) {
    for (i, band) in record.bands.iter().enumerate() {
        let nm = band.wavelength_nm.map_or_else(String::new, |nm| format!("{nm:.0} nm"));
        widgets::value_row(ui, &format!("{}  {}", i + 1, band.name), &nm);
    }
    let normalisation = match &record.normalisation {
        Normalisation::None => "none: stored values".to_owned(),
        Normalisation::ScaleOffset { scale, offset } => {
            let same = scale.windows(2).all(|w| w[0] == w[1]) && offset.windows(2).all(|w| w[0] == w[1]);
            match (same, scale.first(), offset.first()) {
                (true, Some(scale), Some(offset)) => format!("value × {scale} + {offset}"),
                _ => "value × scale + offset, per band".to_owned(),
            }
        }
    };
    widgets::value_row(ui, "Normalisation", &normalisation);
    let nodata = match record.nodata {
        NodataRule::MaskAny => "no result where a band is missing",
        NodataRule::MaskAll => "no result where all bands are missing",
        NodataRule::Zero => "counts as 0",
    };
    widgets::value_row(ui, "No data", nodata);
    widgets::value_row(ui, "Tile and halo", &format!("{} + {} px", record.tile.size, record.tile.halo));
    if let Some(origin) = record.origin.as_object() {
        for (name, value) in origin {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            widgets::value_row(ui, name, &text);
        }
    }
}

fn run_ui(
    ui: &mut Ui,
    session: &Session,
    model: &OpenModel,
    state: &mut ModelPanel,
    (target, bands): (Option<SceneId>, Option<Vec<usize>>),
    now: &Situation,
    wishes: &mut Wishes,
) {
    let classes = &model.record.classes.classes;
    ui.add_space(theme::UNIT);
    ui.horizontal(|ui| {
        ui.label(egui::RichText::new("Grad-CAM of").color(theme::of(ui).weak));
        let chosen = match state.class {
            Some(value) => classes.iter().find(|class| class.id.0 as usize == value),
            // What Grad-CAM explains where nobody chose.
            None => classes.get(1).or(classes.first()),
        };
        let name = chosen.map_or("", |class| class.name.as_str());
        let width = ui.available_width();
        let combo = ComboBox::from_id_salt("target class").selected_text(name).width(width).truncate();
        combo.show_ui(ui, |ui| {
            for class in classes {
                ui.selectable_value(&mut state.class, Some(class.id.0 as usize), &class.name);
            }
        });
    });
    let scene = target.and_then(|scene| session.scene(scene));
    if let Some(scene) = scene {
        bands_ui(ui, &scene.info, &model.record, bands.as_deref());
    }
    ui.add_space(theme::UNIT);
    widgets::line(ui, |ui| {
        let run = widgets::primary_button(
            ui,
            Action::Predict.enabled(now),
            &format!("{}  Predict and explain", icons::SPARKLE),
        );
        if run.on_disabled_hover_text("Open a raster first").clicked() {
            wishes.actions.push(Action::Predict);
        }
        ui.add_enabled_ui(Action::ChooseBands.enabled(now), |ui| {
            if widgets::action_button(ui, Action::ChooseBands.info(), false).clicked() {
                wishes.actions.push(Action::ChooseBands);
            }
        });
        let command = target.map(|scene| Command::PredictLayer { scene, class: state.class, bands: bands.clone() });
        if let Some(line) = command.and_then(|command| session.command_line(&command))
            && widgets::icon_button(ui, icons::TERMINAL_WINDOW, "Copy as command", false).clicked()
        {
            wishes.copy(ui, "Command", line);
        }
    });
    if let Some(scene) = scene {
        let text = format!("of {} · Shift-drag on the map explains a part", scene.info.name());
        let label = egui::Label::new(egui::RichText::new(text).small().color(theme::of(ui).weak)).truncate();
        ui.add(label).on_hover_text("Shift-drag a box on the map: Grad-CAM of that part only");
    }
}

/// What the model reads, where that is not simply all bands in order.
fn bands_ui(ui: &mut Ui, info: &SceneInfo, record: &ModelRecord, bands: Option<&[usize]>) {
    const SHOWN: usize = 12;
    let palette = theme::of(ui);
    let (icon, color, text) = match (bands, misfit(info, record)) {
        (Some(bands), _) => {
            let mut list: Vec<String> = bands.iter().take(SHOWN).map(|band| (band + 1).to_string()).collect();
            if bands.len() > SHOWN {
                list.push("…".to_owned());
            }
            (icons::STACK, palette.weak, format!("Reads the bands {}.", list.join(", ")))
        }
        (None, Some(reason)) => (icons::WARNING, palette.warning, reason),
        (None, None) => return,
    };
    ui.horizontal_wrapped(|ui| {
        ui.label(egui::RichText::new(icon).color(color));
        ui.label(text);
    });
}
