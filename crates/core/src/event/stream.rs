//! [`EventStream`]: the reading side.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_channel::Receiver;
use futures_core::Stream;

use super::TaskEvent;
use crate::{
    blocking::{block_on, block_on_for},
    sync::{
        atomic::{AtomicU64, Ordering},
        thread::{self, JoinHandle},
    },
};

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

    /// What was lost since this was last asked.
    fn lagged(&self) -> Option<Lagged> {
        let missed = self.missed.swap(0, Ordering::Relaxed);
        (missed > 0).then_some(Lagged(missed))
    }

    /// What the reader is told of what came out of the channel.
    ///
    /// An event that is pushed out is counted only when the one that pushed it is in. At the end
    /// some may therefore have been counted since the reader was last told.
    fn told(&self, event: Option<TaskEvent>) -> Option<Result<TaskEvent, Lagged>> {
        event.map(Ok).or_else(|| self.lagged().map(Err))
    }

    /// Waits for the next event; `None` when the executor has stopped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<Result<TaskEvent, Lagged>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The next event, if it was told already; `None` also when the executor has stopped.
    pub fn try_next(&mut self) -> Option<Result<TaskEvent, Lagged>> {
        match self.lagged() {
            Some(lagged) => Some(Err(lagged)),
            None => self.events.try_recv().ok().map(Ok),
        }
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
        if let Some(lagged) = self.lagged() {
            return Poll::Ready(Some(Err(lagged)));
        }
        self.events.as_mut().poll_next(cx).map(|event| self.told(event))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The stream ended without a word of the last events that were lost.
    #[test]
    fn what_was_lost_while_the_reader_came_to_the_end_is_told_before_it() {
        let (_hub, events) = async_channel::bounded(1);
        let missed = Arc::new(AtomicU64::new(0));
        let stream = EventStream::new(events, Arc::clone(&missed));
        missed.fetch_add(2, Ordering::Relaxed);
        assert_eq!(stream.told(None).unwrap().unwrap_err(), Lagged(2));
        assert!(stream.told(None).is_none());
    }
}
