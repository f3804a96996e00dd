//! How long work runs: named threads, progress, cancel. Knows no job in particular.

mod lane;
mod latest;
mod monitor;
mod runner;

pub use lane::Lane;
pub use latest::{Arrival, Latest};
pub use monitor::{Cancelled, JobId, Monitor, Silent};
pub use runner::{JobError, JobEvent, JobMonitor, Runner};

/// Called from worker threads when there is news to poll.
pub type Wake = std::sync::Arc<dyn Fn() + Send + Sync>;

/// What a panic said, for a person.
fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
