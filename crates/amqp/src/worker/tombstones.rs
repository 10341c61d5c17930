//! [`Tombstones`]: which tasks are cancelled, wherever they are.

use std::collections::HashMap;

use outwork_core::TaskId;

use crate::{
    topology::LONGEST,
    wire::{Envelope, Millis, Tombstone, now},
};

/// Which tasks are cancelled. One is forgotten when its task cannot be anywhere any more.
#[derive(Debug, Default)]
pub(super) struct Tombstones {
    until: HashMap<TaskId, Millis>,
    /// How many there may be before it is looked for those that can be forgotten.
    tidy_at: usize,
}

/// Longer than any task waits: the longest delay, and a day for a queue that nobody serves.
pub(super) const MEMORY: Millis = LONGEST.as_millis() as Millis + 24 * 3600 * 1000;

impl Tombstones {
    pub(super) fn add(&mut self, tombstone: &Tombstone) {
        let until = self.until.entry(tombstone.id).or_insert(tombstone.until);
        *until = tombstone.until.max(*until);
        if self.until.len() > self.tidy_at {
            self.forget_old(now());
        }
    }

    fn forget_old(&mut self, now: Millis) {
        self.until.retain(|_, until| *until > now - MEMORY);
        self.tidy_at = (2 * self.until.len()).max(1024);
    }

    /// Whether this submission of the task is cancelled. A later one of the same id is not.
    pub(super) fn covers(&self, envelope: &Envelope) -> bool {
        self.until.get(&envelope.id).is_some_and(|until| envelope.submitted <= *until)
    }
}
