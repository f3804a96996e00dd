//! Spectra in tables, in either orientation: a row per spectrum under a header of wavelengths,
//! or a column per spectrum beside a column of wavelengths.

use std::collections::BTreeMap;
use std::path::Path;

use nunatak_domain::spectra::{LibrarySpectrum, SpectralLibrary, TargetBand};

use super::{class_of, deleted, in_nanometres, reflectance_factor, stem, unit_factor};

/// Columns that hold a spectrum's name, best first.
const NAME_COLUMNS: [&str; 8] =
    ["name", "spectra names", "spectrum name", "sample name", "sample_name", "spectra", "spectrum", "sample"];
const WAVELENGTH_COLUMNS: [&str; 9] =
    ["wavelength", "wavelengths", "wvl", "wl", "nm", "wavelength_nm", "wavelength (nm)", "wavelength (um)", "lambda"];

struct Table {
    rows: Vec<Vec<String>>,
    decimal_comma: bool,
}

/// # Errors
/// No wavelengths in the header or in the first column, or cells that are no numbers.
pub(super) fn read(path: &Path, text: &str) -> Result<SpectralLibrary, String> {
    let table = Table::parse(text)?;
    let (header, rows) = table.rows.split_first().ok_or("the file is empty")?;
    if rows.is_empty() {
        return Err("there is nothing below the header".to_owned());
    }
    if header.len() == 2 && band_definitions(text).is_some() {
        return Err("it holds band centres and widths, no spectra".to_owned());
    }
    if let Some(first) = table.artmo_start() {
        return table.artmo(path, first);
    }
    let wavelength_columns: Vec<usize> =
        (0..header.len()).filter(|&column| wavelength(&header[column], table.decimal_comma).is_some()).collect();
    let body_is_numbers = wavelength_columns.iter().all(|&column| table.value(&rows[0], column).is_ok());
    if wavelength_columns.len() >= 2 && body_is_numbers {
        return table.rows_are_spectra(path, &wavelength_columns);
    }
    if table.ascending_first_column() {
        return table.columns_are_spectra();
    }
    Err(format!(
        "no known format: neither the header nor the first column holds wavelengths (the first cell is `{}`)",
        shortened(&header[0])
    ))
}

/// A table of `wavelength` and `fwhm` and nothing else.
pub(super) fn band_definitions(text: &str) -> Option<Vec<TargetBand>> {
    let table = Table::parse(text).ok()?;
    let (header, rows) = table.rows.split_first()?;
    let column = |names: &[&str]| header.iter().position(|cell| names.contains(&cell.to_lowercase().as_str()));
    let wavelength = column(&WAVELENGTH_COLUMNS)?;
    let width = column(&["fwhm", "fwhm_nm", "bandwidth"])?;
    let cells = |column: usize| rows.iter().map(|row| table.value(row, column).ok()).collect::<Option<Vec<f64>>>();
    let centres = cells(wavelength)?;
    let factor = if centres.iter().all(|centre| *centre < 100.0) { 1000.0 } else { 1.0 };
    let centres = in_nanometres(&centres, Some(factor));
    let widths = in_nanometres(&cells(width)?, Some(factor));
    let band = |(centre, width): (&f64, &f64)| TargetBand {
        name: format!("{centre} nm"),
        wavelength_nm: Some(*centre),
        fwhm_nm: Some(*width),
    };
    Some(centres.iter().zip(&widths).map(band).collect())
}

impl Table {
    fn parse(text: &str) -> Result<Self, String> {
        let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#')).unwrap_or_default();
        let count = |c: char| first.matches(c).count();
        let delimiter = match (count('\t'), count(';'), count(',')) {
            (tabs, _, _) if tabs > 0 => b'\t',
            (_, semicolons, _) if semicolons > 0 => b';',
            _ => b',',
        };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .comment(Some(b'#'))
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let mut rows: Vec<Vec<String>> = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| error.to_string())?;
            let cells: Vec<String> = record.iter().map(str::to_owned).collect();
            if cells.iter().any(|cell| !cell.is_empty()) {
                rows.push(cells);
            }
        }
        let header = rows.first_mut().ok_or("the file is empty")?;
        while header.last().is_some_and(String::is_empty) {
            header.pop();
        }
        let n = header.len();
        for (index, row) in rows.iter_mut().enumerate() {
            while row.len() > n && row.last().is_some_and(String::is_empty) {
                row.pop();
            }
            if row.len() != n {
                return Err(format!(
                    "no known format: as a table, row {} has {} cells where the first has {n}",
                    index + 1,
                    row.len()
                ));
            }
        }
        Ok(Self { rows, decimal_comma: delimiter != b',' })
    }

    /// NaN for empty cells and what stands for "not available".
    fn value(&self, row: &[String], column: usize) -> Result<f64, String> {
        let cell = row[column].as_str();
        if cell.is_empty() || ["na", "nan", "n/a", "null"].contains(&cell.to_lowercase().as_str()) {
            return Ok(f64::NAN);
        }
        let value = number(cell, self.decimal_comma).ok_or_else(|| {
            format!(
                "column {} (`{}`): `{}` is no number",
                column + 1,
                shortened(&self.rows[0][column]),
                shortened(cell)
            )
        })?;
        Ok(if deleted(value) { f64::NAN } else { value })
    }

    fn rows_are_spectra(&self, path: &Path, columns: &[usize]) -> Result<SpectralLibrary, String> {
        let (header, rows) = self.rows.split_first().expect("the caller has looked at it");
        let text_columns: Vec<usize> = (0..header.len()).filter(|column| !columns.contains(column)).collect();
        let named =
            |wanted: &&str| text_columns.iter().copied().find(|&column| header[column].to_lowercase() == **wanted);
        let name_column = NAME_COLUMNS.iter().find_map(named).or(text_columns.first().copied());
        let unit_column = ["measurement units", "unit", "units"].iter().find_map(named);
        let factor_column = named(&"factor");

        let positions: Vec<f64> =
            columns.iter().filter_map(|&column| wavelength(&header[column], self.decimal_comma)).collect();
        let numbered = positions.iter().zip(1..).all(|(position, number)| *position == f64::from(number));
        let stated = named(&"wavelength units").and_then(|column| unit_factor(&rows[0][column]));
        let stated =
            stated.or_else(|| unit_factor(header[columns[0]].trim_start_matches(|c: char| !c.is_alphabetic())));
        let wavelength_nm = (!numbered).then(|| in_nanometres(&positions, stated));
        let mut remarks = Vec::new();
        if numbered {
            remarks.push("the columns are numbered: no wavelengths are known".to_owned());
        }
        let mut spectra = Vec::new();
        let mut n_missing = 0;
        for (index, row) in rows.iter().enumerate() {
            let values: Vec<f64> = columns
                .iter()
                .map(|&column| self.value(row, column))
                .collect::<Result<_, _>>()
                .map_err(|reason| format!("row {}: {reason}", index + 2))?;
            n_missing += values.iter().filter(|value| value.is_nan()).count();
            let mut attributes: BTreeMap<String, String> = text_columns
                .iter()
                .filter(|&&column| !row[column].is_empty() && Some(column) != factor_column)
                .map(|&column| (header[column].clone(), row[column].clone()))
                .collect();
            let unit = unit_column.map(|column| row[column].clone()).unwrap_or_default();
            let name = name_column.map(|column| row[column].clone()).filter(|name| !name.is_empty());
            let class = class_of(&attributes);
            for column in [name_column, unit_column].into_iter().flatten() {
                attributes.remove(&header[column]);
            }
            attributes.remove("class");
            spectra.push(LibrarySpectrum {
                name: name.unwrap_or_else(|| format!("{} {}", stem(path), index + 1)),
                wavelength_nm: wavelength_nm.clone(),
                values,
                factor: factor_column
                    .and_then(|column| number(&row[column], self.decimal_comma))
                    .or_else(|| reflectance_factor(&unit)),
                unit,
                class,
                attributes,
                ..LibrarySpectrum::default()
            });
        }
        if n_missing > 0 {
            remarks.push(format!("{n_missing} values are missing"));
        }
        Ok(SpectralLibrary { spectra, remarks })
    }

    /// Numbers that rise or fall all the way down, and only numbers beside them.
    fn ascending_first_column(&self) -> bool {
        let positions: Option<Vec<f64>> =
            self.rows[1..].iter().map(|row| number(&row[0], self.decimal_comma)).collect();
        let Some(positions) = positions.filter(|positions| positions.len() >= 2) else { return false };
        positions.iter().all(|nm| *nm > 0.0)
            && (positions.is_sorted_by(|a, b| a < b) || positions.is_sorted_by(|a, b| a > b))
            && self.rows[0].len() >= 2
            && (1..self.rows[0].len()).all(|column| self.value(&self.rows[1], column).is_ok())
    }

    fn columns_are_spectra(&self) -> Result<SpectralLibrary, String> {
        let (header, rows) = self.rows.split_first().expect("the caller has looked at it");
        let column_of = |column: usize| {
            let cell = |(index, row): (usize, &Vec<String>)| {
                self.value(row, column).map_err(|reason| format!("row {}: {reason}", index + 2))
            };
            rows.iter().enumerate().map(cell).collect::<Result<Vec<f64>, _>>()
        };
        let title = &header[0];
        let stated = title.split(['(', '[', '_', ' ']).skip(1).find_map(unit_factor);
        let positions = column_of(0)?;
        let width_column = (1..header.len()).find(|&column| header[column].to_lowercase().starts_with("fwhm"));
        let lower = title.to_lowercase();
        let numbered = positions.iter().zip(1..).all(|(position, number)| *position == f64::from(number));
        let is_wavelength =
            !(numbered && (lower.starts_with("band") || lower.is_empty() || lower.starts_with("channel")));
        let wavelength_nm = is_wavelength.then(|| in_nanometres(&positions, stated));
        let fwhm_nm = width_column.map(column_of).transpose()?;
        let mut spectra = Vec::new();
        for column in (1..header.len()).filter(|column| Some(*column) != width_column) {
            let name = if header[column].is_empty() { format!("spectrum {column}") } else { header[column].clone() };
            spectra.push(LibrarySpectrum {
                name,
                wavelength_nm: wavelength_nm.clone(),
                fwhm_nm: fwhm_nm.clone(),
                values: column_of(column)?,
                ..LibrarySpectrum::default()
            });
        }
        let remarks = if is_wavelength {
            Vec::new()
        } else {
            vec!["the bands are numbered: no wavelengths are known".to_owned()]
        };
        Ok(SpectralLibrary { spectra, remarks })
    }

    /// ARTMO: a first row of zeros, one per model parameter, and then wavelengths; below it the
    /// parameters and the values. Gives the column of the first wavelength.
    fn artmo_start(&self) -> Option<usize> {
        let numbers: Vec<f64> =
            self.rows[0].iter().map(|cell| number(cell, self.decimal_comma)).collect::<Option<_>>()?;
        let first = numbers.iter().position(|value| *value != 0.0)?;
        (first > 0 && numbers.len() > first + 1 && numbers[first..].is_sorted_by(|a, b| a < b)).then_some(first)
    }

    fn artmo(&self, path: &Path, first: usize) -> Result<SpectralLibrary, String> {
        let (header, rows) = self.rows.split_first().expect("the caller has looked at it");
        let parameters = artmo_parameters(path, first);
        let positions: Vec<f64> = header[first..].iter().filter_map(|cell| number(cell, self.decimal_comma)).collect();
        let wavelength_nm = in_nanometres(&positions, None);
        let mut spectra = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let values = (first..row.len()).map(|column| self.value(row, column)).collect::<Result<Vec<f64>, _>>();
            let values = values.map_err(|reason| format!("row {}: {reason}", index + 2))?;
            spectra.push(LibrarySpectrum {
                name: format!("{} {}", stem(path), index + 1),
                wavelength_nm: Some(wavelength_nm.clone()),
                values,
                unit: "directional reflectance".to_owned(),
                attributes: parameters.iter().cloned().zip(row[..first].iter().cloned()).collect(),
                ..LibrarySpectrum::default()
            });
        }
        let remarks = vec!["modelled spectra of ARTMO; the model's parameters are kept as attributes".to_owned()];
        Ok(SpectralLibrary { spectra, remarks })
    }
}

/// `Column 3: Cm  min: …` in `<stem>_meta.txt`, else numbers.
fn artmo_parameters(path: &Path, n: usize) -> Vec<String> {
    let meta = path.with_file_name(format!("{}_meta.txt", stem(path)));
    let text = std::fs::read(meta).map(super::decoded).unwrap_or_default();
    let name = |number: usize| {
        let start = format!("Column {number}:");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        line.and_then(|rest| rest.split_whitespace().next())
            .map_or_else(|| format!("parameter {number}"), str::to_owned)
    };
    (1..=n).map(name).collect()
}

/// A header cell that names a wavelength: `442.7`, `0.443 µm`, `X442.7`, `665nm`.
fn wavelength(cell: &str, decimal_comma: bool) -> Option<f64> {
    let cell = cell.trim().trim_start_matches(['X', 'x']);
    let end = cell.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ','))).unwrap_or(cell.len());
    let rest = cell[end..].trim();
    if !rest.is_empty() && unit_factor(rest).is_none() {
        return None;
    }
    number(&cell[..end], decimal_comma).filter(|nm| *nm > 0.0)
}

fn number(cell: &str, decimal_comma: bool) -> Option<f64> {
    if decimal_comma { cell.replace(',', ".").parse().ok() } else { cell.parse().ok() }
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.chars().count() <= LONGEST { text.to_owned() } else { text.chars().take(LONGEST).chain(['…']).collect() }
}
