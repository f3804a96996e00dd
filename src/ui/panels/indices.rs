//! ADD INDEX: a spectral index of the catalogue, or a formula over bands, as a layer.

use egui::{Id, Key, Modal, ScrollArea, Ui};
use nunatak_app::{Command, Session};
use nunatak_domain::index::{BandRoles, SpectralIndex, catalogue, expression_for};
use nunatak_domain::layer::SceneId;
use nunatak_domain::scene::SceneInfo;

use crate::{theme, widgets};

const WIDTH: f32 = 600.0;
const HEIGHT: f32 = 320.0;

/// The open question.
#[derive(Default)]
pub(crate) struct IndexDialog {
    open: Option<Choice>,
}

struct Choice {
    scene: SceneId,
    /// Searches the catalogue.
    search: String,
    formula: String,
    focused: bool,
}

impl IndexDialog {
    pub(crate) fn ask(&mut self, scene: SceneId) {
        let (search, formula) = (String::new(), String::new());
        self.open = Some(Choice { scene, search, formula, focused: false });
    }

    pub(crate) const fn asking(&self) -> bool {
        self.open.is_some()
    }

    /// Draws the question; the command once it is answered.
    pub(crate) fn show(&mut self, ctx: &egui::Context, session: &Session) -> Option<Command> {
        let choice = self.open.as_mut()?;
        let Some(scene) = session.scene(choice.scene) else {
            self.open = None;
            return None;
        };
        let frame = egui::Frame::popup(&ctx.global_style()).inner_margin(16);
        let mut done = None;
        let modal = Modal::new(Id::unique("add index")).frame(frame).show(ctx, |ui| {
            ui.set_width(WIDTH.min(ctx.content_rect().width() - 64.0));
            done = choice_ui(ui, choice, &scene.info);
        });
        let scene = choice.scene;
        if done.is_some() || modal.should_close() {
            self.open = None;
        }
        done.flatten().map(|formula| Command::AddIndex { scene, formula, name: None })
    }
}

/// `Some(Some(_))`: what to add; `Some(None)`: nothing.
fn choice_ui(ui: &mut Ui, choice: &mut Choice, info: &SceneInfo) -> Option<Option<String>> {
    let palette = theme::of(ui);
    let mut done = None;
    ui.heading("Add index");
    ui.add(egui::Label::new(
        egui::RichText::new(format!("Computed from {} as a layer", info.name())).color(palette.weak),
    ));
    ui.add_space(theme::UNIT);
    let search = egui::TextEdit::singleline(&mut choice.search).hint_text("Search").desired_width(f32::INFINITY);
    let response = ui.add(search).accessible_name("Search indices");
    if !choice.focused {
        response.request_focus();
        choice.focused = true;
    }
    let enter = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    let roles = BandRoles::guess(info);
    let wanted = choice.search.trim().to_lowercase();
    let found = |index: &&SpectralIndex| {
        let texts = [&index.id, &index.name, &index.citation];
        wanted.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(&wanted))
    };
    // What the scene has the bands for comes first.
    let mut rows: Vec<(&SpectralIndex, Option<String>)> = catalogue()
        .iter()
        .filter(found)
        .map(|index| (index, index.bind(info, &roles).err().map(|error| error.to_string())))
        .collect();
    rows.sort_by_key(|(_, why)| why.is_some());
    ScrollArea::vertical().max_height(HEIGHT).min_scrolled_height(HEIGHT).auto_shrink([false, true]).show(ui, |ui| {
        for (index, why) in &rows {
            if row(ui, index, why.as_deref()) {
                done = Some(Some(index.id.clone()));
            }
        }
        if rows.is_empty() {
            widgets::empty(ui, "No index of that name: write a formula below.");
        }
    });
    if enter && let Some((index, None)) = rows.first() {
        done = Some(Some(index.id.clone()));
    }
    ui.add_space(theme::UNIT);
    ui.separator();
    formula_ui(ui, choice, info, &mut done);
    done
}

fn row(ui: &mut Ui, index: &SpectralIndex, why: Option<&str>) -> bool {
    let palette = theme::of(ui);
    let (name, ink) = if why.is_none() { (palette.strong, palette.text) } else { (palette.weak, palette.weak) };
    let text = |text: &str, color| egui::RichText::new(text).color(color);
    let mut clicked = false;
    ui.add_enabled_ui(why.is_none(), |ui| {
        ui.horizontal(|ui| {
            let id = text(&index.id.to_uppercase(), name).font(theme::strong_font(theme::BODY));
            let button = egui::Button::new(id).min_size(egui::vec2(116.0, 24.0)).frame_when_inactive(false);
            let response = ui.add(button).on_hover_text(&index.citation);
            clicked = response.on_disabled_hover_text(why.unwrap_or_default()).clicked();
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                ui.add(egui::Label::new(text(&index.name, ink)).truncate());
                ui.add(egui::Label::new(text(&index.formula, palette.weak).small().monospace()).truncate());
            });
        });
    });
    clicked
}

/// The formula and, below it, what is wrong with it and where.
fn formula_ui(ui: &mut Ui, choice: &mut Choice, info: &SceneInfo, done: &mut Option<Option<String>>) {
    let palette = theme::of(ui);
    ui.label(egui::RichText::new("Or a formula over bands: b1, b2, … or nir, red, …").color(palette.weak));
    let edit = egui::TextEdit::singleline(&mut choice.formula)
        .font(egui::TextStyle::Monospace)
        .hint_text("(b4 - b3) / (b4 + b3)")
        .desired_width(f32::INFINITY);
    let response = ui.add(edit).accessible_name("Formula");
    let formula = choice.formula.trim().to_owned();
    let checked = expression_for(&formula, info);
    let ready = checked.is_ok();
    let said = match &checked {
        Err(error) if !formula.is_empty() => egui::RichText::new(error.to_string()).color(palette.error),
        Ok(expression) => {
            let bands: Vec<String> = expression.bands().iter().map(|band| format!("b{}", band + 1)).collect();
            egui::RichText::new(format!("reads {}", bands.join(", "))).color(palette.weak)
        }
        Err(_) => egui::RichText::new(" "),
    };
    ui.add(egui::Label::new(said.small()).wrap());
    let enter = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    ui.add_space(theme::UNIT);
    ui.horizontal(|ui| {
        if (widgets::primary_button(ui, ready, "Add layer").clicked() || enter) && ready {
            *done = Some(Some(formula));
        }
        if ui.button("Cancel").clicked() {
            *done = Some(None);
        }
    });
}
