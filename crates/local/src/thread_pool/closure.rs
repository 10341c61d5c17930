//! [`Closure`]: a function without a name, and its handle.

use std::{
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use outwork_core::{
    Cancel, EventFilter, EventHub, EventKind, EventStream, JobHandle, JoinCell, JoinSource,
    LossReason, Outcome, Rejection, State, TaskError, TaskErrorKind, TaskEvent, TaskHandle,
    TaskId, WaitKey, WorkerLost,
    blocking::ExecutorId,
    engine::{contain, contain_drop},
};

/// A function without a name. Its id and its events are made only when somebody asks.
pub(super) struct Closure<F, T> {
    executor: ExecutorId,
    asked: OnceLock<Asked>,
    cell: JoinCell<T, F>,
}

/// What is made when the handle is asked for it.
struct Asked {
    id: TaskId,
    hub: EventHub,
}

/// A closure in the queue, with its types forgotten.
pub(super) trait QueuedClosure: Send + Sync {
    /// Runs the function, unless it was cancelled, and calls `free` before its end is visible.
    fn run(&self, place: Place<'_>, free: &mut dyn FnMut());
    /// Ends it without running it.
    fn cancel_queued(&self, pool: &EventHub);
    /// Ends it although it runs.
    fn lose(&self, pool: &EventHub);
}

/// Where a closure runs.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) worker: &'a Arc<str>,
    pub(super) hub: &'a EventHub,
}

impl<F, T> Closure<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    pub(super) fn new(executor: ExecutorId, hub: &EventHub, run: F) -> Arc<Self> {
        let cell = JoinCell::new(run);
        let closure = Arc::new(Self { executor, asked: OnceLock::new(), cell });
        closure.emit(hub, || EventKind::Submitted);
        closure
    }

    /// The handle of a closure that came too late.
    pub(super) fn rejected(executor: ExecutorId, hub: &EventHub, run: F) -> TaskHandle<T> {
        let closure = Self::new(executor, hub, run);
        let kind = TaskErrorKind::Rejected(Rejection::Closed);
        closure.end_queued(hub, TaskError::new(kind, "the pool is shut down"));
        TaskHandle::new(closure)
    }

    fn asked(&self) -> &Asked {
        self.asked.get_or_init(|| Asked { id: TaskId::new(), hub: EventHub::new() })
    }

    /// Ends it if it has not begun; whether that was so.
    fn end_queued(&self, hub: &EventHub, error: TaskError) -> bool {
        let state = error.state();
        match self.cell.complete_pending(Outcome::bare(Err(error.clone()))) {
            Err(_begun) => false,
            Ok(run) => {
                contain_drop(run);
                self.emit(hub, || EventKind::Finished { state, error: Some(error) });
                true
            }
        }
    }

    fn end(&self, hub: &EventHub, result: Result<T, TaskError>) {
        let outcome = Outcome::bare(result);
        let (state, error) = (outcome.state(), outcome.error().cloned());
        match self.cell.complete(outcome) {
            Ok(()) => self.emit(hub, || EventKind::Finished { state, error }),
            Err(late) => {
                contain_drop(late);
            }
        }
    }

    /// Tells those who read the pool's events, and those who read this closure's.
    fn emit(&self, pool: &EventHub, kind: impl FnOnce() -> EventKind) {
        if !pool.is_active() && self.asked.get().is_none() {
            return;
        }
        let Asked { id, hub } = self.asked();
        let event = TaskEvent::now(*id, None, 1, kind());
        hub.emit(|| event.clone());
        if event.is_final() {
            hub.close();
        }
        pool.emit(|| event);
    }
}

impl<F, T> QueuedClosure for Closure<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    fn run(&self, place: Place<'_>, free: &mut dyn FnMut()) {
        let Some(run) = self.cell.begin() else { return };
        let worker = || Some(Arc::clone(place.worker));
        self.emit(place.hub, || EventKind::Started { worker: worker() });
        let result = contain(run);
        free();
        self.end(place.hub, result);
    }

    fn cancel_queued(&self, pool: &EventHub) {
        self.end_queued(pool, TaskError::cancelled());
    }

    fn lose(&self, pool: &EventHub) {
        let lost = WorkerLost { reason: LossReason::Abandoned, ..WorkerLost::default() };
        let message = "the closure did not end by the executor's deadline";
        self.end(pool, Err(TaskError::lost(lost, message)));
    }
}

impl<F, T> JoinSource<T> for Closure<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    fn poll_outcome(&self, cx: &mut Context<'_>, key: &mut WaitKey) -> Poll<Option<Outcome<T>>> {
        self.cell.poll_take(cx, key)
    }

    fn forget(&self, key: &mut WaitKey) {
        self.cell.forget(key);
    }

    fn task_id(&self) -> TaskId {
        self.asked().id
    }

    fn state(&self) -> State {
        self.cell.state()
    }

    /// The pool's readers are told by the worker that takes the dead entry out of the queue.
    fn cancel(self: Arc<Self>) -> Cancel {
        if self.end_queued(&EventHub::new(), TaskError::cancelled()) {
            Cancel::Confirmed
        } else if self.state().is_final() {
            Cancel::NotFound
        } else {
            Cancel::Unsupported
        }
    }

    fn events(&self) -> EventStream {
        let stream = self.asked().hub.subscribe(EventFilter::all());
        if self.state().is_final() {
            self.asked().hub.close();
        }
        stream
    }

    fn job_handle(self: Arc<Self>) -> JobHandle {
        JobHandle::new(self.task_id(), "closure")
    }

    fn executor(&self) -> ExecutorId {
        self.executor
    }
}
