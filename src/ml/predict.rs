//! Class maps of scenes, from disk to disk.
//!
//! A pixel's result depends on the data and the model and never on the window it fell into;
//! peak memory does not depend on the scene.

use std::collections::{BTreeMap, BTreeSet};

use nunatak_domain::grid::PixelRect;
use nunatak_domain::job::PredictMode;
use nunatak_domain::model::ModelRecord;
use nunatak_domain::raster::{Raster, RasterSink, RasterSource};
use nunatak_jobs::Monitor;

use crate::check::bands_for;
use crate::compat;
use crate::engine::Engine;
use crate::error::MlError;
use crate::model::LoadedModel;
use crate::net::Net;
use crate::outputs::{class_map, entropy, margin, softmax};
use crate::windows::{Pace, Window, WindowInput, pipeline, read_window, windows_of};

/// Where results go: class ids (one band), probabilities (one band per class), margin and
/// entropy (one band each, in [0, 1]). NaN where there is no result.
pub struct PredictSinks<'a> {
    pub class: &'a mut dyn RasterSink,
    pub probabilities: Option<&'a mut dyn RasterSink>,
    /// Highest minus second highest probability.
    pub margin: Option<&'a mut dyn RasterSink>,
    /// Shannon entropy of the probabilities divided by ln K.
    pub entropy: Option<&'a mut dyn RasterSink>,
    /// What the network itself gives, one band per class.
    pub logits: Option<&'a mut dyn RasterSink>,
}

impl<'a> PredictSinks<'a> {
    /// The class map alone.
    pub fn new(class: &'a mut dyn RasterSink) -> Self {
        Self { class, probabilities: None, margin: None, entropy: None, logits: None }
    }

    fn class_only(&self) -> bool {
        self.probabilities.is_none() && self.margin.is_none() && self.entropy.is_none() && self.logits.is_none()
    }
}

pub struct PredictOptions {
    /// Side of a window without its halo, > 0; it changes speed and memory and no result.
    pub tile_px: usize,
    /// Scene band for each band of the model; `None` takes them in order.
    pub bands: Option<Vec<usize>>,
    pub mode: PredictMode,
    /// Windows that an earlier run has finished, by index (`Exact` only).
    pub done: BTreeSet<usize>,
}

impl Default for PredictOptions {
    fn default() -> Self {
        Self { tile_px: 256, bands: None, mode: PredictMode::Exact, done: BTreeSet::new() }
    }
}

/// What was found in the windows of this run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PredictReport {
    /// Class id and number of pixels, every class of the model.
    pub counts: BTreeMap<u32, u64>,
    pub n_nodata: u64,
    pub n_windows: usize,
    /// Windows that an earlier run had finished.
    pub n_skipped: usize,
}

/// Predicts a whole scene.
///
/// # Errors
/// Too few bands, reading, writing, cancelled. What was written until then is whole windows.
pub fn predict(
    engine: &Engine,
    model: &LoadedModel,
    source: &mut dyn RasterSource,
    sinks: PredictSinks<'_>,
    options: PredictOptions,
    monitor: &dyn Monitor,
) -> Result<PredictReport, MlError> {
    let bands = bands_for(&model.record, source.info(), options.bands.as_deref()).map_err(MlError::Request)?;
    let net = engine.network(model)?;
    match options.mode {
        PredictMode::Exact => exact(engine, &net, model, source, sinks, options, &bands, monitor),
        PredictMode::Compat => {
            if !sinks.class_only() {
                return Err(MlError::Request("compat mode averages class ids and has no probabilities".to_owned()));
            }
            compat::predict(engine, &net, model, source, sinks.class, &bands, monitor)
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "private, and each is needed as it is")]
fn exact(
    engine: &Engine,
    net: &Net,
    model: &LoadedModel,
    source: &mut dyn RasterSource,
    mut sinks: PredictSinks<'_>,
    options: PredictOptions,
    bands: &[usize],
    monitor: &dyn Monitor,
) -> Result<PredictReport, MlError> {
    let record = &model.record;
    let scene = (source.info().width, source.info().height);
    let halo = record.network.receptive_radius();
    let all = windows_of(PixelRect::whole(scene.0, scene.1), scene, options.tile_px, halo);
    let todo: Vec<Window> = all.iter().filter(|window| !options.done.contains(&window.index)).copied().collect();
    let mut report = PredictReport::empty(record);
    report.n_skipped = all.len() - todo.len();
    let mut pace = Pace::new(monitor, todo.len());
    let wanted = Wanted {
        probabilities: sinks.probabilities.is_some(),
        margin: sinks.margin.is_some(),
        entropy: sinks.entropy.is_some(),
        logits: sinks.logits.is_some(),
    };
    pipeline(
        engine.n_workers(),
        &todo,
        |window| {
            monitor.check()?;
            read_window(source, window, bands, record)
        },
        |input| predicted(engine, net, record, &input, wanted),
        |window, result| {
            let PixelRect { col, row, .. } = window.core;
            sinks.class.write(col, row, &result.class)?;
            write_to(&mut sinks.probabilities, col, row, result.probabilities.as_ref())?;
            write_to(&mut sinks.margin, col, row, result.margin.as_ref())?;
            write_to(&mut sinks.entropy, col, row, result.entropy.as_ref())?;
            write_to(&mut sinks.logits, col, row, result.logits.as_ref())?;
            report.add(&result.class);
            pace.step();
            Ok(())
        },
    )?;
    Ok(report)
}

fn write_to(
    sink: &mut Option<&mut dyn RasterSink>,
    col: usize,
    row: usize,
    raster: Option<&Raster>,
) -> Result<(), MlError> {
    match (sink, raster) {
        (Some(sink), Some(raster)) => Ok(sink.write(col, row, raster)?),
        _ => Ok(()),
    }
}

impl PredictReport {
    pub(crate) fn empty(record: &ModelRecord) -> Self {
        let counts = record.classes.classes.iter().map(|class| (class.id.0, 0)).collect();
        Self { counts, ..Self::default() }
    }

    pub(crate) fn add(&mut self, class: &Raster) {
        self.n_windows += 1;
        for value in &class.data {
            if value.is_nan() {
                self.n_nodata += 1;
            } else {
                *self.counts.entry(*value as u32).or_default() += 1;
            }
        }
    }
}

/// Which results beside the class map.
#[derive(Clone, Copy)]
struct Wanted {
    probabilities: bool,
    margin: bool,
    entropy: bool,
    logits: bool,
}

struct Predicted {
    class: Raster,
    probabilities: Option<Raster>,
    margin: Option<Raster>,
    entropy: Option<Raster>,
    logits: Option<Raster>,
}

fn predicted(engine: &Engine, net: &Net, record: &ModelRecord, input: &WindowInput, wanted: Wanted) -> Predicted {
    let core = input.window.core;
    let logits = if input.nothing_to_do() {
        Raster::filled(record.network.n_classes(), core.width, core.height, f32::NAN)
    } else {
        input.core_of(net.forward(input.tensor(engine.device())).logits)
    };
    let class = class_map(&logits, record);
    if !(wanted.probabilities || wanted.margin || wanted.entropy) {
        return Predicted {
            class,
            probabilities: None,
            margin: None,
            entropy: None,
            logits: wanted.logits.then_some(logits),
        };
    }
    let probabilities = softmax(&logits);
    Predicted {
        class,
        logits: wanted.logits.then_some(logits),
        margin: wanted.margin.then(|| margin(&probabilities)),
        entropy: wanted.entropy.then(|| entropy(&probabilities)),
        probabilities: wanted.probabilities.then_some(probabilities),
    }
}

#[cfg(test)]
mod tests {
    use nunatak_domain::model::{NodataRule, SsmgnetConfig};
    use nunatak_jobs::{Cancelled, Silent};

    use super::*;
    use crate::testing::{MemorySink, MemorySource, named_model};

    fn model() -> LoadedModel {
        named_model(SsmgnetConfig { width: 4, ..SsmgnetConfig::new(3, 3) })
    }

    /// Class map, probabilities and report.
    fn run(source: &mut MemorySource, model: &LoadedModel, tile_px: usize) -> (Raster, Raster, PredictReport) {
        let (width, height) = (source.raster.width, source.raster.height);
        let mut class = MemorySink::new(1, width, height);
        let mut probabilities = MemorySink::new(3, width, height);
        let sinks = PredictSinks { probabilities: Some(&mut probabilities), ..PredictSinks::new(&mut class) };
        let options = PredictOptions { tile_px, ..PredictOptions::default() };
        let report = predict(&Engine::cpu(), model, source, sinks, options, &Silent).expect("predicts");
        (class.0, probabilities.0, report)
    }

    /// As numbers that equal themselves.
    fn bits(raster: &Raster) -> Vec<u32> {
        raster.data.iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn no_result_depends_on_the_window() {
        let mut source = MemorySource::named(3, 300, 260);
        let model = model();
        let (class, probabilities, report) = run(&mut source, &model, 512);

        for tile_px in [64, 37, 100, 255, 299] {
            let tiled = run(&mut source, &model, tile_px);
            assert_eq!(bits(&class), bits(&tiled.0), "tile {tile_px}");
            assert_eq!(bits(&probabilities), bits(&tiled.1), "tile {tile_px}");
            assert_eq!(report.counts, tiled.2.counts);
        }
    }

    #[test]
    fn logits_of_tiny_and_odd_windows_are_those_of_the_scene() {
        let mut source = MemorySource::named(3, 45, 41);
        let model = model();
        let whole = run(&mut source, &model, 64);

        for tile_px in [1, 2, 3, 5, 8, 13, 40, 44] {
            assert_eq!(bits(&whole.1), bits(&run(&mut source, &model, tile_px).1), "tile {tile_px}");
        }
    }

    #[test]
    fn nodata_gets_no_class_and_does_not_spread() {
        let mut source = MemorySource::named(3, 40, 30);
        let mut model = model();
        source.raster.band_mut(1)[5 * 40 + 7] = f32::NAN;
        let mut zeroed = MemorySource::new(source.raster.clone());
        zeroed.raster.band_mut(1)[5 * 40 + 7] = 0.0;

        let (class, _, report) = run(&mut source, &model, 16);
        let (reference, ..) = run(&mut zeroed, &model, 64);

        assert_eq!(report.n_nodata, 1);
        assert!(class.data[5 * 40 + 7].is_nan());
        let others = |px: &usize| *px != 5 * 40 + 7;
        assert!((0..40 * 30).filter(others).all(|px| class.data[px] == reference.data[px]));
        model.record.nodata = NodataRule::Zero;
        assert_eq!(bits(&run(&mut source, &model, 16).0), bits(&reference));
        model.record.nodata = NodataRule::MaskAll;
        assert_eq!(run(&mut source, &model, 16).2.n_nodata, 0);
    }

    #[test]
    fn margin_and_entropy_stay_in_range_and_agree_with_the_probabilities() {
        let mut source = MemorySource::named(3, 20, 20);
        let (mut class, mut p) = (MemorySink::new(1, 20, 20), MemorySink::new(3, 20, 20));
        let (mut margin, mut entropy) = (MemorySink::new(1, 20, 20), MemorySink::new(1, 20, 20));
        let sinks = PredictSinks {
            probabilities: Some(&mut p),
            margin: Some(&mut margin),
            entropy: Some(&mut entropy),
            ..PredictSinks::new(&mut class)
        };

        predict(&Engine::cpu(), &model(), &mut source, sinks, PredictOptions::default(), &Silent).expect("predicts");

        for px in 0..400 {
            let mut values = p.0.spectrum(px % 20, px / 20);
            assert!((values.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            assert_eq!(values[class.0.data[px] as usize], values.iter().copied().fold(0.0, f32::max));
            values.sort_by(f32::total_cmp);
            assert_eq!(margin.0.data[px], values[2] - values[1]);
            let bits: f32 = values.iter().map(|p| -p * p.ln()).sum();
            assert!((entropy.0.data[px] - bits / 3f32.ln()).abs() < 1e-5);
        }
    }

    #[test]
    fn an_interrupted_run_goes_on_where_it_stopped() {
        let (model, mut source) = (model(), MemorySource::named(3, 70, 50));
        let whole = run(&mut source, &model, 32).0;
        let mut class = MemorySink::new(1, 70, 50);
        let mut part = |done: BTreeSet<usize>, class: &mut MemorySink| {
            let sinks = PredictSinks::new(class);
            let options = PredictOptions { tile_px: 32, done, ..PredictOptions::default() };
            predict(&Engine::cpu(), &model, &mut source, sinks, options, &Silent).expect("predicts")
        };

        let report = part(BTreeSet::from([0, 3]), &mut class);
        assert_eq!((report.n_skipped, report.n_windows), (2, 4));
        assert!(class.0.data[0].is_nan() && !class.0.data[40].is_nan(), "window 0 was left, 1 written");
        let report = part(BTreeSet::from([1, 2, 4, 5]), &mut class);

        assert_eq!((report.n_windows, bits(&class.0)), (2, bits(&whole)));
    }

    #[test]
    fn too_few_bands_are_told_before_anything_runs() {
        let mut source = MemorySource::named(2, 20, 20);
        let mut class = MemorySink::new(1, 20, 20);
        let sinks = PredictSinks::new(&mut class);

        let error = predict(&Engine::cpu(), &model(), &mut source, sinks, PredictOptions::default(), &Silent);

        let text = error.expect_err("2 of 3 bands").to_string();
        assert!(text.contains("needs 3 bands and the scene has 2"), "{text}");
    }

    #[test]
    fn cancel_ends_between_windows() {
        struct Stop(std::sync::atomic::AtomicUsize);
        impl Monitor for Stop {
            fn progress(&self, _done: f32, note: &str) {
                assert!(note.ends_with("tiles/s"));
                self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
            fn warn(&self, _notice: nunatak_domain::notice::Notice) {}
            fn check(&self) -> Result<(), Cancelled> {
                if self.0.load(std::sync::atomic::Ordering::Relaxed) < 2 { Ok(()) } else { Err(Cancelled) }
            }
        }
        let (mut source, mut class) = (MemorySource::named(3, 64, 640), MemorySink::new(1, 64, 640));
        let sinks = PredictSinks::new(&mut class);
        let options = PredictOptions { tile_px: 16, ..PredictOptions::default() };

        let stop = Stop(std::sync::atomic::AtomicUsize::new(0));
        let outcome = predict(&Engine::cpu(), &model(), &mut source, sinks, options, &stop);

        assert!(matches!(outcome, Err(MlError::Cancelled(_))));
        assert!(class.0.data.last().is_some_and(|value| value.is_nan()));
    }

    #[test]
    fn compat_on_one_window_is_the_plain_class_map() {
        let (model, mut source) = (model(), MemorySource::named(3, 90, 60));
        let plain = run(&mut source, &model, 256).0;
        let mut class = MemorySink::new(1, 90, 60);
        let sinks = PredictSinks::new(&mut class);
        let options = PredictOptions { mode: PredictMode::Compat, ..PredictOptions::default() };

        let report = predict(&Engine::cpu(), &model, &mut source, sinks, options, &Silent).expect("predicts");

        assert_eq!(bits(&class.0), bits(&plain));
        assert_eq!(report.counts.values().sum::<u64>(), 90 * 60);
    }

    #[test]
    fn compat_equals_the_original_loop_on_a_larger_scene() {
        let (model, mut source) = (model(), MemorySource::named(3, 330, 290));
        let mut class = MemorySink::new(1, 330, 290);
        let sinks = PredictSinks::new(&mut class);
        let options = PredictOptions { mode: PredictMode::Compat, ..PredictOptions::default() };
        predict(&Engine::cpu(), &model, &mut source, sinks, options, &Silent).expect("predicts");

        let (mut sums, mut weights) = (vec![0.0f64; 330 * 290], vec![0.0f32; 330 * 290]);
        for i in (0..290usize).step_by(56) {
            for j in (0..330usize).step_by(56) {
                let (row, col) = ((i + 256).min(290) - 256, (j + 256).min(330) - 256);
                let mut window = MemorySource::new(source.raster.window(PixelRect::new(col, row, 256, 256)));
                let part = run(&mut window, &model, 256).0;
                for (px, value) in part.data.iter().enumerate() {
                    let at = (row + px / 256) * 330 + col + px % 256;
                    sums[at] += f64::from(*value);
                    weights[at] += 1.0;
                }
            }
        }
        for px in 0..330 * 290 {
            let expected = (sums[px] / f64::from(weights[px] + 1e-6)).round_ties_even();
            assert_eq!(f64::from(class.0.data[px]), expected, "pixel {px}");
        }
    }
}
