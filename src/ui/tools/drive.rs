//! From events of the window to the tool in use, and its commands into the session.

use egui::{Event, Key, Modifiers, PointerButton, Rect, Response, Ui};
use nunatak_app::{ClassEdit, Command};
use nunatak_domain::class::{Class, ClassId, Rgb};
use nunatak_domain::edit::free_class_id;
use nunatak_domain::geo::PixelPos;
use nunatak_domain::label::LabelsId;
use nunatak_domain::layer::{LayerRole, LayerSource, SceneId};
use nunatak_domain::style::Style;

use super::{Aim, Input, Machine, PaintTool, Setting, aim};
use crate::map::{Tool, screen_pos};
use crate::saved::Workspace;
use crate::shell::Shell;

/// What a hand does not tell apart, in points.
const NEAR_POINTS: f64 = 6.0;
/// Wheel travel of one step of the size, in points.
const SIZE_POINTS: f32 = 20.0;
/// Keys of the first nine classes.
const DIGITS: [Key; 9] =
    [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8, Key::Num9];

impl Shell {
    /// Takes a tool into the hand; where nothing can be painted yet, makes what is missing.
    pub(crate) fn take_tool(&mut self, tool: PaintTool) {
        self.drop_gesture();
        self.map.tool = Tool::Paint(tool);
        self.hand.take_tool(tool);
        self.ready_to_paint();
    }

    /// Ends what is being drawn as if it had never begun; `false` where nothing was.
    pub(crate) fn drop_gesture(&mut self) -> bool {
        let busy = self.hand.busy();
        self.hand.machine = Machine::of(self.hand.tool);
        if self.session.drawing() {
            self.dispatch(Command::AbortStroke);
        }
        self.drop_pick() || busy
    }

    /// The label layer to paint on. A scene without one gets one, and a project without classes
    /// gets two, so that choosing a tool is all that is needed to begin.
    fn ready_to_paint(&mut self) -> Option<(SceneId, LabelsId)> {
        let Aim { scene, labels } = aim(&self.session, self.map.chosen)?;
        let mut made = Vec::new();
        if self.session.project().classes.classes.is_empty() {
            (0..2).for_each(|_| self.add_class());
            // The first of both is in the hand, the second one `X` away.
            self.hand.swap(&self.session.project().classes);
            made.push("two classes");
        }
        let labels = match labels {
            Some(labels) => labels,
            None => {
                let labels = self.session.project().next_labels;
                if !self.accepts(Command::AddLabels { scene, name: None }) {
                    return None;
                }
                made.insert(0, "a label layer");
                labels
            }
        };
        if !made.is_empty() {
            self.hand.welcome = Some(format!("Made {}: just paint", made.join(" and ")));
            self.saved.workspace = Workspace::Annotate;
        }
        let layer = self.session.layers().iter().find(|layer| layer.source.labels() == Some(labels))?;
        let (id, visible) = (layer.id, layer.visible);
        if !visible {
            self.dispatch(Command::SetVisible { layer: id, visible: true });
        }
        Some((scene, labels))
    }

    /// A class with a free id, name and colour.
    pub(crate) fn add_class(&mut self) {
        let scheme = &self.session.project().classes;
        let id = free_class_id(scheme);
        let used = |color: Rgb| scheme.classes.iter().any(|class| class.color == color);
        // Black, the first of the set, is hard to see on a map.
        let mut colors = (1..8).map(Rgb::distinct);
        let color = colors.find(|color| !used(*color)).unwrap_or_else(|| spread_color(id));
        let class = Class::new(id, format!("Class {}", id.0), color);
        if self.accepts(Command::EditClasses { edit: ClassEdit::Add { class } }) {
            self.hand.choose(id, &self.session.project().classes);
        }
    }

    /// Digits choose classes, unless somebody types.
    pub(crate) fn class_keys(&mut self, ctx: &egui::Context) {
        if ctx.text_edit_focused() {
            return;
        }
        for (class, key) in self.session.project().classes.classes.iter().zip(DIGITS) {
            if ctx.input_mut(|input| !input.modifiers.any() && input.consume_key(Modifiers::NONE, key)) {
                let id = class.id;
                self.hand.choose(id, &self.session.project().classes);
                return;
            }
        }
    }

    /// Gives the tool what happened on the map in this frame, before the map is drawn.
    pub(crate) fn paint(&mut self, ui: &Ui, rect: Rect, response: &Response) {
        let Tool::Paint(tool) = self.map.tool else {
            if self.hand.busy() {
                self.drop_gesture();
            }
            if self.map.tool == Tool::Pick {
                self.change_size();
                self.pick(ui, rect, response);
                return;
            }
            self.hand.hover = None;
            return;
        };
        self.hand.take_tool(tool);
        self.change_size();
        // Undo or another step has ended the stroke.
        if matches!(self.hand.machine, Machine::Stroke(_)) && self.hand.busy() && !self.session.drawing() {
            self.hand.machine = Machine::of(tool);
        }
        let kept = self.hand.aim.filter(|_| self.hand.busy());
        let Some(mut at) = kept.or_else(|| aim(&self.session, self.map.chosen)) else { return };
        let presses = ui.input(|input| input.pointer.primary_pressed());
        let inputs = self.inputs(ui, rect, response, at.scene);
        let begins = presses && inputs.iter().any(|input| matches!(input, Input::Press(_)));
        if begins && !self.hand.busy() {
            let Some((scene, labels)) = self.ready_to_paint() else { return };
            at = Aim { scene, labels: Some(labels) };
            self.hand.aim = Some(at);
        }
        if inputs.is_empty() {
            return;
        }
        let ctrl = ui.input(|input| input.modifiers.command);
        let Some(setting) = self.setting(at, tool, ctrl) else { return };
        let commands = self.hand.machine.take(&inputs, &setting);
        for command in commands {
            let paints = matches!(command, Command::EndStroke | Command::Paint { .. });
            if !self.accepts(command) {
                self.drop_gesture();
                return;
            }
            if paints {
                self.hand.welcome = None;
            }
        }
        if self.hand.busy() {
            ui.ctx().request_repaint();
        }
    }

    /// What the tools need to know in this frame; `None` where there is nothing to paint on.
    fn setting(&self, Aim { scene, labels }: Aim, tool: PaintTool, ctrl: bool) -> Option<Setting> {
        let project = self.session.project();
        let info = &self.session.scene(scene)?.info;
        let options = self.saved.tools.clone();
        let rule = options.rule(tool, ctrl, self.hand.class(&project.classes), &project.classes);
        let imagery = self
            .session
            .layers()
            .iter()
            .rev()
            .find(|layer| layer.source == LayerSource::Scene { scene } && layer.role == LayerRole::Imagery);
        let style = imagery.map(|layer| &layer.style);
        let spread = match style {
            Some(Style::Rgb { stretch, .. }) => stretch[0].max - stretch[0].min,
            Some(Style::Colormap { stretch, .. }) => stretch.max - stretch.min,
            _ => 1.0,
        };
        Some(Setting {
            labels: labels?,
            rule,
            near_px: NEAR_POINTS / self.points_per_px(scene)?,
            size: (info.width, info.height),
            options,
            bands: style.map(Style::bands).unwrap_or_default(),
            spread: spread.abs() * (info.n_bands() as f64).sqrt(),
        })
    }

    /// Points of the screen that a pixel of the scene is wide, at the middle of the view.
    fn points_per_px(&self, scene: SceneId) -> Option<f64> {
        let view = self.map.camera.view();
        let step = view.units_per_px * self.map.pixels_per_point;
        let center = view.center;
        let a = self.session.pixel_of(scene, center)?;
        let b = self.session.pixel_of(scene, nunatak_domain::geo::GeoPos::new(center.x + step, center.y))?;
        Some(1.0 / (a.col - b.col).hypot(a.row - b.row)).filter(|points| points.is_finite() && *points > 0.0)
    }

    /// Every position of the pointer since the last frame, as pixels of the scene.
    pub(super) fn inputs(&mut self, ui: &Ui, rect: Rect, response: &Response, scene: SceneId) -> Vec<Input> {
        let keys_free = ui.memory(|memory| memory.focused()).is_none();
        let (events, space) = ui.input(|input| (input.events.clone(), input.key_down(Key::Space)));
        let free = response.contains_pointer()
            && (!space || !keys_free)
            && !self.map.boxing()
            && !egui::Popup::is_any_open(ui.ctx());
        let scale = self.map.pixels_per_point;
        let pixel_at = |pos| -> Option<PixelPos> {
            let geo = self.map.camera.view().geo_from_screen(screen_pos(rect, pos, scale));
            self.session.pixel_of(scene, geo)
        };
        let mut inputs = Vec::new();
        for event in &events {
            inputs.extend(match *event {
                Event::PointerMoved(pos) => pixel_at(pos).map(Input::Move),
                Event::PointerButton { pos, button: PointerButton::Primary, pressed: true, modifiers } => {
                    pixel_at(pos).filter(|_| free && !modifiers.shift).map(Input::Press)
                }
                Event::PointerButton { pos, button: PointerButton::Primary, pressed: false, .. } => {
                    pixel_at(pos).map(Input::Release)
                }
                Event::PointerButton { button: PointerButton::Secondary, pressed: true, .. } => Some(Input::Abort),
                _ => None,
            });
        }
        let hover = response.hover_pos().filter(|_| response.contains_pointer()).and_then(pixel_at);
        self.hand.hover = hover;
        if response.double_clicked() {
            inputs.push(Input::DoubleClick);
        }
        if keys_free && self.hand.busy() {
            for (key, input) in [(Key::Enter, Input::Enter), (Key::Backspace, Input::Back), (Key::Escape, Input::Abort)]
            {
                if ui.input_mut(|input| input.consume_key(Modifiers::NONE, key)) {
                    inputs.push(input);
                }
            }
        }
        inputs
    }

    fn change_size(&mut self) {
        let travel = std::mem::take(&mut self.map.size_travel) + self.hand.size_travel;
        let steps = (travel / SIZE_POINTS).trunc();
        self.hand.size_travel = travel - steps * SIZE_POINTS;
        for _ in 0..steps.abs() as usize {
            if steps > 0.0 {
                self.saved.tools.larger();
            } else {
                self.saved.tools.smaller();
            }
        }
    }
}

/// For the ninth class and those after it: hues a golden angle apart.
fn spread_color(id: ClassId) -> Rgb {
    let hue = (f64::from(id.0) * 0.618_034).fract() as f32;
    Rgb(egui::ecolor::Hsva::new(hue, 0.62, 0.86, 1.0).to_srgb())
}
