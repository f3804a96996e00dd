//! Why a class: learned attention and Grad-CAM of a scene as rasters.
//!
//! Grad-CAM (Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via
//! Gradient-based Localization", ICCV 2017, eq. 1 and 2) with the target "sum of logit t over
//! all pixels", as `Model.grad_cam` in `Structure.py` of Lecheng-Wang/SSMGNet, or "logit t of
//! one pixel". Weights, minimum and maximum are taken over the whole area before anything is
//! scaled, so no value depends on the windows.
//!
//! SSMGNet's classifier is a 1×1 convolution right behind the explained feature: the gradient of
//! a pixel's logit is the classifier's row at that pixel and 0 elsewhere. Its Grad-CAM therefore
//! depends on the class alone, and a pixel's is that of the class it was given.

use nunatak_domain::grid::PixelRect;
use nunatak_domain::raster::{Raster, RasterSink, RasterSource};
use nunatak_jobs::Monitor;

use crate::check::bands_for;
use crate::engine::Engine;
use crate::error::MlError;
use crate::model::LoadedModel;
use crate::net::Net;
use crate::outputs::class_map;
use crate::predict::PredictReport;
use crate::windows::{Pace, Window, WindowInput, pipeline, read_window, windows_of};

/// Where results go, one band each; NaN where there is no result.
#[derive(Default)]
pub struct ExplainSinks<'a> {
    pub class: Option<&'a mut dyn RasterSink>,
    /// In (0, 1); refused for networks without attention.
    pub attention: Option<&'a mut dyn RasterSink>,
    /// In [0, 1].
    pub gradcam: Option<&'a mut dyn RasterSink>,
}

#[derive(Clone, Debug)]
pub struct ExplainOptions {
    /// Index of the logit that Grad-CAM explains.
    pub class: usize,
    /// Column and row of the one pixel of the scene whose logit is the target; `None` is the sum
    /// over all. Its weights are sums and not means of the gradient: the factor would cancel in
    /// the scaling but for its 1e-8, which a mean over a large scene falls below.
    pub pixel: Option<[usize; 2]>,
    /// The part of the scene that is explained and written; `None` is all of it. Sinks cover
    /// the same part: its first pixel is their (0, 0).
    pub area: Option<PixelRect>,
    /// Scene band for each band of the model; `None` takes them in order.
    pub bands: Option<Vec<usize>>,
    /// As in `PredictOptions`.
    pub tile_px: usize,
}

impl Default for ExplainOptions {
    fn default() -> Self {
        Self { class: 1, pixel: None, area: None, bands: None, tile_px: 256 }
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExplainReport {
    pub prediction: PredictReport,
    /// Grad-CAM's weight of each feature channel.
    pub weights: Vec<f32>,
    /// Lowest and highest value before scaling; both 0 where nothing speaks for the class.
    pub cam_range: (f32, f32),
}

/// Grad-CAM before scaling is kept in memory up to this many pixels; beyond, it is computed
/// twice, which costs time and no memory.
const KEPT_PX: usize = 16 << 20;

/// Explains a scene or a part of it.
///
/// # Errors
/// Too few bands, no such class, an area outside of the scene, a network without attention,
/// reading, writing, cancelled.
pub fn explain(
    engine: &Engine,
    model: &LoadedModel,
    source: &mut dyn RasterSource,
    sinks: ExplainSinks<'_>,
    options: &ExplainOptions,
    monitor: &dyn Monitor,
) -> Result<ExplainReport, MlError> {
    explain_keeping(KEPT_PX, engine, model, source, sinks, options, monitor)
}

fn explain_keeping(
    kept_px: usize,
    engine: &Engine,
    model: &LoadedModel,
    source: &mut dyn RasterSource,
    mut sinks: ExplainSinks<'_>,
    options: &ExplainOptions,
    monitor: &dyn Monitor,
) -> Result<ExplainReport, MlError> {
    let record = &model.record;
    let info = source.info();
    let scene = (info.width, info.height);
    let bands = bands_for(record, info, options.bands.as_deref()).map_err(MlError::Request)?;
    let n_classes = record.network.n_classes();
    if sinks.gradcam.is_some() && options.class >= n_classes {
        let last = n_classes - 1;
        return Err(MlError::Request(format!(
            "there is no class {} to explain: the model has 0 to {last}",
            options.class
        )));
    }
    let whole = PixelRect::whole(scene.0, scene.1);
    let area = options.area.unwrap_or(whole);
    if area.area() == 0 || area.intersection(&whole) != Some(area) {
        return Err(MlError::Request(format!(
            "the part to explain lies outside of the scene of {} x {}",
            scene.0, scene.1
        )));
    }
    if let Some([col, row]) = options.pixel
        && area.intersection(&PixelRect::new(col, row, 1, 1)).is_none()
    {
        return Err(MlError::Request(format!("the pixel to explain lies outside: column {col}, row {row}")));
    }
    let windows = windows_of(area, scene, options.tile_px, record.network.receptive_radius());
    let net = engine.network(model)?;
    let keep = area.area() <= kept_px;
    let n_passes = match &sinks.gradcam {
        None => 1,
        Some(_) if keep => 2,
        Some(_) => 3,
    };
    let (class, pixel) = (options.class, options.pixel);
    let walk = Walk { engine, net: &net, model, area, windows: &windows, bands: &bands, monitor, class, pixel, keep };
    let mut pace = Pace::new(monitor, n_passes * windows.len());
    let mut report = walk.first_pass(source, &mut sinks, &mut pace)?;
    if let Some(sink) = sinks.gradcam {
        report.cam_range = walk.gradcam(source, sink, &report.weights, &mut pace)?;
    }
    Ok(report)
}

/// Index of the class that the model gives a pixel of the scene; `None` where it gives none.
///
/// # Errors
/// Too few bands, a pixel outside of the scene, reading.
pub fn class_at(
    engine: &Engine,
    model: &LoadedModel,
    source: &mut dyn RasterSource,
    bands: Option<&[usize]>,
    [col, row]: [usize; 2],
) -> Result<Option<usize>, MlError> {
    let record = &model.record;
    let info = source.info();
    let (width, height) = (info.width, info.height);
    if col >= width || row >= height {
        let text = format!("the pixel to explain lies outside of the scene of {width} x {height}");
        return Err(MlError::Request(text));
    }
    let bands = bands_for(record, info, bands).map_err(MlError::Request)?;
    let radius = record.network.receptive_radius();
    let window = windows_of(PixelRect::new(col, row, 1, 1), (width, height), 1, radius)[0];
    let input = read_window(source, window, &bands, record)?;
    if input.nothing_to_do() {
        return Ok(None);
    }
    let output = engine.network(model)?.forward(input.tensor(engine.device()));
    let id = class_map(&input.core_of(output.logits), record).data[0];
    Ok(record.classes.classes.iter().position(|class| f64::from(class.id.0) == f64::from(id)))
}

struct Walk<'a> {
    engine: &'a Engine,
    net: &'a Net,
    model: &'a LoadedModel,
    area: PixelRect,
    windows: &'a [Window],
    bands: &'a [usize],
    monitor: &'a dyn Monitor,
    class: usize,
    pixel: Option<[usize; 2]>,
    /// Grad-CAM before scaling stays in memory.
    keep: bool,
}

/// One window of the first pass.
struct Explained {
    class: Raster,
    attention: Option<Raster>,
    gradient: Option<GradientSum>,
}

/// Gradients summed over valid pixels, counted where a mean is wanted: float64 keeps the sum independent of the windows.
struct GradientSum {
    channels: Vec<f64>,
    n_px: u64,
}

impl Walk<'_> {
    fn run<T: Send>(
        &self,
        source: &mut dyn RasterSource,
        compute: impl Fn(WindowInput) -> T + Sync,
        finish: impl FnMut(Window, T) -> Result<(), MlError>,
    ) -> Result<(), MlError> {
        let read = |window| {
            self.monitor.check()?;
            read_window(source, window, self.bands, &self.model.record)
        };
        pipeline(self.engine.n_workers(), self.windows, read, compute, finish)
    }

    /// Class map and attention are written; the gradient is summed.
    fn first_pass(
        &self,
        source: &mut dyn RasterSource,
        sinks: &mut ExplainSinks<'_>,
        pace: &mut Pace<'_>,
    ) -> Result<ExplainReport, MlError> {
        let wants_attention = sinks.attention.is_some();
        let wants_gradient = sinks.gradcam.is_some();
        let mut prediction = PredictReport::empty(&self.model.record);
        let mut total = GradientSum { channels: Vec::new(), n_px: 0 };
        self.run(
            source,
            |input| self.explained(&input, wants_attention, wants_gradient),
            |window, result| {
                let (col, row) = (window.core.col - self.area.col, window.core.row - self.area.row);
                let result = result?;
                if let Some(sink) = &mut sinks.class {
                    sink.write(col, row, &result.class)?;
                }
                if let (Some(sink), Some(attention)) = (&mut sinks.attention, &result.attention) {
                    sink.write(col, row, attention)?;
                }
                if let Some(gradient) = result.gradient {
                    total.add(gradient);
                }
                prediction.add(&result.class);
                pace.step();
                Ok(())
            },
        )?;
        Ok(ExplainReport { prediction, weights: total.means(), cam_range: (0.0, 0.0) })
    }

    fn explained(&self, input: &WindowInput, attention: bool, gradient: bool) -> Result<Explained, MlError> {
        let record = &self.model.record;
        if input.nothing_to_do() {
            let nothing = |bands| Raster::filled(bands, input.window.core.width, input.window.core.height, f32::NAN);
            let class = class_map(&nothing(record.network.n_classes()), record);
            return Ok(Explained { class, attention: attention.then(|| nothing(1)), gradient: None });
        }
        let image = input.tensor(self.engine.device());
        let mut tapped = None;
        let output = self.net.forward_tapped(image, &mut |feature| {
            if !gradient {
                return feature;
            }
            let feature = feature.autodiff().require_grad();
            tapped = Some(feature.clone());
            feature
        });
        let attention = match (attention, output.map("attention")) {
            (false, _) => None,
            (true, Some(map)) => Some(input.core_of(map.clone())),
            (true, None) => {
                return Err(MlError::Request(format!("{} has no attention to show", record.network.name())));
            }
        };
        let gradient = tapped.map(|feature| {
            let [_, _, height, width] = output.logits.dims();
            let read = input.window.read;
            let (rows, cols) = match self.pixel {
                None => (0..height, 0..width),
                Some([col, row]) => match (row.checked_sub(read.row), col.checked_sub(read.col)) {
                    (Some(row), Some(col)) if row < height && col < width => (row..row + 1, col..col + 1),
                    // Beyond the receptive field: no gradient reaches this window.
                    _ => return GradientSum { channels: Vec::new(), n_px: 0 },
                },
            };
            let target = output.logits.clone().slice([0..1, self.class..self.class + 1, rows, cols]).sum();
            let mut gradients = target.backward();
            // A feature that the target does not depend on has no gradient.
            let gradient =
                feature.grad_remove(&mut gradients).unwrap_or_else(|| feature.without_autodiff().zeros_like());
            let sum = GradientSum::of(&input.core_of(gradient));
            if self.pixel.is_some() { GradientSum { n_px: 0, ..sum } } else { sum }
        });
        let logits = input.core_of(output.logits.without_autodiff());
        Ok(Explained { class: class_map(&logits, record), attention, gradient })
    }

    /// Two more passes, or one where the area is small enough to be kept.
    fn gradcam(
        &self,
        source: &mut dyn RasterSource,
        sink: &mut dyn RasterSink,
        weights: &[f32],
        pace: &mut Pace<'_>,
    ) -> Result<(f32, f32), MlError> {
        let mut kept = Vec::new();
        let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
        self.run(
            source,
            |input| self.cam(&input, weights),
            |window, cam| {
                for value in cam.data.iter().filter(|value| !value.is_nan()) {
                    low = low.min(*value);
                    high = high.max(*value);
                }
                if self.keep {
                    kept.push((window, cam));
                }
                pace.step();
                Ok(())
            },
        )?;
        if low > high {
            (low, high) = (0.0, 0.0);
        }
        let mut write = |window: Window, mut cam: Raster| -> Result<(), MlError> {
            cam.data.iter_mut().for_each(|value| *value = (*value - low) / (high - low + 1e-8));
            Ok(sink.write(window.core.col - self.area.col, window.core.row - self.area.row, &cam)?)
        };
        if self.keep {
            for (window, cam) in kept {
                self.monitor.check()?;
                write(window, cam)?;
            }
        } else {
            self.run(
                source,
                |input| self.cam(&input, weights),
                |window, cam| {
                    pace.step();
                    write(window, cam)
                },
            )?;
        }
        Ok((low, high))
    }

    /// ReLU of the weighted sum of the feature's channels.
    fn cam(&self, input: &WindowInput, weights: &[f32]) -> Raster {
        let core = input.window.core;
        if input.nothing_to_do() || weights.is_empty() {
            return Raster::filled(1, core.width, core.height, f32::NAN);
        }
        let mut tapped = None;
        let _ = self.net.forward_tapped(input.tensor(self.engine.device()), &mut |feature| {
            tapped = Some(feature.clone());
            feature
        });
        let feature = input.core_of(tapped.expect("every network calls its tap"));
        let mut cam = vec![0.0f32; feature.n_px()];
        for (channel, weight) in weights.iter().enumerate() {
            for (sum, value) in cam.iter_mut().zip(feature.band(channel)) {
                *sum += weight * value;
            }
        }
        // `f32::max` would turn nodata into 0.
        cam.iter_mut().filter(|value| **value < 0.0).for_each(|value| *value = 0.0);
        Raster::new(1, core.width, core.height, cam)
    }
}

impl GradientSum {
    fn of(gradient: &Raster) -> Self {
        let valid = |value: &&f32| !value.is_nan();
        let sum = |band| gradient.band(band).iter().filter(valid).map(|value| f64::from(*value)).sum();
        let n_px = gradient.band(0).iter().filter(valid).count() as u64;
        Self { channels: (0..gradient.bands).map(sum).collect(), n_px }
    }

    fn add(&mut self, other: Self) {
        self.channels.resize(self.channels.len().max(other.channels.len()), 0.0);
        self.channels.iter_mut().zip(&other.channels).for_each(|(sum, more)| *sum += more);
        self.n_px += other.n_px;
    }

    fn means(&self) -> Vec<f32> {
        // A single pixel's gradient is not divided.
        let n = self.n_px.max(1) as f64;
        self.channels.iter().map(|sum| (sum / n) as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use nunatak_domain::model::SsmgnetConfig;
    use nunatak_jobs::Silent;

    use super::*;
    use crate::testing::{MemorySink, MemorySource, named_model};

    fn model() -> LoadedModel {
        named_model(SsmgnetConfig { width: 4, ..SsmgnetConfig::new(3, 3) })
    }

    struct Maps {
        class: Raster,
        attention: Raster,
        gradcam: Raster,
        report: ExplainReport,
    }

    fn run(source: &mut MemorySource, options: &ExplainOptions) -> Maps {
        let (width, height) =
            options.area.map_or((source.raster.width, source.raster.height), |area| (area.width, area.height));
        let sink = || MemorySink::new(1, width, height);
        let (mut class, mut attention, mut gradcam) = (sink(), sink(), sink());
        let sinks =
            ExplainSinks { class: Some(&mut class), attention: Some(&mut attention), gradcam: Some(&mut gradcam) };
        let report = explain(&Engine::cpu(), &model(), source, sinks, options, &Silent).expect("explains");
        Maps { class: class.0, attention: attention.0, gradcam: gradcam.0, report }
    }

    fn bits(raster: &Raster) -> Vec<u32> {
        raster.data.iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn no_explanation_depends_on_the_window() {
        let mut source = MemorySource::named(3, 130, 110);
        source.raster.band_mut(0)[4000] = f32::NAN;
        let whole = run(&mut source, &ExplainOptions { class: 2, tile_px: 200, ..ExplainOptions::default() });

        for tile_px in [33, 64] {
            let tiled = run(&mut source, &ExplainOptions { class: 2, tile_px, ..ExplainOptions::default() });
            assert_eq!(bits(&whole.class), bits(&tiled.class));
            assert_eq!(bits(&whole.attention), bits(&tiled.attention));
            assert_eq!(bits(&whole.gradcam), bits(&tiled.gradcam));
            assert_eq!(whole.report.weights, tiled.report.weights);
        }
    }

    #[test]
    fn a_scene_too_large_to_keep_gets_the_same_gradcam() {
        let mut source = MemorySource::named(3, 50, 40);
        let kept = run(&mut source, &ExplainOptions::default()).gradcam;
        let mut gradcam = MemorySink::new(1, 50, 40);
        let sinks = ExplainSinks { gradcam: Some(&mut gradcam), ..ExplainSinks::default() };
        let options = ExplainOptions { tile_px: 16, ..ExplainOptions::default() };

        explain_keeping(0, &Engine::cpu(), &model(), &mut source, sinks, &options, &Silent).expect("explains");

        assert_eq!(bits(&gradcam.0), bits(&kept));
    }

    /// The classifier is a 1×1 convolution behind the explained feature, so the gradient of the
    /// summed logit is the classifier's row, everywhere.
    #[test]
    fn the_weights_are_the_classifiers_row() {
        let mut source = MemorySource::named(3, 30, 20);
        let model = model();
        let row = &model.state.get("final.weight").expect("classifier").data[16..32];

        let maps = run(&mut source, &ExplainOptions::default());

        assert_eq!(maps.report.weights, row);
        let (low, high) = maps.report.cam_range;
        let largest = maps.gradcam.data.iter().copied().fold(0.0, f32::max);
        assert!(high > low && largest > 0.999 && maps.gradcam.data.iter().all(|value| (0.0..=1.0).contains(value)));
        assert!(maps.attention.data.iter().all(|value| (0.0..1.0).contains(value)));
    }

    #[test]
    fn a_part_of_the_scene_sees_its_surroundings() {
        let mut source = MemorySource::named(3, 60, 50);
        let whole = run(&mut source, &ExplainOptions::default());
        let area = PixelRect::new(20, 10, 25, 30);

        let part = run(&mut source, &ExplainOptions { area: Some(area), tile_px: 16, ..ExplainOptions::default() });

        assert_eq!(bits(&part.attention), bits(&whole.attention.window(area)));
        assert_eq!(bits(&part.class), bits(&whole.class.window(area)));
        let largest = part.gradcam.data.iter().copied().fold(0.0, f32::max);
        assert!(largest > 0.999, "{largest}");
    }

    /// The gradient of one pixel's logit with respect to the gated feature is the classifier's
    /// row at that pixel (1×1 convolution), so the map is the class's own.
    #[test]
    fn a_pixels_weights_are_its_classs_row_whatever_the_windows() {
        let mut source = MemorySource::named(3, 60, 50);
        let whole = run(&mut source, &ExplainOptions { class: 2, ..ExplainOptions::default() });
        let row = model().state.get("final.weight").expect("classifier").data[32..48].to_vec();

        for (tile_px, pixel) in [(256, [20, 10]), (16, [0, 49]), (16, [17, 33])] {
            let options = ExplainOptions { class: 2, pixel: Some(pixel), tile_px, ..ExplainOptions::default() };
            let of_pixel = run(&mut source, &options);
            assert_eq!(of_pixel.report.weights, row);
            assert_eq!(bits(&of_pixel.gradcam), bits(&whole.gradcam));
        }
    }

    #[test]
    fn the_class_of_one_pixel_is_that_of_the_map() {
        let mut source = MemorySource::named(3, 40, 30);
        source.raster.band_mut(1)[5] = f32::NAN;
        let class = run(&mut source, &ExplainOptions::default()).class;
        let model = model();
        let mut at = |pixel| class_at(&Engine::cpu(), &model, &mut source, None, pixel);

        for pixel in [[0, 0], [39, 29], [17, 3], [8, 20]] {
            let found = at(pixel).expect("a class").expect("a value");
            assert_eq!(found as f32, class.get(0, pixel[0], pixel[1]), "{pixel:?}");
        }
        assert_eq!(at([5, 0]).expect("no class"), None);
        assert!(at([40, 0]).expect_err("outside").to_string().contains("outside of the scene of 40 x 30"));
    }

    #[test]
    fn a_class_or_part_that_is_not_there_is_a_sentence() {
        let mut source = MemorySource::named(3, 20, 20);
        let mut gradcam = MemorySink::new(1, 20, 20);
        let mut fails = |options: ExplainOptions| {
            let sinks = ExplainSinks { gradcam: Some(&mut gradcam), ..ExplainSinks::default() };
            explain(&Engine::cpu(), &model(), &mut source, sinks, &options, &Silent).expect_err("refused").to_string()
        };

        assert!(fails(ExplainOptions { class: 3, ..ExplainOptions::default() }).contains("no class 3"));
        let area = Some(PixelRect::new(10, 10, 20, 5));
        assert!(
            fails(ExplainOptions { area, ..ExplainOptions::default() }).contains("outside of the scene of 20 x 20")
        );
    }
}
