//! [`Counters`]: how many tasks of one executor came to which end.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Counts, State};

/// What is behind [`Counts`], for those who write an executor.
#[derive(Debug, Default)]
pub struct Counters {
    succeeded: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    timed_out: AtomicU64,
    lost: AtomicU64,
    retried: AtomicU64,
    late: AtomicU64,
}

impl Counters {
    /// An attempt failed, and another one follows.
    pub fn retried(&self) {
        self.retried.fetch_add(1, Ordering::Relaxed);
    }

    /// A result came after the end of its task, and was dropped.
    pub fn late(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
    }

    /// A task has ended.
    pub fn ended(&self, state: State) {
        let counter = match state {
            State::Succeeded => &self.succeeded,
            State::Cancelled => &self.cancelled,
            State::TimedOut => &self.timed_out,
            State::Lost => &self.lost,
            State::Failed | State::Pending | State::Running => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// All of them, while so many tasks are alive: what was submitted has ended or is alive.
    #[must_use]
    pub fn read(&self, alive: usize) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut counts = Counts {
            submitted: alive as u64,
            succeeded: get(&self.succeeded),
            failed: get(&self.failed),
            cancelled: get(&self.cancelled),
            timed_out: get(&self.timed_out),
            lost: get(&self.lost),
            retried: get(&self.retried),
            late: get(&self.late),
        };
        let Counts { succeeded, failed, cancelled, timed_out, lost, .. } = counts;
        counts.submitted += succeeded + failed + cancelled + timed_out + lost;
        counts
    }
}
