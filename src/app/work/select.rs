//! Gestures that look at the scene's pixels, and filters of whole label layers.

use std::path::Path;

use nunatak_domain::grid::PixelRect;
use nunatak_domain::label::post::LabelFilter;
use nunatak_domain::label::{Gesture, LabelError, LabelLayer, PixelMask, RasterAt, SourceBands};
use nunatak_domain::notice::Notice;
use nunatak_domain::raster::RasterSource;
use nunatak_domain::scene::{ColorRole, SceneInfo};
use nunatak_jobs::{JobError, Monitor};

use super::io_error;

/// Scenes are cut into superpixels by blocks of this many pixels, so that two clicks in one
/// block meet the same pieces.
const BLOCK_PX: usize = 512;

/// The pixels of a wand or superpixel, and whether that is all of them.
///
/// # Errors
/// The scene cannot be read, a band is not there, or the job was cancelled.
pub(crate) fn run(path: &Path, gesture: &Gesture, monitor: &dyn Monitor) -> Result<(PixelMask, bool), JobError> {
    let mut source = nunatak_io::open(path).map_err(io_error)?;
    let mut progress = |done: f32| {
        monitor.progress(done, "");
        monitor.check().is_ok()
    };
    match gesture {
        Gesture::Wand { col, row, wand, bands } => {
            let bands = spectral(source.info(), bands)?;
            let mut pixels = SourceBands { source: &mut source, bands };
            let fill = wand.select(&mut pixels, (*col, *row), &mut progress).map_err(label_error)?;
            Ok((fill.mask, fill.complete))
        }
        Gesture::Superpixel { col, row, slic, bands } => {
            let bands = spectral(source.info(), bands)?;
            let (width, height) = (source.info().width, source.info().height);
            if *col >= width || *row >= height {
                return Ok((PixelMask::default(), true));
            }
            let block = PixelRect::new(col / BLOCK_PX * BLOCK_PX, row / BLOCK_PX * BLOCK_PX, BLOCK_PX, BLOCK_PX);
            let Some(block) = block.intersection(&PixelRect::whole(width, height)) else {
                return Ok((PixelMask::default(), true));
            };
            let rect = block.grown(2 * slic.spacing_px, width, height);
            let raster = source.read_window(rect, &bands).map_err(|error| Notice::error(error.to_string()))?;
            let pixels = RasterAt { raster, col: rect.col, row: rect.row };
            let pieces = slic.segment(&pixels, &mut progress).map_err(label_error)?;
            Ok((pieces.at(*col, *row).unwrap_or_default(), true))
        }
        _ => Err(Notice::error(format!("{} needs no pixels of the scene", gesture.title())).into()),
    }
}

/// # Errors
/// Cancelled.
pub(crate) fn filter(filter: &LabelFilter, layer: &LabelLayer, monitor: &dyn Monitor) -> Result<LabelLayer, JobError> {
    let mut progress = |done: f32| {
        monitor.progress(done, "");
        monitor.check().is_ok()
    };
    filter.apply(layer, &mut progress).map_err(label_error)
}

/// The bands that were asked for, or all but alpha.
fn spectral(info: &SceneInfo, bands: &[usize]) -> Result<Vec<usize>, JobError> {
    if let Some(band) = bands.iter().find(|&&band| band >= info.n_bands()) {
        let text = format!("there is no band {}: {} has {}", band + 1, info.name(), info.n_bands());
        return Err(Notice::error(text).into());
    }
    if !bands.is_empty() {
        return Ok(bands.to_vec());
    }
    Ok((0..info.n_bands()).filter(|&band| info.bands[band].color != ColorRole::Alpha).collect())
}

fn label_error(error: LabelError) -> JobError {
    match error {
        LabelError::Cancelled => JobError::Cancelled,
        LabelError::Pixels(error) => Notice::error(error.to_string()).into(),
    }
}
