//! [`Feed`]: input that is read by a thread of its own.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    thread,
};

use async_channel::Receiver;
use futures_util::Stream;

/// Items that a thread of its own reads ahead, a few at a time.
///
/// The loop that runs the tasks never waits for a person or a slow pipe.
/// The thread ends with the input, or with the process.
pub(crate) struct Feed<T> {
    items: Pin<Box<Receiver<T>>>,
}

impl<T: Send + 'static> Feed<T> {
    /// Starts to read, at most `ahead` items before they are asked for.
    pub(crate) fn start(
        items: impl Iterator<Item = T> + Send + 'static,
        ahead: usize,
    ) -> io::Result<Self> {
        let (sender, receiver) = async_channel::bounded(ahead);
        let read = move || {
            for item in items {
                if sender.send_blocking(item).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("outwork-input".to_owned()).spawn(read)?;
        Ok(Self { items: Box::pin(receiver) })
    }

    /// The next item, `None` when there are no more.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        // Without this look every item would pay for a listener.
        if let Ok(item) = self.items.try_recv() {
            return Poll::Ready(Some(item));
        }
        Poll::Ready(ready!(self.items.as_mut().poll_next(cx)))
    }
}
