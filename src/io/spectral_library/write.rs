//! Writing libraries: ENVI `.sli` with its header, or CSV with a row per spectrum.

use std::path::{Path, PathBuf};

use nunatak_domain::recipe::Recipe;
use nunatak_domain::spectra::SpectralLibrary;

use crate::atomic::{AtomicPath, write_plain};
use crate::error::IoError;
use crate::recipe::write_recipe_beside;

/// Writes `.sli` (float64, little endian, with `.hdr`, and with the attributes in a `.csv`
/// beside it) or `.csv`, by the ending, and the recipe beside it. Returns the files written,
/// `path` first.
///
/// Both formats are tables: all spectra need the same bands.
///
/// # Errors
/// The ending is another one, spectra differ in their bands, or the file cannot be written.
pub fn write_spectral_library(
    path: impl AsRef<Path>,
    library: &SpectralLibrary,
    recipe: Option<&Recipe>,
    overwrite: bool,
) -> Result<Vec<PathBuf>, IoError> {
    let path = path.as_ref();
    let n_bands = library.spectra.first().map_or(0, |spectrum| spectrum.values.len());
    if n_bands == 0 {
        return Err(IoError::write(path, "spectra", "there are none"));
    }
    let shared = library.spectra.iter().all(|spectrum| spectrum.values.len() == n_bands)
        && (library.common_wavelengths().is_some() || library.spectra.iter().all(|s| s.wavelength_nm.is_none()));
    if !shared {
        let reason = "the spectra have different wavelengths: resample them to one set of bands first";
        return Err(IoError::write(path, "spectra", reason));
    }
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let output = match ending.as_str() {
        "sli" => envi(path, library, n_bands, overwrite)?,
        "csv" => {
            let output = AtomicPath::create(path, overwrite)?;
            write_plain(&output.partial(), table(library, n_bands).as_bytes())
                .map_err(|error| output.failed("spectra", &error.to_string()))?;
            output
        }
        _ => return Err(IoError::unsupported(path, "cannot write spectra in this format: choose .sli or .csv")),
    };
    if let Some(recipe) = recipe {
        write_recipe_beside(&output, recipe)?;
    }
    output.commit()
}

fn envi(path: &Path, library: &SpectralLibrary, n_bands: usize, overwrite: bool) -> Result<AtomicPath, IoError> {
    let output = AtomicPath::create(path, overwrite)?;
    if !output.may_write("hdr") {
        return Err(IoError::Exists(path.with_extension("hdr")));
    }
    let fail = |error: std::io::Error| IoError::write(path, "spectra", error.to_string());
    let values = library.spectra.iter().flat_map(|spectrum| &spectrum.values);
    let bytes: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
    write_plain(&output.partial(), &bytes).map_err(fail)?;
    write_plain(&output.sidecar("hdr"), header(library, n_bands).as_bytes()).map_err(fail)?;
    let described = library.spectra.iter().any(|spectrum| !spectrum.attributes.is_empty() || spectrum.class.is_some());
    if described && output.may_write("csv") {
        write_plain(&output.sidecar("csv"), attributes(library).as_bytes()).map_err(fail)?;
    }
    Ok(output)
}

fn header(library: &SpectralLibrary, n_bands: usize) -> String {
    let mut text = format!(
        "ENVI\ndescription = {{\n spectral library}}\nsamples = {n_bands}\nlines = {}\nbands = 1\nheader offset = 0\n\
         file type = ENVI Spectral Library\ndata type = 5\ninterleave = bsq\nbyte order = 0\n",
        library.spectra.len()
    );
    let mut push = |line: String| text.push_str(&line);
    let first = &library.spectra[0];
    let common = |get: fn(&nunatak_domain::spectra::LibrarySpectrum) -> Option<&Vec<f64>>| {
        get(first).filter(|list| library.spectra.iter().all(|spectrum| get(spectrum) == Some(list)))
    };
    if let Some(factor) = first.factor.filter(|factor| library.spectra.iter().all(|s| s.factor == Some(*factor))) {
        // 1 / (1 / 10000) is not 10000 in every case.
        push(format!("reflectance scale factor = {}\n", (1e9 / factor).round() / 1e9));
    }
    if !first.unit.is_empty() && library.spectra.iter().all(|spectrum| spectrum.unit == first.unit) {
        push(format!("z plot titles = {{Wavelength, {}}}\n", plain(&first.unit)));
    }
    push("band names = {\n Spectral Library}\n".to_owned());
    let names: Vec<String> = library.spectra.iter().map(|spectrum| plain(&spectrum.name)).collect();
    push(format!("spectra names = {{\n {}}}\n", names.join(",\n ")));
    let join = |list: &[f64]| list.iter().map(f64::to_string).collect::<Vec<_>>().join(", ");
    if let Some(list) = common(|spectrum| spectrum.wavelength_nm.as_ref()) {
        push(format!("wavelength units = Nanometers\nwavelength = {{\n {}}}\n", join(list)));
    }
    if let Some(list) = common(|spectrum| spectrum.fwhm_nm.as_ref()) {
        push(format!("fwhm = {{\n {}}}\n", join(list)));
    }
    text
}

/// Commas separate, and braces end, the lists of a header.
fn plain(name: &str) -> String {
    name.replace(',', ";").replace(['{', '}', '\n', '\r'], " ")
}

/// The attribute table beside an ENVI library, as EnMAP-Box reads it.
fn attributes(library: &SpectralLibrary) -> String {
    let keys = keys(library);
    let header = ["spectra names".to_owned()].into_iter().chain(keys.iter().cloned());
    records(header, library, |spectrum| {
        [plain(&spectrum.name)].into_iter().chain(keys.iter().map(|key| attribute(spectrum, key))).collect()
    })
}

fn table(library: &SpectralLibrary, n_bands: usize) -> String {
    let keys = keys(library);
    let with_unit = library.spectra.iter().any(|spectrum| !spectrum.unit.is_empty());
    let with_factor = library.spectra.iter().any(|spectrum| spectrum.factor.is_some());
    let mut header = vec!["name".to_owned()];
    header.extend(keys.iter().cloned());
    header.extend(with_unit.then(|| "unit".to_owned()));
    header.extend(with_factor.then(|| "factor".to_owned()));
    match library.common_wavelengths() {
        Some(wavelengths) => header.extend(wavelengths.iter().map(f64::to_string)),
        None => header.extend((1..=n_bands).map(|number| number.to_string())),
    }
    records(header.into_iter(), library, |spectrum| {
        let mut row = vec![spectrum.name.clone()];
        row.extend(keys.iter().map(|key| attribute(spectrum, key)));
        row.extend(with_unit.then(|| spectrum.unit.clone()));
        row.extend(with_factor.then(|| spectrum.factor.map_or_else(String::new, |factor| factor.to_string())));
        row.extend(spectrum.values.iter().map(|value| if value.is_nan() { String::new() } else { value.to_string() }));
        row
    })
}

/// All attributes that some spectrum has, the class first.
fn keys(library: &SpectralLibrary) -> Vec<String> {
    let mut keys: Vec<String> =
        library.spectra.iter().flat_map(|spectrum| spectrum.attributes.keys().cloned()).collect();
    keys.sort();
    keys.dedup();
    // These have columns of their own.
    keys.retain(|key| !["name", "unit", "factor"].contains(&key.to_lowercase().as_str()));
    if library.spectra.iter().any(|spectrum| spectrum.class.is_some()) {
        keys.retain(|key| key.to_lowercase() != "class");
        keys.insert(0, "class".to_owned());
    }
    keys
}

fn attribute(spectrum: &nunatak_domain::spectra::LibrarySpectrum, key: &str) -> String {
    if key == "class" {
        return spectrum.class.clone().unwrap_or_default();
    }
    spectrum.attributes.get(key).cloned().unwrap_or_default()
}

fn records(
    header: impl Iterator<Item = String>,
    library: &SpectralLibrary,
    row: impl Fn(&nunatak_domain::spectra::LibrarySpectrum) -> Vec<String>,
) -> String {
    // A name that begins with `#` is quoted, else it would be read as a comment.
    let mut csv = csv::WriterBuilder::new().comment(Some(b'#')).from_writer(Vec::new());
    csv.write_record(header).expect("writing to memory cannot fail");
    for spectrum in &library.spectra {
        csv.write_record(row(spectrum)).expect("all rows are as long as the header");
    }
    let bytes = csv.into_inner().expect("writing to memory cannot fail");
    String::from_utf8(bytes).expect("made of strings")
}
