//! Class schemes from files, to files, and built in.
//!
//! CSV: a header with `id` and `name`, and where known `color` (or `red`, `green`, `blue`) and
//! `group`. Colour tables: the text exports of QGIS, GDAL, ESRI (`.clr`) and GRASS.

use std::path::{Path, PathBuf};

use nunatak_domain::class::{Class, ClassId, ClassScheme, Rgb};

use crate::atomic::write_text;
use crate::class_raster::{attributes, class_scheme, parse_qml, qml_text};
use crate::error::IoError;
use crate::labels::{field_classes, is_vector};

/// Schemes of the program: key and title.
pub const CLASS_PRESETS: [(&str, &str); 7] = [
    ("worldcover", "ESA WorldCover"),
    ("dynamic-world", "Dynamic World"),
    ("corine-level-1", "CORINE Land Cover, level 1"),
    ("corine-level-2", "CORINE Land Cover, level 2"),
    ("igbp", "IGBP (MODIS MCD12Q1)"),
    ("glacier", "Glacier"),
    ("binary", "Yes and no"),
];

/// A scheme of the program by its key.
pub fn class_preset(key: &str) -> Option<ClassScheme> {
    let csv = match key {
        "worldcover" => include_str!("../../assets/classes/worldcover.csv"),
        "dynamic-world" => include_str!("../../assets/classes/dynamic-world.csv"),
        "corine-level-1" => include_str!("../../assets/classes/corine-level-1.csv"),
        "corine-level-2" => include_str!("../../assets/classes/corine-level-2.csv"),
        "igbp" => include_str!("../../assets/classes/igbp.csv"),
        "glacier" => include_str!("../../assets/classes/glacier.csv"),
        "binary" => include_str!("../../assets/classes/binary.csv"),
        _ => return None,
    };
    Some(parse_csv(csv).expect("a test reads every preset"))
}

/// Classes of a CSV, a QGIS style, a colour table, a vector's field, or a raster.
///
/// `field` is for vectors only; `None` takes a well-known one or the only one.
///
/// # Errors
/// The file cannot be read, or tells of no classes.
pub fn read_classes(path: impl AsRef<Path>, field: Option<&str>) -> Result<ClassScheme, IoError> {
    let path = path.as_ref();
    let fail = |reason: String| IoError::read(path, "classes", reason);
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let text = || std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    match ending.as_str() {
        "csv" | "tsv" => parse_csv(&text().map_err(|error| fail(error.to_string()))?).map_err(fail),
        "txt" | "clr" => parse_color_table(&text().map_err(|error| fail(error.to_string()))?).map_err(fail),
        "qml" => {
            let text = text().map_err(|error| fail(error.to_string()))?;
            let scheme = match parse_qml(&text) {
                scheme if scheme.classes.is_empty() => of_categories(&categories(&text)),
                scheme => scheme,
            };
            if scheme.classes.is_empty() {
                Err(fail("it holds neither a palette nor categories".to_owned()))
            } else {
                Ok(scheme)
            }
        }
        _ if is_vector(path) => field_classes(path, None, field),
        _ => {
            let scheme = class_scheme(&crate::describe::describe(path)?);
            if scheme.classes.is_empty() {
                return Err(fail("the raster has no palette, no names and no style beside it".to_owned()));
            }
            Ok(scheme)
        }
    }
}

/// Writes `.csv` or `.qml`, by the ending.
///
/// # Errors
/// The ending is another one, or the file cannot be written.
pub fn write_classes(path: impl AsRef<Path>, scheme: &ClassScheme, overwrite: bool) -> Result<PathBuf, IoError> {
    let path = path.as_ref();
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let text = match ending.as_str() {
        "csv" => classes_csv(scheme),
        "qml" => qml_text(scheme),
        _ => return Err(IoError::unsupported(path, "cannot write classes in this format: choose .csv or .qml")),
    };
    write_text(path, &text, overwrite).map(|()| path.to_owned())
}

/// The text of a CSV with `id,name,color,group`.
pub fn classes_csv(scheme: &ClassScheme) -> String {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["id", "name", "color", "group"]).expect("writing to memory cannot fail");
    for class in &scheme.classes {
        let (id, color) = (class.id.0.to_string(), class.color.hex());
        let group = class.group.as_deref().unwrap_or_default();
        csv.write_record([&id, &class.name, &color, group]).expect("all rows are as long as the header");
    }
    let bytes = csv.into_inner().expect("writing to memory cannot fail");
    String::from_utf8(bytes).expect("made of strings")
}

fn parse_csv(text: &str) -> Result<ClassScheme, String> {
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().next().unwrap_or_default();
    let delimiter = [b'\t', b';'].into_iter().find(|byte| first.as_bytes().contains(byte)).unwrap_or(b',');
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let column = |names: &[&str]| header.iter().position(|cell| names.contains(&cell.to_lowercase().as_str()));
    let id = column(&["id", "value", "class_id", "code", "classvalue"]).ok_or("its header has no column `id`")?;
    let name =
        column(&["name", "label", "class", "class_name", "classname"]).ok_or("its header has no column `name`")?;
    let color = column(&["color", "colour", "hex"]);
    let channels = [column(&["red", "r"]), column(&["green", "g"]), column(&["blue", "b"])];
    let group = column(&["group", "macroclass"]);
    let mut scheme = ClassScheme::default();
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|error| error.to_string())?;
        let cell = |column: usize| record.get(column).unwrap_or_default();
        let line = index + 2;
        let id =
            class_id(cell(id)).ok_or_else(|| format!("line {line}: `{}` is no class id (0 to 65534)", cell(id)))?;
        let by_channels = || -> Option<Rgb> {
            let [r, g, b] = channels;
            Some(Rgb([cell(r?).parse().ok()?, cell(g?).parse().ok()?, cell(b?).parse().ok()?]))
        };
        let stated = color.map(&cell).filter(|text| !text.is_empty());
        let color = match stated {
            Some(text) => Rgb::parse(text).ok_or_else(|| format!("line {line}: `{text}` is no colour like #1f77b4"))?,
            None => by_channels().unwrap_or_else(|| Rgb::distinct(1 + index % 7)),
        };
        let mut class = Class::new(id, named(cell(name), id), color);
        class.group = group.map(&cell).filter(|text| !text.is_empty()).map(str::to_owned);
        add(&mut scheme, class).map_err(|reason| format!("line {line}: {reason}"))?;
    }
    if scheme.classes.is_empty() { Err("there is no class below the header".to_owned()) } else { Ok(scheme) }
}

/// QGIS: `value,r,g,b,a,label`; GDAL and ESRI: `value r g b [a] [label]`; GRASS: `value r:g:b`.
fn parse_color_table(text: &str) -> Result<ClassScheme, String> {
    let mut scheme = ClassScheme::default();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        let skipped = ["#", "INTERPOLATION", "nv", "default", "%"].iter().any(|start| line.starts_with(start));
        if line.is_empty() || skipped {
            continue;
        }
        let fail = || format!("line {}: `{line}` is not of the form value, red, green, blue", index + 1);
        let commas = line.contains(',');
        let mut cells = line
            .split(|c: char| if commas { c == ',' } else { c.is_whitespace() || c == ':' })
            .map(str::trim)
            .filter(|cell| !cell.is_empty());
        let id = cells.next().and_then(class_id).ok_or_else(fail)?;
        let mut channel = || cells.next().and_then(|cell| cell.parse::<u8>().ok()).ok_or_else(fail);
        let color = Rgb([channel()?, channel()?, channel()?]);
        let mut label: Vec<&str> = cells.collect();
        if label.first().is_some_and(|cell| cell.parse::<u8>().is_ok()) {
            label.remove(0);
        }
        add(&mut scheme, Class::new(id, named(&label.join(if commas { "," } else { " " }), id), color))
            .map_err(|reason| format!("line {}: {reason}", index + 1))?;
    }
    if scheme.classes.is_empty() { Err("it holds no colours".to_owned()) } else { Ok(scheme) }
}

fn class_id(text: &str) -> Option<ClassId> {
    let value: f64 = text.parse().ok()?;
    (value.fract() == 0.0 && (0.0..65_535.0).contains(&value)).then_some(ClassId(value as u32))
}

fn named(name: &str, id: ClassId) -> String {
    if name.is_empty() { format!("Class {}", id.0) } else { name.to_owned() }
}

fn add(scheme: &mut ClassScheme, class: Class) -> Result<(), String> {
    if scheme.get(class.id).is_some() {
        return Err(format!("the class id {} appears twice", class.id.0));
    }
    scheme.classes.push(class);
    Ok(())
}

/// One category of a vector style.
type Category = (String, String, Option<Rgb>);

/// Value, label and colour of the categories of a QGIS vector style, if it is for `field`.
pub(crate) fn vector_style(path: &Path, field: &str) -> Option<Vec<Category>> {
    let text = std::fs::read_to_string(path).ok()?;
    let renderer = text.split('<').find(|element| element.starts_with("renderer-v2"))?;
    let for_field = attributes(renderer)
        .iter()
        .any(|(key, value)| key == "attr" && value.trim_matches('"').eq_ignore_ascii_case(field));
    for_field.then(|| categories(&text)).filter(|categories| !categories.is_empty())
}

fn categories(text: &str) -> Vec<Category> {
    let mut found: Vec<(String, String, String)> = Vec::new();
    let mut colors: Vec<(String, Rgb)> = Vec::new();
    let mut symbol: Option<String> = None;
    // Symbols of categories come first; others (legends, sources) repeat their names.
    let renderer = text.split_once("<renderer-v2").map_or("", |(_, rest)| rest);
    let renderer = renderer.split_once("</symbols>").map_or(renderer, |(renderer, _)| renderer);
    for element in renderer.split('<') {
        let get = |name: &str| attributes(element).into_iter().find(|(key, _)| key == name).map(|(_, value)| value);
        if element.starts_with("category ") {
            if let (Some(value), Some(symbol)) = (get("value").filter(|value| !value.is_empty()), get("symbol")) {
                found.push((value, get("label").unwrap_or_default(), symbol));
            }
        } else if element.starts_with("symbol ") {
            symbol = get("name");
        } else if element.starts_with("Option ") || element.starts_with("prop ") {
            let (key, value) = (get("name").or_else(|| get("k")), get("value").or_else(|| get("v")));
            let wanted = key.is_some_and(|key| key == "color" || key == "line_color");
            if let (true, Some(symbol), Some(color)) = (wanted, &symbol, value.as_deref().and_then(rgb_list))
                && !colors.iter().any(|(name, _)| name == symbol)
            {
                colors.push((symbol.clone(), color));
            }
        }
    }
    let color = |symbol: &str| colors.iter().find(|(name, _)| name == symbol).map(|(_, color)| *color);
    found.into_iter().map(|(value, label, symbol)| (value, label, color(&symbol))).collect()
}

/// `230,0,0,255`.
fn rgb_list(text: &str) -> Option<Rgb> {
    let mut channels = text.split(',').map(|channel| channel.trim().parse::<u8>());
    Some(Rgb([channels.next()?.ok()?, channels.next()?.ok()?, channels.next()?.ok()?]))
}

/// Whole values are ids, others are names of classes from 1 on.
fn of_categories(categories: &[Category]) -> ClassScheme {
    let ids: Option<Vec<ClassId>> = categories.iter().map(|(value, _, _)| class_id(value)).collect();
    let class = |(index, (value, label, color)): (usize, &Category)| {
        let id = ids.as_ref().map_or(ClassId(index as u32 + 1), |ids| ids[index]);
        let name = if label.is_empty() { value } else { label };
        Class::new(id, name.clone(), color.unwrap_or_else(|| Rgb::distinct(1 + index % 7)))
    };
    ClassScheme { classes: categories.iter().enumerate().map(class).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_read_and_survives_a_round_trip() {
        let sizes = CLASS_PRESETS.map(|(key, _)| {
            let scheme = class_preset(key).unwrap();
            assert_eq!(parse_csv(&classes_csv(&scheme)).unwrap(), scheme);
            (key, scheme.classes.len())
        });

        let published = [
            ("worldcover", 11),
            ("dynamic-world", 9),
            ("corine-level-1", 5),
            ("corine-level-2", 15),
            ("igbp", 17),
            ("glacier", 3),
            ("binary", 2),
        ];
        assert_eq!(sizes, published);
        assert_eq!(class_preset("worldcover").unwrap().name(ClassId(95)), "Mangroves");
        assert_eq!(class_preset("corine-level-2").unwrap().classes[1].group.as_deref(), Some("Artificial surfaces"));
    }

    #[test]
    fn tables_of_other_programs_are_read() {
        let qgis =
            "# QGIS Generated Color Map Export File\nINTERPOLATION:EXACT\n1,0,0,255,255,water, deep\n2,0,99,0,255,\n";
        let scheme = parse_color_table(qgis).unwrap();
        assert_eq!(scheme.classes[0], Class::new(ClassId(1), "water,deep", Rgb([0, 0, 255])));
        assert_eq!(scheme.classes[1].name, "Class 2");

        let grass = parse_color_table("% 1 2\n1 0:0:255\n2 10:20:30\nnv 255:255:255\ndefault 255:255:255\n").unwrap();
        assert_eq!(grass.classes[1].color, Rgb([10, 20, 30]));

        let esri = parse_color_table("7 1 2 3\n8 4 5 6 255 wet land\n").unwrap();
        assert_eq!(esri.classes[1], Class::new(ClassId(8), "wet land", Rgb([4, 5, 6])));

        let csv = parse_csv("Code;Label;R;G;B\n3;Wald;0;100;0\n").unwrap();
        assert_eq!(csv.classes, [Class::new(ClassId(3), "Wald", Rgb([0, 100, 0]))]);
    }

    #[test]
    fn errors_name_the_line() {
        assert_eq!(parse_csv("id,name\n1,a\n1,b\n").unwrap_err(), "line 3: the class id 1 appears twice");
        assert_eq!(parse_csv("id,name,color\n1,a,red\n").unwrap_err(), "line 2: `red` is no colour like #1f77b4");
        assert_eq!(parse_csv("id,name\n65535,a\n").unwrap_err(), "line 2: `65535` is no class id (0 to 65534)");
        assert!(parse_color_table("1 2\n").unwrap_err().starts_with("line 1: `1 2` is not of the form"));
    }
}
