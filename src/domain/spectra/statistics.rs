//! Mean and covariance of the pixels of a class, taken in one pass.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use crate::raster::Raster;

/// Number, mean and co-moments of pixels, in float64. Adding a pixel costs bands² / 2
/// multiplications; parts are merged exactly (Chan, Golub & LeVeque 1983, *Algorithms for
/// computing the sample variance*), so a reference that grows by a pixel is not computed anew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassStatistics {
    n: u64,
    mean: Vec<f64>,
    /// `Σ (x − mean)(x − mean)ᵀ`, bands² row-major.
    scatter: Vec<f64>,
}

impl ClassStatistics {
    /// Of no pixels.
    pub fn new(n_bands: usize) -> Self {
        Self { n: 0, mean: vec![0.0; n_bands], scatter: vec![0.0; n_bands * n_bands] }
    }

    /// From what a file or a reference holds; `covariance` bands² row-major, with n − 1 in the
    /// denominator. `None` if the lengths do not fit, a number is missing, or there is a
    /// covariance of fewer than two pixels.
    pub fn from_moments(n: u64, mean: Vec<f64>, covariance: &[f64]) -> Option<Self> {
        let fits = covariance.len() == mean.len() * mean.len();
        let finite = mean.iter().chain(covariance).all(|value| value.is_finite());
        if !fits || !finite || n == 0 {
            return None;
        }
        let scatter = covariance.iter().map(|value| value * (n - 1) as f64).collect();
        Some(Self { n, mean, scatter })
    }

    /// Of the pixels `(col, row)` of a raster; those with nodata in any band and those outside
    /// are left out. Each value becomes `value · scale + offset` where they are given.
    pub fn of_pixels(
        raster: &Raster,
        pixels: impl IntoIterator<Item = (usize, usize)>,
        normalisation: Option<(&[f64], &[f64])>,
    ) -> Self {
        let mut statistics = Self::new(raster.bands);
        let mut spectrum = vec![0.0; raster.bands];
        for (col, row) in pixels.into_iter().filter(|(col, row)| *col < raster.width && *row < raster.height) {
            for (band, value) in spectrum.iter_mut().enumerate() {
                let (scale, offset) = normalisation.map_or((1.0, 0.0), |(scale, offset)| (scale[band], offset[band]));
                *value = f64::from(raster.get(band, col, row)) * scale + offset;
            }
            statistics.add(&spectrum);
        }
        statistics
    }

    /// Adds a pixel; false, and nothing added, where a band has no value.
    ///
    /// # Panics
    /// If the spectrum has another number of bands.
    pub fn add(&mut self, spectrum: &[f64]) -> bool {
        assert_eq!(spectrum.len(), self.mean.len(), "bands of the pixel");
        if spectrum.iter().any(|value| !value.is_finite()) {
            return false;
        }
        self.n += 1;
        let n = self.n as f64;
        let n_bands = self.mean.len();
        // (x − old mean)(x − new mean)ᵀ = (n − 1) / n · δδᵀ, symmetric by construction.
        let delta: Vec<f64> = spectrum.iter().zip(&self.mean).map(|(value, mean)| value - mean).collect();
        for (mean, delta) in self.mean.iter_mut().zip(&delta) {
            *mean += delta / n;
        }
        self.add_outer(&delta, (n - 1.0) / n, n_bands);
        true
    }

    /// Adds the pixels of another part.
    ///
    /// # Panics
    /// If the numbers of bands differ.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(other.mean.len(), self.mean.len(), "bands of the statistics");
        if other.n == 0 {
            return;
        }
        let (a, b) = (self.n as f64, other.n as f64);
        let delta: Vec<f64> = other.mean.iter().zip(&self.mean).map(|(theirs, ours)| theirs - ours).collect();
        for (mean, delta) in self.mean.iter_mut().zip(&delta) {
            *mean += delta * b / (a + b);
        }
        for (ours, theirs) in self.scatter.iter_mut().zip(&other.scatter) {
            *ours += theirs;
        }
        self.add_outer(&delta, a * b / (a + b), self.mean.len());
        self.n += other.n;
    }

    pub fn n(&self) -> u64 {
        self.n
    }

    pub fn n_bands(&self) -> usize {
        self.mean.len()
    }

    /// 0 in every band where there is no pixel.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Per band, with n − 1 in the denominator; 0 below two pixels.
    pub fn std_dev(&self) -> Vec<f64> {
        let n_bands = self.mean.len();
        (0..n_bands).map(|band| (self.scatter[band * n_bands + band] * self.per_degree()).sqrt()).collect()
    }

    /// Bands × bands, with n − 1 in the denominator; 0 below two pixels.
    pub fn covariance(&self) -> DMatrix<f64> {
        let n_bands = self.mean.len();
        DMatrix::from_row_slice(n_bands, n_bands, &self.scatter) * self.per_degree()
    }

    /// `Σ (x − mean)(x − mean)ᵀ`.
    pub(super) fn scatter(&self) -> DMatrix<f64> {
        DMatrix::from_row_slice(self.mean.len(), self.mean.len(), &self.scatter)
    }

    fn per_degree(&self) -> f64 {
        if self.n < 2 { 0.0 } else { 1.0 / (self.n - 1) as f64 }
    }

    fn add_outer(&mut self, delta: &[f64], weight: f64, n_bands: usize) {
        for (row, a) in self.scatter.chunks_exact_mut(n_bands.max(1)).zip(delta) {
            for (value, b) in row.iter_mut().zip(delta) {
                *value += a * b * weight;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far from 0 with a small spread, where the textbook formula loses all digits.
    fn spectrum(i: usize) -> [f64; 3] {
        let t = i as f64;
        [1e6 + (t * 0.7).sin(), 1e6 + (t * 1.3).cos() + 0.1 * t, -4.0 + (t * 0.2).sin()]
    }

    fn two_pass(spectra: &[[f64; 3]]) -> (Vec<f64>, DMatrix<f64>) {
        let n = spectra.len() as f64;
        let mean: Vec<f64> = (0..3).map(|band| spectra.iter().map(|s| s[band]).sum::<f64>() / n).collect();
        let covariance = DMatrix::from_fn(3, 3, |a, b| {
            spectra.iter().map(|s| (s[a] - mean[a]) * (s[b] - mean[b])).sum::<f64>() / (n - 1.0)
        });
        (mean, covariance)
    }

    #[test]
    fn one_pass_and_merged_parts_equal_two_passes() {
        let spectra: Vec<_> = (0..90).map(spectrum).collect();
        let (mean, covariance) = two_pass(&spectra);

        let mut parts = ClassStatistics::new(3);
        for chunk in spectra.chunks(25) {
            let mut part = ClassStatistics::new(3);
            assert!(chunk.iter().all(|spectrum| part.add(spectrum)));
            parts.merge(&part);
        }
        parts.merge(&ClassStatistics::new(3));

        assert_eq!(parts.n(), 90);
        for band in 0..3 {
            assert!((parts.mean()[band] - mean[band]).abs() < 1e-9);
            assert!((parts.std_dev()[band] - covariance[(band, band)].sqrt()).abs() < 1e-8);
        }
        assert!((parts.covariance() - covariance).amax() < 1e-8);
    }

    #[test]
    fn nodata_and_pixels_outside_are_left_out() {
        let raster = Raster::new(2, 2, 1, vec![1.0, f32::NAN, 3.0, 4.0]);

        let statistics =
            ClassStatistics::of_pixels(&raster, [(0, 0), (1, 0), (5, 0)], Some((&[0.5, 2.0], &[0.0, 1.0])));

        assert_eq!((statistics.n(), statistics.mean()), (1, &[0.5, 7.0][..]));
        assert_eq!(statistics.std_dev(), [0.0, 0.0]);
    }

    #[test]
    fn moments_survive_a_round_trip_and_wrong_ones_are_refused() {
        let mut statistics = ClassStatistics::new(3);
        (0..7).for_each(|i| assert!(statistics.add(&spectrum(i))));

        let covariance: Vec<f64> = statistics.covariance().iter().copied().collect();
        let again = ClassStatistics::from_moments(7, statistics.mean().to_vec(), &covariance).expect("fits");

        assert!((again.covariance() - statistics.covariance()).amax() < 1e-12);
        assert_eq!(ClassStatistics::from_moments(7, vec![1.0], &[1.0, 2.0]), None);
        assert_eq!(ClassStatistics::from_moments(0, vec![1.0], &[1.0]), None);
        assert_eq!(ClassStatistics::from_moments(2, vec![f64::NAN], &[1.0]), None);
    }
}
