//! The document: everything that undo can bring back.

use serde::{Deserialize, Serialize};

use crate::class::ClassScheme;
use crate::label::{LabelLayer, LabelsId};
use crate::layer::SceneId;
use crate::spectra::ReferenceSet;

/// Classes, references and label layers of a project. Changed only by an [`Edit`](crate::edit::Edit),
/// or by a pen whose change becomes one.
///
/// A clone shares all label tiles: a snapshot for a job costs a pointer per tile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Project {
    pub classes: ClassScheme,
    pub references: ReferenceSet,
    /// Bottom to top.
    pub labels: Vec<Labels>,
    /// The id that the next label layer gets; higher than any that was given, also to layers
    /// that are gone.
    pub next_labels: LabelsId,
}

/// A label layer of a scene.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    pub id: LabelsId,
    pub name: String,
    pub scene: SceneId,
    pub layer: LabelLayer,
}

/// A label layer without its labels, for lists and reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelsInfo {
    pub id: LabelsId,
    pub name: String,
    pub scene: SceneId,
    pub width: usize,
    pub height: usize,
}

impl Project {
    pub fn labels(&self, id: LabelsId) -> Option<&Labels> {
        self.labels.iter().find(|labels| labels.id == id)
    }

    /// For a pen; what it does must become an [`Edit::Labels`](crate::edit::Edit::Labels).
    pub fn labels_mut(&mut self, id: LabelsId) -> Option<&mut Labels> {
        self.labels.iter_mut().find(|labels| labels.id == id)
    }

    /// A name that no label layer has: `name`, or `name 2`, `name 3`, ….
    pub fn free_labels_name(&self, name: &str) -> String {
        let taken = |name: &str| self.labels.iter().any(|labels| labels.name == name);
        if !taken(name) {
            return name.to_owned();
        }
        (2..).map(|n| format!("{name} {n}")).find(|name| !taken(name)).expect("one of endless names is free")
    }
}

impl Labels {
    pub fn info(&self) -> LabelsInfo {
        LabelsInfo {
            id: self.id,
            name: self.name.clone(),
            scene: self.scene,
            width: self.layer.width(),
            height: self.layer.height(),
        }
    }
}
