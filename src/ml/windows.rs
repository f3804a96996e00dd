//! Walking a scene in windows: what a network is shown, and reading, computing and writing at
//! the same time.
//!
//! Invariant: a window is its core grown by the receptive radius and cut off at the scene's
//! edge, so that each convolution's zero padding lies at the true edge only; the core's results
//! equal those of the whole scene.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::ScopedJoinHandle;
use std::time::Instant;

use nunatak_domain::grid::PixelRect;
use nunatak_domain::model::{ModelRecord, NodataRule};
use nunatak_domain::raster::{Raster, RasterSource};
use nunatak_jobs::Monitor;

use burn::tensor::{Device, Tensor, TensorData};

use crate::error::MlError;

/// The pixels whose results are kept, and those that are read for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Counts all windows of the walk, finished ones too.
    pub(crate) index: usize,
    pub(crate) core: PixelRect,
    pub(crate) read: PixelRect,
}

impl Window {
    /// The core's place within what was read: rows and columns.
    pub(crate) fn inner(&self) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let (row, col) = (self.core.row - self.read.row, self.core.col - self.read.col);
        (row..row + self.core.height, col..col + self.core.width)
    }
}

/// Windows of `tile_px` that cover an area of a scene, row by row.
pub(crate) fn windows_of(area: PixelRect, scene: (usize, usize), tile_px: usize, halo: usize) -> Vec<Window> {
    PixelRect::tiles(area.width, area.height, tile_px)
        .enumerate()
        .map(|(index, tile)| {
            let core = PixelRect { col: area.col + tile.col, row: area.row + tile.row, ..tile };
            Window { index, core, read: core.grown(halo, scene.0, scene.1) }
        })
        .collect()
}

/// A window's pixels as the network sees them.
pub(crate) struct WindowInput {
    pub(crate) window: Window,
    /// Normalised, 0 where there is no value.
    pub(crate) image: Raster,
    /// Core pixels that get no result, `[row, col]`; empty if all of them get one.
    pub(crate) masked: Vec<bool>,
}

impl WindowInput {
    /// No pixel of the core gets a result.
    pub(crate) fn nothing_to_do(&self) -> bool {
        !self.masked.is_empty() && self.masked.iter().all(|masked| *masked)
    }

    /// `[1, C, H, W]` of all that was read.
    pub(crate) fn tensor(&self, device: &Device) -> Tensor<4> {
        let shape = [1, self.image.bands, self.image.height, self.image.width];
        Tensor::from_data(TensorData::new(self.image.data.clone(), shape), device)
    }

    /// The core of `[1, N, H, W]` on the host, NaN where masked.
    pub(crate) fn core_of(&self, output: Tensor<4>) -> Raster {
        let (rows, cols) = self.window.inner();
        let n = output.dims()[1];
        let core = output.slice([0..1, 0..n, rows, cols]);
        let data: Vec<f32> = core.into_data().iter::<f32>().collect();
        let mut raster = Raster::new(n, self.window.core.width, self.window.core.height, data);
        self.mask(&mut raster);
        raster
    }

    fn mask(&self, raster: &mut Raster) {
        for band in 0..raster.bands {
            for (value, _) in raster.band_mut(band).iter_mut().zip(&self.masked).filter(|(_, masked)| **masked) {
                *value = f32::NAN;
            }
        }
    }
}

/// Reads a window and turns stored values into what the network was trained on.
pub(crate) fn read_window(
    source: &mut dyn RasterSource,
    window: Window,
    bands: &[usize],
    record: &ModelRecord,
) -> Result<WindowInput, MlError> {
    let mut image = source.read_window(window.read, bands)?;
    let masked = masked_core(&image, window, record.nodata);
    for band in 0..image.bands {
        let values = image.band_mut(band);
        record.normalisation.apply(band, values);
        values.iter_mut().filter(|value| !value.is_finite()).for_each(|value| *value = 0.0);
    }
    Ok(WindowInput { window, image, masked })
}

fn masked_core(image: &Raster, window: Window, rule: NodataRule) -> Vec<bool> {
    let (rows, cols) = window.inner();
    let mut n_missing = vec![0usize; window.core.area()];
    for band in 0..image.bands {
        let values = image.band(band);
        let core = rows.clone().flat_map(|row| &values[row * image.width..][cols.clone()]);
        for (count, _) in n_missing.iter_mut().zip(core).filter(|(_, value)| !value.is_finite()) {
            *count += 1;
        }
    }
    let limit = match rule {
        NodataRule::MaskAny => 1,
        NodataRule::MaskAll => image.bands,
        NodataRule::Zero => return Vec::new(),
    };
    let masked: Vec<bool> = n_missing.into_iter().map(|count| count >= limit).collect();
    if masked.contains(&true) { masked } else { Vec::new() }
}

/// Tells tiles per second as windows come in.
pub(crate) struct Pace<'a> {
    monitor: &'a dyn Monitor,
    start: Instant,
    n_done: usize,
    n_total: usize,
}

impl<'a> Pace<'a> {
    #[allow(clippy::disallowed_methods, reason = "a speed needs a clock; no result depends on it")]
    pub(crate) fn new(monitor: &'a dyn Monitor, n_total: usize) -> Self {
        Self { monitor, start: Instant::now(), n_done: 0, n_total }
    }

    pub(crate) fn step(&mut self) {
        self.n_done += 1;
        let seconds = self.start.elapsed().as_secs_f32().max(1e-3);
        let note = format!("{:.1} tiles/s", self.n_done as f32 / seconds);
        self.monitor.progress(self.n_done as f32 / self.n_total.max(1) as f32, &note);
    }
}

/// Reads windows on this thread, computes on `n_workers` others, and hands results back on this
/// one, in order. At most two windows per worker are in memory.
///
/// A panic in `compute` goes on here, after all workers have ended.
pub(crate) fn pipeline<T: Send>(
    n_workers: usize,
    windows: &[Window],
    mut read: impl FnMut(Window) -> Result<WindowInput, MlError>,
    compute: impl Fn(WindowInput) -> T + Sync,
    mut finish: impl FnMut(Window, T) -> Result<(), MlError>,
) -> Result<(), MlError> {
    let n_workers = n_workers.clamp(1, windows.len().max(1));
    let n_ahead = 2 * n_workers;
    let compute = &compute;
    std::thread::scope(|scope| {
        let workers: Vec<Worker<'_, T>> = (0..n_workers).map(|_| Worker::start(scope, compute)).collect();
        let mut drive = || -> Result<(), MlError> {
            for step in 0..windows.len() + n_ahead {
                if let Some(window) = windows.get(step)
                    && workers[step % n_workers].inputs.send(read(*window)?).is_err()
                {
                    return Ok(()); // its panic is raised below
                }
                if let Some(oldest) = step.checked_sub(n_ahead)
                    && let Some(window) = windows.get(oldest)
                {
                    let Ok(result) = workers[oldest % n_workers].results.recv() else { return Ok(()) };
                    finish(*window, result)?;
                }
            }
            Ok(())
        };
        let outcome = drive();
        for worker in workers {
            drop(worker.inputs);
            if let Err(panic) = worker.thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        outcome
    })
}

struct Worker<'scope, T> {
    inputs: SyncSender<WindowInput>,
    results: Receiver<T>,
    thread: ScopedJoinHandle<'scope, ()>,
}

impl<'scope, T: Send + 'scope> Worker<'scope, T> {
    fn start<'env>(
        scope: &'scope std::thread::Scope<'scope, 'env>,
        compute: &'scope (impl Fn(WindowInput) -> T + Sync),
    ) -> Self {
        // Two each, as `pipeline` never has more under way: no send ever waits.
        let (inputs, jobs) = sync_channel::<WindowInput>(2);
        let (done, results) = sync_channel(2);
        let thread = scope.spawn(move || {
            for input in jobs {
                if done.send(compute(input)).is_err() {
                    break;
                }
            }
        });
        Self { inputs, results, thread }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_at_the_scene_and_not_beyond() {
        let windows = windows_of(PixelRect::whole(100, 70), (100, 70), 64, 8);

        assert_eq!(windows[0].read, PixelRect::new(0, 0, 72, 70));
        assert_eq!(windows[1].core, PixelRect::new(64, 0, 36, 64));
        assert_eq!(windows[1].read, PixelRect::new(56, 0, 44, 70));
        assert_eq!(windows[1].inner(), (0..64, 8..44));
        assert_eq!(windows.len(), 4);
    }

    #[test]
    fn results_arrive_in_order_whatever_the_workers_do() {
        let windows = windows_of(PixelRect::whole(50, 10), (50, 10), 2, 0);
        let mut seen = Vec::new();

        let input = |window: Window| Ok(WindowInput { window, image: Raster::default(), masked: Vec::new() });
        let outcome = pipeline(
            3,
            &windows,
            input,
            |input| input.window.index,
            |_, index| {
                seen.push(index);
                Ok(())
            },
        );

        assert!(outcome.is_ok());
        assert_eq!(seen, (0..125).collect::<Vec<_>>());
    }

    #[test]
    fn a_panic_in_a_worker_reaches_the_caller() {
        let windows = windows_of(PixelRect::whole(50, 10), (50, 10), 2, 0);

        let caught = std::panic::catch_unwind(|| {
            let input = |window: Window| Ok(WindowInput { window, image: Raster::default(), masked: Vec::new() });
            pipeline(2, &windows, input, |input| assert!(input.window.index < 7, "window 7"), |_, ()| Ok(()))
        });

        assert!(caught.is_err());
    }
}
