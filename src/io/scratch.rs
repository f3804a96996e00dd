//! The intermediate files of polygonise: wanted classes as a raster, regions as a layer.
//!
//! Invariant: a scratch pixel is 0 where nothing is wanted, else its class id + 1, so that
//! class 0 can be asked for. While small regions are merged (`sieve`), every class is wanted.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use gdal::config::{clear_thread_local_config_option, set_thread_local_config_option};
use gdal::cpl::CslStringList;
use gdal::errors::GdalError;
use gdal::raster::Buffer;
use gdal::vector::{FieldDefn, LayerOptions, OGRFieldType, OGRwkbGeometryType};
use gdal::{Dataset, DriverManager};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::job::PolygonizeConfig;
use nunatak_domain::raster::RasterSource;
use nunatak_jobs::Monitor;

use crate::error::{IoError, gdal_reason};
use crate::ffi::{self, checked};
use crate::polygon::Corner;

pub(crate) const SCRATCH_LAYER: &str = "regions";
pub(crate) const SCRATCH_FIELD: usize = 0;
/// Rows of a strip of the scratch raster.
const STRIP: usize = 16;
/// Pixels read at once.
const BATCH_PX: usize = 8 << 20;
/// Pixels of strips kept for looking up neighbours.
const CACHE_PX: usize = 16 << 20;
/// Whole numbers above this are not exact in float32.
const MAX_CLASS: f32 = 16_777_215.0;

pub(crate) struct ClassScratch {
    pub(crate) raster: Dataset,
    pub(crate) folder: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl ClassScratch {
    /// Copies the classes of band 0 that `keep` wants into `folder`.
    pub(crate) fn fill(
        source: &mut dyn RasterSource,
        config: &PolygonizeConfig,
        keep: &dyn Fn(u32) -> bool,
        folder: &Path,
        monitor: &dyn Monitor,
    ) -> Result<Self, IoError> {
        let (width, height) = (source.info().width, source.info().height);
        let fail = |reason: String| IoError::write(&config.out, "intermediate raster", reason);
        let mut raster = create_raster(&folder.join("classes.tif"), width, height).map_err(fail)?;
        for window in strips(width, height) {
            let row = window.row;
            monitor.check()?;
            monitor.progress(0.3 * row as f32 / height as f32, "reading classes");
            let pixels = source
                .read_window(window, &[0])
                .map_err(|error| IoError::Unsupported { reason: error.to_string(), path: config.out.clone() })?;
            let values = wanted(&pixels.data, keep).map_err(|(index, value)| {
                let (col, row) = (index % width, row + index / width);
                let reason = format!("cannot make polygons: {value} at column {col}, row {row} is no class id");
                IoError::unsupported(&config.raster, reason)
            })?;
            let write = || -> Result<(), GdalError> {
                let size = (window.width, window.height);
                raster.rasterband(1)?.write((0, row as isize), size, &mut Buffer::new(size, values))
            };
            checked(|| write().map_err(|error| gdal_reason(&error))).map_err(fail)?;
        }
        checked(|| raster.flush_cache().map_err(|error| gdal_reason(&error))).map_err(fail)?;
        Ok(Self { raster, folder: folder.to_owned(), target: config.out.clone(), width, height })
    }

    /// Regions of equal value as polygons in pixel corners, in layer `SCRATCH_LAYER`.
    pub(crate) fn polygonize(&self, eight_connected: bool, monitor: &dyn Monitor) -> Result<Dataset, IoError> {
        self.regions_of(&self.raster, "regions.gpkg", eight_connected, monitor)
    }

    /// As `polygonize`, of any raster of this size.
    pub(crate) fn regions_of(
        &self,
        raster: &Dataset,
        name: &str,
        eight_connected: bool,
        monitor: &dyn Monitor,
    ) -> Result<Dataset, IoError> {
        let fail = |reason: String| IoError::write(&self.target, "intermediate polygons", reason);
        let gdal = |error: GdalError| fail(gdal_reason(&error));
        let mut regions = create_layer(&self.folder.join(name)).map_err(fail)?;
        let transaction = regions.start_transaction().map_err(gdal)?;
        let band = raster.rasterband(1).map_err(gdal)?;
        let mut on_progress = |done: f64| {
            monitor.progress(0.3 + 0.3 * done as f32, "finding regions");
            monitor.check().is_ok()
        };
        let layer = transaction.layer_by_name(SCRATCH_LAYER).map_err(gdal)?;
        let found = ffi::polygonize(&band, &layer, SCRATCH_FIELD as i32, eight_connected, &mut on_progress);
        monitor.check()?;
        found.map_err(fail)?;
        checked(|| transaction.commit().map_err(|error| gdal_reason(&error))).map_err(fail)?;
        Ok(regions)
    }

    /// For looking up what meets at a corner.
    pub(crate) fn corners(&self) -> CornerReader<'_> {
        CornerReader { scratch: self, strips: VecDeque::new(), failed: None }
    }
}

/// Tells where more than two regions meet; keeps recently used strips in memory.
pub(crate) struct CornerReader<'a> {
    scratch: &'a ClassScratch,
    strips: VecDeque<(usize, Vec<i32>)>,
    failed: Option<String>,
}

impl CornerReader<'_> {
    /// Whether three or four lines between regions end at this corner.
    pub(crate) fn node(&mut self, (col, row): Corner) -> bool {
        let around = [(col - 1, row - 1), (col, row - 1), (col, row), (col - 1, row)].map(|(c, r)| self.value(c, r));
        (0..4).filter(|&i| around[i] != around[(i + 1) % 4]).count() > 2
    }

    /// The error that reading met, if any: then `node` cannot be trusted.
    pub(crate) fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    fn value(&mut self, col: i32, row: i32) -> i32 {
        let (Ok(col), Ok(row)) = (usize::try_from(col), usize::try_from(row)) else { return 0 };
        let (width, height) = (self.scratch.width, self.scratch.height);
        if col >= width || row >= height {
            return 0;
        }
        let strip = row / STRIP;
        let at = (row % STRIP) * width + col;
        if let Some((_, values)) = self.strips.iter().find(|(index, _)| *index == strip) {
            return values[at];
        }
        let rows = STRIP.min(height - strip * STRIP);
        let read = || -> Result<Vec<i32>, GdalError> {
            let band = self.scratch.raster.rasterband(1)?;
            let (_, values) = band
                .read_as::<i32>((0, (strip * STRIP) as isize), (width, rows), (width, rows), None)?
                .into_shape_and_vec();
            Ok(values)
        };
        let values = match checked(|| read().map_err(|error| gdal_reason(&error))) {
            Ok(values) => values,
            Err(reason) => {
                self.failed = Some(reason);
                return 0;
            }
        };
        let value = values[at];
        if (self.strips.len() + 1) * STRIP * width > CACHE_PX {
            self.strips.pop_back();
        }
        self.strips.push_front((strip, values));
        value
    }
}

/// Runs of rows that are read at once.
pub(crate) fn strips(width: usize, height: usize) -> impl Iterator<Item = PixelRect> {
    let rows = (BATCH_PX / width.max(1) / STRIP).clamp(1, 64) * STRIP;
    (0..height).step_by(rows).map(move |row| PixelRect::new(0, row, width, rows.min(height - row)))
}

/// Scratch values of class pixels, or the first value that is no class id and its index.
fn wanted(pixels: &[f32], keep: &dyn Fn(u32) -> bool) -> Result<Vec<i32>, (usize, f32)> {
    let take = |(index, &value): (usize, &f32)| {
        if value.is_nan() {
            return Ok(0);
        }
        if value.fract() != 0.0 || !(0.0..=MAX_CLASS).contains(&value) {
            return Err((index, value));
        }
        let id = value as u32;
        Ok(if keep(id) { id.cast_signed() + 1 } else { 0 })
    };
    pixels.iter().enumerate().map(take).collect()
}

pub(crate) fn create_raster(path: &Path, width: usize, height: usize) -> Result<Dataset, String> {
    let driver = DriverManager::get_driver_by_name("GTiff").map_err(|error| gdal_reason(&error))?;
    let mut options = CslStringList::new();
    let strip = format!("BLOCKYSIZE={STRIP}");
    for option in ["COMPRESS=DEFLATE", "ZLEVEL=1", "PREDICTOR=2", "BIGTIFF=IF_SAFER", "NUM_THREADS=ALL_CPUS", &strip] {
        options.add_string(option).map_err(|error| gdal_reason(&error))?;
    }
    checked(|| {
        driver
            .create_with_band_type_with_options::<i32, _>(path, width, height, 1, &options)
            .map_err(|error| gdal_reason(&error))
    })
}

fn create_layer(path: &Path) -> Result<Dataset, String> {
    let create = || -> Result<Dataset, GdalError> {
        let mut dataset = DriverManager::get_driver_by_name("GPKG")?.create_vector_only(path)?;
        let layer = dataset.create_layer(LayerOptions {
            name: SCRATCH_LAYER,
            srs: None,
            ty: OGRwkbGeometryType::wkbPolygon,
            options: Some(&["SPATIAL_INDEX=NO"]),
        })?;
        FieldDefn::new("value", OGRFieldType::OFTInteger)?.add_to_layer(&layer)?;
        Ok(dataset)
    };
    unsynced(|| checked(|| create().map_err(|error| gdal_reason(&error))))
}

/// Creates an SQLite file that does not sync by itself; `AtomicPath` does so at the end.
pub(crate) fn unsynced<T>(create: impl FnOnce() -> T) -> T {
    const OPTION: &str = "OGR_SQLITE_SYNCHRONOUS";
    let _ = set_thread_local_config_option(OPTION, "OFF");
    let value = create();
    let _ = clear_thread_local_config_option(OPTION);
    value
}
