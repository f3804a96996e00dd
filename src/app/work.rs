//! The closed list of jobs, and how each composes `io` and `ml`.
//!
//! Invariant: a job owns everything it reads; it never sees the `Session`.

pub(crate) mod accuracy;
mod accuracy_report;
mod class_spectra;
pub(crate) mod classify;
pub(crate) mod explain;
pub(crate) mod export;
mod extent;
pub(crate) mod index;
pub(crate) mod judge;
pub(crate) mod labels;
pub(crate) mod open;
pub(crate) mod predict;
pub(crate) mod predict_layer;
pub(crate) mod prior;
pub(crate) mod project;
pub(crate) mod reference_spectra;
pub(crate) mod render;
pub(crate) mod replay;
pub(crate) mod sample;
pub(crate) mod sample_reference;
pub(crate) mod save;
pub(crate) mod select;
pub(crate) mod separability;
pub(crate) mod sieve;
pub(crate) mod spectra;
mod strips;
pub(crate) mod thumbnail;

use std::path::PathBuf;
use std::sync::Arc;

use nunatak_domain::class::ClassScheme;
use nunatak_domain::edit::Edit;
use nunatak_domain::job::DeviceChoice;
use nunatak_domain::layer::LayerId;
use nunatak_domain::notice::Notice;
use nunatak_domain::recipe::Recipe;
use nunatak_domain::scene::{BandStatistics, SceneInfo};
use nunatak_domain::spectra::{ReferenceHealth, ReferenceSet, SpectralLibrary};
use nunatak_domain::style::StretchMethod;
use nunatak_io::IoError;
use nunatak_jobs::{Cancelled, JobError, Monitor};
use nunatak_ml::{Engine, MlError};
use serde_json::Value;

use crate::command::Command;
use crate::editing::{Reworked, Selected};
use crate::event::JobReport;
use crate::layers::NewLayer;
use crate::placement::Prepared;
use crate::sampling::Sampled;
use crate::session::OpenModel;

/// What a job leaves for the session.
pub(crate) enum Done {
    Scene(Box<SceneInfo>, Box<Prepared>),
    Model(Box<OpenModel>),
    References(ReferenceSet),
    Stretched {
        layer: LayerId,
        method: StretchMethod,
        whole: bool,
        statistics: Vec<(usize, BandStatistics)>,
    },
    /// Scenes with a layer each, the lowest first.
    Layers {
        report: JobReport,
        layers: Vec<(SceneInfo, NewLayer)>,
    },
    Device {
        choice: DeviceChoice,
        text: String,
        remarks: Vec<String>,
    },
    Sampled(Box<Sampled>),
    Library(PathBuf, SpectralLibrary),
    Imported(ReferenceSet, Vec<String>),
    Health(u64, Box<ReferenceHealth>),
    Selected(Box<Selected>),
    Reworked(Box<Reworked>),
    /// A step that was only in the journal.
    Step {
        step: usize,
        at: u64,
        edit: Arc<Edit>,
    },
    Judged(Box<(crate::judging::Judgement, Option<judge::Given>, JobReport)>),
    Labels(Box<labels::Imported>),
    Classes(ClassScheme),
    Project(Box<project::ProjectDone>),
    Report(JobReport),
}

/// State of the compute lane.
pub(crate) struct Compute {
    engine: Option<(DeviceChoice, Engine)>,
    make: fn(DeviceChoice) -> Result<Engine, MlError>,
}

impl Default for Compute {
    fn default() -> Self {
        Self { engine: None, make: Engine::new }
    }
}

impl Compute {
    /// The engine of a choice; made when first needed, kept until another one is.
    ///
    /// # Errors
    /// There is no such device, or it refuses to compute.
    pub(crate) fn engine(&mut self, choice: DeviceChoice) -> Result<&Engine, JobError> {
        if self.engine.as_ref().is_none_or(|(made_for, _)| *made_for != choice) {
            self.engine = None;
            self.engine = Some((choice, (self.make)(choice).map_err(ml_error)?));
        }
        let (_, engine) = self.engine.as_ref().expect("made above");
        Ok(engine)
    }
}

/// Facts of a report, in order.
#[derive(Default)]
struct Facts(Vec<(String, Value)>);

impl Facts {
    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.push((name.to_owned(), value.into()));
        self
    }

    fn report(self, outputs: Vec<PathBuf>) -> Done {
        Done::Report(JobReport { outputs, facts: self.0, info: None })
    }
}

/// Seconds with three digits: more would only look exact.
fn seconds(since: std::time::Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 1000.0).round() / 1000.0
}

pub(crate) fn io_error(error: IoError) -> JobError {
    let next_step = match &error {
        IoError::Cancelled => return JobError::Cancelled,
        IoError::OnlySubdatasets { .. } => "Open one of its subdatasets by its full name",
        IoError::Exists(_) => "Choose another name, or allow it to be overwritten",
        IoError::Open { .. } => "Look whether the path is right and the file complete",
        _ => "",
    };
    JobError::Failed(Notice::error(error.to_string()).next_step(next_step))
}

fn ml_error(error: MlError) -> JobError {
    let next_step = match &error {
        MlError::Cancelled(_) => return JobError::Cancelled,
        MlError::Device(_) => "Choose the CPU as device",
        MlError::Unrecognised { .. } | MlError::Misfit { .. } => {
            "Open a network that this program knows, for example one saved by SSMGNet's training"
        }
        _ => "",
    };
    JobError::Failed(Notice::error(error.to_string()).next_step(next_step))
}

/// An error that comes out of a cancelled job says nothing more than that.
fn unless_cancelled<T>(monitor: &dyn Monitor, result: Result<T, JobError>) -> Result<T, JobError> {
    if result.is_err() && monitor.check().is_err() { Err(JobError::Cancelled) } else { result }
}

/// The recipe of a command: what it was asked to do, without how it may treat files that
/// were there before, and what went in.
fn recipe(command: &Command, inputs: &[(&str, &PathBuf)], monitor: &dyn Monitor) -> Result<Recipe, JobError> {
    let mut json = serde_json::to_value(command).map_err(|error| Notice::error(error.to_string()))?;
    if let Value::Object(fields) = &mut json {
        fields.remove("overwrite");
        fields.remove("resume");
    }
    let mut recipe = Recipe::new(json);
    monitor.progress(0.0, "hashing the inputs");
    for (role, path) in inputs {
        recipe.inputs.extend(nunatak_io::recipe_inputs(role, path, monitor).map_err(io_error)?);
    }
    Ok(recipe)
}

/// Share of the progress bar after which files are finished (overviews, syncing).
const COMPUTED: f32 = 0.95;

/// A monitor for a part of a job.
struct Part<'a> {
    monitor: &'a dyn Monitor,
    from: f32,
    to: f32,
    /// Said before each note; may be empty.
    what: &'a str,
}

impl<'a> Part<'a> {
    /// While pixels are computed.
    fn computing(monitor: &'a dyn Monitor) -> Self {
        Self { monitor, from: 0.0, to: COMPUTED, what: "" }
    }

    /// While files are finished.
    fn finishing(monitor: &'a dyn Monitor) -> Self {
        Self { monitor, from: COMPUTED, to: 1.0, what: "" }
    }
}

impl Monitor for Part<'_> {
    fn progress(&self, done: f32, note: &str) {
        let done = self.from + (self.to - self.from) * done.clamp(0.0, 1.0);
        if self.what.is_empty() || note.is_empty() {
            self.monitor.progress(done, if note.is_empty() { self.what } else { note });
        } else {
            self.monitor.progress(done, &format!("{}, {note}", self.what));
        }
    }

    fn warn(&self, notice: Notice) {
        self.monitor.warn(notice);
    }

    fn check(&self) -> Result<(), Cancelled> {
        self.monitor.check()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use nunatak_jobs::{JobEvent, Lane, Runner};

    use super::*;

    #[test]
    fn after_a_panic_the_next_job_asks_for_the_device_again() {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let make = |_| {
            MADE.fetch_add(1, Ordering::SeqCst);
            Ok(Engine::cpu())
        };
        let lane = Lane::new("compute", move || Compute { engine: None, make });
        let mut runner: Runner<usize> = Runner::new(Arc::new(|| {}));
        let asked = |compute: &mut Compute| compute.engine(DeviceChoice::Auto).map(|_| MADE.load(Ordering::SeqCst));

        runner.start(&lane, move |compute, _| asked(compute));
        runner.start(&lane, move |compute, _| asked(compute));
        runner.start(&lane, |compute, _| {
            compute.engine(DeviceChoice::Auto)?;
            panic!("device is lost")
        });
        runner.start(&lane, move |compute, _| asked(compute));
        let mut ends = Vec::new();
        while ends.len() < 4 {
            for event in runner.drain() {
                if let JobEvent::Ended { outcome, .. } = event {
                    ends.push(outcome.map_err(|error| error.to_string()));
                }
            }
            std::thread::yield_now();
        }

        assert_eq!(ends, [Ok(1), Ok(1), Err("stopped by an internal error: device is lost".to_owned()), Ok(2)]);
    }
}
