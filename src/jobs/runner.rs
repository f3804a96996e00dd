//! Jobs by number: start, watch, cancel. One runner serves several lanes, so that all
//! news comes through one channel in the order it happened.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, unbounded};
use nunatak_domain::notice::Notice;

use crate::Wake;
use crate::lane::Lane;
use crate::monitor::{Cancelled, JobId, Monitor};

/// Why a job gave no result.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error("cancelled")]
    Cancelled,
    #[error("{}", .0.text)]
    Failed(Notice),
    /// The panic's message.
    #[error("stopped by an internal error: {0}")]
    Panicked(String),
}

impl From<Cancelled> for JobError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl From<Notice> for JobError {
    fn from(notice: Notice) -> Self {
        Self::Failed(notice)
    }
}

/// News of a job whose result is an `O`.
#[derive(Debug)]
pub enum JobEvent<O> {
    Started {
        id: JobId,
        at: Instant,
    },
    Progress {
        id: JobId,
        done: f32,
        note: String,
    },
    Warned {
        id: JobId,
        notice: Notice,
    },
    /// The last of a job, exactly once.
    Ended {
        id: JobId,
        outcome: Result<O, JobError>,
    },
}

/// Gives numbers to jobs, sends them to lanes, and collects their news.
pub struct Runner<O> {
    next_id: u64,
    /// Jobs whose end has not been drained.
    flags: BTreeMap<JobId, Arc<Flag>>,
    sender: Sender<JobEvent<O>>,
    receiver: Receiver<JobEvent<O>>,
    wake: Wake,
}

impl<O: Send + 'static> Runner<O> {
    pub fn new(wake: Wake) -> Self {
        let (sender, receiver) = unbounded();
        Self { next_id: 1, flags: BTreeMap::new(), sender, receiver, wake }
    }

    /// Queues a job on a lane.
    pub fn start<S: 'static>(
        &mut self,
        lane: &Lane<S>,
        job: impl FnOnce(&mut S, &JobMonitor<O>) -> Result<O, JobError> + Send + 'static,
    ) -> JobId {
        let id = JobId(self.next_id);
        self.next_id += 1;
        let flag = Arc::new(Flag::default());
        self.flags.insert(id, Arc::clone(&flag));

        let monitor = JobMonitor { id, flag, sender: self.sender.clone(), wake: Arc::clone(&self.wake) };
        let after_panic = monitor.clone();
        lane.send(
            move |state| {
                if !monitor.flag.advance(WAITING, RUNNING) {
                    return;
                }
                monitor.send(JobEvent::Started { id, at: Instant::now() });
                let outcome = job(state, &monitor);
                monitor.send(JobEvent::Ended { id, outcome });
            },
            move |message| after_panic.send(JobEvent::Ended { id, outcome: Err(JobError::Panicked(message)) }),
        );
        id
    }

    /// Asks a job to stop; one that has not begun ends at once. False if there is no such job.
    pub fn cancel(&mut self, id: JobId) -> bool {
        let Some(flag) = self.flags.get(&id) else { return false };
        if flag.cancel() {
            self.news(JobEvent::Ended { id, outcome: Err(JobError::Cancelled) });
        }
        true
    }

    /// All news since the last call, without waiting.
    pub fn drain(&mut self) -> Vec<JobEvent<O>> {
        let news: Vec<_> = self.receiver.try_iter().collect();
        for event in &news {
            if let JobEvent::Ended { id, .. } = event {
                self.flags.remove(id);
            }
        }
        news
    }

    /// Jobs that wait, run, or whose end has not been drained.
    pub fn busy(&self) -> bool {
        !self.flags.is_empty()
    }

    fn news(&self, event: JobEvent<O>) {
        // The receiver is a field of `self`: it lives.
        if self.sender.send(event).is_ok() {
            (self.wake)();
        }
    }
}

impl<O> Drop for Runner<O> {
    /// Nobody will hear of the jobs any more: they may stop.
    fn drop(&mut self) {
        for flag in self.flags.values() {
            flag.cancel();
        }
    }
}

/// The `Monitor` of one job.
pub struct JobMonitor<O> {
    id: JobId,
    flag: Arc<Flag>,
    sender: Sender<JobEvent<O>>,
    wake: Wake,
}

// Not derived: `O` itself need not be `Clone`.
impl<O> Clone for JobMonitor<O> {
    fn clone(&self) -> Self {
        Self { id: self.id, flag: Arc::clone(&self.flag), sender: self.sender.clone(), wake: Arc::clone(&self.wake) }
    }
}

impl<O> JobMonitor<O> {
    pub const fn id(&self) -> JobId {
        self.id
    }

    fn send(&self, event: JobEvent<O>) {
        if self.sender.send(event).is_ok() {
            (self.wake)();
        }
    }
}

impl<O: Send> Monitor for JobMonitor<O> {
    fn progress(&self, done: f32, note: &str) {
        self.send(JobEvent::Progress { id: self.id, done: done.clamp(0.0, 1.0), note: note.to_owned() });
    }

    fn warn(&self, notice: Notice) {
        self.send(JobEvent::Warned { id: self.id, notice });
    }

    fn check(&self) -> Result<(), Cancelled> {
        if self.flag.0.load(Ordering::Relaxed) == CANCELLED { Err(Cancelled) } else { Ok(()) }
    }
}

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const CANCELLED: u8 = 2;

/// Where a job stands, shared by runner and lane.
#[derive(Default)]
struct Flag(AtomicU8);

impl Flag {
    fn advance(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// True if the job had not begun, and now never will.
    fn cancel(&self) -> bool {
        self.0.swap(CANCELLED, Ordering::AcqRel) == WAITING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runner() -> (Runner<i32>, Lane<()>) {
        (Runner::new(Arc::new(|| {})), Lane::new("test", || ()))
    }

    /// Polls until `n` jobs have ended.
    fn ends(runner: &mut Runner<i32>, n: usize) -> Vec<(JobId, Result<i32, String>)> {
        let mut ends = Vec::new();
        while ends.len() < n {
            for event in runner.drain() {
                if let JobEvent::Ended { id, outcome } = event {
                    ends.push((id, outcome.map_err(|error| error.to_string())));
                }
            }
            std::thread::yield_now();
        }
        ends
    }

    #[test]
    fn a_job_that_has_not_begun_is_cancelled_at_once() {
        let (mut runner, lane) = runner();
        let (release, gate) = unbounded::<()>();
        let first = runner.start(&lane, move |(), _| {
            gate.recv().expect("sender lives");
            Ok(1)
        });
        let second = runner.start(&lane, |(), _| Ok(2));

        runner.cancel(second);

        assert_eq!(ends(&mut runner, 1), [(second, Err("cancelled".to_owned()))]);
        release.send(()).expect("receiver lives");
        assert_eq!(ends(&mut runner, 1), [(first, Ok(1))]);
        assert!(!runner.busy());
    }

    #[test]
    fn a_running_job_hears_of_its_cancel() {
        let (mut runner, lane) = runner();
        let id = runner.start(&lane, |(), monitor| {
            loop {
                monitor.check()?;
                std::thread::yield_now();
            }
        });
        while !runner.drain().iter().any(|event| matches!(event, JobEvent::Started { .. })) {
            std::thread::yield_now();
        }

        assert!(runner.cancel(id));

        assert_eq!(ends(&mut runner, 1), [(id, Err("cancelled".to_owned()))]);
        assert!(!runner.cancel(id));
    }

    #[test]
    fn a_panic_becomes_an_error_and_the_next_job_runs() {
        let (mut runner, lane) = runner();
        runner.start(&lane, |(), _| panic!("out of memory"));
        runner.start(&lane, |(), _| Ok(2));

        let outcomes: Vec<_> = ends(&mut runner, 2).into_iter().map(|(_, outcome)| outcome).collect();

        assert_eq!(outcomes, [Err("stopped by an internal error: out of memory".to_owned()), Ok(2)]);
    }
}
