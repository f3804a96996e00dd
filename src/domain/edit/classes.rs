//! Edits of the class scheme, with labels and references that follow.
//!
//! Those that repaint look at every tile of every layer: about 20 µs per tile, so on large
//! layers they belong into a job, which works on a clone of the project.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Edit, EditError};
use crate::class::{Class, ClassId, ClassScheme, Rgb};
use crate::label::{LabelChange, LabelLayer, LabelTile, TileChange, UNLABELLED};
use crate::project::Project;

/// The highest id that labels can hold; 65535 means no label.
pub const MAX_CLASS_ID: u32 = UNLABELLED as u32 - 1;

/// The lowest id from 1 on that no class has; 0 where all are taken. Many files use 0 for "nothing".
pub fn free_class_id(scheme: &ClassScheme) -> ClassId {
    ClassId((1..=MAX_CLASS_ID).find(|&id| scheme.get(ClassId(id)).is_none()).unwrap_or(0))
}

/// A class at the end of the list.
///
/// # Errors
/// Its id is taken or too high, or it has no name.
pub fn add_class(project: &Project, class: Class) -> Result<Edit, EditError> {
    check_new_id(project, class.id)?;
    check_name(&class.name)?;
    let title = format!("Add class {}", class.name);
    Ok(scheme_edit(project, title, |classes| classes.push(class)))
}

/// # Errors
/// There is no such class, or the name is empty.
pub fn rename_class(project: &Project, id: ClassId, name: &str) -> Result<Edit, EditError> {
    check_name(name)?;
    let at = place(project, id)?;
    let title = format!("Rename class {} to {name}", project.classes.name(id));
    Ok(scheme_edit(project, title, |classes| name.clone_into(&mut classes[at].name)))
}

/// # Errors
/// There is no such class.
pub fn recolor_class(project: &Project, id: ClassId, color: Rgb) -> Result<Edit, EditError> {
    let at = place(project, id)?;
    let title = format!("Colour class {}", project.classes.name(id));
    Ok(scheme_edit(project, title, |classes| classes[at].color = color))
}

/// Puts a class into a group, or with `None` into none.
///
/// # Errors
/// There is no such class.
pub fn group_class(project: &Project, id: ClassId, group: Option<String>) -> Result<Edit, EditError> {
    let at = place(project, id)?;
    let title = format!("Group class {}", project.classes.name(id));
    Ok(scheme_edit(project, title, |classes| classes[at].group = group.filter(|group| !group.is_empty())))
}

/// Puts a class at index `to` of the list; ids stay.
///
/// # Errors
/// There is no such class.
pub fn move_class(project: &Project, id: ClassId, to: usize) -> Result<Edit, EditError> {
    let at = place(project, id)?;
    let title = format!("Move class {}", project.classes.name(id));
    Ok(scheme_edit(project, title, |classes| {
        let class = classes.remove(at);
        classes.insert(to.min(classes.len()), class);
    }))
}

/// Gives a class another id; its labels and references follow.
///
/// # Errors
/// There is no such class, or the new id is taken or too high.
pub fn change_class_id(project: &Project, from: ClassId, to: ClassId) -> Result<Edit, EditError> {
    let at = place(project, from)?;
    if from == to {
        return Ok(Edit::group("", Vec::new()));
    }
    check_new_id(project, to)?;
    let title = format!("Change id of class {} to {}", project.classes.name(from), to.0);
    let scheme = scheme_edit(project, title.clone(), |classes| classes[at].id = to);
    Ok(with_followers(project, title, scheme, from, Some(to)))
}

/// Takes class `from` away; its labels and references become those of `into`.
///
/// # Errors
/// One of both does not exist.
pub fn merge_classes(project: &Project, from: ClassId, into: ClassId) -> Result<Edit, EditError> {
    place(project, into)?;
    let at = place(project, from)?;
    if from == into {
        return Ok(Edit::group("", Vec::new()));
    }
    let title = format!("Merge class {} into {}", project.classes.name(from), project.classes.name(into));
    let scheme = scheme_edit(project, title.clone(), |classes| drop(classes.remove(at)));
    Ok(with_followers(project, title, scheme, from, Some(into)))
}

/// Takes a class away; its pixels lose their label and its references their class.
/// To give them to another class instead: [`merge_classes`].
///
/// # Errors
/// There is no such class.
pub fn delete_class(project: &Project, id: ClassId) -> Result<Edit, EditError> {
    let at = place(project, id)?;
    let title = format!("Delete class {}", project.classes.name(id));
    let scheme = scheme_edit(project, title.clone(), |classes| drop(classes.remove(at)));
    Ok(with_followers(project, title, scheme, id, None))
}

/// Another list of classes as a whole (imported, a preset); labels stay as they are.
///
/// # Errors
/// An id is too high or there twice, or a class has no name.
pub fn replace_scheme(project: &Project, title: impl Into<String>, after: ClassScheme) -> Result<Edit, EditError> {
    for (at, class) in after.classes.iter().enumerate() {
        check_name(&class.name)?;
        if class.id.0 > MAX_CLASS_ID {
            return Err(EditError::BadClassId(class.id.0));
        }
        if after.classes[..at].iter().any(|other| other.id == class.id) {
            return Err(EditError::ClassExists(class.id));
        }
    }
    Ok(Edit::Classes { title: title.into(), before: project.classes.clone(), after })
}

fn scheme_edit(project: &Project, title: String, change: impl FnOnce(&mut Vec<Class>)) -> Edit {
    let before = project.classes.clone();
    let mut after = before.clone();
    change(&mut after.classes);
    Edit::Classes { title, before, after }
}

fn with_followers(project: &Project, title: String, scheme: Edit, from: ClassId, to: Option<ClassId>) -> Edit {
    let mut references = project.references.clone();
    for reference in references.references.iter_mut().filter(|reference| reference.class == Some(from)) {
        reference.class = to;
    }
    let mut edits = vec![scheme, Edit::references(title.clone(), &project.references, &references)];
    for labels in &project.labels {
        edits.push(Edit::labels(labels.id, title.clone(), repaint(&labels.layer, from, to)));
    }
    Edit::group(title, edits)
}

/// Every pixel of one class becomes another's, or unlabelled.
fn repaint(layer: &LabelLayer, from: ClassId, to: Option<ClassId>) -> LabelChange {
    let stored = |id: ClassId| u16::try_from(id.0).ok().filter(|&id| id != UNLABELLED);
    let Some(from) = stored(from) else { return LabelChange::default() };
    let to = to.and_then(stored).unwrap_or(UNLABELLED);
    let mut tiles = BTreeMap::new();
    for (pos, tile) in layer.tiles().filter(|(_, tile)| tile.ids().contains(&from)) {
        let mut ids = tile.ids().to_vec();
        for id in ids.iter_mut().filter(|id| **id == from) {
            *id = to;
        }
        let after = Some(Arc::new(LabelTile::new(ids))).filter(|tile| !tile.is_empty());
        tiles.insert(pos, TileChange { before: Some(Arc::clone(tile)), after });
    }
    LabelChange { tiles }
}

fn place(project: &Project, id: ClassId) -> Result<usize, EditError> {
    project.classes.classes.iter().position(|class| class.id == id).ok_or(EditError::NoClass(id))
}

fn check_new_id(project: &Project, id: ClassId) -> Result<(), EditError> {
    if id.0 > MAX_CLASS_ID {
        return Err(EditError::BadClassId(id.0));
    }
    if project.classes.get(id).is_some() {
        return Err(EditError::ClassExists(id));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), EditError> {
    if name.trim().is_empty() { Err(EditError::NoName) } else { Ok(()) }
}
