//! [`ExecutorStatus`]: what an executor is doing now.

use serde::Serialize;

/// What an executor is doing now, and what it has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct ExecutorStatus {
    /// Where the executor is in its own life.
    pub phase: Phase,
    /// Workers that can run tasks.
    pub workers: usize,
    /// Tasks accepted and not ended.
    pub in_flight: usize,
    /// Of these, the tasks whose bodies run. Closures are not counted.
    pub running: usize,
    /// How many tasks there is room for.
    pub limit: usize,
    /// How many tasks ended how, since the start.
    pub counts: Counts,
}

impl ExecutorStatus {
    /// Tasks that are accepted and wait: for a worker, their time, or their next attempt.
    ///
    /// Where closures run, they count as waiting too.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.in_flight.saturating_sub(self.running)
    }
}

/// How many tasks ended how. Closures are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Accepted.
    pub submitted: u64,
    /// Ended with a result.
    pub succeeded: u64,
    /// Ended with an error.
    pub failed: u64,
    /// Cancelled.
    pub cancelled: u64,
    /// Ran into their time limit.
    pub timed_out: u64,
    /// Lost with their worker.
    pub lost: u64,
    /// Attempts that were followed by another.
    pub retried: u64,
    /// Results that came after the task had ended, and were dropped.
    pub late: u64,
}

/// Where an executor is in its own life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Takes and runs tasks.
    #[default]
    Running,
    /// Takes no more tasks and ends those it has.
    Draining,
    /// Has stopped. It cannot be started again: build another.
    Stopped,
    /// Cannot run tasks at the moment, and tries to mend that.
    Broken,
}
