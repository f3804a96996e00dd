//! Class map of a raster by the spectra of its pixels, in strips of rows.

use std::collections::BTreeMap;
use std::time::Instant;

use nunatak_domain::class::ClassId;
use nunatak_domain::job::{ClassifyConfig, ClassifyMethod};
use nunatak_domain::model::Normalisation;
use nunatak_domain::notice::Notice;
use nunatak_domain::raster::{Raster, RasterSink, RasterSource};
use nunatak_domain::spectra::{ClassStatistics, ClassifiedPixels, Classifier, Prior};
use nunatak_io::{GdalSource, GeoTiffConfig, GeoTiffSink, PreparedGeoTiff};
use nunatak_jobs::{JobError, Monitor};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::class_spectra::ClassSpectra;
use super::strips::{CHUNK_PX, for_each_strip};
use super::{Done, Facts, Part, io_error, recipe, seconds, unless_cancelled};
use crate::command::Command;

pub(crate) fn run(config: &ClassifyConfig, command: &Command, monitor: &dyn Monitor) -> Result<Done, JobError> {
    let start = Instant::now();
    check(config)?;
    let mut source = nunatak_io::open(&config.raster).map_err(io_error)?;
    let bands = config.bands.as_deref();
    let training = Part { monitor, from: 0.0, to: 0.3, what: "reading the training pixels" };
    let (role, path) = match (&config.training, &config.references) {
        (Some(labels), None) => ("training", labels),
        (None, Some(references)) => ("references", references),
        _ => return Err(Notice::error("give either references or training labels").into()),
    };
    let spectra = match config.training {
        Some(_) => {
            let result = ClassSpectra::of_labels(path, config.field.as_deref(), &mut source, bands, &training);
            unless_cancelled(monitor, result)?
        }
        None => ClassSpectra::of_references(path, &mut source, bands, monitor)?,
    };
    let classifier = classifier(config, &spectra)?;
    for remark in spectra.set.remarks().iter().chain(classifier.remarks()) {
        monitor.warn(Notice::warning(spectra.named(remark)));
    }
    let mut recipe = recipe(command, &[(role, path), ("raster", &config.raster)], monitor)?;
    recipe.facts.insert("bands".to_owned(), json!(spectra.bands));
    recipe.facts.insert("classes".to_owned(), json!(spectra.scheme));

    let info = source.info().clone();
    let layout = GeoTiffConfig::class_map(&config.out, &info, spectra.scheme.clone(), recipe.clone());
    let layout = layout.map_err(io_error)?.overwrite(config.overwrite);
    let mut map = GeoTiffSink::create(layout).map_err(io_error)?;
    let score = |path: &std::path::PathBuf| {
        let layout = GeoTiffConfig::layers(path, &info, vec![score_name(config.method).to_owned()], recipe.clone());
        GeoTiffSink::create(layout.overwrite(config.overwrite)).map_err(io_error)
    };
    let mut score = config.score.as_ref().map(score).transpose()?;

    let from = if config.training.is_some() { training.to } else { 0.0 };
    let computing = Part { from, ..Part::computing(monitor) };
    let walk = Walk { classifier: &classifier, spectra: &spectra, monitor: &computing };
    let tally = unless_cancelled(monitor, walk.all(&mut source, &mut map, score.as_mut()))?;
    let finishing = Part::finishing(monitor);
    let mut prepared = vec![map.prepare(&finishing).map_err(io_error)?];
    if let Some(sink) = score {
        prepared.push(sink.prepare(&finishing).map_err(io_error)?);
    }
    monitor.check()?;
    let outputs = PreparedGeoTiff::commit_all(prepared).map_err(io_error)?;
    let facts = Facts::default()
        .with("classes", tally.classes(&spectra))
        .with("unclassified_px", tally.n_unclassified)
        .with("nodata_px", tally.n_nodata)
        .with("seconds", seconds(start));
    Ok(facts.report(outputs))
}

/// Limits that do not belong to the method.
fn check(config: &ClassifyConfig) -> Result<(), JobError> {
    use ClassifyMethod::{Mahalanobis, MaxLikelihood, MinDistance, Sam};
    let limits: [(&str, bool, &[ClassifyMethod]); 3] = [
        ("--max-angle", config.max_angle.is_some(), &[Sam]),
        ("--max-distance", config.max_distance.is_some(), &[MinDistance, Mahalanobis]),
        ("--min-probability", config.min_probability.is_some(), &[MaxLikelihood]),
    ];
    for (name, given, methods) in limits {
        if given && !methods.contains(&config.method) {
            let own = limits.iter().find(|(_, _, methods)| methods.contains(&config.method));
            let instead =
                own.map_or("it has thresholds of its own".to_owned(), |own| format!("its limit is {}", own.0));
            let text = format!("{name} is no limit of {}: {instead}", method_name(config.method));
            return Err(Notice::error(text).into());
        }
    }
    Ok(())
}

fn classifier(config: &ClassifyConfig, spectra: &ClassSpectra) -> Result<Classifier, JobError> {
    let means: Vec<&[f64]> = spectra.set.references.iter().map(|reference| reference.spectrum.as_slice()).collect();
    let made = match config.method {
        ClassifyMethod::Sam => Classifier::spectral_angle(&means, config.max_angle),
        ClassifyMethod::MinDistance => Classifier::minimum_distance(&means, config.max_distance),
        ClassifyMethod::MaxLikelihood => {
            Classifier::maximum_likelihood(&distributions(config, spectra)?, config.min_probability)
        }
        ClassifyMethod::Mahalanobis => Classifier::mahalanobis(&distributions(config, spectra)?, config.max_distance),
        ClassifyMethod::SfCnm => {
            let prior = Prior::new(&spectra.set).map_err(|error| Notice::error(error.to_string()))?;
            Ok(Classifier::sf_cnm(prior))
        }
    };
    let classifier = made.map_err(|error| Notice::error(spectra.named(&error.to_string())))?;
    let Normalisation::ScaleOffset { scale, offset } = &spectra.normalisation else { return Ok(classifier) };
    let double = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
    Ok(classifier.with_normalisation(&double(scale), &double(offset)))
}

/// Methods that ask how pixels spread cannot do with bare spectra.
fn distributions<'a>(config: &ClassifyConfig, spectra: &'a ClassSpectra) -> Result<Vec<&'a ClassStatistics>, JobError> {
    let bare = spectra.set.references.iter().zip(&spectra.statistics).find(|(_, statistics)| statistics.is_none());
    let Some((reference, _)) = bare else { return Ok(spectra.statistics.iter().flatten().collect()) };
    let text = format!(
        "{} needs to know how the pixels of a class spread, and {} is a bare spectrum",
        method_name(config.method),
        reference.name
    );
    let next_step = "Give labelled pixels of the raster (--training LABELS), or choose sam, min-distance or sf-cnm";
    Err(Notice::error(text).next_step(next_step).into())
}

pub(crate) const fn method_name(method: ClassifyMethod) -> &'static str {
    match method {
        ClassifyMethod::Sam => "sam",
        ClassifyMethod::MinDistance => "min-distance",
        ClassifyMethod::Mahalanobis => "mahalanobis",
        ClassifyMethod::MaxLikelihood => "max-likelihood",
        ClassifyMethod::SfCnm => "sf-cnm",
    }
}

const fn score_name(method: ClassifyMethod) -> &'static str {
    match method {
        ClassifyMethod::Sam => "spectral angle (rad)",
        ClassifyMethod::MinDistance => "distance",
        ClassifyMethod::Mahalanobis => "Mahalanobis distance",
        ClassifyMethod::MaxLikelihood => "log-likelihood",
        ClassifyMethod::SfCnm => "SF-CNM distance",
    }
}

/// What a job walks a raster with.
struct Walk<'a> {
    classifier: &'a Classifier,
    spectra: &'a ClassSpectra,
    monitor: &'a dyn Monitor,
}

impl Walk<'_> {
    fn all(
        &self,
        source: &mut GdalSource,
        map: &mut GeoTiffSink,
        mut score: Option<&mut GeoTiffSink>,
    ) -> Result<Tally, JobError> {
        let scheme = &self.spectra.scheme;
        // Where 0 is a class, nodata has to say "unclassified".
        let unclassified = if scheme.get(ClassId(0)).is_some() { f32::NAN } else { 0.0 };
        let ids: Vec<f32> =
            std::iter::once(unclassified).chain(scheme.classes.iter().map(|class| class.id.0 as f32)).collect();
        let mut tally = Tally::default();
        for_each_strip(source, &self.spectra.bands, (0, 1), self.monitor, |strip, raster| {
            let pixels = self.compute(raster);
            tally.add(&pixels);
            let id = |(&class, score): (&u16, &f32)| if score.is_nan() { f32::NAN } else { ids[usize::from(class)] };
            let data = pixels.classes.iter().zip(&pixels.score).map(id).collect();
            map.write(0, strip.row, &Raster::new(1, strip.width, strip.height, data))?;
            match score.as_deref_mut() {
                Some(sink) => sink.write(0, strip.row, &Raster::new(1, strip.width, strip.height, pixels.score)),
                None => Ok(()),
            }
        })?;
        Ok(tally)
    }

    /// All processors, each on a run of pixels.
    fn compute(&self, raster: &Raster) -> ClassifiedPixels {
        let n = raster.n_px();
        let mut pixels = ClassifiedPixels { classes: vec![0; n], score: vec![f32::NAN; n] };
        let runs = pixels.classes.par_chunks_mut(CHUNK_PX).zip(pixels.score.par_chunks_mut(CHUNK_PX));
        runs.enumerate().for_each(|(index, (classes, score))| {
            let start = index * CHUNK_PX;
            let bands: Vec<&[f32]> =
                (0..raster.bands).map(|band| &raster.band(band)[start..start + classes.len()]).collect();
            self.classifier.classify_into(&bands, classes, score);
        });
        pixels
    }
}

/// What was found, for the report.
#[derive(Default)]
struct Tally {
    /// By index of the spectrum.
    counts: BTreeMap<usize, u64>,
    n_unclassified: u64,
    n_nodata: u64,
}

impl Tally {
    fn add(&mut self, pixels: &ClassifiedPixels) {
        for (&class, score) in pixels.classes.iter().zip(&pixels.score) {
            match class.checked_sub(1) {
                _ if score.is_nan() => self.n_nodata += 1,
                Some(index) => *self.counts.entry(usize::from(index)).or_default() += 1,
                None => self.n_unclassified += 1,
            }
        }
    }

    fn classes(&self, spectra: &ClassSpectra) -> Value {
        let n = (self.counts.values().sum::<u64>() + self.n_unclassified).max(1) as f64;
        let rows = spectra.scheme.classes.iter().enumerate().map(|(index, class)| {
            let pixels = self.counts.get(&index).copied().unwrap_or(0);
            json!({ "id": class.id, "name": class.name, "pixels": pixels, "share": pixels as f64 / n })
        });
        rows.collect()
    }
}
