//! [`Recorder`]: the slot where a store of jobs writes.

use std::time::Duration;

use futures_core::future::BoxFuture;

use crate::{BoxError, Outcome, Task, TaskError, TaskId};

/// Writes what becomes of tasks, in the path of their lifecycle.
///
/// Unlike events, nothing is ever left out: the lifecycle waits for each future.
/// A recorder that need not be durable hands the change on and returns a ready one.
pub trait Recorder: Send + Sync + std::fmt::Debug {
    /// Keeps one change. The changes of one task come one after the other, in order.
    ///
    /// A failure to keep [`Change::Submitted`] refuses the task;
    /// later ones are logged and added to the outcome as notes.
    fn record<'a>(&'a self, change: Change<'a>) -> BoxFuture<'a, Result<(), BoxError>>;
}

/// One change in the life of a task.
#[derive(Debug)]
pub enum Change<'a> {
    /// It was accepted; recorded before `submit` returns.
    Submitted(&'a Task),
    /// An attempt starts; recorded before its body runs.
    Started {
        /// The task.
        task_id: TaskId,
        /// The attempt, from 1.
        attempt: u32,
    },
    /// The body gave its own address for the task; recorded before it goes on.
    JobHandle {
        /// The task.
        task_id: TaskId,
        /// The address.
        handle: &'a serde_json::Value,
    },
    /// The attempt failed and another follows.
    Retrying {
        /// The task.
        task_id: TaskId,
        /// The attempt that failed.
        attempt: u32,
        /// Why.
        error: &'a TaskError,
        /// How long until the next.
        delay: Duration,
    },
    /// It ended; recorded before its handle resolves.
    Finished {
        /// The task.
        task_id: TaskId,
        /// How.
        outcome: &'a Outcome,
    },
}
