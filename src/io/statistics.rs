//! Band statistics: stored ones, or from a bounded sample that says so.
//!
//! Nothing is ever written beside the file: GDAL's own functions would leave an `.aux.xml`.

use nunatak_domain::grid::PixelRect;
use nunatak_domain::raster::{Raster, RasterError, RasterSource};
use nunatak_domain::scene::{BandStatistics, StatisticsSource};

/// How statistics may be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Most pixels per band that are looked at; scenes of many bands take fewer.
    pub max_px: usize,
    /// Take stored statistics where the file has them. They know no percentiles.
    pub stored: bool,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { max_px: 1 << 20, stored: true }
    }
}

/// Values of all bands together that are kept while a sample is taken.
const MAX_VALUES: usize = 24 << 20;
/// Values of all bands together that are decoded from blocks for a sample.
const MAX_DECODED: usize = 64 << 20;

/// Statistics of every band over the whole raster; `None` for bands without any value.
///
/// # Errors
/// Pixels cannot be read.
pub fn statistics(
    source: &mut (impl RasterSource + ?Sized),
    sampling: Sampling,
) -> Result<Vec<Option<BandStatistics>>, RasterError> {
    let whole = PixelRect::whole(source.info().width, source.info().height);
    let n_bands = source.info().n_bands();
    let mut statistics: Vec<Option<BandStatistics>> = vec![None; n_bands];
    if sampling.stored {
        for (found, band) in statistics.iter_mut().zip(&source.info().bands) {
            found.clone_from(&band.statistics);
        }
    }
    let missing: Vec<usize> = (0..n_bands).filter(|&band| statistics[band].is_none()).collect();
    let sampled = statistics_window(source, whole, &missing, sampling.max_px)?;
    for (band, found) in missing.into_iter().zip(sampled) {
        statistics[band] = found;
    }
    Ok(statistics)
}

/// Statistics of some bands over a window, from at most about `max_px` pixels each.
///
/// Percentiles leave out a value like -9999 that no tag calls nodata but that lies far from all
/// others: they are what pictures are stretched by. Minimum, maximum, mean and deviation count it.
///
/// # Errors
/// Pixels cannot be read.
pub fn statistics_window(
    source: &mut (impl RasterSource + ?Sized),
    window: PixelRect,
    bands: &[usize],
    max_px: usize,
) -> Result<Vec<Option<BandStatistics>>, RasterError> {
    if bands.is_empty() || window.area() == 0 {
        return Ok(vec![None; bands.len()]);
    }
    let max_px = max_px.min(MAX_VALUES / bands.len()).max(1024);
    let pieces = sample(source, window, bands, max_px)?;
    let pixels: u64 = pieces.iter().map(|piece| piece.n_px() as u64).sum();
    let of = window.area() as u64;
    let kind = if pixels == of { StatisticsSource::Exact } else { StatisticsSource::Sampled { pixels, of } };
    let band_statistics = |slot: usize| {
        let values = || pieces.iter().flat_map(|piece| piece.band(slot)).map(|&value| f64::from(value));
        let mut statistics = BandStatistics::of(values(), pixels, kind.clone())?;
        if let Some(fill) = untagged_fill(&statistics, values()) {
            let others = BandStatistics::of(values().filter(|&value| value != fill), pixels, kind.clone())?;
            statistics.percentiles = others.percentiles;
        }
        Some(statistics)
    };
    Ok((0..bands.len()).map(band_statistics).collect())
}

/// The least or the greatest value, where it is one that programs write for "nothing" and lies
/// further from the other values than these lie from each other.
fn untagged_fill(statistics: &BandStatistics, values: impl Iterator<Item = f64> + Clone) -> Option<f64> {
    let usual = |value: f64| {
        value.abs() >= 1e30 || [-9999.0, -999.0, -99_999.0, -32_768.0, 32_767.0, 65_535.0, 9999.0].contains(&value)
    };
    [statistics.min, statistics.max].into_iter().filter(|&fill| usual(fill)).find(|&fill| {
        let others = values.clone().filter(|&value| value.is_finite() && value != fill);
        let (low, high) = others.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        let gap = (fill - low).abs().min((fill - high).abs());
        low <= high && gap > high - low
    })
}

/// The whole window where it is small, a decimated read where overviews make it cheap,
/// else parts of evenly spaced blocks.
fn sample(
    source: &mut (impl RasterSource + ?Sized),
    window: PixelRect,
    bands: &[usize],
    max_px: usize,
) -> Result<Vec<Raster>, RasterError> {
    if window.area() <= max_px {
        return Ok(vec![source.read_window(window, bands)?]);
    }
    let (width, height) = within(window.width, window.height, max_px);
    if decoded_for(source, window, width) * bands.len() <= MAX_DECODED {
        return Ok(vec![source.read(window, bands, width, height)?]);
    }
    let blocks = spread_blocks(source.info().block, window, MAX_DECODED / bands.len());
    let per_block = (max_px / blocks.len()).max(1);
    blocks
        .into_iter()
        .map(|block| {
            let (width, height) = within(block.width, block.height, per_block);
            source.read(block, bands, width, height)
        })
        .collect()
}

/// The largest size of about the same shape with at most `max_px` pixels.
fn within(width: usize, height: usize, max_px: usize) -> (usize, usize) {
    if width * height <= max_px {
        return (width, height);
    }
    let ratio = (max_px as f64 / (width as f64 * height as f64)).sqrt();
    let small_height = ((height as f64 * ratio) as usize).clamp(1, height);
    let small_width = (max_px / small_height).clamp(1, width);
    (small_width, (max_px / small_width).clamp(1, height))
}

/// Pixels of the level that a read of the window at `width` uses.
fn decoded_for(source: &(impl RasterSource + ?Sized), window: PixelRect, width: usize) -> usize {
    let info = source.info();
    let wanted = window.width as f64 / width as f64;
    let scale = |level_width: usize| info.width as f64 / level_width.max(1) as f64;
    let coarsest = info.overviews.iter().map(|&(w, _)| scale(w)).filter(|&scale| scale <= wanted).fold(1.0, f64::max);
    (window.area() as f64 / (coarsest * coarsest)) as usize
}

/// Evenly spaced blocks that touch the window, at most `max_decoded` pixels in all but at least
/// one, each cut off at the window's edges.
fn spread_blocks(block: (usize, usize), window: PixelRect, max_decoded: usize) -> Vec<PixelRect> {
    /// More blocks do not make a better sample.
    const MAX_BLOCKS: usize = 1024;
    let (block_width, block_height) = (block.0.max(1), block.1.max(1));
    let n = (max_decoded / (block_width * block_height)).clamp(1, MAX_BLOCKS);
    let first = (window.col / block_width, window.row / block_height);
    let n_cols = window.right().div_ceil(block_width) - first.0;
    let n_rows = window.bottom().div_ceil(block_height) - first.1;
    let mut cols = ((n as f64 * n_cols as f64 / n_rows as f64).sqrt().round() as usize).clamp(1, n_cols);
    let rows = (n / cols).clamp(1, n_rows);
    cols = (n / rows).clamp(1, n_cols);
    let middle = |i: usize, parts: usize, whole: usize| (2 * i + 1) * whole / (2 * parts);
    let at = |col: usize, row: usize| {
        let (col, row) = (first.0 + middle(col, cols, n_cols), first.1 + middle(row, rows, n_rows));
        PixelRect::new(col * block_width, row * block_height, block_width, block_height).intersection(&window)
    };
    (0..rows).flat_map(|row| (0..cols).filter_map(move |col| at(col, row))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_keeps_within_its_limit_and_shape() {
        assert_eq!(within(100, 100, 20_000), (100, 100));
        let (width, height) = within(10_980, 10_980, 1 << 20);
        assert!(width * height <= 1 << 20 && width.abs_diff(height) < 3, "{width} x {height}");
        assert_eq!(within(1_000_000, 1, 1000), (1000, 1));
        assert_eq!(within(1, 1_000_000, 1000), (1, 1000));
    }

    #[test]
    fn an_untagged_fill_value_is_told_from_a_low_value() {
        let fill = |values: &[f64]| {
            let statistics = BandStatistics::of(values.iter().copied(), 4, StatisticsSource::Exact).expect("values");
            untagged_fill(&statistics, values.iter().copied())
        };
        assert_eq!(fill(&[-9999.0, 0.02, 0.11, f64::NAN]), Some(-9999.0));
        assert_eq!(fill(&[0.5, 0.7, 1e38]), Some(1e38));
        assert_eq!(fill(&[-9999.0, -9000.0, 3000.0]), None);
        assert_eq!(fill(&[-9999.0, -9999.0]), None);
        assert_eq!(fill(&[-5.0, 0.02]), None);
    }

    #[test]
    fn blocks_are_spread_over_the_window_and_stay_inside() {
        let window = PixelRect::new(100, 300, 5000, 4000);
        for block in [(256, 256), (10_980, 1), (8192, 8192)] {
            let blocks = spread_blocks(block, window, 2 << 20);

            assert!(!blocks.is_empty() && blocks.len() <= 1024);
            assert!(blocks.iter().all(|block| block.intersection(&window) == Some(*block)), "{block:?}");
            let mut unique = blocks.clone();
            unique.sort_unstable_by_key(|block| (block.row, block.col));
            unique.dedup();
            assert_eq!(unique.len(), blocks.len(), "{block:?}");
        }
        let rows = spread_blocks((10_980, 1), window, 2 << 20);
        assert!(rows[0].row < 330 && rows[rows.len() - 1].row > 4270, "{rows:?}");
    }
}
