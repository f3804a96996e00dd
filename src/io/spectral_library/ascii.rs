//! One spectrum per text file: SVC, Spectral Evolution, ECOSTRESS, USGS splib07.

use std::collections::BTreeMap;
use std::path::Path;

use nunatak_domain::spectra::{LibrarySpectrum, SpectralLibrary};

use super::{deleted, in_nanometres, reflectance_factor, stem, unit_factor};

/// `None` where the text is none of these.
pub(super) fn read(path: &Path, text: &str) -> Result<Option<SpectralLibrary>, String> {
    let first = text.lines().next().unwrap_or_default().trim();
    let has_line = |start: &str| text.lines().take(100).any(|line| line.trim_start().starts_with(start));
    if first.starts_with("/*** Spectra Vista SIG Data") {
        return svc(path, text).map(Some);
    }
    if has_line("Columns [") && has_line("Data:") {
        return spectral_evolution(path, text).map(Some);
    }
    if has_line("First X Value:") || has_line("X Units:") {
        return ecostress(path, text).map(Some);
    }
    if has_line("Name:") && has_line("Wavelength Range:") {
        return Err("it describes a sample and holds no values: open the file ending in spectrum.txt".to_owned());
    }
    if first.starts_with("splib") && first.contains("Record=") {
        return usgs(path, text, first).map(Some);
    }
    Ok(None)
}

/// `key= value` lines up to `data=`, then wavelength, reference, target, reflectance in percent.
/// Numbers are written in the locale of the computer: `338.5` or `338,5`.
fn svc(path: &Path, text: &str) -> Result<SpectralLibrary, String> {
    let mut lines = text.lines().skip(1);
    let mut attributes = BTreeMap::new();
    for line in lines.by_ref() {
        let Some((key, value)) = line.split_once('=') else { continue };
        if key.trim() == "data" {
            break;
        }
        attributes.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    let rows = columns(lines, 4)?;
    let name = attributes.remove("name").map_or_else(|| stem(path), |name| name.trim_end_matches(".sig").to_owned());
    let spectrum = LibrarySpectrum {
        name,
        wavelength_nm: Some(rows.iter().map(|row| row[0]).collect()),
        values: rows.iter().map(|row| row[3]).collect(),
        unit: "reflectance (percent)".to_owned(),
        factor: Some(0.01),
        attributes,
        ..LibrarySpectrum::default()
    };
    let remarks = vec!["reflectance is read; the radiances of target and reference are left out".to_owned()];
    Ok(SpectralLibrary { spectra: vec![spectrum], remarks })
}

/// `Key: value` lines up to `Data:`, a line of column titles, then tabulated columns.
fn spectral_evolution(path: &Path, text: &str) -> Result<SpectralLibrary, String> {
    let mut lines = text.lines();
    let mut attributes = attributes_until(&mut lines, |line| line.trim() == "Data:");
    let titles: Vec<&str> = lines.next().unwrap_or_default().split('\t').map(str::trim).collect();
    let wanted = |title: &&str| {
        let title = title.to_lowercase();
        title.contains("reflect") || title.contains("tgt./ref") || title.contains('%')
    };
    let Some(column) = titles.iter().position(wanted).or(titles.len().checked_sub(1)) else {
        return Err("it has no columns".to_owned());
    };
    let rows = columns(lines, titles.len())?;
    let name = attributes.remove("File Name").unwrap_or_default();
    let name = name.rsplit(['\\', '/']).next().unwrap_or_default().trim_end_matches(".sed").to_owned();
    let spectrum = LibrarySpectrum {
        name: if name.is_empty() { stem(path) } else { name },
        wavelength_nm: Some(rows.iter().map(|row| row[0]).collect()),
        values: rows.iter().map(|row| row[column]).collect(),
        unit: titles[column].to_owned(),
        factor: reflectance_factor(titles[column]),
        attributes,
        ..LibrarySpectrum::default()
    };
    let others: Vec<&str> =
        titles.iter().enumerate().filter(|(i, _)| *i > 0 && *i != column).map(|(_, title)| *title).collect();
    let remarks = match others.as_slice() {
        [] => Vec::new(),
        others => vec![format!("the column `{}` is read; left out: {}", titles[column], others.join(", "))],
    };
    Ok(SpectralLibrary { spectra: vec![spectrum], remarks })
}

/// `Key: value` lines, an empty line, then wavelength and value.
fn ecostress(path: &Path, text: &str) -> Result<SpectralLibrary, String> {
    let data_at = text.lines().position(|line| {
        let mut cells = line.split_whitespace();
        matches!((cells.next(), cells.next(), cells.next()), (Some(x), Some(y), None) if x.parse::<f64>().is_ok() && y.parse::<f64>().is_ok())
    });
    let data_at = data_at.ok_or("it holds no values")?;
    let attributes = attributes_until(&mut text.lines().take(data_at), |_| false);
    let rows = columns(text.lines().skip(data_at), 2)?;
    let get = |key: &str| attributes.get(key).map(String::as_str).unwrap_or_default();
    let mut remarks = Vec::new();
    let x_unit = get("X Units");
    let in_brackets = x_unit.split_once('(').map_or(x_unit, |(_, unit)| unit);
    let x: Vec<f64> = rows.iter().map(|row| row[0]).collect();
    let wavelengths = if x_unit.to_lowercase().contains("wavenumber") {
        remarks.push("wavenumbers per centimetre were turned into wavelengths".to_owned());
        x.iter().map(|wavenumber| 1e7 / wavenumber).collect()
    } else {
        in_nanometres(&x, unit_factor(in_brackets))
    };
    if let Ok(stated) = get("Number of X Values").parse::<usize>()
        && stated != rows.len()
    {
        remarks.push(format!("its header announces {stated} values and it holds {}", rows.len()));
    }
    let class = Some(get("Class").to_owned()).filter(|class| !class.is_empty());
    let name = Some(get("Name").to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| stem(path));
    let spectrum = LibrarySpectrum {
        name,
        wavelength_nm: Some(wavelengths),
        values: rows.iter().map(|row| if deleted(row[1]) { f64::NAN } else { row[1] }).collect(),
        unit: get("Y Units").to_owned(),
        factor: reflectance_factor(get("Y Units")),
        class,
        attributes,
        ..LibrarySpectrum::default()
    };
    Ok(SpectralLibrary { spectra: vec![spectrum], remarks })
}

/// A title and one value per line; wavelengths are in a file of their own in the same folder.
fn usgs(path: &Path, text: &str, title: &str) -> Result<SpectralLibrary, String> {
    let value = |(index, line): (usize, &str)| {
        line.trim().parse::<f64>().map_err(|_| format!("line {}: `{}` is no number", index + 1, line.trim()))
    };
    let lines = text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty());
    let values: Vec<f64> = lines.map(value).collect::<Result<_, _>>()?;
    let name = title.split_once(':').map_or(title, |(_, name)| name).trim().to_owned();
    let mut remarks = Vec::new();
    let n_deleted = values.iter().filter(|value| deleted(**value)).count();
    if n_deleted > 0 {
        remarks.push(format!("{n_deleted} of {} channels are marked as deleted", values.len()));
    }
    let wavelength_nm = beside(path, "wavelengths", values.len()).map(|list| in_nanometres(&list, Some(1000.0)));
    let fwhm_nm = beside(path, "bandpass", values.len()).map(|list| in_nanometres(&list, Some(1000.0)));
    if wavelength_nm.is_none() {
        let n = values.len();
        remarks.push(format!("no wavelengths: the splib file of {n} wavelengths is not in the same folder"));
    }
    let spectrum = LibrarySpectrum {
        name,
        wavelength_nm,
        fwhm_nm,
        values: values.into_iter().map(|value| if deleted(value) { f64::NAN } else { value }).collect(),
        unit: "reflectance".to_owned(),
        ..LibrarySpectrum::default()
    };
    Ok(SpectralLibrary { spectra: vec![spectrum], remarks })
}

/// The numbers of the splib file that lists wavelengths or bandpasses for this many channels.
fn beside(path: &Path, what: &str, n: usize) -> Option<Vec<f64>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut files: Vec<_> = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let named = |file: &std::path::PathBuf| {
        let name = file.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        name.starts_with("splib") && name.contains(what)
    };
    files.into_iter().filter(named).find_map(|file| {
        let text = std::fs::read(file).map(super::decoded).ok()?;
        let numbers: Vec<f64> = text
            .lines()
            .skip(1)
            .filter(|line| !line.trim().is_empty())
            .map(|line| line.trim().parse().ok())
            .collect::<Option<_>>()?;
        (numbers.len() == n).then_some(numbers)
    })
}

/// `Key: value`; lines without a key go on with the value before.
fn attributes_until<'a>(
    lines: &mut impl Iterator<Item = &'a str>,
    end: impl Fn(&str) -> bool,
) -> BTreeMap<String, String> {
    /// Longer ones are sentences that hold a colon.
    const LONGEST_KEY: usize = 40;
    let mut attributes: BTreeMap<String, String> = BTreeMap::new();
    let mut last = String::new();
    for line in lines {
        if end(line) {
            break;
        }
        match line.split_once(':').filter(|(key, _)| !key.is_empty() && key.len() <= LONGEST_KEY) {
            Some((key, value)) => {
                last = key.trim().to_owned();
                attributes.insert(last.clone(), value.trim().to_owned());
            }
            None if !line.trim().is_empty() => {
                if let Some(value) = attributes.get_mut(&last) {
                    value.push(' ');
                    value.push_str(line.trim());
                }
            }
            None => {}
        }
    }
    attributes
}

/// Rows of `n` numbers between blanks or tabs, decimal point or comma.
fn columns<'a>(lines: impl Iterator<Item = &'a str>, n: usize) -> Result<Vec<Vec<f64>>, String> {
    let mut rows = Vec::new();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let number = |cell: &str| cell.replace(',', ".").parse::<f64>();
        let row: Result<Vec<f64>, _> = line.split_whitespace().map(number).collect();
        match row {
            Ok(row) if row.len() == n => rows.push(row),
            Ok(row) => return Err(format!("the row `{}` has {} numbers instead of {n}", line.trim(), row.len())),
            Err(_) => return Err(format!("the row `{}` is not made of numbers", line.trim())),
        }
    }
    if rows.is_empty() { Err("it holds no values".to_owned()) } else { Ok(rows) }
}
