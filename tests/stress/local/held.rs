//! [`Held`]: a handle that somebody has, and [`Product`]: what closures return.

use std::time::Duration;

use outwork_core::{
    Cancel, EventStream, Outcome, State, TaskErrorKind, TaskHandle, TaskId, WaitError,
};

use crate::panics::panic_on_purpose;

/// What a closure returns. A bomb panics when it is dropped by anybody who does not defuse it,
/// as an executor does with the result of a handle that nobody kept.
pub(super) struct Product {
    job: usize,
    is_bomb: bool,
}

impl Product {
    pub(super) const fn new(job: usize, is_bomb: bool) -> Self {
        Self { job, is_bomb }
    }

    fn defuse(mut self) -> usize {
        self.is_bomb = false;
        self.job
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        if self.is_bomb && !std::thread::panicking() {
            panic_on_purpose();
        }
    }
}

/// A handle that somebody has.
pub(super) enum Held {
    Task(TaskHandle<usize>),
    Closure(TaskHandle<Product>),
}

/// How a job ended, as its handle tells.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ending {
    pub(super) state: State,
    pub(super) error: Option<TaskErrorKind>,
    pub(super) attempts: u32,
    /// What it returned.
    pub(super) value: Option<usize>,
}

impl Ending {
    fn of<T>(outcome: Outcome<T>, value: impl FnOnce(T) -> usize) -> Self {
        Self {
            state: outcome.state(),
            error: outcome.error().map(|error| error.kind().clone()),
            attempts: outcome.attempts(),
            value: outcome.into_result().ok().map(value),
        }
    }
}

impl Held {
    pub(super) fn id(&self) -> TaskId {
        match self {
            Self::Task(handle) => handle.task_id(),
            Self::Closure(handle) => handle.task_id(),
        }
    }

    pub(super) fn state(&self) -> State {
        match self {
            Self::Task(handle) => handle.state(),
            Self::Closure(handle) => handle.state(),
        }
    }

    pub(super) fn cancel(&self) -> Cancel {
        match self {
            Self::Task(handle) => handle.cancel(),
            Self::Closure(handle) => handle.cancel(),
        }
    }

    pub(super) fn events(&self) -> EventStream {
        match self {
            Self::Task(handle) => handle.events(),
            Self::Closure(handle) => handle.events(),
        }
    }

    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> Result<Ending, WaitError> {
        fn end<T>(
            handle: &mut TaskHandle<T>,
            timeout: Option<Duration>,
        ) -> Result<Outcome<T>, WaitError> {
            match timeout {
                Some(timeout) => handle.wait_timeout(timeout),
                None => handle.wait(),
            }
        }
        Ok(match self {
            Self::Task(handle) => Ending::of(end(handle, timeout)?, |job| job),
            Self::Closure(handle) => Ending::of(end(handle, timeout)?, Product::defuse),
        })
    }

    pub(super) async fn end(&mut self) -> Ending {
        match self {
            Self::Task(handle) => Ending::of(handle.await, |job| job),
            Self::Closure(handle) => Ending::of(handle.await, Product::defuse),
        }
    }
}
