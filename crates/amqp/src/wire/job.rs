//! [`JobRecord`]: one state of a detached job, in the stream of the jobs.

use bytes::Bytes;
use lapin::BasicProperties;
use outwork_core::{Outcome, State, TaskId, TaskName};
use serde::{Deserialize, Serialize};

use super::{
    Kind, Millis, WireError,
    headers::{Writer, headers_of, task_id},
    outcome::OutcomeBody,
    read, write,
};
use crate::topology::QueueName;

/// One state of a detached job.
#[derive(Debug, Clone)]
pub(crate) struct JobRecord {
    pub(crate) id: TaskId,
    pub(crate) name: TaskName,
    pub(crate) queue: QueueName,
    pub(crate) submitted: Millis,
    pub(crate) at: Millis,
    pub(crate) state: State,
    pub(crate) attempt: u32,
    pub(crate) worker: Option<String>,
    /// With the last state.
    pub(crate) outcome: Option<Outcome>,
}

#[derive(Serialize, Deserialize)]
struct Body<'a> {
    name: TaskName,
    queue: QueueName,
    submitted: Millis,
    at: Millis,
    state: State,
    #[serde(default)]
    attempt: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    worker: Option<String>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    outcome: Option<OutcomeBody<'a>>,
}

impl JobRecord {
    pub(crate) fn encode(self) -> Result<(BasicProperties, Bytes), WireError> {
        let Self { id, name, queue, submitted, at, state, attempt, worker, outcome } = self;
        let properties = Writer::new(Kind::Job).properties(id);
        let outcome = outcome.as_ref().map(OutcomeBody::from);
        let body = Body { name, queue, submitted, at, state, attempt, worker, outcome };
        Ok((properties, write(&body)?.into()))
    }

    /// The task that a record is about, without reading all of it.
    pub(crate) fn id_of(properties: &BasicProperties) -> Option<TaskId> {
        task_id(properties).ok()
    }

    pub(crate) fn read(properties: &BasicProperties, body: &[u8]) -> Result<Self, WireError> {
        headers_of(properties).kind()?;
        let id = task_id(properties)?;
        let Body { name, queue, submitted, at, state, attempt, worker, outcome } =
            read("record of a job", body)?;
        let outcome = outcome.map(Outcome::from);
        Ok(Self { id, name, queue, submitted, at, state, attempt, worker, outcome })
    }
}
