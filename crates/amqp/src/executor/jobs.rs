//! Detached jobs: submitted by one process, asked for by another.

mod attached;
mod follow;
mod read;
mod status;
mod write;

use std::{sync::Arc, time::Duration};

use outwork_core::{Cancel, JobHandle, SubmitError, Task, TaskId};
use tracing::Instrument;

pub(super) use follow::follow_jobs;
pub use status::JobStatus;

use super::AmqpExecutor;
use crate::{
    connection::{ConnectError, ConnectErrorKind},
    telemetry,
};

/// What says in a job handle that the job outlives the process that submitted it.
const DETACHED: &str = "detached";

/// How long the stream may take to be read.
const READING: Duration = Duration::from_secs(60);

impl AmqpExecutor {
    /// Hands a task over for good: it is run and its end is kept for whoever asks, on any
    /// machine, also when this process is gone. The broker keeps it for at least 14 days.
    ///
    /// It is no task of this executor: it takes no room, has no events here, and is not waited
    /// for at shutdown.
    ///
    /// # Errors
    ///
    /// As for [`submit`](outwork_core::Executor::submit).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future: the job may or may not have been submitted.
    pub async fn submit_detached(&self, task: Task) -> Result<JobHandle, SubmitError> {
        let client = Arc::clone(&self.client);
        let span = telemetry::submit(&task, &client.settings.queue);
        let result = match client.checked(&task, None, true) {
            Ok(checked) => client.send_detached(&task, checked).instrument(span).await,
            Err(refusal) => Err(refusal),
        };
        result.map_err(|refusal| refusal.with_task(task))
    }

    /// What is known of a detached job; nothing when it never was, or is no longer kept.
    ///
    /// # Errors
    ///
    /// When the broker cannot be reached, or its stream of jobs cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn job(&self, id: TaskId) -> Result<Option<JobStatus>, ConnectError> {
        self.client.read_job(id, None).await
    }

    /// The same, waiting until the job has ended, or the time is up.
    ///
    /// # Errors
    ///
    /// As for [`job`](Self::job).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn wait_job(
        &self,
        id: TaskId,
        timeout: Duration,
    ) -> Result<Option<JobStatus>, ConnectError> {
        self.client.read_job(id, Some(timeout)).await
    }

    /// Asks a task to stop that may have been submitted by another process.
    ///
    /// `Confirmed` means that no worker has it, and that it will not start any more.
    ///
    /// # Errors
    ///
    /// When the broker cannot be reached.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future: the task may or may not have been asked.
    pub async fn cancel_job(&self, id: TaskId) -> Result<Cancel, ConnectError> {
        let known = self.client.read_job(id, None).await?;
        if known.as_ref().is_some_and(|job| job.state.is_final()) {
            return Ok(Cancel::NotFound);
        }
        let detached = known.is_some();
        let queue = known.as_ref().map(|job| job.queue.clone());
        let answer = self.client.cancel_elsewhere(id, queue).await;
        if answer == Cancel::Confirmed
            && detached
            && let Some(job) = known
        {
            self.client.record_cancelled(job).await?;
        }
        Ok(answer)
    }
}

fn unreadable(why: &str) -> ConnectError {
    let message = format!("the stream of the jobs cannot be read: {why}");
    ConnectError::new(ConnectErrorKind::Broker, message)
}

pub(super) fn closed() -> ConnectError {
    ConnectError::new(ConnectErrorKind::Broker, "the executor is shut down")
}
