//! Jobs that write what the session holds: references and the model.

use std::path::Path;

use nunatak_domain::notice::Notice;
use nunatak_domain::spectra::ReferenceSet;
use nunatak_jobs::JobError;
use nunatak_ml::model::{record_json, record_path, save_safetensors_bytes};

use super::{Done, Facts, io_error, ml_error};

pub(crate) fn references(set: &ReferenceSet, path: &Path, overwrite: bool) -> Result<Done, JobError> {
    nunatak_io::write_references(path, set, overwrite).map_err(io_error)?;
    Ok(Facts::default().with("references", set.references.len()).report(vec![path.to_owned()]))
}

/// Safetensors with the record inside and beside it. The weights are read again, so that the
/// session need not hold them.
pub(crate) fn model(source: &Path, path: &Path, overwrite: bool) -> Result<Done, JobError> {
    if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("safetensors")) {
        let text = format!("a model is saved as .safetensors: {}", path.display());
        return Err(Notice::error(text).next_step("End the name in .safetensors").into());
    }
    let loaded = nunatak_ml::load_network(source).map_err(ml_error)?;
    let beside = record_path(path);
    let bytes = save_safetensors_bytes(&loaded.state, &loaded.record);
    nunatak_io::atomic::write_text(&beside, &record_json(&loaded.record), overwrite).map_err(io_error)?;
    nunatak_io::atomic::write_bytes(path, &bytes, overwrite).map_err(io_error)?;
    let facts = Facts::default()
        .with("network", loaded.record.network.name())
        .with("parameters", loaded.state.n_parameters())
        .with("bytes", bytes.len());
    Ok(facts.report(vec![path.to_owned(), beside]))
}
