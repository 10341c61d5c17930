//! [`JobHandle`]: the address of a task.

use serde::{Deserialize, Serialize};

use crate::TaskId;

/// The address of a task, as data: what another process needs to ask for it.
///
/// It works while the executor that runs the task, or the broker that keeps it, lives.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobHandle {
    id: TaskId,
    executor: String,
}

impl JobHandle {
    /// The address of a task on the executor of that name.
    #[must_use]
    pub fn new(id: TaskId, executor: impl Into<String>) -> Self {
        Self { id, executor: executor.into() }
    }

    /// The task.
    #[must_use]
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// The executor that has it.
    #[must_use]
    pub fn executor(&self) -> &str {
        &self.executor
    }
}
