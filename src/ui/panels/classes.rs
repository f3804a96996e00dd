//! CLASSES: what is painted. A click chooses, a double click renames, a drag orders.

use egui::{Align2, FontId, Rect, Role, Sense, Ui, Vec2, WidgetInfo};
use nunatak_app::{CLASS_PRESETS, ClassEdit, Command, Session, class_preset};
use nunatak_domain::class::{Class, ClassId, ClassScheme, Rgb};
use nunatak_domain::label::LabelsId;

use super::class_counts::ClassCounts;
use crate::action::{Action, Situation};
use crate::tools::Hand;
use crate::widgets::{self, numbers};
use crate::wishes::Wishes;
use crate::{icons, theme};

pub(crate) struct ClassesPanel {
    pub open: bool,
    pub counts: ClassCounts,
    /// The class being renamed, and its name so far.
    renaming: Option<(ClassId, String)>,
    /// The class whose id and group are open, and both so far.
    details: Option<(ClassId, u32, String)>,
    /// A colour that is being chosen; it becomes a step when the button is let go.
    color: Option<(ClassId, [u8; 3])>,
    drag: Option<ClassId>,
}

impl Default for ClassesPanel {
    fn default() -> Self {
        Self { open: true, counts: ClassCounts::default(), renaming: None, details: None, color: None, drag: None }
    }
}

pub(crate) fn classes_ui(
    ui: &mut Ui,
    session: &Session,
    state: &mut ClassesPanel,
    (hand, labels): (&mut Hand, Option<LabelsId>),
    now: &Situation,
    wishes: &mut Wishes,
) {
    let scheme = &session.project().classes;
    let mut open = state.open;
    let (mut actions, mut commands) = (Vec::new(), Vec::new());
    let header = |ui: &mut Ui| {
        if widgets::action_button(ui, Action::NewClass.info(), false).clicked() {
            actions.push(Action::NewClass);
        }
        for action in [Action::ExportClasses, Action::ImportClasses] {
            ui.add_enabled_ui(action.enabled(now), |ui| {
                if widgets::action_button(ui, action.info(), false).clicked() {
                    actions.push(action);
                }
            });
        }
        let button = widgets::icon_button(ui, icons::LIST_NUMBERS, "Ready-made classes", false);
        egui::Popup::menu(&button).show(|ui| {
            ui.set_min_width(200.0);
            for (key, title) in CLASS_PRESETS {
                if ui.button(title).clicked()
                    && let Some(scheme) = class_preset(key)
                {
                    commands.push(Command::EditClasses { edit: ClassEdit::Replace { scheme } });
                }
            }
        });
    };
    widgets::section(ui, "Classes", &mut open, header, |ui| {
        if scheme.classes.is_empty() {
            widgets::empty(ui, "Take a brush (B) and two classes are made, or add your own here.");
        }
        if let Some(labels) = labels.and_then(|id| session.project().labels(id)) {
            state.counts.follow(labels);
            if !state.counts.complete() {
                ui.ctx().request_repaint();
            }
        }
        list(ui, scheme, state, hand, labels.is_some(), wishes);
    });
    state.open = open;
    wishes.actions.extend(actions);
    wishes.commands.extend(commands);
}

fn list(
    ui: &mut Ui,
    scheme: &ClassScheme,
    state: &mut ClassesPanel,
    hand: &mut Hand,
    counted: bool,
    wishes: &mut Wishes,
) {
    ui.spacing_mut().item_spacing.y = 1.0;
    let palette = theme::of(ui);
    let mut tops = Vec::with_capacity(scheme.classes.len());
    let mut group = None;
    for (index, class) in scheme.classes.iter().enumerate() {
        if class.group != group {
            group.clone_from(&class.group);
            if let Some(group) = &group {
                ui.label(egui::RichText::new(group).small().color(palette.weak));
            }
        }
        let count = counted.then(|| state.counts.of(class.id));
        tops.push(ui.cursor().top());
        ui.push_id(("class", class.id), |ui| row(ui, (index, class), scheme, state, hand, count, wishes));
        if state.details.as_ref().is_some_and(|(id, ..)| *id == class.id) {
            ui.push_id(("class details", class.id), |ui| details(ui, class, state, wishes));
        }
    }
    reorder(ui, scheme, state, &tops, wishes);
}

fn row(
    ui: &mut Ui,
    (index, class): (usize, &Class),
    scheme: &ClassScheme,
    state: &mut ClassesPanel,
    hand: &mut Hand,
    count: Option<u64>,
    wishes: &mut Wishes,
) {
    let palette = theme::of(ui);
    let size = Vec2::new(ui.available_width(), theme::LAYER_ROW);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    let chosen = hand.class(scheme) == Some(class.id);
    response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, chosen, format!("Class {}", class.name)));
    let fill = if chosen {
        palette.chosen
    } else if response.hovered() || response.dragged() {
        palette.hover
    } else {
        egui::Color32::TRANSPARENT
    };
    ui.painter().rect_filled(rect, theme::RADIUS, fill);
    let small = FontId::proportional(theme::SMALL);
    if index < 9 {
        let pos = rect.left_center() + egui::vec2(10.0, 0.0);
        ui.painter().text(pos, Align2::CENTER_CENTER, (index + 1).to_string(), small.clone(), palette.weak);
    }
    let swatch = Rect::from_min_size(rect.min + egui::vec2(20.0, 1.0), Vec2::splat(theme::SMALL_BUTTON));
    color(ui, swatch, class, state, wishes);
    let dots = Rect::from_min_size(
        rect.right_top() + egui::vec2(-2.0 - theme::SMALL_BUTTON, 1.0),
        Vec2::splat(theme::SMALL_BUTTON),
    );
    let count_rect = Rect::from_min_max(egui::pos2(dots.left() - 84.0, rect.top()), dots.left_bottom());
    let name = Rect::from_min_max(egui::pos2(swatch.right() + 6.0, rect.top()), count_rect.left_bottom());
    if state.renaming.as_ref().is_some_and(|(id, _)| *id == class.id) {
        rename(ui, name, class, state, wishes);
    } else {
        widgets::text_in(ui, name, &class.name, FontId::proportional(theme::BODY), palette.text);
    }
    if let Some(count) = count {
        let text = format!("{} px", numbers::grouped(count as f64, 0));
        let pos = count_rect.right_center() - egui::vec2(4.0, 0.0);
        ui.painter().text(pos, Align2::RIGHT_CENTER, text, small, palette.weak);
    }
    ui.scope_builder(egui::UiBuilder::new().id_salt("dots").max_rect(dots), |ui| {
        let button = widgets::small_icon_button(ui, icons::DOTS_THREE, &format!("More for class {}", class.name));
        egui::Popup::menu(&button).show(|ui| menu(ui, class, scheme, state, wishes));
    });
    response.context_menu(|ui| menu(ui, class, scheme, state, wishes));
    if response.clicked() {
        hand.choose(class.id, scheme);
    }
    if response.double_clicked() {
        state.renaming = Some((class.id, class.name.clone()));
    }
    if response.drag_started() {
        state.drag = Some(class.id);
    }
    if state.drag.is_none() && state.renaming.is_none() {
        let id = class.id.0;
        response.on_hover_text(format!("{}\nId {id}. Click: paint it. Double click: rename. Drag: order.", class.name));
    }
}

fn color(ui: &mut Ui, rect: Rect, class: &Class, state: &mut ClassesPanel, wishes: &mut Wishes) {
    let draft = state.color.filter(|(id, _)| *id == class.id).map(|(_, color)| color);
    let mut shown = draft.unwrap_or(class.color.0);
    ui.scope_builder(egui::UiBuilder::new().id_salt("color").max_rect(rect), |ui| {
        ui.spacing_mut().interact_size = Vec2::splat(18.0);
        ui.add_space(3.0);
        let changed =
            ui.color_edit_button_srgb(&mut shown).accessible_name(format!("Colour of class {}", class.name)).changed();
        if changed {
            state.color = Some((class.id, shown));
        }
    });
    if let Some((id, color)) = state.color.filter(|(id, _)| *id == class.id)
        && !ui.input(|input| input.pointer.any_down())
    {
        state.color = None;
        wishes.commands.push(Command::EditClasses { edit: ClassEdit::Recolor { id, color: Rgb(color) } });
    }
}

fn rename(ui: &mut Ui, rect: Rect, class: &Class, state: &mut ClassesPanel, wishes: &mut Wishes) {
    let Some((_, text)) = &mut state.renaming else { return };
    let edit = egui::TextEdit::singleline(text).desired_width(rect.width());
    let response = ui.put(rect.shrink2(egui::vec2(0.0, 2.0)), edit).accessible_name("Class name");
    let escape = ui.input(|input| input.key_pressed(egui::Key::Escape));
    if response.lost_focus() || escape {
        let name = text.trim().to_owned();
        if !escape && !name.is_empty() && name != class.name {
            wishes.commands.push(Command::EditClasses { edit: ClassEdit::Rename { id: class.id, name } });
        }
        state.renaming = None;
    } else if !response.has_focus() {
        response.request_focus();
    }
}

fn menu(ui: &mut Ui, class: &Class, scheme: &ClassScheme, state: &mut ClassesPanel, wishes: &mut Wishes) {
    ui.set_min_width(160.0);
    let mut edit = |edit| wishes.commands.push(Command::EditClasses { edit });
    if ui.button("Rename").clicked() {
        state.renaming = Some((class.id, class.name.clone()));
    }
    if ui.button("Id and group").clicked() {
        state.details = Some((class.id, class.id.0, class.group.clone().unwrap_or_default()));
    }
    if scheme.classes.len() > 1 {
        ui.menu_button("Merge into", |ui| {
            for other in scheme.classes.iter().filter(|other| other.id != class.id) {
                if ui.button(&other.name).clicked() {
                    edit(ClassEdit::Merge { id: class.id, into: other.id });
                }
            }
        });
    }
    ui.separator();
    if ui.button("Delete").on_hover_text("Its pixels lose their label").clicked() {
        edit(ClassEdit::Delete { id: class.id });
    }
}

/// Id and group of a class, under its row.
fn details(ui: &mut Ui, class: &Class, state: &mut ClassesPanel, wishes: &mut Wishes) {
    let Some((_, id, group)) = &mut state.details else { return };
    let mut close = false;
    egui::Frame::new().inner_margin(egui::Margin { left: 24, right: 4, top: 2, bottom: 6 }).show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.label("Id");
            let drag = egui::DragValue::new(id).range(0..=nunatak_domain::edit::MAX_CLASS_ID);
            ui.add(drag).accessible_name("Class id");
            ui.label("Group");
            let width = (ui.available_width() - 44.0).max(40.0);
            ui.add(egui::TextEdit::singleline(group).desired_width(width)).accessible_name("Class group");
            close = widgets::icon_button(ui, icons::CHECK, "Set id and group", false).clicked();
        });
    });
    if close {
        let group = Some(group.trim().to_owned()).filter(|group| !group.is_empty());
        if group != class.group {
            wishes.commands.push(Command::EditClasses { edit: ClassEdit::Group { id: class.id, group } });
        }
        if *id != class.id.0 {
            let to = ClassId(*id);
            wishes.commands.push(Command::EditClasses { edit: ClassEdit::ChangeId { id: class.id, to } });
        }
        state.details = None;
    }
}

/// While a row is dragged: a line where it would land; on release the move.
fn reorder(ui: &Ui, scheme: &ClassScheme, state: &mut ClassesPanel, tops: &[f32], wishes: &mut Wishes) {
    let Some(id) = state.drag else { return };
    let Some(pointer) = ui.input(|input| input.pointer.latest_pos()) else { return };
    let bottom = ui.min_rect().bottom();
    let place = tops.iter().take_while(|top| pointer.y > **top + 0.5 * theme::LAYER_ROW).count();
    let y = tops.get(place).copied().unwrap_or(bottom);
    ui.painter().hline(ui.max_rect().x_range(), y, egui::Stroke::new(2.0, theme::of(ui).accent));
    ui.ctx().set_cursor_icon(egui::CursorIcon::Grabbing);
    if !ui.input(|input| input.pointer.any_down()) {
        state.drag = None;
        let Some(from) = scheme.classes.iter().position(|class| class.id == id) else { return };
        // Places are counted with the dragged row, the command's without it.
        let to = if place > from { place - 1 } else { place };
        if to != from {
            wishes.commands.push(Command::EditClasses { edit: ClassEdit::Move { id, to } });
        }
    }
}
