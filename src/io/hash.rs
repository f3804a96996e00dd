//! What went into an output, so that it can be recognised: SHA-256 of files, streamed.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use nunatak_domain::recipe::RecipeInput;
use nunatak_jobs::Monitor;
use sha2::{Digest, Sha256};

use crate::error::IoError;
use crate::library::{gdal_path, remote};
use crate::raw;

/// Bytes of one input that are hashed as a whole, file after file; larger files are sampled.
const MAX_HASHED_BYTES: u64 = 2 << 30;
/// See `RecipeInput::sha256_of_samples`.
const N_SAMPLES: u64 = 128;
const SAMPLE_BYTES: u64 = 64 << 10;
/// VRTs may name VRTs.
const MAX_DEPTH: usize = 8;

/// Describes an input and, of a raster, the files it is made of: the input first.
///
/// Files of up to 2 GiB together carry their SHA-256, others that of samples (8 MiB of each);
/// remote files and names that are no local file carry nothing but the path. Overviews and
/// statistics of other programs (`.ovr`, `.aux.xml`) are no input.
///
/// # Errors
/// A file cannot be read, or the job was cancelled.
pub fn recipe_inputs(role: &str, path: impl AsRef<Path>, monitor: &dyn Monitor) -> Result<Vec<RecipeInput>, IoError> {
    let path = path.as_ref();
    let mut left = MAX_HASHED_BYTES;
    let mut inputs = vec![describe(role, path, &mut left, monitor)?];
    for part in parts(path) {
        inputs.push(describe(&format!("{role} part"), &part, &mut left, monitor)?);
    }
    Ok(inputs)
}

fn describe(role: &str, path: &Path, left: &mut u64, monitor: &dyn Monitor) -> Result<RecipeInput, IoError> {
    let mut input = RecipeInput {
        role: role.to_owned(),
        path: path.to_string_lossy().into_owned(),
        sha256: None,
        sha256_of_samples: None,
        bytes: None,
        modified: None,
    };
    let Ok(metadata) = fs::metadata(path) else { return Ok(input) };
    if !metadata.is_file() {
        return Ok(input);
    }
    let bytes = metadata.len();
    // Samples of a small file would be most of it.
    if bytes <= *left || bytes <= N_SAMPLES * SAMPLE_BYTES {
        *left = left.saturating_sub(bytes);
        input.sha256 = Some(sha256_file(path, monitor)?);
    } else {
        input.sha256_of_samples = Some(sha256_of_samples(path, bytes, monitor)?);
        input.bytes = Some(bytes);
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        input.modified = modified.map(|since| since.as_secs());
    }
    Ok(input)
}

/// The other files of a raster, each once; nothing for what GDAL does not know.
fn parts(path: &Path) -> Vec<PathBuf> {
    // Asking a remote file for its parts would fetch it.
    let Some(raster) = gdal_path(path).ok().filter(|path| !remote(path)) else { return Vec::new() };
    let mut seen = BTreeSet::from([path.to_path_buf()]);
    let mut found = Vec::new();
    let mut rasters = vec![raster];
    for _ in 0..MAX_DEPTH {
        for raster in std::mem::take(&mut rasters) {
            for part in raw::files_of(&raster) {
                let name = part.to_string_lossy().to_ascii_lowercase();
                if name.ends_with(".ovr") || name.ends_with(".aux.xml") || !seen.insert(part.clone()) {
                    continue;
                }
                if name.ends_with(".vrt") {
                    rasters.push(part.clone());
                }
                found.push(part);
            }
        }
    }
    found
}

/// # Errors
/// The file cannot be read, or the job was cancelled.
fn sha256_of_samples(path: &Path, bytes: u64, monitor: &dyn Monitor) -> Result<String, IoError> {
    let fail = |error: std::io::Error| IoError::read(path, "file", error.to_string());
    let mut file = File::open(path).map_err(fail)?;
    let mut hash = Sha256::new();
    hash.update(bytes.to_le_bytes());
    let mut buffer = vec![0; SAMPLE_BYTES as usize];
    for index in 0..N_SAMPLES {
        monitor.check()?;
        let start = u128::from(index) * u128::from(bytes - SAMPLE_BYTES) / u128::from(N_SAMPLES - 1);
        file.seek(SeekFrom::Start(start as u64)).map_err(fail)?;
        file.read_exact(&mut buffer).map_err(fail)?;
        hash.update(&buffer);
    }
    Ok(hex(&hash.finalize()))
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

        let local = recipe_inputs("raster", &path, &Silent).unwrap().remove(0);
        let remote = recipe_inputs("raster", "https://example.org/a.tif", &Silent).unwrap().remove(0);

        assert_eq!(local.sha256, Some(sha256_bytes(b"abc")));
        assert_eq!((remote.sha256, remote.bytes), (None, None));
    }

    #[test]
    fn samples_tell_the_ends_and_the_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        let mut bytes: Vec<u8> = (0..20_000_001_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let digest = |bytes: &[u8]| {
            crate::atomic::write_bytes(&path, bytes, true).unwrap();
            sha256_of_samples(&path, bytes.len() as u64, &Silent).unwrap()
        };
        let whole = digest(&bytes);

        // Python's hashlib over struct.pack('<Q', n) and data[s:s + 65536], s = i * (n - 65536) // 127.
        assert_eq!(whole, "31d87f1008cd7ddbd74c4352e3dc637418c1bf68179c028f70f986703f5e3405");
        *bytes.last_mut().unwrap() ^= 1;
        assert_ne!(digest(&bytes), whole);
        bytes.pop();
        assert_ne!(digest(&bytes), whole);
    }

    #[test]
    fn the_sources_of_a_vrt_and_the_header_of_an_envi_file_are_inputs() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| crate::atomic::write_text(of(name), text, false).unwrap();
        write("a.hdr", "ENVI\nsamples = 2\nlines = 2\nbands = 1\ndata type = 1\ninterleave = bsq\n");
        write("a.img", "1234");
        let vrt = |name: &str| {
            format!(
                r#"<VRTDataset rasterXSize="2" rasterYSize="2"><VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename relativeToVRT="1">{name}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"#
            )
        };
        write("inner.vrt", &vrt("a.img"));
        write("outer.vrt", &vrt("inner.vrt"));

        let names = |path: &str| {
            let inputs = recipe_inputs("raster", of(path), &Silent).unwrap();
            assert!(inputs.iter().all(|input| input.sha256.is_some()), "{inputs:?}");
            assert_eq!(inputs[0].role, "raster");
            let name = |input: &RecipeInput| Path::new(&input.path).file_name().unwrap().to_str().unwrap().to_owned();
            inputs.iter().map(name).collect::<Vec<_>>()
        };

        assert_eq!(names("a.img"), ["a.img", "a.hdr"]);
        assert_eq!(names("outer.vrt"), ["outer.vrt", "inner.vrt", "a.img"]);
    }
}
