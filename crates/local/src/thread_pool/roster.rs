//! [`Roster`]: who works in a pool, and how many are wanted.

mod growth;
mod member;
mod spares;

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use crossbeam_utils::CachePadded;
use outwork_core::{
    EventHub,
    engine::{AttemptKey, WorkerToken},
};

pub(super) use self::{
    member::{Current, Worker},
    spares::Spares,
};
use super::builder::ThreadPoolSettings;
use crate::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering},
};

/// Threads whose bodies do not stop, at most; beyond it a stuck body keeps its place.
const MAX_ABANDONED: usize = 256;

/// Who works in a pool, and how many are wanted.
#[derive(Debug)]
pub(super) struct Roster {
    /// How many threads there are, those given up not counted.
    count: AtomicUsize,
    /// How many there may be: the size of the pool and one for each thread that blocks.
    target: AtomicUsize,
    /// How many stay although there is nothing to do.
    minimum: AtomicUsize,
    /// What that is when the pool is large enough; without it, all stay.
    wanted_minimum: Option<usize>,
    /// In a line of its own: threads write it, and whoever queues reads those around it.
    idle: CachePadded<AtomicUsize>,
    keep_alive: Duration,
    members: Mutex<Members>,
}

#[derive(Debug)]
struct Members {
    /// Those that were given up not among them.
    workers: Vec<Arc<Worker>>,
    size: usize,
    spares: usize,
    /// Threads that were given up and have not left.
    abandoned: usize,
    next_number: usize,
    token: Option<WorkerToken>,
}

impl Roster {
    pub(super) fn new(settings: &ThreadPoolSettings, token: WorkerToken) -> Self {
        let size = settings.size();
        let wanted_minimum = settings.min_workers;
        Self {
            count: AtomicUsize::new(0),
            target: AtomicUsize::new(size),
            minimum: AtomicUsize::new(minimum(wanted_minimum, size)),
            wanted_minimum,
            idle: CachePadded::new(AtomicUsize::new(0)),
            keep_alive: settings.keep_alive,
            members: Mutex::new(Members {
                workers: Vec::with_capacity(size),
                size,
                spares: 0,
                abandoned: 0,
                next_number: 0,
                token: Some(token),
            }),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    pub(super) fn size(&self) -> usize {
        self.members().size
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members().workers.is_empty()
    }

    /// Whether a job that was just queued may have nobody to run it.
    ///
    /// A thread counts as idle until it has really taken a job, so that what looks like enough
    /// may be one too few. That thread therefore looks once more when it goes off with its job;
    /// sequentially consistent, like all that changes what is read here: either it sees the job
    /// in the queue, or it is seen here that it is no longer idle.
    pub(super) fn is_short_of_threads(&self) -> bool {
        !self.is_full() && self.idle.load(Ordering::SeqCst) == 0
    }

    fn is_full(&self) -> bool {
        self.count.load(Ordering::SeqCst) >= self.target.load(Ordering::SeqCst)
    }

    /// Whether there are more threads than wanted.
    pub(super) fn has_surplus(&self) -> bool {
        self.count.load(Ordering::SeqCst) > self.target.load(Ordering::SeqCst)
    }

    pub(super) fn resize(&self, size: usize) {
        let mut members = self.members();
        members.size = size;
        self.target.store(size + members.spares, Ordering::SeqCst);
        self.minimum.store(minimum(self.wanted_minimum, size), Ordering::SeqCst);
    }

    /// How long a thread waits for work before it may leave; `None` when all are to stay.
    pub(super) fn patience(&self) -> Option<Duration> {
        let above = self.count.load(Ordering::Relaxed) > self.minimum.load(Ordering::Relaxed);
        above.then_some(self.keep_alive)
    }

    pub(super) fn idle(&self) -> Idle<'_> {
        self.idle.fetch_add(1, Ordering::SeqCst);
        Idle(self)
    }

    /// Lets this thread go if there are more than wanted.
    pub(super) fn leaves_as_surplus(&self) -> bool {
        self.leave_above(&self.target)
    }

    /// Lets this thread go if there are more than have to stay.
    pub(super) fn leaves_as_idle(&self) -> bool {
        self.leave_above(&self.minimum)
    }

    /// Takes a thread that was about to leave back, because work came, unless another one has
    /// its place already.
    pub(super) fn stays(&self) -> bool {
        self.enter_below(&self.target)
    }

    fn leave_above(&self, bound: &AtomicUsize) -> bool {
        let less = |count| (count > bound.load(Ordering::SeqCst)).then(|| count - 1);
        self.count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()
    }

    fn enter_below(&self, bound: &AtomicUsize) -> bool {
        let more = |count| (count < bound.load(Ordering::SeqCst)).then(|| count + 1);
        self.count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_ok()
    }

    /// Reserves a place for one more thread, if there is one.
    fn recruit(&self, pool: &str, bound: &AtomicUsize) -> Option<Arc<Worker>> {
        if !self.enter_below(bound) {
            return None;
        }
        let mut members = self.members();
        let number = members.next_number;
        members.next_number += 1;
        let worker = Arc::new(Worker::new(format!("{pool}-{number}"), members.token.clone()));
        members.workers.push(Arc::clone(&worker));
        Some(worker)
    }

    /// Strikes a thread off that leaves.
    fn strike(&self, worker: &Arc<Worker>) -> Struck {
        let mut members = self.members();
        let before = members.workers.len();
        members.workers.retain(|other| !Arc::ptr_eq(other, worker));
        let was_given_up = members.workers.len() == before;
        members.abandoned -= usize::from(was_given_up);
        Struck { was_given_up, was_last: members.workers.is_empty() }
    }

    /// Gives up the thread that runs this attempt.
    pub(super) fn abandon(&self, key: AttemptKey) -> bool {
        let mut members = self.members();
        if members.abandoned >= MAX_ABANDONED {
            tracing::warn!("{MAX_ABANDONED} threads are stuck; no more are replaced");
            return false;
        }
        let Some(place) = members.workers.iter().position(|worker| worker.give_up(key)) else {
            return false;
        };
        let worker = members.workers.swap_remove(place);
        members.abandoned += 1;
        self.count.fetch_sub(1, Ordering::SeqCst);
        drop(members);
        // It may be the last token, which ends the executor.
        worker.forget_token();
        tracing::warn!(worker = %worker.name, task_id = %key.task_id, "a thread is given up");
        true
    }

    /// Gives up all threads: their closures resolve as lost.
    pub(super) fn abandon_all(&self, hub: &EventHub) {
        let mut members = self.members();
        members.token = None;
        let workers = std::mem::take(&mut members.workers);
        members.abandoned += workers.len();
        self.count.fetch_sub(workers.len(), Ordering::SeqCst);
        drop(members);
        for worker in workers {
            worker.lose(hub);
        }
    }

    /// The pool closes: no more tokens for new threads once the old ones are gone.
    pub(super) fn forget_token(&self) {
        let token = self.members().token.take();
        drop(token);
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn minimum(wanted: Option<usize>, size: usize) -> usize {
    wanted.unwrap_or(size).min(size)
}

/// What is known of a thread that was struck off.
struct Struck {
    was_given_up: bool,
    was_last: bool,
}

/// A thread that waits for work.
pub(super) struct Idle<'a>(&'a Roster);

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        self.0.idle.fetch_sub(1, Ordering::SeqCst);
    }
}
