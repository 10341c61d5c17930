//! [`AmqpSettings`]: an executor's settings as data.

use outwork_core::{Capabilities, Refusal, SubmitErrorKind, TaskOptions};
use serde::{Deserialize, Serialize};

use crate::{
    files::{NO_FILES, named_file},
    topology::QueueName,
};

/// An executor's settings as data. Where the broker is, and how to be let in, is not in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AmqpSettings {
    /// The queue of tasks that name none.
    pub queue: QueueName,
    /// How many tasks may be accepted and not ended.
    pub limit: usize,
    /// How many outcomes are kept for tasks whose address was asked for.
    pub retain: usize,
    /// The name in job handles; without it, one that every process has that uses the same
    /// prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the pools of the workers can do, which cannot be seen from here.
    pub workers: Capabilities,
    /// Whether the workers [share files](crate::AmqpWorkerBuilder::shares_files) with this
    /// process. If not, tasks that name files are refused here already.
    pub shares_files: bool,
}

impl AmqpSettings {
    /// Refuses a task that names a file, where files do not travel.
    pub(super) fn check_files(&self, options: &TaskOptions) -> Result<(), Refusal> {
        match named_file(options) {
            Some(option) if !self.shares_files => {
                let message = format!("{option}: {NO_FILES}");
                Err(Refusal::new(SubmitErrorKind::InvalidOptions, message))
            }
            _ => Ok(()),
        }
    }
}

/// What is assumed of workers: a thread pool.
const WORKERS: Capabilities = {
    let mut workers = Capabilities::IN_PROCESS;
    workers.outlives_caller = true;
    workers.priorities = false;
    workers
};

impl Default for AmqpSettings {
    fn default() -> Self {
        Self {
            queue: QueueName::default(),
            limit: 4096,
            retain: 1024,
            name: None,
            workers: WORKERS,
            shares_files: false,
        }
    }
}
