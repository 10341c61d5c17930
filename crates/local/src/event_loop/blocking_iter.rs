//! [`BlockingStream`]: a stream on a loop, as an iterator on a thread.

use std::{future::poll_fn, num::NonZeroUsize, pin::pin};

use async_channel::Receiver;
use futures_core::Stream;
use outwork_core::{TaskError, TaskErrorKind, TaskHandle, blocking::block_on};

use super::EventLoopPool;

/// The items of a stream that runs on a loop.
///
/// Dropping it drops the stream, on its own loop.
#[derive(Debug)]
pub struct BlockingStream<T> {
    items: Receiver<T>,
    producer: Option<TaskHandle<()>>,
}

impl<T: Send + 'static> BlockingStream<T> {
    pub(super) fn start<M, S>(pool: &EventLoopPool, make: M, prefetch: NonZeroUsize) -> Self
    where
        M: FnOnce() -> S + Send + 'static,
        S: Stream<Item = T> + 'static,
    {
        let (send, items) = async_channel::bounded(prefetch.get());
        let producer = pool.spawn_local(move || async move {
            let mut stream = pin!(make());
            while let Some(item) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
                if send.send(item).await.is_err() {
                    break;
                }
            }
        });
        Self { items, producer: Some(producer) }
    }

    /// What the stream ended with, told once.
    fn end(&mut self) -> Option<TaskError> {
        let mut producer = self.producer.take()?;
        match producer.wait() {
            Ok(outcome) => outcome.into_result().err(),
            Err(error) => Some(TaskError::new(TaskErrorKind::Infrastructure, error.to_string())),
        }
    }
}

impl<T: Send + 'static> Iterator for BlockingStream<T> {
    type Item = Result<T, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        match block_on(self.items.recv()) {
            Ok(item) => Some(Ok(item)),
            Err(_ended) => self.end().map(Err),
        }
    }
}

impl<T> Drop for BlockingStream<T> {
    fn drop(&mut self) {
        if let Some(producer) = &self.producer {
            producer.cancel();
        }
    }
}
