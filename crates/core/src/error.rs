//! What can go wrong, one type per operation that fails in its own way.

mod build;
mod submit;
mod task;
mod wait;

pub use build::BuildError;
pub use submit::{
    AttachError, CallError, Placed, Refusal, SubmitError, SubmitErrorKind, SubmitManyError,
};
pub use task::{LossReason, Rejection, TaskError, TaskErrorKind, WorkerLost};
pub use wait::{WaitError, WouldDeadlock};

/// Any error that a handler may return.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
