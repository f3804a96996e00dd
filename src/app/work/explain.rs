//! Class map, attention and Grad-CAM of a raster, from disk to disk.

use std::path::{Path, PathBuf};
use std::time::Instant;

use nunatak_domain::geo::{GeoTransform, Georeference, PixelPos};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::job::{DeviceChoice, ExplainConfig};
use nunatak_domain::notice::Notice;
use nunatak_domain::raster::{RasterSink, RasterSource};
use nunatak_domain::recipe::Recipe;
use nunatak_domain::scene::SceneInfo;
use nunatak_io::{GdalSource, GeoTiffConfig, GeoTiffSink, PreparedGeoTiff};
use nunatak_jobs::{JobError, Monitor};
use nunatak_ml::explain::{ExplainOptions, ExplainReport, ExplainSinks};
use nunatak_ml::{Engine, LoadedModel};

use super::predict::{counted, open_both};
use super::{Compute, Done, Facts, Part, io_error, ml_error, recipe, seconds, unless_cancelled};
use crate::command::Command;

pub(crate) fn run(
    compute: &mut Compute,
    device: DeviceChoice,
    config: &ExplainConfig,
    command: &Command,
    monitor: &dyn Monitor,
) -> Result<Done, JobError> {
    let start = Instant::now();
    let (model, mut source) = open_both(&config.model, &config.raster, config.bands.as_deref(), monitor)?;
    let engine = compute.engine(device)?;
    let class = explained_class(engine, &model, &mut source, config)?;
    let label = class_label(&model, class);
    let mut recipe = recipe(command, &[("model", &config.model), ("raster", &config.raster)], monitor)?;
    recipe.facts.insert("device".to_owned(), engine.describe().into());
    recipe.facts.insert("gradcam_class".to_owned(), label.clone().into());
    if let Some(area) = config.window {
        part_of(source.info(), area)?;
    }
    let fresh = !config.out_dir.exists();
    let made = std::fs::create_dir_all(&config.out_dir);
    made.map_err(|error| Notice::error(format!("failed to make folder: {error}: {}", config.out_dir.display())))?;

    let files = Files {
        class: Some(config.out_dir.join("class.tif")),
        attention: Some(config.out_dir.join("attention.tif")),
        gradcam: config.out_dir.join("gradcam.tif"),
        overwrite: config.overwrite,
    };
    let options = ExplainOptions {
        class,
        pixel: config.pixel,
        area: config.window,
        bands: config.bands.clone(),
        tile_px: model.record.tile.side_px(),
    };
    let result = explain_files(engine, &model, &mut source, &files, &options, &recipe, monitor);
    if result.is_err() && fresh {
        // Only an empty one can be removed so.
        let _ = std::fs::remove_dir(&config.out_dir);
    }
    let (outputs, report) = unless_cancelled(monitor, result)?;
    let facts = Facts::default()
        .with("device", engine.describe())
        .with("gradcam_class", label)
        .with("classes", counted(&model.record, &report.prediction.counts))
        .with("nodata_px", report.prediction.n_nodata)
        .with("tiles", report.prediction.n_windows)
        .with("seconds", seconds(start));
    Ok(facts.report(outputs))
}

/// The class that is asked for, else the one that the model gives the pixel, else the default.
///
/// # Errors
/// The model has no such class, or the pixel has none.
pub(super) fn explained_class(
    engine: &Engine,
    model: &LoadedModel,
    source: &mut GdalSource,
    config: &ExplainConfig,
) -> Result<usize, JobError> {
    match (config.class, config.pixel) {
        (None, Some(pixel)) => {
            let found = nunatak_ml::explain::class_at(engine, model, source, config.bands.as_deref(), pixel);
            found.map_err(ml_error)?.ok_or_else(|| {
                Notice::error("the pixel to explain has no class: its bands have no values there")
                    .next_step("Choose another pixel, or name a class")
                    .into()
            })
        }
        (class, _) => target_class(model, class),
    }
}

/// Index of the logit of the class with this value in the class map. Where nobody chose, the
/// second one as in the original, or the only one.
///
/// # Errors
/// The model has no such class; the sentence lists those it has.
pub(super) fn target_class(model: &LoadedModel, value: Option<usize>) -> Result<usize, JobError> {
    let n_classes = model.record.network.n_classes();
    let Some(value) = value else { return Ok(1.min(n_classes - 1)) };
    let found = model.record.classes.classes.iter().position(|class| class.id.0 as usize == value);
    found.ok_or_else(|| {
        let known: Vec<String> = (0..n_classes).map(|index| class_label(model, index)).collect();
        Notice::error(format!("the model has no class {value}"))
            .next_step(format!("Choose one of {}", known.join(", ")))
            .into()
    })
}

/// Value and name, for example `2 Emergent wetland`.
pub(super) fn class_label(model: &LoadedModel, index: usize) -> String {
    let class = &model.record.classes.classes[index];
    format!("{} {}", class.id.0, class.name)
}

/// Where the results go.
pub(super) struct Files {
    pub(super) class: Option<PathBuf>,
    pub(super) attention: Option<PathBuf>,
    pub(super) gradcam: PathBuf,
    pub(super) overwrite: bool,
}

/// Explains a scene or a part of it into files. Returns those and what was found.
///
/// # Errors
/// Reading, writing, cancelled, or a request that does not fit the model.
pub(super) fn explain_files(
    engine: &Engine,
    model: &LoadedModel,
    source: &mut GdalSource,
    files: &Files,
    options: &ExplainOptions,
    recipe: &Recipe,
    monitor: &dyn Monitor,
) -> Result<(Vec<PathBuf>, ExplainReport), JobError> {
    let info = match options.area {
        None => source.info().clone(),
        Some(area) => part_of(source.info(), area)?,
    };
    let layer = |path: &Path, name: &str| {
        let layout = GeoTiffConfig::layers(path, &info, vec![name.to_owned()], recipe.clone());
        GeoTiffSink::create(layout.overwrite(files.overwrite)).map_err(io_error)
    };
    let class_map = |path: &PathBuf| {
        let layout = GeoTiffConfig::class_map(path, &info, model.record.classes.clone(), recipe.clone());
        layout.and_then(|layout| GeoTiffSink::create(layout.overwrite(files.overwrite))).map_err(io_error)
    };
    let mut class = files.class.as_ref().map(class_map).transpose()?;
    let mut attention = files.attention.as_ref().map(|path| layer(path, "attention")).transpose()?;
    let target = class_label(model, options.class);
    let mut gradcam = layer(&files.gradcam, &format!("Grad-CAM of class {target}"))?;
    let sinks = ExplainSinks {
        class: class.as_mut().map(|sink| sink as &mut dyn RasterSink),
        attention: attention.as_mut().map(|sink| sink as &mut dyn RasterSink),
        gradcam: Some(&mut gradcam),
    };
    let computing = Part::computing(monitor);
    let report = nunatak_ml::explain::explain(engine, model, source, sinks, options, &computing).map_err(ml_error)?;
    let finishing = Part::finishing(monitor);
    let mut prepared = Vec::new();
    for sink in [class, attention, Some(gradcam)].into_iter().flatten() {
        prepared.push(sink.prepare(&finishing).map_err(io_error)?);
    }
    monitor.check()?;
    let outputs = PreparedGeoTiff::commit_all(prepared).map_err(io_error)?;
    Ok((outputs, report))
}

/// The description of a part of a scene: smaller, and its first pixel elsewhere.
fn part_of(info: &SceneInfo, area: PixelRect) -> Result<SceneInfo, JobError> {
    if area.area() == 0 || area.right() > info.width || area.bottom() > info.height {
        let text = format!("the part to explain lies outside of the scene of {} x {} pixels", info.width, info.height);
        return Err(Notice::error(text).into());
    }
    let (dc, dr) = (area.col as f64, area.row as f64);
    let georeference = match &info.georeference {
        Georeference::None => Georeference::None,
        Georeference::Affine { transform } => {
            let transform: GeoTransform = transform.window(dc, dr, 1.0, 1.0);
            Georeference::Affine { transform }
        }
        Georeference::Gcps { points, crs } => {
            let mut points = points.clone();
            for point in &mut points {
                point.pixel = PixelPos::new(point.pixel.col - dc, point.pixel.row - dr);
            }
            Georeference::Gcps { points, crs: crs.clone() }
        }
    };
    Ok(SceneInfo { width: area.width, height: area.height, georeference, ..info.clone() })
}
