//! Workers for what a view wants now: a new wish list replaces the old one, so that what
//! has scrolled out of view is dropped before it is begun.
//!
//! Two kinds of requests: *wanted* ones come as a whole list, most wanted first;
//! *asked* ones come one by one, go first, and replace an older one of the same key.

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::lane::join_within;
use crate::{Wake, panic_message};

/// How long the end of the program waits for a read in progress.
const PATIENCE: Duration = Duration::from_millis(500);

/// A request with its answer, or why there is none (one sentence; a panic's message too).
#[derive(Debug)]
pub struct Arrival<K, A> {
    pub key: K,
    pub answer: Result<A, String>,
}

/// A few threads, each with a state of its own, that serve the newest requests first.
pub struct Latest<K, R, A> {
    shared: Arc<Shared<K, R>>,
    arrivals: Receiver<Arrival<K, A>>,
    threads: Vec<JoinHandle<()>>,
    name: String,
}

struct Shared<K, R> {
    queue: Mutex<Queue<K, R>>,
    news: Condvar,
}

struct Queue<K, R> {
    asked: VecDeque<(K, R)>,
    wanted: VecDeque<(K, R)>,
    running: BTreeSet<K>,
    /// Served, but not drained yet: asking again would read twice.
    served: BTreeSet<K>,
    /// Wanted requests that failed are not tried again until they are forgiven.
    failed: BTreeSet<K>,
    closed: bool,
}

impl<K, R, A> Latest<K, R, A>
where
    K: Copy + Ord + Send + 'static,
    R: Send + 'static,
    A: Send + 'static,
{
    /// Starts `n_threads` threads; `factory` makes each one's state and makes it anew after a panic.
    pub fn new<S: 'static>(
        name: &str,
        n_threads: usize,
        wake: Wake,
        factory: impl Fn() -> S + Send + Sync + 'static,
        serve: impl Fn(&mut S, &K, R) -> Result<A, String> + Send + Sync + 'static,
    ) -> Self {
        let queue = Queue {
            asked: VecDeque::new(),
            wanted: VecDeque::new(),
            running: BTreeSet::new(),
            served: BTreeSet::new(),
            failed: BTreeSet::new(),
            closed: false,
        };
        let shared = Arc::new(Shared { queue: Mutex::new(queue), news: Condvar::new() });
        let (sender, arrivals) = unbounded();
        let parts = Arc::new((factory, serve));
        let threads = (0..n_threads)
            .filter_map(|index| {
                let (shared, sender, wake, parts) =
                    (Arc::clone(&shared), sender.clone(), Arc::clone(&wake), Arc::clone(&parts));
                std::thread::Builder::new()
                    .name(format!("{name}-{index}"))
                    .spawn(move || work(&shared, &sender, &wake, &parts.0, &parts.1))
                    .inspect_err(|error| log::error!("failed to start thread {name}-{index}: {error}"))
                    .ok()
            })
            .collect();
        Self { shared, arrivals, threads, name: name.to_owned() }
    }

    /// Replaces the wish list, most wanted first. What runs, waits to be drained, or has failed is left out.
    pub fn want(&self, requests: impl IntoIterator<Item = (K, R)>) {
        // Whatever is slow happens outside of the lock, which the workers need.
        let mut requests: VecDeque<(K, R)> = requests.into_iter().collect();
        let mut queue = self.shared.lock();
        requests.retain(|(key, _)| !queue.known(key));
        let any = !requests.is_empty();
        let old = std::mem::replace(&mut queue.wanted, requests);
        drop(queue);
        drop(old);
        if any {
            self.shared.news.notify_all();
        }
    }

    /// Asks for one thing before all that is wanted.
    pub fn ask(&self, key: K, request: R) {
        let mut queue = self.shared.lock();
        match queue.asked.iter_mut().find(|(asked, _)| *asked == key) {
            Some(older) => older.1 = request,
            None => queue.asked.push_back((key, request)),
        }
        drop(queue);
        self.shared.news.notify_one();
    }

    /// What has arrived since the last call, without waiting.
    pub fn drain(&self) -> Vec<Arrival<K, A>> {
        let mut queue = self.shared.lock();
        let arrivals: Vec<_> = self.arrivals.try_iter().collect();
        for arrival in &arrivals {
            queue.served.remove(&arrival.key);
        }
        arrivals
    }

    /// Something is asked, wanted, being worked on, or not yet drained.
    pub fn busy(&self) -> bool {
        let queue = self.shared.lock();
        !(queue.asked.is_empty() && queue.wanted.is_empty() && queue.running.is_empty() && self.arrivals.is_empty())
    }

    /// Lets failed requests be wanted again.
    pub fn forgive(&self, which: impl Fn(&K) -> bool) {
        self.shared.lock().failed.retain(|key| !which(key));
    }
}

impl<K: Ord, R> Queue<K, R> {
    /// Needs no reading (again).
    fn known(&self, key: &K) -> bool {
        self.running.contains(key) || self.served.contains(key) || self.failed.contains(key)
    }
}

impl<K, R> Shared<K, R> {
    /// No code runs under this lock that could leave the queue half changed.
    fn lock(&self) -> MutexGuard<'_, Queue<K, R>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Ord, R> Shared<K, R> {
    /// Waits for the next request; `None` when the pool closes. True if it was asked.
    fn next(&self) -> Option<(K, R, bool)> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            let asked = queue.asked.pop_front().map(|(key, request)| (key, request, true));
            if let Some(next) = asked.or_else(|| queue.wanted.pop_front().map(|(key, request)| (key, request, false))) {
                queue.running.insert(next.0);
                return Some(next);
            }
            queue = self.news.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn work<K: Copy + Ord, R, A, S>(
    shared: &Shared<K, R>,
    sender: &Sender<Arrival<K, A>>,
    wake: &Wake,
    factory: &impl Fn() -> S,
    serve: &impl Fn(&mut S, &K, R) -> Result<A, String>,
) {
    let mut state: Option<S> = None;
    while let Some((key, request, asked)) = shared.next() {
        let outcome = catch_unwind(AssertUnwindSafe(|| serve(state.get_or_insert_with(factory), &key, request)));
        let answer = outcome.unwrap_or_else(|payload| {
            let broken = state.take();
            if catch_unwind(AssertUnwindSafe(|| drop(broken))).is_err() {
                log::warn!("the state of a worker that panicked could not be dropped");
            }
            Err(format!("internal error: {}", panic_message(payload.as_ref())))
        });
        // Under one lock, so that the request is always in exactly one place.
        let mut queue = shared.lock();
        queue.running.remove(&key);
        queue.served.insert(key);
        if answer.is_err() && !asked {
            queue.failed.insert(key);
        }
        let alone = sender.send(Arrival { key, answer }).is_err();
        drop(queue);
        if alone {
            return;
        }
        wake();
    }
}

impl<K, R, A> Drop for Latest<K, R, A> {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        queue.asked.clear();
        queue.wanted.clear();
        drop(queue);
        self.shared.news.notify_all();
        for thread in self.threads.drain(..) {
            join_within(thread, PATIENCE, &self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Gate = (Sender<()>, Receiver<()>);

    /// One worker that answers with its key after the gate lets it.
    fn gated(gate: &Gate) -> Latest<u32, (), u32> {
        let gate = gate.1.clone();
        Latest::new(
            "test",
            1,
            Arc::new(|| {}),
            || (),
            move |(), key, ()| {
                gate.recv().expect("sender lives");
                match key {
                    13 => Err("truncated".to_owned()),
                    66 => panic!("bad luck"),
                    _ => Ok(*key),
                }
            },
        )
    }

    fn arrivals(pool: &Latest<u32, (), u32>) -> Vec<(u32, Result<u32, String>)> {
        let mut all = Vec::new();
        loop {
            let idle = !pool.busy();
            all.extend(pool.drain().into_iter().map(|arrival| (arrival.key, arrival.answer)));
            if idle {
                return all;
            }
            std::thread::yield_now();
        }
    }

    fn until_begun(pool: &Latest<u32, (), u32>) {
        while pool.shared.lock().running.is_empty() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_new_wish_list_drops_what_has_not_begun() {
        let gate = unbounded();
        let pool = gated(&gate);
        pool.want([(1, ()), (2, ()), (3, ())]);
        until_begun(&pool);

        pool.want([(4, ()), (1, ())]);
        (0..9).for_each(|_| gate.0.send(()).expect("receiver lives"));

        assert_eq!(arrivals(&pool), [(1, Ok(1)), (4, Ok(4))]);
    }

    #[test]
    fn what_is_asked_goes_first_and_replaces_its_elder() {
        let gate = unbounded();
        let pool = gated(&gate);
        pool.want([(1, ()), (2, ())]);
        until_begun(&pool);

        pool.ask(0, ());
        pool.ask(0, ());
        (0..9).for_each(|_| gate.0.send(()).expect("receiver lives"));

        assert_eq!(arrivals(&pool), [(1, Ok(1)), (0, Ok(0)), (2, Ok(2))]);
    }

    #[test]
    fn what_fails_is_told_once_and_not_tried_again() {
        let gate = unbounded();
        let pool = gated(&gate);
        (0..9).for_each(|_| gate.0.send(()).expect("receiver lives"));
        pool.want([(13, ()), (66, ()), (5, ())]);
        let first = arrivals(&pool);

        pool.want([(13, ()), (66, ()), (5, ())]);

        assert_eq!(
            first,
            [(13, Err("truncated".to_owned())), (66, Err("internal error: bad luck".to_owned())), (5, Ok(5))]
        );
        assert_eq!(arrivals(&pool), [(5, Ok(5))]);
        pool.forgive(|key| *key == 13);
        (0..9).for_each(|_| gate.0.send(()).expect("receiver lives"));
        pool.want([(13, ()), (66, ())]);
        assert_eq!(arrivals(&pool), [(13, Err("truncated".to_owned()))]);
    }
}
