//! A class as a normal distribution, with a covariance that can be inverted.

use nalgebra::{DMatrix, DVector};

use super::ClassStatistics;

/// Mean and covariance of a class, factored.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    pub(super) mean: DVector<f64>,
    pub(super) covariance: DMatrix<f64>,
    /// L⁻¹ with LLᵀ the covariance, lower triangular.
    pub(super) whitening: DMatrix<f64>,
    pub(super) log_determinant: f64,
    shrinkage: Option<f64>,
}

/// Why pixels give no distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GaussianError {
    #[error("{0} pixels have no covariance: paint at least 2")]
    TooFew(u64),
    #[error("all pixels are equal: paint some that differ")]
    NoSpread,
}

/// Smallest eigenvalue of a correlation matrix that is still inverted as it is.
const SMALLEST_CORRELATION_EIGENVALUE: f64 = 1e-11;

impl Gaussian {
    /// From the pixels of a class. With fewer pixels than bands + 1, or bands that depend on
    /// each other, the covariance has no inverse and is shrunk towards a multiple of the
    /// identity: oracle approximating shrinkage, Chen, Wiesel, Eldar & Hero (2010), as in
    /// scikit-learn's `OAS`; [`Gaussian::shrinkage`] tells.
    ///
    /// # Errors
    /// Fewer than two pixels, or no two that differ.
    pub fn new(statistics: &ClassStatistics) -> Result<Self, GaussianError> {
        if statistics.n() < 2 {
            return Err(GaussianError::TooFew(statistics.n()));
        }
        let covariance = statistics.covariance();
        if covariance.trace() <= 0.0 {
            return Err(GaussianError::NoSpread);
        }
        let mean = DVector::from_column_slice(statistics.mean());
        let enough = statistics.n() > statistics.n_bands() as u64;
        if enough
            && well_conditioned(&covariance)
            && let Some(gaussian) = Self::factored(&mean, &covariance, None)
        {
            return Ok(gaussian);
        }
        let (mut shrunk, mut shrinkage) = oas(&statistics.scatter(), statistics.n() as f64);
        let floor = shrunk.trace() / shrunk.nrows() as f64 * 1e-9;
        // Almost dependent bands with many pixels are hardly shrunk by OAS: this much is needed
        // for an inverse to mean something.
        if shrinkage < 1e-9 {
            shrunk += DMatrix::identity(shrunk.nrows(), shrunk.nrows()) * floor;
            shrinkage = 1e-9;
        }
        Self::factored(&mean, &shrunk, Some(shrinkage)).ok_or(GaussianError::NoSpread)
    }

    /// The same shape around another mean.
    pub(super) fn around(&self, mean: &[f64]) -> Self {
        Self { mean: DVector::from_column_slice(mean), ..self.clone() }
    }

    /// Weight of the identity where the covariance had to be shrunk, in (0, 1].
    pub fn shrinkage(&self) -> Option<f64> {
        self.shrinkage
    }

    pub fn covariance(&self) -> &DMatrix<f64> {
        &self.covariance
    }

    pub fn n_bands(&self) -> usize {
        self.mean.len()
    }

    fn factored(mean: &DVector<f64>, covariance: &DMatrix<f64>, shrinkage: Option<f64>) -> Option<Self> {
        let lower = covariance.clone().cholesky()?.l();
        let log_determinant = 2.0 * lower.diagonal().iter().map(|value| value.ln()).sum::<f64>();
        let whitening = lower.solve_lower_triangular(&DMatrix::identity(mean.len(), mean.len()))?;
        let finite = log_determinant.is_finite() && whitening.iter().all(|value| value.is_finite());
        finite.then(|| Self {
            mean: mean.clone(),
            covariance: covariance.clone(),
            whitening,
            log_determinant,
            shrinkage,
        })
    }
}

/// Judged by correlations, so that bands in other units do not count as dependent.
fn well_conditioned(covariance: &DMatrix<f64>) -> bool {
    let scale = covariance.diagonal().map(f64::sqrt);
    if scale.iter().any(|scale| *scale <= 0.0) {
        return false;
    }
    let correlation =
        DMatrix::from_fn(scale.len(), scale.len(), |row, col| covariance[(row, col)] / (scale[row] * scale[col]));
    correlation.symmetric_eigenvalues().min() > SMALLEST_CORRELATION_EIGENVALUE
}

/// `(1 − ρ)S + ρ·tr(S)/p·I` with S of denominator n, and ρ.
fn oas(scatter: &DMatrix<f64>, n: f64) -> (DMatrix<f64>, f64) {
    let covariance = scatter / n;
    let p = covariance.nrows() as f64;
    let squares = covariance.norm_squared() / (p * p);
    let mu = covariance.trace() / p;
    let denominator = (n + 1.0) * (squares - mu * mu / p);
    let shrinkage = if denominator <= 0.0 { 1.0 } else { ((squares + mu * mu) / denominator).min(1.0) };
    let identity = DMatrix::identity(covariance.nrows(), covariance.nrows());
    (covariance * (1.0 - shrinkage) + identity * (shrinkage * mu), shrinkage)
}

/// The value below which a share `probability` of a χ² distribution lies; `degrees` > 0,
/// `probability` in [0, 1). Bisection of the regularised gamma function, 1e-12 relative.
pub(super) fn chi_squared_quantile(probability: f64, degrees: usize) -> f64 {
    let (mut low, mut high) = (0.0, degrees as f64);
    while chi_squared_share(high, degrees) < probability && high < 1e6 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if chi_squared_share(middle, degrees) < probability { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// P(k/2, x/2) by its series, whose terms are all positive.
fn chi_squared_share(x: f64, degrees: usize) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let (a, half) = (degrees as f64 / 2.0, x / 2.0);
    // ln Γ(a + 1) by recurrence from Γ(1) = 1 or Γ(1/2) = √π.
    let even = degrees.is_multiple_of(2);
    let (start, first) = if even { (0.0, 1.0) } else { (std::f64::consts::PI.sqrt().ln(), 0.5) };
    let log_gamma = start + (0..degrees.div_ceil(2)).map(|i| (first + i as f64).ln()).sum::<f64>();
    let mut term = (a * half.ln() - half - log_gamma).exp();
    let mut sum = term;
    let mut n = a;
    while term > sum * 1e-17 || n < half {
        n += 1.0;
        term *= half / n;
        sum += term;
        if n > 1e7 {
            break;
        }
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn fixture() -> Value {
        serde_json::from_str(include_str!("../../../tests/fixtures/statistics/separability.json")).expect("fixture")
    }

    fn statistics(spectra: &[Vec<f64>]) -> ClassStatistics {
        let mut statistics = ClassStatistics::new(spectra[0].len());
        spectra.iter().for_each(|spectrum| assert!(statistics.add(spectrum)));
        statistics
    }

    #[test]
    fn too_few_pixels_are_shrunk_as_scikit_learn_does() {
        let few = &fixture()["few"];
        let spectra: Vec<Vec<f64>> = serde_json::from_value(few["pixels"].clone()).expect("pixels");
        let expected: Vec<Vec<f64>> = serde_json::from_value(few["covariance"].clone()).expect("covariance");

        let gaussian = Gaussian::new(&statistics(&spectra)).expect("some spread");

        let shrinkage = gaussian.shrinkage().expect("4 pixels of 6 bands");
        assert!((shrinkage - few["shrinkage"].as_f64().expect("number")).abs() < 1e-12);
        for (row, values) in expected.iter().enumerate() {
            for (col, value) in values.iter().enumerate() {
                assert!((gaussian.covariance()[(row, col)] - value).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn a_band_that_repeats_another_is_regularised_and_said() {
        let spectra: Vec<Vec<f64>> = (0..50).map(|i| (f64::from(i) * 0.7).sin()).map(|v| vec![v, v, v * v]).collect();

        let gaussian = Gaussian::new(&statistics(&spectra)).expect("some spread");

        assert!(gaussian.shrinkage().is_some());
        let whole = vec![vec![1.0, 2.0]; 9];
        assert_eq!(Gaussian::new(&statistics(&whole)), Err(GaussianError::NoSpread));
        assert_eq!(Gaussian::new(&statistics(&whole[..1])), Err(GaussianError::TooFew(1)));
    }

    #[test]
    fn quantiles_of_chi_squared_equal_scipy() {
        for case in fixture()["chi_squared"].as_array().expect("list") {
            let [degrees, probability, expected] = [0, 1, 2].map(|i| case[i].as_f64().expect("number"));
            let found = chi_squared_quantile(probability, degrees as usize);
            assert!((found / expected - 1.0).abs() < 1e-9, "{degrees} {probability}: {found} instead of {expected}");
        }
    }
}
