//! [`ResultMessage`]: how a task ended, on its way back.

use bytes::Bytes;
use lapin::BasicProperties;
use outwork_core::{Captured, Outcome, Output, Report, TaskError, TaskErrorKind, TaskId};

use super::{
    Millis, WireError,
    headers::{self, headers_of, task_id},
    read, write,
};

/// How a task ended, as it came out of a message.
#[derive(Debug, Clone)]
pub(crate) struct ResultMessage {
    pub(crate) id: TaskId,
    pub(crate) submitted: Millis,
    pub(crate) outcome: Outcome,
}

/// What is kept of each stream when all of it is too much: the beginning, and the end.
const KEPT: usize = 64 * 1024;

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

/// Writes an outcome. One that is larger than messages may be becomes an error that keeps the
/// beginning and the end of what the task wrote.
pub(super) fn write_outcome(outcome: &Outcome, limit: usize) -> Result<Bytes, WireError> {
    // Looked at first, because what does not fit may not fit into memory either.
    let output = output_len(outcome);
    if output > limit as u64 {
        return write(&without_excess(outcome, output, limit));
    }
    let body = write(outcome)?;
    if body.len() <= limit {
        return Ok(body);
    }
    write(&without_excess(outcome, body.len() as u64, limit))
}

/// Reads an outcome. One that does not read is one all the same: nothing else will come.
pub(super) fn read_outcome(body: &[u8]) -> Outcome {
    read("outcome", body).unwrap_or_else(|error| {
        let message = format!("the result cannot be read: {error}");
        Outcome::bare(Err(TaskError::new(TaskErrorKind::Undecodable, message)))
    })
}

/// How many bytes of output an outcome would carry along.
pub(crate) fn output_len(outcome: &Outcome) -> u64 {
    outcome.outputs().iter().map(|output| output.stdout.kept() + output.stderr.kept()).sum()
}

fn without_excess(outcome: &Outcome, size: u64, limit: usize) -> Outcome {
    let kind = TaskErrorKind::OutputTooLarge { limit: limit as u64 };
    let message =
        format!("the result and the output have {size} bytes, and at most {limit} can be sent");
    let error = match outcome.error() {
        // What went wrong first is what is to be known.
        Some(error) => error.clone(),
        None => TaskError::new(kind, message),
    };
    let last = outcome.outputs().last();
    let outputs =
        last.map(|last| Output { stdout: ends(&last.stdout), stderr: ends(&last.stderr) });
    let report = Report {
        attempts: outcome.attempts(),
        timings: outcome.timings(),
        worker: outcome.worker().map(Into::into),
        outputs: outputs.into_iter().collect(),
        notes: outcome.notes().to_vec(),
    };
    Outcome::new(Err(error), report)
}

/// The beginning and the end of a stream.
fn ends(captured: &Captured) -> Captured {
    let Some(left_out) = captured.kept().checked_sub(2 * KEPT as u64) else {
        return captured.clone();
    };
    let Ok((head, tail)) = captured.ends(KEPT) else { return Captured::default() };
    let mark = format!("\n[... {left_out} bytes left out ...]\n");
    Captured::from_bytes([&head, mark.as_bytes(), &tail].concat())
}
