//! Nothing is lost: the first step begins a project in the program's own folder, and what
//! changed is saved in the background while nobody draws.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use nunatak_domain::notice::Notice;
use nunatak_io::project::SaveKind;
use nunatak_jobs::JobId;

use crate::command::CommandError;
use crate::event::{Event, JobReport};
use crate::session::Session;
use crate::work::Done;

/// After the last change.
const CALM: Duration = Duration::from_secs(10);
/// After the last save, or the last that failed.
const SPACING: Duration = Duration::from_secs(60);
/// How long the end of the session waits for steps to reach the disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// When what was saved.
#[derive(Default)]
pub(crate) struct Clock {
    changes: u64,
    changed_at: Option<Instant>,
    saved_at: Option<Instant>,
    /// A quiet save runs.
    pub(crate) running: Option<JobId>,
    /// Do not wait: scenes were found again.
    pub(crate) urgent: bool,
    /// The last one failed, and that was said.
    failing: bool,
    /// What was asked for while the journal was away.
    pub(crate) then: Option<(Option<PathBuf>, bool)>,
    /// Close the project when its steps are in a journal.
    pub(crate) close: bool,
}

impl Clock {
    pub(crate) fn new(changes: u64) -> Self {
        Self { changes, saved_at: Some(Instant::now()), ..Self::default() }
    }

    /// A save of this state has begun.
    pub(crate) fn begun(&mut self, changes: u64) {
        self.changes = changes;
        self.changed_at = None;
        self.urgent = false;
        self.saved_at = Some(Instant::now());
    }

    pub(crate) fn refused(&mut self) {
        self.saved_at = Some(Instant::now());
        self.failing = true;
    }

    pub(crate) fn saved(&mut self) -> Option<Event> {
        std::mem::take(&mut self.failing).then(|| Event::Notice(Notice::info("The project is saved again")))
    }

    /// Said once, until a save succeeds.
    pub(crate) fn not_saved(&mut self, why: &str) -> Option<Event> {
        let first = !std::mem::replace(&mut self.failing, true);
        let notice = Notice::warning("The project could not be saved in the background; nothing is lost so far")
            .details(why)
            .next_step("Make room on the disk, or save the project elsewhere; it is tried again every minute");
        first.then_some(Event::Notice(notice))
    }
}

impl Session {
    /// Called by `poll`.
    pub(crate) fn keep_safe(&mut self, now: Instant) -> Vec<Event> {
        if self.document.changes != self.keep.clock.changes {
            self.keep.clock.changes = self.document.changes;
            self.keep.clock.changed_at = Some(now);
        }
        if self.drawing() || self.keep.moving.is_some() || self.keep.clock.running.is_some() {
            return Vec::new();
        }
        let mut events = Vec::new();
        if self.journal_is_behind() && self.rested(now) {
            self.keep.clock.saved_at = Some(now);
            events.extend(self.write_journal());
        }
        if self.needs_untitled() && (!self.keep.clock.failing || self.rested(now)) {
            self.begin_untitled();
        } else if self.due(now)
            && let Err(error) = self.save_in_place(SaveKind::Auto)
        {
            self.keep.clock.saved_at = Some(now);
            events.extend(self.keep.clock.not_saved(&error.to_string()));
        }
        events
    }

    /// After how long `poll` has something to do of its own accord.
    pub fn next_autosave(&self) -> Option<Duration> {
        let waits = self.keep.clock.changed_at.is_some() && self.keep.home.is_some();
        waits.then_some(CALM)
    }

    /// Steps are in memory alone.
    pub(crate) fn journal_is_behind(&self) -> bool {
        self.document.journal.as_ref().is_some_and(|journal| journal.n_unwritten() > 0)
    }

    fn rested(&self, now: Instant) -> bool {
        self.keep.clock.saved_at.is_none_or(|at| now.saturating_duration_since(at) >= SPACING)
    }

    fn due(&self, now: Instant) -> bool {
        if self.document.journal.is_none() || self.keep.home.as_ref().is_none_or(|home| home.writer.is_none()) {
            return false;
        }
        // Labels are worth nothing without knowing their scene.
        let unknown =
            |scene| self.layers.scene(scene).is_some() && self.keep.scenes.iter().all(|known| known.id != scene);
        let unknown = self.document.project.labels.iter().any(|labels| unknown(labels.scene));
        if unknown || self.keep.clock.urgent {
            return !self.keep.clock.failing || self.rested(now);
        }
        let calm = self.keep.clock.changed_at.is_some_and(|at| now.saturating_duration_since(at) >= CALM);
        calm && self.rested(now) && !self.document.history.is_saved()
    }

    /// Steps have no journal to go to: there is no project, or it is only read.
    pub(crate) fn homeless(&self) -> bool {
        self.keep.home.as_ref().is_none_or(|home| home.writer.is_none())
    }

    fn needs_untitled(&self) -> bool {
        self.untitled.is_some() && self.homeless() && self.document.has_waiting()
    }

    fn begin_untitled(&mut self) {
        let Some(folder) = &self.untitled else { return };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let path = folder.join(format!("untitled-{now}-{}.nunatak", std::process::id()));
        self.make_home(path, false, true);
    }

    /// Before the document is replaced: its steps get a place on the disk.
    ///
    /// # Errors
    /// There is none, and the steps would be lost.
    pub(crate) fn secure(&mut self) -> Result<(), CommandError> {
        if self.needs_untitled() && self.keep.moving.is_none() {
            self.begin_untitled();
        } else if self.homeless() && self.keep.moving.is_none() && self.document.has_waiting() {
            return Err(CommandError(
                "the steps of this session are not saved: save the project first, or close it".to_owned(),
            ));
        }
        if self.journal_is_behind() {
            drop(self.write_journal());
            if self.journal_is_behind() {
                let text = "the last steps could not be written: make room on the disk, or save elsewhere";
                return Err(CommandError(text.to_owned()));
            }
        }
        Ok(())
    }

    /// Gives the journal what it does not have; says once where the disk refuses.
    pub(crate) fn write_journal(&mut self) -> Option<Event> {
        if self.keep.home.is_some() && self.homeless() && self.untitled.is_none() && self.document.has_waiting() {
            let first = !std::mem::replace(&mut self.document.refused, true);
            let text = "The project is open for reading only: steps are kept in memory until it is saved elsewhere";
            return first.then(|| Event::Notice(Notice::warning(text)));
        }
        match self.document.write() {
            Ok(()) => {
                let flushed = self.document.journal.as_mut().map_or(Ok(()), |journal| journal.flush());
                let again = flushed.is_ok() && std::mem::take(&mut self.document.refused);
                again.then(|| Event::Notice(Notice::info("All steps are in the project again")))
            }
            Err(why) => {
                let first = !std::mem::replace(&mut self.document.refused, true);
                let text = "The last step could not be written to the project: it is kept in memory";
                let next_step = "Make room on the disk, or save the project elsewhere";
                first.then(|| Event::Notice(Notice::error(text).details(why).next_step(next_step)))
            }
        }
    }

    /// Its work lies elsewhere by now, or nobody wants it.
    pub(crate) fn remove_untitled(&mut self, path: PathBuf) {
        self.runner.start(&self.files_lane, move |(), _| {
            if let Err(error) = std::fs::remove_dir_all(&path) {
                log::warn!("cannot remove {}: {error}", path.display());
            }
            Ok(Done::Report(JobReport::default()))
        });
    }

    /// # Errors
    /// It is not among the program's own.
    pub(crate) fn discard_unsaved(&mut self, path: PathBuf) -> Result<Vec<Event>, CommandError> {
        let own = self.untitled.as_deref().is_some_and(|folder| {
            path.file_name().is_some_and(|name| folder.join(name) == path)
                && path.extension().is_some_and(|ending| ending == "nunatak")
        });
        let open = self.keep.home.as_ref().is_some_and(|home| home.path == path);
        if !own || open {
            return Err(CommandError("only unsaved work that is not open can be discarded".to_owned()));
        }
        if nunatak_io::project::is_in_use(&path) {
            return Err(CommandError("another window has this work open".to_owned()));
        }
        self.remove_untitled(path);
        Ok(Vec::new())
    }
}

impl Drop for Session {
    /// Steps that are on their way to the disk get there.
    fn drop(&mut self) {
        self.end_drawing();
        if self.needs_untitled() && self.keep.moving.is_none() {
            self.begin_untitled();
        }
        let start = Instant::now();
        while self.keep.moving.is_some() && start.elapsed() < PATIENCE {
            drop(self.poll());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Work of an earlier session that nobody saved under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsavedWork {
    pub path: PathBuf,
    /// Of the last step.
    pub changed: SystemTime,
}

/// Projects without a name that no program has open, newest first.
pub fn unsaved_work(folder: &Path) -> Vec<UnsavedWork> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<UnsavedWork> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "nunatak"))
        .filter(|path| !nunatak_io::project::is_in_use(path))
        .filter_map(|path| {
            let changed = std::fs::metadata(path.join("journal.bin")).and_then(|data| data.modified()).ok()?;
            Some(UnsavedWork { path, changed })
        })
        .collect();
    found.sort_by_key(|work| std::cmp::Reverse(work.changed));
    found
}
