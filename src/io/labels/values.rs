//! Whole numbers out of a label raster, exactly, whatever type they are stored in.

use std::path::Path;

use nunatak_domain::grid::PixelRect;
use nunatak_domain::raster::RasterSource;
use nunatak_domain::scene::{ColorRole, DataType, SceneInfo};

use crate::error::IoError;
use crate::raw;
use crate::source::GdalSource;

/// One band of a raster as whole numbers.
pub(super) struct ValueReader {
    source: GdalSource,
    band: usize,
}

impl ValueReader {
    /// `band` is 0-based; `None` wants a raster of a single band.
    ///
    /// # Errors
    /// The raster cannot be opened, has no such band, or no band of numbers.
    pub(super) fn open(path: &Path, band: Option<usize>) -> Result<Self, IoError> {
        let source = crate::source::open(path)?;
        let info = source.info();
        let others: Vec<usize> =
            (0..info.n_bands()).filter(|&index| info.bands[index].color != ColorRole::Alpha).collect();
        let band = match (band, others.as_slice()) {
            (Some(band), _) if band < info.n_bands() => band,
            (Some(band), _) => {
                return Err(IoError::unsupported(
                    path,
                    format!("there is no band {}, only {}", band + 1, info.n_bands()),
                ));
            }
            (None, [only]) => *only,
            (None, several) => {
                let reason = format!("labels have one band, this raster has {}: choose one", several.len());
                return Err(IoError::unsupported(path, reason));
            }
        };
        if info.bands[band].data_type == DataType::Complex {
            return Err(IoError::unsupported(path, "complex numbers are no labels"));
        }
        Ok(Self { source, band })
    }

    pub(super) fn info(&self) -> &SceneInfo {
        self.source.info()
    }

    pub(super) fn band(&self) -> usize {
        self.band
    }

    /// `[row, col]`; `None` where nodata, a mask or NaN says that there is nothing.
    ///
    /// # Errors
    /// The window cannot be read, or holds a fraction.
    pub(super) fn read(&mut self, window: PixelRect) -> Result<Vec<Option<i128>>, IoError> {
        let single = self.source.read_window(window, &[self.band]).map_err(|error| self.failed(&error.0))?;
        let valid = |value: &f32| value.is_finite();
        let data_type = self.info().bands[self.band].data_type;
        match data_type {
            DataType::UInt8 | DataType::Int8 | DataType::UInt16 | DataType::Int16 | DataType::Float32 => {
                let values = single.data.iter().enumerate();
                values
                    .map(
                        |(index, value)| {
                            if valid(value) { self.whole(f64::from(*value), window, index).map(Some) } else { Ok(None) }
                        },
                    )
                    .collect()
            }
            DataType::Int64 => {
                let mut wide = vec![0_i64; window.area()];
                self.fill(window, &mut wide)?;
                Ok(single
                    .data
                    .iter()
                    .zip(wide)
                    .map(|(single, wide)| valid(single).then_some(i128::from(wide)))
                    .collect())
            }
            DataType::UInt64 => {
                let mut wide = vec![0_u64; window.area()];
                self.fill(window, &mut wide)?;
                Ok(single
                    .data
                    .iter()
                    .zip(wide)
                    .map(|(single, wide)| valid(single).then_some(i128::from(wide)))
                    .collect())
            }
            _ => {
                let mut wide = vec![0.0_f64; window.area()];
                self.fill(window, &mut wide)?;
                let values = single.data.iter().zip(wide).enumerate();
                values
                    .map(
                        |(index, (single, wide))| {
                            if valid(single) { self.whole(wide, window, index).map(Some) } else { Ok(None) }
                        },
                    )
                    .collect()
            }
        }
    }

    fn fill<T: raw::Sample>(&self, window: PixelRect, out: &mut [T]) -> Result<(), IoError> {
        let size = (window.width, window.height);
        raw::read_bands(&self.source.dataset, window, &[self.band], size, out).map_err(|reason| self.failed(&reason))
    }

    fn whole(&self, value: f64, window: PixelRect, index: usize) -> Result<i128, IoError> {
        if value.fract() == 0.0 {
            return Ok(value as i128);
        }
        let (col, row) = (window.col + index % window.width, window.row + index / window.width);
        let reason =
            format!("these are no labels: the value at column {col}, row {row} is {value}, labels are whole numbers");
        Err(IoError::unsupported(&self.info().path, reason))
    }

    fn failed(&self, reason: &str) -> IoError {
        IoError::read(&self.info().path, "labels", reason)
    }
}
