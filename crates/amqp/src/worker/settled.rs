//! [`Settled`]: what was dealt with, in case it comes again.

use foldhash::HashSet;
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
///
/// They lie in two halves. When the newer one is full it becomes the older one, whose attempts
/// are forgotten together: to find the oldest one each time would cost more than the rest.
#[derive(Debug, Default)]
pub(super) struct Settled {
    newer: HashSet<Key>,
    older: HashSet<Key>,
}

/// So many are remembered at least: more than can be in hand over a few lost connections.
const KEPT: usize = 16 * 1024;

impl Settled {
    pub(super) fn add(&mut self, key: Key) {
        if self.newer.len() >= KEPT {
            std::mem::swap(&mut self.newer, &mut self.older);
            self.newer.clear();
        }
        self.newer.insert(key);
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.newer.contains(key) || self.older.contains(key)
    }

    /// Forgets an attempt that is to be run again: it was given back as it was.
    pub(super) fn forget(&mut self, key: &Key) {
        self.newer.remove(key);
        self.older.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_were_dealt_with_last_are_known_and_what_is_forgotten_is_not() {
        let (mut settled, id) = (Settled::default(), TaskId::new());
        let key = |submitted: usize| {
            let submitted = Millis::try_from(submitted).unwrap();
            Key { id, submitted, failures: 0, losses: 0 }
        };
        (0..5 * KEPT).for_each(|each| settled.add(key(each)));
        assert!((4 * KEPT..5 * KEPT).all(|each| settled.contains(&key(each))));
        assert!(!settled.contains(&key(0)) && !settled.contains(&key(5 * KEPT)));
        assert!(settled.newer.len() + settled.older.len() <= 2 * KEPT);
        for each in [4 * KEPT - 1, 5 * KEPT - 1] {
            settled.forget(&key(each));
            assert!(!settled.contains(&key(each)));
        }
    }
}
