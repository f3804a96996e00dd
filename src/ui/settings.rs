//! Settings: the theme, and the keys of every action.

use egui::{Event, Id, Key, KeyboardShortcut, Modal, Modifiers, Ui};

use crate::action::{Action, ActionInfo, Group, TABLE};
use crate::keymap::{Keymap, reserved};
use crate::saved::{Saved, ThemeChoice};
use crate::{icons, theme, widgets};

const WIDTH: f32 = 560.0;
const HEIGHT: f32 = 420.0;

#[derive(Default)]
pub(crate) struct Settings {
    pub open: bool,
    query: String,
    focused: bool,
    /// The action whose next keys are taken.
    recording: Option<Action>,
    /// Keys that another action has, until it is said whether they move.
    conflict: Option<(Action, KeyboardShortcut, &'static ActionInfo)>,
    refused: Option<String>,
}

impl Settings {
    pub(crate) fn show(&mut self, ctx: &egui::Context, saved: &mut Saved) {
        if !self.open {
            return;
        }
        self.record(ctx, &mut saved.keys);
        let escape = ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
        let frame = egui::Frame::popup(&ctx.global_style()).inner_margin(16);
        let modal = Modal::new(Id::unique("settings")).frame(frame).show(ctx, |ui| self.contents(ui, saved));
        if escape || (modal.should_close() && self.recording.is_none()) {
            *self = Self::default();
        }
        saved.keys.install(ctx);
    }

    fn contents(&mut self, ui: &mut Ui, saved: &mut Saved) {
        let palette = theme::of(ui);
        ui.set_width(WIDTH.min(ui.ctx().content_rect().width() - 64.0));
        ui.horizontal(|ui| {
            ui.heading("Settings");
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                if widgets::icon_button(ui, icons::X, "Close settings", false).clicked() {
                    ui.close();
                }
            });
        });
        ui.horizontal(|ui| {
            ui.label("Theme");
            let themes = [(ThemeChoice::System, "System"), (ThemeChoice::Dark, "Dark"), (ThemeChoice::Light, "Light")];
            widgets::segments(ui, &mut saved.theme, &themes);
        });
        ui.add_space(theme::UNIT);
        ui.horizontal(|ui| {
            let edit = egui::TextEdit::singleline(&mut self.query).hint_text("Find an action").desired_width(260.0);
            let response = ui.add(edit).accessible_name("Find keys");
            if !self.focused {
                self.focused = true;
                response.request_focus();
            }
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let reset = egui::Button::new("Reset all keys");
                if ui.add_enabled(saved.keys.any_changed(), reset).clicked() {
                    saved.keys.reset_all();
                    self.conflict = None;
                }
            });
        });
        let text = match (&self.recording, &self.refused) {
            (Some(action), _) => format!("Press the keys for “{}”; Esc leaves them as they are", action.info().text),
            (None, Some(refused)) => refused.clone(),
            (None, None) => "Click keys to change them. Classes have the digits 1 to 9.".to_owned(),
        };
        if self.conflict.is_some() {
            self.conflict_ui(ui, &mut saved.keys);
        } else {
            ui.label(egui::RichText::new(text).color(palette.weak));
        }
        ui.add_space(theme::UNIT);
        egui::ScrollArea::vertical().max_height(HEIGHT).min_scrolled_height(HEIGHT).auto_shrink(false).show(ui, |ui| {
            let wanted = self.query.trim().to_lowercase();
            for group in Group::ALL {
                let fits = |info: &&ActionInfo| info.group == group && info.text.to_lowercase().contains(&wanted);
                if TABLE.iter().any(|info| fits(&info)) {
                    ui.add_space(theme::UNIT);
                    ui.label(egui::RichText::new(group.label()).font(theme::strong_font(11.0)).color(palette.weak));
                }
                TABLE.iter().filter(fits).for_each(|info| self.row(ui, info, &mut saved.keys));
            }
        });
    }

    fn row(&mut self, ui: &mut Ui, info: &'static ActionInfo, keys: &mut Keymap) {
        ui.horizontal(|ui| {
            ui.set_min_height(theme::SMALL_BUTTON);
            ui.label(egui::RichText::new(info.icon).font(theme::icon_font(theme::ICON)).color(theme::of(ui).weak));
            ui.label(info.text);
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let changed = keys.is_changed(info.action);
                ui.add_enabled_ui(changed, |ui| {
                    let label = format!("Reset keys of {}", info.text);
                    if widgets::small_icon_button(ui, icons::ARROW_U_UP_LEFT, &label).clicked() {
                        keys.reset(info.action);
                    }
                });
                let recording = self.recording == Some(info.action);
                let shown = keys.of(info).map(|shortcut| ui.ctx().format_shortcut(&shortcut));
                let text =
                    if recording { "Press keys…".to_owned() } else { shown.unwrap_or_else(|| "–".to_owned()) };
                let button =
                    egui::Button::new(text).selected(recording).min_size(egui::vec2(120.0, theme::SMALL_BUTTON));
                if ui.add(button).accessible_name(format!("Keys of {}", info.text)).clicked() {
                    self.recording = (!recording).then_some(info.action);
                    self.conflict = None;
                    self.refused = None;
                }
            });
        });
    }

    fn conflict_ui(&mut self, ui: &mut Ui, keys: &mut Keymap) {
        let Some((action, shortcut, owner)) = self.conflict else { return };
        ui.horizontal(|ui| {
            let text = format!("{} is “{}”", ui.ctx().format_shortcut(&shortcut), owner.text);
            ui.label(egui::RichText::new(text).color(theme::of(ui).warning));
            if ui.button("Take it over").clicked() {
                keys.set(owner.action, None);
                keys.set(action, Some(shortcut));
                self.conflict = None;
            }
            if ui.button("Leave it").clicked() {
                self.conflict = None;
            }
        });
    }

    /// Takes the next keys that are pressed.
    fn record(&mut self, ctx: &egui::Context, keys: &mut Keymap) {
        let Some(action) = self.recording else { return };
        let pressed = ctx.input_mut(|input| {
            let at = input.events.iter().position(|event| matches!(event, Event::Key { pressed: true, .. }))?;
            let Event::Key { key, modifiers, .. } = input.events.remove(at) else { return None };
            // What it would type is not meant for a field.
            input.events.retain(|event| !matches!(event, Event::Text(_)));
            Some((key, modifiers))
        });
        let Some((key, held)) = pressed else { return };
        self.recording = None;
        self.refused = None;
        if key == Key::Escape && !held.any() {
            return;
        }
        let mut modifiers = Modifiers::NONE;
        for (down, modifier) in
            [(held.command, Modifiers::COMMAND), (held.shift, Modifiers::SHIFT), (held.alt, Modifiers::ALT)]
        {
            if down {
                modifiers = modifiers.plus(modifier);
            }
        }
        let shortcut = KeyboardShortcut::new(modifiers, key);
        if reserved(shortcut) {
            self.refused = Some(format!("{} belongs to the map", ctx.format_shortcut(&shortcut)));
        } else if let Some(owner) = keys.owner(shortcut, action) {
            self.conflict = Some((action, shortcut, owner));
        } else {
            keys.set(action, Some(shortcut));
        }
    }
}
