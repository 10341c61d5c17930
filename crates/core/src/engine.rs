//! The lifecycle of tasks, written once for every executor.
//!
//! A pool implements [`Backend`]: it starts attempts and gives up bodies that do not stop.
//! [`Engine`] does everything else and is the [`Executor`]: ids, room, instance limits,
//! delays, expiry, retries, time limits, cancellation, events, hooks, the recorder,
//! capture and shutdown.

mod accept;
mod attempt;
mod backend;
mod body;
mod cell;
mod claim;
mod core;
mod instances;
mod lifecycle;
mod live;
mod options;
mod run;
mod settle;
mod start;
mod stop;

pub use attempt::{Attempt, AttemptKey, Prepared};
pub use backend::{Backend, Close, CommandRunner, Recall};
pub use body::{contain, contain_drop, panic_message, run_handler};
pub use lifecycle::WorkerToken;
pub use options::EngineOptions;

use std::{fmt, sync::Arc};

use futures_core::future::BoxFuture;

use self::core::Core;
use crate::{
    AttachError, Batch, Cancel, Capabilities, EventFilter, EventHub, EventStream, Executor,
    ExecutorConfig, ExecutorStatus, JobHandle, NoRoom, Refusal, Registry, Shutdown, ShutdownReport,
    SubmitError, SubmitManyError, Task, TaskHandle, TaskId, Timer, WorkerScope,
    admission::{Admission, Slot},
    blocking::{ExecutorId, awaiting},
};

/// The lifecycle of tasks over a [`Backend`].
///
/// Dropping it cancels what waits and lets what runs finish, without waiting for either.
pub struct Engine<B: Backend> {
    core: Arc<Core>,
    backend: Arc<B>,
}

/// What a backend needs to know of the executor that it is made for.
#[derive(Debug)]
#[non_exhaustive]
pub struct Surroundings {
    /// What tells the executor apart from others in the process.
    pub id: ExecutorId,
    /// What each worker has to hold while it lives.
    pub token: WorkerToken,
    /// Where events are told.
    pub hub: Arc<EventHub>,
    /// The room for what is in flight.
    pub admission: Arc<Admission>,
    /// By which it keeps time.
    pub timer: Timer,
}

impl<B: Backend> Engine<B> {
    /// Makes an executor of a backend.
    ///
    /// `make` gets what the backend's workers need to know of the executor.
    ///
    /// # Errors
    ///
    /// Those of `make`.
    pub fn build<E>(
        registry: Arc<Registry>,
        options: EngineOptions,
        make: impl FnOnce(Surroundings) -> Result<B, E>,
    ) -> Result<Self, E> {
        let core = Core::new(registry, options);
        let surroundings = Surroundings {
            id: core.id(),
            token: core.worker_token(),
            hub: Arc::clone(core.hub()),
            admission: Arc::clone(core.admission()),
            timer: core.timer().clone(),
        };
        let backend = Arc::new(make(surroundings)?);
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

    /// Takes a place for the task, waiting for one.
    async fn enter(&self, task: &Task) -> Result<(), Refusal> {
        match self.core.admission().try_enter() {
            // The room that a task of this very executor waits for may be its own.
            Err(NoRoom::Full) if WorkerScope::is_inside(self.core.id()) => {
                self.core.admission().enter_beyond_limit();
                return Ok(());
            }
            Err(NoRoom::Full) => {}
            entered => return entered.map_err(|_closed| Refusal::closed()),
        }
        self.core.check_free(task)?;
        let acquired = awaiting(self.core.id(), self.core.admission().acquire()).await;
        acquired.map(Slot::entrust).map_err(|_closed| Refusal::closed())
    }

    async fn submit_one(&self, task: Task) -> Result<TaskHandle, SubmitError> {
        let registered = match self.core.check(&task) {
            Ok(registered) => registered,
            Err(refusal) => return Err(refusal.with_task(task)),
        };
        match self.enter(&task).await {
            Ok(()) => self.core.accept(task, registered).await,
            Err(refusal) => Err(refusal.with_task(task)),
        }
    }

    fn try_submit_one(&self, task: Task) -> Result<TaskHandle, SubmitError> {
        let entered =
            self.core.check(&task).and_then(|registered| match self.core.admission().try_enter() {
                Ok(()) => Ok(registered),
                Err(reason) => Err(self.no_room(reason)),
            });
        match entered {
            Ok(registered) => self.core.accept_now(task, registered),
            Err(refusal) => Err(refusal.with_task(task)),
        }
    }

    async fn submit_batch(
        &self,
        tasks: Vec<Task>,
        batch: Batch,
    ) -> Result<Vec<TaskHandle>, SubmitManyError> {
        let whole = |refusal, index, tasks: Vec<Task>| {
            let tasks = tasks.into_iter().enumerate().collect();
            SubmitManyError::new(refusal, index, tasks, Vec::new())
        };
        if let Err((index, refusal)) = self.core.check_batch(&tasks) {
            return Err(whole(refusal, index, tasks));
        }
        let mut reserved = match self.reserve(tasks.len(), batch) {
            Ok(reserved) => reserved,
            Err(refusal) => return Err(whole(refusal, 0, tasks)),
        };
        let mut accepted = Vec::with_capacity(tasks.len());
        let mut rest = tasks.into_iter().enumerate();
        while let Some((index, task)) = rest.next() {
            let submitted = match batch {
                Batch::Wait => self.submit_one(task).await,
                Batch::Fit => self.submit_entered(task, &mut reserved).await,
            };
            match submitted {
                Ok(handle) => accepted.push((index, handle)),
                Err(error) => {
                    let refusal = error.refusal().clone();
                    let back = std::iter::once((index, error.into_task())).chain(rest).collect();
                    return Err(SubmitManyError::new(refusal, index, back, accepted));
                }
            }
        }
        Ok(accepted.into_iter().map(|(_, handle)| handle).collect())
    }

    /// Takes the places of a batch that is to fit, all or none.
    fn reserve(&self, tasks: usize, batch: Batch) -> Result<Reserved<'_>, Refusal> {
        let admission = self.core.admission();
        let places = match batch {
            Batch::Wait => 0,
            Batch::Fit => {
                admission.try_enter_many(tasks).map_err(|reason| self.no_room(reason))?;
                tasks
            }
        };
        Ok(Reserved { admission, places })
    }

    fn no_room(&self, reason: NoRoom) -> Refusal {
        match reason {
            NoRoom::Closed => Refusal::closed(),
            NoRoom::Full => Refusal::full(self.core.admission().limit()),
        }
    }

    /// Submits a task whose place was taken with its batch.
    async fn submit_entered(
        &self,
        task: Task,
        reserved: &mut Reserved<'_>,
    ) -> Result<TaskHandle, SubmitError> {
        match self.core.check(&task) {
            Ok(registered) => {
                reserved.places -= 1;
                self.core.accept(task, registered).await
            }
            Err(refusal) => Err(refusal.with_task(task)),
        }
    }
}

/// The places of those tasks of a batch that were not submitted yet, given back when dropped.
struct Reserved<'a> {
    admission: &'a Admission,
    places: usize,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        (0..self.places).for_each(|_| self.admission.leave());
    }
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

    fn cancel_now(&self, id: TaskId) -> BoxFuture<'_, Cancel> {
        Box::pin(async move { self.core.cancel_now(id) })
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

#[cfg(test)]
mod tests;
