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
    /// The row that Enter runs; none while what was typed fits nothing well.
    at: Option<usize>,
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
        // Only what can be done now is stepped through: it comes first.
        let n = found.iter().take_while(|hit| hit.enabled).count();
        if keys(Key::ArrowDown) && n > 0 {
            self.at = Some(self.at.map_or(0, |at| (at + 1).min(n - 1)));
        }
        if keys(Key::ArrowUp) && n > 0 {
            self.at = Some(self.at.map_or(n - 1, |at| at.saturating_sub(1)));
        }
        self.at = self.at.filter(|at| *at < n);
        let at = self.at;
        let mut chosen = keys(Key::Enter).then(|| found.get(at?).map(|hit| hit.info.action)).flatten();
        let top = ctx.content_rect().top() + theme::TOP_BAR + 8.0;
        let area = egui::Area::new(Id::unique("palette"))
            .order(Order::Foreground)
            .pivot(Align2::CENTER_TOP)
            .fixed_pos(egui::pos2(ctx.content_rect().center().x, top));
        let response = area.show(ctx, |ui| {
            egui::Frame::popup(ui.style()).inner_margin(8).show(ui, |ui| {
                ui.set_width(WIDTH.min(ctx.content_rect().width() - 32.0));
                if let Some(clicked) = self.contents(ui, &found, now) {
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

    fn contents(&mut self, ui: &mut Ui, found: &[Hit], now: &Situation) -> Option<Action> {
        let edit = egui::TextEdit::singleline(&mut self.query)
            .hint_text("What do you want to do?")
            .desired_width(f32::INFINITY)
            .font(FontId::proportional(15.0))
            .margin(egui::Margin::symmetric(8, 6));
        let response = ui.add(edit).accessible_name("Find an action");
        if response.changed() {
            let best = search(&self.query, now);
            self.at = best.first().filter(|hit| hit.enabled && hit.tight).map(|_| 0);
        }
        response.request_focus();
        ui.add_space(theme::UNIT);
        if found.is_empty() {
            ui.label(egui::RichText::new("No action is called that").color(theme::of(ui).weak));
        }
        let mut chosen = None;
        ui.spacing_mut().item_spacing.y = 0.0;
        let height = ROW * MAX_ROWS as f32;
        egui::ScrollArea::vertical().max_height(height).min_scrolled_height(height).show(ui, |ui| {
            for (i, Hit { info, enabled, .. }) in found.iter().enumerate() {
                let sense = if *enabled { Sense::click() } else { Sense::hover() };
                let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), sense);
                let selected = self.at == Some(i);
                response.widget_info(|| WidgetInfo::selected(Role::MenuItem, *enabled, selected, info.text));
                let palette = theme::of(ui);
                if selected {
                    ui.painter().rect_filled(rect, theme::RADIUS, palette.chosen);
                    response.scroll_to_me(None);
                } else if *enabled && response.hovered() {
                    ui.painter().rect_filled(rect, theme::RADIUS, palette.hover);
                }
                let reason = (!enabled).then(|| info.action.reason(now));
                row(ui, rect, info, reason);
                if *enabled && response.clicked() {
                    chosen = Some(info.action);
                }
            }
        });
        chosen
    }
}

/// One action; `reason` says why it cannot be done now.
fn row(ui: &Ui, rect: egui::Rect, info: &ActionInfo, reason: Option<&str>) {
    let palette = theme::of(ui);
    let ink = if reason.is_some() { palette.weak } else { palette.text };
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
    let name = painter.text(left + egui::vec2(36.0, 0.0), Align2::LEFT_CENTER, info.text, body.clone(), ink);
    let keys = painter.text(
        rect.right_center() - egui::vec2(10.0, 0.0),
        Align2::RIGHT_CENTER,
        if reason.is_some() { String::new() } else { info.keys(ui.ctx()) },
        body.clone(),
        palette.weak,
    );
    let hint = egui::Rect::from_min_max(
        egui::pos2(name.right() + 12.0, rect.top()),
        egui::pos2(keys.left() - 12.0, rect.bottom()),
    );
    let small = FontId::proportional(theme::SMALL);
    match reason {
        Some(reason) => {
            let color = palette.warning.gamma_multiply(0.9);
            let hint = egui::Rect::from_min_max(hint.min, rect.max - egui::vec2(10.0, 0.0));
            crate::widgets::text_in(ui, hint, &crate::toasts::sentence(reason), small, color);
        }
        None => {
            crate::widgets::text_in(ui, hint, info.tooltip, small, palette.weak);
        }
    }
}

/// An action that was found.
struct Hit {
    info: &'static ActionInfo,
    enabled: bool,
    /// What was typed is in its name: safe to run with Enter.
    tight: bool,
}

/// Actions that match, best first; those that cannot be done now come last.
fn search(query: &str, now: &Situation) -> Vec<Hit> {
    let mut found: Vec<(i32, Hit)> = TABLE
        .iter()
        .filter(|info| info.action != Action::Palette)
        .filter_map(|info| {
            let score = score(query, info.text).or_else(|| score(query, info.tooltip).map(|s| s - 200))?;
            let (enabled, tight) = (info.action.enabled(now), tight(query, info.text));
            Some((score, Hit { info, enabled, tight }))
        })
        .collect();
    found.sort_by_key(|(score, hit)| (!hit.enabled, !hit.tight, -score));
    found.into_iter().map(|(_, hit)| hit).collect()
}

/// Each word of `query` begins a word of `text`, in order, or `query` is its initials.
fn tight(query: &str, text: &str) -> bool {
    let lower = |text: &str| text.to_lowercase();
    let (query, text) = (lower(query), lower(text));
    let mut words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let initials: String = words.clone().filter_map(|word| word.chars().next()).collect();
    let mut wanted = query.split_whitespace().peekable();
    if wanted.peek().is_none() {
        return false;
    }
    (query.trim().len() > 1 && initials.starts_with(query.trim()))
        || wanted.all(|part| words.any(|word| word.starts_with(part)))
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
        let first = |query: &str| search(query, &now).first().map(|hit| hit.info.action);

        assert_eq!(first("open ra"), Some(Action::OpenRaster));
        assert_eq!(first("fl"), Some(Action::FitLayer));
        assert_eq!(first("dark"), Some(Action::ThemeDark));
        assert_eq!(first("xyzzy"), None);
    }

    #[test]
    fn what_cannot_be_done_now_comes_last_and_says_why() {
        let now = Situation { scene: true, layers: true, ..Situation::default() };
        let found = search("p", &now);
        let first_off = found.iter().position(|hit| !hit.enabled).expect("some are off");

        assert!(found[first_off..].iter().all(|hit| !hit.enabled));
        assert!(found[first_off..].iter().any(|hit| hit.info.action == Action::Predict));
        assert_eq!(Action::Predict.reason(&now), "open a model first");
        assert_eq!(Action::Predict.reason(&Situation::default()), "open a raster first");
    }

    #[test]
    fn scattered_letters_are_a_loose_match() {
        assert!(tight("open ra", "Open raster…") && tight("raster", "Open raster…") && tight("fl", "Fit layer"));
        assert!(!tight("oe", "Open raster…") && !tight("aster", "Open raster…") && !tight("", "Open raster…"));
    }
}
