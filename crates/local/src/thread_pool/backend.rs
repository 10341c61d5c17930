//! [`ThreadBackend`]: the queue and the threads, as the engine sees them.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
};

use outwork_core::{
    Admission, BoxFuture, BuildError, Capabilities, EventHub, ExecutorConfig, Priority,
    blocking::{ExecutorId, block_on},
    engine::{Attempt, AttemptKey, Backend, Close, Surroundings},
};

use super::{
    builder::ThreadPoolSettings,
    closure::QueuedClosure,
    queue::{Queue, Turn},
    roster::Roster,
};
use crate::{command::Commands, room::Place, runtime};

/// The queue and the threads of a pool.
#[derive(Debug)]
pub(crate) struct ThreadBackend {
    shared: Arc<Shared>,
    settings: ThreadPoolSettings,
}

/// What the pool, its threads and its closures share.
pub(super) struct Shared {
    pub(super) id: ExecutorId,
    pub(super) name: Arc<str>,
    pub(super) hub: Arc<EventHub>,
    admission: Arc<Admission>,
    pub(super) queue: Queue<Job>,
    pub(super) roster: Roster,
    pub(super) commands: Commands,
    closing: AtomicU8,
    /// The last thread has left; what comes now is nobody's.
    deserted: AtomicBool,
}

/// What waits for a thread.
pub(super) enum Job {
    Attempt(Attempt),
    Closure(Arc<dyn QueuedClosure>),
}

const OPEN: u8 = 0;
const DRAINING: u8 = 1;
const CANCELLING: u8 = 2;

impl ThreadBackend {
    pub(crate) fn new(
        pool: Surroundings,
        settings: ThreadPoolSettings,
    ) -> Result<Self, BuildError> {
        let shared = Arc::new(Shared {
            id: pool.id,
            name: Arc::from(&*settings.name),
            hub: pool.hub,
            admission: pool.admission,
            queue: Queue::new(),
            roster: Roster::new(&settings, pool.token),
            commands: Commands::default(),
            closing: AtomicU8::new(OPEN),
            deserted: AtomicBool::new(false),
        });
        shared.start_minimum()?;
        Ok(Self { shared, settings })
    }

    pub(super) fn enqueue_closure(&self, closure: Arc<dyn QueuedClosure>) {
        self.shared.push(Job::Closure(closure), Priority::Normal);
    }

    pub(super) fn resize(&self, workers: usize) -> Result<(), BuildError> {
        if workers == 0 {
            return Err(BuildError::zero("workers"));
        }
        self.shared.roster.resize(workers);
        self.shared.queue.nudge();
        self.shared.start_minimum()
    }
}

impl Shared {
    /// Queues a job, and starts a thread for it if one is missing.
    pub(super) fn push(self: &Arc<Self>, job: Job, priority: Priority) {
        self.queue.push(job, priority);
        if self.roster.is_short_of_threads() && self.may_grow() {
            self.start_one();
        }
        // Sequentially consistent with `desert`: either the last thread sees the job,
        // or it is seen here that there is no thread any more.
        if self.deserted.load(Ordering::SeqCst) {
            self.cancel_queued();
        }
    }

    /// The place that a closure taken out of the queue gives back.
    pub(super) fn place(&self) -> Place<'_> {
        Place::of(&self.admission)
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire) != OPEN
    }

    pub(super) fn may_grow(&self) -> bool {
        self.closing.load(Ordering::Acquire) < CANCELLING
    }

    pub(super) fn cancel_queued(&self) {
        let mut turn = Turn::default();
        while let Some(job) = self.queue.try_pop(&mut turn) {
            match job {
                // The engine has cancelled its task before, or learns of it by the drop.
                Job::Attempt(attempt) => drop(attempt),
                Job::Closure(closure) => {
                    let _place = self.place();
                    closure.cancel_queued(&self.hub);
                }
            }
        }
    }

    /// The last thread has left a pool that is closed.
    pub(super) fn desert(&self) {
        self.deserted.store(true, Ordering::SeqCst);
        self.cancel_queued();
    }

    fn close(&self, how: Close) {
        let closing = if how == Close::Drain { DRAINING } else { CANCELLING };
        self.closing.fetch_max(closing, Ordering::AcqRel);
        if how >= Close::CancelQueued {
            self.cancel_queued();
        }
        if how == Close::Abandon {
            self.roster.abandon_all(&self.hub);
        }
        if self.roster.is_empty() {
            self.desert();
        }
        self.queue.nudge();
    }
}

impl Backend for ThreadBackend {
    fn start(&self, attempt: Attempt) {
        let priority = attempt.priority();
        self.shared.push(Job::Attempt(attempt), priority);
    }

    fn abandon(&self, key: AttemptKey) -> bool {
        let given_up = self.shared.roster.abandon(key);
        if given_up && self.shared.may_grow() {
            self.shared.start_one();
        }
        given_up
    }

    fn drive(&self, future: BoxFuture<'static, ()>) {
        match runtime::shared() {
            Ok(runtime) => drop(runtime.spawn(future)),
            Err(_) => block_on(future),
        }
    }

    fn close(&self, how: Close) {
        self.shared.close(how);
    }

    fn workers(&self) -> usize {
        self.shared.roster.count()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::IN_PROCESS
    }

    fn config(&self) -> ExecutorConfig {
        let mut settings = self.settings.clone();
        settings.workers = Some(self.shared.roster.size());
        ExecutorConfig::new("thread-pool", &settings)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job")
    }
}
