//! Jobs that write what the session holds: references and the model.

use std::path::{Path, PathBuf};

use nunatak_domain::notice::Notice;
use nunatak_domain::recipe::Recipe;
use nunatak_domain::spectra::{ReferenceSet, SpectralLibrary, TargetBand};
use nunatak_jobs::{JobError, Monitor};
use nunatak_ml::model::{record_json, record_path, save_safetensors_bytes};
use serde_json::{Map, Value, json};

use super::{Done, Facts, io_error, ml_error, recipe};
use crate::command::Command;

/// A CSV, or an ENVI library (`.sli`) with the wavelengths of `bands`, and its recipe beside it.
pub(crate) fn references(
    set: &ReferenceSet,
    bands: &[TargetBand],
    path: &Path,
    overwrite: bool,
    command: &Command,
    monitor: &dyn Monitor,
) -> Result<Done, JobError> {
    let recipe = recipe(command, &[], monitor)?;
    let envi = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sli"));
    let outputs = if envi {
        let library = SpectralLibrary::from_references(set, bands);
        nunatak_io::write_spectral_library(path, &library, Some(&recipe), overwrite)
    } else {
        nunatak_io::write_references(path, set, Some(&recipe), overwrite)
    };
    let outputs = outputs.map_err(io_error)?;
    Ok(Facts::default().with("references", set.references.len()).report(outputs))
}

/// Safetensors with the record inside and beside it; the record's origin holds the recipe. The
/// weights are read again, so that the session need not hold them.
pub(crate) fn model(
    source: &PathBuf,
    path: &Path,
    overwrite: bool,
    command: &Command,
    monitor: &dyn Monitor,
) -> Result<Done, JobError> {
    if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("safetensors")) {
        let text = format!("a model is saved as .safetensors: {}", path.display());
        return Err(Notice::error(text).next_step("End the name in .safetensors").into());
    }
    let mut loaded = nunatak_ml::load_network(source).map_err(ml_error)?;
    let recipe = recipe(command, &[("model", source)], monitor)?;
    loaded.record.origin = with_recipe(loaded.record.origin, &recipe);
    let beside = record_path(path);
    let bytes = save_safetensors_bytes(&loaded.state, &loaded.record);
    let record = record_json(&loaded.record);
    nunatak_io::atomic::write_together(&[(path, &bytes), (&beside, record.as_bytes())], overwrite).map_err(io_error)?;
    let facts = Facts::default()
        .with("network", loaded.record.network.name())
        .with("parameters", loaded.state.n_parameters())
        .with("bytes", bytes.len());
    Ok(facts.report(vec![path.to_owned(), beside]))
}

/// What is known of a model's origin, and how this file was made of it.
fn with_recipe(origin: Value, recipe: &Recipe) -> Value {
    let mut fields = match origin {
        Value::Object(fields) => fields,
        Value::Null => Map::new(),
        other => Map::from_iter([("note".to_owned(), other)]),
    };
    fields.insert("recipe".to_owned(), json!(recipe));
    Value::Object(fields)
}
