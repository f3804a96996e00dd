//! The SF-CNM prior against what the original computed on scene 365.

use std::path::{Path, PathBuf};

use nunatak_domain::class::Rgb;
use nunatak_domain::grid::PixelRect;
use nunatak_domain::raster::{Raster, RasterSource};
use nunatak_domain::spectra::{DistanceRange, Prior, PriorPixels, ReferenceSet, SpectralReference};

/// Distances of closed form and original differ by float32 rounding only.
const TOLERANCE: f32 = 4e-6;

/// A file of the unlicensed test data; `None`, said aloud, where it is absent.
fn data(relative: &str) -> Option<PathBuf> {
    let root = std::env::var_os("NUNATAK_TEST_DATA").map_or_else(
        || Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests")).join("../shared/data"),
        PathBuf::from,
    );
    let path = root.join(relative);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: no test data at {}", path.display());
    None
}

fn read(path: &Path) -> Raster {
    let mut source = nunatak_io::open(path).expect("raster opens");
    let (width, height, n_bands) = (source.info().width, source.info().height, source.info().n_bands());
    let bands: Vec<usize> = (0..n_bands).collect();
    source.read_window(PixelRect::whole(width, height), &bands).expect("raster reads")
}

fn golden(name: &str) -> Raster {
    read(
        &Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests"))
            .join("tests/goldens/ssmgnet")
            .join(name),
    )
}

/// The first `n` columns of the published reference matrix.
fn published_references(n: usize) -> Option<ReferenceSet> {
    let text = std::fs::read_to_string(data("ssmgnet/references.csv")?).expect("references read");
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').skip(1).map(|value| value.trim().parse().expect("a number")).collect())
        .collect();
    let reference = |column: usize| {
        let spectrum = rows.iter().map(|row| row[column]).collect();
        SpectralReference::new(format!("reference_{}", column + 1), Rgb::distinct(column), spectrum)
    };
    Some(ReferenceSet { references: (0..n).map(reference).collect(), bands: Vec::new() })
}

fn scene_365() -> Option<Raster> {
    Some(read(&data("ssmgnet/test_sample/365.tif")?))
}

fn counts(pixels: &PriorPixels, n_references: usize) -> Vec<usize> {
    let mut counts = vec![0; n_references + 1];
    for class in &pixels.classes {
        counts[usize::from(*class)] += 1;
    }
    counts
}

#[track_caller]
fn assert_thresholds(prior: &Prior, expected: &[f64]) {
    assert_eq!(prior.thresholds().len(), expected.len());
    for (found, expected) in prior.thresholds().iter().zip(expected) {
        assert!((found - expected).abs() < 0.5e-4 + 1e-9, "{:?}", prior.thresholds());
    }
}

#[test]
fn the_published_references_give_the_published_thresholds() {
    let Some(references) = published_references(10) else { return };

    let prior = Prior::new(&references).expect("prior");

    assert_thresholds(&prior, &[0.0139, 0.0230, 0.0110, 0.0284, 0.0110, 0.0730, 0.1831, 0.0443, 0.0730, 0.1039]);
}

#[test]
fn labels_and_compat_similarity_are_the_originals() {
    let (Some(references), Some(scene)) = (published_references(10), scene_365()) else { return };
    let prior = Prior::new(&references).expect("prior");

    let pixels = prior.pixels(&scene);

    assert_eq!(counts(&pixels, 10), [16406, 90, 545, 18, 537, 100, 14750, 9242, 8956, 10929, 3963]);
    let classes = golden("prior_class_365.tif");
    assert!(pixels.classes.iter().zip(&classes.data).all(|(found, expected)| f32::from(*found) == *expected));
    let range = DistanceRange::of(&pixels).expect("valid pixels");
    let similarity: Vec<f32> =
        pixels.classes.iter().zip(&pixels.distance).map(|(&c, &d)| range.similarity_compat(c, d)).collect();
    let expected = golden("prior_similarity_365_compat.tif");
    let worst = similarity.iter().zip(&expected.data).fold(0.0, |worst: f32, (a, b)| worst.max((a - b).abs()));
    assert!(worst <= TOLERANCE, "similarity off by {worst}");
    let mean = similarity.iter().map(|s| f64::from(*s)).sum::<f64>() / similarity.len() as f64;
    assert!((mean - 0.5927).abs() < 0.5e-4, "{mean}");
}

#[test]
fn fewer_references_than_bands_give_what_the_definition_gives() {
    let Some(scene) = scene_365() else { return };
    let check = |n: usize, thresholds: &[f64], expected: &[usize]| {
        let Some(references) = published_references(n) else { return };
        let prior = Prior::new(&references).expect("prior");
        assert_thresholds(&prior, thresholds);
        assert_eq!(counts(&prior.pixels(&scene), n), expected);
    };

    check(3, &[0.0013, 0.0074, 0.0013], &[59956, 141, 5250, 189]);
    check(6, &[0.0034, 0.0071, 0.0036, 0.0071, 0.0034, 0.0985], &[40913, 6, 513, 47, 861, 94, 23102]);
}
