//! JUDGE: how good a class map is against a truth: scores, the confusion matrix, areas.

use std::path::Path;

use egui::{ComboBox, DragValue, Role, Ui, WidgetInfo};
use nunatak_app::{AreaJudgement, Command, HeldOut, JudgeRequest, JudgeTruth, Judgement, Session};
use nunatak_domain::layer::{Layer, LayerId, LayerRole};
use nunatak_domain::metrics::Estimate;

use super::judge_table::{as_text, classes_ui, matrix_ui};
use crate::dialogs::{Ask, Purpose, path_of};
use crate::widgets::{self, numbers};
use crate::wishes::Wishes;
use crate::{icons, theme};

pub(crate) struct JudgePanel {
    truth: Option<LayerId>,
    map: Option<LayerId>,
    /// The truth is a file and no layer.
    pub from_file: bool,
    pub file: String,
    held_out: bool,
    blocks: HeldOut,
    area_adjusted: bool,
    matrix_open: bool,
    classes_open: bool,
    areas_open: bool,
}

impl Default for JudgePanel {
    fn default() -> Self {
        Self {
            truth: None,
            map: None,
            from_file: false,
            file: String::new(),
            held_out: false,
            blocks: HeldOut { block_px: 64, share: 0.3, seed: 1 },
            area_adjusted: false,
            matrix_open: true,
            classes_open: true,
            areas_open: true,
        }
    }
}

impl JudgePanel {
    /// Layers that are still there; the top class map and the top label layer where nobody chose.
    fn turn_to(&mut self, session: &Session) {
        let known = |id: &LayerId| session.can_judge(*id);
        let top = |role, other: Option<LayerId>| {
            let mut layers = session.layers().iter().rev().filter(|layer| known(&layer.id) && Some(layer.id) != other);
            layers.find(|layer| layer.role == role).map(|layer| layer.id)
        };
        let any = |other: Option<LayerId>| {
            let mut layers = session.layers().iter().rev().map(|layer| layer.id);
            layers.find(|id| known(id) && Some(*id) != other)
        };
        let map = || top(LayerRole::ClassMap, None).or_else(|| any(None));
        self.map = self.map.filter(known).or_else(map);
        let truth = || top(LayerRole::Labels, self.map).or_else(|| any(self.map));
        self.truth = self.truth.filter(known).filter(|id| Some(*id) != self.map).or_else(truth);
    }

    fn request(&self) -> Option<JudgeRequest> {
        let truth = if self.from_file {
            let path = path_of(&self.file);
            (!self.file.trim().is_empty()).then_some(JudgeTruth::File { path, field: None })?
        } else {
            JudgeTruth::Layer { layer: self.truth? }
        };
        let held_out = (self.held_out && !self.area_adjusted).then_some(self.blocks);
        Some(JudgeRequest { truth, map: self.map?, held_out, area_adjusted: self.area_adjusted })
    }
}

pub(crate) fn judge_ui(ui: &mut Ui, session: &Session, state: &mut JudgePanel, folder: &Path, wishes: &mut Wishes) {
    state.turn_to(session);
    widgets::header(ui, "Judge", |_| {});
    if state.map.is_none() {
        widgets::empty(ui, "A class map is compared with labels or with a file. Predict, classify or open one first.");
        return;
    }
    sides_ui(ui, session, state, wishes);
    options_ui(ui, state);
    ui.add_space(theme::UNIT);
    let request = state.request();
    let found = session.judgement();
    widgets::line(ui, |ui| {
        if widgets::primary_button(ui, request.is_some(), "Compare").clicked() {
            wishes.commands.extend(request.clone().map(Command::Judge));
        }
        if found.is_some() && session.judgement_stale() {
            let palette = theme::of(ui);
            ui.label(egui::RichText::new(icons::CLOCK_COUNTER_CLOCKWISE).color(palette.warning));
            ui.label(egui::RichText::new("Counting anew…").color(palette.warning));
        }
    });
    if session.judgement_stale() {
        // The session looks whether labels rest when it is polled, and nothing else wakes it then.
        ui.ctx().request_repaint_after(std::time::Duration::from_millis(100));
    }
    match found {
        Some(found) => {
            scores_ui(ui, found);
            save_ui(ui, session, found, folder, wishes);
            tables_ui(ui, session, state, found, wishes);
        }
        None => widgets::empty(ui, "Every pixel that has a label in the truth and a class on the map counts."),
    }
}

fn sides_ui(ui: &mut Ui, session: &Session, state: &mut JudgePanel, wishes: &mut Wishes) {
    let layers: Vec<&Layer> = session.layers().iter().rev().filter(|layer| session.can_judge(layer.id)).collect();
    let name = |id: Option<LayerId>| id.and_then(|id| session.layer(id)).map_or("None", |layer| layer.name.as_str());
    let weak = theme::of(ui).weak;
    ui.label(egui::RichText::new("Truth").color(weak));
    let shown = if state.from_file { "A file" } else { name(state.truth) };
    let width = ui.available_width();
    let combo = ComboBox::from_id_salt("truth").selected_text(shown).width(width).truncate();
    let response = combo.show_ui(ui, |ui| {
        for layer in &layers {
            if Some(layer.id) != state.map
                && ui.selectable_label(!state.from_file && state.truth == Some(layer.id), &layer.name).clicked()
            {
                state.truth = Some(layer.id);
                state.from_file = false;
            }
        }
        if ui.selectable_label(state.from_file, "A file…").clicked() {
            state.from_file = true;
        }
    });
    drop(response.response.accessible_name("Truth"));
    if state.from_file || state.truth.is_none() {
        state.from_file = true;
        file_ui(ui, state, wishes);
    }
    ui.label(egui::RichText::new("Map").color(weak));
    let combo = ComboBox::from_id_salt("judged map").selected_text(name(state.map)).width(width).truncate();
    let response = combo.show_ui(ui, |ui| {
        for layer in &layers {
            ui.selectable_value(&mut state.map, Some(layer.id), &layer.name);
        }
    });
    drop(response.response.accessible_name("Map to judge"));
}

fn file_ui(ui: &mut Ui, state: &mut JudgePanel, wishes: &mut Wishes) {
    widgets::line(ui, |ui| {
        let width = ui.available_width() - theme::ICON_BUTTON - ui.spacing().item_spacing.x;
        let hint = "Points, polygons or a class raster";
        let edit = egui::TextEdit::singleline(&mut state.file).desired_width(width).hint_text(hint);
        ui.add(edit).accessible_name("Path of the truth");
        if widgets::icon_button(ui, icons::FOLDER_OPEN, "Choose the truth", false).clicked() {
            wishes.dialogs.push(Ask { purpose: Purpose::JudgeTruth, save_as: None, typed: false });
        }
    });
}

fn options_ui(ui: &mut Ui, state: &mut JudgePanel) {
    ui.add_enabled_ui(!state.area_adjusted, |ui| {
        ui.checkbox(&mut state.held_out, "Only in held-out areas")
            .on_hover_text("Square blocks that a training with the same numbers has not seen");
    });
    if state.held_out && !state.area_adjusted {
        ui.horizontal_wrapped(|ui| {
            let blocks = &mut state.blocks;
            ui.add(DragValue::new(&mut blocks.block_px).range(1..=65_536).suffix(" px"))
                .accessible_name("Side of a block");
            let mut percent = 100.0 * blocks.share;
            if ui
                .add(DragValue::new(&mut percent).range(1.0..=100.0).max_decimals(0).suffix(" %"))
                .accessible_name("Share held out")
                .changed()
            {
                blocks.share = percent / 100.0;
            }
            ui.add(DragValue::new(&mut blocks.seed).prefix("seed ")).accessible_name("Seed of the blocks");
        });
    }
    ui.checkbox(&mut state.area_adjusted, "Truth is a random sample").on_hover_text(
        "Accuracy and areas by Olofsson et al. (2014): points were drawn at random in each mapped class",
    );
}

fn scores_ui(ui: &mut Ui, found: &Judgement) {
    let palette = theme::of(ui);
    ui.add_space(theme::UNIT);
    let title = egui::RichText::new(format!("{} against {}", found.map, found.truth)).color(palette.text);
    ui.add(egui::Label::new(title).truncate());
    let matrix = &found.matrix;
    let (mean, weighted) = (matrix.macro_average(), matrix.weighted_average());
    ui.columns(2, |columns| {
        score_ui(&mut columns[0], "Overall accuracy", matrix.overall_accuracy());
        score_ui(&mut columns[1], "Mean IoU", mean.iou);
    });
    let kappa = matrix.kappa().map_or_else(|| "–".to_owned(), |kappa| format!("{kappa:.3}"));
    widgets::value_row(ui, "Cohen's kappa", &kappa);
    widgets::value_row(ui, "Frequency-weighted IoU", &percent(weighted.iou));
    widgets::value_row(ui, "Mean F1", &percent(mean.f1));
    widgets::value_row(ui, "Pixels compared", &numbers::grouped(matrix.total() as f64, 0));
    for remark in &found.remarks {
        ui.horizontal_wrapped(|ui| {
            ui.label(egui::RichText::new(icons::INFO).color(palette.info));
            ui.label(egui::RichText::new(crate::toasts::sentence(remark)).color(palette.weak));
        });
    }
}

fn tables_ui(ui: &mut Ui, session: &Session, state: &mut JudgePanel, found: &Judgement, wishes: &mut Wishes) {
    if let Some(areas) = &found.areas {
        let mut open = state.areas_open;
        widgets::section(ui, "Areas", &mut open, |_| {}, |ui| areas_ui(ui, found, areas));
        state.areas_open = open;
    }
    let mut open = state.matrix_open;
    widgets::section(ui, "Confusion matrix", &mut open, |_| {}, |ui| matrix_ui(ui, session, found, wishes));
    state.matrix_open = open;
    let mut open = state.classes_open;
    widgets::section(ui, "Scores of classes", &mut open, |_| {}, |ui| classes_ui(ui, found));
    state.classes_open = open;
}

/// One number that is read from afar.
fn score_ui(ui: &mut Ui, name: &str, value: Option<f64>) {
    let palette = theme::of(ui);
    let value = percent(value);
    let number = egui::RichText::new(&value).font(theme::strong_font(22.0)).color(palette.strong);
    let response = ui.label(number);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{name} {value}")));
    ui.label(egui::RichText::new(name).small().color(palette.weak));
}

fn save_ui(ui: &mut Ui, session: &Session, found: &Judgement, folder: &Path, wishes: &mut Wishes) {
    let ready = !session.judgement_stale();
    widgets::line(ui, |ui| {
        for (text, purpose, ending) in
            [("Save page…", Purpose::JudgePage, "html"), ("Save table…", Purpose::JudgeTable, "csv")]
        {
            if ui.add_enabled(ready, egui::Button::new(text)).clicked() {
                let stem: String =
                    found.map.chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).collect();
                let save_as = Some(folder.join(format!("accuracy_{stem}.{ending}")));
                wishes.dialogs.push(Ask { purpose, save_as, typed: false });
            }
        }
        if widgets::icon_button(ui, icons::COPY, "Copy as text", false).clicked() {
            wishes.copy(ui, "Accuracy", as_text(found));
        }
    });
}

fn areas_ui(ui: &mut Ui, found: &Judgement, areas: &AreaJudgement) {
    let palette = theme::of(ui);
    widgets::value_row(ui, "Overall accuracy", &share(Some(&areas.accuracy.overall)));
    if let Some(missing) = areas.points_missing.filter(|missing| *missing > 0) {
        widgets::value_row(ui, "Points missing for ± 3 %", &numbers::grouped(missing as f64, 0));
    }
    egui::Grid::new("areas").num_columns(3).spacing([12.0, 4.0]).show(ui, |ui| {
        for title in ["Class".to_owned(), format!("Mapped {}", areas.unit), format!("Estimated {}", areas.unit)] {
            ui.label(egui::RichText::new(title).small().color(palette.weak));
        }
        ui.end_row();
        for class in &areas.accuracy.classes {
            let name = found.classes.name(class.class);
            ui.add(egui::Label::new(&name).truncate()).on_hover_text(format!(
                "{name}: user's accuracy {}, producer's accuracy {}, {} points",
                share(class.users.as_ref()),
                share(class.producers.as_ref()),
                class.n_points
            ));
            ui.label(numbers::grouped(class.mapped_area, 1));
            let (area, error) = (class.area.value, class.area.half_width_95());
            ui.label(format!("{} ± {}", numbers::grouped(area, 1), numbers::grouped(error, 1)));
            ui.end_row();
        }
    });
}

pub(super) fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{:.1} %", 100.0 * value))
}

fn share(estimate: Option<&Estimate>) -> String {
    let text = |e: &Estimate| format!("{:.1} ± {:.1} %", 100.0 * e.value, 100.0 * e.half_width_95());
    estimate.map_or_else(|| "–".to_owned(), text)
}
