//! [`WorkerHealth`]: whether a pool has its workers.

/// How the workers of a process pool are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerHealth {
    /// All of them are there, or about to be.
    Healthy,
    /// Some could not be started. The pool tries again, and meanwhile works with the others.
    Degraded {
        /// How many there are.
        workers: usize,
        /// How many there should be.
        wanted: usize,
        /// Why the last start failed, with what the worker wrote to its standard error.
        reason: String,
    },
    /// None could be started, so tasks are refused. The pool tries again.
    Broken {
        /// Why the last start failed, with what the worker wrote to its standard error.
        reason: String,
    },
}
