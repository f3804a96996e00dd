//! The tool that picks spectra: a click or a stroke becomes pixels of a reference.

use egui::{Key, Modifiers, Painter, Rect, Response, Shape, Stroke, Ui};
use nunatak_app::{Command, SampleMode, SampleRequest, Session};
use nunatak_domain::geo::PixelPos;
use nunatak_domain::label::{Brush, Gesture};
use nunatak_domain::layer::SceneId;

use super::Input;
use crate::map::{MapState, Tool, pos_of};
use crate::panels;
use crate::saved::Workspace;
use crate::shell::Shell;
use crate::theme;

/// Which reference a stroke belongs to, and the stroke in progress.
#[derive(Debug, Default)]
pub(crate) struct Picker {
    /// From 0; `None` makes a new one.
    pub target: Option<usize>,
    /// Takes pixels away.
    pub erase: bool,
    positions: Vec<PixelPos>,
    /// The place of a reference that is being made: the next stroke grows it.
    made: Option<usize>,
}

/// What a stroke has come to.
#[derive(Debug, PartialEq)]
pub(crate) enum Sampling {
    /// It goes on: what the reference would be.
    Preview(SampleRequest),
    Make(SampleRequest),
    Abort,
}

impl Picker {
    pub(crate) fn busy(&self) -> bool {
        !self.positions.is_empty()
    }

    /// Ends the stroke as if it had never begun; `false` where there was none.
    fn let_go(&mut self) -> bool {
        !std::mem::take(&mut self.positions).is_empty()
    }

    /// Follows the reference that was made, and lets go of one that is gone.
    pub(crate) fn follow(&mut self, n_references: usize) {
        if let Some(made) = self.made.take_if(|made| *made < n_references) {
            self.target = Some(made);
        }
        if self.target.is_some_and(|target| target >= n_references) {
            *self = Self::default();
        }
    }

    /// The last thing that this frame's input came to.
    pub(crate) fn take(&mut self, inputs: &[Input], scene: SceneId, brush: Brush) -> Option<Sampling> {
        let mut outcome = None;
        for input in inputs {
            match *input {
                Input::Press(at) => {
                    self.positions = vec![at];
                    self.made = None;
                }
                Input::Move(at) if self.busy() => self.positions.push(at),
                Input::Release(_) if self.busy() => {
                    let request = self.request(scene, brush);
                    self.positions.clear();
                    return Some(Sampling::Make(request));
                }
                Input::Abort if self.let_go() => {
                    return Some(Sampling::Abort);
                }
                _ => continue,
            }
            outcome = self.busy().then(|| Sampling::Preview(self.request(scene, brush)));
        }
        outcome
    }

    fn request(&self, scene: SceneId, brush: Brush) -> SampleRequest {
        SampleRequest {
            scene,
            reference: self.target,
            gesture: Gesture::Stroke { brush, positions: self.positions.clone() },
            mode: if self.erase && self.target.is_some() { SampleMode::Erase } else { SampleMode::Add },
            name: None,
            class: None,
        }
    }
}

impl Shell {
    /// Ends a stroke that picks as if it had never begun; `false` where there was none.
    pub(super) fn drop_pick(&mut self) -> bool {
        let dropped = self.picker.let_go();
        if dropped {
            self.session.end_preview().into_iter().for_each(|event| self.arrived(event));
        }
        dropped
    }

    /// Takes the tool; `None` starts a new reference.
    pub(crate) fn pick_into(&mut self, target: Option<usize>, erase: bool) {
        self.drop_gesture();
        self.map.tool = Tool::Pick;
        self.picker = Picker { target, erase, ..Picker::default() };
        self.saved.side_panel = true;
        if self.saved.workspace == Workspace::Look {
            self.saved.workspace = Workspace::Explain;
        }
    }

    /// Gives the tool what happened on the map in this frame.
    pub(crate) fn pick(&mut self, ui: &Ui, rect: Rect, response: &Response) {
        self.picker.follow(self.session.project().references.references.len());
        let Some(scene) = panels::target_scene(&self.session, self.map.chosen) else { return };
        let mut inputs = self.inputs(ui, rect, response, scene);
        if self.picker.busy() && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape)) {
            inputs.push(Input::Abort);
        }
        let brush = Brush::new(self.saved.tools.shape, self.saved.tools.size_px);
        let events = match self.picker.take(&inputs, scene, brush) {
            None => return,
            // A refusal is said once, when the stroke is to be made.
            Some(Sampling::Preview(request)) => {
                let _ = self.session.preview_sample(&request);
                return;
            }
            Some(Sampling::Abort) => self.session.end_preview(),
            Some(Sampling::Make(request)) => {
                let new = request.reference.is_none().then(|| self.session.project().references.references.len());
                if self.accepts(Command::SampleReference(request)) {
                    self.picker.made = new;
                    return;
                }
                self.session.end_preview()
            }
        };
        events.into_iter().for_each(|event| self.arrived(event));
    }
}

/// Runs of pixels that are marked at most; a mask of more is marked in part.
const MAX_RUNS: usize = 4000;

/// Marks the pixels of the reference in the hand, those of the stroke in progress with them.
pub(crate) fn picked(painter: &Painter, rect: Rect, session: &Session, map: &MapState, picker: &Picker) {
    if map.tool != Tool::Pick {
        return;
    }
    let set = session.references();
    // A new reference is the last one while its stroke lasts.
    let last = || picker.busy().then(|| set.references.len().checked_sub(1)).flatten();
    let Some(reference) = picker.target.or_else(last).and_then(|index| set.references.get(index)) else { return };
    let Some((scene, mask)) = reference.sample.as_ref().and_then(|sample| Some((sample.scene?, &sample.mask))) else {
        return;
    };
    let color = theme::color(reference.color);
    let corner = |col: usize, row: usize| {
        let geo = session.geo_of(scene, PixelPos::new(col as f64, row as f64))?;
        Some(pos_of(rect, map.camera.view(), geo, map.pixels_per_point))
    };
    for run in mask.runs().iter().take(MAX_RUNS) {
        let (cols, row) = (run.cols(), run.row());
        let corners = [(cols.start, row), (cols.end, row), (cols.end, row + 1), (cols.start, row + 1)];
        let corners: Option<Vec<_>> = corners.into_iter().map(|(col, row)| corner(col, row)).collect();
        if let Some(corners) = corners.filter(|corners| rect.intersects(Rect::from_points(corners))) {
            painter.add(Shape::convex_polygon(corners, color.gamma_multiply(0.6), Stroke::NONE));
        }
    }
}

#[cfg(test)]
mod tests {
    use nunatak_domain::label::BrushShape;

    use super::*;

    const SCENE: SceneId = SceneId(1);

    fn at(col: f64) -> PixelPos {
        PixelPos::new(col, 2.0)
    }

    fn take(tool: &mut Picker, inputs: &[Input]) -> Option<Sampling> {
        tool.take(inputs, SCENE, Brush::new(BrushShape::Round, 3))
    }

    #[test]
    fn a_stroke_is_previewed_while_it_grows_and_made_once() {
        let mut tool = Picker { target: Some(2), erase: true, ..Picker::default() };

        let Some(Sampling::Preview(preview)) = take(&mut tool, &[Input::Press(at(1.0)), Input::Move(at(5.0))]) else {
            panic!("a preview")
        };
        let Some(Sampling::Make(made)) = take(&mut tool, &[Input::Move(at(9.0)), Input::Release(at(9.0))]) else {
            panic!("made")
        };

        assert_eq!((preview.reference, preview.mode), (Some(2), SampleMode::Erase));
        let Gesture::Stroke { positions, .. } = made.gesture else { panic!("a stroke") };
        assert_eq!(positions, [at(1.0), at(5.0), at(9.0)]);
        assert!(!tool.busy() && take(&mut tool, &[Input::Move(at(20.0))]).is_none());
    }

    #[test]
    fn the_next_stroke_grows_what_the_first_one_made() {
        let mut tool = Picker { made: Some(3), ..Picker::default() };
        tool.follow(3);
        assert_eq!(tool.target, None);
        tool.follow(4);
        assert_eq!(tool.target, Some(3));
        // Undone: there is nothing to grow.
        tool.follow(3);
        assert_eq!(tool.target, None);
    }

    #[test]
    fn escape_leaves_nothing_and_a_new_reference_is_never_erased() {
        let mut tool = Picker { erase: true, ..Picker::default() };
        let Some(Sampling::Preview(preview)) = take(&mut tool, &[Input::Press(at(1.0))]) else { panic!("a preview") };
        assert_eq!(preview.mode, SampleMode::Add);

        assert_eq!(take(&mut tool, &[Input::Abort, Input::Release(at(1.0))]), Some(Sampling::Abort));
        assert!(take(&mut tool, &[Input::Release(at(1.0))]).is_none());
    }
}
