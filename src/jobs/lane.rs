//! A named thread that owns a state and does one job after the other.
//!
//! Invariant: a panic in a job ends that job alone; the next one finds a fresh state.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::panic_message;

/// How long the end of the program waits for a job that was told to stop.
const PATIENCE: Duration = Duration::from_secs(2);

/// One thread owning a state `S`, jobs in order, panics caught.
pub struct Lane<S> {
    jobs: Option<Sender<Job<S>>>,
    thread: Option<JoinHandle<()>>,
    name: String,
}

struct Job<S> {
    run: Box<dyn FnOnce(&mut S) + Send>,
    /// Told the panic's message in place of an ordinary end.
    panicked: Box<dyn FnOnce(String) + Send>,
}

impl<S: 'static> Lane<S> {
    /// Starts the thread; `factory` makes the state on it, before the first job and again
    /// after a panic. A panic of the factory ends the job that needed the state.
    pub fn new(name: &str, factory: impl Fn() -> S + Send + 'static) -> Self {
        let (sender, receiver) = unbounded();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&receiver, factory))
            .inspect_err(|error| log::error!("failed to start thread {name}: {error}"))
            .ok();
        Self { jobs: Some(sender), thread, name: name.to_owned() }
    }

    /// Queues a job. `panicked` is called on the lane in place of the rest of `run`.
    pub(crate) fn send(
        &self,
        run: impl FnOnce(&mut S) + Send + 'static,
        panicked: impl FnOnce(String) + Send + 'static,
    ) {
        let job = Job { run: Box::new(run), panicked: Box::new(panicked) };
        let refused = match &self.jobs {
            Some(jobs) if self.thread.is_some() => jobs.send(job).err().map(|refused| refused.0),
            _ => Some(job),
        };
        if let Some(job) = refused {
            (job.panicked)(format!("the thread `{}` is gone", self.name));
        }
    }
}

fn work<S>(jobs: &Receiver<Job<S>>, factory: impl Fn() -> S) {
    let mut state: Option<S> = None;
    while let Ok(job) = jobs.recv() {
        let outcome = catch_unwind(AssertUnwindSafe(|| (job.run)(state.get_or_insert_with(&factory))));
        if let Err(payload) = outcome {
            // A state that a panic has passed through may be half changed, even in its drop.
            let broken = state.take();
            if catch_unwind(AssertUnwindSafe(|| drop(broken))).is_err() {
                log::warn!("the state of a job that panicked could not be dropped");
            }
            (job.panicked)(panic_message(payload.as_ref()));
        }
    }
}

impl<S> Drop for Lane<S> {
    /// Lets the running job end, for a bounded time; then the thread is left to itself.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            join_within(thread, PATIENCE, &self.name);
        }
    }
}

/// Waits for a thread for at most `patience`.
pub(crate) fn join_within(thread: JoinHandle<()>, patience: Duration, name: &str) {
    let start = Instant::now();
    while !thread.is_finished() {
        if start.elapsed() > patience {
            log::warn!("thread {name} is still busy and is left behind");
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    if thread.join().is_err() {
        log::error!("thread {name} ended with a panic");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_run_in_order_on_one_state() {
        let lane = Lane::new("test", Vec::new);
        let (sender, receiver) = unbounded();
        for n in 0..3 {
            let sender = sender.clone();
            lane.send(
                move |seen: &mut Vec<i32>| {
                    seen.push(n);
                    sender.send(seen.clone()).expect("receiver lives");
                },
                |_| {},
            );
        }

        let last = receiver.iter().take(3).last();

        assert_eq!(last, Some(vec![0, 1, 2]));
    }

    #[test]
    fn a_panic_is_told_and_the_next_job_finds_a_fresh_state() {
        let lane = Lane::new("test", || 0);
        let (sender, receiver) = unbounded();
        let told = sender.clone();
        lane.send(
            |state: &mut i32| {
                *state = 7;
                panic!("shape mismatch");
            },
            move |message| told.send(message).expect("receiver lives"),
        );
        lane.send(move |state| sender.send(format!("state {state}")).expect("receiver lives"), |_| {});

        assert_eq!(receiver.iter().take(2).collect::<Vec<_>>(), ["shape mismatch", "state 0"]);
    }
}
