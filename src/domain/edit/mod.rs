//! Reversible changes of a [`Project`]: what undo and redo play, and what the journal holds.
//!
//! Invariant: `apply` on the state that an edit was made from, then `revert`, gives that state back.

mod classes;
mod labels;
#[cfg(test)]
mod tests;

use crate::class::{ClassId, ClassScheme};
use crate::label::{LabelChange, LabelTile, LabelsId};
use crate::project::{Labels, Project};
use crate::spectra::{ReferenceSet, SpectralReference};

pub use classes::{
    MAX_CLASS_ID, add_class, change_class_id, delete_class, free_class_id, group_class, merge_classes, move_class,
    recolor_class, rename_class, replace_scheme,
};
pub use labels::{add_labels, change_labels, duplicate_labels, remove_labels, rename_labels};

/// One step of the history, before and after.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Painted, filled, erased, filtered, …
    Labels {
        id: LabelsId,
        title: String,
        change: LabelChange,
    },
    Classes {
        title: String,
        before: ClassScheme,
        after: ClassScheme,
    },
    References {
        title: String,
        change: ReferencesChange,
    },
    /// `next_before` is the project's `next_labels` before it.
    AddLabels {
        at: usize,
        labels: Labels,
        next_before: LabelsId,
    },
    RemoveLabels {
        at: usize,
        labels: Labels,
    },
    RenameLabels {
        id: LabelsId,
        before: String,
        after: String,
    },
    /// Several that are one step for the user, applied in order.
    Group {
        title: String,
        edits: Vec<Self>,
    },
}

/// Neighbouring references that are replaced by others, and the names of the bands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReferencesChange {
    /// Index of the first one that differs.
    pub at: usize,
    pub before: Vec<SpectralReference>,
    pub after: Vec<SpectralReference>,
    /// Names of the bands before and after, where they differ.
    pub bands: Option<(Vec<String>, Vec<String>)>,
}

/// Why a change cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("there is no label layer {}", .0.0)]
    NoLabels(LabelsId),
    #[error("there is no class {}", .0.0)]
    NoClass(ClassId),
    #[error("class {} exists; merge the two to make them one", .0.0)]
    ClassExists(ClassId),
    #[error("{0} is no class id: ids are whole numbers from 0 to 65534")]
    BadClassId(u32),
    #[error("a class needs a name")]
    NoName,
    /// The state is not the one that the edit was made from.
    #[error("the step does not fit the project: {0}")]
    Mismatch(&'static str),
}

impl Edit {
    /// Painted labels, as a pen gives them.
    pub fn labels(id: LabelsId, title: impl Into<String>, change: LabelChange) -> Self {
        Self::Labels { id, title: title.into(), change }
    }

    /// From the project's references to others.
    pub fn references(title: impl Into<String>, before: &ReferenceSet, after: &ReferenceSet) -> Self {
        Self::References { title: title.into(), change: ReferencesChange::between(before, after) }
    }

    /// From one state of a project to another: a restored version, a recovered project.
    /// `next_labels` never falls, so that ids are not given twice.
    pub fn between(title: impl Into<String>, before: &Project, after: &Project) -> Self {
        let title = title.into();
        let mut edits = vec![
            Self::Classes { title: title.clone(), before: before.classes.clone(), after: after.classes.clone() },
            Self::references(title.clone(), &before.references, &after.references),
        ];
        // A layer whose scene or size differs is another layer; so are all, where their order differs.
        let same = |a: &Labels, b: &Labels| (a.id, a.scene, a.layer.rect()) == (b.id, b.scene, b.layer.rect());
        let stays = |labels: &&Labels, others: &[Labels]| others.iter().any(|other| same(labels, other));
        let kept = |from: &[Labels], others: &[Labels]| -> Vec<LabelsId> {
            from.iter().filter(|labels| stays(labels, others)).map(|labels| labels.id).collect()
        };
        let mut keep = kept(&before.labels, &after.labels);
        if keep != kept(&after.labels, &before.labels) {
            keep.clear();
        }
        for (at, labels) in before.labels.iter().enumerate().rev().filter(|(_, labels)| !keep.contains(&labels.id)) {
            edits.push(Self::RemoveLabels { at, labels: labels.clone() });
        }
        let mut next_before = before.next_labels;
        for (at, labels) in after.labels.iter().enumerate() {
            match before.labels(labels.id).filter(|_| keep.contains(&labels.id)) {
                None => {
                    edits.push(Self::AddLabels { at, labels: labels.clone(), next_before });
                    next_before = next_before.max(after_id(labels.id));
                }
                Some(old) => {
                    edits.push(Self::RenameLabels {
                        id: labels.id,
                        before: old.name.clone(),
                        after: labels.name.clone(),
                    });
                    edits.push(Self::labels(labels.id, "", LabelChange::between(&old.layer, &labels.layer)));
                }
            }
        }
        Self::group(title, edits)
    }

    /// One step of several; those that change nothing are left out.
    pub fn group(title: impl Into<String>, mut edits: Vec<Self>) -> Self {
        edits.retain(|edit| !edit.is_empty());
        Self::Group { title: title.into(), edits }
    }

    /// For the history panel.
    pub fn title(&self) -> String {
        match self {
            Self::Labels { title, .. }
            | Self::Classes { title, .. }
            | Self::References { title, .. }
            | Self::Group { title, .. } => title.clone(),
            Self::AddLabels { labels, .. } => format!("Add label layer {}", labels.name),
            Self::RemoveLabels { labels, .. } => format!("Remove label layer {}", labels.name),
            Self::RenameLabels { after, .. } => format!("Rename label layer to {after}"),
        }
    }

    /// Whether nothing differs: then it is no step.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Labels { change, .. } => change.is_empty(),
            Self::Classes { before, after, .. } => before == after,
            Self::References { change, .. } => change.is_empty(),
            Self::AddLabels { .. } | Self::RemoveLabels { .. } => false,
            Self::RenameLabels { before, after, .. } => before == after,
            Self::Group { edits, .. } => edits.iter().all(Self::is_empty),
        }
    }

    /// Makes the change.
    ///
    /// # Errors
    /// The project is not in the state that the edit was made from; then nothing has changed.
    pub fn apply(&self, project: &mut Project) -> Result<(), EditError> {
        match self {
            Self::Labels { id, change, .. } => {
                change.redo(&mut project.labels_mut(*id).ok_or(EditError::NoLabels(*id))?.layer);
            }
            Self::Classes { after, .. } => project.classes = after.clone(),
            Self::References { change, .. } => change.apply(&mut project.references)?,
            Self::AddLabels { at, labels, .. } => {
                insert(project, *at, labels)?;
                project.next_labels = project.next_labels.max(after_id(labels.id));
            }
            Self::RemoveLabels { at, labels } => remove(project, *at, labels.id)?,
            Self::RenameLabels { id, after, .. } => rename(project, *id, after)?,
            Self::Group { edits, .. } => {
                for (done, edit) in edits.iter().enumerate() {
                    if let Err(error) = edit.apply(project) {
                        for edit in edits[..done].iter().rev() {
                            edit.revert(project).expect("what was just applied can be reverted");
                        }
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes the change back.
    ///
    /// # Errors
    /// As `apply`.
    pub fn revert(&self, project: &mut Project) -> Result<(), EditError> {
        match self {
            Self::Labels { id, change, .. } => {
                change.undo(&mut project.labels_mut(*id).ok_or(EditError::NoLabels(*id))?.layer);
            }
            Self::Classes { before, .. } => project.classes = before.clone(),
            Self::References { change, .. } => change.revert(&mut project.references)?,
            Self::AddLabels { at, labels, next_before } => {
                remove(project, *at, labels.id)?;
                project.next_labels = *next_before;
            }
            Self::RemoveLabels { at, labels } => insert(project, *at, labels)?,
            Self::RenameLabels { id, before, .. } => rename(project, *id, before)?,
            Self::Group { edits, .. } => {
                for (done, edit) in edits.iter().rev().enumerate() {
                    if let Err(error) = edit.revert(project) {
                        for edit in &edits[edits.len() - done..] {
                            edit.apply(project).expect("what was just reverted can be applied");
                        }
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// Memory that it takes, about; a tile that it holds several times counts once, those that
    /// it shares with the project count in full.
    pub fn bytes(&self) -> usize {
        const TILE_BYTES: usize = 2 * crate::grid::TILE_SIZE * crate::grid::TILE_SIZE + size_of::<LabelTile>();
        const ENTRY_BYTES: usize = 64;
        let scheme = |scheme: &ClassScheme| -> usize { scheme.classes.iter().map(|class| 96 + class.name.len()).sum() };
        let content = match self {
            Self::Labels { change, .. } => change.bytes() + change.tiles.len() * ENTRY_BYTES,
            Self::Classes { before, after, .. } => scheme(before) + scheme(after),
            Self::References { change, .. } => change.before.iter().chain(&change.after).map(reference_bytes).sum(),
            Self::AddLabels { labels, .. } | Self::RemoveLabels { labels, .. } => {
                labels.layer.tiles().count() * (TILE_BYTES + ENTRY_BYTES)
            }
            Self::RenameLabels { before, after, .. } => before.len() + after.len(),
            Self::Group { edits, .. } => edits.iter().map(Self::bytes).sum(),
        };
        size_of::<Self>() + content
    }
}

impl ReferencesChange {
    /// What lies between the common start and the common end of both lists.
    pub fn between(before: &ReferenceSet, after: &ReferenceSet) -> Self {
        let (old, new) = (&before.references, &after.references);
        let at = old.iter().zip(new).take_while(|(a, b)| a == b).count();
        let end = old[at..].iter().rev().zip(new[at..].iter().rev()).take_while(|(a, b)| a == b).count();
        Self {
            at,
            before: old[at..old.len() - end].to_vec(),
            after: new[at..new.len() - end].to_vec(),
            bands: (before.bands != after.bands).then(|| (before.bands.clone(), after.bands.clone())),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty() && self.bands.is_none()
    }

    fn apply(&self, set: &mut ReferenceSet) -> Result<(), EditError> {
        splice(set, self.at, self.before.len(), &self.after)?;
        if let Some((_, bands)) = &self.bands {
            set.bands.clone_from(bands);
        }
        Ok(())
    }

    fn revert(&self, set: &mut ReferenceSet) -> Result<(), EditError> {
        splice(set, self.at, self.after.len(), &self.before)?;
        if let Some((bands, _)) = &self.bands {
            set.bands.clone_from(bands);
        }
        Ok(())
    }
}

fn splice(set: &mut ReferenceSet, at: usize, n: usize, new: &[SpectralReference]) -> Result<(), EditError> {
    let range = at..at.saturating_add(n);
    if range.end > set.references.len() {
        return Err(EditError::Mismatch("it changes references that are not there"));
    }
    set.references.splice(range, new.iter().cloned());
    Ok(())
}

fn insert(project: &mut Project, at: usize, labels: &Labels) -> Result<(), EditError> {
    if at > project.labels.len() || project.labels(labels.id).is_some() {
        return Err(EditError::Mismatch("it adds a label layer that is there"));
    }
    project.labels.insert(at, labels.clone());
    Ok(())
}

const fn after_id(id: LabelsId) -> LabelsId {
    LabelsId(id.0.saturating_add(1))
}

fn remove(project: &mut Project, at: usize, id: LabelsId) -> Result<(), EditError> {
    if project.labels.get(at).is_none_or(|labels| labels.id != id) {
        return Err(EditError::Mismatch("it removes a label layer that is not there"));
    }
    project.labels.remove(at);
    Ok(())
}

fn rename(project: &mut Project, id: LabelsId, name: &str) -> Result<(), EditError> {
    name.clone_into(&mut project.labels_mut(id).ok_or(EditError::NoLabels(id))?.name);
    Ok(())
}

fn reference_bytes(reference: &SpectralReference) -> usize {
    let sample = reference.sample.as_ref().map_or(0, |sample| {
        8 * (sample.std.len() + sample.covariance.len()) + std::mem::size_of_val(sample.mask.runs())
    });
    size_of::<SpectralReference>() + reference.name.len() + 8 * reference.spectrum.len() + sample
}
