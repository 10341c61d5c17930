//! [`Handler`]: the code behind a name, with its types erased.

use std::{fmt, sync::Arc};

use futures_core::future::BoxFuture;

use crate::{CommandSpec, Payload, TaskContext, TaskError};

/// The body of a synchronous task over encoded arguments.
pub type SyncBody = dyn Fn(&TaskContext, &Payload) -> Result<Payload, TaskError> + Send + Sync;

/// The body of an asynchronous task over encoded arguments.
pub type AsyncBody =
    dyn Fn(TaskContext, Payload) -> BoxFuture<'static, Result<Payload, TaskError>> + Send + Sync;

/// What makes a command of encoded arguments.
pub type CommandBody =
    dyn Fn(&TaskContext, &Payload) -> Result<CommandSpec, TaskError> + Send + Sync;

/// The code behind a name. Its kind decides where it may run and how it can be stopped.
#[derive(Clone)]
#[non_exhaustive]
pub enum Handler {
    /// A function that may block. It runs on a thread, never on an event loop.
    Sync(Arc<SyncBody>),
    /// A future. It runs to its end wherever it is started.
    Async(Arc<AsyncBody>),
    /// A program to execute.
    Command(Arc<CommandBody>),
}

impl Handler {
    /// The kind of body.
    #[must_use]
    pub const fn kind(&self) -> BodyKind {
        match self {
            Self::Sync(_) => BodyKind::Sync,
            Self::Async(_) => BodyKind::Async,
            Self::Command(_) => BodyKind::Command,
        }
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handler({})", self.kind())
    }
}

/// The kinds of body that a handler can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BodyKind {
    /// A function that may block.
    Sync,
    /// A future.
    Async,
    /// A program.
    Command,
}

impl fmt::Display for BodyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sync => "sync",
            Self::Async => "async",
            Self::Command => "command",
        })
    }
}
