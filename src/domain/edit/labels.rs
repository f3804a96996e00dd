//! Edits of label layers as a whole.

use super::{Edit, EditError};
use crate::label::{LabelChange, LabelLayer, LabelsId};
use crate::layer::SceneId;
use crate::project::{Labels, Project};

/// A layer on top, with the labels of `layer`: empty, imported, or made from a prediction. It
/// gets the id `project.next_labels`.
pub fn add_labels(project: &Project, name: &str, scene: SceneId, layer: LabelLayer) -> Edit {
    let labels = Labels { id: project.next_labels, name: project.free_labels_name(name), scene, layer };
    Edit::AddLabels { at: project.labels.len(), labels, next_before: project.next_labels }
}

/// # Errors
/// There is no such layer.
pub fn remove_labels(project: &Project, id: LabelsId) -> Result<Edit, EditError> {
    let at = place(project, id)?;
    Ok(Edit::RemoveLabels { at, labels: project.labels[at].clone() })
}

/// # Errors
/// There is no such layer.
pub fn rename_labels(project: &Project, id: LabelsId, name: &str) -> Result<Edit, EditError> {
    let before = project.labels[place(project, id)?].name.clone();
    Ok(Edit::RenameLabels { id, before, after: name.to_owned() })
}

/// A copy right above the layer; tiles are shared until one of both changes.
///
/// # Errors
/// There is no such layer.
pub fn duplicate_labels(project: &Project, id: LabelsId) -> Result<Edit, EditError> {
    let at = place(project, id)?;
    let labels = &project.labels[at];
    let name = project.free_labels_name(&format!("{} copy", labels.name));
    let copy = Labels { id: project.next_labels, name, ..labels.clone() };
    Ok(Edit::AddLabels { at: at + 1, labels: copy, next_before: project.next_labels })
}

/// Other labels for a layer, as a job made them from a snapshot of the same size.
///
/// # Errors
/// There is no such layer, or its size is another one.
pub fn change_labels(
    project: &Project,
    id: LabelsId,
    title: impl Into<String>,
    after: &LabelLayer,
) -> Result<Edit, EditError> {
    let before = &project.labels[place(project, id)?].layer;
    if before.rect() != after.rect() {
        return Err(EditError::Mismatch("the labels are of another size"));
    }
    Ok(Edit::labels(id, title, LabelChange::between(before, after)))
}

fn place(project: &Project, id: LabelsId) -> Result<usize, EditError> {
    project.labels.iter().position(|labels| labels.id == id).ok_or(EditError::NoLabels(id))
}
