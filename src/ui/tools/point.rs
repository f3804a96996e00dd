//! Fill, magic wand and superpixel: a click selects the pixels around it.

use nunatak_app::Command;
use nunatak_domain::geo::PixelPos;
use nunatak_domain::label::{Gesture, Slic, Wand, WandReach};

use super::{Begun, Input, Setting};
use crate::tools::options::Metric;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Fill,
    Wand,
    Superpixel,
}

#[derive(Debug)]
pub(super) struct PointTool {
    kind: Kind,
    pressed: Option<(Begun, PixelPos)>,
}

impl PointTool {
    pub(super) const fn new(kind: Kind) -> Self {
        Self { kind, pressed: None }
    }

    pub(super) const fn busy(&self) -> bool {
        self.pressed.is_some()
    }

    pub(super) fn take(&mut self, inputs: &[Input], setting: &Setting) -> Vec<Command> {
        let mut commands = Vec::new();
        for input in inputs {
            match *input {
                Input::Press(at) => self.pressed = Some((Begun::by(setting), at)),
                Input::Release(_) => {
                    if let Some((begun, at)) = self.pressed.take() {
                        commands.extend(self.gesture(at, setting).map(|gesture| begun.paint(gesture)));
                    }
                }
                Input::Abort => self.pressed = None,
                Input::Move(_) | Input::DoubleClick | Input::Enter | Input::Back => {}
            }
        }
        commands
    }

    /// `None` beside the scene.
    fn gesture(&self, at: PixelPos, setting: &Setting) -> Option<Gesture> {
        let inside = |value: f64, end: usize| (value >= 0.0 && value < end as f64).then_some(value as usize);
        let (width, height) = setting.size;
        let (col, row) = (inside(at.col, width)?, inside(at.row, height)?);
        let max_px = (width * height) as u64;
        let options = &setting.options;
        let connectivity = options.connectivity;
        Some(match self.kind {
            Kind::Fill => Gesture::Fill { col, row, connectivity, max_px },
            Kind::Wand => {
                let (metric, tolerance) = match options.metric {
                    Metric::Angle => (nunatak_domain::label::SpectralMetric::Angle, options.angle_deg.to_radians()),
                    Metric::Distance => {
                        let share = options.distance_percent / 100.0;
                        (nunatak_domain::label::SpectralMetric::Euclidean, share * setting.spread)
                    }
                };
                let reach = if options.everywhere { WandReach::Global } else { WandReach::Connected { connectivity } };
                Gesture::Wand { col, row, wand: Wand { metric, tolerance, reach, max_px }, bands: Vec::new() }
            }
            Kind::Superpixel => {
                let slic = Slic { spacing_px: options.superpixel_px as usize, ..Slic::default() };
                Gesture::Superpixel { col, row, slic, bands: setting.bands.clone() }
            }
        })
    }
}
