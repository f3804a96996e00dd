//! One row of the layer list: eye, name, opacity, menu.
//!
//! Dragging a row sideways changes its opacity, up or down its place.

use egui::{Align2, FontId, Rect, Response, Role, Sense, Ui, Vec2, WidgetInfo};
use nunatak_app::{Command, Session};
use nunatak_domain::job::ConvertConfig;
use nunatak_domain::layer::{Layer, LayerId, LayerSource};
use nunatak_domain::style::Style;

use super::layers::LayersPanel;
use crate::wishes::Wishes;
use crate::{icons, theme, widgets};

/// What dragging a row does, decided by the direction it began in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum RowDrag {
    Opacity { layer: LayerId, from: f32 },
    Order { layer: LayerId },
}

/// Points of travel from transparent to opaque.
const OPACITY_TRAVEL: f32 = 160.0;

/// Draws the row and returns its place.
pub(super) fn layer_row(
    ui: &mut Ui,
    session: &Session,
    layer: &Layer,
    state: &mut LayersPanel,
    chosen: &mut Option<LayerId>,
    wishes: &mut Wishes,
) -> Rect {
    let palette = theme::of(ui);
    let size = Vec2::new(ui.available_width(), theme::LAYER_ROW);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    let selected = *chosen == Some(layer.id);
    response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, selected, &layer.name));
    if state.renaming.as_ref().is_some_and(|(id, _)| *id == layer.id) {
        rename(ui, rect, layer, state, wishes);
        return rect;
    }
    let fill = if selected {
        palette.chosen
    } else if response.hovered() || response.dragged() {
        palette.hover
    } else {
        egui::Color32::TRANSPARENT
    };
    ui.painter().rect_filled(rect, theme::RADIUS, fill);
    let ink = if layer.visible { palette.text } else { palette.weak };

    let button = Vec2::splat(theme::SMALL_BUTTON);
    let eye = Rect::from_min_size(rect.min + egui::vec2(2.0, 1.0), button);
    let dots = Rect::from_min_size(rect.right_top() + egui::vec2(-2.0 - button.x, 1.0), button);
    let percent =
        Rect::from_min_max(egui::pos2(dots.left() - 44.0, rect.top()), egui::pos2(dots.left(), rect.bottom()));
    let name = Rect::from_min_max(egui::pos2(eye.right() + 26.0, rect.top()), percent.left_bottom());
    thumbnail(
        ui,
        Rect::from_center_size(egui::pos2(eye.right() + 12.0, rect.center().y), Vec2::splat(14.0)),
        &layer.style,
    );
    let font = FontId::proportional(theme::BODY);
    widgets::text_in(ui, name, &layer.name, font, ink);
    let text = format!("{:.0} %", layer.opacity * 100.0);
    ui.painter().text(
        percent.right_center() - egui::vec2(4.0, 0.0),
        Align2::RIGHT_CENTER,
        text,
        FontId::proportional(theme::SMALL),
        palette.weak,
    );
    let track = Rect::from_min_max(
        egui::pos2(name.left(), rect.bottom() - 3.0),
        egui::pos2(dots.left() - 4.0, rect.bottom() - 1.0),
    );
    let level = Rect::from_min_size(track.min, Vec2::new(track.width() * layer.opacity, track.height()));
    ui.painter().rect_filled(
        level,
        1.0,
        if layer.visible { palette.accent.gamma_multiply(0.6) } else { palette.button },
    );

    eye_button(ui, eye, layer, wishes);
    dots_button(ui, dots, &response, session, layer, state, wishes);
    if response.clicked() {
        *chosen = Some(layer.id);
        state.expanded = (state.expanded != Some(layer.id)).then_some(layer.id);
    }
    drag(ui, &response, layer, state, wishes);
    if state.drag.is_none() {
        let info = session.scene(layer.source.scene()).map_or(String::new(), |scene| {
            format!(
                "{}\n{} × {} px, {} bands",
                scene.info.path.display(),
                scene.info.width,
                scene.info.height,
                scene.info.n_bands()
            )
        });
        response
            .on_hover_text(format!("{}\n{info}\nClick: style. Drag sideways: opacity, up or down: order.", layer.name));
    }
    rect
}

fn eye_button(ui: &mut Ui, rect: Rect, layer: &Layer, wishes: &mut Wishes) {
    let label = format!("{} {}", if layer.visible { "Hide" } else { "Show" }, layer.name);
    let icon = if layer.visible { icons::EYE } else { icons::EYE_SLASH };
    let builder = egui::UiBuilder::new().id_salt(("eye", layer.id)).max_rect(rect);
    ui.scope_builder(builder, |ui| {
        if widgets::small_icon_button(ui, icon, &label).clicked() {
            wishes.commands.push(Command::SetVisible { layer: layer.id, visible: !layer.visible });
        }
    });
}

fn dots_button(
    ui: &mut Ui,
    rect: Rect,
    row: &Response,
    session: &Session,
    layer: &Layer,
    state: &mut LayersPanel,
    wishes: &mut Wishes,
) {
    let builder = egui::UiBuilder::new().id_salt(("dots", layer.id)).max_rect(rect);
    ui.scope_builder(builder, |ui| {
        let label = format!("More for {}", layer.name);
        let button = widgets::small_icon_button(ui, icons::DOTS_THREE, &label);
        egui::Popup::menu(&button).show(|ui| menu(ui, session, layer, state, wishes));
    });
    row.context_menu(|ui| menu(ui, session, layer, state, wishes));
}

fn menu(ui: &mut Ui, session: &Session, layer: &Layer, state: &mut LayersPanel, wishes: &mut Wishes) {
    ui.set_min_width(180.0);
    let entry = |ui: &mut Ui, icon: &str, text: &str| {
        ui.add(egui::Button::new(format!("{icon}  {text}")).frame_when_inactive(false)).clicked()
    };
    if entry(ui, icons::FRAME_CORNERS, "Fit layer") {
        wishes.look_at = session.layer_bounds(layer.id);
    }
    if entry(ui, icons::PENCIL_SIMPLE, "Rename") {
        state.renaming = Some((layer.id, layer.name.clone()));
    }
    if entry(ui, icons::EXPORT, "Export…") {
        wishes.export = Some(layer.id);
    }
    if let LayerSource::Scene { scene } = layer.source
        && session.scene(scene).is_some_and(|scene| scene.info.n_bands() > 1)
        && entry(ui, icons::STACK, "Show prior")
    {
        wishes.commands.push(Command::ShowPrior { scene });
    }
    if let Some(command) = as_command(session, layer)
        && let Some(line) = session.command_line(&command)
        && entry(ui, icons::TERMINAL_WINDOW, "Copy as command")
    {
        wishes.copy(ui, "Command", line);
    }
    let style = Command::SetStyle { layer: layer.id, style: layer.style.clone() };
    if let Some(line) = session.command_line(&style)
        && matches!(layer.source, LayerSource::Scene { .. })
        && entry(ui, icons::PALETTE, "Copy style as command")
    {
        wishes.copy(ui, "Command", line);
    }
    if let Some(scene) = session.scene(layer.source.scene())
        && entry(ui, icons::COPY, "Copy path")
    {
        wishes.copy(ui, "Path", scene.info.path.to_string_lossy().into_owned());
    }
    if let Some(labels) = layer.source.labels()
        && entry(ui, icons::STACK, "Duplicate")
    {
        wishes.commands.push(Command::DuplicateLabels { labels });
    }
    ui.separator();
    if entry(ui, icons::TRASH, "Remove") {
        wishes.commands.push(remove_command(layer));
    }
}

/// Takes a layer off the map; a label layer goes with its labels, and undo brings it back.
pub(crate) fn remove_command(layer: &Layer) -> Command {
    match layer.source.labels() {
        Some(labels) => Command::RemoveLabels { labels },
        None => Command::RemoveLayer { layer: layer.id },
    }
}

/// What makes this layer's picture in a shell.
fn as_command(session: &Session, layer: &Layer) -> Option<Command> {
    let scene = match layer.source {
        LayerSource::Scene { scene } => scene,
        LayerSource::Prior { scene } => return Some(Command::ShowPrior { scene }),
        LayerSource::Spectral { scene, method } => return Some(Command::ShowClasses { scene, method }),
        LayerSource::Labels { .. } | LayerSource::Index { .. } => return None,
    };
    let info = &session.scene(scene)?.info;
    let name = info.path.with_extension("png").file_name()?.to_owned();
    Some(match layer.style {
        Style::Classes { .. } => Command::Convert(ConvertConfig {
            raster: info.path.clone(),
            out: std::path::Path::new(&name).with_extension("cog.tif"),
            cog: true,
            bands: None,
            overwrite: false,
        }),
        _ => super::export_options::layer_picture(info, layer, name.into(), false),
    })
}

fn rename(ui: &mut Ui, rect: Rect, layer: &Layer, state: &mut LayersPanel, wishes: &mut Wishes) {
    let Some((_, text)) = &mut state.renaming else { return };
    let edit = egui::TextEdit::singleline(text).desired_width(rect.width());
    let response = ui.put(rect.shrink(2.0), edit).accessible_name("Layer name");
    let escape = ui.input(|input| input.key_pressed(egui::Key::Escape));
    if response.lost_focus() || escape {
        let name = text.trim().to_owned();
        if !escape && !name.is_empty() && name != layer.name {
            wishes.commands.push(match layer.source.labels() {
                Some(labels) => Command::RenameLabels { labels, name },
                None => Command::RenameLayer { layer: layer.id, name },
            });
        }
        state.renaming = None;
    } else if !response.has_focus() {
        response.request_focus();
    }
}

fn drag(ui: &Ui, response: &Response, layer: &Layer, state: &mut LayersPanel, wishes: &mut Wishes) {
    if response.drag_started() {
        let travel = response.total_drag_delta().unwrap_or_default();
        state.drag = Some(if travel.x.abs() >= travel.y.abs() {
            RowDrag::Opacity { layer: layer.id, from: layer.opacity }
        } else {
            RowDrag::Order { layer: layer.id }
        });
    }
    let Some(RowDrag::Opacity { layer: dragged, from }) = state.drag else { return };
    if dragged != layer.id {
        return;
    }
    if response.dragged() {
        ui.ctx().set_cursor_icon(egui::CursorIcon::ResizeHorizontal);
        let travel = response.total_drag_delta().unwrap_or_default().x;
        let opacity = ((from + travel / OPACITY_TRAVEL).clamp(0.0, 1.0) * 100.0).round() / 100.0;
        if (opacity - layer.opacity).abs() > 1e-4 {
            wishes.commands.push(Command::SetOpacity { layer: layer.id, opacity });
        }
    } else {
        state.drag = None;
    }
}

/// What a style looks like, in 14 points.
fn thumbnail(ui: &Ui, rect: Rect, style: &Style) {
    let painter = ui.painter_at(rect);
    match style {
        Style::Rgb { .. } => {
            let third = rect.width() / 3.0;
            for i in 0..3 {
                let left = rect.left() + i as f32 * third;
                let bar = Rect::from_min_max(egui::pos2(left, rect.top()), egui::pos2(left + third, rect.bottom()));
                painter.rect_filled(bar, 0.0, theme::channel(ui, i).gamma_multiply(0.85));
            }
        }
        Style::Colormap { colormap, .. } => widgets::ramp(&painter, rect, *colormap),
        Style::Classes { scheme, .. } => {
            let n = scheme.classes.len().clamp(1, 4);
            for (i, class) in scheme.classes.iter().rev().take(4).enumerate() {
                let side = if n == 1 { rect.width() } else { 0.5 * rect.width() };
                let corner = rect.min + egui::vec2((i % 2) as f32 * side, (i / 2) as f32 * side);
                painter.rect_filled(Rect::from_min_size(corner, Vec2::splat(side)), 0.0, theme::color(class.color));
            }
        }
    }
}
