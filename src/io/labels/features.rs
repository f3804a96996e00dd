//! The features of a vector layer: their class values, and geometries in the scene's system.

use std::path::Path;

use gdal::errors::GdalError;
use gdal::vector::{
    Feature, FieldValue, Geometry, LayerAccess, OGRFieldType, OGRwkbGeometryType, geometry_type_flatten,
};
use gdal::{Dataset, DatasetOptions, GdalOpenFlags};
use nunatak_domain::class::Rgb;
use nunatak_domain::scene::SceneInfo;

use super::FeatureCounts;
use crate::crs::crs_from_gdal;
use crate::error::{IoError, gdal_reason, without_path};
use crate::ffi;
use crate::library::{reason, with_messages};
use crate::reproject::Transformer;

/// A class value and the shapes that have it.
pub(super) struct ClassFeature {
    /// Text of the class field.
    pub(super) key: String,
    /// Of the field beside it that tells the other half: the name of an id, the id of a name.
    pub(super) companion: Option<String>,
    pub(super) color: Option<Rgb>,
    pub(super) shapes: Vec<Shape>,
}

/// A part of a feature in the scene's coordinate system.
pub(super) enum Shape {
    /// Points and polygons, which GDAL burns.
    Burned(Geometry),
    /// Its corners.
    Line(Vec<(f64, f64)>),
}

pub(super) struct Features {
    pub(super) features: Vec<ClassFeature>,
    pub(super) counts: FeatureCounts,
    /// Name of the class field that was read.
    pub(super) field: String,
    pub(super) remarks: Vec<String>,
}

/// Fields that programs write their classes into, with the field of the other half beside them.
const KNOWN: [(&str, &[&str]); 8] = [
    ("class_id", &["label", "class_name"]),
    ("classvalue", &["classname"]),
    ("classname", &["classvalue"]),
    ("c_id", &["c_name", "c_info"]),
    ("mc_id", &["mc_name", "mc_info"]),
    ("class", &["class_name", "label", "type", "name"]),
    ("label", &["class_id"]),
    ("classid", &["classname", "class"]),
];

/// Opens a vector file.
///
/// # Errors
/// There is no such file, or no vector format that GDAL knows.
pub(super) fn open_vector(path: &Path) -> Result<Dataset, IoError> {
    let options = DatasetOptions {
        open_flags: GdalOpenFlags::GDAL_OF_VECTOR | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR,
        ..DatasetOptions::default()
    };
    let (result, messages) = with_messages(|| Dataset::open_ex(path, options));
    result.map_err(|_| {
        let why = match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "no such file".to_owned(),
            Ok(meta) if meta.len() == 0 => "the file is empty".to_owned(),
            _ => match reason(&messages) {
                Some(text) if text.contains("not recognized as") => "no vector format that GDAL knows".to_owned(),
                Some(text) => format!("GDAL cannot read it ({})", without_path(&text, path)),
                None => "GDAL gave no reason".to_owned(),
            },
        };
        IoError::read(path, "vector labels", why)
    })
}

/// Index of the layer of that name, or of the only one.
///
/// # Errors
/// There is none, or several and none was named.
pub(super) fn layer_index(dataset: &Dataset, wanted: Option<&str>, path: &Path) -> Result<usize, IoError> {
    // QGIS keeps these tables in a GeoPackage beside what people put there.
    const NO_FEATURES: [&str; 2] = ["layer_styles", "qgis_projects"];
    let layers: Vec<(usize, String)> = dataset
        .layers()
        .map(|layer| layer.name())
        .enumerate()
        .filter(|(_, name)| !NO_FEATURES.contains(&name.as_str()))
        .collect();
    let place = match (wanted, layers.as_slice()) {
        (Some(wanted), _) => layers.iter().find(|(_, name)| name == wanted).map(|(index, _)| *index),
        (None, [(index, _)]) => Some(*index),
        (None, _) => None,
    };
    let names: Vec<String> = layers.into_iter().map(|(_, name)| name).collect();
    place.ok_or_else(|| {
        let reason = match (wanted, names.is_empty()) {
            (_, true) => "it holds no layers".to_owned(),
            (Some(wanted), _) => format!("it has no layer {wanted}, only {}", names.join(", ")),
            (None, _) => format!("it has {} layers, name one of them: {}", names.len(), names.join(", ")),
        };
        IoError::unsupported(path, reason)
    })
}

/// Names of the fields that can hold a class: whole numbers, numbers, texts.
pub(super) fn field_names(layer: &impl LayerAccess) -> Vec<String> {
    let usable = [OGRFieldType::OFTInteger, OGRFieldType::OFTInteger64, OGRFieldType::OFTReal, OGRFieldType::OFTString];
    layer.defn().fields().filter(|field| usable.contains(&field.field_type())).map(|field| field.name()).collect()
}

/// Reads all features of a layer.
///
/// # Errors
/// There is no such layer or field, no field is obvious, a class is a fraction, or no operation
/// leads to the scene's system.
pub(super) fn read_features(
    path: &Path,
    wanted_layer: Option<&str>,
    wanted_field: Option<&str>,
    scene: &SceneInfo,
) -> Result<Features, IoError> {
    let dataset = open_vector(path)?;
    let index = layer_index(&dataset, wanted_layer, path)?;
    let mut layer = dataset.layer(index).map_err(|error| IoError::read(path, "vector labels", gdal_reason(&error)))?;
    let names = field_names(&layer);
    let field = class_field(&names, wanted_field).map_err(|reason| IoError::unsupported(path, reason))?;
    let companion = companion(&names, &field);
    let colors =
        ["red", "green", "blue"].map(|color| names.iter().find(|name| name.eq_ignore_ascii_case(color)).cloned());
    let mut remarks = Vec::new();
    let transformer = transformer(layer.spatial_ref().as_ref().and_then(crs_from_gdal), scene, &mut remarks)?;
    let mut counts = FeatureCounts::default();
    let mut features = Vec::new();
    let (result, _) = with_messages(|| -> Result<(), IoError> {
        for feature in layer.features() {
            counts.n_features += 1;
            let text = |name: &String| text(&feature, name).map_err(|reason| IoError::unsupported(path, reason));
            let Some(key) = text(&field)? else {
                counts.n_without_class += 1;
                continue;
            };
            let Some(geometry) = feature.geometry().filter(|geometry| geometry.has_gdal_ptr() && !geometry.is_empty())
            else {
                counts.n_empty += 1;
                continue;
            };
            let mut geometry = geometry.clone();
            geometry.flatten_to_2d();
            let placed = transformer.as_ref().and_then(Transformer::for_geometries);
            if placed.is_some_and(|placed| geometry.transform_inplace(placed).is_err()) {
                counts.n_unplaced += 1;
                continue;
            }
            let (valid, complaints) = ffi::guarded(|| geometry.is_valid());
            // A GDAL without GEOS calls everything invalid, and says why.
            let unable = complaints.iter().any(|text| text.contains("GEOS"));
            counts.n_invalid += u64::from(!valid && !unable);
            let mut shapes = Vec::new();
            if !shapes_of(&geometry, &mut shapes) || shapes.is_empty() {
                counts.n_unplaced += 1;
                continue;
            }
            let channel = |name: &Option<String>| text(name.as_ref()?).ok()??.parse::<u8>().ok();
            let color = match (channel(&colors[0]), channel(&colors[1]), channel(&colors[2])) {
                (Some(r), Some(g), Some(b)) => Some(Rgb([r, g, b])),
                _ => None,
            };
            let companion = companion.as_ref().map(&text).transpose()?.flatten();
            features.push(ClassFeature { key, companion, color, shapes });
        }
        Ok(())
    });
    result?;
    Ok(Features { features, counts, field, remarks })
}

fn transformer(
    crs: Option<nunatak_domain::geo::Crs>,
    scene: &SceneInfo,
    remarks: &mut Vec<String>,
) -> Result<Option<Transformer>, IoError> {
    match (crs, scene.map_crs()) {
        (Some(from), Some(to)) => {
            let transformer = Transformer::new(&from, to)?;
            if !transformer.identity() {
                remarks.push(format!("the shapes were brought from {} to {}", from.short_name(), to.short_name()));
            }
            Ok(Some(transformer))
        }
        (None, Some(to)) => {
            remarks.push(format!("the file states no coordinate system: taken to be the scene's, {}", to.short_name()));
            Ok(None)
        }
        (Some(from), None) => {
            remarks.push(format!(
                "the scene states no coordinate system: coordinates in {} are taken as the scene's",
                from.short_name()
            ));
            Ok(None)
        }
        (None, None) => Ok(None),
    }
}

/// The field that was asked for, in any case; else a well-known one; else the only one.
fn class_field(names: &[String], wanted: Option<&str>) -> Result<String, String> {
    if names.is_empty() {
        return Err("its features have no field that could hold a class".to_owned());
    }
    let find = |wanted: &str| names.iter().find(|name| name.eq_ignore_ascii_case(wanted)).cloned();
    if let Some(wanted) = wanted {
        return find(wanted).ok_or_else(|| format!("there is no field {wanted}, only {}", names.join(", ")));
    }
    if let [only] = names {
        return Ok(only.clone());
    }
    KNOWN
        .iter()
        .find_map(|(name, _)| find(name))
        .ok_or_else(|| format!("name the field that holds the class: {}", names.join(", ")))
}

/// The field with the other half of a class.
fn companion(names: &[String], field: &str) -> Option<String> {
    let find = |wanted: &str| names.iter().find(|name| name.eq_ignore_ascii_case(wanted) && *name != field).cloned();
    let lower = field.to_lowercase();
    let known = KNOWN
        .iter()
        .find(|(name, _)| *name == lower)
        .and_then(|(_, others)| others.iter().find_map(|other| find(other)));
    known.or_else(|| match lower.strip_suffix("_id") {
        Some(base) => find(&format!("{base}_name")).or_else(|| find(base)),
        None => find(&format!("{lower}_id"))
            .or_else(|| lower.strip_suffix("_name").and_then(|base| find(&format!("{base}_id")))),
    })
}

/// A field as text, whole numbers without a decimal point; `None` where it is empty.
fn text(feature: &Feature, field: &str) -> Result<Option<String>, String> {
    let read = || -> Result<Option<FieldValue>, GdalError> { feature.field(feature.field_index(field)?) };
    let value = read().map_err(|error| gdal_reason(&error))?;
    let text = match value {
        None => return Ok(None),
        Some(FieldValue::IntegerValue(value)) => value.to_string(),
        Some(FieldValue::Integer64Value(value)) => value.to_string(),
        Some(FieldValue::RealValue(value)) if value.fract() == 0.0 => format!("{value:.0}"),
        Some(FieldValue::RealValue(value)) if value.is_nan() => return Ok(None),
        Some(FieldValue::RealValue(value)) => {
            return Err(format!("the field {field} holds {value}: classes are whole numbers or names"));
        }
        Some(FieldValue::StringValue(value)) => value.trim().to_owned(),
        Some(_) => return Err(format!("the field {field} holds neither numbers nor texts")),
    };
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// Takes collections apart; `false` where a part is of a kind that is not read.
fn shapes_of(geometry: &Geometry, shapes: &mut Vec<Shape>) -> bool {
    match geometry_type_flatten(geometry.geometry_type()) {
        OGRwkbGeometryType::wkbPoint | OGRwkbGeometryType::wkbPolygon | OGRwkbGeometryType::wkbTriangle => {
            shapes.push(Shape::Burned(geometry.clone()));
            true
        }
        OGRwkbGeometryType::wkbLineString | OGRwkbGeometryType::wkbLinearRing => {
            let mut points = Vec::new();
            geometry.get_points(&mut points);
            shapes.push(Shape::Line(points.into_iter().map(|(x, y, _)| (x, y)).collect()));
            true
        }
        OGRwkbGeometryType::wkbMultiPoint
        | OGRwkbGeometryType::wkbMultiPolygon
        | OGRwkbGeometryType::wkbMultiLineString
        | OGRwkbGeometryType::wkbGeometryCollection => {
            let mut known = true;
            for part in 0..geometry.geometry_count() {
                known &= shapes_of(&geometry.get_geometry(part), shapes);
            }
            known
        }
        _ => false,
    }
}
