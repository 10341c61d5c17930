//! Why a blocking wait ended without an outcome.

use std::time::Duration;

/// Why a blocking wait ended without an outcome. The task goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The time was up first; the task runs on and can be waited for again.
    #[error("the task had not ended after {0:?}")]
    TimedOut(Duration),
    /// Waiting here would stop the very worker that has to run the task.
    #[error(transparent)]
    WouldDeadlock(#[from] WouldDeadlock),
    /// The outcome was taken by an earlier wait.
    #[error("the outcome of the task was already taken")]
    Taken,
}

/// The caller is a worker of the executor and may not block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "blocking here would stop the worker that has to run the task: await it, or wait on another thread"
)]
pub struct WouldDeadlock;
