//! [`TaskEvent`]: one thing that happened to one task.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{Progress, State, TaskError, TaskId, TaskName};

/// One thing that happened to one task.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskEvent {
    /// The task.
    pub task_id: TaskId,
    /// Its name; closures have none.
    pub name: Option<TaskName>,
    /// The attempt that it happened to, from 1; 0 before the first.
    pub attempt: u32,
    /// When it happened.
    pub at: SystemTime,
    /// What happened.
    pub kind: EventKind,
}

/// What can happen to a task. The events of one task come in order, and
/// [`Finished`](Self::Finished) comes last and once, on every path.
#[derive(Debug, Clone)]
pub enum EventKind {
    /// The executor accepted it.
    Submitted,
    /// Its body runs.
    Started {
        /// The worker.
        worker: Option<Arc<str>>,
    },
    /// Its body told how far it is.
    Progress(Progress),
    /// It was asked to stop.
    CancelRequested,
    /// The attempt failed and another will follow.
    Retrying {
        /// Why it failed.
        error: TaskError,
        /// How long until the next attempt.
        delay: Duration,
    },
    /// It ended.
    Finished {
        /// How.
        state: State,
        /// Why there is no result.
        error: Option<TaskError>,
    },
}

impl TaskEvent {
    /// Makes an event that happens now.
    #[must_use]
    pub fn now(task_id: TaskId, name: Option<TaskName>, attempt: u32, kind: EventKind) -> Self {
        Self { task_id, name, attempt, at: SystemTime::now(), kind }
    }

    pub(super) const fn is_of_a_running_body(&self) -> bool {
        matches!(self.kind, EventKind::Started { .. } | EventKind::Progress(_))
    }

    /// Whether it is the last event of its task.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self.kind, EventKind::Finished { .. })
    }
}
