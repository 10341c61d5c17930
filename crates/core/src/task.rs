//! [`Task`]: what is to be run, as data.

use serde::{Deserialize, Serialize};

use crate::{Metadata, Payload, TaskId, TaskName, TaskOptions};

/// What is to be run: a registered name, its arguments, and how.
///
/// Plain data: it can be stored, sent and run on another machine that has the name registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    pub(crate) id: TaskId,
    pub(crate) name: TaskName,
    pub(crate) payload: Payload,
    #[serde(default)]
    pub(crate) options: TaskOptions,
    #[serde(default)]
    pub(crate) metadata: Metadata,
    #[serde(default)]
    pub(crate) attempt: u32,
}

impl Task {
    /// Makes a task with a fresh id and no options.
    ///
    /// [`TaskDef::task`](crate::TaskDef::task) makes one from typed arguments.
    #[must_use]
    pub fn new(name: TaskName, payload: Payload) -> Self {
        Self {
            id: TaskId::new(),
            name,
            payload,
            options: TaskOptions::default(),
            metadata: Metadata::new(),
            attempt: 0,
        }
    }

    /// Gives the task an id that was made elsewhere.
    #[must_use]
    pub const fn with_id(mut self, id: TaskId) -> Self {
        self.id = id;
        self
    }

    /// Says how the task is to be run.
    #[must_use]
    pub fn with_options(mut self, options: TaskOptions) -> Self {
        self.options = options;
        self
    }

    /// Sends a map of text along.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Says how many attempts were made elsewhere, so that the next one counts on from there.
    #[must_use]
    pub const fn with_attempts_made(mut self, attempts: u32) -> Self {
        self.attempt = attempts;
        self
    }

    /// The task as one attempt of it: what hands a task on strips what it applies itself,
    /// which is delay, expiry, retries, queue and priority.
    #[must_use]
    pub fn single_attempt(mut self) -> Self {
        self.options = self.options.single_attempt();
        self
    }

    /// Who the task is.
    #[must_use]
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// The registered name.
    #[must_use]
    pub const fn name(&self) -> &TaskName {
        &self.name
    }

    /// The encoded arguments.
    #[must_use]
    pub const fn payload(&self) -> &Payload {
        &self.payload
    }

    /// How the task is to be run.
    #[must_use]
    pub const fn options(&self) -> &TaskOptions {
        &self.options
    }

    /// The map of text that travels along.
    #[must_use]
    pub const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// How many attempts were made before this executor got the task.
    #[must_use]
    pub const fn attempts_made(&self) -> u32 {
        self.attempt
    }
}
