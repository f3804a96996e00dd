//! The magic wand: pixels whose spectrum is like that of one pixel.

use serde::{Deserialize, Serialize};

use super::fill::{Block, Connectivity, Fill, grow};
use super::mask::{PixelMask, PixelRun};
use super::{LabelError, Progress};
use crate::grid::{PixelRect, TILE_SIZE};
use crate::raster::{Raster, RasterError, RasterSource};

/// How spectra are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpectralMetric {
    /// Angle between two spectra, in radians (Kruse et al. 1993); brightness does not count.
    #[default]
    Angle,
    /// Root of the sum of squared differences, in the raster's values.
    Euclidean,
}

/// Where the wand looks for pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WandReach {
    /// The region around the pixel.
    Connected { connectivity: Connectivity },
    /// The whole raster.
    Global,
}

/// Selects the pixels within `tolerance` of a pixel's spectrum; the border belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wand {
    pub metric: SpectralMetric,
    /// Radians or units of the raster, as the metric says; 0 or more.
    pub tolerance: f64,
    pub reach: WandReach,
    /// The selection ends there.
    pub max_px: u64,
}

/// Pixels that can be read by windows, in pixels of the scene.
pub trait PixelWindows {
    /// What there is; nothing outside of it is asked for.
    fn rect(&self) -> PixelRect;

    /// # Errors
    /// The window cannot be read.
    fn read(&mut self, rect: PixelRect) -> Result<Raster, RasterError>;
}

/// A window of a scene in memory whose first pixel is `(col, row)` of the scene.
#[derive(Clone, Debug)]
pub struct RasterAt {
    pub raster: Raster,
    pub col: usize,
    pub row: usize,
}

impl PixelWindows for RasterAt {
    fn rect(&self) -> PixelRect {
        PixelRect::new(self.col, self.row, self.raster.width, self.raster.height)
    }

    fn read(&mut self, rect: PixelRect) -> Result<Raster, RasterError> {
        Ok(self.raster.window(PixelRect { col: rect.col - self.col, row: rect.row - self.row, ..rect }))
    }
}

/// Some bands of a raster at full resolution.
pub struct SourceBands<'a> {
    pub source: &'a mut dyn RasterSource,
    /// Which bands, from 0.
    pub bands: Vec<usize>,
}

impl PixelWindows for SourceBands<'_> {
    fn rect(&self) -> PixelRect {
        PixelRect::whole(self.source.info().width, self.source.info().height)
    }

    fn read(&mut self, rect: PixelRect) -> Result<Raster, RasterError> {
        self.source.read_window(rect, &self.bands)
    }
}

impl Wand {
    /// The pixels like that at `(col, row)`. Pixels without a value in some band are never
    /// selected, nor is anything if the pixel itself has none or lies outside. Reads blocks of
    /// `TILE_SIZE`² when the region reaches them.
    ///
    /// # Errors
    /// Cancelled, or pixels cannot be read.
    pub fn select(
        &self,
        pixels: &mut dyn PixelWindows,
        (col, row): (usize, usize),
        progress: &mut Progress<'_>,
    ) -> Result<Fill, LabelError> {
        let rect = pixels.rect();
        let Some(at) = rect.intersection(&PixelRect::new(col, row, 1, 1)) else {
            return Ok(Fill { mask: PixelMask::default(), complete: true });
        };
        let likeness = Likeness::new(self, &pixels.read(at)?.data);
        let n_blocks = rect.width.div_ceil(TILE_SIZE) * rect.height.div_ceil(TILE_SIZE);
        let mut n_done = 0;
        let mut evaluate = |rect: PixelRect, block: &mut Block| {
            if !progress(n_done as f32 / n_blocks.max(1) as f32) {
                return Err(LabelError::Cancelled);
            }
            n_done += 1;
            let raster = pixels.read(rect)?;
            likeness.runs(&raster, block);
            Ok(())
        };
        match self.reach {
            WandReach::Connected { connectivity } => grow(rect, (col, row), connectivity, self.max_px, evaluate),
            WandReach::Global => self.all(rect, &mut evaluate),
        }
    }

    /// Block after block, as many pixels as may be.
    fn all(
        &self,
        rect: PixelRect,
        evaluate: &mut impl FnMut(PixelRect, &mut Block) -> Result<(), LabelError>,
    ) -> Result<Fill, LabelError> {
        let (mut runs, mut n_left) = (Vec::new(), self.max_px);
        for part in PixelRect::tiles(rect.width, rect.height, TILE_SIZE) {
            let part = PixelRect { col: part.col + rect.col, row: part.row + rect.row, ..part };
            let mut block = Block::new(part);
            evaluate(part, &mut block)?;
            for row in part.row..part.bottom() {
                for (_, run) in block.row_runs(row) {
                    let n = run.2.min(u32::try_from(n_left).unwrap_or(u32::MAX));
                    runs.push(PixelRun(run.0, run.1, n));
                    if n < run.2 {
                        return Ok(Fill { mask: PixelMask::from_runs(runs), complete: false });
                    }
                    n_left -= u64::from(n);
                }
            }
        }
        Ok(Fill { mask: PixelMask::from_runs(runs), complete: true })
    }
}

/// The comparison with one spectrum as a bound on a sum of squares.
struct Likeness {
    /// Of unit length for the angle.
    spectrum: Vec<f64>,
    normalised: bool,
    limit: f64,
}

impl Likeness {
    fn new(wand: &Wand, spectrum: &[f32]) -> Self {
        let mut spectrum: Vec<f64> = spectrum.iter().map(|&value| f64::from(value)).collect();
        let tolerance = wand.tolerance.max(0.0);
        if wand.metric == SpectralMetric::Euclidean {
            return Self { spectrum, normalised: false, limit: tolerance * tolerance };
        }
        let length = spectrum.iter().map(|value| value * value).sum::<f64>().sqrt();
        spectrum.iter_mut().for_each(|value| *value /= length);
        // The chord between two unit vectors; unlike the cosine exact for small angles.
        let chord = 2.0 * (tolerance.min(std::f64::consts::PI) / 2.0).sin();
        // float32 spectra that differ only by brightness are some 1e-7 apart.
        Self { spectrum, normalised: true, limit: (chord + 1e-7) * (chord + 1e-7) }
    }

    /// The runs of each row of a block; NaN is unlike everything.
    fn runs(&self, raster: &Raster, block: &mut Block) {
        let mut length = vec![1.0; raster.width];
        let mut sum = vec![0.0; raster.width];
        for row in 0..raster.height {
            let values = |band: usize| &raster.band(band)[row * raster.width..][..raster.width];
            if self.normalised {
                length.fill(0.0);
                for band in 0..self.spectrum.len() {
                    length.iter_mut().zip(values(band)).for_each(|(l, &v)| *l += f64::from(v) * f64::from(v));
                }
                length.iter_mut().for_each(|l| *l = 1.0 / l.sqrt());
            }
            sum.fill(0.0);
            for (band, expected) in self.spectrum.iter().enumerate() {
                for ((sum, &value), scale) in sum.iter_mut().zip(values(band)).zip(&length) {
                    let difference = f64::from(value) * scale - expected;
                    *sum += difference * difference;
                }
            }
            let mut col = 0;
            for part in sum.chunk_by(|a, b| (*a <= self.limit) == (*b <= self.limit)) {
                if part[0] <= self.limit {
                    block.push(col, col + part.len());
                }
                col += part.len();
            }
            block.end_row();
        }
    }
}
