//! One writer per project.
//!
//! The file `lock` in the project's folder is locked by the operating system, which lets go of
//! it when its process ends, however it does. Its text says who holds it; it is empty when
//! nobody does, and stays in place, so that two that wait for it cannot hold two files.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::atomic::process_alive;
use crate::error::IoError;

pub(super) const LOCK_FILE: &str = "lock";

/// Whether a program has the project open for writing now. Takes the lock for a moment.
pub fn is_in_use(folder: &Path) -> bool {
    let file = File::options().read(true).write(true).open(folder.join(LOCK_FILE));
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Held while a project is open for writing.
#[derive(Debug)]
pub(super) struct ProjectLock {
    file: File,
}

/// Who has a project open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    pub process: u32,
    pub host: String,
    /// Seconds since 1970, UTC.
    pub since: u64,
}

/// A lock, and who held it last and did not let go: that program was killed.
pub(super) struct Taken {
    pub(super) lock: ProjectLock,
    pub(super) left_by: Option<LockHolder>,
}

impl ProjectLock {
    /// Takes the lock of a project. `take_over` also takes one that a program on another machine
    /// seems to hold; its file system may not tell.
    pub(super) fn take(folder: &Path, take_over: bool) -> Result<Taken, IoError> {
        let path = folder.join(LOCK_FILE);
        let fail = |error: std::io::Error| IoError::write(folder, "project", error.to_string());
        let mut file = File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(fail)?;
        let locked = file.try_lock();
        let mut text = String::new();
        // Where locks bind everybody, the text cannot be read either.
        let _ = file.read_to_string(&mut text);
        let holder: Option<LockHolder> = serde_json::from_str(&text).ok();
        let refuse = |holder: Option<&LockHolder>| {
            let holder = holder.map_or_else(|| "another program".to_owned(), LockHolder::sentence);
            Err(IoError::Locked { holder, path: folder.to_owned() })
        };
        match (locked, &holder) {
            (Err(TryLockError::WouldBlock), holder) => return refuse(holder.as_ref()),
            (_, Some(holder)) if holder.host != host() && !take_over => return refuse(Some(holder)),
            // The file system has no locks: the process number has to tell.
            (Err(TryLockError::Error(_)), Some(holder))
                if holder.host == host() && process_alive(holder.process, &path) && !take_over =>
            {
                return refuse(Some(holder));
            }
            _ => {}
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let own = LockHolder { process: std::process::id(), host: host(), since };
        let own = serde_json::to_string(&own).expect("plain values");
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(own.as_bytes()))
            .map_err(fail)?;
        Ok(Taken { lock: Self { file }, left_by: holder })
    }
}

impl Drop for ProjectLock {
    fn drop(&mut self) {
        // Closing is not enough: a program that is just being started still has the file, too.
        if let Err(error) = self.file.set_len(0).and_then(|()| self.file.unlock()) {
            log::warn!("cannot let go of a project's lock: {error}");
        }
    }
}

impl LockHolder {
    fn sentence(&self) -> String {
        format!("process {} on {}", self.process, self.host)
    }
}

fn host() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}
