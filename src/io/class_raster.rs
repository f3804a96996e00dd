//! Class maps as other programs understand them: palette, category names, attribute table,
//! and QGIS styles (`.qml`), written and read.

use std::fmt::Write;
use std::path::Path;

use gdal::Dataset;
use gdal::raster::{ColorEntry, ColorTable, PaletteInterpretation};
use nunatak_domain::class::{Class, ClassId, ClassScheme, Rgb};
use nunatak_domain::scene::{DataType, SceneInfo};
use nunatak_domain::style::scheme_of;

use crate::atomic::{AtomicPath, write_plain};
use crate::error::{IoError, gdal_reason};
use crate::ffi;

/// The smallest of uint8 and uint16 that holds every id and leaves its highest value for
/// nodata; `None` where an id is above 65534.
pub fn class_data_type(scheme: &ClassScheme) -> Option<(DataType, f64)> {
    match highest_id(scheme) {
        0..=254 => Some((DataType::UInt8, 255.0)),
        255..=65_534 => Some((DataType::UInt16, 65_535.0)),
        _ => None,
    }
}

/// The classes of a raster: its palette and names, else those of a `.qml` beside it, else none.
///
/// A GeoTIFF palette always has 256 entries, so where some values have names only those count.
pub fn class_scheme(info: &SceneInfo) -> ClassScheme {
    let Some(band) = info.bands.first() else { return ClassScheme::default() };
    let named = |class: &Class| band.categories.get(class.id.0 as usize).is_some_and(|name| !name.is_empty());
    let mut scheme = scheme_of(band);
    if scheme.classes.iter().any(named) {
        scheme.classes.retain(named);
        return scheme;
    }
    match read_qml(info.path.with_extension("qml")) {
        Ok(styled) => styled,
        Err(_) => scheme,
    }
}

/// Gives band 1 of a new dataset the scheme's palette; must come before the first pixel.
pub(crate) fn set_palette(dataset: &Dataset, scheme: &ClassScheme) -> Result<(), String> {
    let mut band = dataset.rasterband(1).map_err(|error| gdal_reason(&error))?;
    let mut table = ColorTable::new(PaletteInterpretation::Rgba);
    for class in &scheme.classes {
        if let Ok(value) = u16::try_from(class.id.0) {
            let [r, g, b] = class.color.0.map(i16::from);
            table.set_color_entry(value, &ColorEntry::rgba(r, g, b, 255));
        }
    }
    let ((), errors) = ffi::guarded(|| band.set_color_table(&table));
    errors.into_iter().next().map_or(Ok(()), Err)
}

/// Gives band 1 the scheme's category names and attribute table.
pub(crate) fn set_names(dataset: &Dataset, scheme: &ClassScheme) -> Result<(), String> {
    let mut band = dataset.rasterband(1).map_err(|error| gdal_reason(&error))?;
    // GDAL stores category names as a plain list from 0 on; a sparse scheme of large ids is in the table only.
    let highest = highest_id(scheme);
    if highest <= 4096 {
        let names: Vec<String> = (0..=highest)
            .map(|id| scheme.get(ClassId(id)).map_or_else(String::new, |class| class.name.clone()))
            .collect();
        ffi::set_category_names(&mut band, &names)?;
    }
    let mut classes: Vec<&Class> = scheme.classes.iter().collect();
    classes.sort_by_key(|class| class.id);
    let rows: Vec<_> = classes
        .into_iter()
        .map(|class| ffi::TableRow { value: class.id.0.cast_signed(), name: class.name.clone(), color: class.color.0 })
        .collect();
    ffi::set_class_table(&mut band, &rows)
}

/// Puts a style beside a class map that has not been committed yet. A style of that name that
/// belongs to somebody else stays, unless overwriting was asked for.
pub(crate) fn write_style(output: &AtomicPath, scheme: &ClassScheme) -> Result<(), IoError> {
    if !output.may_write("qml") {
        log::warn!("left a style as it was beside {}", output.target().display());
        return Ok(());
    }
    write_plain(&output.sidecar("qml"), qml_text(scheme).as_bytes())
        .map_err(|error| output.failed("style", &error.to_string()))
}

/// A QGIS layer style: paletted renderer on band 1, nearest neighbour.
pub fn qml_text(scheme: &ClassScheme) -> String {
    let mut entries = String::new();
    for class in &scheme.classes {
        let (id, color, name) = (class.id.0, class.color.hex(), escape_xml(&class.name));
        writeln!(entries, r#"        <paletteEntry value="{id}" color="{color}" alpha="255" label="{name}"/>"#)
            .expect("writing to a string cannot fail");
    }
    format!(
        r#"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.16.0" styleCategories="AllStyleCategories" hasScaleBasedVisibilityFlag="0">
  <pipe>
    <provider>
      <resampling enabled="false" zoomedInResamplingMethod="nearestNeighbour" zoomedOutResamplingMethod="nearestNeighbour" maxOversampling="2"/>
    </provider>
    <rasterrenderer type="paletted" band="1" opacity="1" alphaBand="-1" nodataColor="">
      <rasterTransparency/>
      <colorPalette>
{entries}      </colorPalette>
    </rasterrenderer>
    <brightnesscontrast brightness="0" contrast="0" gamma="1"/>
    <huesaturation saturation="0" grayscaleMode="0" colorizeOn="0"/>
    <rasterresampler maxOversampling="2"/>
    <resamplingStage>resamplingFilter</resamplingStage>
  </pipe>
  <blendMode>0</blendMode>
</qgis>
"#
    )
}

/// Classes of a QGIS style: of a paletted raster renderer, or of a categorised vector style
/// whose values are whole numbers.
///
/// # Errors
/// The file cannot be read, or holds no such style.
pub fn read_qml(path: impl AsRef<Path>) -> Result<ClassScheme, IoError> {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path).map_err(|error| IoError::read(path, "style", error.to_string()))?;
    let scheme = parse_qml(&text);
    if scheme.classes.is_empty() {
        return Err(IoError::read(path, "style", "it holds no paletted raster style"));
    }
    Ok(scheme)
}

pub(crate) fn parse_qml(text: &str) -> ClassScheme {
    let mut classes: Vec<Class> = Vec::new();
    for element in text.split('<').filter(|element| element.starts_with("paletteEntry")) {
        let attributes = attributes(element);
        let get = |name: &str| attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        // QGIS writes whole values of float bands as `3` and sometimes as `3.0`.
        let id = get("value").and_then(|value| value.parse::<f64>().ok());
        let Some(id) = id.filter(|id| id.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(id)) else { continue };
        let id = ClassId(id as u32);
        if classes.iter().any(|class| class.id == id) {
            continue;
        }
        let color = get("color").and_then(Rgb::parse).unwrap_or_else(|| Rgb::distinct(id.0 as usize));
        let name = get("label").filter(|label| !label.trim().is_empty());
        let name = name.map_or_else(|| format!("Class {}", id.0), str::to_owned);
        classes.push(Class::new(id, name, color));
    }
    ClassScheme { classes }
}

/// `name="value"` pairs of one XML start tag, entities resolved.
pub(crate) fn attributes(tag: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = tag.split_once(char::is_whitespace).map_or("", |(_, rest)| rest);
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let Some(quote) = after.chars().next().filter(|quote| matches!(quote, '"' | '\'')) else { break };
        let Some((value, next)) = after[1..].split_once(quote) else { break };
        pairs.push((name.trim().to_owned(), unescape_xml(value)));
        rest = next;
    }
    pairs
}

fn escape_xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn unescape_xml(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'").replace("&amp;", "&")
}

fn highest_id(scheme: &ClassScheme) -> u32 {
    scheme.classes.iter().map(|class| class.id.0).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheme() -> ClassScheme {
        let class = |id, name: &str, color| Class::new(ClassId(id), name, Rgb(color));
        ClassScheme {
            classes: vec![class(0, "Ice & \"snow\" < 5 %", [255, 255, 255]), class(7, "Moräne", [218, 0, 7])],
        }
    }

    #[test]
    fn a_style_survives_a_round_trip() {
        assert_eq!(parse_qml(&qml_text(&scheme())), scheme());
    }

    #[test]
    fn styles_written_by_qgis_are_read() {
        let data = std::env::var("NUNATAK_TEST_DATA").unwrap_or_else(|_| {
            std::env::var("CARGO_MANIFEST_DIR").expect("cargo runs the tests") + "/../../../shared/data"
        });
        let path = format!("{data}/berlin-class-rasters/landcover_map_l3.qml");
        if !Path::new(&path).exists() {
            eprintln!("skipped: no {path}");
            return;
        }

        let scheme = read_qml(&path).unwrap();

        assert_eq!(scheme.classes.len(), 6);
        assert_eq!(scheme.classes[2].name, "low vegetation");
        assert_eq!(scheme.classes[2].color, Rgb([0x98, 0xe6, 0x00]));
    }

    #[test]
    fn class_ids_decide_the_data_type() {
        assert_eq!(class_data_type(&ClassScheme::numbered(255)), Some((DataType::UInt8, 255.0)));
        assert_eq!(class_data_type(&ClassScheme::numbered(256)), Some((DataType::UInt16, 65_535.0)));
    }
}
