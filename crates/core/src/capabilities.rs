//! [`Capabilities`]: what an executor can really do, as data.

use serde::{Deserialize, Serialize};

/// What an executor can really do. The conformance suite holds it to its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Capabilities {
    /// How a running synchronous body is stopped.
    pub stop_sync: Stopping,
    /// How a running async body is stopped.
    pub stop_async: Stopping,
    /// How a running command is stopped.
    pub stop_command: Stopping,
    /// Whether a time limit is kept for a synchronous body that ignores it.
    pub limits_stuck_sync: bool,
    /// Whether a body that aborts, or is killed, takes only its own task with it.
    pub isolates_crash: bool,
    /// Whether `println!` in a body can be captured, and not only what goes through its context.
    pub captures_descriptors: bool,
    /// Whether a running task survives the end of the process that submitted it.
    pub outlives_caller: bool,
    /// Whether tasks run beside each other.
    pub concurrent: bool,
    /// Whether waiting tasks are started by priority.
    pub priorities: bool,
    /// Whether `submit` returns before the task has run.
    pub submits_ahead: bool,
}

/// How a running body can be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopping {
    /// Such bodies do not run here.
    Never,
    /// It is told, and stops when it looks.
    Cooperative,
    /// It is stopped, at its next await or by a signal.
    Enforced,
}

impl Capabilities {
    /// What every executor can do that runs bodies in its own process.
    pub const IN_PROCESS: Self = Self {
        stop_sync: Stopping::Cooperative,
        stop_async: Stopping::Enforced,
        stop_command: Stopping::Enforced,
        limits_stuck_sync: true,
        isolates_crash: false,
        captures_descriptors: false,
        outlives_caller: false,
        concurrent: true,
        priorities: true,
        submits_ahead: true,
    };
}
