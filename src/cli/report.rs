//! Results of jobs: files written and facts, as text or JSON.

use nunatak_app::{JobReport, OpenModel};
use serde_json::{Map, Value, json};

use crate::scene_report::{field, percent, plural, scene_json, scene_text, section};
use crate::screen::{Screen, duration};
use crate::table::{Table, number};

/// Fact of an `Info` report: west, south, east, north in degrees.
const LON_LAT: &str = "lon_lat";

/// Prints the reports of one command; `line` is its number in a script.
pub(crate) fn print(screen: &Screen, line: Option<usize>, command: &Value, reports: &[JobReport]) {
    if !screen.json() {
        for report in reports {
            let text = report_text(report);
            if !text.is_empty() {
                screen.result(&text);
            }
        }
        return;
    }
    let mut result = match reports {
        [report] => report_json(report),
        [] => json!({}),
        several => json!({ "jobs": several.iter().map(report_json).collect::<Vec<_>>() }),
    };
    match line {
        // Scripts print JSON lines.
        Some(number) => {
            result["line"] = number.into();
            result["command"] = command.clone();
            screen.result(&result.to_string());
        }
        None => screen.result(&pretty(&result)),
    }
}

pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn report_json(report: &JobReport) -> Value {
    let mut object = match &report.info {
        Some(info) => scene_json(info, lon_lat(report)).as_object().cloned().unwrap_or_default(),
        None => Map::new(),
    };
    for (name, value) in &report.facts {
        if name != LON_LAT || report.info.is_none() {
            object.insert(name.clone(), value.clone());
        }
    }
    if !report.outputs.is_empty() {
        object.insert("outputs".to_owned(), json!(report.outputs));
    }
    Value::Object(object)
}

fn report_text(report: &JobReport) -> String {
    let mut lines: Vec<String> = report.outputs.iter().map(|path| path.display().to_string()).collect();
    if let Some(info) = &report.info {
        lines.push(scene_text(info, lon_lat(report)));
    }
    let shown: Vec<_> = report.facts.iter().filter(|(name, value)| worth_a_line(name, value)).collect();
    let scalars: Vec<_> = shown
        .iter()
        .filter(|(name, _)| !holds_sentences(name))
        .filter_map(|(name, value)| Some((label(name), scalar_text(name, value)?)))
        .collect();
    let width = scalars.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    lines.extend(scalars.iter().map(|(label, text)| format!("{label:width$}  {text}")));
    for (name, value) in &shown {
        let text = match name.as_str() {
            "confusion" => matrix_text(value),
            name if holds_sentences(name) => sentences_text(value),
            _ => rows_text(value),
        };
        section(&mut lines, &label(name), text);
    }
    lines.join("\n").trim_start().to_owned()
}

/// Counts of what did not happen are left to JSON.
fn worth_a_line(name: &str, value: &Value) -> bool {
    let counts_exceptions = matches!(name, "too_small" | "merged" | "tiles_resumed" | "n_different")
        || matches!(name, "nodata_px" | "unclassified_px" | "unmapped_px")
        || name.starts_with("too_small_area")
        || name.starts_with("merged_area");
    name != LON_LAT && !(counts_exceptions && value.as_f64() == Some(0.0))
}

fn lon_lat(report: &JobReport) -> Option<[f64; 4]> {
    let (_, value) = report.facts.iter().find(|(name, _)| name == LON_LAT)?;
    let numbers: Vec<f64> = value.as_array()?.iter().map(Value::as_f64).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

/// `mean_similarity` is read as `Mean similarity`.
fn label(name: &str) -> String {
    match name {
        "tiles_per_second" => return "Tiles/s".to_owned(),
        "nodata_px" => return "Nodata pixels".to_owned(),
        "gradcam_class" => return "Grad-CAM class".to_owned(),
        "id" => return "Value".to_owned(),
        "crs" => return "CRS".to_owned(),
        "iou" => return "IoU".to_owned(),
        _ => {}
    }
    if let Some(name) = name.strip_suffix("_95") {
        return format!("{} ± 95 %", label(name));
    }
    if let Some(name) = name.strip_suffix("_se") {
        return format!("{} SE", label(name));
    }
    if let Some(name) = name.strip_suffix("_px") {
        return format!("{} pixels", label(name));
    }
    if let Some(name) = name.strip_prefix("n_") {
        return label(name);
    }
    let name = name.replace("iou", "IoU");
    if let Some(name) = name.strip_suffix("_m2") {
        return format!("{} (m²)", label(name));
    }
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// One line's value; `None` for what needs several.
fn scalar_text(name: &str, value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("none".to_owned()),
        Value::Bool(yes) => Some(if *yes { "yes" } else { "no" }.to_owned()),
        Value::String(text) => Some(text.clone()),
        Value::Number(n) => {
            let n = n.as_f64().unwrap_or(f64::NAN);
            Some(match name {
                "seconds" if n >= 10.0 => duration(n),
                "seconds" => format!("{n:.2}"),
                _ if name.ends_with("share") => percent(n),
                _ => number(n),
            })
        }
        Value::Array(items) if items.is_empty() => Some("none".to_owned()),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            let parts: Vec<_> = items.iter().filter_map(|item| scalar_text(name, item)).collect();
            Some(parts.join(", "))
        }
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Lists of sentences take a line each.
fn holds_sentences(name: &str) -> bool {
    matches!(name, "remarks" | "differences")
}

fn sentences_text(value: &Value) -> String {
    let sentences = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    sentences.map(|sentence| format!("  {sentence}")).collect::<Vec<_>>().join("\n")
}

/// A confusion matrix: rows are the truth, columns the map.
fn matrix_text(value: &Value) -> String {
    let names: Vec<&str> = value["names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut table = Table::new(std::iter::once("Truth \\ map").chain(names.iter().copied()));
    for (name, row) in names.iter().zip(value["counts"].as_array().into_iter().flatten()) {
        let cells = row.as_array().into_iter().flatten().map(Value::to_string);
        table.row(std::iter::once((*name).to_owned()).chain(cells));
    }
    table.text(2)
}

/// A list of objects as a table, one column per key; an object as lines.
fn rows_text(value: &Value) -> String {
    match value {
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let mut keys: Vec<&String> = Vec::new();
            for key in items.iter().filter_map(Value::as_object).flat_map(Map::keys) {
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
            keys.sort_by_key(|key| (column_order(key), key.as_str()));
            let mut table = Table::new(keys.iter().map(|key| label(key)));
            for item in items {
                table.row(keys.iter().map(|key| scalar_text(key, &item[key.as_str()]).unwrap_or_default()));
            }
            table.text(2)
        }
        Value::Object(object) => {
            let lines: Vec<_> = object
                .iter()
                .map(|(key, value)| {
                    format!("  {key}: {}", scalar_text(key, value).unwrap_or_else(|| value.to_string()))
                })
                .collect();
            lines.join("\n")
        }
        _ => String::new(),
    }
}

/// Whether keys keep their order depends on how serde_json was built: identity first,
/// then names, then amounts.
fn column_order(key: &str) -> u8 {
    match key {
        "id" | "class" | "value" | "index" | "reference" => 0,
        "name" | "label" | "other" => 1,
        _ => 2,
    }
}

/// A model's record as a person reads it.
pub(crate) fn model_text(model: &OpenModel) -> String {
    let record = &model.record;
    let mut lines = vec![
        field("File", &model.path.display().to_string()),
        field(
            "Network",
            &format!(
                "{}, {} in, {} out",
                record.network.name(),
                plural(record.network.n_bands(), "band"),
                if record.network.n_classes() == 1 {
                    "1 class".to_owned()
                } else {
                    format!("{} classes", record.network.n_classes())
                }
            ),
        ),
        field("Tile", &format!("{0} × {0} pixels and a halo of {1}", record.tile.size, record.tile.halo)),
    ];
    if let Some(references) = &record.references {
        lines.push(field("References", &references.names.join(", ")));
    }
    let mut bands = Table::new(["#", "Name", "nm"]);
    for (index, band) in record.bands.iter().enumerate() {
        bands.row([(index + 1).to_string(), band.name.clone(), band.wavelength_nm.map(number).unwrap_or_default()]);
    }
    section(&mut lines, "Bands", bands.text(2));
    let mut classes = Table::new(["Value", "Name", "Colour"]);
    for class in &record.classes.classes {
        classes.row([class.id.0.to_string(), class.name.clone(), class.color.hex()]);
    }
    section(&mut lines, "Classes", classes.text(2));
    let mut origin = Vec::new();
    flatten("", &record.origin, &mut origin);
    section(&mut lines, "Origin", origin.join("\n"));
    section(&mut lines, "Remarks", model.remarks.iter().map(|r| format!("  {r}")).collect::<Vec<_>>().join("\n"));
    lines.join("\n")
}

/// One line per value of nested objects; matrices are left to JSON.
fn flatten(path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let path = if path.is_empty() { label(key) } else { format!("{path}, {}", key.replace('_', " ")) };
                flatten(&path, value, lines);
            }
        }
        Value::Null => {}
        _ => lines.extend(scalar_text(path, value).map(|text| format!("  {path}: {text}"))),
    }
}

pub(crate) fn model_json(model: &OpenModel) -> Value {
    json!({ "path": model.path, "record": model.record, "remarks": model.remarks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_is_files_then_facts_then_a_table() {
        let report = JobReport {
            outputs: vec!["class.tif".into(), "p.tif".into()],
            facts: vec![
                (
                    "classes".to_owned(),
                    json!([
                        { "id": 0, "name": "Background", "pixels": 60, "share": 0.6 },
                        { "id": 1, "name": "Glacier", "pixels": 40, "share": 0.4 },
                    ]),
                ),
                ("device".to_owned(), "CPU (flex, 2 threads)".into()),
                ("seconds".to_owned(), 1.234.into()),
                ("tiles_per_second".to_owned(), 38.5.into()),
                ("nodata_px".to_owned(), 0.into()),
            ],
            info: None,
        };

        let expected = "\
class.tif
p.tif
Device   CPU (flex, 2 threads)
Seconds  1.23
Tiles/s  38.5

Classes
  Value  Name        Pixels  Share
      0  Background      60   60 %
      1  Glacier         40   40 %";
        assert_eq!(report_text(&report), expected);
        assert_eq!(report_json(&report)["outputs"], json!(["class.tif", "p.tif"]));
        assert_eq!(report_json(&report)["classes"][1]["pixels"], 40);
    }

    #[test]
    fn a_report_without_facts_is_its_files() {
        let report = JobReport { outputs: vec!["a.tif".into()], ..JobReport::default() };
        assert_eq!(report_text(&report), "a.tif");
        assert_eq!(report_text(&JobReport::default()), "");
    }
}
