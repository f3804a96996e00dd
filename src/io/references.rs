//! Reference spectra as CSV, in either orientation.
//!
//! - Header `band,<names…>`: a column per reference, a row per band (number or name first).
//! - Header `name,[class_id],[color],[weight],[enabled],<band names…>`: a row per reference; the
//!   four middle columns may be missing and stand in any order.
//!
//! Comma, semicolon or tab, decimal point or comma, lines that begin with `#`, and a byte
//! order mark are all understood. Columns count from 1 in messages, lines as an editor shows them.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use nunatak_domain::class::{ClassId, Rgb};
use nunatak_domain::recipe::Recipe;
use nunatak_domain::spectra::{ReferenceSet, SpectralReference};

use crate::atomic::{AtomicPath, write_plain};
use crate::error::IoError;
use crate::recipe::write_recipe_beside;

/// Reads a reference file.
///
/// # Errors
/// The file cannot be read, or holds no references: which line and column, and why.
pub fn read_references(path: impl AsRef<Path>) -> Result<ReferenceSet, IoError> {
    let path = path.as_ref();
    let fail = |reason: String| IoError::read(path, "references", reason);
    let bytes = std::fs::read(path).map_err(|error| fail(error.to_string()))?;
    // Names from older spreadsheets may be Latin-1; numbers are the same in both.
    parse_references(&String::from_utf8_lossy(&bytes)).map_err(fail)
}

/// Writes a row per reference: name, class_id, color, weight, enabled (where one is not), bands.
/// The recipe goes beside it: not every program skips comments.
///
/// # Errors
/// As `AtomicPath`'s; also for spectra of different lengths, which a table cannot hold.
pub fn write_references(
    path: impl AsRef<Path>,
    set: &ReferenceSet,
    recipe: Option<&Recipe>,
    overwrite: bool,
) -> Result<Vec<PathBuf>, IoError> {
    let path = path.as_ref();
    let n_bands = set.n_bands();
    if let Some(odd) = set.references.iter().find(|reference| reference.spectrum.len() != n_bands) {
        let reason = format!("`{}` has {} values where others have {n_bands}", odd.name, odd.spectrum.len());
        return Err(IoError::write(path, "references", reason));
    }
    let output = AtomicPath::create(path, overwrite)?;
    write_plain(&output.partial(), references_csv(set).as_bytes())
        .map_err(|error| output.failed("references", &error.to_string()))?;
    if let Some(recipe) = recipe {
        write_recipe_beside(&output, recipe)?;
    }
    output.commit()
}

/// The text that `write_references` writes.
pub fn references_csv(set: &ReferenceSet) -> String {
    // A name that begins with `#` is quoted, else it would be read as a comment.
    let mut csv = csv::WriterBuilder::new().comment(Some(b'#')).from_writer(Vec::new());
    let with_enabled = set.references.iter().any(|reference| !reference.enabled);
    let band_name = |index: usize| set.bands.get(index).cloned().unwrap_or_else(|| (index + 1).to_string());
    let mut header = ["name", "class_id", "color", "weight"].map(str::to_owned).to_vec();
    if with_enabled {
        header.push("enabled".to_owned());
    }
    let written = csv.write_record(header.into_iter().chain((0..set.n_bands()).map(band_name)));
    written.expect("writing to memory cannot fail");
    for reference in &set.references {
        let class = reference.class.map_or_else(String::new, |class| class.0.to_string());
        let mut head = vec![reference.name.clone(), class, reference.color.hex(), reference.weight.to_string()];
        if with_enabled {
            head.push(reference.enabled.to_string());
        }
        let values = reference.spectrum.iter().map(f64::to_string);
        csv.write_record(head.into_iter().chain(values)).expect("all rows are as long as the header");
    }
    let bytes = csv.into_inner().expect("writing to memory cannot fail");
    String::from_utf8(bytes).expect("made of strings")
}

struct Table {
    header: Vec<String>,
    /// Line number and cells; as many as the header has.
    rows: Vec<(u64, Vec<String>)>,
    decimal_comma: bool,
}

fn parse_references(text: &str) -> Result<ReferenceSet, String> {
    let table = Table::parse(text)?;
    let first = table.header.first().map(|cell| cell.to_ascii_lowercase()).unwrap_or_default();
    match first.as_str() {
        "band" | "bands" => columns_are_references(&table),
        "name" | "reference" => rows_are_references(&table),
        _ => Err(format!(
            "the first header cell is `{first}`, expected `band` (a column per reference) or `name` (a row per reference)"
        )),
    }
}

fn columns_are_references(table: &Table) -> Result<ReferenceSet, String> {
    if table.header.len() < 2 {
        return Err("there is no column beside `band`".to_owned());
    }
    if table.rows.is_empty() {
        return Err("there is no row below the header".to_owned());
    }
    let mut references: Vec<_> = table.header[1..].iter().enumerate().map(|(index, name)| blank(name, index)).collect();
    let mut bands = Vec::new();
    for (line, cells) in &table.rows {
        bands.push(cells[0].clone());
        for (index, reference) in references.iter_mut().enumerate() {
            reference.spectrum.push(table.number(*line, index + 1, &cells[index + 1])?);
        }
    }
    let numbered = bands.iter().enumerate().all(|(index, band)| *band == (index + 1).to_string());
    Ok(ReferenceSet { references, bands: if numbered { Vec::new() } else { bands } })
}

fn rows_are_references(table: &Table) -> Result<ReferenceSet, String> {
    let column =
        |names: &[&str]| table.header.iter().position(|cell| names.contains(&cell.to_ascii_lowercase().as_str()));
    let class = column(&["class_id", "class"]);
    let color = column(&["color", "colour"]);
    let weight = column(&["weight"]);
    let enabled = column(&["enabled"]);
    let fixed = [Some(0), class, color, weight, enabled];
    let bands: Vec<usize> = (0..table.header.len()).filter(|&index| !fixed.contains(&Some(index))).collect();
    if bands.is_empty() {
        return Err("there are no band columns".to_owned());
    }
    if table.rows.is_empty() {
        return Err("there is no reference below the header".to_owned());
    }
    let mut references = Vec::new();
    for (index, (line, cells)) in table.rows.iter().enumerate() {
        let filled =
            |column: Option<usize>| column.map(|at| (at, cells[at].as_str())).filter(|(_, cell)| !cell.is_empty());
        let mut reference = blank(&cells[0], index);
        if let Some((at, cell)) = filled(class) {
            let id = cell.parse().map_err(|_| place(*line, at, &format!("`{cell}` is no class id")))?;
            reference.class = Some(ClassId(id));
        }
        if let Some((at, cell)) = filled(color) {
            let parsed = Rgb::parse(cell);
            reference.color = parsed.ok_or_else(|| place(*line, at, &format!("`{cell}` is no colour like #1f77b4")))?;
        }
        if let Some((at, cell)) = filled(weight) {
            reference.weight = table.number(*line, at, cell)?;
            if reference.weight <= 0.0 {
                return Err(place(*line, at, "a weight must be above 0"));
            }
        }
        if let Some((at, cell)) = filled(enabled) {
            let parsed = cell.to_ascii_lowercase().parse();
            reference.enabled =
                parsed.map_err(|_| place(*line, at, &format!("`{cell}` is neither `true` nor `false`")))?;
        }
        for &at in &bands {
            reference.spectrum.push(table.number(*line, at, &cells[at])?);
        }
        references.push(reference);
    }
    let names: Vec<String> = bands.iter().map(|&at| table.header[at].clone()).collect();
    let numbered = names.iter().enumerate().all(|(index, name)| *name == (index + 1).to_string());
    Ok(ReferenceSet { references, bands: if numbered { Vec::new() } else { names } })
}

/// A reference without values; colour and name by its place in the list.
fn blank(name: &str, index: usize) -> SpectralReference {
    let name = if name.is_empty() { format!("reference {}", index + 1) } else { name.to_owned() };
    // The first colour of the set is black, which is for no class.
    SpectralReference {
        name,
        color: Rgb::distinct(1 + index % 7),
        class: None,
        weight: 1.0,
        enabled: true,
        spectrum: Vec::new(),
        sample: None,
    }
}

impl Table {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim_start_matches('\u{feff}');
        let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#')).unwrap_or_default();
        let count = |c: char| first.matches(c).count();
        let delimiter = if count('\t') > 0 {
            '\t'
        } else if count(';') > 0 {
            ';'
        } else {
            ','
        };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter as u8)
            .comment(Some(b'#'))
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let mut table = Self { header: Vec::new(), rows: Vec::new(), decimal_comma: delimiter != ',' };
        for record in reader.records() {
            let record = record.map_err(|error| error.to_string())?;
            let line = record.position().map_or(0, csv::Position::line);
            let mut cells: Vec<String> = record.iter().map(str::to_owned).collect();
            if cells.iter().all(String::is_empty) {
                continue;
            }
            if table.header.is_empty() {
                while cells.last().is_some_and(String::is_empty) {
                    cells.pop();
                }
                table.header = cells;
                continue;
            }
            while cells.len() > table.header.len() && cells.last().is_some_and(String::is_empty) {
                cells.pop();
            }
            if cells.len() != table.header.len() {
                let (n, expected) = (cells.len(), table.header.len());
                let mut reason = format!("line {line} has {n} cells where the header has {expected}");
                if n > expected && delimiter == ',' {
                    let _ = write!(reason, " (decimal commas need ; between the cells)");
                }
                return Err(reason);
            }
            table.rows.push((line, cells));
        }
        if table.header.is_empty() {
            return Err("the file is empty".to_owned());
        }
        Ok(table)
    }

    fn number(&self, line: u64, column: usize, cell: &str) -> Result<f64, String> {
        let point = if self.decimal_comma { cell.replace(',', ".") } else { cell.to_owned() };
        match point.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(place(line, column, &format!("`{cell}` is no number"))),
        }
    }
}

fn place(line: u64, column: usize, reason: &str) -> String {
    format!("line {line}, column {}: {reason}", column + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_can_be_references() {
        let set = parse_references("Band,ice,rock\nB2,0.9,0.1\nB3,0.8,0.2\n").unwrap();

        assert_eq!(set.bands, ["B2", "B3"]);
        assert_eq!(set.references[1].name, "rock");
        assert_eq!(set.references[0].spectrum, [0.9, 0.8]);
        assert_eq!(set.references[0].weight, 1.0);
    }

    #[test]
    fn rows_can_be_references_with_their_columns_in_any_order() {
        let text = "# painted in May\nname\tweight\tcolor\tB2\tclass_id\tB3\nice\t1,5\t#0a0b0c\t0,9\t3\t0,8\n";
        let set = parse_references(text).unwrap();

        let ice = &set.references[0];
        assert_eq!(set.bands, ["B2", "B3"]);
        assert_eq!((ice.weight, ice.color, ice.class), (1.5, Rgb([10, 11, 12]), Some(ClassId(3))));
        assert_eq!(ice.spectrum, [0.9, 0.8]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut set = parse_references("name;B2;B3\n\"ice, old\";0.9;1e-7\nrock;0.1;0.30000000000000004\n").unwrap();
        set.references[1].class = Some(ClassId(4));
        set.references[1].weight = 0.25;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("references.csv");

        let recipe = Recipe::new(serde_json::json!({ "command": "save_references" }));
        let written = write_references(&path, &set, Some(&recipe), false).unwrap();

        assert_eq!(written, [path.clone(), folder.path().join("references.csv.recipe.json")]);
        assert_eq!(read_references(&path).unwrap(), set);
        assert_eq!(crate::recipe::read_recipe(&path).unwrap(), Some(recipe));
    }

    #[test]
    fn names_that_begin_with_a_hash_and_disabled_references_are_read_back() {
        let mut set = parse_references("name,B2\nice,0.9\nrock,0.1\n").unwrap();
        set.references[0].name = "#1 ice".to_owned();
        set.references[1].enabled = false;

        let csv = references_csv(&set);

        assert_eq!(parse_references(&csv).unwrap(), set);
        let error = parse_references(&csv.replace("false", "no")).unwrap_err();
        assert_eq!(error, "line 3, column 5: `no` is neither `true` nor `false`");
    }

    #[test]
    fn errors_name_line_and_column() {
        let error = |text: &str| parse_references(text).unwrap_err();

        assert_eq!(error("band,a,b\n1,0.5,x\n"), "line 2, column 3: `x` is no number");
        assert_eq!(error("# c\nband,a,b\n1,0.5\n"), "line 3 has 2 cells where the header has 3");
        assert_eq!(
            error("band,a\n1,0,5\n"),
            "line 2 has 3 cells where the header has 2 (decimal commas need ; between the cells)"
        );
        assert_eq!(error("name,color,b1\nice,red,1\n"), "line 2, column 2: `red` is no colour like #1f77b4");
        assert_eq!(error("band,a\n"), "there is no row below the header");
        assert_eq!(error(""), "the file is empty");
        assert!(error("wavelength,a\n1,2\n").contains("expected `band`"));
    }

    #[test]
    fn the_published_references_are_read() {
        let data = std::env::var("NUNATAK_TEST_DATA").unwrap_or_else(|_| {
            std::env::var("CARGO_MANIFEST_DIR").expect("cargo runs the tests") + "/../../../shared/data"
        });
        let path = Path::new(&data).join("ssmgnet/references.csv");
        if !path.exists() {
            eprintln!("skipped: no {}", path.display());
            return;
        }

        let set = read_references(&path).unwrap();

        assert_eq!((set.references.len(), set.n_bands()), (10, 10));
        assert_eq!(set.references[9].spectrum[0], 0.447467);
    }
}
