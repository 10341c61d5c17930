//! [`Cell`]: one task that an executor has.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use super::{
    core::Core,
    instances::Instance,
    run::{LaterRun, Run, RunState},
};
use crate::{
    Cancel, EventFilter, EventKind, EventStream, JobHandle, Outcome, Output, Payload, State, Task,
    TaskEvent, TaskId,
    blocking::ExecutorId,
    clock::wall_time,
    handle::JoinSource,
    registry::Registered,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    timer::TimerKey,
    waiters::{WaitKey, WakerList, lock},
};

/// One task that an executor has, from its submission until nobody holds its outcome.
pub(super) struct Cell {
    pub(super) core: Arc<Core>,
    pub(super) task: Task,
    pub(super) registered: Arc<Registered>,
    pub(super) submitted: Instant,
    /// The address was asked for: the outcome is kept for a while, and may be read twice.
    addressed: AtomicBool,
    /// What belongs to the first attempt.
    pub(super) first: RunState,
    inner: Mutex<Inner>,
}

/// What changes in a task's life. Every change of `phase` is made under this lock, and its
/// event told under it, so that the events of one task come in order.
///
/// Locks taken inside: the timer's, the live map's, the instances', the lifecycle's, the hub's.
/// The hub wakes the readers of events, which only schedules them. Everything else that could
/// run foreign code is done once the lock is released: waking those who wait for the outcome,
/// giving back places, dropping attempts and deadlines.
#[derive(Default)]
pub(super) struct Inner {
    pub(super) phase: Phase,
    /// The number of the attempt that is waiting or running, from 1.
    pub(super) number: u32,
    /// That attempt, when it is not the first.
    pub(super) later: Option<Arc<LaterRun>>,
    /// Whether the task has a place in the executor's room to give back. A waiting task that
    /// is cancelled keeps it until its attempt has left the backend's queue, so that dead
    /// entries count too.
    pub(super) has_place: bool,
    /// How often a body was started here.
    pub(super) attempts: u32,
    pub(super) stop: Option<StopReason>,
    /// The hook before the body was called, so the one after it is owed.
    pub(super) set_up: bool,
    pub(super) started: Option<Instant>,
    pub(super) worker: Option<Arc<str>>,
    pub(super) outcome: Option<Outcome>,
    pub(super) waiters: WakerList,
    /// Kept apart, because a cell travels from one processor to another and back, and what most
    /// tasks have none of should not travel with it.
    rare: Option<Box<Rare>>,
}

/// What most tasks have none of.
#[derive(Default)]
pub(super) struct Rare {
    pub(super) timers: Timers,
    pub(super) instance: Option<Instance>,
    pub(super) outputs: Vec<Output>,
    pub(super) notes: Vec<String>,
    /// How many workers were lost with an attempt of it.
    pub(super) losses: u32,
}

/// Where a task is, as finely as the engine needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Phase {
    /// It is being recorded and not accepted yet: only who submits it may end it.
    #[default]
    Enrolling,
    /// The same, with its handle out already: the executor's deadline may end it too.
    Promised,
    /// In the backend's queue, or waiting for its time.
    Waiting,
    /// Sent ahead to a worker that has not begun it; it can be recalled.
    HandedOver,
    /// A worker has it and prepares: hooks and recorder run, the body does not yet.
    Preparing,
    /// The body runs.
    Running,
    /// Somebody has claimed the end of the attempt; the state still reads as before.
    Settling { was_running: bool },
    /// Ended.
    Ended(State),
}

/// Why a task is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopReason {
    Cancel,
    Shutdown,
    Expired,
    TimeLimit,
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
    pub(super) fn take(&mut self) -> impl Iterator<Item = TimerKey> + use<> {
        let Self { due, expiry, limit, force } = std::mem::take(self);
        [due, expiry, limit, force].into_iter().flatten()
    }
}

impl Phase {
    pub(super) const fn state(self) -> State {
        match self {
            Self::Enrolling
            | Self::Promised
            | Self::Waiting
            | Self::HandedOver
            | Self::Preparing
            | Self::Settling { was_running: false } => State::Pending,
            Self::Running | Self::Settling { was_running: true } => State::Running,
            Self::Ended(state) => state,
        }
    }
}

impl Inner {
    pub(super) fn is_current(&self, run: &Run) -> bool {
        self.number == run.number()
    }

    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub(super) fn rare_if_any(&mut self) -> Option<&mut Rare> {
        self.rare.as_deref_mut()
    }

    pub(super) const fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// Whether somebody has the right to end it, or had.
    pub(super) const fn is_claimed(&self) -> bool {
        matches!(self.phase, Phase::Settling { .. } | Phase::Ended(_))
    }
}

impl Cell {
    pub(super) fn new(
        core: Arc<Core>,
        task: Task,
        registered: Arc<Registered>,
        instance: Option<Instance>,
    ) -> Arc<Self> {
        let mut inner = Inner { number: task.attempt + 1, has_place: true, ..Inner::default() };
        if instance.is_some() {
            inner.rare().instance = instance;
        }
        Arc::new(Self {
            submitted: core.now(),
            core,
            task,
            registered,
            addressed: AtomicBool::new(false),
            first: RunState::default(),
            inner: Mutex::new(inner),
        })
    }

    pub(super) fn id(&self) -> TaskId {
        self.task.id
    }

    /// The number of the first attempt that is made here.
    pub(super) fn first_attempt(&self) -> u32 {
        self.task.attempt + 1
    }

    /// The attempt that is waiting or running.
    pub(super) fn run(self: &Arc<Self>, inner: &Inner) -> Run {
        match &inner.later {
            Some(later) => Run::Later(Arc::clone(later)),
            None => Run::First(Arc::clone(self)),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Whether there is, or is about to be, a handle that has to resolve.
    pub(super) fn is_promised(&self) -> bool {
        self.lock().phase != Phase::Enrolling
    }

    /// Keeps the outcome for those who come later with the address; `false` when it is gone.
    /// Set before the lock is taken and read under it, so that an end in between sees it.
    pub(super) fn set_addressed(self: &Arc<Self>) -> bool {
        self.addressed.store(true, Ordering::Relaxed);
        let inner = self.lock();
        let (ended, taken) = (inner.has_ended(), inner.outcome.is_none());
        drop(inner);
        if ended && !taken {
            self.core.retain(self);
        }
        !(ended && taken)
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
        if !inner.has_ended() {
            let old = inner.waiters.register(key, cx.waker());
            drop(inner);
            drop(old);
            return Poll::Pending;
        }
        Poll::Ready(if self.is_addressed() { inner.outcome.clone() } else { inner.outcome.take() })
    }

    fn poll_ended(&self, cx: &mut Context<'_>, key: &mut WaitKey) -> Poll<()> {
        let mut inner = self.lock();
        if inner.has_ended() {
            return Poll::Ready(());
        }
        let old = inner.waiters.register(key, cx.waker());
        drop(inner);
        drop(old);
        Poll::Pending
    }

    fn forget(&self, key: &mut WaitKey) {
        if key.is_registered() {
            let old = self.lock().waiters.forget(key);
            drop(old);
        }
    }

    fn task_id(&self) -> TaskId {
        self.task.id
    }

    fn state(&self) -> State {
        self.lock().phase.state()
    }

    fn cancel(self: Arc<Self>) -> Cancel {
        self.stop(StopReason::Cancel)
    }

    fn events(&self) -> EventStream {
        self.core.hub().subscribe(EventFilter::all().task(self.task.id))
    }

    fn job_handle(self: Arc<Self>) -> JobHandle {
        self.set_addressed();
        JobHandle::new(self.task.id, self.core.name())
            .with_name(self.task.name.clone())
            .with_submitted_at(wall_time(self.submitted))
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
