//! The SF-CNM prior of a raster as files, in strips of rows.

use std::collections::BTreeMap;
use std::time::Instant;

use nunatak_domain::class::ClassId;
use nunatak_domain::colormap::ColormapName;
use nunatak_domain::grid::PixelRect;
use nunatak_domain::job::{PriorConfig, SimilarityMode};
use nunatak_domain::layer::LayerRole;
use nunatak_domain::model::Normalisation;
use nunatak_domain::notice::Notice;
use nunatak_domain::raster::{Raster, RasterError, RasterSink, RasterSource};
use nunatak_domain::scene::SceneInfo;
use nunatak_domain::spectra::{DistanceRange, Prior, PriorPixels, ReferenceSet};
use nunatak_domain::style::{Stretch, StretchMethod, Style};
use nunatak_io::{GdalSource, GeoTiffConfig, GeoTiffSink, PreparedGeoTiff};
use nunatak_jobs::{JobError, Monitor};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::open::sampled;
use super::strips::{CHUNK_PX, for_each_strip};
use super::{Done, Facts, Part, io_error, recipe, seconds, unless_cancelled};
use crate::command::Command;
use crate::layers::NewLayer;
use crate::references::normalised;
use crate::work_dir::Fresh;

pub(crate) fn run(config: &PriorConfig, command: &Command, monitor: &dyn Monitor) -> Result<Done, JobError> {
    let start = Instant::now();
    let set = nunatak_io::read_references(&config.references).map_err(io_error)?;
    for remark in set.remarks() {
        monitor.warn(Notice::warning(remark));
    }
    let references =
        Prior::new(&set).map_err(|error| Notice::error(format!("{error}: {}", config.references.display())))?;
    let mut source = nunatak_io::open(&config.raster).map_err(io_error)?;
    let bands = bands_for(&set, source.info(), config.bands.as_deref(), monitor)?;
    let chosen = SceneInfo {
        bands: bands.iter().map(|&band| source.info().bands[band].clone()).collect(),
        ..source.info().clone()
    };
    let scale = config.normalisation.clone().unwrap_or_else(|| chosen.physical());
    if let Normalisation::ScaleOffset { scale, offset } = &scale
        && (scale.len() != bands.len() || offset.len() != bands.len())
    {
        let text =
            format!("the normalisation has {} factors and the references have {} bands", scale.len(), bands.len());
        return Err(Notice::error(text).next_step("Give one scale and one offset per band").into());
    }
    let prior = normalised(&references, &scale).unwrap_or(references);
    if let Some(notice) = scale_notice(&set, &scale, &mut source, &bands, monitor)? {
        monitor.warn(notice);
    }
    let inputs = [("references", &config.references), ("raster", &config.raster)];
    let mut recipe = recipe(command, &inputs, monitor)?;
    recipe.facts.insert("thresholds".to_owned(), json!(prior.thresholds()));

    let info = source.info().clone();
    let layers = GeoTiffConfig::layers(&config.out, &info, vec!["similarity".to_owned()], recipe.clone());
    let mut similarity = GeoTiffSink::create(layers.overwrite(config.overwrite)).map_err(io_error)?;
    let class_map = |path: &std::path::PathBuf| {
        let layout = GeoTiffConfig::class_map(path, &info, set.scheme(), recipe.clone());
        layout.and_then(|layout| GeoTiffSink::create(layout.overwrite(config.overwrite))).map_err(io_error)
    };
    let mut classes = config.classes.as_ref().map(class_map).transpose()?;

    let walk = Walk { prior: &prior, bands: &bands, monitor: &Part::computing(monitor), mode: config.mode };
    let result = walk.all(&mut source, &mut similarity, classes.as_mut());
    let tally = unless_cancelled(monitor, result)?;
    let finishing = Part::finishing(monitor);
    let mut prepared = vec![similarity.prepare(&finishing).map_err(io_error)?];
    if let Some(sink) = classes {
        prepared.push(sink.prepare(&finishing).map_err(io_error)?);
    }
    monitor.check()?;
    let outputs = PreparedGeoTiff::commit_all(prepared).map_err(io_error)?;
    let facts = Facts::default()
        .with("thresholds", thresholds(&set, &prior))
        .with("labels", tally.labels(&set))
        .with("nodata_px", tally.n_nodata)
        .with("mean_similarity", tally.mean())
        .with("seconds", seconds(start));
    Ok(facts.report(outputs))
}

/// What the session knew when it was asked to show a prior that is too large to follow on the map.
pub(crate) struct LayerRequest {
    pub(crate) scene: SceneInfo,
    pub(crate) set: ReferenceSet,
    /// `None` takes the scene's own scale and offset.
    pub(crate) normalisation: Option<Normalisation>,
    /// The scene's band for each band of the references.
    pub(crate) bands: Vec<usize>,
    pub(crate) folder: Fresh,
}

/// The prior of an open scene as files of the session, and these as layers.
pub(crate) fn layer(request: &LayerRequest, monitor: &dyn Monitor) -> Result<Done, JobError> {
    let folder = request.folder.make().map_err(Notice::error)?;
    let (references, out, classes) =
        (folder.join("references.csv"), folder.join("similarity.tif"), folder.join("nearest.tif"));
    nunatak_io::write_references(&references, &request.set, None, true).map_err(io_error)?;
    let config = PriorConfig {
        references,
        raster: request.scene.path.clone(),
        out: out.clone(),
        classes: Some(classes.clone()),
        mode: SimilarityMode::Default,
        normalisation: request.normalisation.clone(),
        bands: Some(request.bands.clone()),
        overwrite: true,
    };
    let Done::Report(report) = run(&config, &Command::Prior(config.clone()), monitor)? else {
        return Err(Notice::error("the prior gave no files").into());
    };
    let name = request.scene.name();
    let method = StretchMethod::Manual;
    let similarity = Style::Colormap { band: 0, stretch: Stretch::UNIT, method, colormap: ColormapName::Viridis };
    let describe = |path: &std::path::Path| nunatak_io::describe(path).map_err(io_error);
    let (nearest, similar) = (describe(&classes)?, describe(&out)?);
    let shown = |what: &str, style, role, visible| {
        let name = format!("{what} – {name}");
        NewLayer { name, style, role, visible, opacity: 1.0 }
    };
    let style = Style::initial(&nearest);
    let layers = vec![
        (nearest, shown("Nearest reference", style, LayerRole::ClassMap, false)),
        (similar, shown("Prior", similarity, LayerRole::Prior, true)),
    ];
    Ok(Done::Layers { report, layers })
}

/// The raster's band for each band of the references.
pub(super) fn bands_for(
    set: &ReferenceSet,
    info: &SceneInfo,
    bands: Option<&[usize]>,
    monitor: &dyn Monitor,
) -> Result<Vec<usize>, JobError> {
    let (n, n_scene) = (set.n_bands(), info.n_bands());
    let refuse = |text: String| {
        let next_step = "Choose one band for each band of the references (--bands)";
        Err(Notice::error(text).next_step(next_step).into())
    };
    let path = info.path.display();
    let matched = set.bands_in(info);
    match bands.or(matched.as_deref()) {
        Some(bands) if bands.len() != n => {
            refuse(format!("the references have {n} bands and {} were chosen", bands.len()))
        }
        Some(bands) => match bands.iter().find(|&&band| band >= n_scene) {
            Some(band) => refuse(format!("there is no band {}: the raster has {n_scene}: {path}", band + 1)),
            None => Ok(bands.to_vec()),
        },
        None if n_scene < n => refuse(format!("the references have {n} bands and the raster has {n_scene}: {path}")),
        None => {
            if n_scene > n {
                let text =
                    format!("The references have {n} bands and the raster has {n_scene}: the first {n} are used");
                monitor.warn(Notice::warning(text));
            }
            Ok((0..n).collect())
        }
    }
}

/// Reflectance against digital numbers gives an empty map: said before anything runs.
pub(super) fn scale_notice(
    set: &ReferenceSet,
    scale: &Normalisation,
    source: &mut GdalSource,
    bands: &[usize],
    monitor: &dyn Monitor,
) -> Result<Option<Notice>, JobError> {
    monitor.progress(0.0, "comparing scales");
    let whole = PixelRect::whole(source.info().width, source.info().height);
    let statistics = sampled(source, whole, bands)?;
    let median = |found: &Option<_>| {
        found.as_ref().map_or(f64::NAN, |found: &nunatak_domain::scene::BandStatistics| found.percentile(50.0))
    };
    let pixels: Vec<f64> =
        statistics.iter().map(median).enumerate().map(|(band, stored)| scale.value(band, stored)).collect();
    let Some(text) = set.scale_mismatch(&pixels) else { return Ok(None) };
    let middle = |mut values: Vec<f64>| {
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let references = middle(set.enabled().flat_map(|reference| reference.spectrum.iter().copied()).collect());
    let details = format!("median of the raster {:.6}, median of the references {references:.6}", middle(pixels));
    let notice = Notice::warning(format!("{text} ({details})")).details(details);
    Ok(Some(notice.next_step("Scale the raster or the references so that both hold the same unit")))
}

/// Classes and distances, or classes and similarities, of some pixels.
type Fill = fn(&Prior, &[&[f32]], &mut [u16], &mut [f32]);

/// What a job walks a raster with.
struct Walk<'a> {
    prior: &'a Prior,
    bands: &'a [usize],
    monitor: &'a dyn Monitor,
    mode: SimilarityMode,
}

impl Walk<'_> {
    fn all(
        &self,
        source: &mut GdalSource,
        similarity: &mut GeoTiffSink,
        mut classes: Option<&mut GeoTiffSink>,
    ) -> Result<Tally, JobError> {
        let compat = self.mode == SimilarityMode::Compat;
        let n_passes = if compat { 2 } else { 1 };
        let mut range: Option<DistanceRange> = None;
        if compat {
            self.strips(source, (0, n_passes), Prior::pixels_into, |_, pixels| {
                let found = DistanceRange::of(&pixels);
                range = match (range, found) {
                    (Some(a), Some(b)) => Some(a.union(b)),
                    (a, b) => a.or(b),
                };
                Ok(())
            })?;
        }
        // On a scene without a similar pixel nothing is scaled by the range.
        let range = range.unwrap_or(DistanceRange { min: 0.0, max: 0.0 });
        let fill = if compat { Prior::pixels_into } else { Prior::similarity_into };
        let mut tally = Tally::default();
        self.strips(source, (n_passes - 1, n_passes), fill, |strip, pixels| {
            let PriorPixels { classes: ids, distance: mut values } = pixels;
            if compat {
                values.par_iter_mut().zip(&ids).for_each(|(d, &class)| *d = range.similarity_compat(class, *d));
            }
            tally.add(&ids, &values);
            if let Some(sink) = classes.as_deref_mut() {
                let id = |(&class, &s): (&u16, &f32)| if s.is_nan() { f32::NAN } else { f32::from(class) };
                let data = ids.iter().zip(&values).map(id).collect();
                sink.write(0, strip.row, &Raster::new(1, strip.width, strip.height, data))?;
            }
            similarity.write(0, strip.row, &Raster::new(1, strip.width, strip.height, values))
        })?;
        Ok(tally)
    }

    /// Reads and computes strip after strip.
    fn strips(
        &self,
        source: &mut GdalSource,
        passes: (usize, usize),
        fill: Fill,
        mut each: impl FnMut(PixelRect, PriorPixels) -> Result<(), RasterError> + Send,
    ) -> Result<(), JobError> {
        for_each_strip(source, self.bands, passes, self.monitor, |strip, raster| {
            each(strip, self.compute(raster, fill))
        })
    }

    /// All processors, each on a run of pixels.
    fn compute(&self, raster: &Raster, fill: Fill) -> PriorPixels {
        let n = raster.n_px();
        let mut pixels = PriorPixels { classes: vec![0; n], distance: vec![f32::NAN; n] };
        pixels.classes.par_chunks_mut(CHUNK_PX).zip(pixels.distance.par_chunks_mut(CHUNK_PX)).enumerate().for_each(
            |(index, (classes, distance))| {
                let start = index * CHUNK_PX;
                let bands: Vec<&[f32]> =
                    (0..raster.bands).map(|band| &raster.band(band)[start..start + classes.len()]).collect();
                fill(self.prior, &bands, classes, distance);
            },
        );
        pixels
    }
}

/// What was found, for the report.
#[derive(Default)]
struct Tally {
    counts: BTreeMap<u16, u64>,
    n_nodata: u64,
    sum: f64,
}

impl Tally {
    fn add(&mut self, classes: &[u16], similarity: &[f32]) {
        for (&class, &similarity) in classes.iter().zip(similarity) {
            if similarity.is_nan() {
                self.n_nodata += 1;
            } else {
                *self.counts.entry(class).or_default() += 1;
                self.sum += f64::from(similarity);
            }
        }
    }

    /// Over all pixels with data, those without a label counting as 0.
    fn mean(&self) -> Value {
        let n: u64 = self.counts.values().sum();
        if n == 0 { Value::Null } else { json!((self.sum / n as f64 * 1e6).round() / 1e6) }
    }

    /// Label, name and pixels; label 0 is "none".
    fn labels(&self, set: &ReferenceSet) -> Value {
        let scheme = set.scheme();
        let last = scheme.classes.len() as u16;
        let name = |id: u16| if id == 0 { "none".to_owned() } else { scheme.name(ClassId(u32::from(id))) };
        let pixels = |id: u16| self.counts.get(&id).copied().unwrap_or(0);
        (0..=last).map(|id| json!({ "id": id, "name": name(id), "pixels": pixels(id) })).collect()
    }
}

fn thresholds(set: &ReferenceSet, prior: &Prior) -> Value {
    let each = set.enabled().zip(prior.thresholds());
    each.map(|(reference, threshold)| json!({ "name": reference.name, "threshold": threshold })).collect()
}
