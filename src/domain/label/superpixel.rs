//! Superpixels: small regions of like pixels, to be labelled by a click.
//!
//! SLIC: Achanta, Shaji, Smith, Lucchi, Fua, Süsstrunk (2012), SLIC superpixels compared to
//! state-of-the-art superpixel methods, section 3 and algorithm 1; checked against
//! `skimage.segmentation.slic`.

use serde::{Deserialize, Serialize};

use super::mask::{PixelMask, PixelRun};
use super::wand::RasterAt;
use super::{LabelError, Progress};
use crate::grid::PixelRect;
use crate::raster::Raster;

/// A pixel that belongs to no superpixel: it has no value in some band.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slic {
    /// Distance of the first centres (S of the paper); a superpixel has about `spacing_px`² pixels.
    pub spacing_px: usize,
    /// Weight of nearness against likeness (m of the paper), 1 to 40; bands are scaled so that
    /// their 2nd to 98th percentile is 0 to 100, like the L of CIELAB.
    pub compactness: f32,
    /// 10 are enough (section 3).
    pub n_iterations: usize,
}

impl Default for Slic {
    fn default() -> Self {
        Self { spacing_px: 16, compactness: 10.0, n_iterations: 10 }
    }
}

/// The superpixels of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superpixels {
    rect: PixelRect,
    /// `[row, col]`, 0 to `n - 1`, or `NONE`.
    indexes: Vec<u32>,
    n: usize,
}

impl Superpixels {
    /// The window that was cut up, in pixels of the scene.
    pub const fn rect(&self) -> PixelRect {
        self.rect
    }

    pub const fn len(&self) -> usize {
        self.n
    }

    pub const fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// The index of a pixel's superpixel; `None` outside and where the raster has no value.
    pub fn index_at(&self, col: usize, row: usize) -> Option<usize> {
        self.rect.intersection(&PixelRect::new(col, row, 1, 1))?;
        let index = self.indexes[(row - self.rect.row) * self.rect.width + col - self.rect.col];
        (index != NONE).then_some(index as usize)
    }

    /// The superpixel that holds a pixel.
    pub fn at(&self, col: usize, row: usize) -> Option<PixelMask> {
        let wanted = self.index_at(col, row)? as u32;
        let mut runs = Vec::new();
        for (row, indexes) in self.indexes.chunks_exact(self.rect.width).enumerate() {
            let mut col = 0;
            for part in indexes.chunk_by(|a, b| a == b) {
                if part[0] == wanted {
                    let (row, col) = (self.rect.row + row, self.rect.col + col);
                    runs.push(PixelRun(row as u32, col as u32, part.len() as u32));
                }
                col += part.len();
            }
        }
        Some(PixelMask::from_runs(runs))
    }
}

impl Slic {
    /// Cuts up a window, all of its bands; each superpixel is 4-connected. The same pixels
    /// always give the same. Costs about 0.9 s per Mpx with three bands.
    ///
    /// # Errors
    /// Cancelled.
    pub fn segment(&self, pixels: &RasterAt, progress: &mut Progress<'_>) -> Result<Superpixels, LabelError> {
        let raster = &pixels.raster;
        let (width, height) = (raster.width, raster.height);
        let spacing = self.spacing_px.max(2);
        let features = Features::new(raster);
        let mut centers = features.first_centers(spacing);
        let mut indexes = vec![NONE; width * height];
        let mut distances = vec![f32::INFINITY; width * height];
        for iteration in 0..self.n_iterations.max(1) {
            if !progress(iteration as f32 / self.n_iterations.max(1) as f32) {
                return Err(LabelError::Cancelled);
            }
            distances.fill(f32::INFINITY);
            let nearness = (self.compactness / spacing as f32).powi(2);
            for (index, center) in centers.iter().enumerate() {
                features.assign(index as u32, center, spacing, nearness, &mut indexes, &mut distances);
            }
            features.move_centers(&mut centers, &indexes);
        }
        let (indexes, n) = features.connected(&indexes, spacing * spacing / 4);
        Ok(Superpixels { rect: PixelRect::new(pixels.col, pixels.row, width, height), indexes, n })
    }
}

/// Scaled values, `[row, col, band]`, NaN in all bands where one has none.
struct Features {
    width: usize,
    height: usize,
    bands: usize,
    data: Vec<f32>,
}

struct Center {
    col: f32,
    row: f32,
    values: Vec<f32>,
}

impl Features {
    fn new(raster: &Raster) -> Self {
        let mut data = vec![f32::NAN; raster.n_px() * raster.bands];
        let valid = raster.valid();
        for band in 0..raster.bands {
            let values = raster.band(band);
            let (low, scale) = stretch(values.iter().zip(&valid).filter(|(_, ok)| **ok).map(|(v, _)| *v).collect());
            for (i, value) in values.iter().enumerate().filter(|(i, _)| valid[*i]) {
                data[i * raster.bands + band] = (value - low) * scale;
            }
        }
        Self { width: raster.width, height: raster.height, bands: raster.bands, data }
    }

    fn at(&self, col: usize, row: usize) -> &[f32] {
        &self.data[(row * self.width + col) * self.bands..][..self.bands]
    }

    fn is_valid(&self, px: usize) -> bool {
        self.bands > 0 && self.data[px * self.bands].is_finite()
    }

    /// On a grid, each moved to the lowest gradient of its 3 × 3 neighbourhood.
    fn first_centers(&self, spacing: usize) -> Vec<Center> {
        let n_cols = ((self.width + spacing / 2) / spacing).max(1);
        let n_rows = ((self.height + spacing / 2) / spacing).max(1);
        let mut centers = Vec::with_capacity(n_cols * n_rows);
        if self.width == 0 || self.height == 0 {
            return centers;
        }
        for i in 0..n_cols * n_rows {
            let col = (2 * (i % n_cols) + 1) * self.width / (2 * n_cols);
            let row = (2 * (i / n_cols) + 1) * self.height / (2 * n_rows);
            let around = (row.saturating_sub(1)..(row + 2).min(self.height))
                .flat_map(|row| (col.saturating_sub(1)..(col + 2).min(self.width)).map(move |col| (col, row)));
            let (mut best, mut lowest) = ((col, row), self.gradient(col, row));
            for (col, row) in around {
                let gradient = self.gradient(col, row);
                // Also away from a pixel without a value.
                if gradient < lowest || lowest.is_nan() && !gradient.is_nan() {
                    (best, lowest) = ((col, row), gradient);
                }
            }
            let values = self.at(best.0, best.1).to_vec();
            centers.push(Center { col: best.0 as f32, row: best.1 as f32, values });
        }
        centers
    }

    fn gradient(&self, col: usize, row: usize) -> f32 {
        let across = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        let (left, right) = (col.saturating_sub(1), (col + 1).min(self.width - 1));
        let (above, below) = (row.saturating_sub(1), (row + 1).min(self.height - 1));
        across(self.at(left, row), self.at(right, row)) + across(self.at(col, above), self.at(col, below))
    }

    /// Takes the pixels within `spacing` that are nearer to this centre than to those before.
    fn assign(
        &self,
        index: u32,
        center: &Center,
        spacing: usize,
        nearness: f32,
        indexes: &mut [u32],
        distances: &mut [f32],
    ) {
        let spacing = spacing as f32;
        let from = |at: f32| (at - spacing).ceil().max(0.0) as usize;
        let to = |at: f32, end: usize| ((at + spacing).floor() as usize + 1).min(end);
        let cols = from(center.col)..to(center.col, self.width);
        for row in from(center.row)..to(center.row, self.height) {
            let down = (row as f32 - center.row).powi(2);
            let start = row * self.width;
            let values = &self.data[(start + cols.start) * self.bands..(start + cols.end) * self.bands];
            for (px, values) in (start + cols.start..).zip(values.chunks_exact(self.bands.max(1))) {
                let unlike: f32 = values.iter().zip(&center.values).map(|(a, b)| (a - b) * (a - b)).sum();
                let away = ((px - start) as f32 - center.col).powi(2) + down;
                let distance = unlike + away * nearness;
                if distance < distances[px] {
                    distances[px] = distance;
                    indexes[px] = index;
                }
            }
        }
    }

    /// To the mean of what each centre has.
    fn move_centers(&self, centers: &mut [Center], indexes: &[u32]) {
        let mut sums = vec![0.0f64; centers.len() * (self.bands + 3)];
        for (px, &index) in indexes.iter().enumerate().filter(|(_, index)| **index != NONE) {
            let sum = &mut sums[index as usize * (self.bands + 3)..][..self.bands + 3];
            sum[0] += 1.0;
            sum[1] += (px % self.width) as f64;
            sum[2] += (px / self.width) as f64;
            for (sum, value) in sum[3..].iter_mut().zip(&self.data[px * self.bands..]) {
                *sum += f64::from(*value);
            }
        }
        for (center, sum) in centers.iter_mut().zip(sums.chunks_exact(self.bands + 3)).filter(|(_, sum)| sum[0] > 0.0) {
            center.col = (sum[1] / sum[0]) as f32;
            center.row = (sum[2] / sum[0]) as f32;
            center.values.iter_mut().zip(&sum[3..]).for_each(|(value, total)| *value = (total / sum[0]) as f32);
        }
    }

    /// Each connected part is a superpixel; parts of less than `min_px` join the one before
    /// them (left or above), as in the paper's own implementation.
    fn connected(&self, indexes: &[u32], min_px: usize) -> (Vec<u32>, usize) {
        let mut result = vec![NONE; indexes.len()];
        let mut n = 0;
        let mut part = Vec::new();
        for start in 0..indexes.len() {
            if result[start] != NONE || !self.is_valid(start) {
                continue;
            }
            let before = self.neighbours(start).map(|px| result[px]).find(|&index| index != NONE);
            part.clear();
            part.push(start);
            result[start] = n;
            let mut next = 0;
            while let Some(&px) = part.get(next) {
                next += 1;
                for other in self.neighbours(px) {
                    if result[other] == NONE && indexes[other] == indexes[start] && self.is_valid(other) {
                        result[other] = n;
                        part.push(other);
                    }
                }
            }
            match before {
                Some(index) if part.len() < min_px => part.iter().for_each(|&px| result[px] = index),
                _ => n += 1,
            }
        }
        (result, n as usize)
    }

    /// Left, above, right, below.
    fn neighbours(&self, px: usize) -> impl Iterator<Item = usize> {
        let (col, row) = (px % self.width, px / self.width);
        let (width, height) = (self.width, self.height);
        [
            (col > 0).then(|| px - 1),
            (row > 0).then(|| px - width),
            (col + 1 < width).then(|| px + 1),
            (row + 1 < height).then(|| px + width),
        ]
        .into_iter()
        .flatten()
    }
}

/// Offset and factor that bring the 2nd to 98th percentile to 0 to 100.
fn stretch(mut values: Vec<f32>) -> (f32, f32) {
    if values.is_empty() {
        return (0.0, 1.0);
    }
    let last = values.len() - 1;
    let mut percentile = |share: f64| *values.select_nth_unstable_by((share * last as f64) as usize, f32::total_cmp).1;
    let (low, high) = (percentile(0.02), percentile(0.98));
    (low, if high > low { 100.0 / (high - low) } else { 1.0 })
}
