//! [`WorkerStatus`]: what a worker is doing and has done.

use std::sync::atomic::Ordering;

use serde::Serialize;

use super::{desk::Desk, fetch::Fetching};
use crate::connection::Link;

/// What a worker is doing now, and what it has done since it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct WorkerStatus {
    /// Whether both of its connections are there.
    pub connected: bool,
    /// Whether the broker takes no messages from it, for want of memory or disk.
    pub blocked: bool,
    /// Whether it fetches tasks.
    pub fetching: bool,
    /// Tasks that it has and that are not dealt with.
    pub in_hand: usize,
    /// Of these, the ones that its executor has.
    pub running: usize,
    /// Tasks whose end was told.
    pub done: u64,
    /// Attempts that were followed by another.
    pub retried: u64,
    /// Messages that went to the dead letters.
    pub dead: u64,
    /// Tasks that were given back for other workers.
    pub given_back: u64,
    /// Messages that came twice and were not run again.
    pub copies: u64,
    /// Results whose client was gone.
    pub dropped_results: u64,
}

impl WorkerStatus {
    pub(super) fn of(desk: &Desk, link: &Link, fetching: Fetching) -> Self {
        let counters = &desk.counters;
        let publishing = desk.publisher.link();
        Self {
            connected: link.is_connected() && publishing.is_connected(),
            blocked: publishing.is_blocked(),
            fetching: fetching == Fetching::On,
            in_hand: desk.hands.len(),
            running: desk.hands.in_pool().len(),
            done: counters.done.load(Ordering::Relaxed),
            retried: counters.retried.load(Ordering::Relaxed),
            dead: counters.dead.load(Ordering::Relaxed),
            given_back: counters.given_back.load(Ordering::Relaxed),
            copies: counters.copies.load(Ordering::Relaxed),
            dropped_results: counters.dropped_results.load(Ordering::Relaxed),
        }
    }
}
