//! Files and formats: the only crate that names GDAL, PROJ and image.
//!
//! Reading: [`open`] gives a [`GdalSource`] (one per worker), [`describe()`] a `SceneInfo`.
//! Between coordinate systems: [`reproject`].
//! Writing: everything appears under its name at once ([`atomic`]); rasters through
//! [`GeoTiffSink`], polygons through [`polygonize`], pictures, references, recipes.
//! Bands are 1-based in GDAL; that ends at the border of this crate.

pub mod describe;
pub mod error;
pub mod library;
pub mod mesh;
pub mod probe;
pub mod project;
pub mod reproject;
pub mod source;
pub mod statistics;

mod bands;
mod crs;
mod pixels;
mod raw;
mod wavelength;

mod area;
mod area_of_use;
mod class_raster;
mod classes;
mod compare;
mod convert;
mod copy;
mod ffi;
mod geotiff;
mod hash;
mod labels;
mod picture;
mod points;
mod polygon;
mod recipe;
mod references;
mod scratch;
mod sieve;
mod sink;
mod spectral_library;
mod vector;

pub mod atomic;

pub use area::{AreaKind, class_areas};
pub use class_raster::{class_data_type, class_scheme, qml_text, read_qml};
pub use classes::{CLASS_PRESETS, class_preset, classes_csv, read_classes, write_classes};
pub use compare::{Comparison, compare};
pub use convert::{ConvertReport, convert};
pub use describe::describe;
pub use error::IoError;
pub use geotiff::GeoTiffConfig;
pub use hash::{recipe_inputs, sha256_file};
pub use labels::{
    AttributeSet, FeatureCounts, ImportReport, ImportedValue, LabelImport, LabelSource, LineWidth, MapTarget,
    RasterLabels, ValueMap, VectorExport, VectorLabels, export_label_raster, export_label_vector, import_label_raster,
    import_label_vector, is_vector, label_fields,
};
pub use mesh::{near, warp_bounds, warp_mesh};
pub use picture::{PicturePlace, write_picture};
pub use points::write_sample_points;
pub use probe::probe;
pub use recipe::{RECIPE_ITEM, read_recipe, write_recipe_beside, write_texts};
pub use references::{read_references, references_csv, write_references};
pub use reproject::{Transformer, crs_from_user, same_crs, wgs84, x_period};
pub use sink::{GeoTiffSink, PreparedGeoTiff};
pub use source::{GdalSource, open};
pub use spectral_library::{read_spectral_library, read_target_bands, write_spectral_library};
pub use statistics::{Sampling, statistics, statistics_window};
pub use vector::{ClassPolygons, PolygonReport, polygonize};
