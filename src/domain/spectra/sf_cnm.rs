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
use super::sf_cnm_blocks::PriorTables;
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
        Ok(Self { n_bands, lambda, inverse, thresholds, normalisation: None, tables })
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
        let mut pixel = DVector::from_column_slice(spectrum);
        if let Some((scale, offset)) = &self.normalisation {
            for (value, (scale, offset)) in pixel.iter_mut().zip(scale.iter().zip(offset)) {
                *value = *value * scale + offset;
            }
        }
        let product = self.inverse.columns(0, self.n_bands) * pixel;
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
        assert_eq!(bands.len(), self.n_bands, "bands of the pixels");
        assert!(
            bands.iter().all(|band| band.len() == classes.len()) && distance.len() == classes.len(),
            "bands, classes and distances of one length"
        );
        self.tables.pixels(bands, classes, distance);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::Rgb;
    use crate::spectra::SpectralReference;

    /// Numbers in [0, 1), the same on every machine (Knuth's MMIX generator).
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    fn set_of(spectra: Vec<Vec<f64>>) -> ReferenceSet {
        let references = spectra
            .into_iter()
            .enumerate()
            .map(|(i, spectrum)| SpectralReference::new(format!("r{i}"), Rgb::distinct(i), spectrum))
            .collect();
        ReferenceSet { references, bands: Vec::new() }
    }

    fn random_set(n_references: usize, n_bands: usize, scale: f64, random: &mut Random) -> ReferenceSet {
        let spectrum = |random: &mut Random| (0..n_bands).map(|_| scale * random.next()).collect();
        set_of((0..n_references).map(|_| spectrum(random)).collect())
    }

    /// Pixels near a random reference, so that some are similar and some are not.
    fn random_pixels(set: &ReferenceSet, n: usize, spread: f64, random: &mut Random) -> Raster {
        let mut raster = Raster::filled(set.n_bands(), n, 1, 0.0);
        for col in 0..n {
            let reference = &set.references[(random.next() * set.references.len() as f64) as usize];
            for (band, value) in reference.spectrum.iter().enumerate() {
                raster.band_mut(band)[col] = (value + spread * (random.next() - 0.5)) as f32;
            }
        }
        raster
    }

    /// The definition, word by word: pads, inverts, and builds `W(p + λeᵢ)` for each candidate.
    fn dense_distances(set: &ReferenceSet, pixel: &[f32]) -> Vec<f64> {
        let (c, r) = (set.n_bands(), set.references.len());
        let n = c.max(r);
        let lambda = (n + 1) as f64;
        let mut matrix = DMatrix::zeros(n, r);
        for (column, reference) in set.references.iter().enumerate() {
            for (row, value) in reference.spectrum.iter().enumerate() {
                matrix[(row, column)] = *value;
            }
            matrix[(column, column)] += lambda;
        }
        // (MᵀM)⁻¹Mᵀ is the Moore–Penrose inverse of a matrix of full column rank.
        let inverse = (matrix.transpose() * &matrix).try_inverse().expect("full rank") * matrix.transpose();
        (0..r)
            .map(|candidate| {
                let mut shifted = DVector::zeros(n);
                for (row, value) in pixel.iter().enumerate() {
                    shifted[row] = f64::from(*value);
                }
                shifted[candidate] += lambda;
                let response = &inverse * shifted;
                let largest = response.iter().fold(0.0, |m: f64, o| m.max(o.abs()));
                response.iter().map(|o| o.abs()).sum::<f64>() - largest + (largest - 1.0).abs()
            })
            .collect()
    }

    /// Compares both paths with the definition; returns how many pixels were valid.
    fn check(set: &ReferenceSet, raster: &Raster) -> usize {
        let prior = Prior::new(set).expect("prior");
        let pixels = prior.pixels(raster);
        let mut n_valid = 0;
        for col in 0..raster.width {
            let spectrum = raster.spectrum(col, 0);
            let expected = dense_distances(set, &spectrum);
            let wide: Vec<f64> = spectrum.iter().map(|v| f64::from(*v)).collect();
            let single = prior.pixel(&wide);
            let scale = expected.iter().fold(1.0, |m: f64, d| m.max(*d));
            for (a, b) in single.distances.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-9 * scale, "distance {a} for {b}");
            }
            let mut order: Vec<usize> = (0..expected.len()).collect();
            order.sort_by(|&a, &b| expected[a].total_cmp(&expected[b]));
            let (best, d) = (order[0], expected[order[0]]);
            let threshold = prior.thresholds()[best];
            assert!((f64::from(pixels.distance[col]) - d).abs() < 4e-6 * threshold.max(d));
            // Float32 may decide otherwise only where float64 itself is within rounding of a tie.
            let tie = 4e-6 * threshold.max(d);
            if expected[order[1]] - d < tie || (d - threshold).abs() < tie {
                continue;
            }
            let class = if d < threshold { best as u16 + 1 } else { 0 };
            n_valid += usize::from(class != 0);
            assert_eq!(pixels.classes[col], class);
            assert_eq!((single.valid, single.best), (class != 0, best));
            let similarity = prior.similarity_default(class, pixels.distance[col]);
            assert!((f64::from(similarity) - single.similarity).abs() < 4e-6);
        }
        n_valid
    }

    #[test]
    fn the_closed_form_is_the_definition_for_as_many_references_as_bands() {
        let mut random = Random(1);
        let set = random_set(10, 10, 1.0, &mut random);
        let raster = random_pixels(&set, 1000, 1.2, &mut random);

        let n_valid = check(&set, &raster);

        assert!((100..900).contains(&n_valid), "{n_valid} of 1000 similar");
    }

    #[test]
    fn fewer_references_than_bands_use_the_moore_penrose_inverse() {
        let mut random = Random(2);
        let set = random_set(3, 10, 1.0, &mut random);

        assert!(check(&set, &random_pixels(&set, 500, 0.5, &mut random)) > 50);
    }

    #[test]
    fn more_references_than_bands_are_padded_with_zero_bands() {
        let mut random = Random(3);
        let set = random_set(20, 4, 1.0, &mut random);

        assert!(check(&set, &random_pixels(&set, 500, 0.2, &mut random)) > 50);
    }

    #[test]
    fn digital_numbers_take_the_definition_where_sums_exceed_one() {
        let mut random = Random(4);
        let set = random_set(7, 7, 10_000.0, &mut random);

        assert!(check(&set, &random_pixels(&set, 500, 6000.0, &mut random)) > 50);
    }

    #[test]
    fn a_reference_is_nearest_to_itself() {
        let set = random_set(5, 8, 1.0, &mut Random(5));
        let prior = Prior::new(&set).expect("prior");

        for (i, reference) in set.references.iter().enumerate() {
            let found = prior.pixel(&reference.spectrum);
            assert_eq!((found.best, found.valid), (i, true));
            assert!(found.distances[i] < 1e-12 && found.similarity > 1.0 - 1e-9);
        }
    }

    #[test]
    fn weights_scale_thresholds_and_disabled_references_are_left_out() {
        let mut set = random_set(4, 4, 1.0, &mut Random(6));
        let before = Prior::new(&set).expect("prior").thresholds().to_vec();
        set.references[1].weight = 2.5;

        let weighted = Prior::new(&set).expect("prior");
        set.references[0].enabled = false;
        let fewer = Prior::new(&set).expect("prior");

        assert_eq!(weighted.thresholds()[1], 2.5 * before[1]);
        assert_eq!(weighted.thresholds()[2], before[2]);
        let remaining = ReferenceSet { references: set.references[1..].to_vec(), bands: Vec::new() };
        assert_eq!(fewer, Prior::new(&remaining).expect("prior"));
    }

    #[test]
    fn nodata_in_any_band_is_nodata() {
        let set = random_set(3, 3, 1.0, &mut Random(7));
        let prior = Prior::new(&set).expect("prior");
        let mut raster = random_pixels(&set, 40, 0.1, &mut Random(8));
        raster.band_mut(1)[17] = f32::NAN;

        let pixels = prior.pixels(&raster);

        assert!(pixels.distance.iter().enumerate().all(|(col, d)| d.is_nan() == (col == 17)));
        assert_eq!(pixels.classes[17], 0);
        assert!(prior.similarity_default(0, f32::NAN).is_nan());
        assert!(!prior.pixel(&[0.1, f64::NAN, 0.2]).valid);
    }

    #[test]
    fn compat_similarity_spans_the_valid_pixels() {
        let pixels = PriorPixels { classes: vec![1, 0, 2, 0], distance: vec![0.1, 9.0, 0.3, f32::NAN] };

        let range = DistanceRange::of(&pixels).expect("valid pixels");

        assert_eq!(range, DistanceRange { min: 0.1, max: 0.3 });
        assert_eq!(range.similarity_compat(1, 0.1), 1.0);
        assert!(range.similarity_compat(2, 0.3).abs() < 1e-6);
        assert_eq!(range.similarity_compat(0, 9.0), 0.0);
        assert_eq!(DistanceRange::of(&PriorPixels { classes: vec![0], distance: vec![1.0] }), None);
    }

    #[test]
    fn what_gives_no_prior_is_a_sentence() {
        let sentence = |set: &ReferenceSet| Prior::new(set).expect_err("refused").to_string();
        let mut set = set_of(vec![vec![0.1, 0.2], vec![0.3, 0.4]]);

        assert_eq!(sentence(&ReferenceSet::default()), "no references yet: add at least two");
        assert_eq!(sentence(&set_of(vec![vec![0.1]])), "one reference has no threshold: add a second one");
        set.references[1].spectrum.push(0.5);
        assert_eq!(sentence(&set), "r1 has 3 values where r0 has 2: references need the same bands");
        set.references[1].spectrum = vec![0.3, f64::NAN];
        assert!(sentence(&set).starts_with("r1 has no value in band 2"));
        set.references[1] = SpectralReference { weight: 0.0, ..set.references[0].clone() };
        assert!(sentence(&set).starts_with("the weight of r0"));
        // A + 3E = 0 for these two: λ = max(2, 2) + 1.
        assert!(sentence(&set_of(vec![vec![-3.0, 0.0], vec![0.0, -3.0]])).contains("no inverse"));
    }
}
