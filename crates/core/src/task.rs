//! [`Task`]: what is to be run, as data.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Metadata, Payload, TaskId, TaskName, TaskOptions};

/// What is to be run: a registered name, its arguments, and how.
///
/// Plain data: it can be stored, sent and run on another machine that has the name registered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    pub(crate) id: TaskId,
    pub(crate) name: TaskName,
    pub(crate) payload: Payload,
    /// Most tasks have none, and many share theirs: so they are not moved around with the task.
    #[serde(default, with = "shared_options")]
    options: Option<Arc<TaskOptions>>,
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
            options: None,
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

    /// Gives the task other arguments.
    #[must_use]
    pub fn with_payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self
    }

    /// Says how the task is to be run. Tasks that are run alike can share their options.
    #[must_use]
    pub fn with_options(mut self, options: impl Into<Arc<TaskOptions>>) -> Self {
        self.options = Some(options.into());
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
        self.options = self.options.map(|options| {
            let stripped = TaskOptions::clone(&options).single_attempt();
            // What many tasks share they go on to share.
            if stripped == *options { options } else { Arc::new(stripped) }
        });
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
    pub fn options(&self) -> &TaskOptions {
        static NONE: TaskOptions = TaskOptions::NONE;
        self.options.as_deref().unwrap_or(&NONE)
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

impl PartialEq for Task {
    fn eq(&self, other: &Self) -> bool {
        let plain = |task: &Self| (task.id, task.attempt);
        plain(self) == plain(other)
            && self.name == other.name
            && self.payload == other.payload
            && self.options() == other.options()
            && self.metadata == other.metadata
    }
}

/// Options read and write as if they were not shared.
mod shared_options {
    use super::{Arc, Deserialize, Serialize, TaskOptions};

    pub(super) fn serialize<S: serde::Serializer>(
        options: &Option<Arc<TaskOptions>>,
        writer: S,
    ) -> Result<S::Ok, S::Error> {
        match options {
            Some(options) => options.serialize(writer),
            None => TaskOptions::NONE.serialize(writer),
        }
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        reader: D,
    ) -> Result<Option<Arc<TaskOptions>>, D::Error> {
        let options = TaskOptions::deserialize(reader)?;
        Ok((options != TaskOptions::NONE).then(|| Arc::new(options)))
    }
}
