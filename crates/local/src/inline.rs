//! [`Inline`]: tasks on the thread that submits them.

use std::{
    collections::HashMap,
    convert::Infallible,
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use async_channel::{Receiver, Sender};
use outwork_core::{
    AttachError, Batch, BoxFuture, Cancel, Capabilities, EventFilter, EventStream, Executor,
    ExecutorConfig, ExecutorStatus, JobHandle, Registry, Shutdown, ShutdownReport, SubmitError,
    SubmitManyError, Task, TaskHandle, TaskId,
    blocking::block_on,
    engine::{Attempt, Backend, Close, Engine, EngineOptions, WorkerToken},
};
use serde::{Deserialize, Serialize};

use crate::{command::Commands, runtime, settings::engine_setters};

/// Runs each task inside the call that submits it.
///
/// For tests, for debugging, and for a program that is to do the same without concurrency.
/// States, events, limits, retries and outcomes are those of every other executor;
/// `submit` and `try_submit` return when the task has ended, and its delay and its waits
/// between attempts block the caller.
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
            Ok::<_, Infallible>(InlineBackend {
                worker: Arc::from(&*settings.name),
                settings,
                commands: Commands::default(),
                mailboxes: Mutex::default(),
                token: Mutex::new(Some(executor.token)),
            })
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

    /// Submits a task and runs its attempts on this thread until it has ended.
    fn submit_and_run(&self, task: Task) -> Result<TaskHandle, SubmitError> {
        let mailbox = self.engine.backend().open(task.id());
        let mut handle = block_on(self.engine.submit(task))?;
        self.run_to_end(&mut handle, &mailbox);
        Ok(handle)
    }

    fn run_to_end(&self, handle: &mut TaskHandle, mailbox: &Mailbox<'_>) {
        while let Some(attempt) = block_on(mailbox.next(handle)) {
            self.engine.backend().run(attempt);
        }
    }

    fn submit_batch(&self, tasks: Vec<Task>, batch: Batch) -> Result<Handles, SubmitManyError> {
        let backend = self.engine.backend();
        let mailboxes: Vec<_> = tasks.iter().map(|task| backend.open(task.id())).collect();
        let mut handles = block_on(self.engine.submit_many(tasks, batch))?;
        for (handle, mailbox) in handles.iter_mut().zip(&mailboxes) {
            self.run_to_end(handle, mailbox);
        }
        Ok(handles)
    }
}

type Handles = Vec<TaskHandle>;

/// Where the attempts of tasks wait for the callers that run them.
struct InlineBackend {
    settings: InlineSettings,
    worker: Arc<str>,
    commands: Commands,
    mailboxes: Mutex<HashMap<TaskId, Sender<Attempt>>>,
    token: Mutex<Option<WorkerToken>>,
}

/// Where the attempts of one task arrive. Taken down when dropped.
struct Mailbox<'a> {
    backend: &'a InlineBackend,
    id: TaskId,
    attempts: Receiver<Attempt>,
    is_first: bool,
}

impl InlineBackend {
    fn open(&self, id: TaskId) -> Mailbox<'_> {
        let (send, attempts) = async_channel::unbounded();
        let mut mailboxes = lock(&self.mailboxes);
        // A second task with the id of a live one is refused before anything is started.
        let is_first = !mailboxes.contains_key(&id);
        mailboxes.entry(id).or_insert(send);
        Mailbox { backend: self, id, attempts, is_first }
    }

    fn run(&self, attempt: Attempt) {
        let Err(attempt) = attempt.run_sync(&self.worker) else { return };
        match runtime::shared() {
            Ok(runtime) => {
                let _entered = runtime.enter();
                block_on(attempt.run(&self.worker, &self.commands));
            }
            Err(error) => {
                tracing::error!(%error, "an async body cannot be run");
                drop(attempt);
            }
        }
    }
}

impl Mailbox<'_> {
    /// The next attempt of the task, or `None` once it has ended.
    async fn next(&self, handle: &mut TaskHandle) -> Option<Attempt> {
        let mut ended = pin!(handle.ended());
        let mut attempt = pin!(self.attempts.recv());
        poll_fn(|cx| match attempt.as_mut().poll(cx) {
            Poll::Ready(attempt) => Poll::Ready(attempt.ok()),
            Poll::Pending => ended.as_mut().poll(cx).map(|()| None),
        })
        .await
    }
}

impl Drop for Mailbox<'_> {
    fn drop(&mut self) {
        if self.is_first {
            lock(&self.backend.mailboxes).remove(&self.id);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Backend for InlineBackend {
    fn start(&self, attempt: Attempt) {
        let mailbox = lock(&self.mailboxes).get(&attempt.key().task_id).cloned();
        if let Some(mailbox) = mailbox {
            // Nobody there to receive it: it is dropped, and resolves so.
            let _ = mailbox.try_send(attempt);
        }
    }

    fn drive(&self, future: BoxFuture<'static, ()>) {
        match runtime::shared() {
            Ok(runtime) => drop(runtime.spawn(future)),
            Err(_) => block_on(future),
        }
    }

    fn close(&self, _how: Close) {
        let token = lock(&self.token).take();
        drop(token);
    }

    fn workers(&self) -> usize {
        1
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::IN_PROCESS;
        capabilities.limits_stuck_sync = false;
        capabilities.concurrent = false;
        capabilities.priorities = false;
        capabilities.submits_ahead = false;
        capabilities
    }

    fn config(&self) -> ExecutorConfig {
        ExecutorConfig::new("inline", &self.settings)
    }
}

impl fmt::Debug for InlineBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InlineBackend").field("name", &self.worker).finish_non_exhaustive()
    }
}

impl Executor for Inline {
    fn submit(&self, task: Task) -> BoxFuture<'_, Result<TaskHandle, SubmitError>> {
        Box::pin(async move { self.submit_and_run(task) })
    }

    fn try_submit(&self, task: Task) -> Result<TaskHandle, SubmitError> {
        self.submit_and_run(task)
    }

    fn submit_many(
        &self,
        tasks: Vec<Task>,
        batch: Batch,
    ) -> BoxFuture<'_, Result<Vec<TaskHandle>, SubmitManyError>> {
        Box::pin(async move { self.submit_batch(tasks, batch) })
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
