//! [`Ended`]: how tasks ended, on their way back, several in a message.

use bytes::Bytes;
use lapin::{BasicProperties, types::ShortString};
use outwork_core::{Outcome, TaskId, TaskName};
use serde::{Deserialize, Serialize};

use super::{
    Envelope, FRAME, Kind, Millis, ResultMessage, WireError, as_bytes,
    headers::{self, Sender, Writer},
    outcome::{read_outcome, write_outcome},
    read, write_sized,
};

/// How one task ended, as it is to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    id: TaskId,
    submitted: Millis,
    name: TaskName,
    attempts: u32,
    outcome: Vec<u8>,
}

/// One result among several. Its outcome is written as in a message of its own, so that one that
/// does not read leaves its neighbours alone.
#[derive(Debug, Serialize, Deserialize)]
struct Item<'a> {
    id: TaskId,
    submitted: Millis,
    #[serde(serialize_with = "as_bytes")]
    outcome: &'a [u8],
}

#[derive(Debug, Serialize, Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    results: Vec<Item<'a>>,
}

impl Ended {
    /// Writes an outcome. One that is larger than messages may be becomes an error that keeps
    /// the beginning and the end of what the task wrote.
    pub(crate) fn new(
        envelope: &Envelope,
        outcome: &Outcome,
        limit: usize,
    ) -> Result<Self, WireError> {
        Ok(Self {
            id: envelope.id,
            submitted: envelope.submitted,
            name: envelope.name.clone(),
            attempts: outcome.attempts(),
            outcome: write_outcome(outcome, limit)?,
        })
    }

    fn item(&self) -> Item<'_> {
        Item { id: self.id, submitted: self.submitted, outcome: &self.outcome }
    }

    /// What it adds to a message with several at most, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.outcome.len() + FRAME
    }
}

/// Writes results as one message.
pub(crate) fn encode_results(
    sender: &Sender,
    results: Vec<Ended>,
) -> Result<(BasicProperties, Bytes), WireError> {
    let results = match <[Ended; 1]>::try_from(results) {
        Ok([only]) => return Ok(encode_one(sender, only)),
        Err(several) => several,
    };
    let first = results.first().ok_or_else(|| WireError::Unwritable("no results".to_owned()))?;
    let properties = Writer::new(Kind::Results).sender(sender).properties(first.id);
    let size = results.iter().map(Ended::len).sum();
    let items = results.iter().map(Ended::item).collect();
    Ok((properties, write_sized(&Body { results: items }, size)?.into()))
}

fn encode_one(sender: &Sender, only: Ended) -> (BasicProperties, Bytes) {
    let properties = Writer::new(Kind::Result)
        .int(headers::SUBMITTED, only.submitted)
        .int(headers::ATTEMPT, only.attempts.into())
        .sender(sender)
        .properties(only.id)
        .with_type(ShortString::try_new(only.name.as_str()).unwrap_or_default());
    (properties, only.outcome.into())
}

/// Reads several results.
pub(crate) fn read_results(body: &[u8]) -> Result<Vec<ResultMessage>, WireError> {
    let Body { results } = read("results", body)?;
    let results = results.into_iter().map(|Item { id, submitted, outcome }| ResultMessage {
        id,
        submitted,
        outcome: read_outcome(outcome),
    });
    Ok(results.collect())
}
