//! What the session's own files were made from, so that a copied command can make them anywhere,
//! and where a prediction that was stopped can go on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nunatak_domain::job::ExplainConfig;
use nunatak_domain::layer::LayerRole;
use nunatak_domain::notice::Notice;
use nunatak_jobs::JobId;

use crate::session::Jobs;
use crate::work_dir::{Fresh, WorkDir};

/// Files in the session's folder and the jobs that make them.
#[derive(Default)]
pub(crate) struct Results {
    runs: Vec<Run>,
    origins: BTreeMap<PathBuf, Origin>,
}

/// What makes a file again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Origin {
    /// Model, raster, class and part; its folder is any.
    pub(crate) maker: ExplainConfig,
    /// Which of the results it is.
    pub(crate) role: LayerRole,
}

/// A prediction or explanation for the map.
struct Run {
    job: JobId,
    maker: ExplainConfig,
    only_gradcam: bool,
    folder: Fresh,
    ended: bool,
}

impl Results {
    /// Where a run writes: the folder of one that was stopped before, whose class map then goes
    /// on, else a new one.
    pub(crate) fn folder_for(
        &mut self,
        maker: &ExplainConfig,
        only_gradcam: bool,
        jobs: &Jobs,
        work_dir: &mut WorkDir,
    ) -> Fresh {
        let runs = |run: &Run| jobs.list.iter().any(|status| status.job == run.job);
        let stopped = self
            .runs
            .iter()
            .position(|run| !run.ended && run.maker == *maker && run.only_gradcam == only_gradcam && !runs(run));
        match stopped {
            Some(index) => self.runs.remove(index).folder,
            None => work_dir.fresh("predict"),
        }
    }

    pub(crate) fn begun(&mut self, job: JobId, maker: ExplainConfig, only_gradcam: bool, folder: Fresh) {
        self.runs.push(Run { job, maker, only_gradcam, folder, ended: false });
    }

    /// Takes note of a job's end. Where it was a prediction: what to say if it was stopped.
    pub(crate) fn ended(&mut self, job: JobId, done: bool) -> Option<Notice> {
        let run = self.runs.iter_mut().find(|run| run.job == job)?;
        run.ended = done;
        let name = run.maker.raster.file_name().unwrap_or_default().to_string_lossy();
        (!run.only_gradcam).then(|| {
            Notice::info(format!("The class map of {name} goes on where it was stopped if you predict it again"))
                .details("Until this window closes. `nunatak predict --resume` goes on after that as well.")
        })
    }

    /// A job's file came into being.
    pub(crate) fn made(&mut self, job: JobId, path: &Path, role: LayerRole) {
        if let Some(run) = self.runs.iter().find(|run| run.job == job) {
            self.origins.insert(path.to_owned(), Origin { maker: run.maker.clone(), role });
        }
    }

    pub(crate) fn origin(&self, path: &Path) -> Option<&Origin> {
        self.origins.get(path)
    }
}
