//! The application without a screen: a `Session` that takes `Command`s, hands long work
//! to `jobs` as owned snapshots, and speaks back in `Event`s.

mod arrivals;
mod command;
mod dispatch;
mod document;
mod editing;
mod event;
mod frame;
mod guard;
mod label_view;
mod layers;
mod placement;
mod reader;
mod references;
mod results;
mod session;
mod shell_line;
mod tiles;
mod work;
mod work_dir;

pub use command::{Command, CommandError, ReferenceEdit, StretchExtent};
pub use editing::ClassEdit;
pub use event::{Event, JobOutcome, JobReport, JobStatus};
pub use nunatak_jobs::JobId;
pub use session::{OpenModel, Session, SessionOptions};
