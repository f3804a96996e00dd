//! An open raster that is read by windows: GDAL's side of the `RasterSource` port.
//!
//! Invariant: pixels are read at the size wanted; nothing ever holds a whole band.

use std::path::Path;

use gdal::Dataset;
use nunatak_domain::grid::PixelRect;
use nunatak_domain::raster::{Raster, RasterError, RasterSource};
use nunatak_domain::scene::{ColorRole, MaskKind, SceneInfo};

use crate::bands::BandAccess;
use crate::describe::{open_dataset, scene_info};
use crate::error::{IoError, gdal_reason, without_path};
use crate::library::with_direct_reads;
use crate::pixels::{Carrier, clean_f32, from_32, from_complex, from_f64, from_i64, from_u64};
use crate::raw::{self, Sample};

/// A raster that GDAL reads. One per worker: it moves between threads but is not shared.
pub struct GdalSource {
    pub(crate) dataset: Dataset,
    pub(crate) access: Vec<BandAccess>,
    info: SceneInfo,
    /// Full resolution and overviews of band 0, finest first.
    levels: Vec<Level>,
}

/// One resolution of a raster: size in pixels, and size of the blocks it is stored in.
#[derive(Clone, Copy, Debug)]
struct Level {
    width: usize,
    height: usize,
    block: (usize, usize),
}

/// Opens a raster for reading. What may be opened: see [`crate::describe()`].
///
/// # Errors
/// As `describe`; also where the file holds only subdatasets, or blocks too large to be
/// held in memory.
pub fn open(path: &Path) -> Result<GdalSource, IoError> {
    /// A block is decoded as a whole.
    const MAX_BLOCK_BYTES: usize = 2 << 30;
    let (dataset, gdal_path) = with_direct_reads(path, || open_dataset(path))?;
    let (info, access) = scene_info(&dataset, gdal_path);
    if info.bands.is_empty() || info.width == 0 || info.height == 0 {
        return Err(without_bands(&info, path));
    }
    let sample_bytes = dataset.rasterband(1).map_or(1, |band| usize::from(band.band_type().bytes().max(1)));
    let interleaved_bands = if info.interleave.as_deref() == Some("PIXEL") { info.bands.len() } else { 1 };
    let block_bytes =
        info.block.0.saturating_mul(info.block.1).saturating_mul(sample_bytes).saturating_mul(interleaved_bands);
    if block_bytes > MAX_BLOCK_BYTES {
        let gib = block_bytes as f64 / f64::from(1 << 30);
        return Err(IoError::open(
            path,
            format!(
                "its blocks of {} x {} pixels take {gib:.1} GiB each; gdal_translate -co TILED=YES makes smaller ones",
                info.block.0, info.block.1
            ),
        ));
    }
    let levels = levels(&dataset, &info);
    Ok(GdalSource { dataset, access, info, levels })
}

fn without_bands(info: &SceneInfo, path: &Path) -> IoError {
    const SHOWN: usize = 3;
    if info.subdatasets.is_empty() {
        return IoError::open(path, "it has no bands");
    }
    let examples: Vec<&str> = info.subdatasets.iter().take(SHOWN).map(|(name, _)| name.as_str()).collect();
    IoError::OnlySubdatasets { n: info.subdatasets.len(), examples: examples.join(", "), path: path.to_owned() }
}

fn levels(dataset: &Dataset, info: &SceneInfo) -> Vec<Level> {
    let mut levels = vec![Level { width: info.width, height: info.height, block: info.block }];
    if let Ok(band) = dataset.rasterband(1) {
        let overviews = (0..band.overview_count().unwrap_or(0)).filter_map(|i| band.overview(i as usize).ok());
        levels.extend(overviews.map(|band| Level {
            width: band.x_size(),
            height: band.y_size(),
            block: band.block_size(),
        }));
    }
    levels.sort_by_key(|level| std::cmp::Reverse((level.width, level.height)));
    levels
}

impl RasterSource for GdalSource {
    fn info(&self) -> &SceneInfo {
        &self.info
    }

    fn read(&mut self, window: PixelRect, bands: &[usize], width: usize, height: usize) -> Result<Raster, RasterError> {
        Ok(self.read_nearest(window, bands, width, height)?)
    }
}

impl GdalSource {
    /// Blocks that a `read` of this window at this size decodes, per band.
    pub fn blocks_touched(&self, window: PixelRect, width: usize, height: usize) -> u64 {
        let (width, height) = (width.max(1), height.max(1));
        // GDAL takes the coarsest overview that is still at least about as fine as what is wanted.
        const TOLERANCE: f64 = 1.2;
        let wanted = (window.width as f64 / width as f64).min(window.height as f64 / height as f64).max(1.0);
        let fine_enough = |level: &&Level| self.info.width as f64 / level.width.max(1) as f64 <= wanted * TOLERANCE;
        let Some(level) = self.levels.iter().rev().find(fine_enough) else { return 0 };
        let along = |start: usize, length: usize, full: usize, size: usize, block: usize, samples: usize| -> u64 {
            let scale = size as f64 / full.max(1) as f64;
            let first = (start as f64 * scale) as usize / block.max(1);
            let last = ((start + length) as f64 * scale).ceil() as usize;
            (last.div_ceil(block.max(1)).saturating_sub(first).max(1)).min(samples) as u64
        };
        along(window.col, window.width, self.info.width, level.width, level.block.0, width)
            * along(window.row, window.height, self.info.height, level.height, level.block.1, height)
    }

    /// As `read`, but decodes at most about `max_blocks` blocks: where overviews are missing and
    /// more would be needed, fewer pixels are read and each is repeated. A first picture of a
    /// giant file comes at once this way.
    ///
    /// # Errors
    /// As `read`.
    pub fn read_coarse(
        &mut self,
        window: PixelRect,
        bands: &[usize],
        (width, height): (usize, usize),
        max_blocks: u64,
    ) -> Result<Raster, IoError> {
        let (mut few_cols, mut few_rows) = (width, height);
        while self.blocks_touched(window, few_cols, few_rows) > max_blocks && few_cols.max(few_rows) > 1 {
            (few_cols, few_rows) = (few_cols.div_ceil(2), few_rows.div_ceil(2));
        }
        let few = self.read_nearest(window, bands, few_cols, few_rows)?;
        if (few_cols, few_rows) == (width, height) {
            return Ok(few);
        }
        let mut raster = Raster::filled(bands.len(), width, height, f32::NAN);
        for band in 0..bands.len() {
            let from = few.band(band);
            for (i, value) in raster.band_mut(band).iter_mut().enumerate() {
                let (row, col) = (i / width, i % width);
                *value = from[row * few_rows / height * few_cols + col * few_cols / width];
            }
        }
        Ok(raster)
    }

    fn read_nearest(
        &mut self,
        window: PixelRect,
        bands: &[usize],
        width: usize,
        height: usize,
    ) -> Result<Raster, IoError> {
        self.check(window, bands, width, height)?;
        let size = (width, height);
        let n_px = width * height;
        let mut raster = Raster::filled(bands.len(), width, height, 0.0);
        for carrier in Carrier::ALL {
            let slots: Vec<usize> =
                (0..bands.len()).filter(|&slot| Carrier::of(self.access[bands[slot]].data_type) == carrier).collect();
            if slots.is_empty() {
                continue;
            }
            match carrier {
                Carrier::F32 if slots.len() == bands.len() => {
                    self.fill(window, bands, size, &mut raster.data)?;
                    for (slot, &band) in bands.iter().enumerate() {
                        let access = self.access[band];
                        clean_f32(raster.band_mut(slot), access.nodata, access.data_type, access.signed_byte);
                    }
                }
                Carrier::F32 => self.convert::<f32>(window, bands, &slots, &mut raster, |values, access, out| {
                    out.copy_from_slice(values);
                    clean_f32(out, access.nodata, access.data_type, access.signed_byte);
                })?,
                Carrier::I32 => self.convert::<i32>(window, bands, &slots, &mut raster, |values, access, out| {
                    from_32(values, access.nodata, out);
                })?,
                Carrier::U32 => self.convert::<u32>(window, bands, &slots, &mut raster, |values, access, out| {
                    from_32(values, access.nodata, out);
                })?,
                Carrier::F64 => self.convert::<f64>(window, bands, &slots, &mut raster, |values, access, out| {
                    from_f64(values, access.nodata, out);
                })?,
                Carrier::I64 => self.convert::<i64>(window, bands, &slots, &mut raster, |values, access, out| {
                    from_i64(values, access.nodata, out);
                })?,
                Carrier::U64 => self.convert::<u64>(window, bands, &slots, &mut raster, |values, access, out| {
                    from_u64(values, access.nodata, out);
                })?,
                Carrier::Complex => {
                    self.convert::<[f64; 2]>(window, bands, &slots, &mut raster, |values, access, out| {
                        from_complex(values, access.nodata, out);
                    })?
                }
            }
        }
        debug_assert_eq!(raster.n_px(), n_px);
        self.apply_masks(window, bands, &mut raster)?;
        Ok(raster)
    }

    fn check(&self, window: PixelRect, bands: &[usize], width: usize, height: usize) -> Result<(), IoError> {
        let (full_width, full_height) = (self.info.width, self.info.height);
        let reason = if window.width == 0 || window.height == 0 || width == 0 || height == 0 {
            "it is empty".to_owned()
        } else if window.right() > full_width || window.bottom() > full_height {
            format!("it does not lie within the raster's {full_width} x {full_height} pixels")
        } else if let Some(band) = bands.iter().find(|&&band| band >= self.access.len()) {
            format!("there is no band {}, only {}", band + 1, self.access.len())
        } else {
            return Ok(());
        };
        Err(IoError::read(&self.info.path, describe_window(window), reason))
    }

    fn fill<T: Sample>(
        &self,
        window: PixelRect,
        bands: &[usize],
        size: (usize, usize),
        out: &mut [T],
    ) -> Result<(), IoError> {
        raw::read_bands(&self.dataset, window, bands, size, out).map_err(|reason| self.unreadable(window, &reason))
    }

    fn unreadable(&self, window: PixelRect, reason: &str) -> IoError {
        IoError::read(&self.info.path, describe_window(window), without_path(reason, &self.info.path))
    }

    /// Reads the bands at `slots` as `T` and turns each into float32; a few bands at a time, so
    /// that the wide copy stays small.
    fn convert<T: Sample>(
        &self,
        window: PixelRect,
        bands: &[usize],
        slots: &[usize],
        raster: &mut Raster,
        to_f32: impl Fn(&[T], BandAccess, &mut [f32]),
    ) -> Result<(), IoError> {
        const SCRATCH_BYTES: usize = 64 << 20;
        let size = (raster.width, raster.height);
        let n_px = raster.n_px();
        let bands_at_once = (SCRATCH_BYTES / (n_px * size_of::<T>()).max(1)).max(1);
        let mut scratch = Vec::new();
        for slots in slots.chunks(bands_at_once) {
            let chunk: Vec<usize> = slots.iter().map(|&slot| bands[slot]).collect();
            scratch.resize(chunk.len() * n_px, T::default());
            self.fill(window, &chunk, size, &mut scratch)?;
            for ((&slot, &band), values) in slots.iter().zip(&chunk).zip(scratch.chunks_exact(n_px)) {
                to_f32(values, self.access[band], raster.band_mut(slot));
            }
        }
        Ok(())
    }

    /// Sets NaN where the file's masks or its alpha band say that there is nothing.
    fn apply_masks(&self, window: PixelRect, bands: &[usize], raster: &mut Raster) -> Result<(), IoError> {
        let size = (raster.width, raster.height);
        if self.access.iter().any(|access| access.mask == MaskKind::Dataset) {
            let mask = self.mask(window, 0, size)?;
            for slot in 0..bands.len() {
                blank(raster.band_mut(slot), &mask, |&mask| mask == 0);
            }
        }
        for (slot, &band) in bands.iter().enumerate() {
            if self.access[band].mask == MaskKind::Band {
                let mask = self.mask(window, band, size)?;
                blank(raster.band_mut(slot), &mask, |&mask| mask == 0);
            }
        }
        if let Some(alpha) = self.info.bands.iter().position(|band| band.color == ColorRole::Alpha) {
            let alpha = match bands.iter().position(|&band| band == alpha) {
                Some(slot) => raster.band(slot).to_vec(),
                None => {
                    let mut values = vec![0.0_f32; raster.n_px()];
                    self.fill(window, &[alpha], size, &mut values)?;
                    values
                }
            };
            // Nodata of the alpha band itself is NaN by now and means the same.
            for slot in 0..bands.len() {
                blank(raster.band_mut(slot), &alpha, |&alpha| alpha == 0.0 || alpha.is_nan());
            }
        }
        Ok(())
    }

    /// GDAL's mask of a band: 0 is "no data".
    fn mask(&self, window: PixelRect, band: usize, size: (usize, usize)) -> Result<Vec<u8>, IoError> {
        let mut mask = vec![0_u8; size.0 * size.1];
        let read = || -> gdal::errors::Result<()> {
            let band = self.dataset.rasterband(band + 1)?;
            let offset = (window.col as isize, window.row as isize);
            band.open_mask_band()?.read_into_slice(offset, (window.width, window.height), size, &mut mask, None)
        };
        let (result, _) = crate::library::with_messages(read);
        result.map_err(|error| {
            IoError::read(&self.info.path, format!("the mask of {}", describe_window(window)), gdal_reason(&error))
        })?;
        Ok(mask)
    }
}

fn blank<M>(values: &mut [f32], mask: &[M], empty: impl Fn(&M) -> bool) {
    for (value, mask) in values.iter_mut().zip(mask) {
        *value = if empty(mask) { f32::NAN } else { *value };
    }
}

fn describe_window(window: PixelRect) -> String {
    format!("{} x {} pixels at column {}, row {}", window.width, window.height, window.col, window.row)
}
