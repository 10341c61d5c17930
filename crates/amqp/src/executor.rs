//! [`AmqpExecutor`]: hands tasks to workers on other machines.

mod answers;
mod batch;
mod builder;
mod cancel;
mod cell;
mod checked;
mod chunks;
mod client;
mod instances;
mod jobs;
mod live;
mod ping;
mod recent;
mod remote;
mod replies;
mod run_times;
mod settings;
mod shutdown;
mod stamps;
mod state;
mod submit;

use std::{fmt, sync::Arc, time::Instant};

pub use builder::AmqpExecutorBuilder;
pub use jobs::JobStatus;
pub use ping::WorkerAnswer;
pub use settings::AmqpSettings;

use outwork_core::{
    AttachError, Batch, BoxFuture, Cancel, Capabilities, EventFilter, EventStream, Executor,
    ExecutorConfig, ExecutorStatus, JobHandle, Shutdown, ShutdownReport, SubmitError,
    SubmitManyError, Task, TaskHandle, TaskId,
};

use tracing::Instrument;

use self::client::Client;
use crate::{connection::ConnectOptions, telemetry, wire::Running};

/// Hands tasks to workers on other machines, through RabbitMQ.
///
/// # Delivery
///
/// At least once. `submit` returns once the broker has confirmed the task as durable; from there
/// on it is run also when this process is gone. A task runs twice only if its worker, or the
/// worker's connection, was cut while the task was in hand.
///
/// # Shutdown
///
/// A drain waits for the results of what was submitted here. Dropping the executor closes its
/// door: tasks that somebody has a handle of are waited for in the background, the rest run on
/// and their results are nobody's.
pub struct AmqpExecutor {
    client: Arc<Client>,
}

impl AmqpExecutor {
    /// Settings for an executor.
    pub fn builder(options: ConnectOptions) -> AmqpExecutorBuilder {
        AmqpExecutorBuilder::new(options)
    }

    /// The name in job handles.
    #[must_use]
    pub fn name(&self) -> &str {
        self.client.name()
    }
}

impl Executor for AmqpExecutor {
    fn submit(&self, task: Task) -> BoxFuture<'_, Result<TaskHandle, SubmitError>> {
        let span = telemetry::submit(&task, &self.client.settings.queue);
        Box::pin(self.client.submit(task).instrument(span))
    }

    fn try_submit(&self, task: Task) -> Result<TaskHandle, SubmitError> {
        let _entered = telemetry::submit(&task, &self.client.settings.queue).entered();
        self.client.try_submit(task)
    }

    fn submit_many(
        &self,
        tasks: Vec<Task>,
        batch: Batch,
    ) -> BoxFuture<'_, Result<Vec<TaskHandle>, SubmitManyError>> {
        let span = telemetry::submit_many(&tasks);
        Box::pin(self.client.submit_many(tasks, batch).instrument(span))
    }

    fn attach(&self, job: &JobHandle) -> BoxFuture<'_, Result<TaskHandle, AttachError>> {
        let job = job.clone();
        Box::pin(async move { self.client.attach(job).await })
    }

    fn cancel(&self, id: TaskId) -> BoxFuture<'_, Cancel> {
        Box::pin(async move { self.client.cancel(id, Running::Ask).await })
    }

    fn cancel_now(&self, id: TaskId) -> BoxFuture<'_, Cancel> {
        Box::pin(async move { self.client.cancel(id, Running::Force).await })
    }

    fn cancel_all(&self) -> BoxFuture<'_, usize> {
        Box::pin(self.client.cancel_all())
    }

    fn status(&self) -> ExecutorStatus {
        self.client.status()
    }

    fn events(&self, filter: EventFilter) -> EventStream {
        self.client.hub.subscribe(filter)
    }

    fn capabilities(&self) -> Capabilities {
        self.client.capabilities
    }

    fn config(&self) -> ExecutorConfig {
        ExecutorConfig::new("amqp", &self.client.settings)
    }

    fn shutdown(&self, how: Shutdown) -> BoxFuture<'_, ShutdownReport> {
        Box::pin(async move {
            self.client.begin_shutdown(how);
            if !how.waits() {
                self.client.wishes_heard().await;
            }
            let begun = Instant::now();
            let report = self.client.shutdown_report(how).await;
            if how.waits() && report.stopped {
                self.client.gone_within(how.deadline().saturating_sub(begun.elapsed())).await;
            }
            report
        })
    }
}

impl Drop for AmqpExecutor {
    fn drop(&mut self) {
        self.client.abandon();
    }
}

impl fmt::Debug for AmqpExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpExecutor").field("client", &self.client).finish_non_exhaustive()
    }
}
