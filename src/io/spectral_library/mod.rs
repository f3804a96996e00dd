//! Libraries of spectra in the formats of instruments, archives and other programs.
//!
//! Which format a file has is decided by what is in it, not by its ending. Values stay as they
//! are stored; how they become reflectance is noted where the file says it.

mod ascii;
mod envi;
mod json;
mod table;
#[cfg(test)]
mod tests;
mod write;

use std::path::Path;

use nunatak_domain::spectra::{LibrarySpectrum, SpectralLibrary, TargetBand};

use crate::error::IoError;
pub use write::write_spectral_library;

/// The largest file that is looked at: a text of this size holds about 4 million values.
const MAX_BYTES: u64 = 64 << 20;

/// Reads ENVI `.sli` (or its `.hdr`), CSV in either orientation, ASD text, ECOSTRESS, USGS
/// splib07 ASCII, SVC `.sig`, Spectral Evolution `.sed`, ARTMO tables, EcoSIS CSV, ArcGIS
/// endmember JSON, and GeoJSON with profiles.
///
/// # Errors
/// The file cannot be read, or holds no spectra: why, and where it helps what it is instead.
pub fn read_spectral_library(path: impl AsRef<Path>) -> Result<SpectralLibrary, IoError> {
    let path = path.as_ref();
    let fail = |reason: String| IoError::read(path, "spectra", reason);
    let mut library = match Content::of(path).map_err(fail)? {
        Content::Envi { header, data } => envi::read(&header, &data),
        Content::Text(text) => read_text(path, &text),
    }
    .map_err(fail)?;
    if library.spectra.is_empty() {
        return Err(fail("it holds no spectra".to_owned()));
    }
    describe_scale(&mut library);
    Ok(library)
}

/// Band centres and widths from a table with columns `wavelength` and `fwhm`, or those of a
/// library's spectra: what spectra can be resampled to.
///
/// # Errors
/// As `read_spectral_library`; also where no wavelengths are stated.
pub fn read_target_bands(path: impl AsRef<Path>) -> Result<Vec<TargetBand>, IoError> {
    let path = path.as_ref();
    let fail = |reason: String| IoError::read(path, "bands", reason);
    if let Content::Text(text) = Content::of(path).map_err(fail)?
        && let Some(bands) = table::band_definitions(&text)
    {
        return Ok(bands);
    }
    let library = read_spectral_library(path)?;
    let first = library.spectra.first().filter(|spectrum| spectrum.wavelength_nm.is_some());
    let first = first.ok_or_else(|| fail("it states no wavelengths".to_owned()))?;
    let widths = first.fwhm_nm.as_ref();
    let bands = first.wavelength_nm.iter().flatten().enumerate().map(|(index, nm)| TargetBand {
        name: format!("{nm} nm"),
        wavelength_nm: Some(*nm),
        fwhm_nm: widths.and_then(|widths| widths.get(index).copied()),
    });
    Ok(bands.collect())
}

enum Content {
    Envi { header: String, data: std::path::PathBuf },
    Text(String),
}

impl Content {
    fn of(path: &Path) -> Result<Self, String> {
        let meta = std::fs::metadata(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "no such file".to_owned(),
            _ => error.to_string(),
        })?;
        if meta.is_dir() {
            return Err("this is a folder".to_owned());
        }
        if meta.len() == 0 {
            return Err("the file is empty".to_owned());
        }
        if let Some((header, data)) = envi::header_and_data(path)? {
            return Ok(Self::Envi { header, data });
        }
        if meta.len() > MAX_BYTES {
            return Err(format!("it has {} MiB, more than any known library", meta.len() >> 20));
        }
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        if bytes.starts_with(b"ASD") || (bytes.starts_with(b"as") && bytes.get(2).is_some_and(u8::is_ascii_digit)) {
            return Err("binary ASD files are not read: export it as text with ViewSpec Pro".to_owned());
        }
        if bytes.iter().take(4096).any(|&byte| byte == 0) {
            return Err("no format of spectra that is known here (and an ENVI library needs its .hdr)".to_owned());
        }
        Ok(Self::Text(decoded(bytes)))
    }
}

/// UTF-8, else Latin-1: numbers are the same in both.
fn decoded(bytes: Vec<u8>) -> String {
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect::<String>());
    text.trim_start_matches('\u{feff}').to_owned()
}

fn read_text(path: &Path, text: &str) -> Result<SpectralLibrary, String> {
    let start = text.trim_start();
    if start.starts_with('{') {
        return json::read(path, text);
    }
    if start.starts_with('<') {
        return Err("this is XML, not a library of spectra".to_owned());
    }
    if let Some(library) = ascii::read(path, text)? {
        return Ok(library);
    }
    match table::read(path, text) {
        Ok(library) => Ok(library),
        // References of this program have band names instead of wavelengths.
        Err(reason) => match crate::references::read_references(path) {
            Ok(set) => Ok(SpectralLibrary::from_references(&set, &bands_of_names(&set.bands))),
            Err(_) => Err(reason),
        },
    }
}

fn bands_of_names(names: &[String]) -> Vec<TargetBand> {
    names.iter().map(|name| TargetBand { name: name.clone(), ..TargetBand::default() }).collect()
}

/// Says where stated and found scales disagree, or where the size of values suggests one.
fn describe_scale(library: &mut SpectralLibrary) {
    let largest = |spectrum: &LibrarySpectrum| {
        spectrum.values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max)
    };
    let mut contradicted = 0;
    for spectrum in &mut library.spectra {
        // Percent of 1.5 at most would be a material darker than any soot, over all wavelengths.
        if spectrum.factor == Some(0.01) && largest(spectrum) <= 1.5 {
            spectrum.factor = None;
            contradicted += 1;
        }
    }
    if contradicted > 0 {
        let remark = format!(
            "{contradicted} spectra are said to be in percent, but their values end below 1.5: taken as fractions of 1"
        );
        library.remarks.push(remark);
    }
    let unsaid = library.spectra.iter().filter(|spectrum| spectrum.factor.is_none() && spectrum.unit.is_empty());
    let unsaid_largest = unsaid.map(largest).fold(0.0, f64::max);
    let looks = match unsaid_largest {
        largest if largest > 150.0 => Some("look like reflectance × 10000 or digital numbers"),
        largest if largest > 2.0 => Some("look like percent"),
        _ => None,
    };
    if let Some(looks) = looks {
        let remark =
            format!("values go up to {unsaid_largest:.1} and {looks}; the file does not say so, they are kept");
        library.remarks.push(remark);
    }
}

/// Nanometres per unit as files write it; `None` for what is no length or is not known.
fn unit_factor(text: &str) -> Option<f64> {
    let text = text.trim().to_lowercase();
    let text = text.trim_matches(['(', ')', '[', ']', '{', '}']);
    match text {
        "nm" | "nanometers" | "nanometer" | "nanometres" | "nanometre" => Some(1.0),
        "um" | "µm" | "μm" | "micrometers" | "micrometer" | "micrometres" | "micrometre" | "microns" | "micron" => {
            Some(1000.0)
        }
        _ => None,
    }
}

/// Wavelengths in nanometres: by the stated unit, else micrometres where all numbers are small.
fn in_nanometres(wavelengths: &[f64], factor: Option<f64>) -> Vec<f64> {
    /// Longest wavelength of optical and thermal sensors in micrometres.
    const LARGEST_UM: f64 = 100.0;
    let factor = factor.unwrap_or_else(|| if wavelengths.iter().all(|nm| *nm < LARGEST_UM) { 1000.0 } else { 1.0 });
    // 0.46 µm must read 460 nm, not 460.00000000000006.
    wavelengths.iter().map(|value| (value * factor * 1e6).round() / 1e6).collect()
}

/// What turns values of a stated unit into reflectance.
fn reflectance_factor(unit: &str) -> Option<f64> {
    let unit = unit.to_lowercase();
    (unit.contains("percent") || unit.contains('%')).then_some(0.01)
}

/// Channels that archives mark as deleted.
fn deleted(value: f64) -> bool {
    // USGS splib writes -1.23e34, others the lowest float32.
    !value.is_finite() || value < -1e30
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

/// A class by one of the columns that usually hold it.
fn class_of(attributes: &std::collections::BTreeMap<String, String>) -> Option<String> {
    const KEYS: [&str; 8] =
        ["class", "class_name", "classname", "class name", "label", "material", "category", "species"];
    let by_key = |key: &&str| attributes.iter().find(|(name, _)| name.to_lowercase() == **key);
    KEYS.iter().find_map(by_key).map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
}
