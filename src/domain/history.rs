//! Undo and redo: all steps of a project, of which those near the present are in memory and
//! the others are where the journal says.
//!
//! Invariant: `steps[..position]` are done in the project, the others undone.

use std::sync::Arc;

use crate::edit::{Edit, EditError};
use crate::project::Project;

/// Steps that stay in memory, by default: about 1000 strokes of a middle-sized brush.
pub const DEFAULT_BUDGET_BYTES: usize = 512 << 20;

/// The steps of one project.
#[derive(Clone, Debug)]
pub struct History {
    steps: Vec<Step>,
    position: usize,
    /// Where the project was saved; `None` where that state cannot be reached any more.
    saved: Option<usize>,
    budget_bytes: usize,
    /// Of the edits in memory.
    bytes: usize,
}

/// What the history panel shows of a step, and where it is.
#[derive(Clone, Debug)]
pub struct Step {
    pub title: String,
    /// Byte offset of the step's record in the journal; `None` while it is not there yet: the
    /// step then stays in memory, whatever the budget.
    pub at: Option<u64>,
    edit: Option<Arc<Edit>>,
    bytes: usize,
}

/// What came of asking for undo or redo.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Travel {
    /// One step was made; its title.
    Done(String),
    /// There is nothing to undo or redo.
    AtEnd,
    /// The step is not in memory: read it at this offset of the journal, `supply` it, ask again.
    Fetch { step: usize, at: u64 },
}

impl History {
    pub const fn new(budget_bytes: usize) -> Self {
        Self { steps: Vec::new(), position: 0, saved: Some(0), budget_bytes, bytes: 0 }
    }

    /// A history whose steps are all in the journal: `(title, offset)` each. The project is where
    /// `position` steps are done, and saved there.
    pub fn from_journal(steps: Vec<(String, u64)>, position: usize, budget_bytes: usize) -> Self {
        let steps: Vec<Step> =
            steps.into_iter().map(|(title, at)| Step { title, at: Some(at), edit: None, bytes: 0 }).collect();
        let position = position.min(steps.len());
        Self { steps, position, saved: Some(position), budget_bytes, bytes: 0 }
    }

    /// Adds a step that is done already and drops what was undone. `at` is its place in the
    /// journal. An edit that changes nothing is no step; check before writing it to the journal.
    pub fn push(&mut self, edit: Arc<Edit>, at: u64) {
        self.push_at(edit, Some(at));
    }

    /// As `push`, before the step is in the journal: `set_place` says where it came to be.
    pub fn push_waiting(&mut self, edit: Arc<Edit>) {
        self.push_at(edit, None);
    }

    /// Where a step that waited is in the journal now.
    pub fn set_place(&mut self, step: usize, at: u64) {
        if let Some(step) = self.steps.get_mut(step) {
            step.at = Some(at);
        }
        self.forget_far();
    }

    /// A step that is in memory.
    pub fn edit(&self, step: usize) -> Option<Arc<Edit>> {
        self.steps.get(step)?.edit.clone()
    }

    fn push_at(&mut self, edit: Arc<Edit>, at: Option<u64>) {
        if edit.is_empty() {
            return;
        }
        for step in self.steps.drain(self.position..) {
            self.bytes -= step.bytes;
        }
        if self.saved.is_some_and(|saved| saved > self.position) {
            self.saved = None;
        }
        let bytes = edit.bytes();
        self.steps.push(Step { title: edit.title(), at, edit: Some(edit), bytes });
        self.bytes += bytes;
        self.position += 1;
        self.forget_far();
    }

    /// Takes the last step back.
    ///
    /// # Errors
    /// The step does not fit the project; nothing has changed then.
    pub fn undo(&mut self, project: &mut Project) -> Result<Travel, EditError> {
        let Some(index) = self.position.checked_sub(1) else { return Ok(Travel::AtEnd) };
        let step = &self.steps[index];
        let Some(edit) = &step.edit else { return Ok(step.fetch(index)) };
        edit.revert(project)?;
        let title = step.title.clone();
        self.position = index;
        self.forget_far();
        Ok(Travel::Done(title))
    }

    /// Makes the next step again.
    ///
    /// # Errors
    /// As `undo`.
    pub fn redo(&mut self, project: &mut Project) -> Result<Travel, EditError> {
        let Some(step) = self.steps.get(self.position) else { return Ok(Travel::AtEnd) };
        let Some(edit) = &step.edit else { return Ok(step.fetch(self.position)) };
        edit.apply(project)?;
        let title = step.title.clone();
        self.position += 1;
        self.forget_far();
        Ok(Travel::Done(title))
    }

    /// One step towards a position, as a click in the history panel wants it; `AtEnd` when there.
    ///
    /// # Errors
    /// As `undo`.
    pub fn step_towards(&mut self, position: usize, project: &mut Project) -> Result<Travel, EditError> {
        match position.min(self.steps.len()).cmp(&self.position) {
            std::cmp::Ordering::Less => self.undo(project),
            std::cmp::Ordering::Equal => Ok(Travel::AtEnd),
            std::cmp::Ordering::Greater => self.redo(project),
        }
    }

    /// Brings a step back into memory that `Travel::Fetch` asked for. One that arrives after
    /// the branch was dropped (its offset is another) is left out.
    pub fn supply(&mut self, step: usize, at: u64, edit: Arc<Edit>) {
        let Some(step) = self.steps.get_mut(step).filter(|step| step.at == Some(at) && step.edit.is_none()) else {
            return;
        };
        step.bytes = edit.bytes();
        self.bytes += step.bytes;
        step.edit = Some(edit);
    }

    /// Steps that are done.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// All steps, oldest first; those from `position()` on are undone.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Title of the step that undo takes back.
    pub fn undo_title(&self) -> Option<&str> {
        Some(&self.steps.get(self.position.checked_sub(1)?)?.title)
    }

    /// Title of the step that redo makes again.
    pub fn redo_title(&self) -> Option<&str> {
        Some(&self.steps.get(self.position)?.title)
    }

    /// Notes that the state at `position` is the saved one; a job that saved a snapshot says
    /// which, for the project may have gone on meanwhile. `at` of the last step done then tells
    /// whether that state can still be reached.
    pub fn mark_saved(&mut self, position: usize, last_step_at: Option<u64>) {
        let same = match position.checked_sub(1) {
            None => true,
            Some(index) => self.steps.get(index).is_some_and(|step| step.at == last_step_at),
        };
        self.saved = same.then_some(position);
    }

    /// Place in the journal of the last step that is done, for `mark_saved`.
    pub fn last_step_at(&self) -> Option<u64> {
        self.steps.get(self.position.checked_sub(1)?)?.at
    }

    /// Whether the project is as it was saved.
    pub fn is_saved(&self) -> bool {
        self.saved == Some(self.position)
    }

    /// Where the project was saved, if undo or redo lead there.
    pub const fn saved_position(&self) -> Option<usize> {
        self.saved
    }

    /// Notes that no state of this history is the saved one.
    pub const fn mark_unsaved(&mut self) {
        self.saved = None;
    }

    /// Memory of the edits that are in memory.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets go of edits until the budget is met, those farthest from the present first. The two
    /// that undo and redo would use next stay.
    fn forget_far(&mut self) {
        let (mut first, mut last) = (0, self.steps.len());
        while self.bytes > self.budget_bytes && last - first > 2 {
            // Distance in steps that have to be walked to use it.
            let index = if self.position - first.min(self.position) >= last.saturating_sub(self.position) {
                first += 1;
                first - 1
            } else {
                last -= 1;
                last
            };
            if index.abs_diff(self.position) <= 1 && (index == self.position || index + 1 == self.position) {
                continue;
            }
            let step = &mut self.steps[index];
            if step.at.is_none() {
                continue;
            }
            step.edit = None;
            self.bytes -= std::mem::take(&mut step.bytes);
        }
    }
}

impl Step {
    /// Invariant: a step that is not in memory is in the journal.
    fn fetch(&self, index: usize) -> Travel {
        self.at.map_or(Travel::AtEnd, |at| Travel::Fetch { step: index, at })
    }

    /// Whether undo or redo need not wait for the journal.
    pub const fn in_memory(&self) -> bool {
        self.edit.is_some()
    }
}
