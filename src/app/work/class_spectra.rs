//! What pixels are compared with: references, libraries of spectra, projects, or labelled pixels.

use std::path::Path;

use nunatak_domain::class::ClassScheme;
use nunatak_domain::grid::PixelRect;
use nunatak_domain::label::{LabelLayer, UNLABELLED};
use nunatak_domain::model::Normalisation;
use nunatak_domain::notice::Notice;
use nunatak_domain::raster::{Raster, RasterSource};
use nunatak_domain::scene::SceneInfo;
use nunatak_domain::spectra::{ClassStatistics, ReferenceSet, Resampling, SpectralReference, target_bands};
use nunatak_io::project::{Access, open_project};
use nunatak_io::{GdalSource, LabelImport, LabelSource};
use nunatak_jobs::{JobError, Monitor};
use rayon::prelude::*;

use super::io_error;
use super::prior::{bands_for, scale_notice};
use super::strips::for_each_strip;

/// Rows that one thread takes at a time; part of the result, for sums depend on their order.
const ROWS: usize = 64;

/// One spectrum per class.
pub(super) struct ClassSpectra {
    /// All enabled.
    pub(super) set: ReferenceSet,
    /// How pixels of each spread, where that is known.
    pub(super) statistics: Vec<Option<ClassStatistics>>,
    /// The class of each spectrum, in order.
    pub(super) scheme: ClassScheme,
    /// The raster's band for each band of the spectra.
    pub(super) bands: Vec<usize>,
    /// What brings stored values to the scale of the spectra.
    pub(super) normalisation: Normalisation,
}

impl ClassSpectra {
    /// Of a reference file, a library of spectra, or the references of a project, on the bands
    /// of the raster.
    pub(super) fn of_references(
        path: &Path,
        source: &mut GdalSource,
        bands: Option<&[usize]>,
        monitor: &dyn Monitor,
    ) -> Result<Self, JobError> {
        let (set, bands) = on_bands(path, source.info(), bands, monitor)?;
        let (set, statistics) = enabled(set);
        if set.references.is_empty() {
            return Err(Notice::error(format!("there is no reference that takes part: {}", path.display())).into());
        }
        let chosen = SceneInfo {
            bands: bands.iter().map(|&band| source.info().bands[band].clone()).collect(),
            ..source.info().clone()
        };
        let normalisation = chosen.physical();
        if let Some(notice) = scale_notice(&set, &normalisation, source, &bands, monitor)? {
            monitor.warn(notice);
        }
        Ok(Self { scheme: set.scheme(), set, statistics, bands, normalisation })
    }

    /// Of the labelled pixels of the raster; stored values, read once.
    pub(super) fn of_labels(
        path: &Path,
        field: Option<&str>,
        source: &mut GdalSource,
        bands: Option<&[usize]>,
        monitor: &dyn Monitor,
    ) -> Result<Self, JobError> {
        let bands = chosen_bands(source.info(), bands)?;
        let LabelImport { layer, classes, .. } = labels_on(source.info(), path, field, None, monitor)?;
        let found = labelled_statistics(source, &bands, &layer, monitor)?;
        let mut spectra = Self {
            set: ReferenceSet::default(),
            statistics: Vec::new(),
            scheme: ClassScheme::default(),
            bands,
            normalisation: Normalisation::None,
        };
        spectra.set.bands = spectra.bands.iter().map(|&band| source.info().bands[band].name.clone()).collect();
        for class in classes.classes {
            let Some(statistics) = found.get(class.id.0 as usize).and_then(Option::as_ref) else { continue };
            let mut reference = SpectralReference::new(&class.name, class.color, statistics.mean().to_vec());
            reference.class = Some(class.id);
            spectra.set.references.push(reference);
            spectra.statistics.push(Some(statistics.clone()));
            spectra.scheme.classes.push(class);
        }
        if spectra.set.references.is_empty() {
            let text = "no labelled pixel has a value in every band";
            return Err(Notice::error(format!("{text}: {}", path.display())).into());
        }
        Ok(spectra)
    }

    /// A sentence that begins with the number of a class begins with its name.
    pub(super) fn named(&self, text: &str) -> String {
        let number = text.strip_prefix("class ").and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
        let index = number.and_then(|number| Some((number, number.parse::<usize>().ok()?.checked_sub(1)?)));
        match index.and_then(|(number, index)| Some((number, self.set.references.get(index)?))) {
            Some((number, reference)) => format!("{}{}", reference.name, &text["class ".len() + number.len()..]),
            None => text.to_owned(),
        }
    }
}

/// References of a file without a raster: as they are.
pub(super) fn references_alone(
    path: &Path,
    monitor: &dyn Monitor,
) -> Result<(ReferenceSet, Vec<Option<ClassStatistics>>), JobError> {
    if is_project(path) {
        return Ok(enabled(project_references(path, monitor)?));
    }
    let set = match nunatak_io::read_references(path) {
        Ok(set) => set,
        Err(_) => {
            let library = nunatak_io::read_spectral_library(path).map_err(io_error)?;
            say_all(&library.remarks, monitor);
            let spectra = library.spectra.iter().enumerate().map(|(index, spectrum)| {
                let color = nunatak_domain::class::Rgb::distinct(1 + index % 7);
                SpectralReference::new(&spectrum.name, color, spectrum.reflectance())
            });
            ReferenceSet { references: spectra.collect(), bands: Vec::new() }
        }
    };
    Ok(enabled(set))
}

/// Labels of a file on the grid of `scene`; what was changed is said.
pub(super) fn labels_on(
    scene: &SceneInfo,
    path: &Path,
    field: Option<&str>,
    into: Option<(&ClassScheme, &str)>,
    monitor: &dyn Monitor,
) -> Result<LabelImport, JobError> {
    let empty = ClassScheme::default();
    let (existing, values) = into.unwrap_or((&empty, ""));
    let map = values.parse().map_err(|error: String| Notice::error(format!("values: {error}")))?;
    let mut config = LabelSource::of(path);
    let imported = match &mut config {
        LabelSource::Raster(raster) => {
            raster.map = map;
            nunatak_io::import_label_raster(raster, scene, existing, monitor)
        }
        LabelSource::Vector(vector) => {
            vector.map = map;
            vector.field = field.map(str::to_owned);
            nunatak_io::import_label_vector(vector, scene, existing, monitor)
        }
    };
    let imported = imported.map_err(io_error)?;
    say_all(&imported.report.remarks, monitor);
    Ok(imported)
}

/// Whether a file holds labels rather than spectra: a vector, or a raster with an ending of one.
pub(super) fn holds_labels(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let raster = ["tif", "tiff", "img", "vrt", "png", "asc", "jp2", "bsq", "dat"].contains(&ending.as_str());
    // Endmembers of ArcGIS are JSON too.
    raster || (ending != "json" && nunatak_io::is_vector(path) && !is_project(path))
}

/// Remarks that a reader of a file has about it.
fn say_all(remarks: &[String], monitor: &dyn Monitor) {
    remarks.iter().for_each(|remark| monitor.warn(Notice::info(sentence(remark))));
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn is_project(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "nunatak") || path.join("project.json").is_file()
}

fn project_references(path: &Path, monitor: &dyn Monitor) -> Result<ReferenceSet, JobError> {
    let opened = open_project(path, Access::Read, 0, monitor).map_err(io_error)?;
    Ok(opened.project.references)
}

/// Those that take part, with the spread of their pixels where it is known.
fn enabled(set: ReferenceSet) -> (ReferenceSet, Vec<Option<ClassStatistics>>) {
    let references: Vec<_> = set.references.into_iter().filter(|reference| reference.enabled).collect();
    let statistics = references.iter().map(|reference| {
        let sample = reference.sample.as_ref()?;
        ClassStatistics::from_moments(sample.n, reference.spectrum.clone(), &sample.covariance)
    });
    let statistics = statistics.collect();
    (ReferenceSet { references, bands: set.bands }, statistics)
}

/// The references as they are where their bands are found in the raster; else resampled.
fn on_bands(
    path: &Path,
    info: &SceneInfo,
    bands: Option<&[usize]>,
    monitor: &dyn Monitor,
) -> Result<(ReferenceSet, Vec<usize>), JobError> {
    let own = if is_project(path) { Ok(project_references(path, monitor)?) } else { nunatak_io::read_references(path) };
    if let Ok(set) = &own
        && (bands.is_some_and(|bands| bands.len() == set.n_bands()) || set.bands_in(info).is_some() || is_project(path))
    {
        return Ok((set.clone(), bands_for(set, info, bands, monitor)?));
    }
    let library = match (nunatak_io::read_spectral_library(path), own) {
        (Ok(library), _) if library.spectra.iter().any(|spectrum| spectrum.wavelength_nm.is_some()) => library,
        (_, Ok(set)) => {
            let bands = bands_for(&set, info, bands, monitor)?;
            return Ok((set, bands));
        }
        (Ok(library), Err(_)) => library,
        (Err(error), Err(_)) => return Err(io_error(error)),
    };
    say_all(&library.remarks, monitor);
    let known = |band: &usize| info.bands[*band].wavelength_nm.is_some();
    let mut chosen = chosen_bands(info, bands)?;
    if bands.is_none() && chosen.iter().any(known) && !chosen.iter().all(known) {
        chosen.retain(known);
        let text = format!("{} of {} bands of the raster have a wavelength and are used", chosen.len(), info.n_bands());
        monitor.warn(Notice::info(text));
    }
    let all = target_bands(info);
    let targets: Vec<_> = chosen.iter().map(|&band| all[band].clone()).collect();
    let (set, remarks) = library.to_references(&targets, Resampling::default());
    say_all(&remarks, monitor);
    if set.references.is_empty() {
        let text = format!("none of the {} spectra has a value for every band of the raster", library.spectra.len());
        let next_step = "Choose the bands that the spectra cover (--bands)";
        return Err(Notice::error(format!("{text}: {}", path.display())).next_step(next_step).into());
    }
    let text = format!("{} spectra were matched to {} bands by wavelength", set.references.len(), targets.len());
    if targets.iter().any(|band| band.wavelength_nm.is_some()) {
        monitor.warn(Notice::info(text));
    }
    Ok((set, chosen))
}

/// All bands, or those that were asked for.
fn chosen_bands(info: &SceneInfo, bands: Option<&[usize]>) -> Result<Vec<usize>, JobError> {
    let n = info.n_bands();
    let bands = bands.map_or_else(|| (0..n).collect(), <[usize]>::to_vec);
    match bands.iter().find(|&&band| band >= n) {
        Some(band) => {
            let text = format!("there is no band {}: the raster has {n}: {}", band + 1, info.path.display());
            Err(Notice::error(text).into())
        }
        None => Ok(bands),
    }
}

/// Mean and covariance of each class's pixels, by id; `None` for ids without a pixel that has a
/// value in every band. The same for any number of threads.
fn labelled_statistics(
    source: &mut GdalSource,
    bands: &[usize],
    layer: &LabelLayer,
    monitor: &dyn Monitor,
) -> Result<Vec<Option<ClassStatistics>>, JobError> {
    let mut all: Vec<Option<ClassStatistics>> = Vec::new();
    for_each_strip(source, bands, (0, 1), monitor, |strip, raster| {
        let starts: Vec<usize> = (0..strip.height).step_by(ROWS).collect();
        let parts: Vec<_> = starts
            .par_iter()
            .map(|&start| {
                let rect = PixelRect::new(0, start, strip.width, ROWS.min(strip.height - start));
                statistics_of(raster, rect, strip.row, layer)
            })
            .collect();
        for (id, statistics) in parts.into_iter().flatten() {
            if all.len() <= id {
                all.resize_with(id + 1, || None);
            }
            match &mut all[id] {
                Some(sum) => sum.merge(&statistics),
                empty => *empty = Some(statistics),
            }
        }
        Ok(())
    })?;
    for statistics in &mut all {
        *statistics = statistics.take().filter(|statistics| statistics.n() > 0);
    }
    Ok(all)
}

/// Of a part of a strip that begins at `first_row` of the labels.
fn statistics_of(
    raster: &Raster,
    rect: PixelRect,
    first_row: usize,
    layer: &LabelLayer,
) -> Vec<(usize, ClassStatistics)> {
    let ids = layer.read(PixelRect { row: first_row + rect.row, ..rect });
    let mut found: Vec<(usize, ClassStatistics)> = Vec::new();
    let mut spectrum = vec![0.0; raster.bands];
    let start = rect.row * raster.width;
    for (index, &id) in ids.iter().enumerate().filter(|(_, id)| **id != UNLABELLED) {
        for (band, value) in spectrum.iter_mut().enumerate() {
            *value = f64::from(raster.band(band)[start + index]);
        }
        let id = usize::from(id);
        let at = found.iter().position(|(other, _)| *other == id).unwrap_or_else(|| {
            found.push((id, ClassStatistics::new(raster.bands)));
            found.len() - 1
        });
        found[at].1.add(&spectrum);
    }
    found
}
