//! [`RemoteEvent`]: what happens to a task, on its way back.

use std::time::Duration;

use bytes::Bytes;
use lapin::BasicProperties;
use outwork_core::{Output, Progress, TaskError, TaskId};
use serde::{Deserialize, Serialize};

use super::{
    Envelope, Kind, Millis, WireError,
    headers::{self, Sender, Writer, headers_of, task_id},
    read, write,
};

/// What happened to a task on a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RemoteEvent {
    /// Its body runs.
    Started {
        /// The attempt, from 1.
        attempt: u32,
    },
    /// It told how far it is.
    Progress { attempt: u32, progress: Progress },
    /// The attempt failed, and the next one has been put into the queue.
    Retrying {
        attempt: u32,
        error: TaskError,
        delay: Duration,
        /// What the attempt wrote, if it wrote anything.
        output: Option<Output>,
    },
}

impl RemoteEvent {
    pub(crate) fn encode(
        &self,
        envelope: &Envelope,
        sender: &Sender,
    ) -> Result<(BasicProperties, Bytes), WireError> {
        let properties = Writer::new(Kind::Event)
            .int(headers::SUBMITTED, envelope.submitted)
            .sender(sender)
            .properties(envelope.id);
        Ok((properties, write(self)?.into()))
    }

    /// Which submission of which task it happened to, and what.
    pub(crate) fn read(
        properties: &BasicProperties,
        body: &[u8],
    ) -> Result<(TaskId, Millis, Self), WireError> {
        let submitted = headers_of(properties).int(headers::SUBMITTED);
        let submitted =
            submitted.ok_or_else(|| WireError::header(headers::SUBMITTED, "is missing"))?;
        Ok((task_id(properties)?, submitted, read("event", body)?))
    }
}
