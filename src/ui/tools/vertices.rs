//! Polygon and line: a click sets a vertex; a double click, Enter or, for a polygon, a click on
//! its first vertex ends it. Dragging sets both ends of an edge.

use nunatak_app::Command;
use nunatak_domain::geo::PixelPos;
use nunatak_domain::label::Gesture;

use super::{Begun, Input, Outline, Setting};

#[derive(Debug)]
pub(super) struct VerticesTool {
    closed: bool,
    begun: Option<Begun>,
    positions: Vec<PixelPos>,
    /// Where the button went down and is still.
    pressed: Option<PixelPos>,
}

impl VerticesTool {
    pub(super) const fn polygon() -> Self {
        Self::of(true)
    }

    pub(super) const fn line() -> Self {
        Self::of(false)
    }

    const fn of(closed: bool) -> Self {
        Self { closed, begun: None, positions: Vec::new(), pressed: None }
    }

    pub(super) const fn busy(&self) -> bool {
        self.begun.is_some()
    }

    pub(super) fn take(&mut self, inputs: &[Input], setting: &Setting) -> Vec<Command> {
        inputs.iter().filter_map(|input| self.take_one(*input, setting)).collect()
    }

    fn take_one(&mut self, input: Input, setting: &Setting) -> Option<Command> {
        let near = |a: PixelPos, b: PixelPos| (a.col - b.col).hypot(a.row - b.row) <= setting.near_px;
        match input {
            Input::Press(at) => {
                self.begun.get_or_insert(Begun::by(setting));
                self.pressed = Some(at);
                if self.closed && self.positions.len() > 2 && near(self.positions[0], at) {
                    return self.commit(setting);
                }
                // The second click of a double click is no vertex of its own.
                if !self.positions.last().is_some_and(|last| near(*last, at)) {
                    self.positions.push(at);
                }
            }
            Input::Release(at) => {
                let from = self.pressed.take()?;
                if self.busy() && !near(from, at) {
                    self.positions.push(at);
                    if !self.closed && self.positions.len() == 2 {
                        return self.commit(setting);
                    }
                }
            }
            Input::DoubleClick | Input::Enter => return self.commit(setting),
            Input::Back => {
                self.positions.pop();
                if self.positions.is_empty() {
                    self.reset();
                }
            }
            Input::Abort => self.reset(),
            Input::Move(_) => {}
        }
        None
    }

    fn commit(&mut self, setting: &Setting) -> Option<Command> {
        let begun = self.begun?;
        let positions = std::mem::take(&mut self.positions);
        self.reset();
        if positions.len() < if self.closed { 3 } else { 2 } {
            return None;
        }
        Some(begun.paint(if self.closed {
            Gesture::Polygon { rings: vec![positions] }
        } else {
            Gesture::Line { width_px: setting.options.size_px, positions }
        }))
    }

    fn reset(&mut self) {
        self.begun = None;
        self.pressed = None;
        self.positions.clear();
    }

    pub(super) fn outline(&self, hover: Option<PixelPos>) -> Outline {
        let hover = hover.filter(|_| self.busy());
        let positions: Vec<PixelPos> = self.positions.iter().copied().chain(hover).collect();
        Outline { closed: self.closed && positions.len() > 2, positions, n_handles: self.positions.len() }
    }
}
