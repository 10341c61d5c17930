//! [`EventStream`]: the reading side.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    thread::{self, JoinHandle},
    time::Duration,
};

use async_channel::Receiver;
use futures_core::Stream;

use super::TaskEvent;
use crate::blocking::{block_on, block_on_for};

/// The events of an executor, as they happen.
///
/// The stream is bounded: a reader that is too slow loses the oldest events and is told
/// how many. It ends when the executor has stopped.
#[derive(Debug)]
pub struct EventStream {
    events: Pin<Box<Receiver<TaskEvent>>>,
    missed: Arc<AtomicU64>,
}

/// The reader was too slow, and this many events are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} events were lost because they were not read in time")]
pub struct Lagged(pub u64);

impl EventStream {
    pub(super) fn new(events: Receiver<TaskEvent>, missed: Arc<AtomicU64>) -> Self {
        Self { events: Box::pin(events), missed }
    }

    /// Waits for the next event; `None` when the executor has stopped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<Result<TaskEvent, Lagged>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Blocks for the next event; `None` when the time is up or the executor has stopped.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<Result<TaskEvent, Lagged>> {
        block_on_for(self.next(), Some(timeout)).ok().flatten()
    }

    /// Calls a function for each event on a thread of its own, until the executor has stopped.
    ///
    /// A call that panics is logged and counted, and the next event comes all the same.
    ///
    /// # Errors
    ///
    /// When the system refuses the thread.
    pub fn listen(
        mut self,
        name: &str,
        mut call: impl FnMut(Result<TaskEvent, Lagged>) + Send + 'static,
    ) -> std::io::Result<Listener> {
        let panics = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&panics);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some(event) = block_on(self.next()) {
                if catch_unwind(AssertUnwindSafe(|| call(event))).is_err() {
                    count.fetch_add(1, Ordering::Relaxed);
                    tracing::error!("a listener panicked; it is called again for the next event");
                }
            }
        })?;
        Ok(Listener { thread, panics })
    }
}

impl Stream for EventStream {
    type Item = Result<TaskEvent, Lagged>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.missed.swap(0, Ordering::Relaxed) {
            0 => self.events.as_mut().poll_next(cx).map(|event| event.map(Ok)),
            missed => Poll::Ready(Some(Err(Lagged(missed)))),
        }
    }
}

/// A thread that calls a function for each event.
#[derive(Debug)]
pub struct Listener {
    thread: JoinHandle<()>,
    panics: Arc<AtomicU64>,
}

impl Listener {
    /// How often the function panicked.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Waits until the executor has stopped and every event was told.
    pub fn join(self) {
        // The thread contains the panics of its function.
        let _ = self.thread.join();
    }
}
