//! The map widget: asks the session what to draw and for the tiles that are missing, hands the
//! frame to the renderer, and lets the mouse move the camera.

use egui::{Key, Rect, Role, Sense, Ui, WidgetInfo};
use nunatak_app::Session;
use nunatak_domain::geo::GeoPos;
use nunatak_domain::inspect::Probe;
use nunatak_domain::layer::LayerRole;

use super::overlay;
use super::state::{MapState, Tool};
use super::{input, legend, paint, swipe};
use crate::theme;

/// Tag of the probe that follows the cursor; pins count from 1.
pub(crate) const CURSOR_TAG: u64 = 0;

/// A pinned pixel as the map draws it.
pub(crate) struct PinMark {
    pub geo: GeoPos,
    pub color: egui::Color32,
    pub number: usize,
}

/// Takes what happened on the map since the last frame and moves the camera. The tools get
/// their share of it before the map is drawn, so that paint is under the pointer at once.
pub(crate) fn interact(ui: &mut Ui, rect: Rect, session: &mut Session, state: &mut MapState) -> egui::Response {
    let response = ui.interact(rect, ui.scope_id().with("map"), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Map"));
    state.pixels_per_point = f64::from(ui.pixels_per_point());
    let px = |length: f32| (f64::from(length) * state.pixels_per_point).round().max(1.0) as u32;
    state.camera.resize(px(rect.width()), px(rect.height()));
    let now = ui.input(|input| input.time);
    if state.camera.fresh
        && let Some(bounds) = session.bounds()
    {
        state.camera.fit(bounds, now);
    }
    if let Some(bounds) = state.show_if_hidden.take().and_then(|layer| session.layer_bounds(layer))
        && !bounds.intersects(&state.camera.view().bounds())
    {
        state.camera.glide_fit(bounds, now);
    }
    swipe::check(session, state);
    input::navigate(ui, rect, &response, state);
    if state.camera.advance(now) {
        ui.ctx().request_repaint();
    }
    response
}

/// Draws the map into `rect`. Without `gpu` everything but the pixels is drawn, as in tests.
pub(crate) fn draw(
    ui: &mut Ui,
    rect: Rect,
    response: &egui::Response,
    session: &mut Session,
    state: &mut MapState,
    pins: &[PinMark],
    gpu: bool,
) {
    let hidden = overlays_hidden(ui);
    let mut frame = session.frame(state.camera.view(), state.swipe);
    session.want(&frame.missing);
    let missing = frame.missing.len();
    if hidden {
        let base = |id| session.layer(id).is_some_and(|layer| layer.role == LayerRole::Imagery);
        frame.layers.retain(|layer| base(layer.layer));
    }
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, 0.0, theme::of(ui).map);
    if gpu {
        painter.add(paint::shape(ui.ctx(), rect, frame));
    }
    follow_cursor(ui, rect, response, session, state);

    for mark in pins {
        let pos = overlay::pos_of(rect, state.camera.view(), mark.geo, state.pixels_per_point);
        overlay::pin(&painter, pos, mark.color, mark.number);
    }
    overlay::zoom_box(ui, &painter, rect, state);
    overlay::scale_bar(&painter, rect, session, state);
    legend::legend(ui, rect, session, state, hidden);
    overlay::small_layers(&painter, rect, session, state);
    overlay::nothing_here(ui, rect, session, state);
    swipe::divider(ui, rect, session, state);
    swipe::strip(ui, rect, session, state);
    refusals(ui, &painter, rect);
    overlay::loading(ui, rect, state, missing);
}

/// `H` is held: only imagery is shown.
fn overlays_hidden(ui: &Ui) -> bool {
    ui.input(|input| input.key_down(Key::H) && !input.modifiers.any()) && ui.memory(|memory| memory.focused()).is_none()
}

fn follow_cursor(ui: &Ui, rect: Rect, response: &egui::Response, session: &mut Session, state: &mut MapState) {
    let pointer = response.hover_pos().filter(|_| response.contains_pointer());
    let geo_at = |pos| state.camera.view().geo_from_screen(input::screen_pos(rect, pos, state.pixels_per_point));
    if let Some(pos) = pointer {
        let geo = geo_at(pos);
        state.cursor = Some(geo);
        if state.asked != Some(geo) {
            state.asked = Some(geo);
            session.probe(Probe { tag: CURSOR_TAG, geo });
        }
    }
    state.double_clicked |= response.double_clicked();
    let pins = response.clicked() && state.tool == Tool::Inspect && !ui.input(|input| input.modifiers.shift);
    if let Some(pos) = response.interact_pointer_pos().filter(|_| pins && !response.double_clicked()) {
        state.clicked = Some(geo_at(pos));
    }
}

/// One sentence where a visible layer cannot be drawn as asked.
fn refusals(ui: &Ui, painter: &egui::Painter, rect: Rect) {
    for (i, (_, reason)) in paint::refused(ui.ctx()).0.iter().enumerate() {
        let pos = rect.left_top() + egui::vec2(theme::FLOAT, theme::FLOAT + i as f32 * 18.0);
        overlay::text_on_map(painter, pos, egui::Align2::LEFT_TOP, reason);
    }
}
