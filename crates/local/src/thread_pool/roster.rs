//! [`Roster`]: who works in a pool, and how many are wanted.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crossbeam_utils::CachePadded;
use outwork_core::{
    BuildError, EventHub, Timer, WouldDeadlock,
    blocking::{Compensate, ExecutorId},
    engine::{AttemptKey, WorkerToken},
};

use super::{backend::Shared, builder::ThreadPoolSettings, closure::QueuedClosure, worker};

/// Threads in the place of those that block on other tasks, at most. The cap of Java's
/// `ForkJoinPool`.
const MAX_SPARES: usize = 256;

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
    /// In a line of its own: threads write it, and whoever queues reads those around it.
    idle: CachePadded<AtomicUsize>,
    keep_alive: Duration,
    elastic: bool,
    members: Mutex<Members>,
}

#[derive(Debug)]
struct Members {
    workers: Vec<Arc<Worker>>,
    size: usize,
    spares: usize,
    abandoned: usize,
    next_number: usize,
    token: Option<WorkerToken>,
}

/// One thread.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) name: Arc<str>,
    state: Mutex<WorkerState>,
}

#[derive(Debug)]
struct WorkerState {
    current: Current,
    abandoned: bool,
    token: Option<WorkerToken>,
}

/// What a thread is at, as far as somebody may want to know.
#[derive(Default)]
pub(super) enum Current {
    #[default]
    Other,
    Attempt(AttemptKey),
    Closure(Arc<dyn QueuedClosure>),
}

impl Roster {
    pub(super) fn new(settings: &ThreadPoolSettings, token: WorkerToken) -> Self {
        let size = settings.size();
        let minimum = settings.minimum();
        Self {
            count: AtomicUsize::new(0),
            target: AtomicUsize::new(size),
            minimum: AtomicUsize::new(minimum),
            idle: CachePadded::new(AtomicUsize::new(0)),
            keep_alive: settings.keep_alive,
            elastic: settings.min_workers.is_some(),
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
    pub(super) fn is_short_of_threads(&self) -> bool {
        self.count.load(Ordering::Relaxed) < self.target.load(Ordering::Relaxed)
            && self.idle.load(Ordering::SeqCst) == 0
    }

    pub(super) fn resize(&self, size: usize) {
        let mut members = self.members();
        members.size = size;
        self.target.store(size + members.spares, Ordering::Release);
        let minimum =
            if self.elastic { self.minimum.load(Ordering::Relaxed).min(size) } else { size };
        self.minimum.store(minimum, Ordering::Release);
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

    /// Takes a thread that was about to leave back, because work came.
    pub(super) fn stays(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    fn leave_above(&self, bound: &AtomicUsize) -> bool {
        let less = |count| (count > bound.load(Ordering::Acquire)).then(|| count - 1);
        self.count.fetch_update(Ordering::SeqCst, Ordering::Relaxed, less).is_ok()
    }

    /// Reserves a place for one more thread, if there is one.
    fn recruit(&self, pool: &str, bound: &AtomicUsize) -> Option<Arc<Worker>> {
        let more = |count| (count < bound.load(Ordering::Acquire)).then(|| count + 1);
        self.count.fetch_update(Ordering::SeqCst, Ordering::Relaxed, more).ok()?;
        let mut members = self.members();
        let number = members.next_number;
        members.next_number += 1;
        let worker = Arc::new(Worker {
            name: Arc::from(format!("{pool}-{number}")),
            state: Mutex::new(WorkerState {
                current: Current::Other,
                abandoned: false,
                token: members.token.clone(),
            }),
        });
        members.workers.push(Arc::clone(&worker));
        Some(worker)
    }

    /// Strikes a thread off that leaves; whether it was the last.
    fn strike(&self, worker: &Arc<Worker>) -> bool {
        let mut members = self.members();
        members.workers.retain(|other| !Arc::ptr_eq(other, worker));
        members.workers.is_empty()
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
        tracing::warn!(worker = %worker.name, task_id = %key.task_id, "a thread is given up");
        true
    }

    /// Gives up all threads: their closures resolve as lost.
    pub(super) fn abandon_all(&self, hub: &EventHub) {
        let mut members = self.members();
        members.token = None;
        let workers = std::mem::take(&mut members.workers);
        drop(members);
        for worker in workers {
            let mut state = worker.state();
            state.abandoned = true;
            let token = state.token.take();
            let current = std::mem::take(&mut state.current);
            drop(state);
            if let Current::Closure(closure) = current {
                closure.lose(hub);
            }
            drop(token);
        }
    }

    /// The pool closes: no more tokens for new threads once the old ones are gone.
    fn forget_token(&self) {
        let token = self.members().token.take();
        drop(token);
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    fn state(&self) -> MutexGuard<'_, WorkerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what the thread is at; `false` when it was given up.
    pub(super) fn now_at(&self, current: Current) -> bool {
        let mut state = self.state();
        let before = std::mem::replace(&mut state.current, current);
        let welcome = !state.abandoned;
        drop(state);
        drop(before);
        welcome
    }

    fn give_up(&self, key: AttemptKey) -> bool {
        let mut state = self.state();
        let runs_it = matches!(state.current, Current::Attempt(current) if current == key);
        if runs_it {
            state.abandoned = true;
            let token = state.token.take();
            drop(state);
            drop(token);
        }
        runs_it
    }
}

/// A thread that waits for work.
pub(super) struct Idle<'a>(&'a Roster);

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        self.0.idle.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    /// Starts the threads that have to be there.
    ///
    /// # Errors
    ///
    /// When the system refuses one.
    pub(super) fn start_minimum(self: &Arc<Self>) -> Result<(), BuildError> {
        while let Some(worker) = self.roster.recruit(&self.name, &self.roster.minimum) {
            self.start(worker).map_err(|error| BuildError::system("a worker thread", &error))?;
        }
        Ok(())
    }

    /// Starts one thread if one is wanted; tries again later when the system refuses.
    pub(super) fn start_one(self: &Arc<Self>) -> bool {
        let Some(worker) = self.roster.recruit(&self.name, &self.roster.target) else {
            return true;
        };
        let Err(error) = self.start(worker) else { return true };
        tracing::error!(%error, pool = %self.name, "a worker thread could not be started");
        let pool = Arc::downgrade(self);
        Timer::shared().after(Duration::from_millis(100), move || {
            if let Some(pool) = pool.upgrade().filter(|pool| pool.may_grow()) {
                pool.start_one();
            }
        });
        false
    }

    fn start(self: &Arc<Self>, worker: Arc<Worker>) -> std::io::Result<()> {
        let thread = std::thread::Builder::new().name(worker.name.to_string());
        let (shared, this) = (Arc::clone(self), Arc::clone(&worker));
        let started = thread.spawn(move || worker::work(&shared, &this));
        if started.is_err() {
            self.roster.count.fetch_sub(1, Ordering::SeqCst);
            self.roster.strike(&worker);
        }
        started.map(drop)
    }

    /// A thread leaves; the last one of a pool that closes turns the light off.
    pub(super) fn leave(&self, worker: &Arc<Worker>, counted: bool) {
        if counted {
            self.roster.count.fetch_sub(1, Ordering::SeqCst);
        }
        let last = self.roster.strike(worker);
        if self.is_closing() {
            if last {
                self.roster.forget_token();
                self.desert();
            }
            // The others look around in turn.
            self.queue.nudge();
        }
        let token = worker.state().token.take();
        drop(token);
    }
}

/// Puts another thread in the place of one that blocks.
pub(super) struct Spares(pub(super) Arc<Shared>);

impl Compensate for Spares {
    fn block(&self, _target: ExecutorId) -> Result<Box<dyn Send>, WouldDeadlock> {
        let shared = &self.0;
        {
            let mut members = shared.roster.members();
            if members.spares >= MAX_SPARES {
                return Err(WouldDeadlock);
            }
            members.spares += 1;
            shared.roster.target.store(members.size + members.spares, Ordering::Release);
        }
        let spare = Spare(Arc::clone(shared));
        if shared.roster.idle.load(Ordering::SeqCst) == 0
            && shared.may_grow()
            && !shared.start_one()
        {
            return Err(WouldDeadlock);
        }
        Ok(Box::new(spare))
    }
}

/// Room for a thread in the place of one that blocks.
struct Spare(Arc<Shared>);

impl Drop for Spare {
    fn drop(&mut self) {
        let roster = &self.0.roster;
        {
            let mut members = roster.members();
            members.spares -= 1;
            roster.target.store(members.size + members.spares, Ordering::Release);
        }
        if roster.count() > roster.target.load(Ordering::Acquire) {
            self.0.queue.nudge();
        }
    }
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Other => "Other",
            Self::Attempt(_) => "Attempt",
            Self::Closure(_) => "Closure",
        })
    }
}
