//! A class map of a raster, from disk to disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use nunatak_domain::class::ClassId;
use nunatak_domain::grid::PixelRect;
use nunatak_domain::job::{DeviceChoice, PredictConfig};
use nunatak_domain::model::ModelRecord;
use nunatak_domain::notice::{Level, Notice};
use nunatak_domain::raster::{RasterSink, RasterSource};
use nunatak_domain::recipe::Recipe;
use nunatak_domain::scene::SceneInfo;
use nunatak_io::{GdalSource, GeoTiffConfig, GeoTiffSink, PreparedGeoTiff};
use nunatak_jobs::{JobError, Monitor};
use nunatak_ml::predict::{PredictOptions, PredictReport, PredictSinks};
use nunatak_ml::{Engine, LoadedModel};
use serde_json::{Value, json};

use super::open::sampled;
use super::{Compute, Done, Facts, Part, io_error, ml_error, recipe, seconds, unless_cancelled};
use crate::command::Command;

pub(crate) fn run(
    compute: &mut Compute,
    device: DeviceChoice,
    config: &PredictConfig,
    command: &Command,
    monitor: &dyn Monitor,
) -> Result<Done, JobError> {
    let start = Instant::now();
    let (model, mut source) = open_both(&config.model, &config.raster, config.bands.as_deref(), monitor)?;
    let engine = compute.engine(device)?;
    let mut recipe = recipe(command, &[("model", &config.model), ("raster", &config.raster)], monitor)?;
    recipe.facts.insert("device".to_owned(), engine.describe().into());
    recipe.facts.insert("network".to_owned(), model.record.network.name().into());

    let result = predict_files(engine, &model, &mut source, config, recipe, monitor);
    let (outputs, report) = unless_cancelled(monitor, result)?;
    let elapsed = seconds(start);
    let facts = Facts::default()
        .with("device", engine.describe())
        .with("classes", counted(&model.record, &report.counts))
        .with("nodata_px", report.n_nodata)
        .with("tiles", report.n_windows)
        .with("tiles_resumed", report.n_skipped)
        .with("seconds", elapsed)
        .with("tiles_per_second", (report.n_windows as f64 / elapsed.max(1e-3) * 10.0).round() / 10.0);
    Ok(facts.report(outputs))
}

/// Reads model and scene and says what does not fit before anything runs.
///
/// # Errors
/// One of them cannot be read, or they cannot work together.
pub(super) fn open_both(
    model: &Path,
    raster: &Path,
    bands: Option<&[usize]>,
    monitor: &dyn Monitor,
) -> Result<(LoadedModel, GdalSource), JobError> {
    if model_like(raster) && !model_like(model) {
        let text = format!("the model comes first, then the raster, and {} is no model", model.display());
        let next_step = format!("Swap them: {} {}", raster.display(), model.display());
        return Err(Notice::error(text).next_step(next_step).into());
    }
    monitor.progress(0.0, "reading the model");
    let model = nunatak_ml::load_network(model).map_err(ml_error)?;
    for remark in &model.remarks {
        monitor.warn(Notice::info(remark.clone()));
    }
    let mut source = nunatak_io::open(raster).map_err(io_error)?;
    let statistics = match nunatak_ml::check::bands_for(&model.record, source.info(), bands) {
        Ok(chosen) => {
            let whole = PixelRect::whole(source.info().width, source.info().height);
            sampled(&mut source, whole, &chosen)?.into_iter().collect::<Option<Vec<_>>>()
        }
        // Said by the check.
        Err(_) => None,
    };
    for notice in nunatak_ml::check::check(&model, source.info(), bands, statistics.as_deref()) {
        if notice.level == Level::Error {
            return Err(JobError::Failed(notice));
        }
        monitor.warn(notice);
    }
    Ok((model, source))
}

/// By its extension alone.
fn model_like(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    matches!(extension.as_deref(), Some("pth" | "pt" | "safetensors"))
}

pub(super) fn predict_files(
    engine: &Engine,
    model: &LoadedModel,
    source: &mut GdalSource,
    config: &PredictConfig,
    recipe: Recipe,
    monitor: &dyn Monitor,
) -> Result<(Vec<std::path::PathBuf>, PredictReport), JobError> {
    let info = source.info().clone();
    let mut sinks = Sinks::create(&info, &model.record, config, &recipe)?;
    let tile_px = config.tile_px.unwrap_or_else(|| model.record.tile.side_px());
    let done = if config.resume { sinks.finished(&info, tile_px) } else { BTreeSet::new() };
    let options = PredictOptions { tile_px, bands: config.bands.clone(), mode: config.mode, done };
    let computing = Part::computing(monitor);
    let report = nunatak_ml::predict::predict(engine, model, source, sinks.borrowed(), options, &computing);
    let mut report = report.map_err(ml_error)?;
    let outputs = sinks.finish(config.cog, &Part::finishing(monitor))?;
    if report.n_skipped > 0 {
        let whole = counts_of(&config.out, &model.record, monitor)?;
        (report.counts, report.n_nodata) = (whole.counts, whole.n_nodata);
    }
    Ok((outputs, report))
}

/// The files of one prediction, those that were asked for.
struct Sinks {
    class: GeoTiffSink,
    probabilities: Option<GeoTiffSink>,
    margin: Option<GeoTiffSink>,
    entropy: Option<GeoTiffSink>,
}

impl Sinks {
    fn create(
        info: &SceneInfo,
        record: &ModelRecord,
        config: &PredictConfig,
        recipe: &Recipe,
    ) -> Result<Self, JobError> {
        let make = |layout: GeoTiffConfig| {
            let layout = layout.overwrite(config.overwrite);
            if config.resume { GeoTiffSink::resume_or_create(layout) } else { GeoTiffSink::create(layout) }
        };
        let class =
            GeoTiffConfig::class_map(&config.out, info, record.classes.clone(), recipe.clone()).map_err(io_error)?;
        let layers = |path: &Option<std::path::PathBuf>, bands: &[String]| {
            let layout = path.as_ref().map(|path| GeoTiffConfig::layers(path, info, bands.to_vec(), recipe.clone()));
            layout.map(make).transpose().map_err(io_error)
        };
        let names: Vec<String> = record.classes.classes.iter().map(|class| class.name.clone()).collect();
        Ok(Self {
            class: make(class).map_err(io_error)?,
            probabilities: layers(&config.probabilities, &names)?,
            margin: layers(&config.margin, &["margin".to_owned()])?,
            entropy: layers(&config.entropy, &["entropy".to_owned()])?,
        })
    }

    fn borrowed(&mut self) -> PredictSinks<'_> {
        fn port(sink: &mut Option<GeoTiffSink>) -> Option<&mut dyn RasterSink> {
            sink.as_mut().map(|sink| sink as &mut dyn RasterSink)
        }
        PredictSinks {
            class: &mut self.class,
            probabilities: port(&mut self.probabilities),
            margin: port(&mut self.margin),
            entropy: port(&mut self.entropy),
            logits: None,
        }
    }

    /// Windows that every file has from an earlier run.
    fn finished(&self, info: &SceneInfo, tile_px: usize) -> BTreeSet<usize> {
        let more: Vec<&GeoTiffSink> =
            [&self.probabilities, &self.margin, &self.entropy].into_iter().flatten().collect();
        PixelRect::tiles(info.width, info.height, tile_px)
            .enumerate()
            .filter(|(_, window)| self.class.has(*window) && more.iter().all(|sink| sink.has(*window)))
            .map(|(index, _)| index)
            .collect()
    }

    fn finish(self, cog: bool, monitor: &dyn Monitor) -> Result<Vec<std::path::PathBuf>, JobError> {
        // All of them appear, or none.
        let class = if cog { self.class.prepare_cog(monitor) } else { self.class.prepare(monitor) };
        let mut prepared = vec![class.map_err(io_error)?];
        for sink in [self.probabilities, self.margin, self.entropy].into_iter().flatten() {
            prepared.push(sink.prepare(monitor).map_err(io_error)?);
        }
        monitor.check()?;
        PreparedGeoTiff::commit_all(prepared).map_err(io_error)
    }
}

/// What a finished class map holds: a resumed run has seen only its own windows.
pub(super) fn counts_of(out: &Path, record: &ModelRecord, monitor: &dyn Monitor) -> Result<PredictReport, JobError> {
    let mut source = nunatak_io::open(out).map_err(io_error)?;
    let (width, height) = (source.info().width, source.info().height);
    let counts = record.classes.classes.iter().map(|class| (class.id.0, 0)).collect();
    let mut report = PredictReport { counts, ..PredictReport::default() };
    for window in PixelRect::tiles(width, height, 1024) {
        monitor.check()?;
        let raster = source.read_window(window, &[0]).map_err(|error| Notice::error(error.to_string()))?;
        for value in raster.data {
            if value.is_nan() {
                report.n_nodata += 1;
            } else {
                *report.counts.entry(value as u32).or_default() += 1;
            }
        }
    }
    Ok(report)
}

/// Id, name, pixels and share of the pixels with a result, class by class.
pub(super) fn counted(record: &ModelRecord, counts: &BTreeMap<u32, u64>) -> Value {
    let total: u64 = counts.values().sum();
    let share = |pixels: u64| if total == 0 { 0.0 } else { (pixels as f64 / total as f64 * 1e6).round() / 1e6 };
    counts
        .iter()
        .map(|(&id, &pixels)| json!({ "id": id, "name": record.classes.name(ClassId(id)), "pixels": pixels, "share": share(pixels) }))
        .collect()
}
