//! [`EventFilter`]: which events a reader wants.

use std::num::NonZeroUsize;

use super::TaskEvent;
use crate::{TaskId, TaskName};

const DEFAULT_CAPACITY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

/// Which events a reader wants, and how many it may be behind.
#[derive(Debug, Clone)]
pub struct EventFilter {
    task: Option<TaskId>,
    name: Option<TaskName>,
    only_final: bool,
    while_running: bool,
    capacity: NonZeroUsize,
}

impl Default for EventFilter {
    fn default() -> Self {
        Self::all()
    }
}

impl EventFilter {
    /// Every event, with room for 1024.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            task: None,
            name: None,
            only_final: false,
            while_running: false,
            capacity: DEFAULT_CAPACITY,
        }
    }

    /// The events of one task.
    #[must_use]
    pub const fn task(mut self, id: TaskId) -> Self {
        self.task = Some(id);
        self
    }

    /// The events of all tasks of one name.
    #[must_use]
    pub fn name(mut self, name: TaskName) -> Self {
        self.name = Some(name);
        self
    }

    /// Only how tasks ended.
    #[must_use]
    pub const fn only_final(mut self) -> Self {
        self.only_final = true;
        self
    }

    /// Only what happens while a body runs: that it was started, and how far it is.
    #[must_use]
    pub const fn while_running(mut self) -> Self {
        self.while_running = true;
        self
    }

    /// Sets how many events are kept for a reader that is slow; the oldest go first.
    #[must_use]
    pub const fn capacity(mut self, capacity: NonZeroUsize) -> Self {
        self.capacity = capacity;
        self
    }

    pub(super) const fn room(&self) -> usize {
        self.capacity.get()
    }

    pub(super) fn wants(&self, event: &TaskEvent) -> bool {
        self.task.is_none_or(|id| id == event.task_id)
            && self.name.as_ref().is_none_or(|name| event.name.as_ref() == Some(name))
            && (!self.only_final || event.is_final())
            && (!self.while_running || event.is_of_a_running_body())
    }
}
