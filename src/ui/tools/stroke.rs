//! Brush and eraser: the stroke is drawn while the pointer moves.

use nunatak_app::Command;

use super::{Input, Setting};

#[derive(Debug, Default)]
pub(super) struct StrokeTool {
    down: bool,
}

impl StrokeTool {
    pub(super) const fn busy(&self) -> bool {
        self.down
    }

    pub(super) fn take(&mut self, inputs: &[Input], setting: &Setting) -> Vec<Command> {
        let mut commands = Vec::new();
        let mut positions = Vec::new();
        for input in inputs {
            match *input {
                Input::Press(at) if !self.down => {
                    self.down = true;
                    let (labels, rule, brush) = (setting.labels, setting.rule, setting.options.brush());
                    commands.push(Command::BeginStroke { labels, brush, rule, at });
                }
                Input::Move(at) if self.down => positions.push(at),
                Input::Release(at) if self.down => {
                    self.down = false;
                    positions.push(at);
                    commands.push(Command::ExtendStroke { positions: std::mem::take(&mut positions) });
                    commands.push(Command::EndStroke);
                }
                Input::Abort if self.down => {
                    self.down = false;
                    positions.clear();
                    commands.push(Command::AbortStroke);
                }
                _ => {}
            }
        }
        if !positions.is_empty() {
            commands.push(Command::ExtendStroke { positions });
        }
        commands
    }
}
