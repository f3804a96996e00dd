//! What a job sees of the program around it.

use nunatak_domain::notice::Notice;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub u64);

/// The job was asked to stop; whatever it had begun to write must vanish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

/// Progress out, warnings out, cancel in.
pub trait Monitor: Sync {
    /// `done` in [0, 1]; `note` is short, for example `120 tiles/s`.
    fn progress(&self, done: f32, note: &str);

    fn warn(&self, notice: Notice);

    /// Called often; also where a pause waits.
    ///
    /// # Errors
    /// The job was cancelled.
    fn check(&self) -> Result<(), Cancelled>;
}

/// For tests and for work that nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Monitor for Silent {
    fn progress(&self, _done: f32, _note: &str) {}

    fn warn(&self, notice: Notice) {
        log::warn!("{}", notice.text);
    }

    fn check(&self) -> Result<(), Cancelled> {
        Ok(())
    }
}
