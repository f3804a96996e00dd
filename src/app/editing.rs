//! Commands that change the document, and what follows from its changes.

use nunatak_domain::class::{Class, ClassId, ClassScheme, Rgb};
use nunatak_domain::edit::{self, Edit, EditError};
use nunatak_domain::geo::PixelPos;
use nunatak_domain::label::post::LabelFilter;
use nunatak_domain::label::{
    Brush, Gesture, LabelChange, LabelLayer, LabelTile, LabelsId, PaintRule, PixelMask, Stroke, TileChange, paint_mask,
};
use nunatak_domain::layer::{LayerId, LayerRole, LayerSource, SceneId};
use nunatak_domain::notice::Notice;
use nunatak_domain::style::Style;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::command::CommandError;
use crate::document::{Drawing, Fetch, Touched};
use crate::event::{Event, JobReport};
use crate::layers::NewLayer;
use crate::references::{ReferenceScale, References};
use crate::session::Session;
use crate::work::{self, Done};

/// Changes of the class scheme; labels and references follow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ClassEdit {
    Add {
        class: Class,
    },
    Rename {
        id: ClassId,
        name: String,
    },
    Recolor {
        id: ClassId,
        color: Rgb,
    },
    /// Its labels and references follow.
    ChangeId {
        id: ClassId,
        to: ClassId,
    },
    Group {
        id: ClassId,
        #[serde(default)]
        group: Option<String>,
    },
    /// To this place in the list.
    Move {
        id: ClassId,
        to: usize,
    },
    /// `id` goes; what it had becomes `into`'s.
    Merge {
        id: ClassId,
        into: ClassId,
    },
    /// Its pixels lose their label.
    Delete {
        id: ClassId,
    },
    /// Another list as a whole: a preset, or one from a file.
    Replace {
        scheme: ClassScheme,
    },
}

/// What a job made of a label layer while the hand may have gone on painting.
pub(crate) struct Reworked {
    pub(crate) labels: LabelsId,
    pub(crate) title: String,
    /// The layer that the job started from.
    pub(crate) before: LabelLayer,
    pub(crate) after: LabelLayer,
}

/// Pixels that a job selected for a gesture.
pub(crate) struct Selected {
    pub(crate) labels: LabelsId,
    pub(crate) title: &'static str,
    pub(crate) mask: PixelMask,
    pub(crate) rule: PaintRule,
    /// `false` where the limit of pixels cut it short.
    pub(crate) complete: bool,
}

impl From<EditError> for CommandError {
    fn from(error: EditError) -> Self {
        Self(error.to_string())
    }
}

impl Session {
    /// Makes a step of the history and lets everything derived follow.
    pub(crate) fn make(&mut self, edit: Edit) -> Result<Vec<Event>, CommandError> {
        self.end_drawing();
        if !edit.is_empty() {
            // Scales of references on a branch that this step cuts off.
            let keep = self.document.history.position() + usize::from(matches!(edit, Edit::References { .. }));
            self.scales.retain(|(from, _)| *from <= keep);
        }
        let touched = self.document.make(edit)?;
        Ok(self.follow(touched))
    }

    /// Brings what is derived from the document up to date: pyramids, layers, prior, journal.
    pub(crate) fn follow(&mut self, touched: Touched) -> Vec<Event> {
        let mut events: Vec<Event> = self.write_journal().into_iter().collect();
        for &(labels, rect) in &touched.labels {
            self.label_view.invalidate(labels, rect);
            events.push(Event::LabelsChanged { labels, rect });
        }
        if touched.list {
            events.extend(self.match_label_layers());
        }
        if touched.classes {
            self.restyle_label_layers();
            events.push(Event::ClassesChanged);
        }
        if touched.references {
            self.references = self.references_of_document();
            self.preview_over();
            events.extend(self.references_changed());
        }
        if touched != Touched::default() {
            events.push(Event::HistoryChanged);
        }
        events
    }

    /// On the scale that they had at this step of the history.
    pub(crate) fn references_of_document(&self) -> References {
        let position = self.document.history.position();
        let scale = self.scales.iter().rfind(|(from, _)| *from <= position).map(|(_, scale)| scale.clone());
        References::new(self.document.project.references.clone(), scale.unwrap_or(ReferenceScale::Physical))
    }

    /// Every label layer of the project has a layer on the map, and no other.
    pub(crate) fn match_label_layers(&mut self) -> Vec<Event> {
        let gone: Vec<LayerId> = self
            .layers
            .all()
            .iter()
            .filter(|layer| layer.source.labels().is_some_and(|labels| self.document.project.labels(labels).is_none()))
            .map(|layer| layer.id)
            .collect();
        for layer in gone {
            if let Err(error) = self.take_layer(layer) {
                log::warn!("{error}");
            }
        }
        let scheme = self.document.project.classes.clone();
        for labels in &self.document.project.labels {
            let shown = self.layers.all().iter().find(|layer| layer.source.labels() == Some(labels.id)).map(|l| l.id);
            if let Some(shown) = shown {
                if let Ok(layer) = self.layers.get_mut(shown) {
                    layer.name.clone_from(&labels.name);
                }
            } else if self.layers.scene(labels.scene).is_some() {
                let layer = NewLayer {
                    name: labels.name.clone(),
                    style: Style::Classes { band: 0, scheme: scheme.clone() },
                    role: LayerRole::Labels,
                    visible: true,
                    // What lies under the labels is what they are judged by.
                    opacity: 0.7,
                };
                self.layers.add(LayerSource::Labels { labels: labels.id, scene: labels.scene }, layer);
            }
        }
        self.layers_changed()
    }

    pub(crate) fn restyle_label_layers(&mut self) {
        let scheme = self.document.project.classes.clone();
        let ids: Vec<LayerId> =
            self.layers.all().iter().filter(|layer| layer.source.labels().is_some()).map(|layer| layer.id).collect();
        for id in ids {
            if let Ok(layer) = self.layers.get_mut(id) {
                layer.style = Style::Classes { band: 0, scheme: scheme.clone() };
            }
        }
    }

    pub(crate) fn add_labels(&mut self, scene: SceneId, name: Option<&str>) -> Result<Vec<Event>, CommandError> {
        let info = &self.layers.scene(scene).ok_or_else(|| no_scene(scene))?.info;
        let layer = LabelLayer::new(info.width, info.height);
        let edit = edit::add_labels(&self.document.project, name.unwrap_or("Labels"), scene, layer);
        self.make(edit)
    }

    pub(crate) fn edit_classes(&mut self, change: ClassEdit) -> Result<Vec<Event>, CommandError> {
        let project = &self.document.project;
        let edit = match change {
            ClassEdit::Add { class } => edit::add_class(project, class)?,
            ClassEdit::Rename { id, name } => edit::rename_class(project, id, &name)?,
            ClassEdit::Recolor { id, color } => edit::recolor_class(project, id, color)?,
            ClassEdit::ChangeId { id, to } => edit::change_class_id(project, id, to)?,
            ClassEdit::Group { id, group } => edit::group_class(project, id, group)?,
            ClassEdit::Move { id, to } => edit::move_class(project, id, to)?,
            ClassEdit::Merge { id, into } => edit::merge_classes(project, id, into)?,
            ClassEdit::Delete { id } => edit::delete_class(project, id)?,
            ClassEdit::Replace { scheme } => edit::replace_scheme(project, "Replace the classes", scheme)?,
        };
        self.make(edit)
    }

    pub(crate) fn paint(
        &mut self,
        labels: LabelsId,
        gesture: Gesture,
        rule: PaintRule,
    ) -> Result<Vec<Event>, CommandError> {
        self.check_rule(rule)?;
        self.end_drawing();
        let found = self.document.project.labels_mut(labels).ok_or(EditError::NoLabels(labels))?;
        let title = gesture.title();
        if !gesture.needs_pixels() && !gesture.is_quick() {
            let (before, title) = (found.layer.clone(), title.to_owned());
            return Ok(self.start_open(title.clone(), move |_| {
                let mut after = before.clone();
                gesture.paint(&mut after, rule);
                Ok(Done::Reworked(Box::new(Reworked { labels, title, before, after })))
            }));
        }
        if !gesture.needs_pixels() {
            let change = gesture.paint(&mut found.layer, rule).unwrap_or_default();
            return self.make(Edit::labels(labels, title, change));
        }
        let scene = found.scene;
        let path = self.layers.scene(scene).ok_or_else(|| no_scene(scene))?.info.path.clone();
        Ok(self.start_open(title.to_owned(), move |monitor| {
            let (mask, complete) = work::select::run(&path, &gesture, monitor)?;
            Ok(Done::Selected(Box::new(Selected { labels, title, mask, rule, complete })))
        }))
    }

    pub(crate) fn begin_stroke(
        &mut self,
        labels: LabelsId,
        brush: Brush,
        rule: PaintRule,
        at: PixelPos,
    ) -> Result<Vec<Event>, CommandError> {
        self.check_rule(rule)?;
        self.end_drawing();
        self.document.goal = None;
        let found = self.document.project.labels_mut(labels).ok_or(EditError::NoLabels(labels))?;
        let (stroke, dirty) = Stroke::begin(&mut found.layer, brush, rule, at);
        let title = if rule.class.is_some() { "Brush stroke" } else { "Eraser" };
        self.document.stroke = Some(Drawing { labels, stroke, title });
        Ok(self.drawn(labels, dirty))
    }

    pub(crate) fn extend_stroke(&mut self, positions: &[PixelPos]) -> Result<Vec<Event>, CommandError> {
        let document = &mut self.document;
        let Some(drawing) = &mut document.stroke else { return Err(no_stroke()) };
        let labels = drawing.labels;
        let Some(found) = document.project.labels_mut(labels) else { return Err(no_stroke()) };
        let dirty = drawing.stroke.extend(&mut found.layer, positions);
        Ok(self.drawn(labels, dirty))
    }

    pub(crate) fn end_stroke(&mut self) -> Result<Vec<Event>, CommandError> {
        let Some(Drawing { labels, stroke, title }) = self.document.stroke.take() else { return Err(no_stroke()) };
        let Some(found) = self.document.project.labels_mut(labels) else { return Err(no_stroke()) };
        let change = stroke.end(&mut found.layer);
        self.make(Edit::labels(labels, title, change))
    }

    /// Esc, the right button, or undo in mid-stroke: as if it had never begun.
    pub(crate) fn abort_stroke(&mut self) -> Result<Vec<Event>, CommandError> {
        let Some(Drawing { labels, stroke, .. }) = self.document.stroke.take() else { return Err(no_stroke()) };
        let Some(found) = self.document.project.labels_mut(labels) else { return Err(no_stroke()) };
        let rect = found.layer.rect();
        stroke.abort(&mut found.layer);
        Ok(self.drawn(labels, Some(rect)))
    }

    /// A step cannot be made in the middle of a stroke: the stroke becomes one first.
    pub(crate) fn end_drawing(&mut self) {
        if self.document.stroke.is_some()
            && let Err(error) = self.end_stroke()
        {
            log::warn!("{error}");
        }
    }

    fn drawn(&mut self, labels: LabelsId, dirty: Option<nunatak_domain::grid::PixelRect>) -> Vec<Event> {
        let Some(rect) = dirty else { return Vec::new() };
        self.label_view.invalidate(labels, rect);
        vec![Event::LabelsChanged { labels, rect }]
    }

    /// A brush paints classes that exist.
    fn check_rule(&self, rule: PaintRule) -> Result<(), CommandError> {
        match rule.class {
            Some(id) if self.document.project.classes.get(id).is_none() => Err(EditError::NoClass(id).into()),
            _ => Ok(()),
        }
    }

    pub(crate) fn filter_labels(&mut self, labels: LabelsId, filter: LabelFilter) -> Result<Vec<Event>, CommandError> {
        self.end_drawing();
        let found = self.document.project.labels(labels).ok_or(EditError::NoLabels(labels))?;
        let before = found.layer.clone();
        let title = filter.title().to_owned();
        Ok(self.start_files(title.clone(), move |monitor| {
            let after = work::select::filter(&filter, &before, monitor)?;
            Ok(Done::Reworked(Box::new(Reworked { labels, title, before, after })))
        }))
    }

    /// # Errors
    /// The label layer is gone.
    pub(crate) fn take_reworked(&mut self, reworked: Reworked) -> Result<(JobReport, Vec<Event>), CommandError> {
        let Reworked { labels, title, before, after } = reworked;
        self.end_drawing();
        let current = &self.document.project.labels(labels).ok_or(EditError::NoLabels(labels))?.layer;
        if current.rect() != before.rect() {
            return Err(EditError::NoLabels(labels).into());
        }
        let n_px = |layer: &LabelLayer| layer.counts().values().sum::<u64>();
        let change = rebased(LabelChange::between(&before, &after), current);
        let facts = vec![
            ("labelled_before".to_owned(), n_px(&before).into()),
            ("labelled_after".to_owned(), n_px(&after).into()),
        ];
        let report = JobReport { facts, ..JobReport::default() };
        Ok((report, self.make(Edit::labels(labels, title, change))?))
    }

    /// # Errors
    /// The label layer is gone.
    pub(crate) fn take_selected(&mut self, selected: Selected) -> Result<(JobReport, Vec<Event>), CommandError> {
        let Selected { labels, title, mask, rule, complete } = selected;
        self.end_drawing();
        let found = self.document.project.labels_mut(labels).ok_or(EditError::NoLabels(labels))?;
        let change = paint_mask(&mut found.layer, &mask, rule);
        let report = JobReport { facts: vec![("pixels".to_owned(), mask.n_px().into())], ..JobReport::default() };
        let mut events = self.make(Edit::labels(labels, title, change))?;
        if !complete {
            let text = format!("{title}: the selection ended at its limit of {} pixels", mask.n_px());
            events.push(Event::Notice(Notice::info(text).next_step("Raise the limit, or lower the tolerance")));
        }
        Ok((report, events))
    }

    pub(crate) fn undo(&mut self) -> Result<Vec<Event>, CommandError> {
        if self.document.stroke.is_some() {
            return self.abort_stroke();
        }
        let goal = self.document.goal.unwrap_or(self.document.history.position());
        self.go_to(goal.checked_sub(1).ok_or_else(|| CommandError("there is nothing to undo".to_owned()))?)
    }

    pub(crate) fn redo(&mut self) -> Result<Vec<Event>, CommandError> {
        self.end_drawing();
        let goal = self.document.goal.unwrap_or(self.document.history.position()) + 1;
        if goal > self.document.history.steps().len() {
            return Err(CommandError("there is nothing to redo".to_owned()));
        }
        self.go_to(goal)
    }

    /// Undoes or redoes until so many steps are done.
    pub(crate) fn go_to(&mut self, position: usize) -> Result<Vec<Event>, CommandError> {
        self.end_drawing();
        let (touched, fetch) = self.document.travel(position);
        let mut events = self.follow(touched);
        if let Some(fetch) = fetch? {
            events.extend(self.fetch_step(fetch)?);
        }
        Ok(events)
    }

    /// A step that is only in the journal is read in the background.
    fn fetch_step(&mut self, Fetch { step, at }: Fetch) -> Result<Vec<Event>, CommandError> {
        let Some(journal) = &self.document.journal else {
            self.document.goal = None;
            return Err(CommandError("the step is in the journal, which is being moved: try again".to_owned()));
        };
        let reader = journal.reader();
        Ok(self.start_open("Read an old step".to_owned(), move |_| {
            let edit = reader.read(at).map_err(work::io_error)?;
            Ok(Done::Step { step, at, edit: Arc::new(edit) })
        }))
    }

    pub(crate) fn take_step(&mut self, step: usize, at: u64, edit: Arc<Edit>) -> Result<Vec<Event>, CommandError> {
        self.document.history.supply(step, at, edit);
        if self.document.stroke.is_some() {
            // The hand went on meanwhile: what it paints now is not to be undone.
            self.document.goal = None;
        }
        match self.document.goal {
            Some(goal) => self.go_to(goal),
            None => Ok(Vec::new()),
        }
    }
}

/// A change that was made from an older state of a layer, brought onto the current one: a
/// pixel that was painted meanwhile keeps its paint unless the change is about it.
fn rebased(change: LabelChange, current: &LabelLayer) -> LabelChange {
    let mut tiles = std::collections::BTreeMap::new();
    for (pos, TileChange { before, after }) in change.tiles {
        let now = current.tile(pos).cloned();
        let same = match (&now, &before) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
            (a, b) => a.is_none() && b.is_none(),
        };
        let after = if same { after } else { Some(merged(before.as_deref(), after.as_deref(), now.as_deref())) };
        tiles.insert(pos, TileChange { before: now, after: after.filter(|tile| !tile.is_empty()) });
    }
    LabelChange { tiles }
}

fn merged(before: Option<&LabelTile>, after: Option<&LabelTile>, now: Option<&LabelTile>) -> Arc<LabelTile> {
    let empty = LabelTile::empty();
    let [before, after, now] = [before, after, now].map(|tile| tile.unwrap_or(&empty).ids());
    let pixels = before.iter().zip(after).zip(now);
    Arc::new(LabelTile::new(pixels.map(|((old, new), now)| if old == new { *now } else { *new }).collect()))
}

fn no_stroke() -> CommandError {
    CommandError("no stroke has begun".to_owned())
}

fn no_scene(scene: SceneId) -> CommandError {
    CommandError(format!("there is no scene {}", scene.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nunatak_domain::label::{Target, TilePos};

    #[test]
    fn paint_that_came_while_a_job_ran_is_kept() {
        let rule = |id| PaintRule { class: Some(ClassId(id)), onto: Target::Any };
        let mut before = LabelLayer::new(600, 10);
        paint_mask(&mut before, &PixelMask::of_rect(nunatak_domain::grid::PixelRect::new(0, 0, 4, 1)), rule(1));
        // The job makes class 1 to 2, the hand paints two pixels beside and one on top.
        let filter = LabelFilter::Replace { from: ClassId(1), to: Some(ClassId(2)) };
        let after = filter.apply(&before, &mut |_| true).expect("not cancelled");
        let mut current = before.clone();
        paint_mask(&mut current, &PixelMask::of_rect(nunatak_domain::grid::PixelRect::new(3, 0, 3, 1)), rule(9));

        rebased(LabelChange::between(&before, &after), &current).redo(&mut current);

        assert_eq!(
            current.tile(TilePos { col: 0, row: 0 }).expect("painted").row(0)[..7],
            [2, 2, 2, 2, 9, 9, nunatak_domain::label::UNLABELLED]
        );
    }
}
