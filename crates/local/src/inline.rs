//! [`Inline`]: tasks on the thread that submits them.

mod backend;
mod inside;
mod mailbox;

use std::{convert::Infallible, sync::Arc};

use outwork_core::{
    AttachError, Batch, BoxFuture, Cancel, Capabilities, EventFilter, EventStream, Executor,
    ExecutorConfig, ExecutorStatus, JobHandle, Registry, Shutdown, ShutdownReport, SubmitError,
    SubmitManyError, Task, TaskHandle, TaskId,
    blocking::block_on,
    engine::{Engine, EngineOptions},
};
use serde::{Deserialize, Serialize};

use self::{backend::InlineBackend, mailbox::Mailbox};
use crate::settings::engine_setters;

/// Runs each task inside the call that submits it.
///
/// For tests, for debugging, and for a program that is to do the same without concurrency.
/// States, events, limits, retries and outcomes are those of every other executor.
///
/// `submit` is ready when the task has ended; it runs the body where it is polled, and awaits
/// what the body, its delay, and the time between its attempts have to wait for.
/// `try_submit` blocks its caller for all that. In a task of tokio, where nobody may block on
/// what has to yield to the scheduler, it does so while another thread runs the async body.
///
/// # Delivery
///
/// At most once: what had not ended when the process dies is gone.
///
/// # Time limits and cancellation
///
/// Async bodies stop at their next await, commands by signals; a synchronous body can only be
/// asked, and nothing else runs meanwhile.
///
/// # Shutdown
///
/// As [`Shutdown`] says; there are no threads to wait for.
#[derive(Debug)]
pub struct Inline {
    engine: Engine<InlineBackend>,
}

/// The settings of an inline executor, as they stand in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InlineSettings {
    /// The name of the executor.
    pub name: String,
}

impl Default for InlineSettings {
    fn default() -> Self {
        Self { name: "inline".to_owned() }
    }
}

/// Says what inline executor it is to be.
#[derive(Debug)]
#[must_use = "a builder builds nothing until `build` is called"]
pub struct InlineBuilder {
    settings: InlineSettings,
    registry: Arc<Registry>,
    engine: EngineOptions,
}

impl InlineBuilder {
    /// Starts from settings that stood in a configuration.
    pub fn from_settings(settings: InlineSettings) -> Self {
        let engine = EngineOptions::new(&settings.name);
        Self { settings, registry: Arc::default(), engine }
    }

    engine_setters!();

    /// Builds the executor.
    #[must_use]
    pub fn build(self) -> Inline {
        let Self { settings, registry, engine } = self;
        // A caller holds one task at a time, so only the callers bound what is in flight.
        let engine = Engine::build(registry, engine.limit(usize::MAX), |executor| {
            Ok::<_, Infallible>(InlineBackend::new(executor, settings))
        });
        let Ok(engine) = engine;
        Inline { engine }
    }
}

impl Inline {
    /// Starts to say what executor it is to be.
    pub fn builder() -> InlineBuilder {
        InlineBuilder::from_settings(InlineSettings::default())
    }

    /// An executor for these tasks.
    #[must_use]
    pub fn new(registry: impl Into<Arc<Registry>>) -> Self {
        Self::builder().registry(registry).build()
    }

    /// Submits a task and runs its attempts until it has ended.
    async fn submit_and_run(&self, task: Task) -> Result<TaskHandle, SubmitError> {
        let mailbox = self.engine.backend().open(task.id());
        let mut handle = self.engine.submit(task).await?;
        self.run_to_end(&mut handle, &mailbox).await;
        Ok(handle)
    }

    async fn run_to_end(&self, handle: &mut TaskHandle, mailbox: &Mailbox<'_>) {
        while let Some(attempt) = mailbox.next(handle).await {
            self.engine.backend().run(attempt).await;
        }
    }

    async fn submit_batch(
        &self,
        tasks: Vec<Task>,
        batch: Batch,
    ) -> Result<Handles, SubmitManyError> {
        let backend = self.engine.backend();
        let mailboxes: Vec<_> = tasks.iter().map(|task| backend.open(task.id())).collect();
        let mut handles = self.engine.submit_many(tasks, batch).await?;
        for (handle, mailbox) in handles.iter_mut().zip(&mailboxes) {
            self.run_to_end(handle, mailbox).await;
        }
        Ok(handles)
    }

    /// Submits a task and blocks until its attempts have run.
    fn submit_and_block(&self, task: Task) -> Result<TaskHandle, SubmitError> {
        let backend = self.engine.backend();
        let mailbox = backend.open(task.id());
        let mut handle = self.engine.try_submit(task)?;
        while let Some(attempt) = block_on(mailbox.next(&mut handle)) {
            backend.run_blocking(attempt);
        }
        Ok(handle)
    }
}

type Handles = Vec<TaskHandle>;

impl Executor for Inline {
    fn submit(&self, task: Task) -> BoxFuture<'_, Result<TaskHandle, SubmitError>> {
        Box::pin(self.submit_and_run(task))
    }

    fn try_submit(&self, task: Task) -> Result<TaskHandle, SubmitError> {
        self.submit_and_block(task)
    }

    fn submit_many(
        &self,
        tasks: Vec<Task>,
        batch: Batch,
    ) -> BoxFuture<'_, Result<Vec<TaskHandle>, SubmitManyError>> {
        Box::pin(self.submit_batch(tasks, batch))
    }

    fn attach(&self, job: &JobHandle) -> BoxFuture<'_, Result<TaskHandle, AttachError>> {
        self.engine.attach(job)
    }

    fn cancel(&self, id: TaskId) -> BoxFuture<'_, Cancel> {
        self.engine.cancel(id)
    }

    fn cancel_all(&self) -> BoxFuture<'_, usize> {
        self.engine.cancel_all()
    }

    fn status(&self) -> ExecutorStatus {
        self.engine.status()
    }

    fn events(&self, filter: EventFilter) -> EventStream {
        self.engine.events(filter)
    }

    fn capabilities(&self) -> Capabilities {
        self.engine.capabilities()
    }

    fn config(&self) -> ExecutorConfig {
        self.engine.config()
    }

    fn shutdown(&self, how: Shutdown) -> BoxFuture<'_, ShutdownReport> {
        self.engine.shutdown(how)
    }
}
