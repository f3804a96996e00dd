//! What can go wrong with networks.

use std::path::PathBuf;

use nunatak_domain::raster::RasterError;
use nunatak_jobs::Cancelled;

#[derive(Debug, thiserror::Error)]
pub enum MlError {
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    #[error(transparent)]
    Raster(#[from] RasterError),
    /// The file cannot be read or holds something other than weights.
    #[error("failed to read weights: {reason}: {}", path.display())]
    Weights { reason: String, path: PathBuf },
    /// The tensors are fine, but no network of ours has them.
    #[error("failed to recognise the network: {reason}: {}", path.display())]
    Unrecognised { reason: String, path: PathBuf },
    /// Tensors are missing or have other shapes than the network's.
    #[error("weights do not fit {network}: {reason}")]
    Misfit { network: &'static str, reason: String },
    /// No such adapter, or it refuses to compute.
    #[error("failed to use the device: {0}")]
    Device(String),
    /// What was asked for makes no sense for this model and scene.
    #[error("{0}")]
    Request(String),
}
