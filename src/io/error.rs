//! What can go wrong with files: one sentence each, the path last.

use std::path::{Path, PathBuf};

use gdal::errors::GdalError;
use nunatak_domain::raster::RasterError;
use nunatak_jobs::Cancelled;

/// Failures of this crate.
#[derive(Debug, thiserror::Error)]
pub enum IoError {
    #[error("failed to open raster: {reason}: {}", path.display())]
    Open { reason: String, path: PathBuf },
    /// The file is a container; one of its parts must be opened instead.
    #[error("failed to open raster: the file holds {n} subdatasets and no bands of its own, open one of them, for example {examples}: {}", path.display())]
    OnlySubdatasets { n: usize, examples: String, path: PathBuf },
    #[error("failed to read {what}: {reason}: {}", path.display())]
    Read { what: String, reason: String, path: PathBuf },
    #[error("failed to write {what}: {reason}: {}", path.display())]
    Write { what: String, reason: String, path: PathBuf },
    /// The target is there and may not be replaced.
    #[error("{} exists; add --overwrite", .0.display())]
    Exists(PathBuf),
    /// Somebody else may be writing the project.
    #[error("{holder} has the project open; it can be opened read-only meanwhile: {}", path.display())]
    Locked { holder: String, path: PathBuf },
    /// The file is fine, but this cannot be done with it.
    #[error("{reason}: {}", path.display())]
    Unsupported { reason: String, path: PathBuf },
    #[error("unknown coordinate system: {0}")]
    Crs(String),
    #[error("failed to transform from {from} to {to}: {reason}")]
    Transform { from: String, to: String, reason: String },
    #[error("cancelled")]
    Cancelled,
}

impl IoError {
    pub fn open(path: &Path, reason: impl Into<String>) -> Self {
        Self::Open { reason: reason.into(), path: path.to_owned() }
    }

    pub fn read(path: &Path, what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Read { what: what.into(), reason: reason.into(), path: path.to_owned() }
    }

    pub fn write(path: &Path, what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Write { what: what.into(), reason: reason.into(), path: path.to_owned() }
    }

    pub fn unsupported(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unsupported { reason: reason.into(), path: path.to_owned() }
    }
}

impl From<Cancelled> for IoError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl From<IoError> for RasterError {
    fn from(error: IoError) -> Self {
        Self(error.to_string())
    }
}

/// What GDAL said, without the wrapping of its Rust binding.
pub(crate) fn gdal_reason(error: &GdalError) -> String {
    match error {
        GdalError::CplError { msg, .. } | GdalError::NullPointer { msg, .. } if !msg.is_empty() => sentence(msg),
        GdalError::FfiNulError(_) => "the name holds a zero byte".to_owned(),
        GdalError::CplError { number, .. } => format!("GDAL error {number}"),
        GdalError::NullPointer { method_name, .. } => format!("{method_name} gave nothing"),
        other => sentence(&other.to_string()),
    }
}

/// GDAL's message without the path that the error states anyway.
pub(crate) fn without_path(message: &str, path: &Path) -> String {
    let path = path.to_string_lossy();
    let rest = message.replace(&format!("`{path}'"), "").replace(path.as_ref(), "");
    sentence(rest.trim_matches([' ', ',', ':', '.']))
}

/// One line without a full stop.
pub(crate) fn sentence(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    line.trim_end_matches(['.', ':', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_comes_last() {
        let error = IoError::read(Path::new("a b.tif"), "window", "tile 3 is truncated");
        assert_eq!(error.to_string(), "failed to read window: tile 3 is truncated: a b.tif");
    }

    #[test]
    fn messages_are_one_line_without_a_full_stop() {
        assert_eq!(sentence("Cannot open\n  file. "), "Cannot open file");
    }
}
