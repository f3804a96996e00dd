//! Rectangle: dragged from corner to corner, along the rows of the scene.

use nunatak_app::Command;
use nunatak_domain::geo::PixelPos;
use nunatak_domain::label::Gesture;

use super::{Begun, Input, Outline, Setting};

#[derive(Debug, Default)]
pub(super) struct RectangleTool {
    drag: Option<(Begun, PixelPos, PixelPos)>,
}

impl RectangleTool {
    pub(super) const fn busy(&self) -> bool {
        self.drag.is_some()
    }

    pub(super) fn take(&mut self, inputs: &[Input], setting: &Setting) -> Vec<Command> {
        let mut commands = Vec::new();
        for input in inputs {
            match *input {
                Input::Press(at) => self.drag = Some((Begun::by(setting), at, at)),
                Input::Move(at) => {
                    if let Some((_, _, to)) = &mut self.drag {
                        *to = at;
                    }
                }
                Input::Release(to) => {
                    if let Some((begun, from, _)) = self.drag.take().filter(|(_, from, _)| *from != to) {
                        commands.push(begun.paint(Gesture::Rectangle { from, to }));
                    }
                }
                Input::Abort => self.drag = None,
                Input::DoubleClick | Input::Enter | Input::Back => {}
            }
        }
        commands
    }

    pub(super) fn outline(&self) -> Outline {
        let Some((_, from, to)) = self.drag else { return Outline::default() };
        let positions = vec![from, PixelPos::new(to.col, from.row), to, PixelPos::new(from.col, to.row)];
        Outline { positions, closed: true, n_handles: 0 }
    }
}
