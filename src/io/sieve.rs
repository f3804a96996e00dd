//! Small regions of a class map become part of their largest neighbour, through GDAL's sieve.

use gdal::Dataset;
use gdal::errors::GdalError;
use gdal::raster::Buffer;
use gdal::vector::LayerAccess;
use nunatak_domain::grid::PixelRect;
use nunatak_jobs::Monitor;

use crate::area::PixelArea;
use crate::error::{IoError, gdal_reason};
use crate::ffi::{self, checked};
use crate::scratch::{ClassScratch, SCRATCH_LAYER, create_raster, strips};

/// A small region between small ones merges only after one of those has; more rounds than this
/// would change single pixels.
const MAX_ROUNDS: usize = 16;

/// What became part of other regions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Merged {
    pub(crate) n_regions: u64,
    pub(crate) area: f64,
}

impl ClassScratch {
    /// Gives regions of fewer than `smallest_px` pixels the class of their largest neighbour,
    /// whatever that is, and takes away what `keep` does not want. Nodata is no neighbour.
    ///
    /// Needs room for two more scratch rasters.
    ///
    /// # Errors
    /// The disk is full, or the job was cancelled.
    pub(crate) fn merge_small(
        &mut self,
        smallest_px: i32,
        eight_connected: bool,
        keep: &dyn Fn(u32) -> bool,
        area: &PixelArea,
        monitor: &dyn Monitor,
    ) -> Result<Merged, IoError> {
        let target = self.target.clone();
        let fail = |reason: String| IoError::write(&target, "intermediate raster", reason);
        let gdal = |error: GdalError| fail(gdal_reason(&error));
        let (width, height) = (self.width, self.height);
        let create = |name: &str| create_raster(&self.folder.join(name), width, height).map_err(fail);
        let (mut merged, mut other) = (create("merged.tif")?, create("other.tif")?);
        let mut on_progress = |_: f64| {
            monitor.progress(0.3, "merging small regions");
            monitor.check().is_ok()
        };
        let mut sieve = |from: &Dataset, to: &Dataset| {
            let (from, to) = (from.rasterband(1).map_err(gdal)?, to.rasterband(1).map_err(gdal)?);
            let done = ffi::sieve(&from, &to, smallest_px, eight_connected, &mut on_progress);
            monitor.check()?;
            done.map_err(fail)
        };
        sieve(&self.raster, &merged)?;
        for _ in 1..MAX_ROUNDS {
            sieve(&merged, &other)?;
            std::mem::swap(&mut merged, &mut other);
            let mut same = true;
            for strip in strips(width, height) {
                same = same && read(&merged, strip).map_err(fail)? == read(&other, strip).map_err(fail)?;
            }
            if same {
                break;
            }
        }
        // From here on `other` holds the regions that changed, under their former class.
        let mut found = Merged::default();
        let mut n_changed = 0_usize;
        for strip in strips(width, height) {
            monitor.check()?;
            let mut before = read(&self.raster, strip).map_err(fail)?;
            let mut after = read(&merged, strip).map_err(fail)?;
            for (index, (old, new)) in before.iter_mut().zip(&mut after).enumerate() {
                if *old == *new {
                    *old = 0;
                } else {
                    n_changed += 1;
                    let (row, col) = (strip.row + index / width, index % width);
                    found.area += area.of_spans(&[(row as i32, col as i32, col as i32 + 1)]);
                }
                if *new > 0 && !keep((*new - 1).cast_unsigned()) {
                    *new = 0;
                }
            }
            write(&other, strip, before).map_err(fail)?;
            write(&merged, strip, after).map_err(fail)?;
        }
        if n_changed > 0 {
            let changed = self.regions_of(&other, "changed.gpkg", eight_connected, monitor)?;
            found.n_regions = changed.layer_by_name(SCRATCH_LAYER).map_err(gdal)?.feature_count();
        }
        self.raster = merged;
        Ok(found)
    }
}

fn read(raster: &Dataset, strip: PixelRect) -> Result<Vec<i32>, String> {
    let size = (strip.width, strip.height);
    let read = || -> Result<Vec<i32>, GdalError> {
        let buffer = raster.rasterband(1)?.read_as::<i32>((0, strip.row as isize), size, size, None)?;
        Ok(buffer.into_shape_and_vec().1)
    };
    checked(|| read().map_err(|error| gdal_reason(&error)))
}

fn write(raster: &Dataset, strip: PixelRect, values: Vec<i32>) -> Result<(), String> {
    let size = (strip.width, strip.height);
    let write = || raster.rasterband(1)?.write((0, strip.row as isize), size, &mut Buffer::new(size, values));
    checked(|| write().map_err(|error: GdalError| gdal_reason(&error)))
}
