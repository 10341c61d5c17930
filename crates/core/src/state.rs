//! [`State`]: where a task is in its life.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a task is in its life.
///
/// ```text
/// Pending ──► Running ──► Succeeded | Failed | Cancelled | TimedOut | Lost
///    ▲  │        │
///    │  └────────┼──► Failed | Cancelled          (it never ran)
///    └───────────┘                                (another attempt follows)
/// ```
///
/// The last five are final: nothing leads out of them, and a task enters just one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Accepted, and waiting for its time, for room, or for another attempt.
    Pending,
    /// Its body runs, here and now.
    Running,
    /// It has a result.
    Succeeded,
    /// It failed: see the kind of its error.
    Failed,
    /// It was cancelled, and has really stopped.
    Cancelled,
    /// It passed its time limit.
    TimedOut,
    /// Its worker vanished, or its body was given up.
    Lost,
}

impl State {
    /// Whether nothing can change any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::TimedOut | Self::Lost => true,
        }
    }

    /// The state as one lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
