//! The lifecycle of tasks, written once for every executor.
//!
//! A pool implements [`Backend`]: it starts attempts and gives up bodies that do not stop.
//! [`Engine`] does everything else and is the [`Executor`]: ids, room, instance limits,
//! delays, expiry, retries, time limits, cancellation, events, hooks, the recorder,
//! capture and shutdown.

mod attempt;
mod backend;
mod body;
mod cell;
mod core;
mod instances;
mod lifecycle;
mod live;
mod options;
mod retained;
mod run;
mod settle;
mod stop;

pub use attempt::{Attempt, AttemptKey};
pub use backend::{Backend, Close, CommandRunner};
pub use body::{contain, contain_drop, panic_message};
pub use lifecycle::WorkerToken;
pub use options::EngineOptions;

use std::{fmt, sync::Arc};

use futures_core::future::BoxFuture;

use self::core::Core;
use crate::{
    AttachError, Batch, Cancel, Capabilities, EventFilter, EventHub, EventStream, Executor,
    ExecutorConfig, ExecutorStatus, JobHandle, NoRoom, Refusal, Registry, Shutdown, ShutdownReport,
    SubmitError, SubmitManyError, Task, TaskHandle, TaskId,
    admission::{Admission, Slot},
    blocking::ExecutorId,
};

/// The lifecycle of tasks over a [`Backend`].
///
/// Dropping it cancels what waits and lets what runs finish, without waiting for either.
pub struct Engine<B: Backend> {
    core: Arc<Core>,
    backend: Arc<B>,
}

impl<B: Backend> Engine<B> {
    /// Makes an executor of a backend.
    ///
    /// `make` gets the id and the token that the backend's workers need.
    ///
    /// # Errors
    ///
    /// Those of `make`.
    pub fn build<E>(
        registry: Arc<Registry>,
        options: EngineOptions,
        make: impl FnOnce(ExecutorId, WorkerToken) -> Result<B, E>,
    ) -> Result<Self, E> {
        let core = Core::new(registry, options);
        let backend = Arc::new(make(core.id(), core.worker_token())?);
        core.attach_backend(Arc::clone(&backend) as Arc<dyn Backend>);
        Ok(Self { core, backend })
    }

    /// The backend.
    #[must_use]
    pub const fn backend(&self) -> &Arc<B> {
        &self.backend
    }

    /// What tells this executor apart from others in the process.
    #[must_use]
    pub fn id(&self) -> ExecutorId {
        self.core.id()
    }

    /// The name in job handles and logs.
    #[must_use]
    pub fn name(&self) -> &str {
        self.core.name()
    }

    /// The room for tasks in flight, which closures take as well.
    #[must_use]
    pub fn admission(&self) -> &Arc<Admission> {
        self.core.admission()
    }

    /// The hub of the events.
    #[must_use]
    pub fn hub(&self) -> &Arc<EventHub> {
        self.core.hub()
    }

    /// The registered tasks.
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry> {
        self.core.registry()
    }

    /// Stops without anybody waiting for the report.
    pub fn begin_shutdown(&self, how: Shutdown) {
        self.core.begin_shutdown(how);
    }

    async fn acquire(&self, task: &Task) -> Result<Slot, Refusal> {
        match self.core.admission().try_acquire() {
            Ok(slot) => Ok(slot),
            Err(NoRoom::Closed) => Err(Refusal::closed()),
            Err(NoRoom::Full) => {
                self.core.check_free(task)?;
                crate::blocking::note_awaited(self.core.id());
                let acquire = self.core.admission().acquire();
                noting(self.core.id(), acquire).await.map_err(|_closed| Refusal::closed())
            }
        }
    }

    async fn submit_one(&self, task: Task) -> Result<TaskHandle, SubmitError> {
        let registered = match self.core.check(&task) {
            Ok(registered) => registered,
            Err(refusal) => return Err(refusal.with_task(task)),
        };
        match self.acquire(&task).await {
            Ok(slot) => self.core.accept(task, registered, slot).await,
            Err(refusal) => Err(refusal.with_task(task)),
        }
    }

    fn try_submit_one(&self, task: Task) -> Result<TaskHandle, SubmitError> {
        let slot = self.core.check(&task).and_then(|registered| {
            match self.core.admission().try_acquire() {
                Ok(slot) => Ok((registered, slot)),
                Err(NoRoom::Closed) => Err(Refusal::closed()),
                Err(NoRoom::Full) => Err(Refusal::full(self.core.admission().limit())),
            }
        });
        match slot {
            Ok((registered, slot)) => self.core.accept_now(task, registered, slot),
            Err(refusal) => Err(refusal.with_task(task)),
        }
    }

    async fn submit_batch(
        &self,
        tasks: Vec<Task>,
        batch: Batch,
    ) -> Result<Vec<TaskHandle>, SubmitManyError> {
        if let Err((index, refusal)) = self.core.check_batch(&tasks) {
            return Err(SubmitManyError::new(refusal, index, tasks, Vec::new()));
        }
        if batch == Batch::Fit && self.core.free_room() < tasks.len() {
            let refusal = Refusal::full(self.core.admission().limit());
            return Err(SubmitManyError::new(refusal, 0, tasks, Vec::new()));
        }
        let mut accepted = Vec::with_capacity(tasks.len());
        let mut rest = tasks.into_iter();
        while let Some(task) = rest.next() {
            match self.submit_one(task).await {
                Ok(handle) => accepted.push(handle),
                Err(error) => {
                    let refusal = error.refusal().clone();
                    let index = accepted.len();
                    let tasks = std::iter::once(error.into_task()).chain(rest).collect();
                    return Err(SubmitManyError::new(refusal, index, tasks, accepted));
                }
            }
        }
        Ok(accepted)
    }
}

/// Says at each poll whom the wait is for, as a blocking wait has to know.
async fn noting<F: Future>(executor: ExecutorId, future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| {
        let poll = future.as_mut().poll(cx);
        if poll.is_pending() {
            crate::blocking::note_awaited(executor);
        }
        poll
    })
    .await
}

impl<B: Backend> Executor for Engine<B> {
    fn submit(&self, task: Task) -> BoxFuture<'_, Result<TaskHandle, SubmitError>> {
        Box::pin(self.submit_one(task))
    }

    fn try_submit(&self, task: Task) -> Result<TaskHandle, SubmitError> {
        self.try_submit_one(task)
    }

    fn submit_many(
        &self,
        tasks: Vec<Task>,
        batch: Batch,
    ) -> BoxFuture<'_, Result<Vec<TaskHandle>, SubmitManyError>> {
        Box::pin(self.submit_batch(tasks, batch))
    }

    fn attach(&self, job: &JobHandle) -> BoxFuture<'_, Result<TaskHandle, AttachError>> {
        let found = self.core.attach(job);
        Box::pin(std::future::ready(found))
    }

    fn cancel(&self, id: TaskId) -> BoxFuture<'_, Cancel> {
        Box::pin(async move { self.core.cancel(id) })
    }

    fn cancel_all(&self) -> BoxFuture<'_, usize> {
        Box::pin(async move { self.core.cancel_all() })
    }

    fn status(&self) -> ExecutorStatus {
        self.core.status()
    }

    fn events(&self, filter: EventFilter) -> EventStream {
        self.core.hub().subscribe(filter)
    }

    fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    fn config(&self) -> ExecutorConfig {
        self.backend.config()
    }

    fn shutdown(&self, how: Shutdown) -> BoxFuture<'_, ShutdownReport> {
        Box::pin(async move {
            self.core.begin_shutdown(how);
            self.core.shutdown_report(how).await
        })
    }
}

impl<B: Backend> Drop for Engine<B> {
    fn drop(&mut self) {
        self.core.abandon_executor();
    }
}

impl<B: Backend> fmt::Debug for Engine<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("name", &self.core.name())
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}
