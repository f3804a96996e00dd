//! Windows per second through `io`, for comparison with rasterio.
//!
//! ```text
//! cargo bench --profile dev --bench read -- RASTER [COUNT]
//! python benches/peers/windowed_rasterio.py --raster RASTER --count COUNT
//! ```
//!
//! Windows of 256 × 256 over all bands, at full resolution and decimated by 2, 4 and 8, at
//! positions of a fixed sequence; one thread, float32 with nodata as NaN.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::path::Path;
use std::time::Instant;

use nunatak_domain::grid::PixelRect;
use nunatak_domain::raster::RasterSource;

const WINDOW_PX: usize = 256;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    // `cargo test --all-targets` starts benches too, without the flag and without a raster.
    let Some(raster) = arguments.first() else {
        eprintln!("read: give a raster: cargo bench --profile dev --bench read -- RASTER [COUNT]");
        return;
    };
    let count = arguments.get(1).map_or(200, |n| n.parse().expect("COUNT is a whole number"));
    let mut source = nunatak_io::open(Path::new(raster)).expect("the raster opens");
    let (width, height) = (source.info().width, source.info().height);
    let bands: Vec<usize> = (0..source.info().n_bands()).collect();
    for decimation in [1, 2, 4, 8] {
        let mut random = Sequence(42 + decimation as u64);
        let (cols, rows) = ((WINDOW_PX * decimation).min(width), (WINDOW_PX * decimation).min(height));
        let start = Instant::now();
        for _ in 0..count {
            let window = PixelRect::new(random.below(width - cols + 1), random.below(height - rows + 1), cols, rows);
            let (w, h) = (cols.div_ceil(decimation), rows.div_ceil(decimation));
            source.read(window, &bands, w, h).expect("the window is read");
        }
        println!("1:{decimation}  {:8.1} windows/s", count as f64 / start.elapsed().as_secs_f64());
    }
}

/// A small generator (xorshift), so that the positions are the same everywhere.
struct Sequence(u64);

impl Sequence {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}
