//! Rows of a panel: headers, names with values, names with bars.

use egui::{Align, Align2, Color32, Layout, Rect, Response, Role, Sense, Ui, Vec2, WidgetInfo};

use crate::{icons, theme};

/// A section with a header that folds it; `actions` are drawn at the header's right end.
pub(crate) fn section(
    ui: &mut Ui,
    title: &str,
    open: &mut bool,
    actions: impl FnOnce(&mut Ui),
    contents: impl FnOnce(&mut Ui),
) {
    fold_header(ui, title, "", open, actions);
    if *open {
        contents(ui);
        ui.add_space(2.0 * theme::UNIT);
    }
}

/// The header of a part that folds: title, a quiet `note` beside it, `actions` at its right end.
pub(crate) fn fold_header(ui: &mut Ui, title: &str, note: &str, open: &mut bool, actions: impl FnOnce(&mut Ui)) {
    let palette = theme::of(ui);
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), theme::ROW), Sense::hover());
    let mut right = ui.new_child(
        egui::UiBuilder::new().id_salt((title, "actions")).max_rect(rect).layout(Layout::right_to_left(Align::Center)),
    );
    right.spacing_mut().item_spacing.x = 0.0;
    actions(&mut right);
    let left = Rect::from_min_max(rect.min, egui::pos2(right.min_rect().left(), rect.max.y));
    let response = ui.interact(left, ui.scope_id().with((title, "fold")), Sense::click());
    let label = if note.is_empty() { title.to_owned() } else { format!("{title}, {note}") };
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, *open, &label));
    if response.clicked() {
        *open = !*open;
    }
    let ink = if response.hovered() { palette.strong } else { palette.weak };
    let caret = if *open { icons::CARET_DOWN } else { icons::CARET_RIGHT };
    ui.painter().text(
        rect.left_center() + egui::vec2(6.0, 0.0),
        Align2::CENTER_CENTER,
        caret,
        theme::icon_font(11.0),
        ink,
    );
    let heading = title.to_uppercase();
    let name = ui.painter().text(
        rect.left_center() + egui::vec2(18.0, 0.0),
        Align2::LEFT_CENTER,
        heading,
        theme::strong_font(11.0),
        ink,
    );
    let beside = Rect::from_min_max(egui::pos2(name.right() + 8.0, rect.top()), left.max);
    text_in(ui, beside, note, egui::FontId::proportional(theme::SMALL), palette.text);
}

/// The title of a part that does not fold, with `actions` at its right end.
pub(crate) fn header(ui: &mut Ui, title: &str, actions: impl FnOnce(&mut Ui)) {
    let palette = theme::of(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), theme::ROW + 4.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Heading, true, title));
    let font = theme::strong_font(11.0);
    ui.painter().text(rect.left_center(), Align2::LEFT_CENTER, title.to_uppercase(), font, palette.weak);
    let layout = Layout::right_to_left(Align::Center);
    let mut right = ui.new_child(egui::UiBuilder::new().id_salt((title, "actions")).max_rect(rect).layout(layout));
    right.spacing_mut().item_spacing.x = 0.0;
    actions(&mut right);
}

/// Things beside each other, centred on one line that is high enough for buttons.
pub(crate) fn line<R>(ui: &mut Ui, contents: impl FnOnce(&mut Ui) -> R) -> R {
    let size = Vec2::new(ui.available_width(), theme::ICON_BUTTON);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        ui.set_min_height(theme::ICON_BUTTON);
        contents(ui)
    })
    .inner
}

/// A colour with its name, kept together where lines are broken.
pub(crate) fn chip(ui: &mut Ui, color: Color32, name: &str) {
    let palette = theme::of(ui);
    let galley = ui.painter().layout_no_wrap(name.to_owned(), egui::FontId::proportional(theme::BODY), palette.text);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(galley.size().x + 18.0, 20.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, name));
    let square = Rect::from_center_size(rect.left_center() + egui::vec2(6.0, 0.0), Vec2::splat(12.0));
    ui.painter().rect_filled(square, 2.0, color);
    let pos = egui::pos2(rect.left() + 18.0, rect.center().y - 0.5 * galley.size().y);
    ui.painter().galley(pos, galley, palette.text);
}

/// Text on one line in `rect`, left and in the middle of its height, cut off with `…`; returns
/// where it ends.
pub(crate) fn text_in(ui: &Ui, rect: Rect, text: &str, font: egui::FontId, color: Color32) -> f32 {
    let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), font, color);
    job.wrap = egui::text::TextWrapping::truncate_at_width(rect.width().max(0.0));
    let galley = ui.painter().layout_job(job);
    let end = rect.left() + galley.size().x;
    ui.painter().galley(egui::pos2(rect.left(), rect.center().y - 0.5 * galley.size().y), galley, color);
    end
}

/// A name on the left and a value on the right, which a click copies.
pub(crate) fn value_row(ui: &mut Ui, name: &str, value: &str) {
    let palette = theme::of(ui);
    ui.horizontal(|ui| {
        ui.set_min_height(20.0);
        ui.label(egui::RichText::new(name).color(palette.weak));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let label = egui::Label::new(egui::RichText::new(value).color(palette.text)).truncate();
            ui.add(label);
        });
    });
}

/// A name, a bar filled to `share` in [0, 1], and a value.
pub(crate) fn bar_row(ui: &mut Ui, color: Color32, name: &str, share: f32, value: &str) -> Response {
    let palette = theme::of(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 22.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{name} {value}")));
    let painter = ui.painter_at(rect);
    let middle = rect.center().y;
    let name_width = (rect.width() * 0.38).max(72.0);
    let value_width = 52.0;
    let name_rect = Rect::from_min_size(rect.min, Vec2::new(name_width - 4.0, rect.height()));
    text_in(ui, name_rect, name, egui::FontId::proportional(theme::BODY), palette.text);
    let track = Rect::from_min_max(
        egui::pos2(rect.left() + name_width, middle - 3.0),
        egui::pos2(rect.right() - value_width, middle + 3.0),
    );
    painter.rect_filled(track, 3.0, palette.well);
    if share > 0.0 {
        let filled =
            Rect::from_min_size(track.min, Vec2::new((track.width() * share.clamp(0.0, 1.0)).max(3.0), track.height()));
        painter.rect_filled(filled, 3.0, color);
    }
    let font = egui::FontId::proportional(theme::BODY);
    painter.text(rect.right_center(), Align2::RIGHT_CENTER, value, font, palette.text);
    if response.hovered() { response.on_hover_text(format!("{name}: {value}")) } else { response }
}

/// What an empty panel says: what will be here and how to get it.
pub(crate) fn empty(ui: &mut Ui, text: &str) {
    let palette = theme::of(ui);
    ui.add_space(theme::UNIT);
    ui.label(egui::RichText::new(text).color(palette.weak));
    ui.add_space(theme::UNIT);
}
