//! [`Ending`]: what is known of a run that ended.

use std::{
    io,
    time::{Duration, SystemTime},
};

use outwork_core::{Captured, Outcome, Rejection, SubmitError, TaskErrorKind};
use serde_json::{Map, Value, json};

use crate::{
    command_line::CommandLine, error_json::error_json, exit_code::is_not_allowed, job_end::JobEnd,
};

/// What is known of a run that ended.
pub(super) struct Ending {
    pub(super) end: JobEnd,
    pub(super) stdout: Captured,
    pub(super) stderr: Captured,
    /// When its last attempt began, `None` when none did.
    pub(super) started: Option<SystemTime>,
    pub(super) run_time: Duration,
    /// A worker on another machine does not run such a thing.
    pub(super) not_allowed: bool,
    attempts: u32,
    /// What the program itself cannot have said.
    pub(super) message: Option<String>,
    /// It did not end: we stopped it.
    pub(super) cancelled: bool,
    error: Option<Map<String, Value>>,
}

impl Ending {
    /// A run that was not even tried.
    pub(super) fn refused(message: String) -> Self {
        Self {
            end: JobEnd::WithoutStatus,
            stdout: Captured::default(),
            stderr: Captured::default(),
            started: None,
            run_time: Duration::ZERO,
            not_allowed: false,
            attempts: 0,
            error: Some(Map::from_iter([
                ("kind".to_owned(), "rejected".into()),
                ("message".to_owned(), message.as_str().into()),
            ])),
            message: Some(message),
            cancelled: false,
        }
    }

    pub(super) fn new(ended: Result<Outcome, SubmitError>) -> Self {
        let outcome = match ended {
            Ok(outcome) => outcome,
            Err(refused) => return Self::refused(refused.to_string()),
        };
        let error = outcome.error();
        let kind = error.map(|error| error.kind());
        let timings = outcome.timings();
        Self {
            end: kind.map_or(JobEnd::Exited(0), job_end),
            stdout: outcome.stdout(),
            stderr: outcome.stderr(),
            started: timings.started_at(),
            run_time: timings.run_time().unwrap_or_default(),
            not_allowed: error.is_some_and(is_not_allowed),
            attempts: outcome.attempts(),
            message: match kind {
                // A program that fails says why itself.
                None | Some(TaskErrorKind::Exited { .. }) => notes(&outcome),
                Some(_) => error.map(ToString::to_string),
            },
            cancelled: matches!(kind, Some(TaskErrorKind::Cancelled)),
            error: error.map(error_json),
        }
    }

    /// How much both streams hold, in bytes.
    pub(super) fn output_len(&self) -> u64 {
        self.stdout.len() + self.stderr.len()
    }

    /// What both streams hold.
    pub(super) fn output(&self) -> io::Result<(Vec<u8>, Vec<u8>)> {
        Ok((self.stdout.bytes()?.into(), self.stderr.bytes()?.into()))
    }

    /// Whether the stop came before the run: it is as if its line had not been read.
    pub(super) fn never_began(&self) -> bool {
        self.cancelled && self.attempts == 0
    }

    /// The line of `--json`.
    pub(super) fn to_json(&self, seq: u64, line: Option<&[u8]>, command: &CommandLine) -> Vec<u8> {
        let mut object = json!({
            "seq": seq,
            "line": line.map(text),
            "command": command.to_string(),
            "exitval": self.end.exitval(),
            "signal": self.end.signal(),
            "seconds": self.run_time.as_secs_f64(),
            "attempts": self.attempts,
            "stdout": bytes(&self.stdout),
            "stderr": bytes(&self.stderr),
        });
        if let Some(error) = &self.error {
            let mut error = error.clone();
            error.remove("stderr_tail");
            object["error"] = error.into();
        }
        format!("{object}\n").into_bytes()
    }
}

fn notes(outcome: &Outcome) -> Option<String> {
    let notes = outcome.error().map_or(outcome.notes(), |error| error.notes());
    (!notes.is_empty()).then(|| notes.join("; "))
}

fn job_end(kind: &TaskErrorKind) -> JobEnd {
    match kind {
        TaskErrorKind::Exited { code } => JobEnd::Exited(*code),
        TaskErrorKind::Signalled { signal } => JobEnd::Signalled(*signal),
        TaskErrorKind::TimedOut { .. } => JobEnd::TimedOut,
        TaskErrorKind::Rejected(
            Rejection::ProgramNotExecutable { .. } | Rejection::ProgramNotAllowed { .. },
        ) => JobEnd::Exited(126),
        TaskErrorKind::Rejected(Rejection::ProgramNotFound { .. }) => JobEnd::Exited(127),
        _ => JobEnd::WithoutStatus,
    }
}

fn bytes(captured: &Captured) -> Value {
    captured.bytes().map_or(Value::Null, |bytes| text(&bytes))
}

/// Text, or the bytes as numbers where it is not UTF-8.
pub(super) fn text(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.into(),
    }
}
