//! [`Shutdown`]: how an executor stops, and by when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How an executor stops. Each way has a deadline that bounds the whole stop.
///
/// Stopping is idempotent and may be asked for from anywhere, also from a task.
/// A second request can only make it harsher or sooner.
/// Whatever is still running at the deadline is made to stop as far as its body can be,
/// and what cannot be stopped resolves as lost. Every handle has resolved by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdown {
    mode: ShutdownMode,
    deadline: Duration,
    wait: bool,
}

/// What becomes of the tasks that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShutdownMode {
    /// Everything that was accepted is finished, retries and delays included.
    Drain,
    /// What waits is cancelled, what runs is finished.
    CancelPending,
    /// What waits is cancelled, what runs is asked to stop at once.
    Abort,
}

impl Shutdown {
    /// Finishes everything that was accepted.
    #[must_use]
    pub const fn drain(deadline: Duration) -> Self {
        Self { mode: ShutdownMode::Drain, deadline, wait: true }
    }

    /// Cancels what waits and finishes what runs.
    #[must_use]
    pub const fn cancel_pending(deadline: Duration) -> Self {
        Self { mode: ShutdownMode::CancelPending, deadline, wait: true }
    }

    /// Cancels what waits and stops what runs.
    #[must_use]
    pub const fn abort(deadline: Duration) -> Self {
        Self { mode: ShutdownMode::Abort, deadline, wait: true }
    }

    /// Sets whether `shutdown` waits for the end; otherwise it returns at once
    /// and the stop goes on by itself, by the same deadline.
    #[must_use]
    pub const fn wait(mut self, wait: bool) -> Self {
        self.wait = wait;
        self
    }

    /// What becomes of the tasks that are there.
    #[must_use]
    pub const fn mode(&self) -> ShutdownMode {
        self.mode
    }

    /// By when everything has stopped.
    #[must_use]
    pub const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Whether the caller waits.
    #[must_use]
    pub const fn waits(&self) -> bool {
        self.wait
    }
}

/// What a stop came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The executor has stopped; `false` when the caller did not wait for it.
    pub stopped: bool,
    /// Tasks that were cancelled by the stop.
    pub cancelled: usize,
    /// Tasks whose bodies could not be stopped and were given up.
    pub lost: usize,
}
