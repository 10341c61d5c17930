//! Writing to the stream of the jobs.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use lapin::{BasicProperties, types::ShortString};
use outwork_core::{JobHandle, Outcome, Refusal, Report, State, SubmitErrorKind, Task, TaskError};

use super::{
    DETACHED, JobStatus,
    status::{millis_of, time_of},
};
use crate::{
    connection::{ConnectError, ConnectErrorKind},
    executor::{checked::Checked, client::Client},
    publisher::Outgoing,
    wire::{JobRecord, now},
};

impl Client {
    pub(super) async fn send_detached(
        self: &Arc<Self>,
        task: &Task,
        checked: Checked,
    ) -> Result<JobHandle, Refusal> {
        let record = JobRecord {
            id: checked.envelope.id,
            name: checked.envelope.name.clone(),
            queue: checked.envelope.queue.clone(),
            submitted: checked.envelope.submitted,
            at: checked.envelope.submitted,
            state: State::Pending,
            attempt: 0,
            worker: None,
            outcome: None,
        };
        let submitted = record.submitted;
        let handle = JobHandle::new(task.id(), self.name())
            .with_name(task.name().clone())
            .with_submitted_at(time_of(submitted))
            .with_detail("queue", record.queue.as_str())
            .with_detail(DETACHED, "true");
        // First, so that whoever finds the job running finds that it was submitted.
        self.publish_record(record)
            .await
            .map_err(|error| Refusal::new(SubmitErrorKind::Infrastructure, error.to_string()))?;
        self.publish_detached(checked).await?;
        Ok(handle)
    }

    pub(super) async fn publish_record(&self, record: JobRecord) -> Result<(), ConnectError> {
        let failed = |why: String| ConnectError::new(ConnectErrorKind::Broker, why);
        let (properties, body) = record.encode().map_err(|error| failed(error.to_string()))?;
        let outgoing = self.to_jobs(properties, body);
        self.publisher.publish(outgoing).await.map_err(|error| failed(error.to_string()))
    }

    pub(super) fn to_jobs(&self, properties: BasicProperties, body: Bytes) -> Outgoing {
        Outgoing {
            exchange: self.options.names().log_exchange(),
            key: ShortString::from("jobs"),
            properties,
            body,
            give_up: Some(Instant::now() + self.options.confirm_limit()),
        }
    }

    /// Writes that a job was cancelled before it started: no worker will.
    pub(super) async fn record_cancelled(&self, job: JobStatus) -> Result<(), ConnectError> {
        let error = TaskError::cancelled();
        let report = Report { attempts: job.attempt, ..Report::default() };
        self.publish_record(JobRecord {
            id: job.id,
            name: job.name,
            queue: job.queue,
            submitted: millis_of(job.submitted_at),
            at: now(),
            state: State::Cancelled,
            attempt: job.attempt,
            worker: job.worker,
            outcome: Some(Outcome::new(Err(error), report)),
        })
        .await
    }
}
