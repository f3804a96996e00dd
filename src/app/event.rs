//! Everything a front end must react to once. All else is read from the session.

use std::path::PathBuf;

use nunatak_domain::grid::PixelRect;
use nunatak_domain::inspect::ProbeAnswer;
use nunatak_domain::label::LabelsId;
use nunatak_domain::layer::{LayerId, SceneId};
use nunatak_domain::notice::Notice;
use nunatak_domain::scene::SceneInfo;
use nunatak_io::project::VersionInfo;
use nunatak_jobs::JobId;
use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The list of layers or one of its entries changed.
    LayersChanged,
    SceneOpened {
        scene: SceneId,
        layer: LayerId,
    },
    ModelChanged,
    ReferencesChanged,
    /// The references' health was found anew.
    HealthChanged,
    /// A library of spectra was read, to pick from.
    LibraryOpened,
    ClassesChanged,
    /// A map was judged, or judged anew.
    Judged,
    /// Pixels of a label layer changed, inside of `rect`.
    LabelsChanged {
        labels: LabelsId,
        rect: PixelRect,
    },
    /// A step was made, undone or made again.
    HistoryChanged,
    /// The project's name, place or saved state changed.
    ProjectChanged,
    /// Another project is open; `unpacked` where it came out of an archive.
    ProjectOpened {
        path: PathBuf,
        unpacked: bool,
    },
    /// Answer to `ListVersions`, newest first.
    VersionsListed {
        versions: Vec<VersionInfo>,
    },
    /// Tiles are there that were wanted: paint again.
    TilesArrived,
    Probed(ProbeAnswer),
    JobStarted {
        job: JobId,
        title: String,
    },
    JobProgress {
        job: JobId,
        done: f32,
        note: String,
    },
    JobEnded {
        job: JobId,
        title: String,
        outcome: JobOutcome,
    },
    Notice(Notice),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum JobOutcome {
    Done { report: JobReport },
    Cancelled,
    Failed { notice: Notice },
}

/// What a finished job has to say.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct JobReport {
    pub outputs: Vec<PathBuf>,
    /// Name and value in the order they are printed: `("classes", {...})`, `("seconds", 1.2)`.
    pub facts: Vec<(String, serde_json::Value)>,
    /// For `Info`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<Box<SceneInfo>>,
}

/// A job that waits or runs, for the status bar.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobStatus {
    pub job: JobId,
    pub title: String,
    /// In [0, 1].
    pub done: f32,
    /// For example `120 tiles/s`.
    pub note: String,
    /// Seconds since it started to run.
    pub elapsed_s: f32,
    /// `None` while nothing can be said.
    pub left_s: Option<f32>,
}
