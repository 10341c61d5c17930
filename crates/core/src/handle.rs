//! [`TaskHandle`]: the caller's end of a task.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use serde::de::DeserializeOwned;

use crate::{
    Cancel, EventStream, JobHandle, Outcome, Payload, State, TaskId, WaitError,
    blocking::{ExecutorId, block_on_for, note_awaited},
    waiters::WaitKey,
};

/// The caller's end of a task: a future of its [`Outcome`].
///
/// Dropping it detaches: the task runs on and its outcome is nobody's.
/// Polling it again after it was ready panics, as for any future.
///
/// # Cancel safety
///
/// It can be polled in a `select!`, dropped, or given to another thread at any time;
/// the outcome stays where it is until it is taken.
#[must_use = "dropping a handle detaches its task; await it, wait for it, or say `drop`"]
pub struct TaskHandle<T = Payload> {
    source: Source<T>,
    key: WaitKey,
}

enum Source<T> {
    Plain(Arc<dyn JoinSource<T>>),
    Decoded(Arc<dyn JoinSource<Payload>>, fn(Outcome<Payload>) -> Outcome<T>),
}

/// What keeps the outcome of one task. For implementors of executors.
pub trait JoinSource<T>: Send + Sync {
    /// The outcome once it is there, or `None` when it was taken already.
    fn poll_outcome(&self, cx: &mut Context<'_>, key: &mut WaitKey) -> Poll<Option<Outcome<T>>>;
    /// Ready once the task has ended; the outcome stays where it is.
    fn poll_ended(&self, cx: &mut Context<'_>, key: &mut WaitKey) -> Poll<()>;
    /// Takes back what the polls left under the key.
    fn forget(&self, key: &mut WaitKey);
    /// Who the task is.
    fn task_id(&self) -> TaskId;
    /// Where the task is in its life.
    fn state(&self) -> State;
    /// Asks the task to stop.
    fn cancel(self: Arc<Self>) -> Cancel;
    /// The task's events from now on.
    fn events(&self) -> EventStream;
    /// The task's address.
    fn job_handle(self: Arc<Self>) -> JobHandle;
    /// The executor that runs it.
    fn executor(&self) -> ExecutorId;
}

impl<T> TaskHandle<T> {
    /// Makes a handle of what keeps the outcome. For implementors of executors.
    pub fn new(source: Arc<dyn JoinSource<T>>) -> Self {
        Self { source: Source::Plain(source), key: WaitKey::default() }
    }

    /// Who the task is.
    #[must_use]
    pub fn task_id(&self) -> TaskId {
        self.source.get(|s| s.task_id(), |s| s.task_id())
    }

    /// Where the task is in its life.
    #[must_use]
    pub fn state(&self) -> State {
        self.source.get(|s| s.state(), |s| s.state())
    }

    /// Asks the task to stop.
    #[expect(clippy::must_use_candidate, reason = "called for its effect")]
    pub fn cancel(&self) -> Cancel {
        self.source.get(|s| Arc::clone(s).cancel(), |s| Arc::clone(s).cancel())
    }

    /// The task's events from now on; [`state`](Self::state) tells what was before.
    #[must_use]
    pub fn events(&self) -> EventStream {
        self.source.get(|s| s.events(), |s| s.events())
    }

    /// The task's address, to store or to send.
    ///
    /// Once asked for, the outcome is kept for a while after the task's end,
    /// so that [`attach`](crate::Executor::attach) finds it.
    #[must_use]
    pub fn job_handle(&self) -> JobHandle {
        self.source.get(|s| Arc::clone(s).job_handle(), |s| Arc::clone(s).job_handle())
    }

    /// Waits until the task has ended and leaves its outcome where it is.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn ended(&mut self) {
        std::future::poll_fn(|cx| {
            let key = &mut self.key;
            let (poll, executor) = match &self.source {
                Source::Plain(source) => (source.poll_ended(cx, key), source.executor()),
                Source::Decoded(source, _) => (source.poll_ended(cx, key), source.executor()),
            };
            if poll.is_pending() {
                note_awaited(executor);
            }
            poll
        })
        .await;
    }

    /// Blocks until the task has ended.
    ///
    /// # Errors
    ///
    /// [`WaitError::WouldDeadlock`] on a worker that cannot be replaced meanwhile, and
    /// [`WaitError::Taken`] after the outcome was taken.
    pub fn wait(&mut self) -> Result<Outcome<T>, WaitError> {
        self.wait_until(None)
    }

    /// Blocks until the task has ended or the time is up. The task runs on either way.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait), and [`WaitError::TimedOut`] when the time is up.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Outcome<T>, WaitError> {
        self.wait_until(Some(timeout))
    }

    fn wait_until(&mut self, timeout: Option<Duration>) -> Result<Outcome<T>, WaitError> {
        block_on_for(std::future::poll_fn(|cx| self.poll_source(cx)), timeout)?
            .ok_or(WaitError::Taken)
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Outcome<T>>> {
        let key = &mut self.key;
        let (poll, executor) = match &self.source {
            Source::Plain(source) => (source.poll_outcome(cx, key), source.executor()),
            Source::Decoded(source, decode) => {
                let poll = source.poll_outcome(cx, key);
                (poll.map(|outcome| outcome.map(decode)), source.executor())
            }
        };
        if poll.is_pending() {
            note_awaited(executor);
        }
        poll
    }
}

impl TaskHandle<Payload> {
    /// The same handle, with the result read as a type.
    pub fn decoded<R: DeserializeOwned>(mut self) -> TaskHandle<R> {
        let source = match &self.source {
            Source::Plain(source) | Source::Decoded(source, _) => Arc::clone(source),
        };
        let key = std::mem::take(&mut self.key);
        TaskHandle { source: Source::Decoded(source, Outcome::decode), key }
    }
}

impl<T> Source<T> {
    fn get<V>(
        &self,
        plain: impl FnOnce(&Arc<dyn JoinSource<T>>) -> V,
        decoded: impl FnOnce(&Arc<dyn JoinSource<Payload>>) -> V,
    ) -> V {
        match self {
            Self::Plain(source) => plain(source),
            Self::Decoded(source, _) => decoded(source),
        }
    }
}

impl<T> Future for TaskHandle<T> {
    type Output = Outcome<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_source(cx)
            .map(|outcome| outcome.expect("a handle is not polled after it was ready"))
    }
}

impl<T> Drop for TaskHandle<T> {
    fn drop(&mut self) {
        let key = &mut self.key;
        match &self.source {
            Source::Plain(source) => source.forget(key),
            Source::Decoded(source, _) => source.forget(key),
        }
    }
}

impl<T> fmt::Debug for TaskHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle").field("state", &self.state()).finish_non_exhaustive()
    }
}
