//! Lasso: the way of a drag becomes a polygon.

use nunatak_app::Command;
use nunatak_domain::geo::PixelPos;
use nunatak_domain::label::Gesture;

use super::{Begun, Input, Outline, Setting};

/// Positions closer together than this share of what a hand tells apart are left out.
const SPARE: f64 = 0.25;

#[derive(Debug, Default)]
pub(super) struct LassoTool {
    drag: Option<(Begun, Vec<PixelPos>)>,
}

impl LassoTool {
    pub(super) const fn busy(&self) -> bool {
        self.drag.is_some()
    }

    pub(super) fn take(&mut self, inputs: &[Input], setting: &Setting) -> Vec<Command> {
        let mut commands = Vec::new();
        for input in inputs {
            match *input {
                Input::Press(at) => self.drag = Some((Begun::by(setting), vec![at])),
                Input::Move(at) => self.extend(at, SPARE * setting.near_px),
                Input::Release(at) => {
                    self.extend(at, SPARE * setting.near_px);
                    if let Some((begun, ring)) = self.drag.take().filter(|(_, ring)| ring.len() > 2) {
                        commands.push(begun.paint(Gesture::Polygon { rings: vec![ring] }));
                    }
                }
                Input::Abort => self.drag = None,
                Input::DoubleClick | Input::Enter | Input::Back => {}
            }
        }
        commands
    }

    fn extend(&mut self, at: PixelPos, spare_px: f64) {
        let Some((_, ring)) = &mut self.drag else { return };
        if ring.last().is_none_or(|last| (last.col - at.col).hypot(last.row - at.row) > spare_px) {
            ring.push(at);
        }
    }

    pub(super) fn outline(&self) -> Outline {
        let Some((_, ring)) = &self.drag else { return Outline::default() };
        Outline { positions: ring.clone(), closed: ring.len() > 2, n_handles: 0 }
    }
}
