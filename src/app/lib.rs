//! The application without a screen: a `Session` that takes `Command`s, hands long work
//! to `jobs` as owned snapshots, and speaks back in `Event`s.

mod analysis;
mod analysis_lines;
mod answers;
mod arrivals;
mod autosave;
mod command;
mod dispatch;
mod document;
mod editing;
mod event;
mod frame;
mod guard;
mod judging;
mod label_files;
mod label_view;
mod layers;
mod library;
mod live_layers;
mod placement;
mod projects;
mod reader;
mod references;
mod results;
mod sampling;
mod session;
mod shell_line;
mod tiles;
mod work;
mod work_dir;

pub use autosave::{UnsavedWork, unsaved_work};
pub use command::{Command, CommandError, ReferenceEdit, StretchExtent};
pub use editing::ClassEdit;
pub use event::{Event, JobOutcome, JobReport, JobStatus};
pub use judging::{AreaJudgement, HeldOut, JudgeRequest, JudgeTruth, Judgement};
pub use label_files::{ClassSource, LabelExport, LabelFile};
pub use library::OpenLibrary;
pub use nunatak_io::project::VersionInfo;
pub use nunatak_io::{AttributeSet, LineWidth, ValueMap};
pub use nunatak_io::{CLASS_PRESETS, class_preset};
pub use nunatak_jobs::JobId;
pub use projects::{ProjectAccess, ProjectFile, ProjectView};
pub use sampling::{SampleMode, SampleRequest};
pub use session::{OpenModel, Session, SessionOptions};
