//! Notices on screen: one plain sentence, details folded, the next step. Errors stay until
//! they are dismissed.

use std::path::PathBuf;

use egui::{Align2, Id, Order, Ui};
use nunatak_domain::notice::{Level, Notice};

use crate::widgets;
use crate::{icons, theme};

const MAX_SHOWN: usize = 4;

/// What a toast's button does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToastAction {
    ShowFolder(PathBuf),
    Export,
}

struct Toast {
    notice: Notice,
    actions: Vec<ToastAction>,
    /// How long it stays after the pointer left it; `None` until it is dismissed.
    stays_secs: Option<f64>,
    /// Time of the window's clock from which that counts.
    since: Option<f64>,
    details_open: bool,
    id: u64,
}

#[derive(Default)]
pub(crate) struct Toasts {
    toasts: Vec<Toast>,
    next_id: u64,
}

impl Toasts {
    pub(crate) fn push(&mut self, notice: Notice) {
        self.push_with(notice, Vec::new());
    }

    pub(crate) fn push_with(&mut self, notice: Notice, actions: Vec<ToastAction>) {
        // The same sentence twice is one toast.
        self.toasts.retain(|toast| toast.notice != notice);
        let stays_secs = match notice.level {
            Level::Info if actions.is_empty() => Some(4.0),
            Level::Info => Some(12.0),
            Level::Warning => Some(16.0),
            Level::Error => None,
        };
        self.next_id += 1;
        self.toasts.push(Toast { notice, actions, stays_secs, since: None, details_open: false, id: self.next_id });
    }

    #[cfg(test)]
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.toasts.iter().map(|toast| toast.notice.text.as_str()).collect()
    }

    #[cfg(test)]
    pub(crate) fn levels(&self) -> Vec<Level> {
        self.toasts.iter().map(|toast| toast.notice.level).collect()
    }

    /// Draws the newest at the bottom of `rect`; returns the button that was pressed.
    pub(crate) fn show(&mut self, ctx: &egui::Context, rect: egui::Rect) -> Option<ToastAction> {
        let mut pressed = None;
        let mut bottom = rect.bottom() - theme::FLOAT;
        let hidden = self.toasts.len().saturating_sub(MAX_SHOWN);
        let mut gone = Vec::new();
        let now = ctx.input(|input| input.time);
        for toast in self.toasts.iter_mut().skip(hidden).rev() {
            let area = egui::Area::new(Id::unique(("toast", toast.id)))
                .order(Order::Foreground)
                .pivot(Align2::CENTER_BOTTOM)
                .fixed_pos(egui::pos2(rect.center().x, bottom))
                .constrain_to(rect);
            let shown = area.show(ctx, |ui| toast_ui(ui, toast, &mut pressed));
            let response = shown.response;
            bottom = response.rect.top() - 8.0;
            if shown.inner {
                gone.push(toast.id);
            }
            let read = response.contains_pointer() || toast.details_open;
            let since = if read { now } else { *toast.since.get_or_insert(now) };
            toast.since = Some(since);
            if let Some(stays) = toast.stays_secs {
                if now - since >= stays {
                    gone.push(toast.id);
                } else {
                    ctx.request_repaint_after(std::time::Duration::from_secs_f64(since + stays - now));
                }
            }
        }
        self.toasts.retain(|toast| !gone.contains(&toast.id));
        pressed
    }
}

/// Returns whether the toast was dismissed.
fn toast_ui(ui: &mut Ui, toast: &mut Toast, pressed: &mut Option<ToastAction>) -> bool {
    let palette = theme::of(ui);
    let (icon, color) = match toast.notice.level {
        Level::Info => (icons::CHECK_CIRCLE, palette.good),
        Level::Warning => (icons::WARNING, palette.warning),
        Level::Error => (icons::WARNING_CIRCLE, palette.error),
    };
    let mut dismissed = false;
    egui::Frame::popup(ui.style()).inner_margin(10).show(ui, |ui| {
        ui.set_width(theme::TOAST);
        ui.horizontal_top(|ui| {
            ui.add_space(2.0);
            ui.vertical(|ui| {
                ui.add_space(3.0);
                ui.label(egui::RichText::new(icon).font(theme::icon_font(18.0)).color(color));
            });
            ui.vertical(|ui| {
                ui.set_width(theme::TOAST - 68.0);
                ui.add_space(4.0);
                ui.add(
                    egui::Label::new(egui::RichText::new(sentence(&toast.notice.text)).color(palette.strong)).wrap(),
                );
                if !toast.notice.next_step.is_empty() {
                    ui.add(egui::Label::new(egui::RichText::new(&toast.notice.next_step).color(palette.text)).wrap());
                }
                dismissed |= buttons(ui, toast, pressed);
                if toast.details_open {
                    details(ui, &toast.notice.details);
                }
            });
            dismissed |= widgets::icon_button(ui, icons::X, "Dismiss", false).clicked();
        });
    });
    dismissed
}

fn buttons(ui: &mut Ui, toast: &mut Toast, pressed: &mut Option<ToastAction>) -> bool {
    if toast.actions.is_empty() && toast.notice.details.is_empty() {
        return false;
    }
    let mut done = false;
    ui.add_space(theme::UNIT);
    ui.horizontal(|ui| {
        for action in &toast.actions {
            let text = match action {
                ToastAction::ShowFolder(_) => format!("{}  Show folder", icons::FOLDER_OPEN),
                ToastAction::Export => format!("{}  Export…", icons::EXPORT),
            };
            if ui.button(text).clicked() {
                *pressed = Some(action.clone());
                done = true;
            }
        }
        if !toast.notice.details.is_empty() {
            let text = if toast.details_open { "Hide details" } else { "Details" };
            if ui.button(text).clicked() {
                toast.details_open = !toast.details_open;
            }
            if ui.button("Copy").clicked() {
                ui.ctx().copy_text(format!("{}\n{}", toast.notice.text, toast.notice.details));
            }
        }
    });
    done
}

fn details(ui: &mut Ui, text: &str) {
    ui.add_space(theme::UNIT);
    egui::Frame::new().fill(theme::of(ui).well).inner_margin(6).corner_radius(theme::RADIUS).show(ui, |ui| {
        egui::ScrollArea::vertical().max_height(160.0).show(ui, |ui| {
            ui.add(egui::Label::new(egui::RichText::new(text).monospace()).wrap());
        });
    });
}

/// Errors come in lower case without a full stop; on screen they are sentences.
pub(crate) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    let word = text.split_whitespace().next().unwrap_or_default();
    let name = word.contains(['.', '/', '_']);
    let mut out: String = if name { first.to_string() } else { first.to_uppercase().collect() };
    out.push_str(chars.as_str());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_notice_is_shown_once() {
        let mut toasts = Toasts::default();
        toasts.push(Notice::error("no such file"));
        toasts.push(Notice::info("done"));
        toasts.push(Notice::error("no such file"));

        assert_eq!(toasts.texts(), ["done", "no such file"]);
    }

    #[test]
    fn errors_become_sentences_but_file_names_stay() {
        assert_eq!(sentence("failed to open: a.tif"), "Failed to open: a.tif");
        assert_eq!(sentence("scene.tif has 4 bands"), "scene.tif has 4 bands");
    }
}
