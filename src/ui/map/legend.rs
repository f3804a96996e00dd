//! Legend of the chosen layer, else of the top one that has one in view: its classes, or its
//! colormap with the ends' values.

use egui::{Align2, FontId, Rect, Sense, Stroke, StrokeKind, Ui, Vec2};
use nunatak_app::Session;
use nunatak_domain::layer::{Layer, LayerRole};
use nunatak_domain::style::{Stretch, Style};

use super::state::MapState;
use crate::theme;
use crate::widgets::{numbers, ramp, text_in};

const MAX_CLASSES: usize = 12;
const LINE: f32 = 20.0;
const WIDTH: f32 = 160.0;

/// Draws the legend in the map's bottom right corner.
pub(super) fn legend(ui: &mut Ui, rect: Rect, session: &Session, state: &MapState, overlays_hidden: bool) {
    let legend_of = |layer: &&Layer| {
        layer.visible
            && layer.opacity > 0.0
            && match layer.style {
                Style::Classes { .. } => true,
                Style::Colormap { .. } => layer.role != LayerRole::Imagery,
                Style::Rgb { .. } => false,
            }
    };
    let seen = state.camera.view().bounds();
    let in_view = |layer: &&Layer| session.layer_bounds(layer.id).is_some_and(|bounds| bounds.intersects(&seen));
    let chosen = state.chosen.and_then(|id| session.layer(id)).filter(legend_of);
    let top = || session.layers().iter().rev().filter(in_view).find(legend_of);
    let Some(layer) = chosen.or_else(top) else { return };
    if overlays_hidden {
        return;
    }
    match &layer.style {
        Style::Classes { scheme, .. } => {
            let rows: Vec<(egui::Color32, &str)> =
                scheme.classes.iter().map(|class| (theme::color(class.color), class.name.as_str())).collect();
            classes(ui, rect, &layer.name, &rows);
        }
        Style::Colormap { stretch, colormap, .. } => bar(ui, rect, &layer.name, *stretch, *colormap),
        Style::Rgb { .. } => {}
    }
}

fn float(ui: &Ui, rect: Rect, title: &str, height: f32) -> Rect {
    let palette = theme::of(ui);
    let size = Vec2::new(WIDTH, height + LINE + 14.0);
    let place = Rect::from_min_size(rect.right_bottom() - size - Vec2::splat(theme::FLOAT), size);
    ui.painter().rect(place, 6.0, palette.float, Stroke::NONE, StrokeKind::Inside);
    let title_rect = Rect::from_min_size(place.min + egui::vec2(10.0, 6.0), Vec2::new(WIDTH - 20.0, LINE));
    text_in(ui, title_rect, title, theme::strong_font(theme::SMALL), palette.text);
    Rect::from_min_max(title_rect.left_bottom(), place.max - egui::vec2(10.0, 8.0))
}

fn classes(ui: &mut Ui, rect: Rect, title: &str, rows: &[(egui::Color32, &str)]) {
    let palette = theme::of(ui);
    let room = ((rect.height() * 0.6 / LINE) as usize).clamp(1, MAX_CLASSES);
    let shown = if rows.len() > room { room - 1 } else { rows.len() };
    let lines = shown + usize::from(shown < rows.len());
    let inside = float(ui, rect, title, lines as f32 * LINE);
    let font = FontId::proportional(theme::BODY);
    for (i, (color, name)) in rows.iter().take(shown).enumerate() {
        let line = Rect::from_min_size(inside.min + egui::vec2(0.0, i as f32 * LINE), Vec2::new(inside.width(), LINE));
        let square = Rect::from_center_size(line.left_center() + egui::vec2(6.0, 0.0), Vec2::splat(12.0));
        ui.painter().rect_filled(square, 2.0, *color);
        let beside = Rect::from_min_max(line.min + egui::vec2(20.0, 0.0), line.max);
        text_in(ui, beside, name, font.clone(), palette.text);
    }
    if shown < rows.len() {
        let pos = inside.min + egui::vec2(20.0, (shown as f32 + 0.5) * LINE);
        ui.painter().text(pos, Align2::LEFT_CENTER, format!("{} more", rows.len() - shown), font, palette.weak);
    }
    // A legend is no place to drag the map by accident.
    ui.interact(inside, ui.scope_id().with("legend"), Sense::hover());
}

fn bar(ui: &Ui, rect: Rect, title: &str, stretch: Stretch, colormap: nunatak_domain::colormap::ColormapName) {
    let palette = theme::of(ui);
    let inside = float(ui, rect, title, 28.0);
    let strip = Rect::from_min_size(inside.min + egui::vec2(0.0, 2.0), Vec2::new(inside.width(), 8.0));
    ramp(ui.painter(), strip, colormap);
    let font = FontId::proportional(theme::SMALL);
    let y = strip.bottom() + 9.0;
    let ends = [(strip.left(), Align2::LEFT_CENTER, stretch.min), (strip.right(), Align2::RIGHT_CENTER, stretch.max)];
    for (x, anchor, value) in ends {
        ui.painter().text(egui::pos2(x, y), anchor, numbers::value(value), font.clone(), palette.text);
    }
}
