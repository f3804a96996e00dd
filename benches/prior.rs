//! Pixels per second of the SF-CNM prior alone: pixels in memory, all processors.
//!
//! ```text
//! cargo bench --profile dev --bench prior
//! python benches/peers/prior_original.py --raster RASTER --references REFERENCES.csv
//! ```
//!
//! The peer's clock covers the same: from pixels in memory to classes and similarity.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::time::{Duration, Instant};

use nunatak_domain::class::Rgb;
use nunatak_domain::spectra::{Prior, ReferenceSet, SpectralReference};

const N_BANDS: usize = 10;
const N_PX: usize = 1 << 20;
/// Pixels that a thread takes at a time, as the program's jobs do.
const CHUNK_PX: usize = 1 << 14;

fn main() {
    // `cargo test --all-targets` starts benches too, without the flag.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let value = |i: usize| ((i * 2_654_435_761) % 1000) as f64 / 1000.0;
    let references = (0..N_BANDS)
        .map(|r| {
            let spectrum = (0..N_BANDS).map(|b| value(r * N_BANDS + b + 7)).collect();
            SpectralReference::new(format!("reference {r}"), Rgb::distinct(r), spectrum)
        })
        .collect();
    let prior = Prior::new(&ReferenceSet { references, bands: Vec::new() }).expect("ten references");
    let pixels: Vec<f32> = (0..N_BANDS * N_PX).map(|i| value(i) as f32).collect();
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);

    let mut best = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        run(&prior, &pixels, n_threads);
        best = best.min(start.elapsed());
    }
    let mpx = N_PX as f64 / 1e6;
    println!(
        "prior: {:.4} s per Mpx, {:.1} Mpx/s, {n_threads} threads",
        best.as_secs_f64() / mpx,
        mpx / best.as_secs_f64()
    );
}

fn run(prior: &Prior, pixels: &[f32], n_threads: usize) {
    let share = N_PX.div_ceil(n_threads);
    std::thread::scope(|scope| {
        for thread in 0..n_threads {
            scope.spawn(move || {
                let (mut classes, mut similarity) = (vec![0; CHUNK_PX], vec![0.0; CHUNK_PX]);
                let end = ((thread + 1) * share).min(N_PX);
                for start in (thread * share..end).step_by(CHUNK_PX) {
                    let n = CHUNK_PX.min(end - start);
                    let bands: Vec<&[f32]> = (0..N_BANDS).map(|b| &pixels[b * N_PX + start..][..n]).collect();
                    prior.similarity_into(&bands, &mut classes[..n], &mut similarity[..n]);
                    std::hint::black_box(&similarity);
                }
            });
        }
    });
}
