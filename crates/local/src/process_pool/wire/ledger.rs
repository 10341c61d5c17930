//! [`Ledger`]: what a child has, as far as its pool knows.

use std::{collections::VecDeque, time::Duration};

use super::WireError;

/// The tasks that a child has been sent and has not answered, in the order of their sending.
///
/// A child runs one after the other in that order, apart from those that it gives back. So only
/// the first of them can start, end, or be lost; all others have not begun.
#[derive(Debug)]
pub(in super::super) struct Ledger<T> {
    entries: VecDeque<Entry<T>>,
    next: u64,
    started: bool,
    bytes: usize,
    expected: Duration,
}

#[derive(Debug)]
struct Entry<T> {
    seq: u64,
    /// Taken out when it starts.
    item: Option<T>,
    bytes: usize,
    expected: Duration,
}

/// What there was in a child that is gone.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Left<T> {
    /// The number of the task that it was at.
    pub(in super::super) running: Option<u64>,
    /// What it had begun although it was not heard of, in order.
    pub(in super::super) unheard: Vec<T>,
    /// What it had not begun, in order.
    pub(in super::super) unstarted: Vec<T>,
}

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            next: 1,
            started: false,
            bytes: 0,
            expected: Duration::ZERO,
        }
    }
}

impl<T> Ledger<T> {
    /// Notes a task that is sent, and gives it its number.
    pub(in super::super) fn send(&mut self, item: T, bytes: usize, expected: Duration) -> u64 {
        let seq = self.next;
        self.next += 1;
        self.bytes += bytes;
        self.expected += expected;
        self.entries.push_back(Entry { seq, item: Some(item), bytes, expected });
        seq
    }

    /// The child has begun a task, which is given out.
    ///
    /// # Errors
    ///
    /// When it is not the next one.
    pub(in super::super) fn start(&mut self, seq: u64) -> Result<T, WireError> {
        let untrue = |state| WireError::Untrue { what: "that it has begun", seq, state };
        if self.started {
            return Err(untrue("has begun, or another one"));
        }
        let first = self.entries.front_mut().filter(|entry| entry.seq == seq);
        let item = first.and_then(|entry| entry.item.take());
        self.started = item.is_some();
        item.ok_or_else(|| untrue("is not at"))
    }

    /// The child is done with a task; it is given out, unless that was done at its start.
    ///
    /// # Errors
    ///
    /// When it is not the first one.
    pub(in super::super) fn finish(&mut self, seq: u64) -> Result<Option<T>, WireError> {
        match self.entries.front() {
            Some(entry) if entry.seq == seq => {
                self.started = false;
                Ok(self.entries.pop_front().and_then(|entry| self.strike(entry)))
            }
            _ => {
                let state = "is not at";
                Err(WireError::Untrue { what: "that it is done", seq, state })
            }
        }
    }

    /// The child gives a task back that it has not begun.
    ///
    /// # Errors
    ///
    /// When it has begun it, or does not have it.
    pub(in super::super) fn take_back(&mut self, seq: u64) -> Result<T, WireError> {
        let place = self.entries.binary_search_by_key(&seq, |entry| entry.seq);
        let unstarted = place.ok().filter(|place| !(*place == 0 && self.started));
        let entry = unstarted.and_then(|place| self.entries.remove(place));
        entry.and_then(|entry| self.strike(entry)).ok_or(WireError::Untrue {
            what: "that it gives back",
            seq,
            state: "has begun or does not have",
        })
    }

    fn strike(&mut self, entry: Entry<T>) -> Option<T> {
        self.bytes -= entry.bytes;
        self.expected = self.expected.saturating_sub(entry.expected);
        entry.item
    }

    /// Whether the task is the one that runs, by its number.
    pub(in super::super) fn running(&self) -> Option<u64> {
        self.entries.front().filter(|_| self.started).map(|entry| entry.seq)
    }

    /// The number of the task that the child is to begin, while it is at none.
    pub(in super::super) fn next_to_begin(&self) -> Option<u64> {
        self.entries.front().filter(|_| !self.started).map(|entry| entry.seq)
    }

    /// The number of an unstarted task.
    pub(in super::super) fn find(&self, mut is_it: impl FnMut(&T) -> bool) -> Option<u64> {
        let matches = |entry: &&Entry<T>| entry.item.as_ref().is_some_and(&mut is_it);
        self.entries.iter().find(matches).map(|entry| entry.seq)
    }

    /// The child is gone, and the last task that it has begun had this number: everything is
    /// taken out.
    pub(in super::super) fn lose(&mut self, begun: u64) -> Left<T> {
        let running = self.running();
        let mut unheard = std::mem::take(self).entries;
        let unstarted = unheard.split_off(unheard.partition_point(|entry| entry.seq <= begun));
        let items = |entries: VecDeque<Entry<T>>| {
            entries.into_iter().filter_map(|entry| entry.item).collect()
        };
        Left { running, unheard: items(unheard), unstarted: items(unstarted) }
    }

    pub(in super::super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many bytes of payload the child has not answered.
    pub(in super::super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How long the child is expected to take for all of it.
    pub(in super::super) const fn expected(&self) -> Duration {
        self.expected
    }
}
