//! [`ThreadBackend`]: the queue and the threads, as the engine sees them.

use std::{fmt, sync::Arc};

use outwork_core::{
    Admission, BoxFuture, BuildError, Capabilities, EventHub, ExecutorConfig, Priority,
    blocking::ExecutorId,
    engine::{Attempt, AttemptKey, Backend, Close, Surroundings},
};

use super::{
    builder::ThreadPoolSettings,
    closure::QueuedClosure,
    queue::{Queue, Turn},
    roster::Roster,
};
use crate::{
    command::Commands,
    room::Place,
    runtime,
    settings::check_workers,
    sync::atomic::{AtomicU8, Ordering},
};

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
}

/// What waits for a thread.
pub(super) enum Job {
    Attempt(Attempt),
    Closure(Arc<dyn QueuedClosure>),
}

const OPEN: u8 = 0;
const DRAINING: u8 = 1;
const CANCELLING: u8 = 2;
/// The last thread has left; what comes now is nobody's.
const DESERTED: u8 = 3;

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
        });
        let backend = Self { shared, settings };
        // Threads that were started for a pool that cannot be built have to leave again.
        backend.shared.start_minimum().inspect_err(|_| backend.close(Close::CancelQueued))?;
        Ok(backend)
    }

    pub(super) fn enqueue_closure(&self, closure: Arc<dyn QueuedClosure>) {
        self.shared.push(Job::Closure(closure), Priority::Normal);
    }

    pub(super) fn resize(&self, workers: usize) -> Result<(), BuildError> {
        check_workers("workers", workers)?;
        self.shared.roster.resize(workers);
        self.shared.queue.nudge();
        if !self.shared.may_grow() {
            return Ok(());
        }
        self.shared.start_minimum()?;
        self.shared.grow_for_queue();
        Ok(())
    }
}

impl Shared {
    /// Queues a job, and starts a thread for it if one is missing.
    pub(super) fn push(self: &Arc<Self>, job: Job, priority: Priority) {
        self.queue.push(job, priority);
        if self.roster.is_short_of_threads() && self.may_grow() {
            self.start_one();
        }
        // Sequentially consistent with `close` and `desert`: either they see the job, or it is
        // seen here that nothing is to begin any more.
        if self.closing.load(Ordering::SeqCst) >= CANCELLING {
            self.cancel_queued();
        }
    }

    /// The place that a closure taken out of the queue gives back.
    pub(super) fn place(&self) -> Place<'_> {
        Place::of(&self.admission)
    }

    /// Whether nothing is to begin any more.
    pub(super) fn is_deserted(&self) -> bool {
        self.closing.load(Ordering::SeqCst) == DESERTED
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst) != OPEN
    }

    pub(super) fn may_grow(&self) -> bool {
        self.closing.load(Ordering::SeqCst) < CANCELLING
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
        // A nudge that was for a thread may have been taken out as well.
        self.queue.nudge();
    }

    /// The last thread has left a pool that is closed.
    pub(super) fn desert(&self) {
        self.closing.store(DESERTED, Ordering::SeqCst);
        self.cancel_queued();
        self.roster.forget_token();
    }

    /// A pool that closes may have no thread, or none that can be expected to leave.
    fn desert_if_empty(&self) {
        if self.is_closing() && self.roster.is_empty() {
            self.desert();
        }
    }

    fn close(&self, how: Close) {
        let closing = if how == Close::Drain { DRAINING } else { CANCELLING };
        self.closing.fetch_max(closing, Ordering::SeqCst);
        if how >= Close::CancelQueued {
            self.cancel_queued();
        }
        if how == Close::Abandon {
            self.roster.abandon_all(&self.hub);
        }
        self.desert_if_empty();
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
        if given_up {
            self.shared.desert_if_empty();
        }
        given_up
    }

    fn drive(&self, future: BoxFuture<'static, ()>) {
        runtime::drive(future);
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
