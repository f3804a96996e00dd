//! Pixels in memory, and the two ports through which networks and spectra reach
//! files they know nothing about.

use crate::grid::PixelRect;
use crate::scene::SceneInfo;

/// Bands × rows × cols of float32, nodata as NaN in each band on its own.
///
/// A pixel is *valid* where every band it was asked for has a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Raster {
    pub width: usize,
    pub height: usize,
    pub bands: usize,
    /// `[band, row, col]`, `bands * height * width` long.
    pub data: Vec<f32>,
}

impl Raster {
    pub fn filled(bands: usize, width: usize, height: usize, value: f32) -> Self {
        Self { width, height, bands, data: vec![value; bands * width * height] }
    }

    /// # Panics
    /// If `data` is not `bands * height * width` long.
    pub fn new(bands: usize, width: usize, height: usize, data: Vec<f32>) -> Self {
        assert_eq!(data.len(), bands * width * height, "raster of {bands} x {height} x {width}");
        Self { width, height, bands, data }
    }

    /// Number of pixels of one band.
    pub fn n_px(&self) -> usize {
        self.width * self.height
    }

    /// `[row, col]` of one band.
    pub fn band(&self, band: usize) -> &[f32] {
        &self.data[band * self.n_px()..][..self.n_px()]
    }

    pub fn band_mut(&mut self, band: usize) -> &mut [f32] {
        let n = self.n_px();
        &mut self.data[band * n..][..n]
    }

    pub fn get(&self, band: usize, col: usize, row: usize) -> f32 {
        self.data[(band * self.height + row) * self.width + col]
    }

    /// All bands of one pixel.
    pub fn spectrum(&self, col: usize, row: usize) -> Vec<f32> {
        (0..self.bands).map(|band| self.get(band, col, row)).collect()
    }

    /// Where every band is finite: `[row, col]`.
    pub fn valid(&self) -> Vec<bool> {
        let mut valid = vec![true; self.n_px()];
        for band in 0..self.bands {
            for (ok, value) in valid.iter_mut().zip(self.band(band)) {
                *ok &= value.is_finite();
            }
        }
        valid
    }

    /// A copy of a window, all bands.
    ///
    /// # Panics
    /// If the window is not inside.
    pub fn window(&self, rect: PixelRect) -> Self {
        assert!(rect.right() <= self.width && rect.bottom() <= self.height, "window {rect:?} outside of raster");
        let mut data = Vec::with_capacity(self.bands * rect.area());
        for band in 0..self.bands {
            for row in rect.row..rect.bottom() {
                let start = (band * self.height + row) * self.width + rect.col;
                data.extend_from_slice(&self.data[start..start + rect.width]);
            }
        }
        Self { width: rect.width, height: rect.height, bands: self.bands, data }
    }
}

/// Why pixels could not be read or written; one sentence, path last.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RasterError(pub String);

/// A raster that can be read by windows. Each worker opens its own.
pub trait RasterSource {
    fn info(&self) -> &SceneInfo;

    /// Reads `window` of `bands` at `width` × `height` pixels; where that is smaller
    /// than the window, overviews serve if there are any (nearest neighbour).
    /// Nodata, masks, alpha and NaN all arrive as NaN. Stored values, without scale and offset.
    ///
    /// # Errors
    /// The window cannot be read; nothing was returned in part.
    fn read(&mut self, window: PixelRect, bands: &[usize], width: usize, height: usize) -> Result<Raster, RasterError>;

    /// `read` at full resolution.
    ///
    /// # Errors
    /// As `read`.
    fn read_window(&mut self, window: PixelRect, bands: &[usize]) -> Result<Raster, RasterError> {
        self.read(window, bands, window.width, window.height)
    }
}

/// A raster that can be written by windows, any order; NaN becomes the file's nodata.
/// What was written is visible under its name only after the owner has finished it.
pub trait RasterSink {
    /// Writes `raster` (all of the sink's bands) so that its first pixel lands at `(col, row)`.
    ///
    /// # Errors
    /// The window cannot be written (disk full, …).
    fn write(&mut self, col: usize, row: usize, raster: &Raster) -> Result<(), RasterError>;
}
