//! HISTORY: the steps of the project. A click goes back or forth to one.

use egui::{FontId, Role, ScrollArea, Sense, Ui, Vec2, WidgetInfo};
use nunatak_app::{Command, Session};

use crate::action::{Action, Situation};
use crate::wishes::Wishes;
use crate::{theme, widgets};

const ROW: f32 = 24.0;
const HEIGHT: f32 = 220.0;

pub(crate) struct HistoryPanel {
    pub open: bool,
    /// Position that was brought into view.
    shown: Option<usize>,
}

impl Default for HistoryPanel {
    fn default() -> Self {
        Self { open: true, shown: None }
    }
}

pub(crate) fn history_ui(
    ui: &mut Ui,
    session: &Session,
    state: &mut HistoryPanel,
    now: &Situation,
    wishes: &mut Wishes,
) {
    let mut open = state.open;
    let header = |ui: &mut Ui| {
        for action in [Action::Redo, Action::Undo] {
            ui.add_enabled_ui(action.enabled(now), |ui| {
                if widgets::step_button(ui, action, session).clicked() {
                    wishes.actions.push(action);
                }
            });
        }
    };
    let mut goal = None;
    widgets::section(ui, "History", &mut open, header, |ui| goal = steps(ui, session, state));
    state.open = open;
    if let Some(position) = goal {
        wishes.commands.push(Command::GoToStep { position });
    }
}

/// Draws the list, and gives the position that was clicked.
fn steps(ui: &mut Ui, session: &Session, state: &mut HistoryPanel) -> Option<usize> {
    let history = session.history();
    let (n, position) = (history.steps().len(), history.position());
    if n == 0 {
        widgets::empty(ui, "What you change is listed here, and a click goes back to it.");
        return None;
    }
    let mut goal = None;
    ui.spacing_mut().item_spacing.y = 0.0;
    let mut area = ScrollArea::vertical().id_salt("history").max_height(HEIGHT).auto_shrink([false, true]);
    if state.shown != Some(position) {
        state.shown = Some(position);
        area = area.vertical_scroll_offset((position as f32 * ROW - 0.6 * HEIGHT).max(0.0));
    }
    area.show_rows(ui, ROW, n + 1, |ui, rows| {
        for at in rows {
            let title = at.checked_sub(1).map_or("Opened", |step| history.steps()[step].title.as_str());
            if row(ui, title, at, position) {
                goal = Some(at);
            }
        }
    });
    goal
}

fn row(ui: &mut Ui, title: &str, at: usize, position: usize) -> bool {
    let palette = theme::of(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::click());
    let current = at == position;
    response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, current, format!("Step {at}, {title}")));
    if current {
        ui.painter().rect_filled(rect, theme::RADIUS, palette.chosen);
    } else if response.hovered() {
        ui.painter().rect_filled(rect, theme::RADIUS, palette.hover);
    }
    let ink = match at.cmp(&position) {
        std::cmp::Ordering::Less => palette.text,
        std::cmp::Ordering::Equal => palette.strong,
        std::cmp::Ordering::Greater => palette.weak.gamma_multiply(0.7),
    };
    if current {
        let dot = rect.left_center() + egui::vec2(7.0, 0.0);
        ui.painter().circle_filled(dot, 3.0, palette.accent);
    }
    let name = egui::Rect::from_min_max(rect.min + egui::vec2(18.0, 0.0), rect.max - egui::vec2(4.0, 0.0));
    widgets::text_in(ui, name, title, FontId::proportional(theme::BODY), ink);
    response.clicked() && !current
}
