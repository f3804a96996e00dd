//! Jobs that read: what is in a file, and what are the statistics of its bands.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use nunatak_domain::geo::Crs;
use nunatak_domain::grid::PixelRect;
use nunatak_domain::notice::Notice;
use nunatak_domain::raster::RasterSource;
use nunatak_domain::scene::{BandStatistics, SceneInfo};
use nunatak_io::{GdalSource, Sampling};
use nunatak_jobs::{JobError, Monitor};

use super::extent::lon_lat_extent;
use super::{Done, Facts, io_error, ml_error};
use crate::event::JobReport;
use crate::placement::Prepared;
use crate::session::OpenModel;

/// `map` is the CRS of the map that the scene goes onto, once it is known.
pub(crate) fn scene(path: &Path, map: &Mutex<Option<Crs>>, monitor: &dyn Monitor) -> Result<Done, JobError> {
    let info = described(path, monitor)?;
    let map = map.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let prepared = Prepared::new(&info, map.as_ref());
    Ok(Done::Scene(Box::new(info), Box::new(prepared)))
}

/// A scene with what a first style needs: statistics of the bands it will show.
pub(super) fn described(path: &Path, monitor: &dyn Monitor) -> Result<SceneInfo, JobError> {
    let mut info = nunatak_io::describe(path).map_err(io_error)?;
    monitor.check()?;
    if info.bands.is_empty() || info.width == 0 || info.height == 0 {
        // The reason, for example that one of its subdatasets must be opened instead.
        nunatak_io::open(path).map_err(io_error)?;
        let text = format!("there is nothing to show: {}", path.display());
        return Err(Notice::error(text).into());
    }
    if !info.categorical() {
        // The style's bands do not depend on statistics.
        let mut bands = nunatak_domain::style::Style::initial(&info).bands();
        bands.sort_unstable();
        bands.dedup();
        fill_statistics(&mut info, &bands, monitor)?;
    }
    Ok(info)
}

pub(crate) fn info(path: &Path, statistics: bool, monitor: &dyn Monitor) -> Result<Done, JobError> {
    let mut info = nunatak_io::describe(path).map_err(io_error)?;
    if statistics && !info.bands.is_empty() {
        let mut source = nunatak_io::open(path).map_err(io_error)?;
        monitor.check()?;
        let found = nunatak_io::statistics(&mut source, Sampling::default());
        let found = found.map_err(|error| Notice::error(error.to_string()))?;
        for (band, found) in info.bands.iter_mut().zip(found) {
            band.statistics = found;
        }
    }
    let facts = match lon_lat_extent(&info) {
        Some(extent) => Facts::default().with("lon_lat", extent.to_vec()),
        None => Facts::default(),
    };
    Ok(Done::Report(JobReport { outputs: Vec::new(), facts: facts.0, info: Some(Box::new(info)) }))
}

fn fill_statistics(info: &mut SceneInfo, bands: &[usize], monitor: &dyn Monitor) -> Result<(), JobError> {
    let path = info.path.clone();
    for (band, found) in band_statistics(&path, bands, None, monitor)? {
        info.bands[band].statistics = Some(found);
    }
    Ok(())
}

/// Of a bounded sample, with percentiles; `None` for bands without any value.
pub(super) fn sampled(
    source: &mut GdalSource,
    window: PixelRect,
    bands: &[usize],
) -> Result<Vec<Option<BandStatistics>>, JobError> {
    let found = nunatak_io::statistics_window(source, window, bands, Sampling::default().max_px);
    Ok(found.map_err(|error| Notice::error(error.to_string()))?)
}

/// Statistics from a bounded sample of the bands that have values; of `window` only, if there is one.
pub(crate) fn band_statistics(
    path: &Path,
    bands: &[usize],
    window: Option<PixelRect>,
    monitor: &dyn Monitor,
) -> Result<Vec<(usize, BandStatistics)>, JobError> {
    let mut source = nunatak_io::open(path).map_err(io_error)?;
    monitor.check()?;
    let whole = PixelRect::whole(source.info().width, source.info().height);
    let found = sampled(&mut source, window.unwrap_or(whole), bands)?;
    Ok(bands.iter().copied().zip(found).filter_map(|(band, found)| Some((band, found?))).collect())
}

pub(crate) fn model(path: &Path) -> Result<Done, JobError> {
    let loaded = nunatak_ml::load_network(path).map_err(ml_error)?;
    Ok(Done::Model(Box::new(OpenModel { path: path.to_owned(), record: loaded.record, remarks: loaded.remarks })))
}

pub(crate) fn references(path: &Path) -> Result<Done, JobError> {
    Ok(Done::References(nunatak_io::read_references(path).map_err(io_error)?))
}
