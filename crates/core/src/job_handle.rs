//! [`JobHandle`]: the address of a task.

use std::{collections::BTreeMap, time::SystemTime};

use serde::{Deserialize, Serialize};

use crate::{TaskId, TaskName};

/// The address of a task, as data: what another process needs to ask for it.
///
/// It works while the executor that runs the task, or the broker that keeps it, lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobHandle {
    id: TaskId,
    executor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<TaskName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    submitted_at: Option<SystemTime>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    details: BTreeMap<String, String>,
}

impl JobHandle {
    /// The address of a task on the executor of that name.
    #[must_use]
    pub fn new(id: TaskId, executor: impl Into<String>) -> Self {
        let (name, submitted_at, details) = (None, None, BTreeMap::new());
        Self { id, executor: executor.into(), name, submitted_at, details }
    }

    /// Adds the task's name.
    #[must_use]
    pub fn with_name(mut self, name: TaskName) -> Self {
        self.name = Some(name);
        self
    }

    /// Adds when the task was submitted, which tells where in a long history to look.
    #[must_use]
    pub const fn with_submitted_at(mut self, at: SystemTime) -> Self {
        self.submitted_at = Some(at);
        self
    }

    /// Adds what the executor needs to find the task again, such as its queue.
    #[must_use]
    pub fn with_detail(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.details.insert(key.into(), value.into());
        self
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

    /// The task's name.
    #[must_use]
    pub const fn name(&self) -> Option<&TaskName> {
        self.name.as_ref()
    }

    /// When the task was submitted.
    #[must_use]
    pub const fn submitted_at(&self) -> Option<SystemTime> {
        self.submitted_at
    }

    /// What the executor added under a key.
    #[must_use]
    pub fn detail(&self, key: &str) -> Option<&str> {
        self.details.get(key).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_json_and_tolerates_later_fields() {
        let job = JobHandle::new(TaskId::new(), "pool").with_detail("queue", "mail");
        let mut json = serde_json::to_value(&job).unwrap();
        json["later"] = "field".into();
        assert_eq!(serde_json::from_value::<JobHandle>(json).unwrap(), job);
    }
}
