//! Columns of text and numbers as terminals show them.

/// Rows of cells under headings. Columns that are empty in every row are left out;
/// columns that hold only numbers are set flush right.
pub(crate) struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(headings: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { headings: headings.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Lines without the last line end, each indented by `indent` spaces.
    pub(crate) fn text(&self, indent: usize) -> String {
        let columns: Vec<Column> = (0..self.headings.len()).filter_map(|at| self.column(at)).collect();
        let line = |cell: &dyn Fn(usize) -> String| {
            let cells: Vec<_> = columns.iter().map(|column| column.padded(&cell(column.at))).collect();
            format!("{:indent$}{}", "", cells.join("  ")).trim_end().to_owned()
        };
        let heading = line(&|at| self.headings[at].clone());
        let rows = self.rows.iter().map(|row| line(&|at| row.get(at).cloned().unwrap_or_default()));
        std::iter::once(heading).chain(rows).collect::<Vec<_>>().join("\n")
    }

    fn column(&self, at: usize) -> Option<Column> {
        let cells: Vec<&str> = self.rows.iter().map(|row| row.get(at).map_or("", String::as_str)).collect();
        if cells.iter().all(|cell| cell.is_empty()) {
            return None;
        }
        let width = cells.iter().map(|cell| width(cell)).chain([width(&self.headings[at])]).max().unwrap_or(0);
        let number = |cell: &&str| cell.trim_end_matches([' ', '%']).parse::<f64>().is_ok() || cell.is_empty();
        Some(Column { at, width, right: cells.iter().all(number) })
    }
}

struct Column {
    at: usize,
    width: usize,
    right: bool,
}

impl Column {
    fn padded(&self, cell: &str) -> String {
        let space = " ".repeat(self.width.saturating_sub(width(cell)));
        if self.right { space + cell } else { cell.to_owned() + &space }
    }
}

/// Characters, which is what most terminals' columns are for the names that occur here.
fn width(text: &str) -> usize {
    text.chars().count()
}

/// Six significant digits, no trailing zeros; very large and small values with an exponent.
pub(crate) fn number(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value == value.trunc() && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    let magnitude = value.abs().log10().floor();
    if !(-4.0..15.0).contains(&magnitude) {
        return format!("{value:.5e}");
    }
    let decimals = (5.0 - magnitude).max(0.0) as usize;
    trimmed(format!("{value:.decimals$}"))
}

/// A coordinate or pixel size: the digits it needs, at most twelve.
pub(crate) fn coordinate(value: f64) -> String {
    let before_point = value.abs().max(1.0).log10().floor();
    let decimals = (11.0 - before_point).clamp(0.0, 9.0) as usize;
    trimmed(format!("{value:.decimals$}"))
}

fn trimmed(text: String) -> String {
    if !text.contains('.') {
        return text;
    }
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_columns_vanish_and_numbers_stand_right() {
        let mut table = Table::new(["#", "Name", "Unit", "Share"]);
        table.row(["1", "B01 coastal", "", "5 %"].map(str::to_owned));
        table.row(["12", "NIR", "", "95 %"].map(str::to_owned));

        assert_eq!(table.text(2), "   #  Name         Share\n   1  B01 coastal    5 %\n  12  NIR           95 %");
    }

    #[test]
    fn numbers_have_the_digits_they_need() {
        assert_eq!(number(255.0), "255");
        assert_eq!(number(-0.0123456), "-0.0123456");
        assert_eq!(number(1234.56789), "1234.57");
        assert_eq!(number(1e-9), "1.00000e-9");
        assert_eq!(number(f64::NAN), "nan");
        assert_eq!(coordinate(0.1), "0.1");
        assert_eq!(coordinate(344_790.0), "344790");
        assert_eq!(coordinate(5_974_133.053_545_281), "5974133.05355");
    }
}
