//! Notices on screen: one plain sentence, details folded, the next step. They leave by
//! themselves and stay in the list that the status bar opens.

use std::path::PathBuf;

use egui::{Align2, Id, Order, Ui};
use nunatak_domain::notice::{Level, Notice};

use crate::widgets;
use crate::{icons, theme};

const MAX_SHOWN: usize = 4;
/// Kept for the status bar's list.
const MAX_KEPT: usize = 50;

/// What a toast's button does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToastAction {
    ShowFolder(PathBuf),
    Export,
}

/// A notice, how often it came, and whether it says that something was achieved.
#[derive(Clone, Debug)]
struct Said {
    notice: Notice,
    count: usize,
    success: bool,
}

struct Toast {
    said: Said,
    actions: Vec<ToastAction>,
    /// How long it stays after the pointer left it.
    stays_secs: f64,
    /// Time of the window's clock from which that counts.
    since: Option<f64>,
    details_open: bool,
    id: u64,
}

#[derive(Default)]
pub(crate) struct Toasts {
    toasts: Vec<Toast>,
    /// Oldest first.
    kept: Vec<Said>,
    /// Warnings and errors that came after the list was last looked at.
    n_unseen: usize,
    next_id: u64,
}

impl Toasts {
    pub(crate) fn push(&mut self, notice: Notice) {
        self.add(notice, Vec::new(), false);
    }

    /// Something was achieved.
    pub(crate) fn push_success(&mut self, notice: Notice, actions: Vec<ToastAction>) {
        self.add(notice, actions, true);
    }

    fn add(&mut self, notice: Notice, actions: Vec<ToastAction>, success: bool) {
        self.n_unseen += usize::from(notice.level > Level::Info);
        self.keep(&notice, success);
        // The same sentence again is counted.
        let before = self.toasts.iter().position(|toast| toast.said.notice == notice);
        let before = before.map(|index| self.toasts.remove(index));
        let stays_secs = match notice.level {
            Level::Info if actions.is_empty() => 4.0,
            Level::Info | Level::Warning | Level::Error => 12.0,
        };
        let count = before.as_ref().map_or(1, |toast| toast.said.count + 1);
        let details_open = before.as_ref().is_some_and(|toast| toast.details_open);
        let id = before.map_or_else(
            || {
                self.next_id += 1;
                self.next_id
            },
            |toast| toast.id,
        );
        let said = Said { notice, count, success };
        self.toasts.push(Toast { said, actions, stays_secs, since: None, details_open, id });
    }

    fn keep(&mut self, notice: &Notice, success: bool) {
        if let Some(last) = self.kept.last_mut().filter(|last| last.notice == *notice) {
            last.count += 1;
            return;
        }
        self.kept.push(Said { notice: notice.clone(), count: 1, success });
        if self.kept.len() > MAX_KEPT {
            self.kept.remove(0);
        }
    }

    #[cfg(test)]
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.toasts.iter().map(|toast| toast.said.notice.text.as_str()).collect()
    }

    #[cfg(test)]
    pub(crate) fn levels(&self) -> Vec<Level> {
        self.toasts.iter().map(|toast| toast.said.notice.level).collect()
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
            if now - since >= toast.stays_secs {
                gone.push(toast.id);
            } else {
                ctx.request_repaint_after(std::time::Duration::from_secs_f64(since + toast.stays_secs - now));
            }
        }
        self.toasts.retain(|toast| !gone.contains(&toast.id));
        pressed
    }

    /// The status bar's button with the list of what was said; nothing before anything was.
    pub(crate) fn list_ui(&mut self, ui: &mut Ui) {
        if self.kept.is_empty() {
            return;
        }
        let palette = theme::of(ui);
        let label = if self.n_unseen == 0 { "Notices".to_owned() } else { format!("Notices, {} new", self.n_unseen) };
        let button = widgets::icon_button(ui, icons::INFO, &label, false);
        if self.n_unseen > 0 {
            let center = button.rect.right_top() + egui::vec2(-6.0, 7.0);
            ui.painter().circle_filled(center, 4.0, palette.warning);
        }
        let popup = egui::Popup::menu(&button).close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside);
        let open = popup.show(|ui| {
            ui.set_width(theme::TOAST);
            ui.label(egui::RichText::new("NOTICES").font(theme::strong_font(11.0)).color(palette.weak));
            egui::ScrollArea::vertical().max_height(420.0).min_scrolled_height(420.0).show(ui, |ui| {
                for (i, said) in self.kept.iter().enumerate().rev() {
                    ui.push_id(i, |ui| kept_ui(ui, said));
                }
            });
        });
        if open.is_some() {
            self.n_unseen = 0;
        }
    }
}

/// The glyph and colour of a notice.
fn mark(said: &Said, palette: &theme::Palette) -> (&'static str, egui::Color32) {
    match said.notice.level {
        Level::Info if said.success => (icons::CHECK_CIRCLE, palette.good),
        Level::Info => (icons::INFO, palette.weak),
        Level::Warning => (icons::WARNING, palette.warning),
        Level::Error => (icons::WARNING_CIRCLE, palette.error),
    }
}

fn text_of(said: &Said) -> String {
    let text = sentence(&said.notice.text);
    if said.count > 1 { format!("{text}  (×{})", said.count) } else { text }
}

fn kept_ui(ui: &mut Ui, said: &Said) {
    let palette = theme::of(ui);
    let (icon, color) = mark(said, palette);
    ui.add_space(theme::UNIT);
    ui.horizontal_top(|ui| {
        ui.label(egui::RichText::new(icon).font(theme::icon_font(theme::ICON)).color(color));
        ui.vertical(|ui| {
            ui.add(egui::Label::new(egui::RichText::new(text_of(said)).color(palette.text)).wrap());
            if !said.notice.next_step.is_empty() {
                ui.add(egui::Label::new(egui::RichText::new(&said.notice.next_step).color(palette.weak)).wrap());
            }
            if !said.notice.details.is_empty() {
                egui::CollapsingHeader::new("Details").show(ui, |ui| details(ui, &said.notice.details));
            }
        });
    });
}

/// Returns whether the toast was dismissed.
fn toast_ui(ui: &mut Ui, toast: &mut Toast, pressed: &mut Option<ToastAction>) -> bool {
    let palette = theme::of(ui);
    let (icon, color) = mark(&toast.said, palette);
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
                ui.add(egui::Label::new(egui::RichText::new(text_of(&toast.said)).color(palette.strong)).wrap());
                if !toast.said.notice.next_step.is_empty() {
                    let next = egui::RichText::new(&toast.said.notice.next_step).color(palette.text);
                    ui.add(egui::Label::new(next).wrap());
                }
                dismissed |= buttons(ui, toast, pressed);
                if toast.details_open {
                    details(ui, &toast.said.notice.details);
                }
            });
            dismissed |= widgets::icon_button(ui, icons::X, "Dismiss", false).clicked();
        });
    });
    dismissed
}

fn buttons(ui: &mut Ui, toast: &mut Toast, pressed: &mut Option<ToastAction>) -> bool {
    let notice = &toast.said.notice;
    if toast.actions.is_empty() && notice.details.is_empty() {
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
        if !notice.details.is_empty() {
            let text = if toast.details_open { "Hide details" } else { "Details" };
            if ui.button(text).clicked() {
                toast.details_open = !toast.details_open;
            }
            if ui.button("Copy").clicked() {
                ui.ctx().copy_text(format!("{}\n{}", notice.text, notice.details));
            }
        }
    });
    done
}

fn details(ui: &mut Ui, text: &str) {
    ui.add_space(theme::UNIT);
    egui::Frame::new().fill(theme::of(ui).well).inner_margin(6).corner_radius(theme::RADIUS).show(ui, |ui| {
        egui::ScrollArea::vertical().max_height(160.0).min_scrolled_height(160.0).show(ui, |ui| {
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
    fn the_same_notice_is_shown_once_and_counted() {
        let mut toasts = Toasts::default();
        for _ in 0..3 {
            toasts.push(Notice::error("no such file"));
        }
        toasts.push(Notice::info("done"));
        toasts.push(Notice::error("no such file"));

        assert_eq!(toasts.texts(), ["done", "no such file"]);
        assert_eq!(text_of(&toasts.toasts[1].said), "No such file  (×4)");
        assert_eq!(toasts.kept.iter().map(|said| said.count).collect::<Vec<_>>(), [3, 1, 1]);
        assert_eq!(toasts.n_unseen, 4);
    }

    #[test]
    fn the_list_is_bounded() {
        let mut toasts = Toasts::default();
        (0..MAX_KEPT + 5).for_each(|n| toasts.push(Notice::info(format!("{n}"))));

        assert_eq!(toasts.kept.len(), MAX_KEPT);
        assert_eq!(toasts.kept[0].notice.text, "5");
    }

    #[test]
    fn only_success_has_the_green_tick() {
        let palette = theme::palette(true);
        let mut toasts = Toasts::default();
        toasts.push(Notice::info("stopped"));
        toasts.push_success(Notice::info("written"), Vec::new());

        assert_eq!(mark(&toasts.kept[0], palette), (icons::INFO, palette.weak));
        assert_eq!(mark(&toasts.kept[1], palette), (icons::CHECK_CIRCLE, palette.good));
    }

    #[test]
    fn errors_become_sentences_but_file_names_stay() {
        assert_eq!(sentence("failed to open: a.tif"), "Failed to open: a.tif");
        assert_eq!(sentence("scene.tif has 4 bands"), "scene.tif has 4 bands");
    }
}
