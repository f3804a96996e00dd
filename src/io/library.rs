//! GDAL as a library: its settings, made once, and its messages, kept per thread.
//!
//! Invariant: every use of GDAL in this crate comes after [`start`].

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Once;

use gdal::errors::CplErrType;

use crate::error::sentence;

/// Settings that hold unless the environment says otherwise.
const SETTINGS: [(&str, &str); 8] = [
    // Megabytes, shared by all threads: GDAL's own default is 5 % of the machine's memory.
    ("GDAL_CACHEMAX", "128"),
    // Longitude before latitude, easting before northing, whatever the authority prefers.
    ("OSR_DEFAULT_AXIS_MAPPING_STRATEGY", "TRADITIONAL_GIS_ORDER"),
    ("GDAL_HTTP_CONNECTTIMEOUT", "10"),
    ("GDAL_HTTP_TIMEOUT", "60"),
    ("GDAL_HTTP_MAX_RETRY", "2"),
    ("GDAL_HTTP_RETRY_DELAY", "1"),
    ("GDAL_HTTP_MERGE_CONSECUTIVE_RANGES", "YES"),
    ("CPL_VSIL_CURL_CACHE_SIZE", "67108864"),
];

/// Settings for remote files only: sidecar files are asked for by name instead of listing
/// the folder, and what was fetched stays in memory. On local files the cache costs time.
const REMOTE_SETTINGS: [(&str, &str); 2] = [("GDAL_DISABLE_READDIR_ON_OPEN", "TRUE"), ("VSI_CACHE", "TRUE")];

/// Messages kept per thread; a broken file can give thousands.
const MAX_MESSAGES: usize = 32;

thread_local! {
    static MESSAGES: RefCell<Vec<Message>> = const { RefCell::new(Vec::new()) };
}

/// One warning or error of GDAL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub failure: bool,
    pub text: String,
}

/// Sets GDAL up: settings, drivers, and a handler that keeps messages instead of printing
/// them. Only the first call does anything.
pub fn start() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for (key, value) in SETTINGS {
            set_unless_set(key, value, gdal::config::set_config_option);
        }
        gdal::config::set_error_handler(|kind, _number, text| {
            let failure = matches!(kind, CplErrType::Failure | CplErrType::Fatal);
            if failure || kind == CplErrType::Warning {
                keep(Message { failure, text: sentence(text) });
            }
        });
        // Registers them by the lock that the crate's other functions use too: two threads that
        // register at one time would corrupt GDAL's list.
        gdal::DriverManager::count();
    });
}

/// Runs `work` and gives what GDAL said on this thread meanwhile.
pub fn with_messages<T>(work: impl FnOnce() -> T) -> (T, Vec<Message>) {
    start();
    let before = MESSAGES.with(RefCell::take);
    let value = work();
    (value, MESSAGES.with(|messages| messages.replace(before)))
}

/// The last error among `messages`, else the last warning.
pub(crate) fn reason(messages: &[Message]) -> Option<String> {
    messages.iter().rfind(|message| message.failure).or(messages.last()).map(|message| message.text.clone())
}

fn keep(message: Message) {
    log::debug!("gdal: {}", message.text);
    // GDAL may speak while a thread ends and its locals are gone.
    let _ = MESSAGES.try_with(|messages| {
        if let Ok(mut messages) = messages.try_borrow_mut()
            && messages.len() < MAX_MESSAGES
        {
            messages.push(message);
        }
    });
}

fn set_unless_set(key: &str, value: &str, set: impl Fn(&str, &str) -> gdal::errors::Result<()>) {
    if gdal::config::get_config_option(key, "").is_ok_and(|present| present.is_empty()) {
        let _ = set(key, value);
    }
}

/// Runs `work` with the settings for remote files where `path` is one.
pub(crate) fn with_settings_for<T>(path: &Path, work: impl FnOnce() -> T) -> T {
    start();
    if !remote(path) {
        return work();
    }
    for (key, value) in REMOTE_SETTINGS {
        set_unless_set(key, value, gdal::config::set_thread_local_config_option);
    }
    let value = work();
    for (key, _) in REMOTE_SETTINGS {
        let _ = gdal::config::clear_thread_local_config_option(key);
    }
    value
}

/// Runs `work`, which opens `path`, so that uncompressed GeoTIFFs on local disks are read past
/// GDAL's block cache at full resolution: windows of interleaved bands come 2 to 3 times as fast.
/// Overviews, which GDAL opens later, keep the cache: neighbouring windows share their blocks.
pub(crate) fn with_direct_reads<T>(path: &Path, work: impl FnOnce() -> T) -> T {
    const OPTION: &str = "GTIFF_DIRECT_IO";
    start();
    if gdal_path(path).map_or(true, |path| remote(&path)) {
        return work();
    }
    set_unless_set(OPTION, "YES", gdal::config::set_thread_local_config_option);
    let value = work();
    let _ = gdal::config::clear_thread_local_config_option(OPTION);
    value
}

/// The name leads to another machine.
pub(crate) fn remote(path: &Path) -> bool {
    let text = path.to_string_lossy();
    ["/vsicurl", "/vsis3", "/vsigs", "/vsiaz", "/vsioss", "/vsiswift", "/vsiwebhdfs"]
        .iter()
        .any(|prefix| text.contains(prefix))
}

/// What GDAL must be asked for: addresses become `/vsicurl/…`, an ENVI header its data file,
/// everything else stays as it is.
///
/// # Errors
/// A sentence where a header has no data file beside it.
pub fn gdal_path(path: &Path) -> Result<PathBuf, String> {
    let text = path.to_string_lossy();
    for (scheme, prefix) in
        [("http://", "/vsicurl/http://"), ("https://", "/vsicurl/https://"), ("s3://", "/vsis3/"), ("gs://", "/vsigs/")]
    {
        if let Some(rest) = text.strip_prefix(scheme) {
            return Ok(PathBuf::from(format!("{prefix}{rest}")));
        }
    }
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("hdr")) && path.is_file() {
        return data_file_of(path).ok_or_else(|| "this is a header, and no data file lies beside it".to_owned());
    }
    Ok(path.to_owned())
}

/// `scene.hdr` describes `scene`, `scene.bsq`, …; `scene.img.hdr` describes `scene.img`.
fn data_file_of(header: &Path) -> Option<PathBuf> {
    let stem = header.with_extension("");
    let extensions = ["bsq", "bil", "bip", "img", "dat", "raw", "bin", "envi", "BSQ", "BIL", "BIP", "IMG", "DAT"];
    std::iter::once(stem.clone())
        .chain(extensions.iter().map(|extension| stem.with_extension(extension)))
        .find(|path| path.is_file())
}

/// The path names a plain file of this machine, not one of GDAL's virtual names.
pub(crate) fn plain_file(path: &Path) -> bool {
    let text = path.to_string_lossy();
    // A colon in the second place is a Windows drive, later ones are `GTIFF_DIR:2:…`.
    let colon = text.char_indices().any(|(i, c)| c == ':' && i > 1);
    !text.starts_with("/vsi") && !text.starts_with('<') && (!colon || path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_virtual_paths() {
        let map = |text: &str| gdal_path(Path::new(text)).expect("maps");
        assert_eq!(map("https://example.org/a.tif"), Path::new("/vsicurl/https://example.org/a.tif"));
        assert_eq!(map("s3://bucket/a.tif"), Path::new("/vsis3/bucket/a.tif"));
        assert_eq!(map("GTIFF_DIR:2:a.tif"), Path::new("GTIFF_DIR:2:a.tif"));
        assert!(remote(&map("https://example.org/a.tif")));
    }

    #[test]
    fn messages_are_kept_per_thread_and_per_call() {
        let (_, outer) = with_messages(|| {
            let verbose = || gdal::DatasetOptions {
                open_flags: gdal::GdalOpenFlags::GDAL_OF_VERBOSE_ERROR,
                ..gdal::DatasetOptions::default()
            };
            let (result, inner) = with_messages(|| gdal::Dataset::open_ex("nowhere.tif", verbose()));
            assert!(result.is_err());
            assert!(reason(&inner).is_some_and(|text| text.contains("nowhere.tif")));
        });
        assert!(outer.is_empty());
    }

    #[test]
    fn virtual_names_are_not_plain_files() {
        assert!(plain_file(Path::new("folder/scene.tif")) && plain_file(Path::new("C:/scene.tif")));
        assert!(!plain_file(Path::new("/vsizip/a.zip/b.tif")) && !plain_file(Path::new("NETCDF:a.nc:t2m")));
    }
}
