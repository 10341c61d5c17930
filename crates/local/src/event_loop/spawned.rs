//! [`Spawned`]: a future without a name, and its handle.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use outwork_core::{
    Cancel, CancelSource, EventHub, EventKind, EventStream, JobHandle, JoinCell, JoinSource,
    Outcome, State, StopLevel, TaskError, TaskHandle, TaskId, WaitKey,
    blocking::ExecutorId,
    engine::{contain, contain_drop},
};

use super::generation::{LocalLoop, Started};
use crate::anonymous::{self, Anonymous};

/// A future without a name. It is made by `M` on the loop that runs it.
pub(super) struct Spawned<M, T> {
    executor: ExecutorId,
    anonymous: Anonymous,
    stop: CancelSource,
    cell: JoinCell<T, M>,
}

/// A future that waits for its loop, with its types forgotten.
pub(super) trait Spawnable: Send + Sync {
    /// Starts it on the loop of this thread, unless it was cancelled.
    fn start(self: Arc<Self>, here: &Rc<LocalLoop>);
    /// Ends it without starting it, when it has left the queue.
    fn cancel_queued(&self, pool: &EventHub);
    /// Makes it stop at its next await.
    fn stop(&self);
    /// Ends it although it runs.
    fn lose(&self, pool: &EventHub);
}

impl<M, F, T> Spawned<M, T>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future<Output = T> + 'static,
    T: Send + 'static,
{
    pub(super) fn new(executor: ExecutorId, hub: &EventHub, make: M) -> Arc<Self> {
        let spawned = Arc::new(Self {
            executor,
            anonymous: Anonymous::default(),
            stop: CancelSource::new(),
            cell: JoinCell::new(make),
        });
        spawned.anonymous.emit(hub, || EventKind::Submitted);
        spawned
    }

    /// The handle of a future that came too late.
    pub(super) fn rejected(executor: ExecutorId, hub: &EventHub, make: M) -> TaskHandle<T> {
        let spawned = Self::new(executor, hub, make);
        let error = anonymous::rejected();
        if spawned.end_queued(&error) {
            spawned.anonymous.emit_end(hub, &error);
        }
        TaskHandle::new(spawned)
    }

    /// Ends it if it has not begun; whether that was so. The pool's readers are still to be told.
    fn end_queued(&self, error: &TaskError) -> bool {
        match self.cell.complete_pending(Outcome::bare(Err(error.clone()))) {
            Err(_begun) => false,
            Ok(make) => {
                contain_drop(make);
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

    /// Polls the future until it is ready or forced to stop, and drops it before its end is
    /// visible. Its panics stay here, those of its destructor too.
    async fn drive(&self, make: M) -> Result<T, TaskError> {
        let mut future = pin!(Some(contain(make)?));
        let mut key = WaitKey::default();
        let result = poll_fn(|cx| self.poll(future.as_mut(), cx, &mut key)).await;
        self.stop.forget(&mut key);
        if contain(|| future.set(None)).is_err() {
            tracing::error!("the destructor of a future panicked");
        }
        result
    }

    fn poll(
        &self,
        future: Pin<&mut Option<F>>,
        cx: &mut Context<'_>,
        key: &mut WaitKey,
    ) -> Poll<Result<T, TaskError>> {
        if self.stop.level() == StopLevel::Forced {
            return Poll::Ready(Err(TaskError::cancelled()));
        }
        let future = future.as_pin_mut().expect("it is taken out only once it is ready");
        match contain(|| future.poll(cx)) {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panic) => Poll::Ready(Err(panic)),
            Ok(Poll::Pending) => {
                let forced = self.stop.poll_level(StopLevel::Forced, cx, key);
                forced.map(|()| Err(TaskError::cancelled()))
            }
        }
    }
}

impl<M, F, T> Spawnable for Spawned<M, T>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future<Output = T> + 'static,
    T: Send + 'static,
{
    fn start(self: Arc<Self>, here: &Rc<LocalLoop>) {
        let mut started = Started::new(here);
        let Some(make) = self.cell.begin() else { return self.cancel_queued(&started.hub()) };
        started.register(Arc::clone(&self) as Arc<dyn Spawnable>);
        here.spawn(async move {
            let hub = started.hub();
            let worker = || Some(started.worker());
            self.anonymous.emit(&hub, || EventKind::Started { worker: worker() });
            let result = self.drive(make).await;
            drop(started);
            self.end(&hub, result);
            contain_drop(self);
        });
    }

    fn cancel_queued(&self, pool: &EventHub) {
        let error = TaskError::cancelled();
        // It is cancelled now, or was by its handle.
        if self.end_queued(&error) || self.state() == State::Cancelled {
            self.anonymous.emit_end(pool, &error);
        }
    }

    fn stop(&self) {
        self.stop.raise(StopLevel::Forced);
    }

    fn lose(&self, pool: &EventHub) {
        self.end(pool, Err(anonymous::abandoned()));
    }
}

impl<M, F, T> JoinSource<T> for Spawned<M, T>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future<Output = T> + 'static,
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
            return Cancel::Confirmed;
        }
        if self.state().is_final() {
            return Cancel::NotFound;
        }
        self.stop.raise(StopLevel::Forced);
        Cancel::Requested
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
