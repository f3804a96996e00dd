//! What went into an output, so that it can be recognised: SHA-256 of files, streamed.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::time::UNIX_EPOCH;

use nunatak_domain::recipe::RecipeInput;
use nunatak_jobs::Monitor;
use sha2::{Digest, Sha256};

use crate::error::IoError;

/// Files above this size are described by size and time instead of being read once more.
const MAX_HASHED_BYTES: u64 = 2 << 30;

/// Describes an input: its SHA-256, or for files above 2 GiB its size and modification time;
/// nothing but the path for remote files and other names that are no local file.
///
/// # Errors
/// The file cannot be read, or the job was cancelled.
pub fn recipe_input(role: &str, path: impl AsRef<Path>, monitor: &dyn Monitor) -> Result<RecipeInput, IoError> {
    let path = path.as_ref();
    let mut input = RecipeInput {
        role: role.to_owned(),
        path: path.to_string_lossy().into_owned(),
        sha256: None,
        bytes: None,
        modified: None,
    };
    let Ok(metadata) = fs::metadata(path) else { return Ok(input) };
    if !metadata.is_file() {
        return Ok(input);
    }
    if metadata.len() <= MAX_HASHED_BYTES {
        input.sha256 = Some(sha256_file(path, monitor)?);
    } else {
        input.bytes = Some(metadata.len());
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        input.modified = modified.map(|since| since.as_secs());
    }
    Ok(input)
}

/// SHA-256 of a file in hexadecimal; reads 1 MiB at a time.
///
/// # Errors
/// The file cannot be read, or the job was cancelled.
pub fn sha256_file(path: impl AsRef<Path>, monitor: &dyn Monitor) -> Result<String, IoError> {
    let path = path.as_ref();
    let fail = |error: std::io::Error| IoError::read(path, "file", error.to_string());
    let mut file = File::open(path).map_err(fail)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        monitor.check()?;
        let n = file.read(&mut buffer).map_err(fail)?;
        if n == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..n]);
    }
}

pub(crate) fn sha256_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use nunatak_jobs::Silent;

    use super::*;

    #[test]
    fn the_hash_is_sha_256() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(sha256_bytes(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_file_is_described_by_its_hash_and_a_remote_one_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc.txt");
        crate::atomic::write_text(&path, "abc", false).unwrap();

        let local = recipe_input("raster", &path, &Silent).unwrap();
        let remote = recipe_input("raster", "/vsicurl/https://example.org/a.tif", &Silent).unwrap();

        assert_eq!(local.sha256, Some(sha256_bytes(b"abc")));
        assert_eq!((remote.sha256, remote.bytes), (None, None));
    }
}
