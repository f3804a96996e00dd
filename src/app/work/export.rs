//! Jobs that turn one file into another: polygons and copies.

use std::time::Instant;

use nunatak_domain::job::{ConvertConfig, PolygonizeConfig};
use nunatak_io::{AreaKind, ClassPolygons};
use nunatak_jobs::{JobError, Monitor};
use serde_json::json;

use super::{Done, Facts, io_error, recipe, seconds, unless_cancelled};
use crate::command::Command;

pub(crate) fn polygonize(
    config: &PolygonizeConfig,
    command: &Command,
    monitor: &dyn Monitor,
) -> Result<Done, JobError> {
    let start = Instant::now();
    let recipe = recipe(command, &[("raster", &config.raster)], monitor)?;
    let scheme = nunatak_io::class_scheme(&nunatak_io::describe(&config.raster).map_err(io_error)?);
    let result = nunatak_io::polygonize(config, &scheme, monitor, &recipe).map_err(io_error);
    let report = unless_cancelled(monitor, result)?;
    let unit = if report.area_kind == AreaKind::Pixels { "px" } else { "m2" };
    let class = |class: &ClassPolygons| {
        let mut row = json!({ "id": class.id, "label": class.label, "n_polygons": class.n_polygons });
        row[format!("area_{unit}")] = json!(class.area);
        row
    };
    let facts = Facts::default()
        .with("polygons", report.n_polygons)
        .with("merged", report.n_merged)
        .with(&format!("merged_area_{unit}"), report.merged_area)
        .with("too_small", report.n_too_small)
        .with(&format!("too_small_area_{unit}"), report.too_small_area)
        .with("area_kind", json!(report.area_kind))
        .with("classes", report.classes.iter().map(class).collect::<Vec<_>>())
        .with("seconds", seconds(start));
    Ok(facts.report(report.outputs))
}

pub(crate) fn convert(config: &ConvertConfig, command: &Command, monitor: &dyn Monitor) -> Result<Done, JobError> {
    let start = Instant::now();
    let recipe = recipe(command, &[("raster", &config.raster)], monitor)?;
    let result = nunatak_io::convert(config, monitor, &recipe).map_err(io_error);
    let report = unless_cancelled(monitor, result)?;
    let facts = Facts::default()
        .with("size", format!("{}x{}", report.width, report.height))
        .with("bands", report.n_bands)
        .with("seconds", seconds(start));
    Ok(facts.report(report.outputs))
}
