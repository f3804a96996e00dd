//! GeoTIFFs written window by window, in any order, at bounded memory, and picked up again
//! after an interruption.
//!
//! Windows go into an uncompressed partial file; `prepare` copies that into the final one, and
//! `commit_all` gives the final ones of a job their names.
//!
//! Invariant: the journal beside the partial file names only windows that were flushed and
//! synced before it was written.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use gdal::Dataset;
use gdal::raster::{Buffer, GdalType};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::raster::{Raster, RasterError, RasterSink};
use nunatak_domain::scene::DataType;
use nunatak_jobs::Monitor;
use serde::{Deserialize, Serialize};

use crate::atomic::{AtomicPath, commit_all, process_alive, write_plain};
use crate::class_raster;
use crate::copy::{close, reopen, write_cog, write_tiled};
use crate::error::{IoError, gdal_reason};
use crate::ffi::checked;
use crate::geotiff::GeoTiffConfig;
use crate::hash::sha256_bytes;

/// Uncompressed bytes and windows after which the file is flushed, synced and journalled.
const BATCH_BYTES: usize = 64 << 20;
const BATCH_WINDOWS: usize = 64;

/// A GeoTIFF in the making; visible under its name after `finish`, or `prepare` and `commit_all`.
///
/// Dropped before, it leaves nothing behind, except after `resume_or_create`: then the partial
/// file stays for the next try. A killed process always leaves it.
pub struct GeoTiffSink {
    // Order matters: closing writes once more, so it must come before the files are removed.
    /// Always there, except after a failed `flush`.
    dataset: Option<Dataset>,
    output: AtomicPath,
    config: GeoTiffConfig,
    journal: Journal,
    /// Written since the last flush.
    pending: Vec<PixelRect>,
    pending_bytes: usize,
}

/// A GeoTIFF that lacks only its name. Dropped, it is as if the sink had been dropped.
pub struct PreparedGeoTiff {
    output: AtomicPath,
    /// The uncompressed pixels, kept until the name is given: they are what can be resumed.
    plain: AtomicPath,
}

impl PreparedGeoTiff {
    /// Names the GeoTIFFs of a job: all, or none. Returns the files written, each GeoTIFF before
    /// its sidecars.
    ///
    /// # Errors
    /// As `atomic::commit_all`.
    pub fn commit_all(prepared: Vec<Self>) -> Result<Vec<PathBuf>, IoError> {
        let (outputs, mut plain): (Vec<_>, Vec<_>) = prepared.into_iter().map(|one| (one.output, one.plain)).unzip();
        let written = commit_all(outputs)?;
        plain.iter_mut().for_each(|plain| plain.keep(false));
        Ok(written)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Journal {
    /// SHA-256 over recipe, size, type and bands.
    recipe: String,
    /// Who writes.
    process: u32,
    /// `[col, row, width, height]`.
    windows: BTreeSet<[usize; 4]>,
}

impl GeoTiffSink {
    /// Starts a new file.
    ///
    /// # Errors
    /// The target exists without `overwrite`, is being written by somebody else, or cannot be made.
    pub fn create(config: GeoTiffConfig) -> Result<Self, IoError> {
        let mut output = AtomicPath::resumable(&config.path, config.overwrite)?;
        refuse_if_busy(&mut output)?;
        Self::fresh(config, output)
    }

    /// Goes on with what an interrupted run of the same recipe left, else starts a new file.
    /// `has` tells which windows need no second computation.
    ///
    /// # Errors
    /// As `create`.
    pub fn resume_or_create(config: GeoTiffConfig) -> Result<Self, IoError> {
        let mut output = AtomicPath::resumable(&config.path, config.overwrite)?;
        refuse_if_busy(&mut output)?;
        output.keep(true);
        let recipe = fingerprint(&config);
        let journal = read_journal(&output).filter(|journal| journal.recipe == recipe);
        let dataset = journal.as_ref().and_then(|_| reopen(&output).ok());
        let (Some(journal), Some(dataset)) = (journal, dataset) else {
            return Self::fresh(config, output);
        };
        let journal = Journal { process: std::process::id(), ..journal };
        let mut sink = Self { config, output, dataset: Some(dataset), journal, pending: Vec::new(), pending_bytes: 0 };
        sink.forget_unreadable();
        sink.write_journal()?;
        log::info!("resuming {} after {} windows", sink.config.path.display(), sink.journal.windows.len());
        Ok(sink)
    }

    fn fresh(config: GeoTiffConfig, output: AtomicPath) -> Result<Self, IoError> {
        for path in [output.partial(), output.appended("aux.xml"), journal_path(&output)] {
            if path.exists() {
                fs::remove_file(&path).map_err(|error| IoError::write(&config.path, "GeoTIFF", error.to_string()))?;
            }
        }
        let dataset = config.create(&output)?;
        let journal = Journal { recipe: fingerprint(&config), process: std::process::id(), windows: BTreeSet::new() };
        let sink = Self { config, output, dataset: Some(dataset), journal, pending: Vec::new(), pending_bytes: 0 };
        sink.write_journal()?;
        Ok(sink)
    }

    /// Whether this very window was written in an earlier run.
    pub fn has(&self, window: PixelRect) -> bool {
        self.journal.windows.contains(&corners(window))
    }

    /// Brings everything written so far to the disk and notes it in the journal.
    ///
    /// # Errors
    /// The disk is full or gone.
    pub fn flush(&mut self) -> Result<(), IoError> {
        let fail = |reason: String| IoError::write(&self.config.path, "GeoTIFF", reason);
        // Closed, not flushed: GDAL 3.6 writes the places of new tiles into a reopened file only then.
        if let Some(dataset) = self.dataset.take() {
            close(dataset).map_err(fail)?;
        }
        let synced = fs::File::options().write(true).open(self.output.partial()).and_then(|file| file.sync_all());
        synced.map_err(|error| fail(error.to_string()))?;
        self.dataset = Some(reopen(&self.output)?);
        self.journal.windows.extend(self.pending.drain(..).map(corners));
        self.pending_bytes = 0;
        self.write_journal()
    }

    /// `prepare` and `commit` in one, for a job with one output.
    ///
    /// # Errors
    /// As those.
    pub fn finish(self, monitor: &dyn Monitor) -> Result<Vec<PathBuf>, IoError> {
        PreparedGeoTiff::commit_all(vec![self.prepare(monitor)?])
    }

    /// Compresses, adds class names and overviews: all that takes long or may fail, so that a
    /// job with several outputs can prepare each and then name all of them. The disk needs room
    /// for the uncompressed pixels as well. Progress runs from 0 to 1 once more.
    ///
    /// # Errors
    /// The disk is full, or the job was cancelled; the old file is as it was, and what was
    /// written can be resumed where that was asked for.
    pub fn prepare(self, monitor: &dyn Monitor) -> Result<PreparedGeoTiff, IoError> {
        self.prepare_as(write_tiled, monitor)
    }

    /// As `prepare`, but a cloud-optimised GeoTIFF.
    ///
    /// # Errors
    /// As `prepare`.
    pub fn prepare_cog(self, monitor: &dyn Monitor) -> Result<PreparedGeoTiff, IoError> {
        self.prepare_as(write_cog, monitor)
    }

    fn prepare_as(mut self, write: CopyFunction, monitor: &dyn Monitor) -> Result<PreparedGeoTiff, IoError> {
        self.flush()?;
        let Self { config, output: plain, dataset, .. } = self;
        let fail = |reason: String| plain.failed("GeoTIFF", &reason);
        let dataset = dataset.expect("flush reopens it");
        if let Some(scheme) = &config.classes {
            class_raster::set_names(&dataset, scheme).map_err(fail)?;
        }
        let output = AtomicPath::create(&config.path, config.overwrite)?;
        write(&dataset, &output, config.data_type, config.resampling(), monitor)?;
        close(dataset).map_err(fail)?;
        if let Some(scheme) = &config.classes {
            class_raster::write_style(&output, scheme)?;
        }
        Ok(PreparedGeoTiff { output, plain })
    }

    /// A kill can tear the last blocks although the journal names them: read them once.
    fn forget_unreadable(&mut self) {
        let Some(dataset) = &self.dataset else { return };
        let n_bands = self.config.bands.len();
        self.journal.windows.retain(|&[col, row, width, height]| {
            let read = |band: usize| {
                let band = dataset.rasterband(band + 1).map_err(|error| gdal_reason(&error))?;
                band.read_as::<f32>((col as isize, row as isize), (width, height), (width, height), None)
                    .map(drop)
                    .map_err(|error| gdal_reason(&error))
            };
            (0..n_bands).all(|band| checked(|| read(band)).is_ok())
        });
    }

    fn write_journal(&self) -> Result<(), IoError> {
        let fail = |error: std::io::Error| IoError::write(&self.config.path, "journal", error.to_string());
        let text = serde_json::to_string(&self.journal).expect("a journal has only string keys");
        let path = journal_path(&self.output);
        let new = path.with_extension("json-new");
        write_plain(&new, text.as_bytes()).map_err(fail)?;
        fs::rename(&new, &path).map_err(fail)
    }

    fn write_band<T: GdalType + Copy>(&self, band: usize, window: PixelRect, values: Vec<T>) -> Result<(), String> {
        let dataset = self.dataset.as_ref().ok_or("an earlier window could not be written")?;
        let mut band = dataset.rasterband(band + 1).map_err(|error| gdal_reason(&error))?;
        let size = (window.width, window.height);
        let mut buffer = Buffer::new(size, values);
        checked(|| {
            band.write((window.col as isize, window.row as isize), size, &mut buffer)
                .map_err(|error| gdal_reason(&error))
        })
    }
}

impl RasterSink for GeoTiffSink {
    fn write(&mut self, col: usize, row: usize, raster: &Raster) -> Result<(), RasterError> {
        let config = &self.config;
        let window = PixelRect::new(col, row, raster.width, raster.height);
        let fail = |reason: String| IoError::write(&config.path, "window", reason);
        if raster.bands != config.bands.len() || window.right() > config.width || window.bottom() > config.height {
            let reason = format!(
                "{} bands at {col}, {row} with {} x {} pixels do not fit {} bands of {} x {}",
                raster.bands,
                raster.width,
                raster.height,
                config.bands.len(),
                config.width,
                config.height
            );
            return Err(fail(reason).into());
        }
        for band in 0..raster.bands {
            let values = raster.band(band);
            let nodata = config.nodata;
            match config.data_type {
                DataType::UInt8 => {
                    let nodata = nodata.unwrap_or(0.0) as u8;
                    // Casts saturate, so a value above 255 stays the highest one.
                    let whole = |v: &f32| if v.is_nan() { nodata } else { v.round() as u8 };
                    self.write_band(band, window, values.iter().map(whole).collect())
                }
                DataType::UInt16 => {
                    let nodata = nodata.unwrap_or(0.0) as u16;
                    let whole = |v: &f32| if v.is_nan() { nodata } else { v.round() as u16 };
                    self.write_band(band, window, values.iter().map(whole).collect())
                }
                _ => {
                    let nodata = nodata.unwrap_or(f64::NAN) as f32;
                    let value = |v: &f32| if v.is_nan() { nodata } else { *v };
                    self.write_band(band, window, values.iter().map(value).collect())
                }
            }
            .map_err(fail)?;
        }
        self.pending.push(window);
        self.pending_bytes += 4 * raster.data.len();
        // The journal is written whole: the longer it is, the more windows go between two.
        let windows = BATCH_WINDOWS.max(self.journal.windows.len() / 50);
        if self.pending_bytes >= BATCH_BYTES || self.pending.len() >= windows {
            self.flush()?;
        }
        Ok(())
    }
}

type CopyFunction = fn(&Dataset, &AtomicPath, DataType, &str, &dyn Monitor) -> Result<(), IoError>;

/// Without locks, the process in the journal has to tell; its number may be another program's by now.
fn refuse_if_busy(output: &mut AtomicPath) -> Result<(), IoError> {
    if output.locked() {
        return Ok(());
    }
    match read_journal(output).map(|journal| journal.process) {
        Some(process) if process != std::process::id() && process_alive(process, &journal_path(output)) => {
            // The files are that process's.
            output.keep(true);
            Err(IoError::write(output.target(), "GeoTIFF", format!("process {process} is writing it")))
        }
        _ => Ok(()),
    }
}

fn read_journal(output: &AtomicPath) -> Option<Journal> {
    let text = fs::read_to_string(journal_path(output)).ok()?;
    serde_json::from_str(&text).ok()
}

fn journal_path(output: &AtomicPath) -> PathBuf {
    output.sidecar("json")
}

fn fingerprint(config: &GeoTiffConfig) -> String {
    let parts = serde_json::json!([
        config.recipe,
        config.width,
        config.height,
        config.bands,
        config.data_type,
        config.classes,
        config.nodata.map(f64::to_bits),
    ]);
    sha256_bytes(parts.to_string().as_bytes())
}

fn corners(window: PixelRect) -> [usize; 4] {
    [window.col, window.row, window.width, window.height]
}
