//! One pixel, exactly as it is stored.

use nunatak_domain::geo::PixelPos;
use nunatak_domain::grid::PixelRect;
use nunatak_domain::raster::RasterSource;
use nunatak_domain::scene::DataType;

use crate::error::IoError;
use crate::raw;
use crate::source::GdalSource;

/// Stored values of all bands at a pixel, in double precision; `None` is nodata, masked,
/// transparent or not finite. Outside of the raster every band is `None`.
///
/// 64-bit integers beyond 2⁵³ are rounded, and complex values are magnitudes.
///
/// # Errors
/// The pixel's block cannot be read.
pub fn probe(source: &mut GdalSource, pos: PixelPos) -> Result<Vec<Option<f64>>, IoError> {
    let (width, height, n_bands) = (source.info().width, source.info().height, source.info().n_bands());
    if !(0.0..width as f64).contains(&pos.col) || !(0.0..height as f64).contains(&pos.row) {
        return Ok(vec![None; n_bands]);
    }
    let window = PixelRect::new(pos.col as usize, pos.row as usize, 1, 1);
    let bands: Vec<usize> = (0..n_bands).collect();
    let failed = |source: &GdalSource, reason: String| IoError::read(&source.info().path, "a pixel", reason);
    // Nodata, masks and alpha are decided here; the exact values follow.
    let single = source.read_window(window, &bands).map_err(|error| failed(source, error.to_string()))?;
    let mut exact = vec![0.0_f64; n_bands];
    raw::read_bands(&source.dataset, window, &bands, (1, 1), &mut exact).map_err(|reason| failed(source, reason))?;
    for band in bands.iter().copied().filter(|&band| source.access[band].data_type == DataType::Complex) {
        let mut value = [[0.0; 2]];
        raw::read_bands(&source.dataset, window, &[band], (1, 1), &mut value)
            .map_err(|reason| failed(source, reason))?;
        exact[band] = value[0][0].hypot(value[0][1]);
    }
    let value_of = |band: usize| {
        let signed = source.access[band].signed_byte && exact[band] > 127.0;
        let value = if signed { exact[band] - 256.0 } else { exact[band] };
        // Beyond float32, a float64 is NaN in `single` although it is a value.
        let beyond_single = value.is_finite() && value.abs() > f64::from(f32::MAX);
        (single.data[band].is_finite() || beyond_single).then_some(value)
    };
    Ok(bands.into_iter().map(value_of).collect())
}
