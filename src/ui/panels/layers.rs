//! LAYERS: what the map shows, top first. A click opens a layer's style in place.

use egui::Ui;
use nunatak_app::{Command, Session};
use nunatak_domain::layer::{Layer, LayerId};

use super::layer_row::{RowDrag, layer_row};
use super::style::style_ui;
use crate::action::Action;
use crate::wishes::Wishes;
use crate::{icons, theme, widgets};

pub(crate) struct LayersPanel {
    pub open: bool,
    /// The layer whose style is open.
    pub expanded: Option<LayerId>,
    pub(super) drag: Option<RowDrag>,
    /// The layer being renamed, and its name so far.
    pub(super) renaming: Option<(LayerId, String)>,
}

impl Default for LayersPanel {
    fn default() -> Self {
        Self { open: true, expanded: None, drag: None, renaming: None }
    }
}

pub(crate) fn layers_ui(
    ui: &mut Ui,
    session: &Session,
    state: &mut LayersPanel,
    chosen: &mut Option<LayerId>,
    view: &nunatak_domain::map::MapView,
    wishes: &mut Wishes,
) {
    let mut open = state.open;
    let mut add = false;
    widgets::section(
        ui,
        "Layers",
        &mut open,
        |ui| add = widgets::icon_button(ui, icons::PLUS, "Add raster", false).clicked(),
        |ui| {
            if session.layers().is_empty() {
                widgets::empty(ui, "Open a raster and it is listed here.");
            }
            list(ui, session, state, chosen, view, wishes);
        },
    );
    state.open = open;
    if add {
        wishes.actions.push(Action::OpenRaster);
    }
}

fn list(
    ui: &mut Ui,
    session: &Session,
    state: &mut LayersPanel,
    chosen: &mut Option<LayerId>,
    view: &nunatak_domain::map::MapView,
    wishes: &mut Wishes,
) {
    ui.spacing_mut().item_spacing.y = 1.0;
    // Top edge of each row, top layer first.
    let mut tops = Vec::with_capacity(session.layers().len() + 1);
    for layer in session.layers().iter().rev() {
        let rect = layer_row(ui, session, layer, state, chosen, wishes);
        tops.push((layer.id, rect.top()));
        if state.expanded == Some(layer.id) {
            egui::Frame::new().inner_margin(egui::Margin { left: 12, right: 4, top: 4, bottom: 10 }).show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = theme::UNIT;
                ui.push_id(("style", layer.id), |ui| style_ui(ui, session, layer, view, wishes));
            });
        }
    }
    reorder(ui, session.layers(), state, &tops, wishes);
}

/// While a row is dragged up or down: a line where it would land; on release the move.
fn reorder(ui: &Ui, layers: &[Layer], state: &mut LayersPanel, tops: &[(LayerId, f32)], wishes: &mut Wishes) {
    let Some(RowDrag::Order { layer }) = state.drag else { return };
    let Some(pointer) = ui.input(|input| input.pointer.latest_pos()) else { return };
    let bottom = ui.min_rect().bottom();
    let row = tops.iter().take_while(|(_, top)| pointer.y > top + 0.5 * theme::LAYER_ROW).count();
    let y = tops.get(row).map_or(bottom, |(_, top)| *top);
    let palette = theme::of(ui);
    ui.painter().hline(ui.max_rect().x_range(), y, egui::Stroke::new(2.0, palette.accent));
    ui.ctx().set_cursor_icon(egui::CursorIcon::Grabbing);
    if !ui.input(|input| input.pointer.any_down()) {
        state.drag = None;
        let n = layers.len();
        let from = layers.iter().position(|other| other.id == layer);
        if let Some(from) = from {
            // `row` rows stay above; the rest, without the dragged one, lie below.
            let above_includes_it = n - 1 - from < row;
            let to = if above_includes_it { n - row } else { n - 1 - row };
            if to != from {
                wishes.commands.push(Command::MoveLayer { layer, to });
            }
        }
    }
}
