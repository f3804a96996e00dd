//! Classifiers against the Python package `spectral`, numpy and scipy, on a window of a
//! Sentinel-2 scene (tests/fixtures/statistics/README.md).

use serde_json::Value;

use super::{ClassStatistics, Classifier, ClassifierError, GaussianError, Prior, ReferenceSet, SpectralReference};
use crate::class::Rgb;
use crate::raster::Raster;

struct Scene {
    fixture: Value,
    raster: Raster,
    statistics: Vec<ClassStatistics>,
}

fn scene() -> Scene {
    let fixture: Value =
        serde_json::from_str(include_str!("../../../tests/fixtures/statistics/classify.json")).expect("fixture");
    let size = |name: &str| fixture[name].as_u64().expect("size") as usize;
    let stored = list::<f32>(&fixture, "stored");
    let raster = Raster::new(size("bands"), size("width"), size("height"), stored);
    let mask = list::<u16>(&fixture, "mask");
    let statistics = (1..=3)
        .map(|class| {
            let pixels = (0..raster.n_px()).filter(|&i| mask[i] == class).map(|i| (i % raster.width, i / raster.width));
            ClassStatistics::of_pixels(&raster, pixels, None)
        })
        .collect();
    Scene { fixture, raster, statistics }
}

fn list<T: serde::de::DeserializeOwned>(fixture: &Value, name: &str) -> Vec<T> {
    serde_json::from_value(fixture[name].clone()).expect("a list")
}

fn compare(found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() <= tolerance, "{found} instead of {expected}");
    }
}

#[test]
fn the_spectral_angle_map_equals_the_package_spectral() {
    let Scene { fixture, raster, statistics } = scene();
    let means: Vec<&[f64]> = statistics.iter().map(ClassStatistics::mean).collect();

    let found = Classifier::spectral_angle(&means, None).expect("three classes").classify(&raster);

    assert_eq!(found.classes, list::<u16>(&fixture, "angle_class"));
    compare(&found.score, &list::<f64>(&fixture, "angle"), 1e-7);

    let limit = 0.05;
    let limited = Classifier::spectral_angle(&means, Some(limit)).expect("three classes").classify(&raster);
    assert_eq!(limited.score, found.score);
    assert!(limited.classes.contains(&0) && limited.classes.contains(&1));
    for (class, angle) in limited.classes.iter().zip(&list::<f64>(&fixture, "angle")) {
        assert_eq!(*class == 0, *angle > limit);
    }
}

#[test]
fn the_minimum_distance_map_equals_numpy() {
    let Scene { fixture, raster, statistics } = scene();
    let means: Vec<&[f64]> = statistics.iter().map(ClassStatistics::mean).collect();

    let found = Classifier::minimum_distance(&means, Some(900.0)).expect("three classes").classify(&raster);

    let expected = list::<f64>(&fixture, "distance");
    let classes = list::<u16>(&fixture, "distance_class");
    let limited: Vec<u16> =
        classes.iter().zip(&expected).map(|(class, distance)| if *distance <= 900.0 { *class } else { 0 }).collect();
    assert_eq!(found.classes, limited);
    compare(&found.score, &expected, 1e-3);
}

#[test]
fn maximum_likelihood_and_mahalanobis_maps_equal_the_package_spectral() {
    let Scene { fixture, raster, statistics } = scene();
    let classes: Vec<&ClassStatistics> = statistics.iter().collect();

    let likelihood = Classifier::maximum_likelihood(&classes, None).expect("enough pixels");
    assert!(likelihood.remarks().is_empty());
    let found = likelihood.classify(&raster);
    assert_eq!(found.classes, list::<u16>(&fixture, "gaussian_class"));
    let expected = list::<f64>(&fixture, "log_likelihood");
    for (found, expected) in found.score.iter().zip(&expected) {
        assert!((f64::from(*found) / expected - 1.0).abs() < 1e-6, "{found} instead of {expected}");
    }

    let mahalanobis = Classifier::mahalanobis(&classes, None).expect("enough pixels").classify(&raster);
    assert_eq!(mahalanobis.classes, list::<u16>(&fixture, "mahalanobis_class"));
}

#[test]
fn unlikely_pixels_are_unclassified_as_often_as_asked_for() {
    let Scene { raster, statistics, .. } = scene();
    let classifier = Classifier::maximum_likelihood(&[&statistics[0]], Some(0.05)).expect("enough pixels");

    // Exactly at the mean nothing is rejected; one standard deviation of every band at once,
    // against all correlations, is far outside.
    let mean: Vec<f32> = statistics[0].mean().iter().map(|value| *value as f32).collect();
    let signs = |(band, std): (usize, f64)| if band % 2 == 0 { 5.0 * std } else { -5.0 * std };
    let far: Vec<f32> = mean
        .iter()
        .zip(statistics[0].std_dev().into_iter().enumerate().map(signs))
        .map(|(mean, by)| mean + by as f32)
        .collect();
    let data = mean.iter().zip(&far).flat_map(|(mean, far)| [*mean, *far]).collect();
    let found = classifier.classify(&Raster::new(raster.bands, 2, 1, data));

    assert_eq!(found.classes, [1, 0]);
    assert!(found.score[0] > found.score[1]);
}

#[test]
fn nodata_is_unclassified_and_scales_are_applied() {
    let spectra: [&[f64]; 2] = [&[0.1, 0.4], &[0.3, 0.1]];
    let raster = Raster::new(2, 4, 1, vec![1000.0, f32::NAN, 3000.0, 0.0, 4000.0, 1.0, 1000.0, 0.0]);

    let angle = Classifier::spectral_angle(&spectra, None).expect("two classes").classify(&raster);
    assert_eq!(angle.classes, [1, 0, 2, 0]);
    assert!(angle.score[1].is_nan() && angle.score[3].is_nan());

    let scaled = Classifier::minimum_distance(&spectra, Some(0.05))
        .expect("two classes")
        .with_normalisation(&[1e-4, 1e-4], &[0.0, 0.0])
        .classify(&raster);
    assert_eq!(scaled.classes, [1, 0, 2, 0]);
    assert!(scaled.score[0] < 1e-6 && scaled.score[1].is_nan());
    assert!((f64::from(scaled.score[3]) - 0.1_f64.hypot(0.3)).abs() < 1e-6);
}

#[test]
fn sf_cnm_through_the_classifier_is_the_prior() {
    let references = vec![
        SpectralReference::new("a", Rgb::distinct(0), vec![0.1, 0.4]),
        SpectralReference::new("b", Rgb::distinct(1), vec![0.3, 0.1]),
    ];
    let prior = Prior::new(&ReferenceSet { references, bands: Vec::new() }).expect("two references");
    let raster = Raster::new(2, 3, 1, vec![1000.0, 3000.0, f32::NAN, 4000.0, 1000.0, 1.0]);
    let (scale, offset) = ([1e-4, 1e-4], [0.0, 0.0]);

    let found = Classifier::sf_cnm(prior.clone()).with_normalisation(&scale, &offset).classify(&raster);

    assert_eq!(found.classes, prior.with_normalisation(&scale, &offset).pixels(&raster).classes);
    assert_eq!(found.classes, [1, 2, 0]);
}

#[test]
fn classes_that_cannot_be_used_are_a_sentence() {
    let none: [&[f64]; 0] = [];
    assert_eq!(Classifier::spectral_angle(&none, None), Err(ClassifierError::NoClasses));
    assert_eq!(Classifier::spectral_angle(&[&[0.0, 0.0]], None), Err(ClassifierError::Zero { class: 0 }));
    assert_eq!(
        Classifier::minimum_distance(&[&[0.1], &[0.1, 0.2]], None),
        Err(ClassifierError::Bands { class: 1, found: 2, expected: 1 })
    );
    assert_eq!(Classifier::minimum_distance(&[&[0.1]], Some(-1.0)), Err(ClassifierError::Limit(-1.0)));
    let mut one = ClassStatistics::new(2);
    assert!(one.add(&[0.1, 0.2]));
    assert_eq!(
        Classifier::maximum_likelihood(&[&one], None),
        Err(ClassifierError::Distribution { class: 0, error: GaussianError::TooFew(1) })
    );
    assert!(one.add(&[0.3, 0.1]));
    let remarks = Classifier::maximum_likelihood(&[&one], None).expect("regularised").remarks().to_vec();
    assert!(remarks[0].contains("2 pixels in 2 bands"), "{remarks:?}");
}
