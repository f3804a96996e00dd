//! Libraries of spectra: what is in them, in other formats, on other bands.

use std::path::Path;

use nunatak_domain::job::ConvertSpectraConfig;
use nunatak_domain::notice::Notice;
use nunatak_domain::spectra::{SpectralLibrary, resample, target_bands};
use nunatak_jobs::{JobError, Monitor};
use serde_json::json;

use super::{Done, Facts, io_error, recipe};
use crate::command::Command;

pub(crate) fn show(path: &Path) -> Result<Done, JobError> {
    let library = nunatak_io::read_spectral_library(path).map_err(io_error)?;
    let spectra = library.spectra.iter().map(|spectrum| {
        let finite = spectrum.values.iter().copied().filter(|value| value.is_finite());
        let (min, max) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        let known = min <= max;
        let range = spectrum.range_nm();
        json!({
            "name": spectrum.name,
            "class": spectrum.class.clone().unwrap_or_default(),
            "bands": spectrum.values.len(),
            "from_nm": range.map(|(from, _)| from),
            "to_nm": range.map(|(_, to)| to),
            "min": known.then_some(min),
            "max": known.then_some(max),
            "unit": spectrum.unit,
            "factor": spectrum.factor,
        })
    });
    let facts = Facts::default()
        .with("n_spectra", library.spectra.len())
        .with("classes", classes(&library))
        .with("remarks", library.remarks.clone())
        .with("spectra", spectra.collect::<Vec<_>>());
    Ok(facts.report(Vec::new()))
}

pub(crate) fn convert(
    config: &ConvertSpectraConfig,
    command: &Command,
    monitor: &dyn Monitor,
) -> Result<Done, JobError> {
    let mut library = nunatak_io::read_spectral_library(&config.spectra).map_err(io_error)?;
    let mut remarks = std::mem::take(&mut library.remarks);
    let mut inputs = vec![("spectra", &config.spectra)];
    let targets = match (&config.to_bands, &config.bands) {
        (Some(_), Some(_)) => return Err(Notice::error("give either a raster or a table of bands").into()),
        (Some(raster), None) => {
            inputs.push(("raster", raster));
            Some(target_bands(&nunatak_io::describe(raster).map_err(io_error)?))
        }
        (None, Some(table)) => {
            inputs.push(("bands", table));
            Some(nunatak_io::read_target_bands(table).map_err(io_error)?)
        }
        (None, None) => None,
    };
    if let Some(mut targets) = targets {
        // Bands for masks and the like have no wavelength and no value.
        if targets.iter().any(|band| band.wavelength_nm.is_some()) {
            targets.retain(|band| band.wavelength_nm.is_some());
        }
        for spectrum in &mut library.spectra {
            let resampled = resample(spectrum, &targets, config.method);
            if resampled.values.iter().all(|value| value.is_nan()) {
                let why = resampled.remarks.first().map_or("none of its channels fits", String::as_str);
                let text = format!("{} has no value for any of the bands: {why}", spectrum.name);
                return Err(Notice::error(text).into());
            }
            for remark in resampled.remarks {
                let remark = format!("{}: {remark}", spectrum.name);
                remarks.push(remark);
            }
            spectrum.values = resampled.values;
            spectrum.wavelength_nm = targets.iter().map(|band| band.wavelength_nm).collect();
            spectrum.fwhm_nm = targets.iter().map(|band| band.fwhm_nm).collect();
        }
    }
    const SHOWN: usize = 8;
    for remark in remarks.iter().take(SHOWN) {
        monitor.warn(Notice::info(remark));
    }
    if remarks.len() > SHOWN {
        monitor.warn(Notice::info(format!("{} more remarks of this kind", remarks.len() - SHOWN)));
    }
    let recipe = recipe(command, &inputs, monitor)?;
    let outputs = nunatak_io::write_spectral_library(&config.out, &library, Some(&recipe), config.overwrite);
    let n_bands = library.spectra.first().map_or(0, |spectrum| spectrum.values.len());
    let facts = Facts::default().with("n_spectra", library.spectra.len()).with("n_bands", n_bands);
    Ok(facts.report(outputs.map_err(io_error)?))
}

/// Each once, in the order of the spectra.
fn classes(library: &SpectralLibrary) -> Vec<&str> {
    let mut classes: Vec<&str> = Vec::new();
    for class in library.spectra.iter().filter_map(|spectrum| spectrum.class.as_deref()) {
        if !classes.contains(&class) {
            classes.push(class);
        }
    }
    classes
}
