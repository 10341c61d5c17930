//! [`ResultMessage`]: how a task ended, on its way back.

use lapin::BasicProperties;
use outwork_core::{Outcome, TaskId};

use super::{
    Millis, WireError,
    headers::{self, headers_of, task_id},
    outcome::read_outcome,
};

/// How a task ended, as it came out of a message.
#[derive(Debug, Clone)]
pub(crate) struct ResultMessage {
    pub(crate) id: TaskId,
    pub(crate) submitted: Millis,
    pub(crate) outcome: Outcome,
}

impl ResultMessage {
    pub(crate) fn read(properties: &BasicProperties, body: &[u8]) -> Result<Self, WireError> {
        let submitted = headers_of(properties).int(headers::SUBMITTED);
        Ok(Self {
            id: task_id(properties)?,
            submitted: submitted
                .ok_or_else(|| WireError::header(headers::SUBMITTED, "is missing"))?,
            outcome: read_outcome(body),
        })
    }
}
