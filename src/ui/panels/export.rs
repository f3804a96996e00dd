//! EXPORT: what leaves the program: rasters, polygons, pictures.

use std::path::{Path, PathBuf};

use egui::{ComboBox, DragValue, Ui};
use nunatak_app::Session;
use nunatak_domain::job::Connectivity;
use nunatak_domain::layer::{Layer, LayerId};
use nunatak_domain::map::{MapView, Swipe};
use nunatak_domain::style::Style;

pub(crate) use super::export_options::view_picture;
use super::export_options::{Format, PolygonKnobs, commands, file_stem};
use crate::dialogs::{Ask, Purpose, path_of};
use crate::wishes::Wishes;
use crate::{icons, theme, widgets};

pub(crate) struct ExportPanel {
    pub layer: Option<LayerId>,
    pub format: Format,
    pub path: String,
    /// The person typed or chose the path: it stays when the format changes.
    pub path_chosen: bool,
    pub overwrite: bool,
    /// The layer that was chosen on the map when the panel last turned to it.
    followed: Option<LayerId>,
    knobs: PolygonKnobs,
}

impl Default for ExportPanel {
    fn default() -> Self {
        Self {
            layer: None,
            format: Format::GeoTiff,
            path: String::new(),
            path_chosen: false,
            overwrite: false,
            followed: None,
            knobs: PolygonKnobs { connectivity: Connectivity::Four, min_area: 0.0, simplify: 0.0 },
        }
    }
}

impl ExportPanel {
    /// Turns to the layer chosen on the map whenever that becomes another one.
    pub(crate) fn follow(&mut self, session: &Session, chosen: Option<LayerId>) {
        if chosen != self.followed {
            self.followed = chosen;
            self.turn_to(session, chosen);
        }
    }

    /// Turns to a layer; a class map wins where nobody said which.
    pub(crate) fn turn_to(&mut self, session: &Session, layer: Option<LayerId>) {
        let classes = |layer: &&Layer| matches!(layer.style, Style::Classes { .. });
        let known = |id: &LayerId| session.layer(*id).is_some();
        let best =
            || session.layers().iter().rev().find(classes).or_else(|| session.layers().last()).map(|layer| layer.id);
        let next = layer.filter(known).or_else(|| self.layer.filter(known)).or_else(best);
        if next != self.layer {
            self.layer = next;
            self.path_chosen = false;
        }
    }
}

pub(crate) fn export_ui(
    ui: &mut Ui,
    session: &Session,
    state: &mut ExportPanel,
    map: (&MapView, Option<Swipe>),
    folder: &Path,
    wishes: &mut Wishes,
) {
    state.turn_to(session, None);
    let Some(layer) = state.layer.and_then(|id| session.layer(id)) else {
        widgets::empty(ui, "Layers are written from here once there are some.");
        return;
    };
    choose_layer(ui, session, layer, state);
    let formats = Format::of(layer);
    if !formats.contains(&state.format) {
        state.format = formats[0];
        state.path_chosen = false;
    }
    ui.add_space(theme::UNIT);
    for format in &formats {
        let response = ui.radio(state.format == *format, format.label());
        if response.clicked() {
            state.format = *format;
            state.path_chosen = false;
        }
        response.on_hover_text(format.hint());
    }
    ui.label(egui::RichText::new(state.format.hint()).small().color(theme::of(ui).weak));
    if state.format.polygons() {
        polygon_knobs(ui, session, &mut state.knobs);
    }
    ui.add_space(2.0 * theme::UNIT);
    path_ui(ui, state, layer, folder, wishes);
    write_ui(ui, session, state, layer, map, wishes);
}

fn choose_layer(ui: &mut Ui, session: &Session, layer: &Layer, state: &mut ExportPanel) {
    let width = ui.available_width();
    let before = state.layer;
    let combo = ComboBox::from_id_salt("export layer").selected_text(&layer.name).width(width).truncate();
    let response = combo.show_ui(ui, |ui| {
        for other in session.layers().iter().rev() {
            ui.selectable_value(&mut state.layer, Some(other.id), &other.name);
        }
    });
    drop(response.response.accessible_name("Layer to export"));
    if state.layer != before {
        state.path_chosen = false;
    }
}

fn polygon_knobs(ui: &mut Ui, session: &Session, knobs: &mut PolygonKnobs) {
    ui.add_space(theme::UNIT);
    let metric = session.map_crs().is_some();
    egui::Grid::new("polygon knobs").num_columns(2).spacing([12.0, 4.0]).show(ui, |ui| {
        let weak = theme::of(ui).weak;
        ui.label(egui::RichText::new("Smallest area").color(weak));
        let suffix = if metric { " m²" } else { " px" };
        let drag = DragValue::new(&mut knobs.min_area).range(0.0..=f64::MAX).speed(10.0).max_decimals(1).suffix(suffix);
        ui.add(drag).accessible_name("Smallest area");
        ui.end_row();
        ui.label(egui::RichText::new("Simplify").color(weak));
        let units = if session.map_crs().is_some_and(|crs| crs.geographic) {
            "°"
        } else if metric {
            " m"
        } else {
            " px"
        };
        let drag = DragValue::new(&mut knobs.simplify).range(0.0..=f64::MAX).speed(0.5).max_decimals(6).suffix(units);
        ui.add(drag)
            .accessible_name("Simplify")
            .on_hover_text("Largest distance an outline may move; 0 keeps the pixel edges");
        ui.end_row();
        ui.label(egui::RichText::new("Pixels touch").color(weak));
        let choices = [(Connectivity::Four, "by edges"), (Connectivity::Eight, "also by corners")];
        widgets::segments(ui, &mut knobs.connectivity, &choices);
        ui.end_row();
    });
}

fn path_ui(ui: &mut Ui, state: &mut ExportPanel, layer: &Layer, folder: &Path, wishes: &mut Wishes) {
    if !state.path_chosen {
        let stem = if state.format == Format::PictureOfView { "view".to_owned() } else { file_stem(&layer.name) };
        let proposed = folder.join(format!("{stem}.{}", state.format.ending()));
        state.path = proposed.to_string_lossy().into_owned();
    }
    widgets::line(ui, |ui| {
        let width = ui.available_width() - theme::ICON_BUTTON - ui.spacing().item_spacing.x;
        let edit = egui::TextEdit::singleline(&mut state.path).desired_width(width).hint_text("Path of the new file");
        if ui.add(edit).accessible_name("Export path").changed() {
            state.path_chosen = true;
        }
        if widgets::icon_button(ui, icons::FOLDER_OPEN, "Choose where to save", false).clicked() {
            let save_as = Some(PathBuf::from(&state.path));
            wishes.dialogs.push(Ask { purpose: Purpose::ExportPath, save_as, typed: false });
        }
    });
    ui.checkbox(&mut state.overwrite, "Replace the file if it exists");
}

fn write_ui(
    ui: &mut Ui,
    session: &Session,
    state: &ExportPanel,
    layer: &Layer,
    map: (&MapView, Option<Swipe>),
    wishes: &mut Wishes,
) {
    let out = path_of(&state.path);
    let ready = !state.path.trim().is_empty();
    ui.add_space(theme::UNIT);
    widgets::line(ui, |ui| {
        let all = commands(session, layer, state.format, &out, state.knobs, map, state.overwrite);
        let lines: Vec<String> = all.iter().filter_map(|command| session.command_line(command)).collect();
        if widgets::primary_button(ui, ready, &format!("{}  Export", icons::EXPORT))
            .accessible_name("Write file")
            .clicked()
        {
            wishes.commands.extend(all);
        }
        if !lines.is_empty() && widgets::icon_button(ui, icons::TERMINAL_WINDOW, "Copy as command", false).clicked() {
            wishes.copy(ui, "Command", lines.join("\n"));
        }
    });
}
