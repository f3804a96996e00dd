//! From a saved state and the journal to where the user was.

use std::path::Path;

use nunatak_domain::edit::Edit;
use nunatak_domain::project::Project;

use super::journal::{Entry, JournalReader, Record};

/// Steps by title and offset, as records make and drop them.
#[derive(Clone, Debug, Default)]
pub(super) struct StepList {
    pub(super) steps: Vec<(String, u64)>,
    /// Steps that are done.
    pub(super) position: usize,
}

/// What came of a replay.
#[derive(Debug)]
pub(super) struct Replayed {
    pub(super) list: StepList,
    /// Steps that were made or taken back.
    pub(super) n_played: usize,
    /// End of the last record that could be played.
    pub(super) end: u64,
    /// Why those after it could not.
    pub(super) stopped: Option<String>,
}

impl StepList {
    /// Offset of the last step that is done.
    pub(super) fn last_step_at(&self) -> Option<u64> {
        Some(self.steps.get(self.position.checked_sub(1)?)?.1)
    }

    /// Takes a record into account; `false` where it cannot follow those before it.
    pub(super) fn add(&mut self, record: &Record) -> bool {
        match &record.entry {
            Entry::Step { index, title } => {
                let Some(index) = usize::try_from(*index).ok().filter(|&index| index <= self.steps.len()) else {
                    return false;
                };
                self.steps.truncate(index);
                self.steps.push((title.clone(), record.at));
                self.position = index + 1;
            }
            Entry::Position { position } => {
                let Some(position) = usize::try_from(*position).ok().filter(|&at| at <= self.steps.len()) else {
                    return false;
                };
                self.position = position;
            }
        }
        true
    }
}

/// Plays records onto a project that is where `list` stands. Moves that the next record undoes
/// again are not made. Stops at what cannot be read or does not fit, with the project as it was
/// before that.
pub(super) fn replay(project: &mut Project, mut list: StepList, records: &[Record], journal: &Path) -> Replayed {
    let reader = JournalReader::new(journal);
    let mut applied = list.position;
    let mut n_played = 0;
    let mut end = records.first().map_or(0, |record| record.at);
    let mut stopped = None;
    for record in records {
        let step = match &record.entry {
            Entry::Step { index, .. } => Some(*index as usize),
            Entry::Position { .. } => None,
        };
        let played = match step {
            Some(index) if index > list.steps.len() => Err("a step before it is missing".to_owned()),
            Some(index) => go_to(project, &reader, &list, &mut applied, index, &mut n_played).and_then(|()| {
                play(project, &reader, record.at, Edit::apply)?;
                (applied, n_played) = (index + 1, n_played + 1);
                Ok(())
            }),
            None => Ok(()),
        };
        let played =
            played.and_then(|()| if list.add(record) { Ok(()) } else { Err("a step before it is missing".to_owned()) });
        if let Err(reason) = played {
            stopped = Some(reason);
            break;
        }
        end = record.end;
    }
    let target = list.position;
    if let Err(reason) = go_to(project, &reader, &list, &mut applied, target, &mut n_played) {
        stopped.get_or_insert(reason);
        list.position = applied;
    }
    Replayed { list, n_played, end, stopped }
}

fn go_to(
    project: &mut Project,
    reader: &JournalReader,
    list: &StepList,
    applied: &mut usize,
    target: usize,
    n_played: &mut usize,
) -> Result<(), String> {
    while *applied != target {
        let back = *applied > target;
        let index = if back { *applied - 1 } else { *applied };
        let (_, at) = list.steps.get(index).ok_or("a step before it is missing")?;
        play(project, reader, *at, if back { Edit::revert } else { Edit::apply })?;
        *applied = if back { index } else { index + 1 };
        *n_played += 1;
    }
    Ok(())
}

type Play = fn(&Edit, &mut Project) -> Result<(), nunatak_domain::edit::EditError>;

fn play(project: &mut Project, reader: &JournalReader, at: u64, way: Play) -> Result<(), String> {
    let edit = reader.read(at).map_err(|error| error.to_string())?;
    way(&edit, project).map_err(|error| error.to_string())
}
