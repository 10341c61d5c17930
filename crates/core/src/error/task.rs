//! [`TaskError`]: why a task has no result.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{BoxError, State};

/// The longest cause chain that is kept, so that a cyclic `source()` cannot fill the memory.
const MAX_CAUSES: usize = 32;

/// Why a task, or one attempt of it, has no result.
///
/// Serialisable, so that it reads the same on the machine that submitted the task.
/// Each failed task has an error of its own.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskError {
    inner: Box<Inner>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Inner {
    kind: TaskErrorKind,
    message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    stderr_tail: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    permanent: bool,
}

/// The kinds of failure that callers tell apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TaskErrorKind {
    /// The handler returned an error.
    Failed,
    /// The handler panicked; the worker lives on.
    Panicked,
    /// A command ended with an exit code other than 0.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// A command was ended by a signal.
    Signalled {
        /// The number of the signal.
        signal: i32,
    },
    /// The time limit of the attempt passed.
    TimedOut {
        /// The limit that passed.
        limit: Duration,
        /// The body could not be stopped: its thread was given up and replaced.
        abandoned: bool,
    },
    /// The task was cancelled and has really stopped.
    Cancelled,
    /// The worker that ran the task is gone, and with it the result.
    WorkerLost(WorkerLost),
    /// The executor took the task but refused to run it.
    Rejected(Rejection),
    /// The task was still waiting when its `expires` had passed; it never ran.
    Expired,
    /// The arguments are not what the handler takes, or its result does not encode.
    Undecodable,
    /// The captured output is larger than the target allows.
    OutputTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// Something between the caller and the task failed: a socket, a disk, a broker.
    Infrastructure,
}

impl TaskErrorKind {
    /// The name of the kind, such as `timed_out`: the same in logs, in JSON and on every wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::Exited { .. } => "exited",
            Self::Signalled { .. } => "signalled",
            Self::TimedOut { .. } => "timed_out",
            Self::Cancelled => "cancelled",
            Self::WorkerLost(_) => "worker_lost",
            Self::Rejected(_) => "rejected",
            Self::Expired => "expired",
            Self::Undecodable => "undecodable",
            Self::OutputTooLarge { .. } => "output_too_large",
            Self::Infrastructure => "infrastructure",
        }
    }
}

/// What is known of a worker that vanished.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WorkerLost {
    /// Why the worker counts as lost.
    pub reason: LossReason,
    /// Its process, where it had one of its own.
    pub pid: Option<u32>,
    /// Its exit code.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The kernel's out-of-memory killer is the likely cause.
    pub oom: bool,
}

/// Why a worker counts as lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LossReason {
    /// The process or the thread ended in the middle of the task.
    #[default]
    Died,
    /// The body did not stop by the deadline and was given up.
    Abandoned,
    /// The executor dropped the task without running it to an end.
    Dropped,
    /// The memory limit of the worker was passed.
    MemoryLimit,
    /// What the worker said could not be understood.
    Garbled,
    /// The worker closed the channel on which it is spoken to.
    Disconnected,
}

/// Why an executor refused to run a task that it had taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rejection {
    /// No task of that name is registered where it was to run.
    UnknownTask,
    /// As many tasks of that name as allowed are alive.
    MaxInstances {
        /// The limit.
        limit: u32,
    },
    /// The program of a command does not exist.
    ProgramNotFound {
        /// The program as it was asked for.
        program: String,
    },
    /// The program of a command may not be executed.
    ProgramNotExecutable {
        /// The program as it was asked for.
        program: String,
    },
    /// The worker does not allow that program.
    ProgramNotAllowed {
        /// The program as it was asked for.
        program: String,
    },
    /// The executor was shut down before the task could be accepted.
    Closed,
    /// The recorder could not keep the task.
    NotRecorded,
    /// The message cannot be taken as it is.
    InvalidMessage,
}

impl TaskError {
    /// Makes an error of a kind.
    #[must_use]
    pub fn new(kind: TaskErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            inner: Box::new(Inner {
                kind,
                message,
                causes: Vec::new(),
                notes: Vec::new(),
                stderr_tail: String::new(),
                permanent: false,
            }),
        }
    }

    /// The handler failed, in its own words.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(TaskErrorKind::Failed, message)
    }

    /// The task was cancelled and has stopped.
    #[must_use]
    pub fn cancelled() -> Self {
        Self::new(TaskErrorKind::Cancelled, "the task was cancelled")
    }

    /// The worker was lost.
    #[must_use]
    pub fn lost(lost: WorkerLost, message: impl Into<String>) -> Self {
        Self::new(TaskErrorKind::WorkerLost(lost), message)
    }

    /// The attempt ran into its time limit.
    #[must_use]
    pub fn timed_out(limit: Duration, abandoned: bool) -> Self {
        let end = if abandoned { "; its body does not stop and was abandoned" } else { "" };
        let message = format!("the time limit of {limit:?} passed{end}");
        Self::new(TaskErrorKind::TimedOut { limit, abandoned }, message)
    }

    /// Takes what a handler returned: a `TaskError` as it is, anything else as
    /// [`Failed`](TaskErrorKind::Failed) with its message and its chain of causes.
    #[must_use]
    pub fn from_error(error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => *own,
            Err(error) => Self::failed(message_of(&*error)).with_causes(&*error),
        }
    }

    fn with_causes(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let chain = std::iter::successors(error.source(), |cause| cause.source());
        self.inner.causes = chain.take(MAX_CAUSES).map(ToString::to_string).collect();
        self
    }

    /// Forbids another attempt, whatever the retry policy says.
    #[must_use]
    pub fn permanent(mut self) -> Self {
        self.inner.permanent = true;
        self
    }

    /// Adds the last lines that the worker or the command wrote to its standard error.
    #[must_use]
    pub fn with_stderr_tail(mut self, tail: impl Into<String>) -> Self {
        self.inner.stderr_tail = tail.into();
        self
    }

    /// Adds something that went wrong besides, such as a failing teardown.
    pub fn add_note(&mut self, note: impl Into<String>) {
        self.inner.notes.push(note.into());
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> &TaskErrorKind {
        &self.inner.kind
    }

    /// The message alone.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// The chain of causes, the nearest first.
    #[must_use]
    pub fn causes(&self) -> &[String] {
        &self.inner.causes
    }

    /// What else went wrong on the way.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.inner.notes
    }

    /// The end of the standard error, where one was captured.
    #[must_use]
    pub fn stderr_tail(&self) -> &str {
        &self.inner.stderr_tail
    }

    /// Whether another attempt was forbidden by the handler.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        self.inner.permanent
    }

    /// The state that a task with this error ends in.
    #[must_use]
    pub const fn state(&self) -> State {
        match self.inner.kind {
            TaskErrorKind::Cancelled => State::Cancelled,
            TaskErrorKind::TimedOut { .. } => State::TimedOut,
            TaskErrorKind::WorkerLost(_) => State::Lost,
            TaskErrorKind::Failed
            | TaskErrorKind::Panicked
            | TaskErrorKind::Exited { .. }
            | TaskErrorKind::Signalled { .. }
            | TaskErrorKind::Rejected(_)
            | TaskErrorKind::Expired
            | TaskErrorKind::Undecodable
            | TaskErrorKind::OutputTooLarge { .. }
            | TaskErrorKind::Infrastructure => State::Failed,
        }
    }
}

/// An error with an empty message is still an error and says so.
fn message_of(error: &dyn std::error::Error) -> String {
    let message = error.to_string();
    if message.trim().is_empty() {
        "the handler failed without a message".to_owned()
    } else {
        message
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)?;
        self.inner.causes.iter().try_for_each(|cause| write!(f, ": {cause}"))?;
        self.inner.notes.iter().try_for_each(|note| write!(f, " ({note})"))
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskError({:?}: {self})", self.inner.kind)
    }
}

impl std::error::Error for TaskError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn causes_are_kept_apart_from_the_message() {
        let error = TaskError::from_error(Box::new(Outer(std::io::Error::other("inner"))));
        assert_eq!((error.message(), error.causes()), ("outer", &["inner".to_owned()][..]));
    }

    #[test]
    fn a_task_error_from_a_handler_keeps_its_kind() {
        let error = TaskError::from_error(Box::new(TaskError::cancelled()));
        assert_eq!(error.kind(), &TaskErrorKind::Cancelled);
    }

    #[test]
    fn an_empty_message_does_not_stay_empty() {
        assert!(!TaskError::from_error("".into()).message().is_empty());
    }

    #[test]
    fn every_kind_has_a_name_of_its_own_which_is_that_on_the_wire() {
        let kinds = [
            TaskErrorKind::Failed,
            TaskErrorKind::Panicked,
            TaskErrorKind::Exited { code: 1 },
            TaskErrorKind::Signalled { signal: 9 },
            TaskErrorKind::TimedOut { limit: Duration::from_secs(1), abandoned: true },
            TaskErrorKind::Cancelled,
            TaskErrorKind::WorkerLost(WorkerLost::default()),
            TaskErrorKind::Rejected(Rejection::Closed),
            TaskErrorKind::Expired,
            TaskErrorKind::Undecodable,
            TaskErrorKind::OutputTooLarge { limit: 1 },
            TaskErrorKind::Infrastructure,
        ];
        for kind in &kinds {
            let name = match serde_json::to_value(kind).unwrap() {
                serde_json::Value::Object(object) => object.keys().next().unwrap().clone(),
                name => name.as_str().unwrap().to_owned(),
            };
            assert_eq!(kind.name(), name);
        }
        let names: std::collections::BTreeSet<_> = kinds.iter().map(TaskErrorKind::name).collect();
        assert_eq!(names.len(), kinds.len());
    }

    #[test]
    fn an_error_survives_both_codecs() {
        let mut error = TaskError::new(TaskErrorKind::Exited { code: 3 }, "three").permanent();
        error.add_note("and more");
        for codec in [crate::Codec::Json, crate::Codec::MessagePack] {
            let payload = crate::Payload::encode(codec, &error).unwrap();
            assert_eq!(payload.decode::<TaskError>().unwrap(), error);
        }
    }
}
