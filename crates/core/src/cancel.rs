//! [`CancelSource`] and [`Cancelled`]: the wish that a body stops, to poll and to await.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use serde::{Deserialize, Serialize};

use crate::{
    sync::atomic::{AtomicU8, Ordering},
    waiters::{WaitKey, Waiters},
};

/// What came of asking a task to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cancel {
    /// No such task is alive here: unknown, or ended already.
    NotFound,
    /// This executor has no way to stop it.
    Unsupported,
    /// It was asked to stop; its handle resolves when it has.
    Requested,
    /// It has stopped, or will never start.
    Confirmed,
}

/// How strongly a body is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopLevel {
    /// It may go on.
    None = 0,
    /// It should stop by itself: the body sees the wish, a command gets SIGTERM.
    Requested = 1,
    /// It is made to stop: an async body is dropped, a command gets SIGKILL.
    Forced = 2,
}

/// The wish that one attempt's body stops. The level only ever rises.
#[derive(Debug, Default)]
pub struct CancelSource {
    level: AtomicU8,
    waiters: Waiters,
}

impl CancelSource {
    /// A source that nobody has raised.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How strongly the body is asked to stop.
    #[must_use]
    pub fn level(&self) -> StopLevel {
        match self.level.load(Ordering::Acquire) {
            0 => StopLevel::None,
            1 => StopLevel::Requested,
            _ => StopLevel::Forced,
        }
    }

    /// Raises the level and wakes who waits for it; a level that is reached already stays.
    pub fn raise(&self, level: StopLevel) {
        if self.level.fetch_max(level as u8, Ordering::AcqRel) < level as u8 {
            self.waiters.wake_all();
        }
    }

    /// Resolves once the level is reached.
    pub fn reached(self: &Arc<Self>, level: StopLevel) -> Cancelled {
        Cancelled { source: Arc::clone(self), level, key: WaitKey::default() }
    }

    /// Polls for a level without owning the source.
    ///
    /// The level is looked at again after the waker is in place, so that a raise in between,
    /// which may have found nobody to wake, is not missed.
    pub fn poll_level(&self, level: StopLevel, cx: &Context<'_>, key: &mut WaitKey) -> Poll<()> {
        if self.level() >= level {
            return Poll::Ready(());
        }
        self.waiters.register(key, cx.waker());
        if self.level() >= level { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Takes back a registration of [`poll_level`](Self::poll_level).
    pub fn forget(&self, key: &mut WaitKey) {
        self.waiters.forget(key);
    }
}

/// Resolves when an attempt is asked to stop.
///
/// # Cancel safety
///
/// Dropping it changes nothing.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Cancelled {
    source: Arc<CancelSource>,
    level: StopLevel,
    key: WaitKey,
}

impl Future for Cancelled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.source.poll_level(this.level, cx, &mut this.key)
    }
}

impl Drop for Cancelled {
    fn drop(&mut self) {
        self.source.forget(&mut self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking::block_on;

    #[test]
    fn a_level_that_was_reached_before_the_wait_ends_it_at_once() {
        let source = Arc::new(CancelSource::new());
        source.raise(StopLevel::Forced);
        block_on(source.reached(StopLevel::Requested));
    }

    #[test]
    fn the_level_never_falls() {
        let source = CancelSource::new();
        source.raise(StopLevel::Forced);
        source.raise(StopLevel::Requested);
        assert_eq!(source.level(), StopLevel::Forced);
    }

    #[test]
    fn a_waiter_on_another_thread_is_woken() {
        let source = Arc::new(CancelSource::new());
        std::thread::scope(|scope| {
            scope.spawn(|| block_on(source.reached(StopLevel::Requested)));
            source.raise(StopLevel::Requested);
        });
    }
}
