//! Jobs about reference spectra: libraries to pick from, and the references' health.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nunatak_domain::grid::PixelRect;
use nunatak_domain::notice::Notice;
use nunatak_domain::raster::RasterSource;
use nunatak_domain::spectra::{
    ClassStatistics, Classifier, Prior, ReferenceHealth, ReferenceSet, Resampling, TargetBand,
};
use nunatak_jobs::{JobError, Monitor};

use super::{Done, io_error};

/// Side of the picture that wins are counted on.
const WINS_PX: usize = 320;

/// Reads a library so that one can pick from it.
///
/// # Errors
/// The file holds no spectra.
pub(crate) fn library(path: &Path) -> Result<Done, JobError> {
    let library = nunatak_io::read_spectral_library(path).map_err(io_error)?;
    Ok(Done::Library(path.to_owned(), library))
}

/// Spectra of a library on the bands of a scene; `pick` by position, all where it is empty.
///
/// # Errors
/// The file holds no spectra, one was picked that it does not have, or none reaches all bands.
pub(crate) fn import(path: &Path, pick: &[usize], bands: &[TargetBand], method: Resampling) -> Result<Done, JobError> {
    let mut library = nunatak_io::read_spectral_library(path).map_err(io_error)?;
    let n = library.spectra.len();
    if let Some(beyond) = pick.iter().find(|&&index| index >= n) {
        let text = format!("there is no spectrum {}: the library has {n}: {}", beyond + 1, path.display());
        return Err(Notice::error(text).into());
    }
    if !pick.is_empty() {
        library.spectra = pick.iter().map(|&index| library.spectra[index].clone()).collect();
    }
    let (set, mut remarks) = library.to_references(bands, method);
    if set.references.is_empty() {
        let text = format!("no spectrum has a value for every band: {}", path.display());
        return Err(Notice::error(text).details(remarks.join("\n")).into());
    }
    remarks.extend(library.remarks);
    Ok(Done::Imported(set, remarks))
}

/// What the health of references is found from.
pub(crate) struct HealthRequest {
    pub(crate) set: ReferenceSet,
    /// Where wins are counted: the prior for stored values, the file, and a window of it.
    pub(crate) view: Option<(Arc<Prior>, PathBuf, PixelRect)>,
}

/// # Errors
/// Cancelled. A scene that cannot be read leaves the wins out.
pub(crate) fn health(request: &HealthRequest, monitor: &dyn Monitor) -> Result<ReferenceHealth, JobError> {
    let set = &request.set;
    let pixels_of = |reference: &nunatak_domain::spectra::SpectralReference| {
        let sample = reference.sample.as_ref()?;
        ClassStatistics::from_moments(sample.n, reference.spectrum.clone(), &sample.covariance)
    };
    let statistics: Vec<Option<ClassStatistics>> = set.references.iter().map(pixels_of).collect();
    let wins = request.view.as_ref().and_then(|(prior, path, window)| {
        wins(prior, path, *window).inspect_err(|why| log::warn!("the wins could not be counted: {why}")).ok()
    });
    monitor.check()?;
    Ok(ReferenceHealth::new(set, &statistics, wins.as_deref()))
}

/// Pixels of the class map by enabled reference.
fn wins(prior: &Prior, path: &Path, window: PixelRect) -> Result<Vec<u64>, String> {
    let mut source = nunatak_io::open(path).map_err(|error| error.to_string())?;
    let bands: Vec<usize> = (0..prior.n_bands()).collect();
    let (width, height) = (window.width.min(WINS_PX), window.height.min(WINS_PX));
    let raster = source.read(window, &bands, width, height).map_err(|error| error.to_string())?;
    let found = Classifier::sf_cnm(prior.clone()).classify(&raster);
    let mut wins = vec![0_u64; prior.n_references()];
    for class in found.classes.iter().filter(|class| **class > 0) {
        wins[usize::from(*class) - 1] += 1;
    }
    Ok(wins)
}
