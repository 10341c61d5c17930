//! Why a task was not accepted, with the task given back.

use std::fmt;

use crate::{
    DecodeError, EncodeError, JobHandle, OptionsError, Outcome, Task, TaskError, TaskHandle,
};

/// Why a task was not accepted. The task is given back.
pub struct SubmitError {
    refusal: Refusal,
    task: Box<Task>,
}

/// Why tasks are refused: a kind to match on and words for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    kind: SubmitErrorKind,
    message: String,
}

/// The reasons for which a task is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SubmitErrorKind {
    /// There is no room now; [`submit`](crate::Executor::submit) would wait.
    Full,
    /// The executor is shutting down or has stopped.
    Closed,
    /// No task of that name is registered.
    UnknownTask,
    /// A task with that id is alive.
    DuplicateId,
    /// As many tasks of that name as its options allow are alive.
    MaxInstances,
    /// The options contradict each other or the executor.
    InvalidOptions,
    /// The payload is larger than the transport takes.
    TooLarge,
    /// The recorder, the disk or the broker failed; the task was not accepted.
    Infrastructure,
    /// It was sent, and whether it was accepted is not known. Submitting it again under the
    /// same id is safe.
    Unconfirmed,
}

impl Refusal {
    /// Makes a refusal of a kind.
    #[must_use]
    pub fn new(kind: SubmitErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The refusal of an executor that is shutting down.
    #[must_use]
    pub fn closed() -> Self {
        Self::new(SubmitErrorKind::Closed, "the executor is shut down and takes no more tasks")
    }

    /// The refusal of an executor that has no room.
    #[must_use]
    pub fn full(limit: usize) -> Self {
        Self::new(
            SubmitErrorKind::Full,
            format!("{limit} tasks are in flight, which is the limit of this executor"),
        )
    }

    /// What was the matter.
    #[must_use]
    pub const fn kind(&self) -> SubmitErrorKind {
        self.kind
    }

    /// Gives the refused task back with the reason.
    #[must_use]
    pub fn with_task(self, task: Task) -> SubmitError {
        SubmitError { refusal: self, task: Box::new(task) }
    }
}

impl From<OptionsError> for Refusal {
    fn from(error: OptionsError) -> Self {
        Self::new(SubmitErrorKind::InvalidOptions, error.to_string())
    }
}

impl SubmitError {
    /// What was the matter.
    #[must_use]
    pub const fn kind(&self) -> SubmitErrorKind {
        self.refusal.kind
    }

    /// The reason without the task.
    #[must_use]
    pub const fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// Whether waiting for room would help.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.kind() == SubmitErrorKind::Full
    }

    /// Whether the executor takes no more tasks at all.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.kind() == SubmitErrorKind::Closed
    }

    /// The task that was refused.
    #[must_use]
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// Takes the task back.
    #[must_use]
    pub fn into_task(self) -> Task {
        *self.task
    }
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

impl fmt::Debug for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubmitError({:?}: {self})", self.kind())
    }
}

impl std::error::Error for SubmitError {}

/// Parts of a batch, each with its place in it, from 0.
pub type Placed<T> = Vec<(usize, T)>;

/// Why a batch was not accepted whole.
#[derive(Debug, thiserror::Error)]
#[error("task {index} of the batch: {refusal}")]
pub struct SubmitManyError {
    pub(crate) refusal: Refusal,
    pub(crate) index: usize,
    pub(crate) tasks: Placed<Task>,
    pub(crate) accepted: Placed<TaskHandle>,
}

impl SubmitManyError {
    /// Makes the error of a batch: `accepted` run already, `tasks` are given back.
    #[must_use]
    pub const fn new(
        refusal: Refusal,
        index: usize,
        tasks: Placed<Task>,
        accepted: Placed<TaskHandle>,
    ) -> Self {
        Self { refusal, index, tasks, accepted }
    }

    /// What was the matter.
    #[must_use]
    pub const fn kind(&self) -> SubmitErrorKind {
        self.refusal.kind
    }

    /// The place in the batch of the first task that was refused, from 0.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// The tasks that were not accepted and the handles of those that were, each with its
    /// place in the batch.
    ///
    /// There are handles only when the batch had been found good and something happened while
    /// it was handed over: the executor closed, or the broker did not confirm all of it.
    #[must_use]
    pub fn into_parts(self) -> (Placed<Task>, Placed<TaskHandle>) {
        (self.tasks, self.accepted)
    }
}

/// Why a task cannot be attached to.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The executor does not know the task, or has forgotten its outcome.
    #[error("task {} is not known here: it never was, or its outcome is no longer kept", .0.id())]
    NotFound(Box<JobHandle>),
    /// The handle belongs to another executor.
    #[error("the handle of task {} belongs to executor {:?}", .0.id(), .0.executor())]
    WrongExecutor(Box<JobHandle>),
    /// What keeps the outcome could not be reached.
    #[error("the outcome of task {} cannot be read: {message}", .job.id())]
    Infrastructure {
        /// The task.
        job: Box<JobHandle>,
        /// What happened.
        message: String,
    },
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The arguments do not encode; nothing was submitted.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The task was not accepted.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The task ended without a result.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The result is not of the type that the definition promises.
    #[error("the result cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// The caller may not or did not wait long enough.
    #[error(transparent)]
    Wait(#[from] super::WaitError),
}

impl CallError {
    /// The task's own error, where it got as far as having one.
    #[must_use]
    pub const fn task_error(&self) -> Option<&TaskError> {
        match self {
            Self::Task(error) => Some(error),
            Self::Encode(_) | Self::Submit(_) | Self::Decode(_) | Self::Wait(_) => None,
        }
    }
}

impl<T> Outcome<T> {
    /// The result, or the task's error as the error of a call.
    ///
    /// # Errors
    ///
    /// When the task ended without a result.
    pub fn into_call_result(self) -> Result<T, CallError> {
        self.into_result().map_err(CallError::Task)
    }
}
