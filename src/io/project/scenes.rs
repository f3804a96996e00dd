//! Scenes of a project: where they were, whether they still are there, and how to find them
//! again by their content.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use nunatak_domain::geo::{Crs, Georeference};
use nunatak_domain::layer::SceneId;
use nunatak_domain::scene::SceneInfo;
use nunatak_jobs::Monitor;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::IoError;
use crate::hash::hex;

/// A scene that labels or layers of a project refer to; kept whether its file is there or not.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectScene {
    pub id: SceneId,
    /// What GDAL is asked to open: where the file is, or for missing ones was.
    pub path: PathBuf,
    pub width: usize,
    pub height: usize,
    pub crs: Option<Crs>,
    pub georeference: Georeference,
    /// None for remote files, subdatasets and whatever else is no file of its own.
    pub content: Option<Fingerprint>,
    pub state: SceneState,
}

/// What became of a scene since the project was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SceneState {
    /// Where it was.
    Found,
    /// The same content at another place than noted.
    Moved { from: PathBuf },
    /// A file of that name is there, and its content is another one.
    Changed,
    /// No file of its own: only opening it tells.
    Unchecked,
    /// Nowhere; these places were looked at. `relink` looks at others.
    Missing { tried: Vec<PathBuf> },
}

/// Tells a file by its content without reading all of it: size, and SHA-256 of the first and
/// last mebibyte and of 30 blocks of 64 KiB in between. Files of up to 4 MiB are read whole.
///
/// Two files of one size that differ only elsewhere are not told apart; a scene that was
/// moved, renamed or copied is recognised in milliseconds, whatever its size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    pub bytes: u64,
    pub sampled_sha256: String,
}

impl SceneState {
    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
}

impl ProjectScene {
    /// Of a scene that is open.
    pub fn of(id: SceneId, info: &SceneInfo) -> Self {
        let content = Fingerprint::of(&info.path).ok();
        let state = if content.is_some() { SceneState::Found } else { SceneState::Unchecked };
        Self {
            id,
            path: info.path.clone(),
            width: info.width,
            height: info.height,
            crs: info.crs.clone(),
            georeference: info.georeference.clone(),
            content,
            state,
        }
    }
}

impl Fingerprint {
    /// # Errors
    /// It is no file, or cannot be read.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        const EDGE: u64 = 1 << 20;
        const BLOCK: u64 = 64 << 10;
        const BLOCKS: u64 = 30;
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(std::io::ErrorKind::InvalidInput.into());
        }
        let bytes = metadata.len();
        let mut hash = Sha256::new();
        hash.update(bytes.to_le_bytes());
        let mut add = |at: u64, length: u64| -> std::io::Result<()> {
            file.seek(SeekFrom::Start(at))?;
            let mut part = Vec::new();
            (&mut file).take(length).read_to_end(&mut part)?;
            hash.update(&part);
            Ok(())
        };
        if bytes <= 4 * EDGE {
            add(0, bytes)?;
        } else {
            add(0, EDGE)?;
            let gap = (bytes - 2 * EDGE) / BLOCKS;
            for block in 0..BLOCKS {
                add(EDGE + block * gap, BLOCK)?;
            }
            add(bytes - EDGE, EDGE)?;
        }
        Ok(Self { bytes, sampled_sha256: hex(&hash.finalize()) })
    }

    fn is_of(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == self.bytes)
            && Self::of(path).is_ok_and(|other| other == *self)
    }
}

/// Finds a scene that was noted as `noted` (relative to the project's folder, or absolute), and
/// was last seen at `last_seen`.
pub(super) fn find(
    folder: &Path,
    noted: &str,
    last_seen: &Path,
    content: Option<&Fingerprint>,
) -> (PathBuf, SceneState) {
    let Some(content) = content else { return (PathBuf::from(noted), SceneState::Unchecked) };
    let here = normal(&folder.join(noted));
    let mut places = vec![here.clone(), last_seen.to_owned()];
    // A project that was moved without its scenes, or with some of them beside it.
    if let Some(name) = here.file_name() {
        places.push(folder.join(name));
        places.extend(folder.parent().map(|parent| parent.join(name)));
    }
    let mut tried: Vec<PathBuf> = Vec::new();
    for place in places {
        if tried.contains(&place) {
            continue;
        }
        if content.is_of(&place) {
            let state = if place == here { SceneState::Found } else { SceneState::Moved { from: here } };
            return (place, state);
        }
        tried.push(place);
    }
    if here.is_file() {
        return (here, SceneState::Changed);
    }
    (here, SceneState::Missing { tried })
}

/// Looks for missing scenes under a folder by their content; gives those that were found.
///
/// # Errors
/// The job was cancelled.
pub fn relink(scenes: &mut [ProjectScene], folder: &Path, monitor: &dyn Monitor) -> Result<Vec<SceneId>, IoError> {
    const MAX_FILES: usize = 200_000;
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    let mut n_files = 0;
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let mut entries: Vec<_> = entries.flatten().collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            monitor.check()?;
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(entry.path());
                continue;
            }
            n_files += 1;
            if n_files > MAX_FILES {
                return Ok(found);
            }
            let path = entry.path();
            let missing = |scene: &&mut ProjectScene| matches!(scene.state, SceneState::Missing { .. });
            for scene in scenes.iter_mut().filter(missing) {
                if scene.content.as_ref().is_some_and(|content| content.is_of(&path)) {
                    let from = std::mem::replace(&mut scene.path, path.clone());
                    scene.state = SceneState::Moved { from };
                    found.push(scene.id);
                }
            }
        }
    }
    Ok(found)
}

/// How the manifest notes a path: from the project's folder, with `/`; as it is where there is
/// no way from one to the other, or where it is no file.
pub(super) fn noted(folder: &Path, path: &Path, is_file: bool) -> String {
    let as_is = || path.to_string_lossy().into_owned();
    if !is_file {
        return as_is();
    }
    let (Ok(folder), Ok(absolute)) = (std::path::absolute(folder), std::path::absolute(path)) else { return as_is() };
    let (folder, absolute) = (normal(&folder), normal(&absolute));
    let (mut from, mut to) = (folder.components().peekable(), absolute.components().peekable());
    let mut common = 0;
    while from.peek().is_some() && from.peek() == to.peek() {
        from.next();
        to.next();
        common += 1;
    }
    if common == 0 {
        return as_is();
    }
    let up = from.map(|_| "..".to_owned());
    let down = to.map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// Without `.` and `..`, by name only.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if normal.file_name().is_some() => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}
