//! [`Closure`]: a function without a name, as the pool's threads see it.

use std::sync::Arc;

use outwork_core::{EventHub, engine::contain};

use crate::anonymous::Anonymous;

/// A function without a name. Once it runs, only its end stops it.
pub(super) type Closure<F, T> = Anonymous<F, T, ()>;

/// A closure in the queue, with its types forgotten.
pub(super) trait QueuedClosure: Send + Sync {
    /// Runs the function, unless it was cancelled, and calls `free` before its end is visible.
    fn run(&self, here: Here<'_>, free: &mut dyn FnMut());
    /// Ends it without running it, when it has left the queue.
    fn cancel_queued(&self, pool: &EventHub);
    /// Ends it although it runs.
    fn lose(&self, pool: &EventHub);
}

/// Where a closure runs.
#[derive(Clone, Copy)]
pub(super) struct Here<'a> {
    pub(super) worker: &'a Arc<str>,
    pub(super) hub: &'a EventHub,
}

impl<F, T> QueuedClosure for Closure<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    fn run(&self, here: Here<'_>, free: &mut dyn FnMut()) {
        let Some(run) = self.begin(here.hub, || Arc::clone(here.worker)) else {
            return Anonymous::cancel_queued(self, here.hub);
        };
        let result = contain(run);
        free();
        self.end(here.hub, result);
    }

    fn cancel_queued(&self, pool: &EventHub) {
        Anonymous::cancel_queued(self, pool);
    }

    fn lose(&self, pool: &EventHub) {
        Anonymous::lose(self, pool);
    }
}
