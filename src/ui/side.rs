//! The right side: what a workspace puts there.

use egui::{Frame, Margin, Panel, ScrollArea, Ui};

use crate::action::{Action, Situation};
use crate::map::Tool;
use crate::saved::Workspace;
use crate::shell::Shell;
use crate::wishes::Wishes;
use crate::{icons, panels, theme, tools, widgets};

pub(crate) fn side_ui(ui: &mut Ui, shell: &mut Shell, now: &Situation, wishes: &mut Wishes) {
    let palette = theme::of(ui);
    let inside = Frame::new().fill(palette.panel).inner_margin(Margin { left: 10, right: 4, top: 4, bottom: 8 });
    if !matches!(shell.saved.workspace, Workspace::Judge | Workspace::Export) && now.layers {
        let height = ui.available_height();
        let default = shell.saved.inspector_height.unwrap_or((0.42 * height).round());
        if shell.saved.inspector_open {
            let panel = Panel::bottom("inspector").default_size(default).min_size(140.0).max_size(height - 140.0);
            let drawn = panel.frame(inside).show(ui, |ui| inspector(ui, shell, wishes));
            shell.saved.inspector_height = Some(drawn.response.rect.height());
        } else {
            let folded =
                Frame::new().fill(palette.panel).inner_margin(Margin { left: 10, right: 4, top: 2, bottom: 2 });
            let panel = Panel::bottom("inspector folded").exact_size(theme::ROW + 4.0).resizable(false);
            panel.frame(folded).show(ui, |ui| inspector(ui, shell, wishes));
        }
    }
    egui::CentralPanel::default().frame(inside).show(ui, |ui| {
        ScrollArea::vertical()
            .id_salt("side scroll")
            .auto_shrink(false)
            .content_margin(Margin { right: 8, ..Margin::ZERO })
            .show(ui, |ui| contents(ui, shell, now, wishes));
    });
}

fn contents(ui: &mut Ui, shell: &mut Shell, now: &Situation, wishes: &mut Wishes) {
    let view = *shell.map.camera.view();
    match shell.saved.workspace {
        Workspace::Look => {
            panels::layers_ui(ui, &shell.session, &mut shell.layers, &mut shell.map.chosen, &view, wishes);
        }
        Workspace::Annotate => {
            let labels = tools::aim(&shell.session, shell.map.chosen).and_then(|aim| aim.labels);
            let Shell { session, classes, hand, filters, history, .. } = shell;
            panels::classes_ui(ui, session, classes, (hand, labels), now, wishes);
            panels::layers_ui(ui, session, &mut shell.layers, &mut shell.map.chosen, &view, wishes);
            panels::filters_ui(ui, session, filters, labels, wishes);
            panels::history_ui(ui, session, history, now, wishes);
            references(ui, shell, now, wishes);
        }
        Workspace::Explain => {
            let target = panels::target_scene(&shell.session, shell.map.chosen);
            let bands = target.and_then(|scene| shell.bands.chosen(&shell.session, scene));
            panels::model_ui(ui, &shell.session, &mut shell.model, (target, bands), now, wishes);
            panels::layers_ui(ui, &shell.session, &mut shell.layers, &mut shell.map.chosen, &view, wishes);
            references(ui, shell, now, wishes);
        }
        Workspace::Judge => {
            let folder = shell.export_folder();
            panels::judge_ui(ui, &shell.session, &mut shell.judge, &folder, wishes);
        }
        Workspace::Export => {
            let folder = shell.export_folder();
            shell.export.follow(&shell.session, shell.meant_layer());
            widgets::header(ui, "Export", |_| {});
            panels::export_ui(ui, &shell.session, &mut shell.export, (&view, shell.map.swipe), &folder, wishes);
        }
    }
}

/// The references and how well they can be told apart.
fn references(ui: &mut Ui, shell: &mut Shell, now: &Situation, wishes: &mut Wishes) {
    let scene = panels::target_scene(&shell.session, shell.map.chosen);
    let picking = shell.map.tool == Tool::Pick;
    let Shell { session, references, inspector, picker, health, map, .. } = shell;
    let beside = panels::Beside { inspector, picker, picking, scene };
    panels::references_ui(ui, session, references, beside, now, wishes);
    if health.due(ui, session, scene, map.camera.view().bounds()) {
        session.examine_references(scene, Some(map.camera.view().bounds()));
    }
    panels::health_ui(ui, session, health);
}

fn inspector(ui: &mut Ui, shell: &mut Shell, wishes: &mut Wishes) {
    let pins = !shell.inspector.pins.is_empty();
    let mut clear = false;
    let heading = shell.inspector.heading();
    let mut open = shell.saved.inspector_open;
    widgets::fold_header(ui, "Inspector", &heading, &mut open, |ui| {
        if pins {
            clear = widgets::icon_button(ui, icons::TRASH, Action::ClearPins.info().text, false).clicked();
        }
    });
    let unfolded = std::mem::replace(&mut shell.saved.inspector_open, open);
    if clear {
        wishes.actions.push(Action::ClearPins);
    }
    if !unfolded {
        return;
    }
    ScrollArea::vertical()
        .id_salt("inspector scroll")
        .auto_shrink(false)
        .content_margin(Margin { right: 8, ..Margin::ZERO })
        .show(ui, |ui| {
            panels::inspector_ui(ui, &shell.session, &mut shell.inspector, wishes);
        });
}
