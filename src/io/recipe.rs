//! Recipes on disk: inside the file where the format has room for one, else beside it
//! as `<file>.recipe.json`.

use std::fs;
use std::path::{Path, PathBuf};

use gdal::{Dataset, DatasetOptions, GdalOpenFlags, Metadata};
use nunatak_domain::recipe::Recipe;

use crate::atomic::{AtomicPath, commit_all, write_plain};
use crate::error::IoError;
use crate::ffi;

/// The metadata item of GeoTIFF and GeoPackage, and the keyword of PNG.
pub const RECIPE_ITEM: &str = "NUNATAK_RECIPE";

/// Reads the recipe of an output back; `None` where it carries none.
///
/// # Errors
/// There is no such file, or what it carries is not a recipe.
pub fn read_recipe(path: impl AsRef<Path>) -> Result<Option<Recipe>, IoError> {
    let path = path.as_ref();
    if !path.exists() {
        return Err(IoError::read(path, "recipe", "no such file"));
    }
    let beside = beside(path);
    let text = if beside.is_file() {
        Some(fs::read_to_string(&beside).map_err(|error| IoError::read(&beside, "recipe", error.to_string()))?)
    } else {
        inside(path)
    };
    let parse =
        |text: String| serde_json::from_str(&text).map_err(|error| IoError::read(path, "recipe", error.to_string()));
    text.map(parse).transpose()
}

/// The recipe as one line of JSON.
pub(crate) fn recipe_text(recipe: &Recipe) -> String {
    serde_json::to_string(recipe).expect("a recipe has only string keys")
}

/// Puts a recipe beside an output that has not been committed yet.
///
/// # Errors
/// The file cannot be written.
pub fn write_recipe_beside(output: &AtomicPath, recipe: &Recipe) -> Result<(), IoError> {
    let text = serde_json::to_string_pretty(recipe).expect("a recipe has only string keys");
    write_plain(&output.appended("recipe.json"), text.as_bytes())
        .map_err(|error| IoError::write(output.target(), "recipe", error.to_string()))
}

/// Writes texts that belong together, each with the recipe beside it: all appear, or none.
/// Returns the files written.
///
/// # Errors
/// As `AtomicPath::create` and `commit_all`, or the disk is full.
pub fn write_texts(files: &[(&Path, &str)], recipe: &Recipe, overwrite: bool) -> Result<Vec<PathBuf>, IoError> {
    let write = |&(path, text): &(&Path, &str)| {
        let output = AtomicPath::create(path, overwrite)?;
        write_plain(&output.partial(), text.as_bytes()).map_err(|error| output.failed("file", &error.to_string()))?;
        write_recipe_beside(&output, recipe)?;
        Ok(output)
    };
    commit_all(files.iter().map(write).collect::<Result<Vec<_>, IoError>>()?)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".recipe.json");
    name.into()
}

fn inside(path: &Path) -> Option<String> {
    let flags = GdalOpenFlags::GDAL_OF_RASTER | GdalOpenFlags::GDAL_OF_VECTOR;
    let options = DatasetOptions { open_flags: flags, ..DatasetOptions::default() };
    let (dataset, _) = ffi::guarded(|| Dataset::open_ex(path, options));
    dataset.ok()?.metadata_item(RECIPE_ITEM, "")
}
