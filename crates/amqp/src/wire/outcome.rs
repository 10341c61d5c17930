//! [`OutcomeBody`]: an outcome as it travels.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use outwork_core::{
    Captured, Codec, Outcome, Output, Payload, Report, TaskError, TaskErrorKind, Timings,
};
use serde::{Deserialize, Serialize};

use super::{WireError, read, write};

/// An outcome as it travels: flat, and without what is empty, because a short task costs less
/// than writing and reading what there could be to say of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct OutcomeBody<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ok: Option<Bytes>,
    #[serde(default, skip_serializing_if = "is_default")]
    codec: Codec,
    #[serde(default, skip_serializing_if = "is_default")]
    schema: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<TaskError>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    submitted_at: Option<Nanos>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at: Option<Nanos>,
    /// Only if it does not follow from the other two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finished_at: Option<Nanos>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_time: Option<Nanos>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    worker: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    outputs: Vec<Output>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// Nanoseconds, of a duration or since the epoch.
type Nanos = u64;

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn nanos(time: Duration) -> Nanos {
    Nanos::try_from(time.as_nanos()).unwrap_or(Nanos::MAX)
}

fn since_epoch(time: SystemTime) -> Option<Nanos> {
    time.duration_since(UNIX_EPOCH).ok().map(nanos)
}

fn after_epoch(nanos: Nanos) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_nanos(nanos))
}

fn end_of(start: Option<Nanos>, run_time: Option<Nanos>) -> Option<Nanos> {
    start?.checked_add(run_time?)
}

impl<'a> From<&'a Outcome> for OutcomeBody<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        let body = match outcome.result() {
            Ok(payload) => Self {
                ok: Some(payload.bytes().clone()),
                codec: payload.codec(),
                schema: payload.schema(),
                ..Self::default()
            },
            Err(error) => Self { error: Some(error.clone()), ..Self::default() },
        };
        let Some(report) = outcome.report() else { return body };
        let times = report.timings;
        let started_at = times.started_at().and_then(since_epoch);
        let finished_at = times.finished_at().and_then(since_epoch);
        let run_time = times.run_time().map(nanos);
        Self {
            attempts: Some(report.attempts),
            submitted_at: times.submitted_at().and_then(since_epoch),
            started_at,
            finished_at: finished_at.filter(|_| finished_at != end_of(started_at, run_time)),
            run_time,
            worker: report.worker.as_deref().map(Cow::Borrowed),
            outputs: report.outputs.clone(),
            notes: report.notes.clone(),
            ..body
        }
    }
}

impl From<OutcomeBody<'_>> for Outcome {
    fn from(body: OutcomeBody<'_>) -> Self {
        let result = match (body.ok, body.error) {
            (_, Some(error)) => Err(error),
            (Some(bytes), None) => Ok(Payload::new(body.codec, bytes).with_schema(body.schema)),
            (None, None) => Err(unreadable("there is neither a result nor an error in it")),
        };
        let Some(attempts) = body.attempts else { return Self::bare(result) };
        let timings = Timings::recorded(
            body.submitted_at.and_then(after_epoch),
            body.started_at.and_then(after_epoch),
            body.finished_at.or(end_of(body.started_at, body.run_time)).and_then(after_epoch),
            body.run_time.map(Duration::from_nanos),
        );
        let OutcomeBody { worker, outputs, notes, .. } = body;
        let worker = worker.as_deref().map(Arc::from);
        Self::new(result, Report { attempts, timings, worker, outputs, notes })
    }
}

/// What is kept of each stream when all of it is too much: the beginning, and the end.
const KEPT: usize = 64 * 1024;

/// Writes an outcome. One that is larger than messages may be becomes an error that keeps the
/// beginning and the end of what the task wrote.
pub(super) fn write_outcome(outcome: &Outcome, limit: usize) -> Result<Vec<u8>, WireError> {
    let write = |outcome: &Outcome| write(&OutcomeBody::from(outcome));
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
    match read::<OutcomeBody<'_>>("outcome", body) {
        Ok(body) => body.into(),
        Err(error) => Outcome::bare(Err(unreadable(&error.to_string()))),
    }
}

fn unreadable(why: &str) -> TaskError {
    TaskError::new(TaskErrorKind::Undecodable, format!("the result cannot be read: {why}"))
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
