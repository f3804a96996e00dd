//! What floats on the map: scale bar, box, pins, the sign that tiles are on their way.

use egui::{Align2, Color32, FontId, Painter, Pos2, Rect, Stroke, StrokeKind, Ui};
use nunatak_app::Session;
use nunatak_domain::geo::GeoPos;
use nunatak_domain::map::{MapView, ScreenPos};

use super::state::MapState;
use crate::theme;
use crate::widgets::numbers;

/// Width of a pixel that a scale 1:N is reckoned with (OGC: 0.28 mm; QGIS and this: 96 per inch).
const POINT_METRES: f64 = 0.0254 / 96.0;

/// Ground length of a physical pixel at the middle of the view; `None` where the map shows pixels.
pub(crate) fn metres_per_px(session: &Session, view: &MapView) -> Option<f64> {
    Some(view.units_per_px * metres_per_unit(session, view)?)
}

/// N of the scale 1:N.
pub(crate) fn scale_denominator(session: &Session, view: &MapView, pixels_per_point: f64) -> Option<f64> {
    Some(metres_per_px(session, view)? * pixels_per_point / POINT_METRES)
}

pub(crate) fn units_per_px_of_scale(
    session: &Session,
    view: &MapView,
    denominator: f64,
    pixels_per_point: f64,
) -> Option<f64> {
    Some(denominator * POINT_METRES / pixels_per_point / metres_per_unit(session, view)?)
}

fn metres_per_unit(session: &Session, view: &MapView) -> Option<f64> {
    metres_per_map_unit(session, view.center)
}

/// Ground length of a unit of the map at a place of it.
pub(crate) fn metres_per_map_unit(session: &Session, at: GeoPos) -> Option<f64> {
    let crs = session.map_crs()?;
    let shrink = if crs.geographic { at.y.clamp(-89.0, 89.0).to_radians().cos() } else { 1.0 };
    Some(crs.metres_per_unit * shrink)
}

/// A place on the map in points.
pub(crate) fn pos_of(rect: Rect, view: &MapView, geo: GeoPos, pixels_per_point: f64) -> Pos2 {
    let ScreenPos { x, y } = view.screen_from_geo(geo);
    egui::pos2(rect.left() + (x / pixels_per_point) as f32, rect.top() + (y / pixels_per_point) as f32)
}

/// A line with a dark edge, readable on any imagery.
pub(crate) fn line_on_map(painter: &Painter, points: [Pos2; 2]) {
    painter.line_segment(points, Stroke::new(4.0, theme::ON_MAP_EDGE));
    painter.line_segment(points, Stroke::new(2.0, theme::ON_MAP));
}

pub(crate) fn text_on_map(painter: &Painter, pos: Pos2, anchor: Align2, text: &str) -> Rect {
    let font = FontId::proportional(theme::SMALL);
    for (dx, dy) in [(-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0)] {
        painter.text(pos + egui::vec2(dx, dy), anchor, text, font.clone(), theme::ON_MAP_EDGE);
    }
    painter.text(pos, anchor, text, font, theme::ON_MAP)
}

pub(super) fn scale_bar(painter: &Painter, rect: Rect, session: &Session, state: &MapState) {
    const LONGEST: f64 = 140.0;
    let view = state.camera.view();
    let (per_point, metres) = match metres_per_px(session, view) {
        Some(metres) => (metres * state.pixels_per_point, true),
        None => (view.units_per_px * state.pixels_per_point, false),
    };
    if !(per_point > 0.0 && per_point.is_finite()) {
        return;
    }
    let length = numbers::round_below(LONGEST * per_point);
    let width = (length / per_point) as f32;
    let left = egui::pos2(rect.left() + theme::FLOAT, rect.bottom() - theme::FLOAT);
    let right = left + egui::vec2(width, 0.0);
    for end in [left, right] {
        line_on_map(painter, [end - egui::vec2(0.0, 6.0), end]);
    }
    line_on_map(painter, [left, right]);
    let text = if metres { numbers::metres(length) } else { format!("{length} px") };
    text_on_map(painter, left + egui::vec2(0.5 * width, -6.0), Align2::CENTER_BOTTOM, &text);
}

/// The box that a drag will zoom to.
pub(super) fn zoom_box(ui: &Ui, painter: &Painter, rect: Rect, state: &MapState) {
    let (Some(from), Some(to)) = (state.box_from, ui.input(|input| input.pointer.latest_pos())) else { return };
    let dragged = Rect::from_two_pos(from, to).intersect(rect);
    painter.rect(
        dragged,
        0.0,
        theme::ON_MAP.gamma_multiply(0.12),
        Stroke::new(3.0, theme::ON_MAP_EDGE),
        StrokeKind::Middle,
    );
    painter.rect_stroke(dragged, 0.0, Stroke::new(1.0, theme::ON_MAP), StrokeKind::Middle);
    if state.box_explains && state.box_by_shift {
        let pos = dragged.left_top() + egui::vec2(4.0, -4.0);
        text_on_map(painter, pos, Align2::LEFT_BOTTOM, "Explain this rectangle");
    }
}

/// Visible layers that are drawn too small to be seen: a ring with the name.
pub(super) fn small_layers(painter: &Painter, rect: Rect, session: &Session, state: &MapState) {
    const TOO_SMALL: f64 = 16.0;
    let view = state.camera.view();
    let units_per_point = view.units_per_px * state.pixels_per_point;
    let mut drawn: Vec<Pos2> = Vec::new();
    for layer in session.layers().iter().rev().filter(|layer| layer.visible) {
        let Some(bounds) = session.layer_bounds(layer.id) else { continue };
        if bounds.width().max(bounds.height()) > TOO_SMALL * units_per_point || !bounds.intersects(&view.bounds()) {
            continue;
        }
        let pos = pos_of(rect, view, bounds.center(), state.pixels_per_point);
        // Results lie where their scene lies.
        if drawn.iter().any(|other| other.distance(pos) < 4.0) {
            continue;
        }
        drawn.push(pos);
        painter.circle_stroke(pos, 7.0, Stroke::new(4.0, theme::ON_MAP_EDGE));
        painter.circle_stroke(pos, 7.0, Stroke::new(2.0, theme::ON_MAP));
        text_on_map(painter, pos + egui::vec2(12.0, 0.0), Align2::LEFT_CENTER, &layer.name);
    }
}

/// Where the view has left all visible layers: a word, and the way back.
pub(super) fn nothing_here(ui: &Ui, rect: Rect, session: &Session, state: &mut MapState) {
    let seen = state.camera.view().bounds();
    let shown = |layer: &nunatak_domain::layer::Layer| {
        layer.visible && session.layer_bounds(layer.id).is_some_and(|bounds| bounds.intersects(&seen))
    };
    if session.layers().iter().any(shown) {
        return;
    }
    let palette = theme::of(ui);
    let hidden = session.layers().iter().all(|layer| !layer.visible);
    let area = egui::Area::new(ui.scope_id().with("nothing here"))
        .order(egui::Order::Middle)
        .fixed_pos(rect.center())
        .pivot(Align2::CENTER_CENTER)
        .constrain_to(rect);
    area.show(ui.ctx(), |ui| {
        egui::Frame::new().fill(palette.float).corner_radius(6.0).inner_margin(12).show(ui, |ui| {
            ui.horizontal(|ui| {
                if hidden {
                    ui.label("All layers are hidden");
                    return;
                }
                ui.label("No data here");
                state.fit_pressed |= ui.button("Fit layer").accessible_name("Back to the layer").clicked();
            });
        });
    });
}

/// A pinned pixel.
pub(super) fn pin(painter: &Painter, pos: Pos2, color: Color32, number: usize) {
    painter.circle(pos, 6.0, color, Stroke::new(3.5, theme::ON_MAP_EDGE));
    painter.circle_stroke(pos, 6.0, Stroke::new(1.5, theme::ON_MAP));
    text_on_map(painter, pos + egui::vec2(9.0, -1.0), Align2::LEFT_CENTER, &number.to_string());
}

/// A small turning sign while tiles are missing, after a moment in which most arrive.
pub(super) fn loading(ui: &Ui, rect: Rect, state: &mut MapState, missing: usize) {
    const PATIENCE_SECS: f64 = 0.25;
    let now = ui.input(|input| input.time);
    if missing == 0 {
        state.missing_since = None;
        return;
    }
    let since = *state.missing_since.get_or_insert(now);
    ui.ctx().request_repaint_after(std::time::Duration::from_millis(60));
    if now - since < PATIENCE_SECS {
        return;
    }
    let center = rect.right_top() + egui::vec2(-theme::FLOAT - 12.0, theme::FLOAT + 12.0);
    ui.painter().circle_filled(center, 13.0, theme::of(ui).float);
    let spinner = egui::Spinner::new().size(16.0).color(theme::of(ui).accent);
    spinner.paint_at(ui, Rect::from_center_size(center, egui::Vec2::splat(16.0)));
}
