//! The status bar: where the cursor is, the scale, what runs, what computes.

use egui::{Align, Layout, Role, Ui, WidgetInfo};
use nunatak_app::{Command, JobStatus, Session};

use crate::action::{Action, Situation};
use crate::map::{self, MapState};
use crate::toasts::Toasts;
use crate::widgets::{self, numbers};
use crate::wishes::Wishes;
use crate::{icons, theme};

#[derive(Default)]
pub(crate) struct StatusBar {
    /// The scale being typed.
    scale: Option<String>,
}

pub(crate) fn status_ui(
    ui: &mut Ui,
    session: &Session,
    state: &mut StatusBar,
    map: &mut MapState,
    toasts: &mut Toasts,
    now: &Situation,
    wishes: &mut Wishes,
) {
    ui.horizontal_centered(|ui| {
        if !session.layers().is_empty() {
            coordinates(ui, session, map, wishes);
            crs(ui, session);
            scale(ui, session, state, map);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            toasts.list_ui(ui);
            device(ui, session, now, wishes);
            jobs(ui, session, wishes);
        });
    });
}

fn quiet_button(ui: &mut Ui, text: &str, label: &str) -> egui::Response {
    let button = egui::Button::new(egui::RichText::new(text).color(theme::of(ui).text)).frame_when_inactive(false);
    let response = ui.add(button);
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, label));
    response
}

fn coordinates(ui: &mut Ui, session: &Session, map: &MapState, wishes: &mut Wishes) {
    let Some(geo) = map.cursor else { return };
    let decimals = match session.map_crs() {
        Some(crs) if crs.geographic => 5,
        Some(_) if map.camera.view().units_per_px < 1.0 => 2,
        _ => 0,
    };
    let (x, y) = (numbers::grouped(geo.x, decimals), numbers::grouped(geo.y, decimals));
    let text = if session.map_crs().is_some() { format!("E {x}   N {y}") } else { format!("x {x}   y {y}") };
    if quiet_button(ui, &text, "Copy map coordinates")
        .on_hover_text("Map coordinates of the cursor\nClick: copy")
        .clicked()
    {
        wishes.copy(ui, "Coordinates", format!("{:.*} {:.*}", decimals + 2, geo.x, decimals + 2, geo.y));
    }
    if let Some((lon, lat)) = session.lon_lat(geo).filter(|_| session.map_crs().is_some_and(|crs| !crs.geographic)) {
        let text = numbers::lon_lat(lon, lat);
        if quiet_button(ui, &text, "Copy latitude and longitude").on_hover_text("WGS 84\nClick: copy").clicked() {
            wishes.copy(ui, "Latitude and longitude", format!("{lat:.6}, {lon:.6}"));
        }
    }
}

fn crs(ui: &mut Ui, session: &Session) {
    let palette = theme::of(ui);
    match session.map_crs() {
        Some(crs) => {
            ui.label(egui::RichText::new(crs.short_name()).color(palette.weak)).on_hover_text(&crs.name);
        }
        None => {
            let text = egui::RichText::new("pixels").color(palette.weak);
            ui.label(text).on_hover_text("The raster states no coordinate system: the map shows its pixels");
        }
    }
}

fn scale(ui: &mut Ui, session: &Session, state: &mut StatusBar, map: &mut MapState) {
    let view = *map.camera.view();
    let Some(denominator) = map::scale_denominator(session, &view, map.pixels_per_point) else { return };
    if let Some(text) = &mut state.scale {
        let edit = egui::TextEdit::singleline(text).desired_width(96.0);
        let response = ui.add(edit).accessible_name("Scale");
        if response.lost_focus() {
            let digits: String = text.rsplit(':').next().unwrap_or("").chars().filter(char::is_ascii_digit).collect();
            let typed: Option<f64> = digits.parse().ok().filter(|n| *n >= 1.0);
            let units = typed.and_then(|n| map::units_per_px_of_scale(session, &view, n, map.pixels_per_point));
            if let Some(units) = units.filter(|_| ui.input(|input| input.key_pressed(egui::Key::Enter))) {
                map.camera.set_scale(units, ui.input(|input| input.time));
            }
            state.scale = None;
        } else if !response.has_focus() {
            response.request_focus();
        }
        return;
    }
    let text = format!("1 : {}", numbers::grouped(denominator, 0));
    if quiet_button(ui, &text, "Scale").on_hover_text("Map scale\nClick: type another").clicked() {
        state.scale = Some(format!("{denominator:.0}"));
    }
}

fn device(ui: &mut Ui, session: &Session, now: &Situation, wishes: &mut Wishes) {
    let device = session.device();
    if device.is_empty() {
        return;
    }
    let gpu = !device.to_lowercase().starts_with("cpu");
    let (icon, short) = if gpu { (icons::GRAPHICS_CARD, "GPU") } else { (icons::CPU, "CPU") };
    let response = quiet_button(ui, &format!("{icon}  {short}"), "Device")
        .on_hover_text(format!("Networks run on {device}\nClick: change"));
    egui::Popup::menu(&response).show(|ui| {
        ui.set_min_width(240.0);
        ui.label(egui::RichText::new(&device).font(theme::strong_font(theme::BODY)));
        ui.separator();
        for action in [Action::DeviceAuto, Action::DeviceCpu, Action::DeviceGpu] {
            let info = action.info();
            let button = egui::Button::new(format!("{}  {}", info.icon, info.text)).frame_when_inactive(false);
            if ui.add_enabled(action.enabled(now), button).clicked() {
                wishes.actions.push(action);
            }
        }
    });
}

fn jobs(ui: &mut Ui, session: &Session, wishes: &mut Wishes) {
    let jobs = session.jobs();
    let Some(first) = jobs.first() else { return };
    if jobs.len() > 1 {
        let more = quiet_button(ui, &format!("+ {}", jobs.len() - 1), "More jobs");
        egui::Popup::menu(&more).show(|ui| {
            for job in &jobs[1..] {
                ui.horizontal(|ui| job_ui(ui, job, wishes));
            }
        });
    }
    job_ui(ui, first, wishes);
}

/// Right to left: stop, time left, bar, title.
fn job_ui(ui: &mut Ui, job: &JobStatus, wishes: &mut Wishes) {
    let palette = theme::of(ui);
    if widgets::icon_button(ui, icons::X, &format!("Stop {} (Esc)", job.title), false).clicked() {
        wishes.commands.push(Command::CancelJob { job: job.job });
    }
    let left = job.left_s.map(|left| format!("{} left", numbers::duration(left)));
    let parts: Vec<String> =
        [Some(job.note.clone()).filter(|note| !note.is_empty()), left].into_iter().flatten().collect();
    if !parts.is_empty() {
        ui.label(egui::RichText::new(parts.join(" · ")).color(palette.weak));
    }
    ui.label(format!("{:.0} %", job.done * 100.0));
    let (rect, response) = ui.allocate_exact_size(egui::vec2(96.0, 6.0), egui::Sense::hover());
    response.widget_info(|| {
        WidgetInfo::labeled(Role::ProgressIndicator, true, format!("{} {:.0} %", job.title, job.done * 100.0))
    });
    ui.painter().rect_filled(rect, 3.0, palette.well);
    let done = egui::Rect::from_min_size(rect.min, egui::vec2(rect.width() * job.done.clamp(0.0, 1.0), rect.height()));
    ui.painter().rect_filled(done, 3.0, palette.accent);
    ui.label(&job.title);
}
