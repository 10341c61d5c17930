//! [`BlockingStream`]: a stream on a loop, as an iterator on a thread.

use std::{
    future::{Future, poll_fn},
    num::NonZeroUsize,
    pin::pin,
    sync::Arc,
    task::Poll,
};

use async_channel::Receiver;
use futures_core::Stream;
use outwork_core::{TaskError, TaskErrorKind, TaskHandle, WaitError, blocking::block_on_for};
use tokio::sync::Semaphore;

use super::EventLoopPool;

/// The items of a stream that runs on a loop.
///
/// Dropping it drops the stream, on its own loop.
/// Carried to that loop it yields an error instead of blocking it, and ends.
#[derive(Debug)]
pub struct BlockingStream<T> {
    items: Receiver<T>,
    /// A permit for each item that may be made ahead.
    room: Arc<Semaphore>,
    /// Taken when the stream has ended.
    producer: Option<TaskHandle<()>>,
}

impl<T: Send + 'static> BlockingStream<T> {
    pub(super) fn start<M, S>(pool: &EventLoopPool, make: M, prefetch: NonZeroUsize) -> Self
    where
        M: FnOnce() -> S + Send + 'static,
        S: Stream<Item = T> + 'static,
    {
        let room = Arc::new(Semaphore::new(prefetch.get().min(Semaphore::MAX_PERMITS)));
        let (send, items) = async_channel::unbounded();
        let permits = Arc::clone(&room);
        let producer = pool.spawn_local(move || async move {
            let mut stream = pin!(make());
            // Nobody closes the semaphore.
            while let Ok(permit) = permits.acquire().await {
                permit.forget();
                let Some(item) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await else { break };
                if send.try_send(item).is_err() {
                    break;
                }
            }
        });
        Self { items, room, producer: Some(producer) }
    }

    /// Waits for an item, or for the producer's end: one that is given up at the deadline of a
    /// shutdown ends without letting go of its side of the channel.
    fn receive(&mut self) -> Result<Option<T>, WaitError> {
        let Some(producer) = &mut self.producer else { return Ok(None) };
        let mut item = pin!(self.items.recv());
        let mut ended = pin!(producer.ended());
        let next = poll_fn(|cx| match item.as_mut().poll(cx) {
            Poll::Ready(Ok(item)) => Poll::Ready(Some(item)),
            // What was sent before the end is there by now.
            Poll::Ready(Err(_)) | Poll::Pending => {
                ended.as_mut().poll(cx).map(|()| self.items.try_recv().ok())
            }
        });
        block_on_for(next, None)
    }

    /// What the stream ended with, told once.
    fn end(&mut self) -> Option<TaskError> {
        let mut producer = self.producer.take()?;
        match producer.wait() {
            Ok(outcome) => outcome.into_result().err(),
            Err(error) => Some(no_wait(&error)),
        }
    }
}

impl<T: Send + 'static> Iterator for BlockingStream<T> {
    type Item = Result<T, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.receive() {
            Ok(Some(item)) => {
                self.room.add_permits(1);
                Some(Ok(item))
            }
            Ok(None) => self.end().map(Err),
            Err(error) => {
                if let Some(producer) = self.producer.take() {
                    producer.cancel();
                }
                Some(Err(no_wait(&error)))
            }
        }
    }
}

fn no_wait(error: &WaitError) -> TaskError {
    TaskError::new(TaskErrorKind::Infrastructure, error.to_string())
}

impl<T> Drop for BlockingStream<T> {
    fn drop(&mut self) {
        if let Some(producer) = &self.producer {
            producer.cancel();
        }
    }
}
