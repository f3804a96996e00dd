//! The left rail: tools as icons with name and key in the tooltip, and the classes below them.

use egui::{ScrollArea, Ui};
use nunatak_app::Session;

use crate::action::{Action, Situation};
use crate::map::{MapState, Tool};
use crate::tools::{Hand, PaintTool};
use crate::wishes::Wishes;
use crate::{theme, widgets};

pub(crate) fn tools_ui(
    ui: &mut Ui,
    session: &Session,
    state: &MapState,
    hand: &mut Hand,
    now: &Situation,
    wishes: &mut Wishes,
) {
    let scroll = ScrollArea::vertical().scroll_bar_visibility(egui::scroll_area::ScrollBarVisibility::AlwaysHidden);
    scroll.show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 3.0;
        let tools = [
            (Action::Inspect, Tool::Inspect),
            (Action::PickSpectrum, Tool::Pick),
            (Action::Pan, Tool::Pan),
            (Action::BoxZoom, Tool::BoxZoom),
        ];
        for (action, tool) in tools {
            button(ui, action, state.tool == tool, now, wishes);
        }
        button(ui, Action::Swipe, state.swipe.is_some(), now, wishes);
        ui.separator();
        for tool in PaintTool::ALL {
            button(ui, tool.action(), state.tool == Tool::Paint(tool), now, wishes);
        }
        classes(ui, session, hand);
        ui.separator();
        for action in [Action::FitLayer, Action::Fit, Action::ViewBack, Action::ViewForward] {
            button(ui, action, false, now, wishes);
        }
    });
}

/// The first classes with their digits; the panel has them all.
fn classes(ui: &mut Ui, session: &Session, hand: &mut Hand) {
    const SHOWN: usize = 9;
    let scheme = &session.project().classes;
    if scheme.classes.is_empty() {
        return;
    }
    ui.separator();
    let now = hand.class(scheme);
    for (index, class) in scheme.classes.iter().enumerate() {
        let selected = now == Some(class.id);
        if index >= SHOWN && !selected {
            continue;
        }
        let digit = if index < SHOWN { (index + 1).to_string() } else { String::new() };
        let key = if index < SHOWN { format!("  ({digit})") } else { String::new() };
        let label = format!("Paint {}{key}", class.name);
        if widgets::class_button(ui, theme::color(class.color), &digit, &label, selected).clicked() {
            hand.choose(class.id, scheme);
        }
    }
}

fn button(ui: &mut Ui, action: Action, selected: bool, now: &Situation, wishes: &mut Wishes) {
    let info = action.info();
    ui.add_enabled_ui(action.enabled(now), |ui| {
        if widgets::action_button(ui, info, selected).clicked() {
            wishes.actions.push(action);
        }
    });
}
