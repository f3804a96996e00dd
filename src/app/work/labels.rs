//! Jobs between label layers and the files of other programs.

use std::path::{Path, PathBuf};

use nunatak_domain::class::ClassScheme;
use nunatak_domain::label::LabelLayer;
use nunatak_domain::layer::SceneId;
use nunatak_domain::project::Labels;
use nunatak_domain::scene::SceneInfo;
use nunatak_io::{ImportReport, LabelImport, LabelSource, VectorExport};
use nunatak_jobs::{JobError, Monitor};
use serde_json::{Value, json};

use super::{Done, Facts, io_error, recipe};
use crate::command::Command;

/// Labels from a file, and what they were made for.
pub(crate) struct Imported {
    pub(crate) title: String,
    pub(crate) name: String,
    pub(crate) scene: SceneId,
    /// Put on top of this layer; `None` makes a new one.
    pub(crate) onto: Option<nunatak_domain::label::LabelsId>,
    /// The classes that the import began with.
    pub(crate) before: ClassScheme,
    pub(crate) import: LabelImport,
}

pub(crate) fn import(
    source: &LabelSource,
    scene: &SceneInfo,
    existing: &ClassScheme,
    monitor: &dyn Monitor,
) -> Result<LabelImport, JobError> {
    match source {
        LabelSource::Raster(raster) => nunatak_io::import_label_raster(raster, scene, existing, monitor),
        LabelSource::Vector(vector) => nunatak_io::import_label_vector(vector, scene, existing, monitor),
    }
    .map_err(io_error)
}

/// What an import did, for people and scripts.
pub(crate) fn facts(report: &ImportReport) -> Vec<(String, Value)> {
    let value = json!(report);
    value.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Labels as a class raster, or as polygons, by the ending of the file.
pub(crate) fn export(
    (layer, classes, scene): (&LabelLayer, &ClassScheme, &SceneInfo),
    config: &VectorExport,
    command: &Command,
    monitor: &dyn Monitor,
) -> Result<Done, JobError> {
    let recipe = recipe(command, &[], monitor)?;
    if nunatak_io::is_vector(&config.out) {
        let report = nunatak_io::export_label_vector(layer, classes, scene, config, &recipe, monitor);
        let report = report.map_err(io_error)?;
        return Ok(Facts::default().with("n_polygons", report.n_polygons).report(report.outputs));
    }
    let out = (config.out.as_path(), config.overwrite);
    let outputs = nunatak_io::export_label_raster(layer, classes, scene, out, &recipe, monitor).map_err(io_error)?;
    let n: u64 = layer.counts().values().sum();
    Ok(Facts::default().with("n_labelled", n).report(outputs))
}

/// Pixels and area of each class, one table per label layer.
pub(crate) fn statistics(layers: &[(Labels, Option<SceneInfo>)], classes: &ClassScheme) -> Done {
    let mut facts = Facts::default();
    for (labels, info) in layers {
        let counts = labels.layer.counts();
        let areas = info.as_ref().map(|info| nunatak_io::class_areas(info, &labels.layer));
        let n_px = (labels.layer.width() * labels.layer.height()) as f64;
        let rows: Vec<Value> = counts
            .iter()
            .map(|(id, n)| {
                let mut row = json!({ "id": id, "name": classes.name(*id), "pixels": n, "share": *n as f64 / n_px });
                if let Some((areas, kind)) = &areas
                    && *kind != nunatak_io::AreaKind::Pixels
                {
                    row["area_m2"] = areas.get(id).copied().unwrap_or(0.0).into();
                }
                row
            })
            .collect();
        facts = facts.with(&labels.name, rows);
    }
    facts.report(Vec::new())
}

pub(crate) fn classes(path: &Path, field: Option<&str>) -> Result<ClassScheme, JobError> {
    nunatak_io::read_classes(path, field).map_err(io_error)
}

pub(crate) fn write_classes(path: &Path, scheme: &ClassScheme, overwrite: bool) -> Result<Done, JobError> {
    let out: PathBuf = nunatak_io::write_classes(path, scheme, overwrite).map_err(io_error)?;
    Ok(Facts::default().with("n_classes", scheme.classes.len()).report(vec![out]))
}
