//! The pixels of a gesture as a reference: which they are, their mean and how they spread.

use std::path::PathBuf;

use nunatak_domain::grid::PixelRect;
use nunatak_domain::label::{Gesture, LabelLayer, PixelMask};
use nunatak_domain::layer::SceneId;
use nunatak_domain::model::Normalisation;
use nunatak_domain::notice::Notice;
use nunatak_domain::raster::RasterSource;
use nunatak_domain::spectra::{ClassStatistics, Sample};
use nunatak_io::GdalSource;
use nunatak_jobs::{JobError, Monitor};

use super::{io_error, select};
use crate::sampling::SampleMode;

/// Side of the windows that are read, in pixels.
const BLOCK_PX: usize = 512;

/// Covariances of more bands are not kept: 64 bands are 32 KiB per reference.
const MAX_COVARIANCE_BANDS: usize = 64;

/// A sample to be taken; owns all that it needs.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: PathBuf,
    pub(crate) scene: SceneId,
    pub(crate) gesture: Gesture,
    pub(crate) mode: SampleMode,
    /// What the reference was so far: its mean and its pixels.
    pub(crate) before: Option<(Vec<f64>, Sample)>,
    /// Scene bands that the references have, in their order.
    pub(crate) bands: Vec<usize>,
    pub(crate) normalisation: Normalisation,
}

/// Mean on the references' scale, and the pixels it comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measured {
    pub(crate) mean: Vec<f64>,
    pub(crate) sample: Sample,
}

/// # Errors
/// The scene cannot be read, no pixel with data is left, or the job was cancelled.
pub(crate) fn run(request: &Request, monitor: &dyn Monitor) -> Result<Measured, JobError> {
    let mut source = nunatak_io::open(&request.path).map_err(io_error)?;
    measure(request, &mut source, monitor)
}

/// # Errors
/// As `run`.
pub(crate) fn measure(request: &Request, source: &mut GdalSource, monitor: &dyn Monitor) -> Result<Measured, JobError> {
    let drawn = mask_of(request, source, monitor)?;
    let old = request.before.as_ref().filter(|_| request.mode != SampleMode::Replace);
    let mask = match (old, request.mode) {
        (Some((_, old)), SampleMode::Erase) => old.mask.difference(&drawn),
        (None, SampleMode::Erase) => PixelMask::default(),
        (Some((_, old)), _) => old.mask.union(&drawn),
        (None, _) => drawn,
    };
    // What grows is not read again as a whole.
    let grown = old.filter(|_| request.mode == SampleMode::Add).and_then(|(mean, sample)| {
        let known = ClassStatistics::from_moments(sample.n, mean.clone(), &sample.covariance)?;
        Some((known, mask.difference(&sample.mask)))
    });
    let statistics = match grown {
        Some((mut known, more)) => {
            known.merge(&statistics_of(&more, request, source, monitor)?);
            known
        }
        None => statistics_of(&mask, request, source, monitor)?,
    };
    if statistics.n() == 0 {
        let text = "there is no pixel with data in every band";
        return Err(Notice::error(text).next_step("Choose pixels of the scene that have values").into());
    }
    let covariance = if statistics.n_bands() > MAX_COVARIANCE_BANDS {
        Vec::new()
    } else {
        // Symmetric, so its columns are its rows.
        statistics.covariance().iter().copied().collect()
    };
    let sample = Sample { scene: Some(request.scene), n: statistics.n(), std: statistics.std_dev(), covariance, mask };
    Ok(Measured { mean: statistics.mean().to_vec(), sample })
}

fn mask_of(request: &Request, source: &GdalSource, monitor: &dyn Monitor) -> Result<PixelMask, JobError> {
    let (width, height) = (source.info().width, source.info().height);
    if request.gesture.needs_pixels() {
        return Ok(select::run(&request.path, &request.gesture, monitor)?.0);
    }
    Ok(request.gesture.mask(&LabelLayer::new(width, height)).unwrap_or_default())
}

/// Reads the mask by blocks: memory does not depend on how far apart its pixels are.
fn statistics_of(
    mask: &PixelMask,
    request: &Request,
    source: &mut GdalSource,
    monitor: &dyn Monitor,
) -> Result<ClassStatistics, JobError> {
    let mut statistics = ClassStatistics::new(request.bands.len());
    let Some(bounds) = mask.bounds() else { return Ok(statistics) };
    let double = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
    let scaled = match &request.normalisation {
        Normalisation::None => None,
        Normalisation::ScaleOffset { scale, offset } => Some((double(scale), double(offset))),
    };
    let scaled = scaled.as_ref().map(|(scale, offset)| (scale.as_slice(), offset.as_slice()));
    for row in (bounds.row..bounds.bottom()).step_by(BLOCK_PX) {
        monitor.check()?;
        monitor.progress((row - bounds.row) as f32 / bounds.height as f32, "");
        let strip = mask.clipped(PixelRect::new(bounds.col, row, bounds.width, BLOCK_PX));
        for col in (bounds.col..bounds.right()).step_by(BLOCK_PX) {
            let part = strip.clipped(PixelRect::new(col, row, BLOCK_PX, BLOCK_PX));
            let Some(window) = part.bounds() else { continue };
            let raster =
                source.read_window(window, &request.bands).map_err(|error| Notice::error(error.to_string()))?;
            let pixels = part.pixels().map(|(col, row)| (col - window.col, row - window.row));
            statistics.merge(&ClassStatistics::of_pixels(&raster, pixels, scaled));
        }
    }
    Ok(statistics)
}
