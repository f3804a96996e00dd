//! The painting tools: small state machines that turn positions on a scene into commands.
//!
//! Nothing here knows the screen: positions are pixels of the scene, converted once. `drive.rs`
//! feeds the machine of the tool in use, `preview.rs` and `strip.rs` draw what belongs to it.

mod drive;
mod lasso;
mod options;
mod picker;
mod point;
mod preview;
mod rectangle;
mod strip;
mod stroke;
mod target;
#[cfg(test)]
mod tests;
mod vertices;

use nunatak_app::Command;
use nunatak_domain::class::{ClassId, ClassScheme};
use nunatak_domain::geo::PixelPos;
use nunatak_domain::label::{Gesture, LabelsId, PaintRule};

use crate::action::Action;

#[cfg(test)]
pub(crate) use options::Onto;
pub(crate) use options::ToolOptions;
pub(crate) use picker::{Picker, picked};
pub(crate) use preview::preview;
pub(crate) use strip::strip;
pub(crate) use target::{Aim, aim};

/// What the left mouse button paints with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PaintTool {
    Brush,
    Eraser,
    Polygon,
    Rectangle,
    Lasso,
    Line,
    Fill,
    Wand,
    Superpixel,
}

impl PaintTool {
    /// In the order of the rail.
    pub(crate) const ALL: [Self; 9] = [
        Self::Brush,
        Self::Eraser,
        Self::Polygon,
        Self::Rectangle,
        Self::Lasso,
        Self::Line,
        Self::Fill,
        Self::Wand,
        Self::Superpixel,
    ];

    pub(crate) const fn action(self) -> Action {
        match self {
            Self::Brush => Action::Brush,
            Self::Eraser => Action::Eraser,
            Self::Polygon => Action::Polygon,
            Self::Rectangle => Action::Rectangle,
            Self::Lasso => Action::Lasso,
            Self::Line => Action::Line,
            Self::Fill => Action::Fill,
            Self::Wand => Action::Wand,
            Self::Superpixel => Action::Superpixel,
        }
    }

    /// Whether `[`, `]` and Shift+wheel change its size.
    pub(crate) const fn has_size(self) -> bool {
        matches!(self, Self::Brush | Self::Eraser | Self::Line)
    }
}

/// What happened, in the order it did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Input {
    Press(PixelPos),
    Move(PixelPos),
    Release(PixelPos),
    /// After the press and release of its second click.
    DoubleClick,
    Enter,
    /// Backspace: the last vertex goes.
    Back,
    /// Esc or the right button.
    Abort,
}

/// What the tools work with in this frame.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Setting {
    pub labels: LabelsId,
    /// Taken when a gesture begins; later changes do not touch it.
    pub rule: PaintRule,
    /// Distance that a hand does not tell apart, in pixels of the scene.
    pub near_px: f64,
    /// Width and height of the scene.
    pub size: (usize, usize),
    pub options: ToolOptions,
    /// Bands that the map shows, for superpixels.
    pub bands: Vec<usize>,
    /// Spread of the scene's values, for the wand's tolerance.
    pub spread: f64,
}

/// Label layer and rule of a gesture, as of its beginning.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Begun {
    labels: LabelsId,
    rule: PaintRule,
}

impl Begun {
    const fn by(setting: &Setting) -> Self {
        Self { labels: setting.labels, rule: setting.rule }
    }

    const fn paint(self, gesture: Gesture) -> Command {
        Command::Paint { labels: self.labels, gesture, rule: self.rule }
    }
}

/// What a gesture in progress looks like.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outline {
    pub positions: Vec<PixelPos>,
    pub closed: bool,
    /// Vertices that were set, drawn as handles.
    pub n_handles: usize,
}

/// The machine of the tool in use.
#[derive(Debug)]
enum Machine {
    Stroke(stroke::StrokeTool),
    Vertices(vertices::VerticesTool),
    Rectangle(rectangle::RectangleTool),
    Lasso(lasso::LassoTool),
    Point(point::PointTool),
}

impl Machine {
    fn of(tool: PaintTool) -> Self {
        match tool {
            PaintTool::Brush | PaintTool::Eraser => Self::Stroke(stroke::StrokeTool::default()),
            PaintTool::Polygon => Self::Vertices(vertices::VerticesTool::polygon()),
            PaintTool::Line => Self::Vertices(vertices::VerticesTool::line()),
            PaintTool::Rectangle => Self::Rectangle(rectangle::RectangleTool::default()),
            PaintTool::Lasso => Self::Lasso(lasso::LassoTool::default()),
            PaintTool::Fill => Self::Point(point::PointTool::new(point::Kind::Fill)),
            PaintTool::Wand => Self::Point(point::PointTool::new(point::Kind::Wand)),
            PaintTool::Superpixel => Self::Point(point::PointTool::new(point::Kind::Superpixel)),
        }
    }

    fn take(&mut self, inputs: &[Input], setting: &Setting) -> Vec<Command> {
        match self {
            Self::Stroke(tool) => tool.take(inputs, setting),
            Self::Vertices(tool) => tool.take(inputs, setting),
            Self::Rectangle(tool) => tool.take(inputs, setting),
            Self::Lasso(tool) => tool.take(inputs, setting),
            Self::Point(tool) => tool.take(inputs, setting),
        }
    }

    /// A gesture has begun and not ended.
    fn busy(&self) -> bool {
        match self {
            Self::Stroke(tool) => tool.busy(),
            Self::Vertices(tool) => tool.busy(),
            Self::Rectangle(tool) => tool.busy(),
            Self::Lasso(tool) => tool.busy(),
            Self::Point(tool) => tool.busy(),
        }
    }

    fn outline(&self, hover: Option<PixelPos>) -> Outline {
        match self {
            Self::Stroke(_) | Self::Point(_) => Outline::default(),
            Self::Vertices(tool) => tool.outline(hover),
            Self::Rectangle(tool) => tool.outline(),
            Self::Lasso(tool) => tool.outline(),
        }
    }
}

/// The hand: tool, class, and the gesture in progress. The tool's options are in `Saved`.
#[derive(Debug)]
pub(crate) struct Hand {
    tool: PaintTool,
    machine: Machine,
    class: Option<ClassId>,
    /// The class before this one, for `X`.
    other: Option<ClassId>,
    /// Where the pointer is on the scene.
    pub(crate) hover: Option<PixelPos>,
    /// Wheel travel that has not become a size yet, in points.
    pub(crate) size_travel: f32,
    /// What was made so that one can paint; said until something was painted.
    pub(crate) welcome: Option<String>,
    /// What the gesture in progress was begun on.
    pub(crate) aim: Option<Aim>,
}

impl Default for Hand {
    fn default() -> Self {
        Self {
            tool: PaintTool::Brush,
            machine: Machine::of(PaintTool::Brush),
            class: None,
            other: None,
            hover: None,
            size_travel: 0.0,
            welcome: None,
            aim: None,
        }
    }
}

impl Hand {
    /// Takes another tool; what the one before had begun must have been aborted.
    fn take_tool(&mut self, tool: PaintTool) {
        if self.tool != tool {
            self.tool = tool;
            self.machine = Machine::of(tool);
        }
    }

    pub(crate) fn busy(&self) -> bool {
        self.machine.busy()
    }

    /// The class that is painted: the chosen one while it exists, else the first.
    pub(crate) fn class(&self, scheme: &ClassScheme) -> Option<ClassId> {
        let known = |id: &ClassId| scheme.get(*id).is_some();
        self.class.filter(known).or_else(|| scheme.classes.first().map(|class| class.id))
    }

    pub(crate) fn choose(&mut self, id: ClassId, scheme: &ClassScheme) {
        let before = self.class(scheme);
        if before != Some(id) {
            self.other = before;
        }
        self.class = Some(id);
    }

    /// Back to the class before; without one, to the next in the list.
    pub(crate) fn swap(&mut self, scheme: &ClassScheme) {
        let now = self.class(scheme);
        let known = self.other.filter(|id| scheme.get(*id).is_some() && Some(*id) != now);
        let beside = || scheme.classes.iter().map(|class| class.id).find(|id| Some(*id) != now);
        if let Some(id) = known.or_else(beside) {
            self.choose(id, scheme);
        }
    }
}
