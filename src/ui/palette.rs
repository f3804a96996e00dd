//! The command palette: every action with its key, found by typing parts of its name.

use egui::{Align2, FontId, Id, Key, Order, Role, Sense, Ui, Vec2, WidgetInfo};

use crate::action::{Action, ActionInfo, Situation, TABLE};
use crate::theme;

const WIDTH: f32 = 560.0;
const ROW: f32 = 32.0;
const MAX_ROWS: usize = 11;

#[derive(Default)]
pub(crate) struct Palette {
    pub open: bool,
    query: String,
    at: usize,
    focused: bool,
}

impl Palette {
    pub(crate) fn toggle(&mut self) {
        *self = Self { open: !self.open, ..Self::default() };
    }

    /// Draws the palette and returns what was chosen.
    pub(crate) fn show(&mut self, ctx: &egui::Context, now: &Situation) -> Option<Action> {
        if !self.open {
            return None;
        }
        let found = search(&self.query, now);
        let keys = |key| ctx.input_mut(|input| input.consume_key(egui::Modifiers::NONE, key));
        if keys(Key::Escape) {
            self.open = false;
            return None;
        }
        let last = found.len().saturating_sub(1);
        if keys(Key::ArrowDown) {
            self.at += 1;
        }
        if keys(Key::ArrowUp) {
            self.at = self.at.saturating_sub(1);
        }
        self.at = self.at.min(last);
        let mut chosen = keys(Key::Enter).then(|| found.get(self.at).map(|info| info.action)).flatten();
        let top = ctx.content_rect().top() + theme::TOP_BAR + 8.0;
        let area = egui::Area::new(Id::unique("palette"))
            .order(Order::Foreground)
            .pivot(Align2::CENTER_TOP)
            .fixed_pos(egui::pos2(ctx.content_rect().center().x, top));
        let response = area.show(ctx, |ui| {
            egui::Frame::popup(ui.style()).inner_margin(8).show(ui, |ui| {
                ui.set_width(WIDTH.min(ctx.content_rect().width() - 32.0));
                if let Some(clicked) = self.contents(ui, &found) {
                    chosen = Some(clicked);
                }
            });
        });
        if chosen.is_some() || (self.focused && response.response.clicked_elsewhere()) {
            self.open = false;
        }
        self.focused = true;
        chosen
    }

    fn contents(&mut self, ui: &mut Ui, found: &[&ActionInfo]) -> Option<Action> {
        let edit = egui::TextEdit::singleline(&mut self.query)
            .hint_text("What do you want to do?")
            .desired_width(f32::INFINITY)
            .font(FontId::proportional(15.0))
            .margin(egui::Margin::symmetric(8, 6));
        let response = ui.add(edit).accessible_name("Find an action");
        if response.changed() {
            self.at = 0;
        }
        response.request_focus();
        ui.add_space(theme::UNIT);
        if found.is_empty() {
            ui.label(egui::RichText::new("No action is called that").color(theme::of(ui).weak));
        }
        let mut chosen = None;
        ui.spacing_mut().item_spacing.y = 0.0;
        egui::ScrollArea::vertical().max_height(ROW * MAX_ROWS as f32).show(ui, |ui| {
            for (i, info) in found.iter().enumerate() {
                let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::click());
                response.widget_info(|| WidgetInfo::selected(Role::MenuItem, true, i == self.at, info.text));
                let palette = theme::of(ui);
                if i == self.at {
                    ui.painter().rect_filled(rect, theme::RADIUS, palette.chosen);
                    response.scroll_to_me(None);
                } else if response.hovered() {
                    ui.painter().rect_filled(rect, theme::RADIUS, palette.hover);
                }
                row(ui, rect, info);
                if response.clicked() {
                    chosen = Some(info.action);
                }
            }
        });
        chosen
    }
}

fn row(ui: &Ui, rect: egui::Rect, info: &ActionInfo) {
    let palette = theme::of(ui);
    let painter = ui.painter_at(rect);
    let left = rect.left_center();
    let body = FontId::proportional(theme::BODY);
    painter.text(
        left + egui::vec2(18.0, 0.0),
        Align2::CENTER_CENTER,
        info.icon,
        theme::icon_font(theme::ICON),
        palette.weak,
    );
    let name = painter.text(left + egui::vec2(36.0, 0.0), Align2::LEFT_CENTER, info.text, body.clone(), palette.text);
    let keys = painter.text(
        rect.right_center() - egui::vec2(10.0, 0.0),
        Align2::RIGHT_CENTER,
        info.keys(ui.ctx()),
        body.clone(),
        palette.weak,
    );
    let hint = egui::Rect::from_min_max(
        egui::pos2(name.right() + 12.0, rect.top()),
        egui::pos2(keys.left() - 12.0, rect.bottom()),
    );
    let small = FontId::proportional(theme::SMALL);
    crate::widgets::text_in(ui, hint, info.tooltip, small, palette.weak);
}

/// Actions that make sense now and match, best first.
fn search(query: &str, now: &Situation) -> Vec<&'static ActionInfo> {
    let possible = TABLE.iter().filter(|info| info.action.enabled(now) && info.action != Action::Palette);
    let mut found: Vec<(i32, &ActionInfo)> = possible
        .filter_map(|info| {
            Some((score(query, info.text).or_else(|| score(query, info.tooltip).map(|s| s - 200))?, info))
        })
        .collect();
    found.sort_by_key(|(score, _)| -score);
    found.into_iter().map(|(_, info)| info).collect()
}

/// How well `query`'s letters are found in order in `text`; `None` if they are not. Beginnings of
/// words and neighbouring letters count more.
fn score(query: &str, text: &str) -> Option<i32> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let mut at = 0;
    let mut total = 0;
    let mut previous = None;
    for wanted in query.to_lowercase().chars().filter(|c| !c.is_whitespace()) {
        let start = |i: usize| i == 0 || !text[i - 1].is_alphanumeric();
        let rest = || (at..text.len()).filter(|&i| text[i] == wanted);
        let next = previous.map(|p: usize| p + 1);
        let found =
            rest().find(|&i| Some(i) == next).or_else(|| rest().find(|&i| start(i))).or_else(|| rest().next())?;
        total += if Some(found) == next {
            12
        } else if start(found) {
            10
        } else {
            1
        } - (found - at).min(6) as i32 / 2;
        previous = Some(found);
        at = found + 1;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_found_by_parts_of_their_names() {
        let now = Situation { layers: true, layer: true, ..Situation::default() };
        let first = |query: &str| search(query, &now).first().map(|info| info.action);

        assert_eq!(first("open ra"), Some(Action::OpenRaster));
        assert_eq!(first("zl"), Some(Action::FitLayer));
        assert_eq!(first("dark"), Some(Action::ThemeDark));
        assert_eq!(first("xyzzy"), None);
    }

    #[test]
    fn what_makes_no_sense_now_is_not_offered() {
        assert!(!search("", &Situation::default()).iter().any(|info| info.action == Action::Predict));
    }
}
