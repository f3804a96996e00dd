//! The left rail: tools as icons with name and key in the tooltip.

use egui::Ui;

use crate::action::{Action, Situation};
use crate::map::{MapState, Tool};
use crate::widgets;
use crate::wishes::Wishes;

pub(crate) fn tools_ui(ui: &mut Ui, state: &MapState, now: &Situation, wishes: &mut Wishes) {
    ui.spacing_mut().item_spacing.y = 4.0;
    let tools = [(Action::Inspect, Tool::Inspect), (Action::Pan, Tool::Pan), (Action::BoxZoom, Tool::BoxZoom)];
    for (action, tool) in tools {
        button(ui, action, state.tool == tool, now, wishes);
    }
    button(ui, Action::Swipe, state.swipe.is_some(), now, wishes);
    ui.separator();
    for action in [Action::FitLayer, Action::Fit, Action::ViewBack, Action::ViewForward] {
        button(ui, action, false, now, wishes);
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
