//! [`Cell`]: one accepted task.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::{core::Core, instances::Instance, run::Run};
use crate::{
    Cancel, EventFilter, EventKind, EventStream, JobHandle, Outcome, Output, Payload, Slot, State,
    Task, TaskEvent, TaskId,
    blocking::ExecutorId,
    handle::JoinSource,
    registry::Registered,
    timer::TimerKey,
    waiters::{WaitKey, WakerList, lock},
};

/// One accepted task, from acceptance until nobody holds its outcome.
pub(super) struct Cell {
    pub(super) core: Arc<Core>,
    pub(super) task: Task,
    pub(super) registered: Arc<Registered>,
    pub(super) submitted: Instant,
    /// The address was asked for, so the outcome is kept for a while.
    addressed: AtomicBool,
    inner: Mutex<Inner>,
}

/// What changes in a task's life. Every change of `state` is made under this lock, and its
/// event told under it, so that the events of one task come in order.
/// Locks taken inside: the timer's, the live map's, the instances', the hub's.
/// Wakers, slots and user code are only touched once it is released.
#[derive(Default)]
pub(super) struct Inner {
    pub(super) state: Phase,
    /// The attempt that is waiting or running.
    pub(super) run: Option<Arc<Run>>,
    /// The place in the executor's room. A waiting task that is cancelled leaves it here
    /// until its attempt has left the backend's queue, so that dead entries count too.
    pub(super) slot: Option<Slot>,
    pub(super) instance: Option<Instance>,
    /// How often a body was started here.
    pub(super) attempts: u32,
    pub(super) stop: Option<StopReason>,
    /// The hook before the body was called, so the one after it is owed.
    pub(super) set_up: bool,
    pub(super) timers: Timers,
    pub(super) started: Option<Instant>,
    pub(super) worker: Option<Arc<str>>,
    pub(super) outputs: Vec<Output>,
    pub(super) notes: Vec<String>,
    pub(super) outcome: Option<Outcome>,
    pub(super) waiters: WakerList,
}

/// Where a task is, as finely as the engine needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Phase {
    /// In the backend's queue, or waiting for its time.
    #[default]
    Waiting,
    /// A worker has it and prepares: hooks and recorder run, the body does not yet.
    Preparing,
    /// The body runs.
    Running,
    /// Somebody has claimed the end of the attempt; the state still reads as before.
    Settling { was_running: bool },
    /// Ended.
    Ended(State),
}

/// Why a body is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopReason {
    Cancel,
    TimeLimit(Duration),
    Shutdown,
}

/// The deadlines of a task that are still to come.
#[derive(Debug, Default)]
pub(super) struct Timers {
    pub(super) due: Option<TimerKey>,
    pub(super) expiry: Option<TimerKey>,
    pub(super) limit: Option<TimerKey>,
    pub(super) force: Option<TimerKey>,
}

impl Timers {
    pub(super) fn any(&self) -> bool {
        self.due.or(self.expiry).or(self.limit).or(self.force).is_some()
    }

    pub(super) fn take(&mut self) -> impl Iterator<Item = TimerKey> + use<> {
        let Self { due, expiry, limit, force } = std::mem::take(self);
        [due, expiry, limit, force].into_iter().flatten()
    }
}

impl Phase {
    pub(super) fn state(self) -> State {
        match self {
            Self::Waiting | Self::Preparing | Self::Settling { was_running: false } => {
                State::Pending
            }
            Self::Running | Self::Settling { was_running: true } => State::Running,
            Self::Ended(state) => state,
        }
    }
}

impl Cell {
    pub(super) fn new(
        core: Arc<Core>,
        task: Task,
        registered: Arc<Registered>,
        submitted: Instant,
    ) -> Arc<Self> {
        Arc::new(Self {
            core,
            task,
            registered,
            submitted,
            addressed: AtomicBool::new(false),
            inner: Mutex::default(),
        })
    }

    pub(super) fn id(&self) -> TaskId {
        self.task.id
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    pub(super) fn is_addressed(&self) -> bool {
        self.addressed.load(Ordering::Relaxed)
    }

    /// Tells an event of this task. Called under the lock.
    pub(super) fn emit(&self, attempt: u32, kind: impl FnOnce() -> EventKind) {
        self.core
            .hub()
            .emit(|| TaskEvent::now(self.task.id, Some(self.task.name.clone()), attempt, kind()));
    }

    pub(super) fn into_task(self: Arc<Self>) -> Task {
        match Arc::try_unwrap(self) {
            Ok(cell) => cell.task,
            Err(shared) => shared.task.clone(),
        }
    }
}

impl JoinSource<Payload> for Cell {
    fn poll_outcome(&self, cx: &mut Context<'_>, key: &mut WaitKey) -> Poll<Option<Outcome>> {
        let mut inner = self.lock();
        match &inner.outcome {
            Some(outcome) => Poll::Ready(Some(outcome.clone())),
            None => {
                inner.waiters.register(key, cx.waker());
                Poll::Pending
            }
        }
    }

    fn forget(&self, key: &mut WaitKey) {
        if key.is_registered() {
            self.lock().waiters.forget(key);
        }
    }

    fn task_id(&self) -> TaskId {
        self.task.id
    }

    fn state(&self) -> State {
        self.lock().state.state()
    }

    fn cancel(&self) -> Cancel {
        self.core.cancel(self.task.id)
    }

    fn events(&self) -> EventStream {
        self.core.hub().subscribe(EventFilter::all().task(self.task.id))
    }

    fn job_handle(&self) -> JobHandle {
        self.addressed.store(true, Ordering::Relaxed);
        JobHandle::new(self.task.id, self.core.name())
    }

    fn executor(&self) -> ExecutorId {
        self.core.id()
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell").field("id", &self.task.id).finish_non_exhaustive()
    }
}
