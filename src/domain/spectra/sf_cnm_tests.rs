//! SF-CNM against its definition, written out densely in float64.

use nalgebra::{DMatrix, DVector};

use super::{DistanceRange, Prior, PriorPixels, ReferenceSet, SpectralReference};
use crate::class::Rgb;
use crate::raster::Raster;

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

#[test]
fn bands_that_do_not_count_change_no_distance() {
    let mut random = Random(11);
    let set = random_set(3, 4, 1.0, &mut random);
    let pixels = random_pixels(&set, 40, 0.2, &mut random);
    let prior = Prior::new(&set).expect("a prior").with_normalisation(&[2.0, 1.0, 0.5, 1.0], &[0.0, 0.1, 0.0, -0.1]);
    // The references' bands are bands 5, 0, 3 and 2 of six; the others hold anything.
    let chosen = [5, 0, 3, 2];
    let mut wide = Raster::filled(6, 40, 1, 7.5);
    for (band, &place) in chosen.iter().enumerate() {
        wide.band_mut(place).copy_from_slice(pixels.band(band));
    }

    let spread = prior.clone().on_bands(&chosen, 6);

    assert_eq!(spread.n_bands(), 6);
    let (own, found) = (prior.pixels(&pixels), spread.pixels(&wide));
    assert_eq!(own.classes, found.classes);
    // Sums in another order of bands.
    assert!(own.distance.iter().zip(&found.distance).all(|(a, b)| (a - b).abs() < 1e-5));
    let spectrum = |raster: &Raster| raster.spectrum(7, 0).iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    assert_eq!(prior.pixel(&spectrum(&pixels)), spread.pixel(&spectrum(&wide)));
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
fn similarities_at_once_are_those_of_classes_and_distances() {
    let mut random = Random(12);
    for (n_references, n_bands) in [(10, 10), (2, 5), (13, 3)] {
        let set = random_set(n_references, n_bands, 1.0, &mut random);
        let prior = Prior::new(&set).expect("prior");
        // Not a multiple of any vector.
        let mut raster = random_pixels(&set, 331, 0.8, &mut random);
        raster.band_mut(1)[330] = f32::INFINITY;
        let bands: Vec<&[f32]> = (0..n_bands).map(|band| raster.band(band)).collect();
        let (mut classes, mut similarity) = (vec![9; 331], vec![9.0; 331]);

        prior.similarity_into(&bands, &mut classes, &mut similarity);

        let pixels = prior.pixels(&raster);
        assert_eq!(classes, pixels.classes);
        for ((found, class), distance) in similarity.iter().zip(&classes).zip(&pixels.distance) {
            let expected = prior.similarity_default(*class, *distance);
            assert!(*found == expected || (found.is_nan() && expected.is_nan()), "{found} for {expected}");
        }
    }
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

#[test]
fn pixels_on_another_scale_are_normalised_on_the_way() {
    let mut random = Random(9);
    let set = random_set(5, 6, 1.0, &mut random);
    let reflectance = random_pixels(&set, 300, 0.8, &mut random);
    let mut stored = reflectance.clone();
    for value in &mut stored.data {
        *value = (*value + 0.1) * 10_000.0;
    }
    let plain = Prior::new(&set).expect("prior");

    let normalised = plain.clone().with_normalisation(&[1e-4; 6], &[-0.1; 6]);

    let (expected, found) = (plain.pixels(&reflectance), normalised.pixels(&stored));
    assert!(expected.classes.iter().any(|class| *class > 0));
    for col in 0..300 {
        let (a, b) = (expected.distance[col], found.distance[col]);
        assert!((a - b).abs() < 2e-6 + 1e-5 * a, "{a} {b}");
        let wide: Vec<f64> = stored.spectrum(col, 0).iter().map(|v| f64::from(*v)).collect();
        let single = normalised.pixel(&wide);
        assert!((single.distances[single.best] - f64::from(b)).abs() < 2e-6 + 1e-5 * f64::from(a));
    }
}
