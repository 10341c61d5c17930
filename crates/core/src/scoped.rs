//! [`ScopedExecutor`]: an executor that is shut down when its scope is left.

use std::{ops::Deref, sync::Arc, time::Duration};

use crate::{Executor, Shutdown, ShutdownReport, WaitError, blocking::block_on_for};

/// What an executor may take beyond the deadline of its shutdown before a drop stops waiting.
const SLACK: Duration = Duration::from_secs(1);

/// An executor that is shut down when its scope is left: by its end, by `?`, or by a panic.
///
/// Everything that the executor has is reached through it. Others may hold the same executor;
/// they find it shut down once the scope is left.
///
/// Async code says [`close`](Self::close) at the end of the scope, because a drop can only
/// block: it waits for the shutdown, whose deadline bounds the wait, give or take a second.
/// Where it would wait for itself, as in a task of the executor, a drop begins the shutdown
/// and does not wait.
///
/// ```
/// use std::time::Duration;
///
/// use outwork_core::{CallError, Executor, ExecutorExt, Shutdown, TaskDef};
///
/// const DOUBLE: TaskDef<u64, u64> = TaskDef::new("demo.double");
///
/// async fn four(pool: impl Executor) -> Result<u64, CallError> {
///     let pool = pool.scoped(Shutdown::drain(Duration::from_secs(5)));
///     let four = pool.call(DOUBLE, &2).await?;
///     pool.close().await;
///     Ok(four)
/// }
/// ```
#[derive(Debug)]
#[must_use = "an executor whose scope is left at once is shut down at once"]
pub struct ScopedExecutor<E: Executor + ?Sized = dyn Executor> {
    executor: Arc<E>,
    how: Shutdown,
    /// Nobody has shut it down through this scope yet.
    open: bool,
}

impl<E: Executor + ?Sized> ScopedExecutor<E> {
    /// Shuts that executor down, in this way, when the scope is left.
    pub const fn new(executor: Arc<E>, how: Shutdown) -> Self {
        Self { executor, how, open: true }
    }

    /// The executor, to be held by others as well.
    #[must_use]
    pub const fn shared(&self) -> &Arc<E> {
        &self.executor
    }

    /// Shuts the executor down and waits for it without blocking the thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it was polled leaves the scope as any other drop does;
    /// afterwards the shutdown goes on by itself.
    pub async fn close(mut self) -> ShutdownReport {
        self.open = false;
        self.executor.shutdown(self.how).await
    }

    /// Shuts the executor down and blocks until it has stopped, unless that is a wait for
    /// oneself.
    ///
    /// # Errors
    ///
    /// When blocking here is refused, or the executor takes longer than its deadline and a
    /// second; it shuts down all the same.
    pub fn blocking_close(mut self) -> Result<ShutdownReport, WaitError> {
        self.shut_down()
    }

    fn shut_down(&mut self) -> Result<ShutdownReport, WaitError> {
        self.open = false;
        // A shutdown goes on by itself once it was polled, which is before anything can refuse
        // to wait for it.
        let longest = self.how.deadline().saturating_add(SLACK);
        block_on_for(self.executor.shutdown(self.how), Some(longest))
    }
}

impl<E: Executor + ?Sized> Deref for ScopedExecutor<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.executor
    }
}

impl<E: Executor + ?Sized> Drop for ScopedExecutor<E> {
    fn drop(&mut self) {
        if self.open
            && let Err(error) = self.shut_down()
        {
            tracing::warn!(%error, "the end of a scope does not wait for its executor to stop");
        }
    }
}
