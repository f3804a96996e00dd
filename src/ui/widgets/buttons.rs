//! Things to press.

use egui::{Align2, Color32, Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo};

use crate::action::{Action, ActionInfo};
use crate::theme;

/// A square button with one glyph of the icon font; `label` is its tooltip and its accessible name.
pub(crate) fn icon_button(ui: &mut Ui, icon: &str, label: &str, selected: bool) -> Response {
    glyph_button(ui, theme::ICON_BUTTON, icon, label, label, selected)
}

/// The same in rows that are lower than a button.
pub(crate) fn small_icon_button(ui: &mut Ui, icon: &str, label: &str) -> Response {
    glyph_button(ui, theme::SMALL_BUTTON, icon, label, label, false)
}

/// The button of an action, with its key and explanation in the tooltip.
pub(crate) fn action_button(ui: &mut Ui, info: &ActionInfo, selected: bool) -> Response {
    let hint = info.hint(ui.ctx());
    glyph_button(ui, theme::ICON_BUTTON, info.icon, info.text, &hint, selected)
}

/// Undo or redo, with the step's title in the tooltip.
pub(crate) fn step_button(ui: &mut Ui, action: Action, session: &nunatak_app::Session) -> Response {
    let info = action.info();
    let title = action.title(session);
    let keys = info.keys(ui.ctx());
    glyph_button(ui, theme::ICON_BUTTON, info.icon, info.text, &format!("{title}  ({keys})"), false)
}

/// The swatch of a class on the rail, with its digit.
pub(crate) fn class_button(ui: &mut Ui, color: Color32, digit: &str, label: &str, selected: bool) -> Response {
    let palette = theme::of(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(theme::ICON_BUTTON), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, label));
    if response.hovered() {
        ui.painter().rect_filled(rect, theme::RADIUS, palette.hover);
    }
    let square = rect.shrink(if selected { 3.0 } else { 5.0 });
    ui.painter().rect_filled(square, 3.0, color);
    if selected {
        ui.painter().rect_stroke(rect.shrink(0.5), 5.0, Stroke::new(2.0, palette.strong), StrokeKind::Inside);
    }
    let font = theme::strong_font(theme::SMALL);
    ui.painter().text(square.center(), Align2::CENTER_CENTER, digit, font, theme::text_on(color));
    response.on_hover_text(label)
}

fn glyph_button(ui: &mut Ui, side: f32, icon: &str, label: &str, tooltip: &str, selected: bool) -> Response {
    let palette = theme::of(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::click());
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::selected(Role::Button, enabled, selected, label));
    if ui.is_rect_visible(rect) {
        let fill = if selected {
            palette.accent_fill
        } else if response.is_pointer_button_down_on() {
            palette.chosen
        } else if response.hovered() || response.has_focus() {
            palette.hover
        } else {
            Color32::TRANSPARENT
        };
        ui.painter().rect_filled(rect, theme::RADIUS, fill);
        let ink = match (selected, response.hovered()) {
            _ if !enabled => palette.weak.gamma_multiply(0.5),
            (true, _) => palette.on_accent,
            (false, true) => palette.strong,
            (false, false) => palette.text,
        };
        ui.painter().text(rect.center(), Align2::CENTER_CENTER, icon, theme::icon_font(theme::ICON), ink);
        if response.has_focus() {
            ui.painter().rect_stroke(rect, theme::RADIUS, Stroke::new(1.0, palette.accent), StrokeKind::Inside);
        }
    }
    response.on_hover_text(tooltip).on_disabled_hover_text(tooltip)
}

/// The one button of a panel that does what the panel is for.
pub(crate) fn primary_button(ui: &mut Ui, enabled: bool, text: &str) -> Response {
    let palette = theme::of(ui);
    let label = egui::RichText::new(text).font(theme::strong_font(theme::BODY)).color(if enabled {
        palette.on_accent
    } else {
        palette.weak
    });
    let mut button = egui::Button::new(label).min_size(Vec2::new(0.0, theme::ROW));
    if enabled {
        button = button.fill(palette.accent_fill);
    }
    ui.add_enabled(enabled, button)
}

/// One of a few words, side by side; returns whether the choice changed.
pub(crate) fn segments<T: PartialEq + Copy>(ui: &mut Ui, value: &mut T, choices: &[(T, &str)]) -> bool {
    let palette = theme::of(ui);
    let mut changed = false;
    egui::Frame::new().fill(palette.well).corner_radius(theme::RADIUS).inner_margin(2).show(ui, |ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        ui.horizontal(|ui| {
            for (choice, text) in choices {
                let selected = *value == *choice;
                let ink = if selected { palette.strong } else { palette.weak };
                let fill = if selected { palette.chosen } else { Color32::TRANSPARENT };
                let button = egui::Button::new(egui::RichText::new(*text).color(ink)).fill(fill).selected(false);
                let response = ui.add(button);
                let enabled = ui.is_enabled();
                response.widget_info(|| WidgetInfo::selected(Role::Button, enabled, selected, *text));
                if response.clicked() && !selected {
                    *value = *choice;
                    changed = true;
                }
            }
        });
    });
    changed
}

/// A small square of colour.
pub(crate) fn swatch(ui: &mut Ui, color: Color32) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(3.0 * theme::UNIT), Sense::hover());
    ui.painter().rect(rect, 2.0, color, Stroke::new(1.0, theme::of(ui).weak.gamma_multiply(0.5)), StrokeKind::Inside);
    response
}
