//! The original's large-image path, for comparison only.
//!
//! `Model.predict_large_image` in `Structure.py` of Lecheng-Wang/SSMGNet: windows of 256 at
//! stride 56 along both axes, each shifted back to the scene's edge where it would cross it (so
//! the last window counts several times); *class numbers* are averaged and rounded, which
//! invents classes between two others and shows the windows' seams.

use std::collections::BTreeMap;

use nunatak_domain::grid::PixelRect;
use nunatak_domain::raster::{Raster, RasterSink, RasterSource};
use nunatak_jobs::Monitor;

use crate::engine::Engine;
use crate::error::MlError;
use crate::model::LoadedModel;
use crate::net::Net;
use crate::outputs::class_map;
use crate::predict::PredictReport;
use crate::windows::{Pace, Window, pipeline, read_window};

const WINDOW_PX: usize = 256;
const STRIDE_PX: usize = 56;

#[allow(clippy::too_many_arguments, reason = "as `predict::exact`")]
pub(crate) fn predict(
    engine: &Engine,
    net: &Net,
    model: &LoadedModel,
    source: &mut dyn RasterSource,
    sink: &mut dyn RasterSink,
    bands: &[usize],
    monitor: &dyn Monitor,
) -> Result<PredictReport, MlError> {
    let record = &model.record;
    let (width, height) = (source.info().width, source.info().height);
    let (cols, rows) = (starts(width), starts(height));
    let windows: Vec<Window> = rows
        .keys()
        .flat_map(|row| cols.keys().map(|col| PixelRect::new(*col, *row, WINDOW_PX.min(width), WINDOW_PX.min(height))))
        .enumerate()
        .map(|(index, core)| Window { index, core, read: core })
        .collect();
    let mut report = PredictReport::empty(record);
    let mut pace = Pace::new(monitor, windows.len());
    let mut strip = Strip::new(width, WINDOW_PX.min(height));
    pipeline(
        engine.n_workers(),
        &windows,
        |window| {
            monitor.check()?;
            read_window(source, window, bands, record)
        },
        |input| {
            let logits = input.core_of(net.forward(input.tensor(engine.device())).logits);
            class_map(&logits, record)
        },
        |window, class| {
            let PixelRect { col, row, .. } = window.core;
            strip.add(col, &class, cols[&col] * rows[&row]);
            if window.index % cols.len() == cols.len() - 1 {
                let next = rows.range(row + 1..).next().map_or(height, |(next, _)| *next);
                let finished = strip.take_rows(next - row);
                sink.write(0, row, &finished)?;
                report.add(&finished);
            }
            pace.step();
            Ok(())
        },
    )?;
    Ok(report)
}

/// Where windows start along one axis, and how often the original comes back to each place.
fn starts(length: usize) -> BTreeMap<usize, u64> {
    let mut starts = BTreeMap::new();
    for at in (0..length).step_by(STRIDE_PX) {
        let end = (at + WINDOW_PX).min(length);
        *starts.entry(end.saturating_sub(WINDOW_PX)).or_default() += 1;
    }
    starts
}

/// Sums of class numbers over the rows that windows still reach.
struct Strip {
    width: usize,
    sums: Vec<f64>,
    weights: Vec<u64>,
    masked: Vec<bool>,
}

impl Strip {
    fn new(width: usize, n_rows: usize) -> Self {
        let n_px = width * n_rows;
        Self { width, sums: vec![0.0; n_px], weights: vec![0; n_px], masked: vec![false; n_px] }
    }

    fn add(&mut self, col: usize, class: &Raster, times: u64) {
        for row in 0..class.height {
            for (offset, value) in class.data[row * class.width..][..class.width].iter().enumerate() {
                let at = row * self.width + col + offset;
                self.weights[at] += times;
                if value.is_nan() {
                    self.masked[at] = true;
                } else {
                    self.sums[at] += times as f64 * f64::from(*value);
                }
            }
        }
    }

    /// Takes finished rows off the top; the rest moves up.
    fn take_rows(&mut self, n_rows: usize) -> Raster {
        let n_px = n_rows * self.width;
        let data = (0..n_px).map(|px| {
            // The original adds 1e-6 to a float32 count, which turns halves down below 32 visits.
            let weight = self.weights[px] as f32 + 1e-6;
            let mean = self.sums[px] / f64::from(weight);
            if self.masked[px] { f32::NAN } else { mean.round_ties_even() as f32 }
        });
        let rows = Raster::new(1, self.width, n_rows, data.collect());
        self.sums.rotate_left(n_px);
        self.weights.rotate_left(n_px);
        self.masked.rotate_left(n_px);
        let keep = self.sums.len() - n_px;
        self.sums[keep..].fill(0.0);
        self.weights[keep..].fill(0);
        self.masked[keep..].fill(false);
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_window_counts_as_often_as_the_original_visits_it() {
        assert_eq!(starts(256), BTreeMap::from([(0, 5)]));
        assert_eq!(starts(100), BTreeMap::from([(0, 2)]));
        // 0 and 56 start where they should; 112, 168, 224, 280 all end at 320.
        assert_eq!(starts(320), BTreeMap::from([(0, 1), (56, 1), (64, 4)]));
    }

    #[test]
    fn halves_are_rounded_as_the_original_does() {
        let mut strip = Strip::new(2, 1);

        strip.add(0, &Raster::new(1, 2, 1, vec![1.0, 0.0]), 1);
        strip.add(0, &Raster::new(1, 2, 1, vec![2.0, 3.0]), 1);

        // 3 / (2 + 1e-6) stays below one and a half.
        assert_eq!(strip.take_rows(1).data, [1.0, 1.0]);
    }
}
