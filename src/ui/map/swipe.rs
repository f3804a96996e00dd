//! The swipe divider: a layer is shown right of it only.

use egui::{Align2, Rect, Sense, Ui, Vec2, WidgetInfo};
use nunatak_app::Session;
use nunatak_domain::layer::LayerId;
use nunatak_domain::map::Swipe;

use super::overlay::{line_on_map, text_on_map};
use super::state::MapState;
use crate::{icons, theme};

/// The layer a swipe begins with: the top visible one.
pub(super) fn top_layer(session: &Session) -> Option<LayerId> {
    session.layers().iter().rev().find(|layer| layer.visible).map(|layer| layer.id)
}

/// Ends the swipe when its layer is gone.
pub(super) fn check(session: &Session, state: &mut MapState) {
    if state.swipe.is_some_and(|swipe| session.layer(swipe.layer).is_none()) {
        state.swipe = None;
    }
}

/// Divider with its handle; drawn after the map so that it gets the pointer first.
pub(super) fn divider(ui: &mut Ui, rect: Rect, session: &Session, state: &mut MapState) {
    let Some(swipe) = &mut state.swipe else { return };
    let x = rect.left() + rect.width() * swipe.at;
    let grip = Rect::from_center_size(egui::pos2(x, rect.center().y), Vec2::new(24.0, rect.height()));
    let response = ui
        .interact(grip, ui.scope_id().with("swipe"), Sense::drag())
        .on_hover_and_drag_cursor(egui::CursorIcon::ResizeHorizontal);
    response.widget_info(|| WidgetInfo::slider(true, f64::from(swipe.at), "Swipe divider"));
    if let Some(pointer) = response.interact_pointer_pos().filter(|_| response.dragged()) {
        swipe.at = ((pointer.x - rect.left()) / rect.width()).clamp(0.0, 1.0);
    }
    let x = rect.left() + rect.width() * swipe.at;
    let painter = ui.painter_at(rect);
    line_on_map(&painter, [egui::pos2(x, rect.top()), egui::pos2(x, rect.bottom())]);
    let palette = theme::of(ui);
    let knob = egui::pos2(x, rect.center().y);
    let fill = if response.hovered() || response.dragged() { palette.accent_fill } else { palette.float };
    painter.circle(knob, 15.0, fill, egui::Stroke::new(2.0, theme::ON_MAP));
    for (icon, dx) in [(icons::ARROW_LEFT, -6.5), (icons::ARROW_RIGHT, 6.5)] {
        painter.text(
            knob + egui::vec2(dx, 0.0),
            Align2::CENTER_CENTER,
            icon,
            theme::icon_font(11.0),
            theme::text_on(fill.to_opaque()),
        );
    }
    if let Some(layer) = session.layer(swipe.layer) {
        let y = rect.top() + theme::FLOAT + 52.0;
        text_on_map(&painter, egui::pos2(x + 10.0, y), Align2::LEFT_CENTER, &layer.name);
        text_on_map(&painter, egui::pos2(x - 10.0, y), Align2::RIGHT_CENTER, "without");
    }
}

/// The strip at the top of the map with the swipe's one option.
pub(super) fn strip(ui: &mut Ui, rect: Rect, session: &Session, state: &mut MapState) {
    let Some(swipe) = &mut state.swipe else { return };
    let palette = theme::of(ui);
    let mut close = false;
    let area = egui::Area::new(ui.scope_id().with("swipe strip"))
        .order(egui::Order::Middle)
        .fixed_pos(egui::pos2(rect.center().x, rect.top() + theme::FLOAT))
        .pivot(Align2::CENTER_TOP)
        .constrain_to(rect);
    area.show(ui.ctx(), |ui| {
        egui::Frame::new().fill(palette.float).corner_radius(6.0).inner_margin(4).show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.set_row_height(theme::ICON_BUTTON);
                ui.add_space(theme::UNIT);
                ui.label("Swipe");
                let name = session.layer(swipe.layer).map_or("", |layer| layer.name.as_str());
                egui::ComboBox::from_id_salt("swipe layer").selected_text(name).width(180.0).truncate().show_ui(
                    ui,
                    |ui| {
                        for layer in session.layers().iter().rev() {
                            ui.selectable_value(&mut swipe.layer, layer.id, &layer.name);
                        }
                    },
                );
                close = crate::widgets::icon_button(ui, icons::X, "End swipe (S)", false).clicked();
            });
        });
    });
    if close {
        state.swipe = None;
    }
}

/// Starts or ends a swipe.
pub(crate) fn toggle(session: &Session, state: &mut MapState) {
    state.swipe = match state.swipe {
        Some(_) => None,
        None => state.chosen.or_else(|| top_layer(session)).map(|layer| Swipe { at: 0.5, layer }),
    };
}
