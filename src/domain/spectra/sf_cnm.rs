//! The SF-CNM similarity prior and its thresholds, in closed form.
//!
//! Wang et al. (2025), *Identification of Spectrally Similar Materials From Multispectral
//! Imagery Based on Condition Number of Matrix*, IEEE JSTARS, doi 10.1109/JSTARS.2025.3532816;
//! checked against the reference implementation of SSMGNet.
//!
//! With C bands, R references as the columns of A, N = max(C, R) and λ = N + 1: A and every
//! pixel get N − C zero bands, E is the first R columns of the N × N identity, W the
//! (Moore–Penrose) inverse of A + λE. For a pixel p and candidate i, `oᵢ = W(p + λeᵢ)`,
//! `dᵢ = Σₖ|oᵢₖ| − m + |m − 1|` with `m = maxₖ|oᵢₖ|`. The nearest candidate wins (the first
//! of equals) and counts where its distance is below its threshold. Since `oᵢ = Wp + λW·eᵢ`,
//! a pixel costs one R × C product and R additions of R values.

use nalgebra::{DMatrix, DVector};

use super::ReferenceSet;
use super::sf_cnm_blocks::{PriorTables, Wanted};
use crate::inspect::ReferenceDistances;
use crate::raster::Raster;

/// References turned into what a pixel is compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct Prior {
    n_bands: usize,
    lambda: f64,
    /// W, R × N.
    inverse: DMatrix<f64>,
    /// Weighted.
    thresholds: Vec<f64>,
    /// Scale and offset per band that bring a stored value to the references' scale.
    normalisation: Option<(Vec<f64>, Vec<f64>)>,
    tables: PriorTables,
    /// Bands of the pixels that are compared, in the references' order; `None` takes them all.
    chosen: Option<Vec<usize>>,
}

/// Why references give no prior.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PriorError {
    #[error("no references yet: add at least two")]
    NoReferences,
    #[error("one reference has no threshold: add a second one")]
    OneReference,
    #[error("{name} has {found} values where {first} has {expected}: references need the same bands")]
    Lengths { name: String, found: usize, first: String, expected: usize },
    #[error("{name} has no value in band {}: every reference needs a number in every band", band + 1)]
    NotFinite { name: String, band: usize },
    #[error("the weight of {name} must be a number above 0")]
    Weight { name: String },
    #[error("these references cannot be compared: their matrix has no inverse, change or remove one")]
    Singular,
    #[error("{0} references are more than a class map can hold (65535)")]
    TooMany(usize),
}

/// The prior of some pixels, `[row, col]` each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PriorPixels {
    /// 0 where no reference is near enough, else index of the enabled reference + 1; 0 for nodata.
    pub classes: Vec<u16>,
    /// Distance to the nearest reference; NaN for nodata.
    pub distance: Vec<f32>,
}

/// Smallest and largest distance of the pixels that are near enough to a reference: what the
/// original scales a patch by. Kept for comparison (`SimilarityMode::Compat`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DistanceRange {
    pub min: f32,
    pub max: f32,
}

impl Prior {
    /// From the enabled references; R × C may be any size, two references at least.
    ///
    /// # Errors
    /// Fewer than two enabled references, spectra of different lengths or with missing values,
    /// weights that are not above 0, or references whose matrix has no inverse.
    pub fn new(set: &ReferenceSet) -> Result<Self, PriorError> {
        validate(set)?;
        let (n_bands, n_references) = (enabled_bands(set), set.enabled().count());
        let n = n_bands.max(n_references);
        let lambda = (n + 1) as f64;
        let mut spectra = DMatrix::zeros(n, n_references);
        for (column, reference) in set.enabled().enumerate() {
            spectra.view_mut((0, column), (n_bands, 1)).copy_from_slice(&reference.spectrum);
        }
        let shifted = &spectra + DMatrix::identity(n, n_references) * lambda;
        let inverse = invert(shifted).ok_or(PriorError::Singular)?;
        let thresholds: Vec<f64> = thresholds(&inverse, &spectra, lambda)
            .into_iter()
            .zip(set.enabled())
            .map(|(threshold, reference)| threshold * reference.weight)
            .collect();
        let tables = PriorTables::new(&inverse, lambda, n_bands, &thresholds);
        Ok(Self { n_bands, lambda, inverse, thresholds, normalisation: None, tables, chosen: None })
    }

    /// The same prior for pixels that are on another scale than the references: they are
    /// compared as `value · scale + offset`, one of each per band. Folded into the tables, it
    /// costs nothing per pixel, neither here nor in the shader.
    ///
    /// # Panics
    /// If there is not one scale and one offset per band.
    #[must_use]
    pub fn with_normalisation(mut self, scale: &[f64], offset: &[f64]) -> Self {
        assert!(scale.len() == self.n_bands && offset.len() == self.n_bands, "one scale and one offset per band");
        let mut scaled = self.inverse.clone();
        for (band, factor) in scale.iter().enumerate() {
            scaled.column_mut(band).scale_mut(*factor);
        }
        let shift = self.inverse.columns(0, self.n_bands) * DVector::from_column_slice(offset);
        self.tables.normalise(&scaled, shift.as_slice(), &self.inverse, self.lambda);
        self.normalisation = Some((scale.to_vec(), offset.to_vec()));
        self
    }

    /// The same prior for pixels of `n_bands` bands, of which those in `bands` are compared, in
    /// the order of the references. The others weigh nothing, but a pixel needs them all.
    /// Comes after [`Prior::with_normalisation`].
    ///
    /// # Panics
    /// If there is not one band below `n_bands` per band of the references.
    #[must_use]
    pub fn on_bands(mut self, bands: &[usize], n_bands: usize) -> Self {
        assert!(bands.len() == self.n_bands && bands.iter().all(|&band| band < n_bands), "one band per band");
        self.tables.spread(bands, n_bands);
        self.n_bands = n_bands;
        self.chosen = Some(bands.to_vec());
        self
    }

    /// Bands a pixel must have.
    pub fn n_bands(&self) -> usize {
        self.n_bands
    }

    /// Enabled references.
    pub fn n_references(&self) -> usize {
        self.thresholds.len()
    }

    /// One per enabled reference, weights included.
    pub fn thresholds(&self) -> &[f64] {
        &self.thresholds
    }

    /// What the vectorised path and the shader compute with.
    pub fn tables(&self) -> &PriorTables {
        &self.tables
    }

    /// Distances of one pixel in double precision. A pixel with nodata or another number of
    /// bands has NaN distances and is not valid.
    pub fn pixel(&self, spectrum: &[f64]) -> ReferenceDistances {
        let thresholds = self.thresholds.clone();
        if spectrum.len() != self.n_bands || spectrum.iter().any(|value| !value.is_finite()) {
            let distances = vec![f64::NAN; thresholds.len()];
            return ReferenceDistances { distances, thresholds, best: 0, valid: false, similarity: 0.0 };
        }
        let mut pixel = match &self.chosen {
            None => DVector::from_column_slice(spectrum),
            Some(bands) => DVector::from_iterator(bands.len(), bands.iter().map(|&band| spectrum[band])),
        };
        if let Some((scale, offset)) = &self.normalisation {
            for (value, (scale, offset)) in pixel.iter_mut().zip(scale.iter().zip(offset)) {
                *value = *value * scale + offset;
            }
        }
        let product = self.inverse.columns(0, pixel.len()) * pixel;
        let distances: Vec<f64> = (0..thresholds.len())
            .map(|candidate| distance(&(&product + self.inverse.column(candidate) * self.lambda)))
            .collect();
        let best = (1..distances.len()).fold(0, |best, i| if distances[i] < distances[best] { i } else { best });
        let (nearest, threshold) = (distances[best], thresholds[best]);
        let valid = nearest < threshold;
        let similarity = if valid { (1.0 - nearest / threshold).clamp(0.0, 1.0) } else { 0.0 };
        ReferenceDistances { distances, thresholds, best, valid, similarity }
    }

    /// All pixels of a raster.
    ///
    /// # Panics
    /// If the raster has another number of bands; compare with [`Prior::n_bands`] first.
    pub fn pixels(&self, raster: &Raster) -> PriorPixels {
        let mut pixels = PriorPixels { classes: vec![0; raster.n_px()], distance: vec![f32::NAN; raster.n_px()] };
        let bands: Vec<&[f32]> = (0..raster.bands).map(|band| raster.band(band)).collect();
        self.pixels_into(&bands, &mut pixels.classes, &mut pixels.distance);
        pixels
    }

    /// `pixels` on slices, one per band and all of one length, so that a caller may split the
    /// rows over threads. Allocates once per call, nothing per pixel: give it thousands.
    ///
    /// # Panics
    /// If the number of bands or the lengths differ.
    pub fn pixels_into(&self, bands: &[&[f32]], classes: &mut [u16], distance: &mut [f32]) {
        self.fill(bands, classes, distance, Wanted::Distance);
    }

    /// As [`Prior::pixels_into`] with [`Prior::similarity_default`] in place of the distance.
    ///
    /// # Panics
    /// If the number of bands or the lengths differ.
    pub fn similarity_into(&self, bands: &[&[f32]], classes: &mut [u16], similarity: &mut [f32]) {
        self.fill(bands, classes, similarity, Wanted::Similarity);
    }

    fn fill(&self, bands: &[&[f32]], classes: &mut [u16], values: &mut [f32], wanted: Wanted) {
        assert_eq!(bands.len(), self.n_bands, "bands of the pixels");
        assert!(
            bands.iter().all(|band| band.len() == classes.len()) && values.len() == classes.len(),
            "bands, classes and values of one length"
        );
        self.tables.pixels(bands, classes, values, wanted);
    }

    /// The default similarity, `clamp(1 − distance / threshold, 0, 1)`: 0 for class 0, NaN for
    /// nodata. It depends on the pixel and the references only (docs/decisions/0003).
    pub fn similarity_default(&self, class: u16, distance: f32) -> f32 {
        if distance.is_nan() {
            return f32::NAN;
        }
        match class.checked_sub(1).and_then(|index| self.tables.thresholds.get(usize::from(index))) {
            Some(threshold) => (1.0 - distance / threshold).clamp(0.0, 1.0),
            None => 0.0,
        }
    }
}

impl DistanceRange {
    /// `None` where no pixel is near enough.
    pub fn of(pixels: &PriorPixels) -> Option<Self> {
        Self::of_slices(&pixels.classes, &pixels.distance)
    }

    /// As [`DistanceRange::of`], for callers that stream.
    pub fn of_slices(classes: &[u16], distance: &[f32]) -> Option<Self> {
        let valid = classes.iter().zip(distance).filter(|(class, _)| **class != 0).map(|(_, distance)| *distance);
        valid.fold(None, |range: Option<Self>, d| {
            let range = range.unwrap_or(Self { min: d, max: d });
            Some(Self { min: range.min.min(d), max: range.max.max(d) })
        })
    }

    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }

    /// The original's similarity: min–max over this range, 0 for class 0, NaN for nodata.
    pub fn similarity_compat(&self, class: u16, distance: f32) -> f32 {
        if distance.is_nan() {
            f32::NAN
        } else if class == 0 {
            0.0
        } else {
            1.0 - (distance - self.min) / (self.max - self.min + 1e-8)
        }
    }
}

fn enabled_bands(set: &ReferenceSet) -> usize {
    set.enabled().next().map_or(0, |reference| reference.spectrum.len())
}

fn validate(set: &ReferenceSet) -> Result<(), PriorError> {
    let Some(first) = set.enabled().next() else { return Err(PriorError::NoReferences) };
    for reference in set.enabled() {
        let name = reference.name.clone();
        if reference.spectrum.len() != first.spectrum.len() {
            let (found, expected) = (reference.spectrum.len(), first.spectrum.len());
            return Err(PriorError::Lengths { name, found, first: first.name.clone(), expected });
        }
        if let Some(band) = reference.spectrum.iter().position(|value| !value.is_finite()) {
            return Err(PriorError::NotFinite { name, band });
        }
        if !(reference.weight > 0.0 && reference.weight.is_finite()) {
            return Err(PriorError::Weight { name });
        }
        if reference.spectrum.is_empty() {
            return Err(PriorError::NotFinite { name, band: 0 });
        }
    }
    match set.enabled().count() {
        1 => Err(PriorError::OneReference),
        n if n > usize::from(u16::MAX) => Err(PriorError::TooMany(n)),
        _ => Ok(()),
    }
}

/// The inverse of a square matrix, the Moore–Penrose inverse of a tall one.
fn invert(matrix: DMatrix<f64>) -> Option<DMatrix<f64>> {
    let inverse = if matrix.is_square() {
        matrix.try_inverse()?
    } else {
        let size = matrix.nrows().max(matrix.ncols()) as f64;
        let svd = matrix.try_svd(true, true, f64::EPSILON, 10_000)?;
        let smallest = svd.singular_values.max() * size * f64::EPSILON;
        svd.pseudo_inverse(smallest).ok()?
    };
    inverse.iter().all(|value| value.is_finite()).then_some(inverse)
}

/// `Tᵢⱼ = |rⱼ − 1| + Σₖ≠ⱼ |rₖ|` with `r = W(aᵢ + λeⱼ)`, its minimum over i ≠ j for each j.
fn thresholds(inverse: &DMatrix<f64>, spectra: &DMatrix<f64>, lambda: f64) -> Vec<f64> {
    let n_references = spectra.ncols();
    let products = inverse * spectra;
    (0..n_references)
        .map(|candidate| {
            let shift = inverse.column(candidate) * lambda;
            let others = (0..n_references).filter(|&sample| sample != candidate);
            let distances = others.map(|sample| {
                let mut residual = products.column(sample) + &shift;
                residual[candidate] -= 1.0;
                residual.lp_norm(1)
            });
            distances.fold(f64::INFINITY, f64::min)
        })
        .collect()
}

/// `Σₖ|oₖ| − m + |m − 1|`, m the largest magnitude.
fn distance(response: &DVector<f64>) -> f64 {
    let largest = response.amax();
    (response.lp_norm(1) - largest) + (largest - 1.0).abs()
}
