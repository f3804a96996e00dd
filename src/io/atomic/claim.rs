//! Who is writing a resumable file: one job of one process.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use super::remove;

/// Resumable partials that this process is writing: their name does not tell two jobs apart.
static RESUMABLE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Keeps others from writing the same resumable partial, here and in other processes.
#[derive(Debug)]
pub(super) struct Claim {
    /// The target under its only name: canonical folder and file name.
    key: PathBuf,
    lock_path: PathBuf,
    /// Locked until the process ends, however it does. `None` where the file system has no locks.
    lock: Option<File>,
}

impl Claim {
    /// # Errors
    /// One half-sentence: somebody else has it, or the lock file cannot be made.
    pub(super) fn take(key: PathBuf, lock_path: PathBuf) -> Result<Self, String> {
        if !resumable_paths().insert(key.clone()) {
            return Err("another job is writing it".to_owned());
        }
        match take_lock(&lock_path) {
            Ok(lock) => Ok(Self { key, lock_path, lock }),
            Err(error) => {
                resumable_paths().remove(&key);
                Err(match error {
                    TryLockError::WouldBlock => "another process is writing it".to_owned(),
                    TryLockError::Error(error) => error.to_string(),
                })
            }
        }
    }

    /// Whether no other process can be writing.
    pub(super) fn locked(&self) -> bool {
        self.lock.is_some()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Removed while it is still locked: see `take_lock`.
        remove(&self.lock_path);
        drop(self.lock.take());
        resumable_paths().remove(&self.key);
    }
}

/// Whether a process still runs. Where the system does not tell, files of the last day count as alive.
pub(crate) fn process_alive(process: u32, file: &Path) -> bool {
    if cfg!(target_os = "linux") {
        // A killed process stays listed as a zombie until its parent asks for it. The state
        // follows the name, which stands in parentheses.
        let stat = fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat"));
        let state = stat.ok().and_then(|stat| stat.rsplit_once(')')?.1.trim_start().chars().next());
        return state.is_some_and(|state| !matches!(state, 'Z' | 'X'));
    }
    let modified = fs::metadata(file).and_then(|metadata| metadata.modified());
    modified.ok().and_then(|time| time.elapsed().ok()).is_none_or(|age| age.as_secs() < 86_400)
}

/// Locks a file that the holder of the lock removes; `None` where the file system has no locks.
///
/// # Errors
/// Somebody else holds the lock, or the file cannot be made.
fn take_lock(path: &Path) -> Result<Option<File>, TryLockError> {
    loop {
        let file = File::options().create(true).truncate(false).write(true).open(path).map_err(TryLockError::Error)?;
        match file.try_lock() {
            // Its last holder may have removed it after it was opened here.
            Ok(()) if is_same_file(&file, path) => return Ok(Some(file)),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(TryLockError::WouldBlock),
            Err(TryLockError::Error(error)) => {
                log::warn!("cannot lock {}: {error}", path.display());
                return Ok(None);
            }
        }
    }
}

#[cfg(unix)]
fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(a), Ok(b)) if place(&a) == place(&b))
}

#[cfg(not(unix))]
fn is_same_file(_file: &File, path: &Path) -> bool {
    path.exists()
}

fn resumable_paths() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    RESUMABLE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
