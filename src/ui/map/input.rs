//! Mouse, touch and held keys on the map.
//!
//! Space or the middle button pans with any tool, Shift-drag zooms to a box (or explains it,
//! while explanations are what one is at), the wheel zooms at
//! the cursor, a double click zooms in, arrows pan.

use egui::{Key, PointerButton, Pos2, Rect, Response, Ui};
use nunatak_domain::geo::GeoBounds;
use nunatak_domain::map::ScreenPos;

use super::state::{MapState, Tool};

/// Points of wheel travel that make the map e times as large.
const WHEEL_POINTS: f64 = 140.0;
/// Share of the view that an arrow key moves.
const ARROW_SHARE: f64 = 0.12;

/// Position inside of the map in physical pixels.
pub(crate) fn screen_pos(rect: Rect, pos: Pos2, pixels_per_point: f64) -> ScreenPos {
    ScreenPos {
        x: f64::from(pos.x - rect.left()) * pixels_per_point,
        y: f64::from(pos.y - rect.top()) * pixels_per_point,
    }
}

/// Moves the camera by what happened on the map this frame.
pub(super) fn navigate(ui: &Ui, rect: Rect, response: &Response, state: &mut MapState) {
    let now = ui.input(|input| input.time);
    let scale = state.pixels_per_point;
    let keys_free = ui.memory(|memory| memory.focused()).is_none();
    let (space, shift) = ui.input(|input| (input.key_down(Key::Space), input.modifiers.shift));
    let space = space && keys_free;

    let boxing = state.box_from.is_some();
    let left_zooms = (shift || state.tool == Tool::BoxZoom) && !space;
    if response.drag_started_by(PointerButton::Primary) && left_zooms {
        state.box_from = ui.input(|input| input.pointer.press_origin());
        state.box_by_shift = shift;
    }
    if ui.input(|input| input.pointer.primary_pressed()) {
        state.space_pans = space;
    }
    let left_pans = !state.tool.paints() || state.space_pans;
    let pans = response.dragged_by(PointerButton::Middle)
        || (response.dragged_by(PointerButton::Primary) && state.box_from.is_none() && left_pans);
    if pans {
        let delta = response.drag_delta();
        state.camera.pan(f64::from(delta.x) * scale, f64::from(delta.y) * scale, now);
    }
    if boxing {
        end_box(ui, rect, response, state, now);
    }
    wheel(ui, rect, response, state, now);
    if response.double_clicked() && !state.tool.paints() {
        let anchor = response.interact_pointer_pos().map(|pos| screen_pos(rect, pos, scale));
        state.camera.glide_zoom(2.0, anchor, now);
    }
    if keys_free {
        arrows(ui, state, now);
    }
    cursor_icon(ui, response, state, space, left_zooms);
}

fn end_box(ui: &Ui, rect: Rect, response: &Response, state: &mut MapState, now: f64) {
    if ui.input(|input| input.key_pressed(Key::Escape)) {
        state.box_from = None;
        return;
    }
    let (Some(from), Some(to)) = (state.box_from, ui.input(|input| input.pointer.latest_pos())) else { return };
    if !response.drag_stopped() && ui.input(|input| input.pointer.primary_down()) {
        return;
    }
    state.box_from = None;
    let dragged = Rect::from_two_pos(from, to).intersect(rect);
    if dragged.width() < 6.0 || dragged.height() < 6.0 {
        return;
    }
    let view = *state.camera.view();
    let corner = |pos: Pos2| view.geo_from_screen(screen_pos(rect, pos, state.pixels_per_point));
    if let Some(bounds) = GeoBounds::around([corner(dragged.min), corner(dragged.max)]) {
        if state.box_explains && state.box_by_shift {
            state.explain_box = Some(bounds);
        } else {
            state.camera.glide_fit(bounds, now);
        }
    }
}

fn wheel(ui: &Ui, rect: Rect, response: &Response, state: &mut MapState, now: f64) {
    let Some(pointer) = response.hover_pos().filter(|_| response.contains_pointer()) else { return };
    let (scroll, pinch, touch) =
        ui.input(|input| (input.smooth_scroll_delta(), f64::from(input.zoom_delta()), input.multi_touch()));
    let anchor = screen_pos(rect, pointer, state.pixels_per_point);
    // Shift turns the wheel sideways; it still means the wheel.
    let travel = if scroll.y == 0.0 { scroll.x } else { scroll.y };
    // The wheel's travel comes over several frames, and Shift may be let go before the last.
    if let Some(shift) = ui.input(turned_with_shift) {
        state.wheel_sizes = shift;
    }
    if state.tool.has_size() && state.wheel_sizes {
        state.size_travel += travel;
        return;
    }
    let factor = pinch * (f64::from(travel) / WHEEL_POINTS).exp();
    if (factor - 1.0).abs() > 1e-6 {
        state.camera.zoom(factor, anchor, now);
    }
    if let Some(touch) = touch {
        let delta = touch.translation_delta;
        state.camera.pan(f64::from(delta.x) * state.pixels_per_point, f64::from(delta.y) * state.pixels_per_point, now);
    }
}

/// Whether Shift was held where the wheel was turned in this frame.
fn turned_with_shift(input: &egui::InputState) -> Option<bool> {
    input.events.iter().rev().find_map(|event| match event {
        egui::Event::MouseWheel { modifiers, .. } => Some(modifiers.shift),
        _ => None,
    })
}

fn arrows(ui: &Ui, state: &mut MapState, now: f64) {
    let view = *state.camera.view();
    let step = ARROW_SHARE * f64::from(view.width_px.min(view.height_px));
    let keys = [
        (Key::ArrowLeft, 1.0, 0.0),
        (Key::ArrowRight, -1.0, 0.0),
        (Key::ArrowUp, 0.0, 1.0),
        (Key::ArrowDown, 0.0, -1.0),
    ];
    for (key, dx, dy) in keys {
        let presses = ui.input(|input| if input.modifiers.any() { 0 } else { input.num_presses(key) });
        if presses > 0 {
            let step = step * presses as f64;
            state.camera.glide_pan(dx * step, dy * step, now);
        }
    }
}

fn cursor_icon(ui: &Ui, response: &Response, state: &MapState, space: bool, left_zooms: bool) {
    if !response.hovered() && !response.dragged() {
        return;
    }
    let icon = if state.box_from.is_some() || left_zooms {
        egui::CursorIcon::Crosshair
    } else if response.dragged() && (!state.tool.paints() || state.space_pans) {
        egui::CursorIcon::Grabbing
    } else if space || state.tool == Tool::Pan {
        egui::CursorIcon::Grab
    } else {
        egui::CursorIcon::Crosshair
    };
    ui.ctx().set_cursor_icon(icon);
}
