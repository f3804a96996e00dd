//! Pixels per second of spectral angle and maximum likelihood: pixels in memory, all processors.
//!
//! ```text
//! cargo bench --profile dev --bench classify
//! python benches/peers/classify_spectral.py
//! ```
//!
//! The peer classifies the same pixels, and the counts of its classes must be the same.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::time::Instant;

use nunatak_domain::spectra::{ClassStatistics, Classifier};

const N_BANDS: usize = 10;
const N_CLASSES: usize = 10;
const SIDE: usize = 1024;
const N_PX: usize = SIDE * SIDE;
/// Pixels that a thread takes at a time, as the program's jobs do.
const CHUNK_PX: usize = 1 << 14;
/// Rows that train.
const TRAINING_ROWS: usize = 64;
const REPEATS: usize = 15;

fn main() {
    // `cargo test --all-targets` starts benches too, without the flag.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let pixels: Vec<f32> = (0..N_BANDS * N_PX).map(|i| value(i) as f32).collect();
    let references: Vec<Vec<f64>> =
        (0..N_CLASSES).map(|r| (0..N_BANDS).map(|b| value(r * N_BANDS + b + 7)).collect()).collect();
    let spectra: Vec<&[f64]> = references.iter().map(Vec::as_slice).collect();
    let mut statistics = vec![ClassStatistics::new(N_BANDS); N_CLASSES];
    for px in 0..TRAINING_ROWS * SIDE {
        let spectrum: Vec<f64> = (0..N_BANDS).map(|b| f64::from(pixels[b * N_PX + px])).collect();
        statistics[px / SIDE % N_CLASSES].add(&spectrum);
    }
    let classes: Vec<&ClassStatistics> = statistics.iter().collect();
    let methods = [
        ("sam", Classifier::spectral_angle(&spectra, None).expect("ten references")),
        ("max-likelihood", Classifier::maximum_likelihood(&classes, None).expect("ten classes")),
    ];
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mpx = N_PX as f64 / 1e6;
    for (name, classifier) in methods {
        let mut classes = vec![0_u16; N_PX];
        let mut times: Vec<f64> = (0..REPEATS)
            .map(|_| {
                let start = Instant::now();
                run(&classifier, &pixels, &mut classes, n_threads);
                start.elapsed().as_secs_f64() / mpx
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let mut counts = [0_u64; N_CLASSES + 1];
        classes.iter().for_each(|&class| counts[usize::from(class)] += 1);
        println!(
            "{name}: {:.5} s per Mpx at best, {:.5} in the middle, {n_threads} threads, classes {counts:?}",
            times[0],
            times[REPEATS / 2]
        );
    }
}

/// SplitMix64, its first 24 bits as a share: exact in float32, and the peer has the same.
fn value(i: usize) -> f64 {
    let mut x = (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((x ^ (x >> 31)) >> 40) as f64 / f64::from(1_u32 << 24)
}

fn run(classifier: &Classifier, pixels: &[f32], classes: &mut [u16], n_threads: usize) {
    let share = N_PX.div_ceil(n_threads);
    std::thread::scope(|scope| {
        for (thread, classes) in classes.chunks_mut(share).enumerate() {
            scope.spawn(move || {
                let mut score = vec![0.0; CHUNK_PX];
                for (index, classes) in classes.chunks_mut(CHUNK_PX).enumerate() {
                    let (start, n) = (thread * share + index * CHUNK_PX, classes.len());
                    let bands: Vec<&[f32]> = (0..N_BANDS).map(|b| &pixels[b * N_PX + start..][..n]).collect();
                    classifier.classify_into(&bands, classes, &mut score[..n]);
                    std::hint::black_box(&score);
                }
            });
        }
    });
}
