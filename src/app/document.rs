//! The document of a session: what undo can bring back, its history, and where steps are kept.

use std::collections::VecDeque;
use std::sync::Arc;

use nunatak_domain::edit::{Edit, EditError};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::history::{DEFAULT_BUDGET_BYTES, History, Travel};
use nunatak_domain::label::{LabelChange, LabelsId, Stroke};
use nunatak_domain::project::Project;
use nunatak_io::project::Journal;

/// What an edit changed, so that what is derived from the document can follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    /// Label layers whose pixels changed, and where.
    pub(crate) labels: Vec<(LabelsId, PixelRect)>,
    /// Label layers came, went or were renamed.
    pub(crate) list: bool,
    pub(crate) classes: bool,
    pub(crate) references: bool,
}

/// A brush that is down.
pub(crate) struct Drawing {
    pub(crate) labels: LabelsId,
    pub(crate) stroke: Stroke,
    pub(crate) title: &'static str,
}

/// Invariant: the project is what the first `history.position()` steps made of the opened one,
/// and what the stroke in progress has painted since.
pub(crate) struct Document {
    pub(crate) project: Project,
    pub(crate) history: History,
    pub(crate) stroke: Option<Drawing>,
    /// `None` while there is no folder, or a job has the journal.
    pub(crate) journal: Option<Journal>,
    /// What the journal does not have yet.
    waiting: VecDeque<Record>,
    /// Counts changes; a save notes the count it belongs to.
    pub(crate) changes: u64,
    /// Where undo or redo are on their way to while a step is read from the journal.
    pub(crate) goal: Option<usize>,
    /// The disk refused a step, and that was said.
    pub(crate) refused: bool,
}

enum Record {
    Step(usize, Arc<Edit>),
    Position(usize),
}

/// A step of the history that has to be read from the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fetch {
    pub(crate) step: usize,
    pub(crate) at: u64,
}

impl Default for Document {
    fn default() -> Self {
        Self::new(Project::default(), History::new(DEFAULT_BUDGET_BYTES))
    }
}

impl Document {
    pub(crate) fn new(project: Project, history: History) -> Self {
        Self {
            project,
            history,
            stroke: None,
            journal: None,
            waiting: VecDeque::new(),
            changes: 0,
            goal: None,
            refused: false,
        }
    }

    /// Makes a step. An edit that changes nothing is none.
    ///
    /// # Errors
    /// The edit does not fit the project; nothing has changed then.
    pub(crate) fn make(&mut self, edit: Edit) -> Result<Touched, EditError> {
        if edit.is_empty() {
            return Ok(Touched::default());
        }
        edit.apply(&mut self.project)?;
        let touched = Touched::of(&edit);
        let edit = Arc::new(edit);
        let index = self.history.position();
        self.history.push_waiting(Arc::clone(&edit));
        self.waiting.push_back(Record::Step(index, edit));
        self.goal = None;
        self.changes += 1;
        Ok(touched)
    }

    /// Goes towards a position of the history as far as steps are in memory; an error where a
    /// step does not fit the project, with what was done until there.
    pub(crate) fn travel(&mut self, goal: usize) -> (Touched, Result<Option<Fetch>, EditError>) {
        let mut touched = Touched::default();
        let before = self.history.position();
        let fetch = loop {
            let at = self.history.position();
            match self.history.step_towards(goal, &mut self.project) {
                Err(error) => break Err(error),
                Ok(Travel::Done(_)) => {
                    let step = at.min(self.history.position());
                    if let Some(edit) = self.history.edit(step) {
                        touched.add(Touched::of(&edit));
                    }
                }
                Ok(Travel::AtEnd) => break Ok(None),
                Ok(Travel::Fetch { step, at }) => break Ok(Some(Fetch { step, at })),
            }
        };
        if self.history.position() != before {
            self.waiting.push_back(Record::Position(self.history.position()));
            self.changes += 1;
        }
        self.goal = matches!(fetch, Ok(Some(_))).then_some(goal);
        (touched, fetch)
    }

    /// Gives the journal what it does not have yet; a sentence where the disk refuses. What was
    /// refused stays with the journal, which tries again with the next step.
    pub(crate) fn write(&mut self) -> Result<(), String> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let mut written = Ok(());
        while let Some(record) = self.waiting.pop_front() {
            let appended = match record {
                Record::Step(index, edit) => {
                    let appended = journal.append_step(index, &edit);
                    self.history.set_place(index, appended.at);
                    appended
                }
                Record::Position(position) => journal.append_position(position),
            };
            written = appended.written.map_err(|error| error.to_string());
        }
        written
    }

    /// Steps wait for a journal.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

impl Touched {
    fn of(edit: &Edit) -> Self {
        let mut touched = Self::default();
        match edit {
            Edit::Labels { id, change, .. } => touched.labels.extend(around(change).map(|rect| (*id, rect))),
            Edit::Classes { .. } => touched.classes = true,
            Edit::References { .. } => touched.references = true,
            Edit::AddLabels { labels, .. } | Edit::RemoveLabels { labels, .. } => {
                touched.labels.push((labels.id, labels.layer.rect()));
                touched.list = true;
            }
            Edit::RenameLabels { .. } => touched.list = true,
            Edit::Group { edits, .. } => edits.iter().for_each(|edit| touched.add(Self::of(edit))),
        }
        touched
    }

    fn add(&mut self, other: Self) {
        self.labels.extend(other.labels);
        self.list |= other.list;
        self.classes |= other.classes;
        self.references |= other.references;
    }
}

/// Around the tiles that differ.
fn around(change: &LabelChange) -> Option<PixelRect> {
    change.tiles.keys().map(|pos| pos.rect()).reduce(|a, b| a.union(&b))
}
