//! The slim bar: menu, what is open, workspaces, search.

use egui::{Align, Layout, Ui};
use nunatak_app::Session;

use crate::action::{Action, Group, Situation, TABLE};
use crate::saved::{Saved, Workspace};
use crate::wishes::Wishes;
use crate::{icons, theme, widgets};

pub(crate) fn top_bar_ui(
    ui: &mut Ui,
    session: &Session,
    title: &str,
    saved: &mut Saved,
    now: &Situation,
    wishes: &mut Wishes,
) {
    ui.horizontal_centered(|ui| {
        let menu = widgets::icon_button(ui, icons::LIST, "Menu", false);
        egui::Popup::menu(&menu).show(|ui| menu_ui(ui, session, now, wishes));
        if now.layers {
            ui.spacing_mut().item_spacing.x = 0.0;
            for action in [Action::Undo, Action::Redo] {
                ui.add_enabled_ui(action.enabled(now), |ui| {
                    if widgets::step_button(ui, action, session).clicked() {
                        wishes.actions.push(action);
                    }
                });
            }
            ui.spacing_mut().item_spacing.x = 2.0 * theme::UNIT;
        }
        ui.add_space(theme::UNIT);
        let room = (0.5 * ui.max_rect().width() - 315.0).max(80.0);
        ui.scope(|ui| {
            ui.set_max_width(room);
            let text = egui::RichText::new(title).font(theme::strong_font(theme::BODY));
            ui.add(egui::Label::new(text).truncate());
        });
        let center = ui.max_rect().center();
        let width = 350.0;
        let rect = egui::Rect::from_center_size(center, egui::vec2(width, ui.max_rect().height()));
        if !session.layers().is_empty() || session.model().is_some() {
            let builder = egui::UiBuilder::new()
                .id_salt("workspaces")
                .max_rect(rect)
                .layout(Layout::left_to_right(Align::Center));
            ui.scope_builder(builder, |ui| {
                let choices = [
                    (Workspace::Look, "Look"),
                    (Workspace::Annotate, "Annotate"),
                    (Workspace::Explain, "Explain"),
                    (Workspace::Judge, "Judge"),
                    (Workspace::Export, "Export"),
                ];
                if widgets::segments(ui, &mut saved.workspace, &choices) {
                    saved.side_panel = true;
                }
            });
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let side = Action::SidePanel.info();
            if (now.layers || now.model) && widgets::action_button(ui, side, saved.side_panel).clicked() {
                wishes.actions.push(Action::SidePanel);
            }
            if widgets::action_button(ui, Action::Settings.info(), false).clicked() {
                wishes.actions.push(Action::Settings);
            }
            let keys = Action::Palette.info().keys(ui.ctx());
            let text =
                egui::RichText::new(format!("{}  Find an action", icons::MAGNIFYING_GLASS)).color(theme::of(ui).weak);
            let button = egui::Button::new(text).shortcut_text(keys).min_size(egui::vec2(210.0, 26.0));
            if ui.add(button).clicked() {
                wishes.actions.push(Action::Palette);
            }
        });
    });
}

fn menu_ui(ui: &mut Ui, session: &Session, now: &Situation, wishes: &mut Wishes) {
    ui.set_min_width(200.0);
    for group in Group::ALL {
        ui.menu_button(group.label(), |ui| {
            ui.set_min_width(260.0);
            for info in TABLE.iter().filter(|info| info.group == group) {
                let text = format!("{}  {}", info.icon, info.action.title(session));
                let button = egui::Button::new(text).shortcut_text(info.keys(ui.ctx()));
                let enabled = info.action.enabled(now);
                let response = ui.add_enabled(enabled, button).on_hover_text(info.tooltip);
                let why = if enabled { "" } else { info.action.reason(now) };
                if response.on_disabled_hover_text(crate::toasts::sentence(why)).clicked() {
                    wishes.actions.push(info.action);
                }
            }
        });
    }
}
