//! ENVI spectral libraries: a text header, values of one spectrum per line in a binary file,
//! and beside them the attribute table (`.csv`) and class definitions (`.json`) of EnMAP-Box.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nunatak_domain::spectra::{LibrarySpectrum, SpectralLibrary};

use super::{class_of, deleted, in_nanometres, reflectance_factor, unit_factor};

/// Keys in lower case; lists without their braces.
type Header = BTreeMap<String, String>;

/// Text of the header and place of the values, whichever of both was named; `None` where there
/// is no ENVI header.
pub(super) fn header_and_data(path: &Path) -> Result<Option<(String, PathBuf)>, String> {
    let is_header = |path: &Path| {
        let mut start = [0; 4];
        std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start)).is_ok()
            && &start == b"ENVI"
    };
    let text = |path: &Path| std::fs::read(path).map(super::decoded).map_err(|error| error.to_string());
    if is_header(path) {
        let without = path.with_extension("");
        let candidates =
            [without.clone(), path.with_extension("sli"), path.with_extension("slb"), path.with_extension("esl")];
        let data = candidates.into_iter().find(|data| data != path && data.is_file());
        let data = data.ok_or_else(|| format!("its data file {} is missing", path.with_extension("sli").display()))?;
        return Ok(Some((text(path)?, data)));
    }
    let mut appended = path.as_os_str().to_owned();
    appended.push(".hdr");
    for header in [PathBuf::from(appended), path.with_extension("hdr")] {
        // `library.csv` lies beside `library.hdr` and is no ENVI data.
        let other = path
            .extension()
            .is_some_and(|ending| ["csv", "json", "txt", "xml"].iter().any(|known| ending.eq_ignore_ascii_case(known)));
        if !other && is_header(&header) {
            return Ok(Some((text(&header)?, path.to_owned())));
        }
    }
    Ok(None)
}

pub(super) fn read(header: &str, data: &Path) -> Result<SpectralLibrary, String> {
    let header = parse(header);
    let get = |key: &str| header.get(key).map(String::as_str);
    let kind = get("file type").unwrap_or_default().to_lowercase();
    if !kind.contains("spectral library") {
        return Err(format!(
            "its header says `{}`: a raster, not a spectral library",
            get("file type").unwrap_or("no file type")
        ));
    }
    let number = |key: &str, default: Option<usize>| {
        get(key).map_or(default.ok_or_else(|| format!("its header has no `{key}`")), |text| {
            text.parse().map_err(|_| format!("its header says `{key} = {text}`, which is no number"))
        })
    };
    let (n_bands, n_spectra) = (number("samples", None)?, number("lines", None)?);
    if number("bands", Some(1))? != 1 {
        return Err("a spectral library has one band, its header says otherwise".to_owned());
    }
    let bytes = std::fs::read(data).map_err(|error| error.to_string())?;
    let offset = number("header offset", Some(0))?;
    let big_endian = get("byte order") == Some("1");
    let values = decode(&bytes, offset, n_bands.saturating_mul(n_spectra), number("data type", None)?, big_endian)?;

    let mut remarks = Vec::new();
    let wavelengths = wavelengths(&header, n_bands, &mut remarks);
    let widths = numbers(&header, "fwhm", n_bands, &mut remarks).map(|widths| {
        in_nanometres(&widths, unit_factor(get("wavelength units").unwrap_or_default()).or(Some(guessed(&header))))
    });
    let names = names(&header, n_spectra, &mut remarks);
    let title = list(&header, "z plot titles").get(1).cloned().unwrap_or_default();
    let factor = stated_factor(&header, &title);
    if let Some(bad) = numbers(&header, "bbl", n_bands, &mut remarks) {
        let n_bad = bad.iter().filter(|flag| **flag == 0.0).count();
        if n_bad > 0 {
            remarks.push(format!("{n_bad} of {n_bands} bands are marked as bad and kept"));
        }
    }
    let ignored: Option<f64> = get("data ignore value").and_then(|text| text.parse().ok());
    let spectra = values.chunks_exact(n_bands.max(1)).zip(names).map(|(values, name)| LibrarySpectrum {
        name,
        wavelength_nm: wavelengths.clone(),
        fwhm_nm: widths.clone(),
        values: values.iter().map(|&v| if deleted(v) || Some(v) == ignored { f64::NAN } else { v }).collect(),
        unit: title.clone(),
        factor,
        ..LibrarySpectrum::default()
    });
    let mut library = SpectralLibrary { spectra: spectra.collect(), remarks };
    add_attributes(&mut library, data);
    Ok(library)
}

fn parse(text: &str) -> Header {
    let mut header = Header::new();
    let mut lines = text.lines().skip(1);
    while let Some(line) = lines.next() {
        let Some((key, value)) = line.split_once('=') else { continue };
        let mut value = value.trim().to_owned();
        if value.starts_with('{') {
            while !value.trim_end().ends_with('}') {
                let Some(line) = lines.next() else { break };
                value.push('\n');
                value.push_str(line);
            }
            value = value.trim().trim_start_matches('{').trim_end_matches('}').to_owned();
        }
        header.insert(key.trim().to_lowercase(), value.trim().to_owned());
    }
    header
}

fn list(header: &Header, key: &str) -> Vec<String> {
    let text = header.get(key).map(String::as_str).unwrap_or_default();
    let entries = text.split(',').map(|entry| entry.split_whitespace().collect::<Vec<_>>().join(" "));
    let mut entries: Vec<String> = entries.collect();
    // Nothing, or a comma at the end of the list.
    if entries.last().is_some_and(String::is_empty) {
        entries.pop();
    }
    entries
}

fn numbers(header: &Header, key: &str, n: usize, remarks: &mut Vec<String>) -> Option<Vec<f64>> {
    header.get(key)?;
    let entries = list(header, key);
    let numbers: Option<Vec<f64>> = entries.iter().map(|entry| entry.parse().ok()).collect();
    match numbers {
        Some(numbers) if numbers.len() == n => Some(numbers),
        Some(numbers) => {
            remarks.push(format!("the {key} list has {} entries for {n} bands and is left out", numbers.len()));
            None
        }
        None => {
            remarks.push(format!("the {key} list holds something that is no number and is left out"));
            None
        }
    }
}

fn guessed(header: &Header) -> f64 {
    let wavelengths: Vec<f64> = list(header, "wavelength").iter().filter_map(|entry| entry.parse().ok()).collect();
    if wavelengths.iter().all(|value| *value < 100.0) { 1000.0 } else { 1.0 }
}

fn wavelengths(header: &Header, n_bands: usize, remarks: &mut Vec<String>) -> Option<Vec<f64>> {
    let wavelengths = numbers(header, "wavelength", n_bands, remarks)?;
    let unit = header.get("wavelength units").map(String::as_str).unwrap_or_default();
    let factor = unit_factor(unit);
    let lower = unit.to_lowercase();
    if ["wavenumber", "ghz", "mhz", "index"].iter().any(|other| lower.contains(other)) {
        remarks.push(format!("the bands' positions are given in `{unit}` and are left out"));
        return None;
    }
    if factor.is_none() {
        let guess = if guessed(header) == 1.0 { "nanometres" } else { "micrometres" };
        remarks.push(format!("the unit of wavelengths is not stated and taken to be {guess}"));
    }
    Some(in_nanometres(&wavelengths, factor))
}

fn names(header: &Header, n: usize, remarks: &mut Vec<String>) -> Vec<String> {
    let names = list(header, "spectra names");
    if names.len() == n {
        return names;
    }
    if !names.is_empty() {
        remarks.push(format!(
            "the list of names has {} entries for {n} spectra (a comma inside a name?): numbered",
            names.len()
        ));
    }
    (1..=n).map(|number| format!("spectrum {number}")).collect()
}

/// `reflectance scale factor = 10000`, or `reflectance [*10000]` in the plot's title.
fn stated_factor(header: &Header, title: &str) -> Option<f64> {
    let stated = header.get("reflectance scale factor").and_then(|text| text.parse::<f64>().ok());
    let in_title = || {
        let digits = title.split(['*', '×']).nth(1)?;
        let end = digits.trim_start().find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
        digits.trim_start()[..end].parse::<f64>().ok()
    };
    let scale = stated.or_else(in_title).filter(|scale| *scale > 0.0 && scale.is_finite());
    scale.map(|scale| 1.0 / scale).or_else(|| reflectance_factor(title))
}

/// ENVI's type codes; `n` values from `offset` on.
fn decode(bytes: &[u8], offset: usize, n: usize, code: usize, big_endian: bool) -> Result<Vec<f64>, String> {
    fn each<const N: usize>(bytes: &[u8], big_endian: bool, value: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        let value = |chunk: &[u8]| {
            let mut array: [u8; N] = chunk.try_into().expect("chunks have N bytes");
            if big_endian {
                array.reverse();
            }
            value(array)
        };
        bytes.chunks_exact(N).map(value).collect()
    }
    let width = match code {
        1 => 1,
        2 | 12 => 2,
        3 | 4 | 13 => 4,
        5 | 14 | 15 => 8,
        _ => return Err(format!("values of ENVI's data type {code} are not read")),
    };
    let expected = n.saturating_mul(width);
    let Some(bytes) = bytes.get(offset..offset.saturating_add(expected)) else {
        let present = bytes.len();
        return Err(format!("the data file is cut off: it has {present} of {} bytes", offset.saturating_add(expected)));
    };
    Ok(match code {
        1 => bytes.iter().map(|&byte| f64::from(byte)).collect(),
        2 => each(bytes, big_endian, |b| f64::from(i16::from_le_bytes(b))),
        3 => each(bytes, big_endian, |b| f64::from(i32::from_le_bytes(b))),
        4 => each(bytes, big_endian, |b| f64::from(f32::from_le_bytes(b))),
        5 => each(bytes, big_endian, f64::from_le_bytes),
        12 => each(bytes, big_endian, |b| f64::from(u16::from_le_bytes(b))),
        13 => each(bytes, big_endian, |b| f64::from(u32::from_le_bytes(b))),
        14 => each(bytes, big_endian, |b| i64::from_le_bytes(b) as f64),
        _ => each(bytes, big_endian, |b| u64::from_le_bytes(b) as f64),
    })
}

/// EnMAP-Box: `<stem>.csv` has a row per spectrum, `<stem>.json` says which of its columns are
/// classifications.
fn add_attributes(library: &mut SpectralLibrary, data: &Path) {
    let Ok(text) = std::fs::read(data.with_extension("csv")).map(super::decoded) else { return };
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let Ok(header) = reader.headers().cloned() else { return };
    if header.get(0).map(str::to_lowercase).as_deref() != Some("spectra names") {
        return;
    }
    let rows: Vec<csv::StringRecord> = reader.records().filter_map(Result::ok).collect();
    if rows.len() != library.spectra.len() {
        let (n, expected) = (rows.len(), library.spectra.len());
        library
            .remarks
            .push(format!("the attribute table beside it has {n} rows for {expected} spectra and is left out"));
        return;
    }
    for (spectrum, row) in library.spectra.iter_mut().zip(&rows) {
        for (key, value) in header.iter().zip(row).skip(1).filter(|(_, value)| !value.is_empty()) {
            spectrum.attributes.insert(key.to_owned(), value.to_owned());
        }
        spectrum.class = class_of(&spectrum.attributes);
        spectrum.attributes.remove("class");
    }
    if let Some(key) = class_column(data).filter(|key| header.iter().any(|name| name == key)) {
        for spectrum in &mut library.spectra {
            spectrum.class = spectrum.attributes.get(&key).cloned();
        }
        library.remarks.push(format!("classes are those of the column {key}"));
    }
}

/// The classification with the most categories.
fn class_column(data: &Path) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(data.with_extension("json")).ok()?).ok()?;
    let n_categories = |definition: &serde_json::Value| definition["categories"].as_array().map_or(0, Vec::len);
    let columns = json.as_object()?.iter().filter(|(_, definition)| n_categories(definition) > 0);
    columns.max_by_key(|(_, definition)| n_categories(definition)).map(|(key, _)| key.clone())
}
