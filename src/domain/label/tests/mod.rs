//! Tests of the label engine as a whole; expected values of `expected.json` were computed by
//! rasterio, scipy and scikit-image (`scripts/make_label_fixtures.py`).

mod gestures;
mod grown;
mod masks;
mod processed;
mod shapes;

use std::path::PathBuf;

use super::{LabelLayer, LabelPen, PaintRule, PixelMask, PixelRun, Target, UNLABELLED};
use crate::class::ClassId;
use crate::geo::PixelPos;

fn expected() -> serde_json::Value {
    let folder = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let text = std::fs::read_to_string(folder.join("../../tests/fixtures/labels/expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn rule(class: u32) -> PaintRule {
    PaintRule { class: Some(ClassId(class)), onto: Target::Any }
}

fn pos(col: f64, row: f64) -> PixelPos {
    PixelPos::new(col, row)
}

fn runs(value: &serde_json::Value) -> PixelMask {
    PixelMask::from_runs(serde_json::from_value::<Vec<PixelRun>>(value.clone()).unwrap())
}

/// Rows of digits, `.` without a label, at `(col, row)` of an otherwise empty layer.
fn layer_of(rows: &[String], (col, row): (usize, usize), (width, height): (usize, usize)) -> LabelLayer {
    let mut layer = LabelLayer::new(width, height);
    let mut pen = LabelPen::default();
    for (y, line) in rows.iter().enumerate() {
        for (x, digit) in line.chars().enumerate() {
            if let Some(class) = digit.to_digit(10) {
                pen.paint_row(&mut layer, row + y, col + x..col + x + 1, rule(class));
            }
        }
    }
    pen.lift(&mut layer);
    layer
}

fn rows_of(layer: &LabelLayer, (col, row): (usize, usize), (width, height): (usize, usize)) -> Vec<String> {
    let ids = layer.read(crate::grid::PixelRect::new(col, row, width, height));
    let digit = |id: &u16| if *id == UNLABELLED { '.' } else { char::from_digit(u32::from(*id), 10).unwrap() };
    ids.chunks(width).map(|row| row.iter().map(digit).collect()).collect()
}

fn lines(value: &serde_json::Value) -> Vec<String> {
    serde_json::from_value(value.clone()).unwrap()
}
