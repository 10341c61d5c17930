//! [`Anonymous`]: closures and futures without a name, and what stands behind their handles.

mod story;

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use outwork_core::{
    Cancel, CancelSource, EventHub, EventKind, EventStream, JobHandle, JoinCell, JoinSource,
    LossReason, Outcome, Rejection, State, StopLevel, TaskError, TaskErrorKind, TaskHandle, TaskId,
    WaitKey, WorkerLost, blocking::ExecutorId, engine::contain_drop,
};

use self::story::Story;

/// Work without a name: a `B` while it waits, a `T` when it has ended, and an `S` to stop it by
/// in between.
pub(crate) struct Anonymous<B, T, S> {
    executor: ExecutorId,
    story: Story,
    stop: S,
    cell: JoinCell<T, B>,
}

/// How work that runs is stopped.
pub(crate) trait Stop: Default + Send + Sync + 'static {
    /// Stops it, as far as that can be done.
    fn stop(&self) -> Cancel;
}

/// Nothing stops a function but its end.
impl Stop for () {
    fn stop(&self) -> Cancel {
        Cancel::Unsupported
    }
}

/// A future stops at its next await.
impl Stop for CancelSource {
    fn stop(&self) -> Cancel {
        self.raise(StopLevel::Forced);
        Cancel::Requested
    }
}

impl<B, T, S> Anonymous<B, T, S>
where
    B: Send + 'static,
    T: Send + 'static,
    S: Stop,
{
    pub(crate) fn new(executor: ExecutorId, hub: &EventHub, body: B) -> Arc<Self> {
        let work = Self::untold(executor, body);
        work.story.begin(hub);
        Arc::new(work)
    }

    fn untold(executor: ExecutorId, body: B) -> Self {
        let cell = JoinCell::new(body);
        Self { executor, story: Story::default(), stop: S::default(), cell }
    }

    /// The handle of work that came too late. The pool's readers are not told: it was not
    /// accepted, and they may be gone before they were told the whole of it.
    pub(crate) fn rejected(executor: ExecutorId, body: B) -> TaskHandle<T> {
        let work = Self::untold(executor, body);
        let kind = TaskErrorKind::Rejected(Rejection::Closed);
        let error = TaskError::new(kind, "the pool is shut down and takes no more work");
        work.end_queued(&error);
        TaskHandle::new(Arc::new(work))
    }

    /// Says that it runs, tells where, and gives its body away; `None` when it must not run.
    pub(crate) fn begin(&self, hub: &EventHub, worker: impl FnOnce() -> Arc<str>) -> Option<B> {
        let started = || EventKind::Started { worker: Some(worker()) };
        self.cell.begin_telling(|| self.story.emit(hub, started))
    }

    /// What it is stopped by.
    pub(crate) const fn stopper(&self) -> &S {
        &self.stop
    }

    /// Ends it, unless it was given up meanwhile. Whoever gives it up too late finds its end
    /// told, and so may end the events.
    pub(crate) fn end(&self, hub: &EventHub, result: Result<T, TaskError>) {
        let outcome = Outcome::bare(result);
        let (state, error) = (outcome.state(), outcome.error().cloned());
        let tell = || self.story.emit(hub, || EventKind::Finished { state, error });
        if let Err(late) = self.cell.complete_telling(outcome, tell) {
            contain_drop(late);
        }
    }

    /// Ends it without running it, when it has left the queue.
    pub(crate) fn cancel_queued(&self, hub: &EventHub) {
        let error = TaskError::cancelled();
        // It is cancelled now, or was by its handle.
        if self.end_queued(&error) || self.cell.state() == State::Cancelled {
            self.story.emit_end(hub, &error);
        }
    }

    /// Ends it although it runs.
    pub(crate) fn lose(&self, hub: &EventHub) {
        let lost = WorkerLost { reason: LossReason::Abandoned, ..WorkerLost::default() };
        let error = TaskError::lost(lost, "its body did not end by the executor's deadline");
        self.end(hub, Err(error));
    }

    /// Ends it if it has not begun; whether that was so. The pool's readers are still to be told.
    fn end_queued(&self, error: &TaskError) -> bool {
        match self.cell.complete_pending(Outcome::bare(Err(error.clone()))) {
            Err(_begun) => false,
            Ok(body) => {
                contain_drop(body);
                self.story.emit_own_end(error);
                true
            }
        }
    }
}

impl<B, T, S> JoinSource<T> for Anonymous<B, T, S>
where
    B: Send + 'static,
    T: Send + 'static,
    S: Stop,
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
        self.story.id()
    }

    fn state(&self) -> State {
        self.cell.state()
    }

    fn cancel(self: Arc<Self>) -> Cancel {
        if self.end_queued(&TaskError::cancelled()) {
            Cancel::Confirmed
        } else if self.cell.state().is_final() {
            Cancel::NotFound
        } else {
            self.stop.stop()
        }
    }

    fn events(&self) -> EventStream {
        self.story.events(|| self.cell.state())
    }

    fn job_handle(self: Arc<Self>) -> JobHandle {
        self.story.job_handle()
    }

    fn executor(&self) -> ExecutorId {
        self.executor
    }
}
