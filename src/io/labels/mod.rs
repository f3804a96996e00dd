//! Labels from and to the files of other programs: class rasters, and vectors with a class field.
//!
//! Everything is done by windows of the scene; only the label layer itself is held in memory.

mod align;
mod assign;
mod burn;
mod export;
mod features;
mod raster;
#[cfg(test)]
mod tests;
mod values;
mod vector;

use std::collections::BTreeMap;
use std::path::PathBuf;

use nunatak_domain::class::{ClassId, ClassScheme};
use nunatak_domain::label::LabelLayer;
use serde::{Deserialize, Serialize};

pub use export::{AttributeSet, VectorExport, export_label_raster, export_label_vector};
pub use raster::{RasterLabels, import_label_raster};
pub(crate) use vector::field_classes;
pub use vector::{LineWidth, VectorLabels, import_label_vector, label_fields};

/// Labels on a scene's grid, and how they came there.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelImport {
    pub layer: LabelLayer,
    /// The classes that were there before, and the new ones after them.
    pub classes: ClassScheme,
    pub report: ImportReport,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ImportReport {
    /// Every value that the file holds, by number and then by text.
    pub values: Vec<ImportedValue>,
    /// Pixels of the scene with a label.
    pub n_labelled: u64,
    /// Pixels of the scene that lie outside of the label raster.
    pub n_uncovered: u64,
    /// Of vectors only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<FeatureCounts>,
    /// What was changed or decided, one sentence each.
    pub remarks: Vec<String>,
}

/// One value of a file and the class it became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportedValue {
    /// As the file holds it.
    pub value: String,
    /// `None` where it means "no label".
    pub class: Option<ClassId>,
    /// The class's name.
    pub name: String,
    /// Pixels of the scene.
    pub n_px: u64,
}

/// What became of a vector's features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FeatureCounts {
    pub n_features: u64,
    /// With at least one pixel of the result.
    pub n_with_pixels: u64,
    /// Without a geometry, or with an empty one.
    pub n_empty: u64,
    /// That cross themselves; filled by the even-odd rule.
    pub n_invalid: u64,
    /// Beyond the scene's edges.
    pub n_outside: u64,
    /// Inside, but without a pixel centre, or covered by later features.
    pub n_without_pixels: u64,
    /// Whose class field is empty.
    pub n_without_class: u64,
    /// Of a kind that is not read, or without a place in the scene's coordinate system.
    pub n_unplaced: u64,
}

/// Which class a value of a file means; values that are not named here go by the importer's rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ValueMap(pub BTreeMap<String, MapTarget>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MapTarget {
    Unlabelled,
    Id(u16),
    /// A class of this name, made where there is none.
    Name(String),
}

impl std::str::FromStr for ValueMap {
    type Err = String;

    /// `4=wetland,7=3,0=`: a name, an id, or nothing for "no label".
    fn from_str(text: &str) -> Result<Self, String> {
        let mut map = BTreeMap::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (value, target) =
                entry.split_once('=').ok_or_else(|| format!("`{entry}` is not of the form value=class"))?;
            let target = match target.trim() {
                "" => MapTarget::Unlabelled,
                number if number.bytes().all(|byte| byte.is_ascii_digit()) => match number.parse() {
                    Ok(id) if id < u16::MAX => MapTarget::Id(id),
                    _ => return Err(format!("class ids end at 65534, `{entry}` asks for more")),
                },
                name => MapTarget::Name(name.to_owned()),
            };
            if map.insert(value.trim().to_owned(), target).is_some() {
                return Err(format!("the value {} is mapped twice", value.trim()));
            }
        }
        Ok(Self(map))
    }
}

/// Whether a file's ending is that of a vector format.
pub fn is_vector(path: &std::path::Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    ["shp", "gpkg", "geojson", "json", "fgb", "kml", "gml", "sqlite", "parquet"].contains(&ending.as_str())
}

/// A path of a label file and how it is to be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LabelSource {
    Raster(RasterLabels),
    Vector(VectorLabels),
}

impl LabelSource {
    /// By the file's ending, everything else by default.
    pub fn of(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        if is_vector(&path) { Self::Vector(VectorLabels::new(path)) } else { Self::Raster(RasterLabels::new(path)) }
    }
}
