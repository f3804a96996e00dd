//! Rasters in strips of rows: memory depends on the width of the raster, not on its height.

use nunatak_domain::grid::PixelRect;
use nunatak_domain::notice::Notice;
use nunatak_domain::raster::{Raster, RasterError, RasterSource};
use nunatak_domain::scene::SceneInfo;
use nunatak_io::GdalSource;
use nunatak_jobs::{JobError, Monitor};

/// Bytes of pixels in one strip; two are in memory at once.
const STRIP_BYTES: usize = 64 << 20;

/// Strips begin and end at multiples of the outputs' blocks.
const BLOCK_ROWS: usize = 256;

/// Pixels that one thread takes at a time.
pub(super) const CHUNK_PX: usize = 1 << 14;

/// Reads `bands` and hands them to `each` strip after strip, from the top; the next one is read
/// meanwhile. `pass` and `n_passes` tell the progress how often the raster is read.
///
/// # Errors
/// A strip cannot be read, `each` failed, or the job was cancelled.
pub(super) fn for_each_strip(
    source: &mut GdalSource,
    bands: &[usize],
    (pass, n_passes): (usize, usize),
    monitor: &dyn Monitor,
    mut each: impl FnMut(PixelRect, &Raster) -> Result<(), RasterError> + Send,
) -> Result<(), JobError> {
    let strips = strips_of(source.info(), bands.len());
    let fail = |error: RasterError| JobError::Failed(Notice::error(error.to_string()));
    let mut current = source.read_window(strips[0], bands).map_err(fail)?;
    for (index, &strip) in strips.iter().enumerate() {
        monitor.check()?;
        let done = (pass * strips.len() + index) as f32 / (n_passes * strips.len()) as f32;
        monitor.progress(done, &format!("row {} of {}", strip.row, source.info().height));
        let next = strips.get(index + 1);
        let (read, done) = std::thread::scope(|scope| {
            let reading = std::thread::Builder::new().name("strip-read".to_owned());
            let source = &mut *source;
            let reader =
                reading.spawn_scoped(scope, move || next.map(|window| source.read_window(*window, bands)).transpose());
            let done = each(strip, &current);
            let read = match reader {
                Ok(handle) => handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err(error) => Err(RasterError(format!("failed to start a thread: {error}"))),
            };
            (read, done)
        });
        done.map_err(fail)?;
        if let Some(raster) = read.map_err(fail)? {
            current = raster;
        }
    }
    Ok(())
}

fn strips_of(info: &SceneInfo, n_bands: usize) -> Vec<PixelRect> {
    let row_bytes = 4 * info.width * n_bands.max(1);
    let rows = (STRIP_BYTES / row_bytes.max(1)).max(1);
    let rows = if rows > BLOCK_ROWS { rows / BLOCK_ROWS * BLOCK_ROWS } else { rows };
    (0..info.height).step_by(rows).map(|row| PixelRect::new(0, row, info.width, rows.min(info.height - row))).collect()
}
