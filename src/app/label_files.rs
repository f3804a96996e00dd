//! Labels and classes from and to the files of other programs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use nunatak_domain::class::ClassScheme;
use nunatak_domain::edit::{self, Edit, EditError};
use nunatak_domain::job::Connectivity;
use nunatak_domain::label::{LabelChange, LabelLayer, LabelTile, LabelsId, TileChange, UNLABELLED};
use nunatak_domain::layer::{LayerRole, SceneId};
use nunatak_io::{AttributeSet, LabelSource, LineWidth, RasterLabels, ValueMap, VectorExport, VectorLabels};
use serde::{Deserialize, Serialize};

use crate::command::{Command, CommandError};
use crate::event::{Event, JobReport};
use crate::guard::Files;
use crate::projects::name_of;
use crate::session::Session;
use crate::work::{self, Done, labels::Imported};

/// A label file and how it is to be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelFile {
    /// A class raster, or a vector file.
    pub path: PathBuf,
    /// Of a raster, 0-based; `None` wants one band.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band: Option<usize>,
    /// Of a vector file; `None` wants one layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// Field of a vector with the class; `None` takes a well-known one or the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Values of the file and the classes they mean.
    #[serde(default)]
    pub map: ValueMap,
    /// Of a vector's lines.
    #[serde(default)]
    pub line_width: LineWidth,
}

impl LabelFile {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            band: None,
            layer: None,
            field: None,
            map: ValueMap::default(),
            line_width: LineWidth::default(),
        }
    }

    fn source(&self) -> LabelSource {
        let path = self.path.clone();
        let map = self.map.clone();
        if nunatak_io::is_vector(&path) {
            let (layer, field) = (self.layer.clone(), self.field.clone());
            LabelSource::Vector(VectorLabels { vector: path, layer, field, map, line_width: self.line_width })
        } else {
            LabelSource::Raster(RasterLabels { raster: path, band: self.band, map })
        }
    }
}

/// Labels on their way to a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelExport {
    pub labels: LabelsId,
    /// `.tif`, or `.shp`, `.gpkg`, `.geojson`.
    pub out: PathBuf,
    /// Fields of polygons.
    #[serde(default)]
    pub attributes: AttributeSet,
    #[serde(default)]
    pub connectivity: Connectivity,
    #[serde(default)]
    pub overwrite: bool,
}

/// Where classes come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassSource {
    /// CSV, QGIS style, colour table, or what a raster or a vector's field tells.
    Path(PathBuf),
    /// A scheme of the program, for example `worldcover`.
    Preset(String),
}

impl Session {
    pub(crate) fn import_labels(
        &mut self,
        file: &LabelFile,
        scene: SceneId,
        onto: Option<LabelsId>,
        name: Option<String>,
    ) -> Result<Vec<Event>, CommandError> {
        let info = self.layers.scene(scene).ok_or_else(|| no_scene(scene))?.info.clone();
        if let Some(onto) = onto {
            let labels = self.document.project.labels(onto).ok_or(EditError::NoLabels(onto))?;
            if labels.scene != scene {
                return Err(CommandError("the label layer belongs to another scene".to_owned()));
            }
        }
        let file_name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = name.unwrap_or_else(|| name_of(&file.path));
        let title = format!("Import {file_name}");
        let (source, before) = (file.source(), self.document.project.classes.clone());
        Ok(self.start_files(title.clone(), move |monitor| {
            let import = work::labels::import(&source, &info, &before, monitor)?;
            Ok(Done::Labels(Box::new(Imported { title, name, scene, onto, before, import })))
        }))
    }

    /// A class map on the map becomes labels that can be painted on.
    pub(crate) fn labels_from_scene(
        &mut self,
        scene: SceneId,
        onto: Option<SceneId>,
    ) -> Result<Vec<Event>, CommandError> {
        let classes = self.layers.scene(scene).ok_or_else(|| no_scene(scene))?.info.clone();
        // The raster that it was predicted from, where one of the same grid is open.
        let twin = self.layers.all().iter().find(|layer| {
            layer.role == LayerRole::Imagery
                && self.layers.scene(layer.source.scene()).is_some_and(|other| {
                    let (a, b) = (&other.info, &classes);
                    other.id != scene && (a.width, a.height, &a.georeference) == (b.width, b.height, &b.georeference)
                })
        });
        let target = onto.or_else(|| twin.map(|layer| layer.source.scene())).unwrap_or(scene);
        let layer = self.layers.all().iter().find(|layer| layer.source.scene() == scene);
        let name = layer.map_or_else(|| classes.name(), |layer| layer.name.clone());
        self.import_labels(&LabelFile::new(&classes.path), target, None, Some(format!("Labels from {name}")))
    }

    /// # Errors
    /// Classes or layers changed in the meantime.
    pub(crate) fn take_labels(&mut self, imported: Imported) -> Result<(JobReport, Vec<Event>), CommandError> {
        let Imported { title, name, scene, onto, before, import } = imported;
        self.end_drawing();
        let project = &self.document.project;
        if project.classes != before {
            return Err(CommandError("the classes were changed while labels were read: import them again".to_owned()));
        }
        let id = onto.unwrap_or(project.next_labels);
        let labels = match onto {
            None => edit::add_labels(project, &name, scene, import.layer),
            Some(onto) => {
                let layer = &project.labels(onto).ok_or(EditError::NoLabels(onto))?.layer;
                Edit::labels(onto, title.clone(), on_top(layer, &import.layer))
            }
        };
        let classes = Edit::Classes { title: title.clone(), before, after: import.classes };
        let mut facts = vec![("labels".to_owned(), id.0.into())];
        facts.extend(work::labels::facts(&import.report));
        let events = self.make(Edit::group(title, vec![classes, labels]))?;
        Ok((JobReport { facts, ..JobReport::default() }, events))
    }

    pub(crate) fn export_labels(
        &mut self,
        export: LabelExport,
        files: Files,
        command: Command,
    ) -> Result<Vec<Event>, CommandError> {
        let LabelExport { labels, out, attributes, connectivity, overwrite } = export;
        let labels = self.document.project.labels(labels).ok_or(EditError::NoLabels(labels))?;
        let scene = self.layers.scene(labels.scene).ok_or_else(|| no_scene(labels.scene))?.info.clone();
        let (layer, classes) = (labels.layer.clone(), self.document.project.classes.clone());
        let title = format!("Export {}", labels.name);
        let config = VectorExport { out, attributes, connectivity, overwrite };
        Ok(self.start_files(title, move |monitor| {
            files.check()?;
            work::labels::export((&layer, &classes, &scene), &config, &command, monitor)
        }))
    }

    /// Pixels and areas per class of one or all label layers.
    pub(crate) fn label_statistics(&mut self, labels: Option<LabelsId>) -> Result<Vec<Event>, CommandError> {
        let layers: Vec<_> = match labels {
            Some(id) => vec![self.document.project.labels(id).ok_or(EditError::NoLabels(id))?.clone()],
            None => self.document.project.labels.clone(),
        };
        let layers: Vec<_> = layers
            .into_iter()
            .map(|labels| {
                let info = self.layers.scene(labels.scene).map(|scene| scene.info.clone());
                (labels, info)
            })
            .collect();
        let classes = self.document.project.classes.clone();
        Ok(self.start_open("Count labels".to_owned(), move |_| Ok(work::labels::statistics(&layers, &classes))))
    }

    pub(crate) fn import_classes(
        &mut self,
        from: ClassSource,
        field: Option<String>,
    ) -> Result<Vec<Event>, CommandError> {
        match from {
            ClassSource::Preset(key) => {
                let scheme = nunatak_io::class_preset(&key).ok_or_else(|| {
                    let keys: Vec<&str> = nunatak_io::CLASS_PRESETS.iter().map(|(key, _)| *key).collect();
                    CommandError(format!("there is no preset {key}: choose one of {}", keys.join(", ")))
                })?;
                self.replace_classes(scheme)
            }
            ClassSource::Path(path) => {
                let title = format!("Import classes of {}", name_of(&path));
                Ok(self.start_open(title, move |_| Ok(Done::Classes(work::labels::classes(&path, field.as_deref())?))))
            }
        }
    }

    pub(crate) fn replace_classes(&mut self, scheme: ClassScheme) -> Result<Vec<Event>, CommandError> {
        let edit = edit::replace_scheme(&self.document.project, "Import classes", scheme)?;
        self.make(edit)
    }

    pub(crate) fn export_classes(
        &mut self,
        path: PathBuf,
        overwrite: bool,
        files: Files,
    ) -> Result<Vec<Event>, CommandError> {
        let scheme = self.document.project.classes.clone();
        if scheme.classes.is_empty() {
            return Err(CommandError("there are no classes yet".to_owned()));
        }
        Ok(self.start_files("Export classes".to_owned(), move |_| {
            files.check()?;
            work::labels::write_classes(&path, &scheme, overwrite)
        }))
    }
}

/// Every label of `over` replaces what a layer has there.
fn on_top(layer: &LabelLayer, over: &LabelLayer) -> LabelChange {
    let empty = LabelTile::empty();
    let mut tiles = BTreeMap::new();
    for (pos, new) in over.tiles() {
        let before = layer.tile(pos).cloned();
        let old = before.as_deref().unwrap_or(&empty);
        let ids = old.ids().iter().zip(new.ids()).map(|(old, new)| if *new == UNLABELLED { *old } else { *new });
        let after = Arc::new(LabelTile::new(ids.collect()));
        tiles.insert(pos, TileChange { before, after: Some(after).filter(|tile| !tile.is_empty()) });
    }
    LabelChange { tiles }
}

fn no_scene(scene: SceneId) -> CommandError {
    CommandError(format!("there is no scene {}", scene.0))
}
