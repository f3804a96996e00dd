//! One session without a window: dispatch a command, wait for its jobs, tell what happened.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use nunatak_app::{Command, Event, JobOutcome, JobReport, Session, SessionOptions};
use nunatak_domain::job::DeviceChoice;
use nunatak_domain::map::{MapFrame, MapPainter, Picture};
use nunatak_domain::notice::{Level, Notice};
use nunatak_render::{AdapterChoice, OffscreenPainter};

use crate::args::GlobalArgs;
use crate::screen::Screen;

/// How long to wait for a wake-up before looking anyway (time left runs on without news).
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Why a command gave no result; the reason has been printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Failed,
    /// By Ctrl-C or a request to end.
    Cancelled,
}

impl From<Stop> for ExitCode {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Failed => Self::from(1),
            Stop::Cancelled => Self::from(EXIT_CANCELLED),
        }
    }
}

/// 128 + SIGINT, as shells have it.
const EXIT_CANCELLED: u8 = 130;

/// A session, the terminal, and Ctrl-C.
pub(crate) struct Headless {
    pub(crate) session: Session,
    pub(crate) screen: Screen,
    news: Receiver<()>,
    interrupts: Arc<AtomicUsize>,
    cancelling: bool,
    muted: bool,
}

impl Headless {
    pub(crate) fn new(args: GlobalArgs, device: DeviceChoice) -> Self {
        // One waiting wake-up is enough: `poll` takes all news at once.
        let (wake, news) = sync_channel(1);
        let interrupts = watch_interrupts(wake.clone());
        let options = SessionOptions {
            wake: Arc::new(move || {
                let _ = wake.try_send(());
            }),
            device,
            painter: Some(Box::new(LazyPainter { painter: None })),
            ..SessionOptions::default()
        };
        Self {
            session: Session::new(options),
            screen: Screen::new(args),
            news,
            interrupts,
            cancelling: false,
            muted: false,
        }
    }

    /// Carries out one command and everything it starts; the reports of its jobs in order.
    ///
    /// # Errors
    /// What went wrong has been printed.
    pub(crate) fn run(&mut self, command: Command) -> Result<Vec<JobReport>, Stop> {
        if self.interrupted() {
            return Err(Stop::Cancelled);
        }
        let round = self.round(command);
        self.screen.clear();
        if round.cancelled || self.interrupted() {
            return Err(Stop::Cancelled);
        }
        if round.errors.is_empty() { Ok(round.reports) } else { Err(Stop::Failed) }
    }

    /// `run` that prints nothing.
    ///
    /// # Errors
    /// What would have been printed as errors.
    pub(crate) fn silently(&mut self, command: Command) -> Result<(), Vec<Notice>> {
        self.muted = true;
        let round = self.round(command);
        self.muted = false;
        if round.errors.is_empty() { Ok(()) } else { Err(round.errors) }
    }

    fn round(&mut self, command: Command) -> Round {
        let mut round = Round::default();
        match self.session.dispatch(command) {
            Ok(events) => self.take(events, &mut round),
            Err(refused) => self.tell(Notice::error(refused.to_string()), &mut round),
        }
        loop {
            let events = self.session.poll();
            let quiet_now = events.is_empty();
            self.take(events, &mut round);
            if quiet_now && round.running.is_empty() && !self.session.busy() {
                return round;
            }
            if self.interrupted() && !self.cancelling {
                self.cancel_all(&mut round);
            }
            if let Some(job) = self.session.jobs().first().filter(|_| !self.muted) {
                self.screen.progress(job);
            }
            if quiet_now {
                let _ = self.news.recv_timeout(LOOK_AGAIN);
            }
        }
    }

    fn interrupted(&self) -> bool {
        self.interrupts.load(Ordering::Relaxed) > 0
    }

    fn cancel_all(&mut self, round: &mut Round) {
        self.cancelling = true;
        let jobs: BTreeSet<_> =
            self.session.jobs().iter().map(|status| status.job).chain(round.running.iter().copied()).collect();
        for job in jobs {
            // A job that has just ended cannot be cancelled any more.
            if let Ok(events) = self.session.dispatch(Command::CancelJob { job }) {
                self.take(events, round);
            }
        }
    }

    fn job_event(&self, event: &Event) {
        if !self.muted {
            self.screen.event(event);
        }
    }

    fn tell(&self, notice: Notice, round: &mut Round) {
        if !self.muted {
            self.screen.notice(&notice);
        }
        if notice.level == Level::Error {
            round.errors.push(notice);
        }
    }

    fn take(&mut self, events: Vec<Event>, round: &mut Round) {
        for event in events {
            match &event {
                Event::Notice(notice) => self.tell(notice.clone(), round),
                Event::JobStarted { job, .. } => {
                    round.running.insert(*job);
                    self.job_event(&event);
                }
                Event::JobEnded { job, outcome, .. } => {
                    round.running.remove(job);
                    self.job_event(&event);
                    match outcome {
                        JobOutcome::Done { report } => round.reports.push(report.clone()),
                        JobOutcome::Cancelled => round.cancelled = true,
                        JobOutcome::Failed { notice } => self.tell(notice.clone(), round),
                    }
                }
                Event::LayersChanged
                | Event::SceneOpened { .. }
                | Event::ModelChanged
                | Event::ReferencesChanged
                | Event::ClassesChanged
                | Event::Judged
                | Event::LabelsChanged { .. }
                | Event::HistoryChanged
                | Event::ProjectChanged
                | Event::ProjectOpened { .. }
                | Event::VersionsListed { .. }
                | Event::HealthChanged
                | Event::LibraryOpened
                | Event::TilesArrived
                | Event::Probed(_)
                | Event::JobProgress { .. } => {}
            }
        }
    }
}

/// What happened since a command was dispatched.
#[derive(Default)]
struct Round {
    running: BTreeSet<nunatak_app::JobId>,
    reports: Vec<JobReport>,
    errors: Vec<Notice>,
    cancelled: bool,
}

/// Counts Ctrl-C and requests to end; the second one ends the program at once.
fn watch_interrupts(wake: SyncSender<()>) -> Arc<AtomicUsize> {
    let interrupts = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&interrupts);
    let handler = move || {
        if counter.fetch_add(1, Ordering::Relaxed) > 0 {
            std::process::exit(i32::from(EXIT_CANCELLED));
        }
        let _ = wake.try_send(());
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        log::warn!("Ctrl-C cannot be caught: {error}");
    }
    interrupts
}

/// Asks for a graphics adapter only when the first picture is drawn.
struct LazyPainter {
    painter: Option<OffscreenPainter>,
}

impl MapPainter for LazyPainter {
    fn paint(&mut self, frame: &MapFrame) -> Result<Picture, String> {
        let painter = match &mut self.painter {
            Some(painter) => painter,
            empty => empty.insert(OffscreenPainter::new(AdapterChoice::Auto).map_err(|error| error.to_string())?),
        };
        painter.paint(frame)
    }
}
