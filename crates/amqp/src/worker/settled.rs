//! [`Settled`]: what was dealt with, in case it comes again.

use std::collections::{HashSet, VecDeque};

use outwork_core::TaskId;

use crate::wire::{Envelope, Millis};

/// One attempt of one submission of a task. A message that has the same key is a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    id: TaskId,
    submitted: Millis,
    failures: u32,
    losses: u32,
}

impl Key {
    pub(super) fn of(envelope: &Envelope) -> Self {
        let Envelope { id, submitted, failures, losses, .. } = *envelope;
        Self { id, submitted, failures, losses }
    }

    pub(super) const fn id(&self) -> TaskId {
        self.id
    }
}

/// The attempts that were dealt with last: their results are confirmed, or their next attempts
/// are in the queue. When the acknowledgement was lost with its connection, the broker delivers
/// such a message again, and only the acknowledgement is still owed.
#[derive(Debug, Default)]
pub(super) struct Settled {
    keys: HashSet<Key>,
    order: VecDeque<Key>,
}

/// More than can be in hand over a few lost connections.
const KEPT: usize = 16 * 1024;

impl Settled {
    pub(super) fn add(&mut self, key: Key) {
        if !self.keys.insert(key) {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.keys.contains(key)
    }

    /// Forgets an attempt that is to be run again: it was given back as it was.
    pub(super) fn forget(&mut self, key: &Key) {
        self.keys.remove(key);
    }
}
