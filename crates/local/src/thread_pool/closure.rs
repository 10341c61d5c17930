//! [`Closure`]: a function without a name, and its handle.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use outwork_core::{
    Cancel, EventHub, EventKind, EventStream, JobHandle, JoinCell, JoinSource, Outcome, State,
    TaskError, TaskHandle, TaskId, WaitKey,
    blocking::ExecutorId,
    engine::{contain, contain_drop},
};

use crate::anonymous::{self, Anonymous};

/// A function without a name. Its id and its events are made only when somebody asks.
pub(super) struct Closure<F, T> {
    executor: ExecutorId,
    anonymous: Anonymous,
    cell: JoinCell<T, F>,
}

/// A closure in the queue, with its types forgotten.
pub(super) trait QueuedClosure: Send + Sync {
    /// Runs the function, unless it was cancelled, and calls `free` before its end is visible.
    fn run(&self, here: Here<'_>, free: &mut dyn FnMut());
    /// Ends it without running it, when it has left the queue.
    fn cancel_queued(&self, pool: &EventHub);
    /// Ends it although it runs.
    fn lose(&self, pool: &EventHub);
}

/// Where a closure runs.
#[derive(Clone, Copy)]
pub(super) struct Here<'a> {
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
        let closure = Arc::new(Self { executor, anonymous: Anonymous::default(), cell });
        closure.anonymous.emit(hub, || EventKind::Submitted);
        closure
    }

    /// The handle of a closure that came too late.
    pub(super) fn rejected(executor: ExecutorId, hub: &EventHub, run: F) -> TaskHandle<T> {
        let closure = Self::new(executor, hub, run);
        let error = anonymous::rejected();
        if closure.end_queued(&error) {
            closure.anonymous.emit_end(hub, &error);
        }
        TaskHandle::new(closure)
    }

    /// Ends it if it has not begun; whether that was so. The pool's readers are still to be told.
    fn end_queued(&self, error: &TaskError) -> bool {
        match self.cell.complete_pending(Outcome::bare(Err(error.clone()))) {
            Err(_begun) => false,
            Ok(run) => {
                contain_drop(run);
                self.anonymous.emit_own_end(error);
                true
            }
        }
    }

    fn end(&self, hub: &EventHub, result: Result<T, TaskError>) {
        let outcome = Outcome::bare(result);
        let (state, error) = (outcome.state(), outcome.error().cloned());
        match self.cell.complete(outcome) {
            Ok(()) => self.anonymous.emit(hub, || EventKind::Finished { state, error }),
            Err(late) => {
                contain_drop(late);
            }
        }
    }
}

impl<F, T> QueuedClosure for Closure<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    fn run(&self, here: Here<'_>, free: &mut dyn FnMut()) {
        let Some(run) = self.cell.begin() else { return self.cancel_queued(here.hub) };
        let worker = || Some(Arc::clone(here.worker));
        self.anonymous.emit(here.hub, || EventKind::Started { worker: worker() });
        let result = contain(run);
        free();
        self.end(here.hub, result);
    }

    fn cancel_queued(&self, pool: &EventHub) {
        let error = TaskError::cancelled();
        // It is cancelled now, or was by its handle.
        if self.end_queued(&error) || self.state() == State::Cancelled {
            self.anonymous.emit_end(pool, &error);
        }
    }

    fn lose(&self, pool: &EventHub) {
        self.end(pool, Err(anonymous::abandoned()));
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

    fn poll_ended(&self, cx: &mut Context<'_>, key: &mut WaitKey) -> Poll<()> {
        self.cell.poll_ended(cx, key)
    }

    fn forget(&self, key: &mut WaitKey) {
        self.cell.forget(key);
    }

    fn task_id(&self) -> TaskId {
        self.anonymous.id()
    }

    fn state(&self) -> State {
        self.cell.state()
    }

    fn cancel(self: Arc<Self>) -> Cancel {
        if self.end_queued(&TaskError::cancelled()) {
            Cancel::Confirmed
        } else if self.state().is_final() {
            Cancel::NotFound
        } else {
            Cancel::Unsupported
        }
    }

    fn events(&self) -> EventStream {
        self.anonymous.events(|| self.state())
    }

    fn job_handle(self: Arc<Self>) -> JobHandle {
        self.anonymous.job_handle()
    }

    fn executor(&self) -> ExecutorId {
        self.executor
    }
}
