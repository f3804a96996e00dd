//! Labels from vectors.
//!
//! The rule: a polygon labels the pixels whose centre lies within (GDAL's fill, even-odd), a
//! point the pixel that holds it, a line the pixels whose centre is at most half its width away.
//! Features are burned in the file's order, so later ones cover earlier ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nunatak_domain::class::{ClassId, ClassScheme, Rgb};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::label::{LabelLayer, UNLABELLED};
use nunatak_domain::scene::SceneInfo;
use nunatak_jobs::Monitor;
use serde::{Deserialize, Serialize};

use super::assign::{FileValue, assign};
use super::burn::{LinePen, WINDOW, burn, windows, write_ids};
use super::features::{ClassFeature, field_names, layer_index, open_vector, read_features};
use super::{FeatureCounts, ImportReport, ImportedValue, LabelImport, ValueMap};
use crate::classes::vector_style;
use crate::error::{IoError, gdal_reason};

/// A vector file that labels come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VectorLabels {
    pub vector: PathBuf,
    /// `None` wants a file of one layer.
    #[serde(default)]
    pub layer: Option<String>,
    /// The field with the class, by id or by name; `None` takes a well-known one or the only one.
    #[serde(default)]
    pub field: Option<String>,
    #[serde(default)]
    pub map: ValueMap,
    #[serde(default)]
    pub line_width: LineWidth,
}

/// The whole width of lines.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineWidth {
    /// In pixels of the scene.
    Px(f64),
    /// On the ground; on degrees by the length of a degree at the scene's centre.
    Metres(f64),
}

impl Default for LineWidth {
    fn default() -> Self {
        Self::Px(1.0)
    }
}

impl VectorLabels {
    pub fn new(vector: impl Into<PathBuf>) -> Self {
        Self {
            vector: vector.into(),
            layer: None,
            field: None,
            map: ValueMap::default(),
            line_width: LineWidth::default(),
        }
    }

    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

/// Fields of a vector layer that can hold a class.
///
/// # Errors
/// The file cannot be read, or there is no such layer.
pub fn label_fields(path: &Path, layer: Option<&str>) -> Result<Vec<String>, IoError> {
    let dataset = open_vector(path)?;
    let index = layer_index(&dataset, layer, path)?;
    let layer = dataset.layer(index).map_err(|error| IoError::read(path, "vector labels", gdal_reason(&error)))?;
    Ok(field_names(&layer))
}

/// Burns a vector's features onto the grid of `scene`, adding classes to `existing`.
///
/// Shapes in another coordinate system are carried to the scene's. Names and colours come from a
/// second field (`C_name` beside `C_ID`), from fields `RED`, `GREEN`, `BLUE`, and from the `.qml`
/// beside the file. Memory: all geometries, the labels, and one window.
///
/// # Errors
/// The file cannot be read or has no such field, classes are fractions, no feature touches the
/// scene, or the job was cancelled.
pub fn import_label_vector(
    config: &VectorLabels,
    scene: &SceneInfo,
    existing: &ClassScheme,
    monitor: &dyn Monitor,
) -> Result<LabelImport, IoError> {
    let path = &config.vector;
    let read = read_features(path, config.layer.as_deref(), config.field.as_deref(), scene)?;
    let mut report = ImportReport { remarks: read.remarks, ..ImportReport::default() };
    if read.counts.n_features == 0 {
        return Err(IoError::unsupported(path, "it holds no features"));
    }
    let mut values = values_of(&read.features);
    name_values(&mut values, &read.features, &mut report.remarks);
    style_values(&mut values, path, &read.field);
    let assignment = assign(&values, &config.map, existing).map_err(|reason| IoError::unsupported(path, reason))?;
    let places: BTreeMap<&str, usize> = values.iter().enumerate().map(|(i, value)| (value.key.as_str(), i)).collect();
    let value_of: Vec<usize> = read.features.iter().map(|feature| places[feature.key.as_str()]).collect();

    let transform = scene.map_transform();
    let pen = LinePen::of(config.line_width, scene, &transform).map_err(|reason| IoError::unsupported(path, reason))?;
    let mut counts = read.counts;
    let windows = windows(&read.features, scene, &transform, &pen, &mut counts);
    let mut layer = LabelLayer::new(scene.width, scene.height);
    let mut n_px = vec![0_u64; read.features.len()];
    let n_windows = windows.len().max(1);
    for (done, ((col, row), members)) in windows.into_iter().enumerate() {
        monitor.check()?;
        monitor.progress(done as f32 / n_windows as f32, "burning shapes");
        let whole = PixelRect::whole(scene.width, scene.height);
        let rect = PixelRect::new(col * WINDOW, row * WINDOW, WINDOW, WINDOW).intersection(&whole);
        let rect = rect.expect("windows lie on the scene");
        let burned = burn(&read.features, &members, rect, &transform, &pen)
            .map_err(|reason| IoError::read(path, "vector labels", reason))?;
        for &place in burned.iter().filter(|place| **place > 0) {
            n_px[place as usize - 1] += 1;
        }
        let id = |place: &u32| match *place {
            0 => UNLABELLED,
            place => assignment.ids[value_of[place as usize - 1]].map_or(UNLABELLED, |id| id.0 as u16),
        };
        write_ids(&mut layer, rect, &burned.iter().map(id).collect::<Vec<u16>>());
    }
    counts.n_with_pixels = n_px.iter().filter(|n| **n > 0).count() as u64;
    counts.n_without_pixels = (read.features.len() as u64).saturating_sub(counts.n_with_pixels + counts.n_outside);
    if counts.n_outside == read.features.len() as u64 {
        return Err(IoError::unsupported(path, "none of its features touches the scene"));
    }

    report.remarks.push(format!("classes are those of the field {}", read.field));
    report.remarks.extend(assignment.remarks);
    report.remarks.extend(count_remarks(&counts));
    for (index, value) in values.iter().enumerate() {
        let id = assignment.ids[index];
        let pixels = value_of.iter().zip(&n_px).filter(|(of, _)| **of == index).map(|(_, n)| n).sum();
        report.n_labelled += if id.is_some() { pixels } else { 0 };
        let name = id.map_or_else(String::new, |id| assignment.classes.name(id));
        report.values.push(ImportedValue { value: value.key.clone(), class: id, name, n_px: pixels });
    }
    report.features = Some(counts);
    Ok(LabelImport { layer, classes: assignment.classes, report })
}

/// The distinct values, numbers by size and then texts by alphabet.
fn values_of(features: &[ClassFeature]) -> Vec<FileValue> {
    let mut keys: Vec<(Option<i128>, &str)> =
        features.iter().map(|feature| (feature.key.parse::<i128>().ok(), feature.key.as_str())).collect();
    keys.sort_by_key(|(number, key)| (number.is_none(), *number, *key));
    keys.dedup();
    let color = |key: &str| features.iter().find(|feature| feature.key == key).and_then(|feature| feature.color);
    keys.into_iter()
        .map(|(number, key)| FileValue {
            key: key.to_owned(),
            number,
            name: number.is_none().then(|| key.to_owned()),
            color: color(key),
            unlabelled: false,
        })
        .collect()
}

/// Names for ids and ids for names, where the field beside the class gives each value one.
fn name_values(values: &mut [FileValue], features: &[ClassFeature], remarks: &mut Vec<String>) {
    let mut found: BTreeMap<&str, &str> = BTreeMap::new();
    for feature in features {
        let Some(companion) = feature.companion.as_deref() else { continue };
        if *found.entry(&feature.key).or_insert(companion) != companion {
            remarks.push(format!("the value {} has several names, so names are left out", feature.key));
            return;
        }
    }
    let numbers: Vec<Option<i128>> =
        values.iter().map(|value| found.get(value.key.as_str()).and_then(|text| text.parse().ok())).collect();
    let mut distinct = numbers.clone();
    distinct.sort_unstable();
    distinct.dedup();
    for (value, number) in values.iter_mut().zip(&numbers) {
        match value.number {
            Some(_) => value.name = found.get(value.key.as_str()).map(|name| (*name).to_owned()),
            // Ids that several names share are no ids of these classes.
            None if distinct.len() == numbers.len() => value.number = *number,
            None => {}
        }
    }
}

/// Colours, and names of bare ids, from the style beside the file.
fn style_values(values: &mut [FileValue], path: &Path, field: &str) {
    let named = path.with_extension(format!("{field}.qml"));
    let Some(style) = [named, path.with_extension("qml")].iter().find_map(|path| vector_style(path, field)) else {
        return;
    };
    for value in values {
        let Some((_, label, color)) = style.iter().find(|(key, _, _)| *key == value.key) else { continue };
        value.color = value.color.or(*color);
        if value.name.is_none() && !label.is_empty() && *label != value.key {
            value.name = Some(label.clone());
        }
    }
}

fn count_remarks(counts: &FeatureCounts) -> Vec<String> {
    let sentences = [
        (counts.n_empty, "have no geometry"),
        (counts.n_without_class, "have no class"),
        (counts.n_outside, "lie outside of the scene"),
        (counts.n_without_pixels, "hold no pixel centre or are covered by later ones"),
        (counts.n_invalid, "cross themselves and were filled by the even-odd rule"),
        (counts.n_unplaced, "are of a kind that is not read or have no place in the scene's coordinate system"),
    ];
    let n_features = counts.n_features;
    sentences.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} of {n_features} features {what}")).collect()
}

/// Classes of a field's distinct values, without reading any geometry onto a grid.
///
/// # Errors
/// As `import_label_vector`, except that no scene is needed.
pub(crate) fn field_classes(path: &Path, layer: Option<&str>, field: Option<&str>) -> Result<ClassScheme, IoError> {
    let read = read_features(path, layer, field, &nowhere(path))?;
    let mut values = values_of(&read.features);
    name_values(&mut values, &read.features, &mut Vec::new());
    style_values(&mut values, path, &read.field);
    let assignment = assign(&values, &ValueMap::default(), &ClassScheme::default());
    let mut classes = assignment.map_err(|reason| IoError::unsupported(path, reason))?.classes;
    classes.classes.sort_by_key(|class| class.id);
    // Colours that nobody chose follow the order of ids.
    let chosen: Vec<Rgb> = values.iter().filter_map(|value| value.color).collect();
    for (index, class) in classes.classes.iter_mut().enumerate() {
        if !chosen.contains(&class.color) {
            class.color = Rgb::distinct(1 + index % 7);
        }
    }
    debug_assert!(classes.classes.iter().all(|class| class.id != ClassId(u32::from(UNLABELLED))));
    Ok(classes)
}

/// A scene without a place: shapes stay as they are.
fn nowhere(path: &Path) -> SceneInfo {
    SceneInfo {
        path: path.to_owned(),
        driver: String::new(),
        width: 0,
        height: 0,
        bands: Vec::new(),
        crs: None,
        georeference: nunatak_domain::geo::Georeference::None,
        overviews: Vec::new(),
        block: (0, 0),
        compression: None,
        interleave: None,
        subdatasets: Vec::new(),
        metadata: Vec::new(),
        remarks: Vec::new(),
    }
}
