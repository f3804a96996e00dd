//! Jobs that turn one file into another: polygons and copies.

use std::time::Instant;

use nunatak_domain::job::{ConvertConfig, PolygonizeConfig};
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
    let facts = Facts::default()
        .with("polygons", report.n_polygons)
        .with("too_small", report.n_too_small)
        .with("area_kind", json!(report.area_kind))
        .with("classes", json!(report.classes))
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
