//! The start page, on the map's place while nothing is open.

use std::path::{Path, PathBuf};

use egui::{Align, Align2, Layout, Rect, Response, Role, Sense, Ui, Vec2, WidgetInfo};
use nunatak_app::{Command, UnsavedWork};

use crate::action::{Action, Situation};
use crate::projects::ago;
use crate::thumbnails::Thumbnails;
use crate::wishes::Wishes;
use crate::{icons, theme, widgets};

const WIDTH: f32 = 460.0;
const TILE: f32 = 52.0;
/// Height of a recent file, with its thumbnail.
const RECENT: f32 = 44.0;
/// Rows of unsaved work at once; the next ones follow when these are gone.
const MAX_UNSAVED: usize = 3;

/// What the page lists, and where it says what was clicked.
pub(crate) struct StartPage<'a> {
    pub recent: &'a [PathBuf],
    pub thumbnails: &'a mut Thumbnails,
    /// Work of an earlier start that nobody named.
    pub unsaved: &'a mut Vec<UnsavedWork>,
    pub open: &'a mut Vec<PathBuf>,
}

/// Draws the page.
pub(crate) fn start_ui(ui: &mut Ui, rect: Rect, page: &mut StartPage<'_>, now: &Situation, wishes: &mut Wishes) {
    let palette = theme::of(ui);
    ui.painter().rect_filled(rect, 0.0, palette.well);
    let recent_rows = page.recent.len().min(6);
    let recent_height = if recent_rows > 0 { 44.0 + recent_rows as f32 * (RECENT + 4.0) } else { 0.0 };
    let height = 330.0 + TILE + recent_height + page.unsaved.len().min(MAX_UNSAVED) as f32 * (TILE + theme::UNIT);
    let top = (rect.center().y - 0.5 * height - 16.0).max(rect.top() + 16.0);
    let width = WIDTH.min(rect.width() - 32.0);
    let column =
        Rect::from_min_size(egui::pos2(rect.center().x - 0.5 * width, top), Vec2::new(width, rect.bottom() - top));
    let builder = egui::UiBuilder::new().id_salt("start page").max_rect(column).layout(Layout::top_down(Align::Min));
    ui.scope_builder(builder, |ui| {
        ui.horizontal(|ui| {
            ui.label(egui::RichText::new(icons::MOUNTAINS).font(theme::icon_font(40.0)).color(palette.accent));
            ui.vertical(|ui| {
                ui.add_space(2.0);
                ui.label(egui::RichText::new("Nunatak").font(theme::strong_font(24.0)).color(palette.strong));
                ui.label(egui::RichText::new("Satellite rasters into maps, with reasons").color(palette.weak));
            });
        });
        ui.add_space(20.0);
        unsaved_ui(ui, page.unsaved, page.open, wishes);
        for action in [Action::OpenProject, Action::OpenRaster, Action::OpenModel, Action::TrySample] {
            if action.enabled(now) && tile(ui, action).clicked() {
                wishes.actions.push(action);
            }
            ui.add_space(theme::UNIT);
        }
        ui.add_space(theme::UNIT);
        if recent_rows > 0 {
            ui.label(egui::RichText::new("RECENT").font(theme::strong_font(11.0)).color(palette.weak));
            ui.add_space(2.0);
            for path in page.recent.iter().take(recent_rows) {
                let picture =
                    page.thumbnails.texture(ui.ctx(), path).map(|texture| (texture.id(), texture.size_vec2()));
                if recent_row(ui, path, picture).clicked() {
                    page.open.push(path.clone());
                }
            }
            ui.add_space(2.0 * theme::UNIT);
        }
        ui.label(egui::RichText::new("Or drop a file anywhere. Ctrl+P finds every action.").color(palette.weak));
    });
}

/// Work that a program which ended otherwise has left: it is offered before anything else.
fn unsaved_ui(ui: &mut Ui, unsaved: &mut Vec<UnsavedWork>, open: &mut Vec<PathBuf>, wishes: &mut Wishes) {
    let palette = theme::of(ui);
    let mut gone = None;
    for (i, work) in unsaved.iter().take(MAX_UNSAVED).enumerate() {
        let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), TILE), Sense::hover());
        ui.painter().rect_filled(rect, 6.0, palette.panel);
        ui.painter().rect_stroke(rect, 6.0, egui::Stroke::new(1.0, palette.accent), egui::StrokeKind::Inside);
        let inside = rect.shrink2(egui::vec2(14.0, 8.0));
        let builder = egui::UiBuilder::new().id_salt(("unsaved", i)).max_rect(inside);
        // A child of its own: a scope would move the cursor up to the inner rectangle's end.
        let mut row = ui.new_child(builder.layout(Layout::right_to_left(Align::Center)));
        {
            let ui = &mut row;
            if ui.button("Discard").clicked() {
                wishes.commands.push(Command::DiscardUnsaved { path: work.path.clone() });
                gone = Some(i);
            }
            if widgets::primary_button(ui, true, "Open").clicked() {
                open.push(work.path.clone());
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let text = format!("Unsaved work, {}", ago(work.changed));
                ui.label(egui::RichText::new(text).font(theme::strong_font(14.0)).color(palette.strong));
            });
        }
        ui.add_space(theme::UNIT);
    }
    if let Some(gone) = gone {
        unsaved.remove(gone);
    }
}

fn tile(ui: &mut Ui, action: Action) -> Response {
    let palette = theme::of(ui);
    let info = action.info();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), TILE), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, info.text));
    let fill = if response.hovered() || response.has_focus() { palette.hover } else { palette.panel };
    ui.painter().rect_filled(rect, 6.0, fill);
    ui.painter().text(
        rect.left_center() + egui::vec2(28.0, 0.0),
        Align2::CENTER_CENTER,
        info.icon,
        theme::icon_font(22.0),
        palette.accent,
    );
    let left = rect.left_center() + egui::vec2(56.0, 0.0);
    ui.painter().text(
        left - egui::vec2(0.0, 9.0),
        Align2::LEFT_CENTER,
        info.text,
        theme::strong_font(14.0),
        palette.strong,
    );
    let small = egui::FontId::proportional(12.0);
    ui.painter().text(left + egui::vec2(0.0, 10.0), Align2::LEFT_CENTER, info.tooltip, small.clone(), palette.weak);
    let keys = info.keys(ui.ctx());
    ui.painter().text(rect.right_center() - egui::vec2(14.0, 9.0), Align2::RIGHT_CENTER, keys, small, palette.weak);
    response
}

fn recent_row(ui: &mut Ui, path: &Path, picture: Option<(egui::TextureId, Vec2)>) -> Response {
    let palette = theme::of(ui);
    let name = path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy()).into_owned();
    let folder = path.parent().map_or_else(String::new, |folder| folder.to_string_lossy().into_owned());
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), RECENT), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Open {name}")));
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, theme::RADIUS, palette.hover);
    }
    let model = matches!(path.extension().and_then(|e| e.to_str()), Some("pth" | "pt" | "safetensors"));
    let project = path.extension().is_some_and(|ending| ending == "nunatak");
    let icon = if model {
        icons::BRAIN
    } else if project {
        icons::MOUNTAINS
    } else {
        icons::IMAGE
    };
    let place = Rect::from_center_size(rect.left_center() + egui::vec2(28.0, 0.0), Vec2::new(52.0, RECENT - 6.0));
    match picture {
        Some((texture, size)) => {
            let shown = Rect::from_center_size(place.center(), size * (place.size() / size).min_elem());
            let whole = Rect::from_min_max(egui::Pos2::ZERO, egui::pos2(1.0, 1.0));
            ui.painter().image(texture, shown, whole, egui::Color32::WHITE);
        }
        None => {
            let font = theme::icon_font(18.0);
            ui.painter().text(place.center(), Align2::CENTER_CENTER, icon, font, palette.weak);
        }
    }
    let inside = Rect::from_min_max(rect.min + egui::vec2(64.0, 4.0), rect.max - egui::vec2(10.0, 4.0));
    let middle = inside.center().y;
    let upper = Rect::from_min_max(inside.min, egui::pos2(inside.right(), middle));
    let lower = Rect::from_min_max(egui::pos2(inside.left(), middle), inside.max);
    widgets::text_in(ui, upper, &name, egui::FontId::proportional(theme::BODY), palette.text);
    widgets::text_in(ui, lower, &folder, egui::FontId::proportional(theme::SMALL), palette.weak);
    response.on_hover_text(path.to_string_lossy())
}
