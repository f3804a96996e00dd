//! Classes of pixels from their spectra alone: spectral angle mapper, minimum distance,
//! Mahalanobis distance, maximum likelihood and SF-CNM, one interface for all.
//!
//! A pixel's class depends on the pixel and the classifier only. Equal to the Python package
//! `spectral` (`spectral_angles`, `MahalanobisDistanceClassifier`, `GaussianClassifier` with
//! equal class probabilities).

use super::classify_blocks::{self, Kernel, Quadratic};
use super::gaussian::{Gaussian, GaussianError, chi_squared_quantile};
use super::{ClassStatistics, Prior};
use crate::raster::Raster;

/// Turns spectra into classes. Class i + 1 is the i-th reference it was made from; 0 is
/// unclassified: too far from all of them, or nodata.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    method: Method,
    n_bands: usize,
    n_classes: usize,
    /// What a pixel is compared as: value · scale + offset, per band.
    scale: Vec<f64>,
    offset: Vec<f64>,
    remarks: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Method {
    Kernel(Kernel),
    SfCnm(Prior),
}

/// Classes of pixels and what they were chosen by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassifiedPixels {
    /// 0 where unclassified.
    pub classes: Vec<u16>,
    /// Of the best class, also where it was too far: angle in radians, distance in the bands'
    /// unit, Mahalanobis distance, log-likelihood, or SF-CNM distance. NaN for nodata.
    pub score: Vec<f32>,
}

/// Why there is no classifier.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClassifierError {
    #[error("no classes yet: add at least one reference")]
    NoClasses,
    #[error("{0} classes are more than a class map can hold (65535)")]
    TooMany(usize),
    #[error("class {} has {found} bands where the first has {expected}: all need the same bands", class + 1)]
    Bands { class: usize, found: usize, expected: usize },
    #[error("class {} has no value in some band: every band needs a number", class + 1)]
    NotFinite { class: usize },
    #[error("class {} is 0 in every band, which has no direction: remove it", class + 1)]
    Zero { class: usize },
    #[error("class {}: {error}", class + 1)]
    Distribution { class: usize, error: GaussianError },
    #[error("the limit {0} is out of range")]
    Limit(f64),
}

impl Classifier {
    /// Spectral angle mapper (Kruse et al. 1993): the class of the smallest angle, which
    /// brightness does not change. Angles above `max_angle` (radians, above 0) are unclassified.
    ///
    /// # Errors
    /// No spectra, spectra that differ in their bands, lack a number or are all 0, or a limit
    /// that is not above 0.
    pub fn spectral_angle(spectra: &[&[f64]], max_angle: Option<f64>) -> Result<Self, ClassifierError> {
        let n_bands = check(spectra, max_angle)?;
        let mut unit = Vec::with_capacity(spectra.len() * n_bands);
        for (class, spectrum) in spectra.iter().enumerate() {
            let norm = spectrum.iter().map(|value| value * value).sum::<f64>().sqrt();
            if norm == 0.0 {
                return Err(ClassifierError::Zero { class });
            }
            unit.extend(spectrum.iter().map(|value| value / norm));
        }
        Ok(Self::of_kernel(Kernel::Angle { unit, max_angle }, n_bands, spectra.len(), Vec::new()))
    }

    /// The class whose spectrum is nearest in Euclid's distance; farther than `max_distance`
    /// is unclassified.
    ///
    /// # Errors
    /// As [`Classifier::spectral_angle`], but spectra may be all 0.
    pub fn minimum_distance(spectra: &[&[f64]], max_distance: Option<f64>) -> Result<Self, ClassifierError> {
        let n_bands = check(spectra, max_distance)?;
        let kernel = Kernel::Distance { mean: spectra.concat(), max_distance };
        Ok(Self::of_kernel(kernel, n_bands, spectra.len(), Vec::new()))
    }

    /// Gaussian maximum likelihood, every class equally likely beforehand. A pixel is
    /// unclassified where fewer than a share `min_probability` (in (0, 1)) of the best class's
    /// own pixels are expected to lie as far from its mean. Covariances of too few pixels are
    /// regularised ([`Gaussian::new`]); [`Classifier::remarks`] says which.
    ///
    /// # Errors
    /// No classes, other bands, fewer than two differing pixels in a class, or a limit that is
    /// no probability.
    pub fn maximum_likelihood(
        classes: &[&ClassStatistics],
        min_probability: Option<f64>,
    ) -> Result<Self, ClassifierError> {
        let means: Vec<&[f64]> = classes.iter().map(|class| class.mean()).collect();
        let n_bands = check(&means, min_probability)?;
        if let Some(probability) = min_probability.filter(|probability| *probability >= 1.0) {
            return Err(ClassifierError::Limit(probability));
        }
        let mut quadratics = Vec::new();
        let mut remarks = Vec::new();
        for (class, statistics) in classes.iter().enumerate() {
            let gaussian = distribution(class, statistics)?;
            remarks.extend(remark(class, statistics, &gaussian));
            quadratics.push(Quadratic::new(&gaussian));
        }
        let max_squared = min_probability.map(|probability| chi_squared_quantile(1.0 - probability, n_bands));
        let kernel = Kernel::Likelihood { classes: quadratics, max_squared };
        Ok(Self::of_kernel(kernel, n_bands, classes.len(), remarks))
    }

    /// The class of the smallest Mahalanobis distance, all classes sharing the mean of their
    /// covariances weighted by pixels; farther than `max_distance` is unclassified.
    ///
    /// # Errors
    /// As [`Classifier::maximum_likelihood`].
    pub fn mahalanobis(classes: &[&ClassStatistics], max_distance: Option<f64>) -> Result<Self, ClassifierError> {
        let means: Vec<&[f64]> = classes.iter().map(|class| class.mean()).collect();
        let n_bands = check(&means, max_distance)?;
        let n: u64 = classes.iter().map(|class| class.n()).sum();
        let mut covariance = vec![0.0; n_bands * n_bands];
        for class in classes {
            for (sum, value) in covariance.iter_mut().zip(class.covariance().iter()) {
                *sum += value * class.n() as f64 / n as f64;
            }
        }
        let pooled = ClassStatistics::from_moments(n, vec![0.0; n_bands], &covariance);
        let pooled = pooled.ok_or(ClassifierError::Distribution { class: 0, error: GaussianError::TooFew(n) })?;
        let gaussian = distribution(0, &pooled)?;
        let remarks = gaussian
            .shrinkage()
            .map(|_| "the common covariance has no inverse and was regularised: paint more pixels".to_owned());
        let classes: Vec<_> = means.iter().map(|mean| Quadratic::new(&gaussian.around(mean))).collect();
        let kernel = Kernel::Mahalanobis { classes, max_squared: max_distance.map(|distance| distance * distance) };
        Ok(Self::of_kernel(kernel, n_bands, means.len(), remarks.into_iter().collect()))
    }

    /// The SF-CNM prior; its own normalisation stays.
    pub fn sf_cnm(prior: Prior) -> Self {
        let (n_bands, n_classes) = (prior.n_bands(), prior.n_references());
        let (scale, offset) = (vec![1.0; n_bands], vec![0.0; n_bands]);
        Self { method: Method::SfCnm(prior), n_bands, n_classes, scale, offset, remarks: Vec::new() }
    }

    /// The same classifier for pixels on another scale than the references: they are compared
    /// as `value · scale + offset`, one of each per band.
    ///
    /// # Panics
    /// If there is not one scale and one offset per band.
    #[must_use]
    pub fn with_normalisation(mut self, scale: &[f64], offset: &[f64]) -> Self {
        assert!(scale.len() == self.n_bands && offset.len() == self.n_bands, "one scale and one offset per band");
        if let Method::SfCnm(prior) = self.method {
            self.method = Method::SfCnm(prior.with_normalisation(scale, offset));
        }
        (self.scale, self.offset) = (scale.to_vec(), offset.to_vec());
        self
    }

    pub fn n_bands(&self) -> usize {
        self.n_bands
    }

    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// What a person should know although it works, one sentence each.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// All pixels of a raster.
    ///
    /// # Panics
    /// If the raster has another number of bands; compare with [`Classifier::n_bands`] first.
    pub fn classify(&self, raster: &Raster) -> ClassifiedPixels {
        let mut pixels = ClassifiedPixels { classes: vec![0; raster.n_px()], score: vec![f32::NAN; raster.n_px()] };
        let bands: Vec<&[f32]> = (0..raster.bands).map(|band| raster.band(band)).collect();
        self.classify_into(&bands, &mut pixels.classes, &mut pixels.score);
        pixels
    }

    /// `classify` on slices, one per band and all of one length, so that a caller may split the
    /// rows over threads. Allocates once per call, nothing per pixel: give it thousands.
    ///
    /// # Panics
    /// If the number of bands or the lengths differ.
    pub fn classify_into(&self, bands: &[&[f32]], classes: &mut [u16], score: &mut [f32]) {
        assert_eq!(bands.len(), self.n_bands, "bands of the pixels");
        assert!(
            bands.iter().all(|band| band.len() == classes.len()) && score.len() == classes.len(),
            "bands, classes and scores of one length"
        );
        match &self.method {
            Method::SfCnm(prior) => prior.pixels_into(bands, classes, score),
            Method::Kernel(kernel) => {
                classify_blocks::classify(kernel, bands, &self.scale, &self.offset, classes, score);
            }
        }
    }

    fn of_kernel(kernel: Kernel, n_bands: usize, n_classes: usize, remarks: Vec<String>) -> Self {
        let method = Method::Kernel(kernel);
        Self { method, n_bands, n_classes, scale: vec![1.0; n_bands], offset: vec![0.0; n_bands], remarks }
    }
}

/// The angle between two spectra in radians, 0 to π; NaN where one is all 0.
pub fn spectral_angle(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()).clamp(-1.0, 1.0).acos()
}

/// Number of bands, if the spectra are fit for use and the limit is above 0.
fn check(spectra: &[&[f64]], limit: Option<f64>) -> Result<usize, ClassifierError> {
    let expected = spectra.first().ok_or(ClassifierError::NoClasses)?.len();
    if spectra.len() > usize::from(u16::MAX) {
        return Err(ClassifierError::TooMany(spectra.len()));
    }
    for (class, spectrum) in spectra.iter().enumerate() {
        if spectrum.len() != expected {
            return Err(ClassifierError::Bands { class, found: spectrum.len(), expected });
        }
        if spectrum.is_empty() || spectrum.iter().any(|value| !value.is_finite()) {
            return Err(ClassifierError::NotFinite { class });
        }
    }
    match limit {
        Some(limit) if !(limit > 0.0 && limit.is_finite()) => Err(ClassifierError::Limit(limit)),
        _ => Ok(expected),
    }
}

fn distribution(class: usize, statistics: &ClassStatistics) -> Result<Gaussian, ClassifierError> {
    Gaussian::new(statistics).map_err(|error| ClassifierError::Distribution { class, error })
}

fn remark(class: usize, statistics: &ClassStatistics, gaussian: &Gaussian) -> Option<String> {
    let shrinkage = gaussian.shrinkage()?;
    let (n, n_bands) = (statistics.n(), statistics.n_bands());
    Some(format!(
        "class {}: the covariance of {n} pixels in {n_bands} bands has no inverse and was regularised ({:.0} %)",
        class + 1,
        100.0 * shrinkage
    ))
}
