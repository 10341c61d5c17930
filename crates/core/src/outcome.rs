//! [`Outcome`]: how a task ended.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Captured, Payload, State, TaskError, TaskErrorKind, clock::wall_time};

/// How a task ended. Every accepted task has one, on every path.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome<T = Payload> {
    result: Result<T, TaskError>,
    /// Boxed, because closures have none and are handed around by value.
    report: Option<Box<Report>>,
}

/// What is known of a task beside its result.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Report {
    /// How often the body was started.
    pub attempts: u32,
    /// When things happened.
    pub timings: Timings,
    /// The worker that ran the last attempt.
    pub worker: Option<Arc<str>>,
    /// What each attempt wrote, the last one last; nothing when none wrote anything.
    pub outputs: Vec<Output>,
    /// What went wrong besides, such as a failing teardown.
    pub notes: Vec<String>,
}

/// What one attempt wrote.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Output {
    /// The standard output.
    pub stdout: Captured,
    /// The standard error.
    pub stderr: Captured,
}

/// When a task was accepted, when its last attempt started, and when it ended.
///
/// By the calendar of the machine that ran it; how long it ran was measured there as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Timings {
    submitted_at: Option<SystemTime>,
    started_at: Option<SystemTime>,
    finished_at: Option<SystemTime>,
    run_time: Option<Duration>,
}

impl Timings {
    /// What was measured on this machine.
    #[must_use]
    pub fn measured(submitted: Instant, started: Option<Instant>, finished: Instant) -> Self {
        Self {
            submitted_at: Some(wall_time(submitted)),
            started_at: started.map(wall_time),
            finished_at: Some(wall_time(finished)),
            run_time: started.map(|started| finished.saturating_duration_since(started)),
        }
    }

    /// What was measured elsewhere.
    #[must_use]
    pub const fn recorded(
        submitted_at: Option<SystemTime>,
        started_at: Option<SystemTime>,
        finished_at: Option<SystemTime>,
        run_time: Option<Duration>,
    ) -> Self {
        Self { submitted_at, started_at, finished_at, run_time }
    }

    /// When the task was accepted.
    #[must_use]
    pub const fn submitted_at(&self) -> Option<SystemTime> {
        self.submitted_at
    }

    /// When the last attempt started.
    #[must_use]
    pub const fn started_at(&self) -> Option<SystemTime> {
        self.started_at
    }

    /// When the task ended.
    #[must_use]
    pub const fn finished_at(&self) -> Option<SystemTime> {
        self.finished_at
    }

    /// How long the last attempt ran.
    #[must_use]
    pub const fn run_time(&self) -> Option<Duration> {
        self.run_time
    }
}

impl<T> Outcome<T> {
    /// An outcome without a report, as closures have.
    #[must_use]
    pub const fn bare(result: Result<T, TaskError>) -> Self {
        Self { result, report: None }
    }

    /// An outcome with everything that is known.
    #[must_use]
    pub fn new(result: Result<T, TaskError>, report: Report) -> Self {
        Self { result, report: Some(Box::new(report)) }
    }

    /// The state that the task ended in.
    #[must_use]
    pub fn state(&self) -> State {
        match &self.result {
            Ok(_) => State::Succeeded,
            Err(error) => error.state(),
        }
    }

    /// Whether there is a result.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.result.is_ok()
    }

    /// The result, or why there is none.
    ///
    /// # Errors
    ///
    /// When the task ended without a result.
    pub const fn result(&self) -> Result<&T, &TaskError> {
        self.result.as_ref()
    }

    /// Takes the result out.
    ///
    /// # Errors
    ///
    /// When the task ended without a result.
    pub fn into_result(self) -> Result<T, TaskError> {
        self.result
    }

    /// Why there is no result.
    #[must_use]
    pub fn error(&self) -> Option<&TaskError> {
        self.result.as_ref().err()
    }

    /// What is known beside the result; nothing of a closure.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.report.as_deref()
    }

    /// How often the body was started; 0 when it never ran.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.report.as_ref().map_or(1, |report| report.attempts)
    }

    /// When things happened.
    #[must_use]
    pub fn timings(&self) -> Timings {
        self.report.as_ref().map(|report| report.timings).unwrap_or_default()
    }

    /// The worker that ran the last attempt.
    #[must_use]
    pub fn worker(&self) -> Option<&str> {
        self.report.as_ref()?.worker.as_deref()
    }

    /// What the last attempt wrote to its standard output.
    #[must_use]
    pub fn stdout(&self) -> Captured {
        self.outputs().last().map(|output| output.stdout.clone()).unwrap_or_default()
    }

    /// What the last attempt wrote to its standard error.
    #[must_use]
    pub fn stderr(&self) -> Captured {
        self.outputs().last().map(|output| output.stderr.clone()).unwrap_or_default()
    }

    /// What each attempt wrote, the last one last.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        self.report.as_ref().map_or(&[], |report| &report.outputs)
    }

    /// What went wrong besides: a failing teardown or recorder. It never replaces the result.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        self.report.as_ref().map_or(&[], |report| &report.notes)
    }

    /// The same outcome with another error, where it has one.
    #[must_use]
    pub fn map_error(self, map: impl FnOnce(TaskError) -> TaskError) -> Self {
        Self { result: self.result.map_err(map), report: self.report }
    }

    /// The same outcome with another result.
    pub fn map<U>(self, map: impl FnOnce(T) -> Result<U, TaskError>) -> Outcome<U> {
        Outcome { result: self.result.and_then(map), report: self.report }
    }
}

impl Outcome<Payload> {
    /// The outcome with its result read as a type.
    ///
    /// A result that is not of that type makes the outcome an `Undecodable` failure.
    #[must_use]
    pub fn decode<R: DeserializeOwned>(self) -> Outcome<R> {
        self.map(|payload| {
            payload.decode().map_err(|error| {
                let message = format!("the result cannot be read: {error}");
                TaskError::new(TaskErrorKind::Undecodable, message)
            })
        })
    }
}
