//! The strip at the top of the map: the few options of the tool in use, and how it is used.

use egui::{Align2, DragValue, Rect, Ui};
use nunatak_app::Session;
use nunatak_domain::label::{Brush, BrushShape, Connectivity};

use super::options::{Metric, Onto};
use super::preview::metres_per_px;
use super::{Hand, PaintTool, ToolOptions, aim};
use crate::map::{MapState, Tool};
use crate::theme;
use crate::widgets::{self, numbers};

pub(crate) fn strip(ui: &Ui, rect: Rect, session: &Session, map: &MapState, hand: &Hand, options: &mut ToolOptions) {
    let Tool::Paint(tool) = map.tool else { return };
    let palette = theme::of(ui);
    // The swipe has its own strip in this place.
    let top = rect.top() + theme::FLOAT + if map.swipe.is_some() { 44.0 } else { 0.0 };
    let area = egui::Area::new(ui.scope_id().with(("tool strip", tool, hand.busy(), hand.welcome.is_some())))
        .order(egui::Order::Middle)
        .fixed_pos(egui::pos2(rect.center().x, top))
        .pivot(Align2::CENTER_TOP)
        .constrain_to(rect);
    area.show(ui.ctx(), |ui| {
        egui::Frame::new().fill(palette.float).corner_radius(6.0).inner_margin(6).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            ui.horizontal(|ui| {
                ui.set_row_height(theme::ICON_BUTTON);
                what(ui, session, map, hand, tool);
                match tool {
                    PaintTool::Brush | PaintTool::Eraser => {
                        size(ui, session, map, options, "Size");
                        widgets::segments(
                            ui,
                            &mut options.shape,
                            &[(BrushShape::Round, "Round"), (BrushShape::Square, "Square")],
                        );
                    }
                    PaintTool::Line => size(ui, session, map, options, "Width"),
                    PaintTool::Fill => connectivity(ui, options),
                    PaintTool::Wand => wand(ui, options),
                    PaintTool::Superpixel => {
                        ui.label("Size");
                        let drag = DragValue::new(&mut options.superpixel_px).range(4..=200).suffix(" px");
                        ui.add(drag).accessible_name("Size of superpixels");
                    }
                    PaintTool::Polygon | PaintTool::Rectangle | PaintTool::Lasso => {}
                }
                onto(ui, session, options);
            });
            let hint = hand.welcome.as_deref().unwrap_or_else(|| how(tool, hand.busy()));
            let ink = if hand.welcome.is_some() { palette.accent } else { palette.weak };
            let text = egui::RichText::new(hint).small().color(ink);
            ui.vertical_centered(|ui| ui.label(text));
        });
    });
}

/// What is painted: the class with its colour, or nothing.
fn what(ui: &mut Ui, session: &Session, map: &MapState, hand: &Hand, tool: PaintTool) {
    let scheme = &session.project().classes;
    let class = hand.class(scheme).and_then(|id| scheme.get(id)).filter(|_| tool != PaintTool::Eraser);
    match class {
        Some(class) => widgets::chip(ui, theme::color(class.color), &class.name),
        None => drop(ui.label("Erase")),
    }
    let project = session.project();
    let labels = aim(session, map.chosen).and_then(|aim| project.labels(aim.labels?));
    if let Some(labels) = labels.filter(|_| project.labels.len() > 1) {
        ui.label(egui::RichText::new(format!("in {}", labels.name)).color(theme::of(ui).weak));
    }
    ui.separator();
}

fn size(ui: &mut Ui, session: &Session, map: &MapState, options: &mut ToolOptions, label: &str) {
    ui.label(label);
    let speed = (f64::from(options.size_px) / 50.0).max(0.1);
    let drag = DragValue::new(&mut options.size_px).range(1..=Brush::MAX_PX).speed(speed).suffix(" px");
    ui.add(drag).accessible_name("Brush size");
    let metres = aim(session, map.chosen).and_then(|aim| metres_per_px(session, aim.scene));
    if let Some(metres) = metres {
        let text = numbers::metres_rounded(f64::from(options.size_px) * metres);
        ui.label(egui::RichText::new(text).color(theme::of(ui).weak));
    }
}

fn connectivity(ui: &mut Ui, options: &mut ToolOptions) {
    let choices = [(Connectivity::Four, "4 neighbours"), (Connectivity::Eight, "8 neighbours")];
    widgets::segments(ui, &mut options.connectivity, &choices);
}

fn wand(ui: &mut Ui, options: &mut ToolOptions) {
    widgets::segments(ui, &mut options.metric, &[(Metric::Angle, "Angle"), (Metric::Distance, "Distance")]);
    let drag = match options.metric {
        Metric::Angle => DragValue::new(&mut options.angle_deg).range(0.0..=90.0).speed(0.05).suffix("°"),
        Metric::Distance => DragValue::new(&mut options.distance_percent).range(0.0..=100.0).speed(0.1).suffix(" %"),
    };
    ui.add(drag.max_decimals(2)).accessible_name("Tolerance").on_hover_text(match options.metric {
        Metric::Angle => "How far spectra may point apart; brightness does not count",
        Metric::Distance => "How far spectra may be apart, as a share of the scene's stretch",
    });
    widgets::segments(ui, &mut options.everywhere, &[(false, "Connected"), (true, "Everywhere")]);
}

/// What may be painted over.
fn onto(ui: &mut Ui, session: &Session, options: &mut ToolOptions) {
    let scheme = &session.project().classes;
    let text = match options.onto {
        Onto::Class(id) if scheme.get(id).is_some() => format!("Replace {}", scheme.name(id)),
        Onto::Unlabelled => "Only unlabelled".to_owned(),
        Onto::Anything | Onto::Class(_) => "Over anything".to_owned(),
    };
    let combo = egui::ComboBox::from_id_salt("onto").selected_text(text).width(128.0).truncate();
    let shown = combo.show_ui(ui, |ui| {
        ui.selectable_value(&mut options.onto, Onto::Anything, "Over anything");
        ui.selectable_value(&mut options.onto, Onto::Unlabelled, "Only unlabelled");
        for class in &scheme.classes {
            ui.selectable_value(&mut options.onto, Onto::Class(class.id), format!("Replace {}", class.name));
        }
    });
    drop(shown.response.accessible_name("What may be painted over"));
}

/// How a tool is used, in one line.
const fn how(tool: PaintTool, busy: bool) -> &'static str {
    match (tool, busy) {
        (PaintTool::Brush, false) => "Drag to paint · hold Ctrl to erase · [ ] or Shift+wheel: size",
        (PaintTool::Eraser, false) => "Drag to erase · [ ] or Shift+wheel: size",
        (PaintTool::Brush | PaintTool::Eraser, true) => "Esc or right click takes the stroke back",
        (PaintTool::Polygon, true) => "Double click, Enter or the first corner: done · Backspace: one back · Esc: none",
        (PaintTool::Line, true) => "Double click or Enter: done · Backspace: one back · Esc: none",
        (PaintTool::Polygon, false) => "Click the corners · hold Ctrl to erase",
        (PaintTool::Line, false) => "Drag, or click the corners · hold Ctrl to erase",
        (PaintTool::Rectangle, _) => "Drag from corner to corner · hold Ctrl to erase",
        (PaintTool::Lasso, _) => "Drag around an area · hold Ctrl to erase",
        (PaintTool::Fill, _) => "Click a region of one label, or without one",
        (PaintTool::Wand, _) => "Click a pixel: those like it are painted",
        (PaintTool::Superpixel, _) => "Click: the piece of the scene around it is painted",
    }
}
