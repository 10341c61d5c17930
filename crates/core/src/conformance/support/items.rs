//! [`Items`]: the items of a stream, each waited for with a deadline.

use std::{future::poll_fn, pin::Pin, time::Duration};

use futures_core::Stream;

use super::{Held, Stop};
use crate::blocking::block_on_for;

/// The items of a stream, each waited for with a deadline.
#[derive(Debug)]
pub(crate) struct Items<S> {
    stream: Pin<Box<S>>,
    patience: Duration,
}

impl<S: Stream> Items<S> {
    pub(crate) fn new(stream: S, patience: Duration) -> Self {
        Self { stream: Box::pin(stream), patience }
    }

    /// The next item; `None` when the stream has ended.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Held<Option<S::Item>> {
        let next = poll_fn(|cx| self.stream.as_mut().poll_next(cx));
        match block_on_for(next, Some(self.patience)) {
            Ok(item) => Ok(item),
            Err(error) => Err(Stop::broken(format!("no item and no end: {error}"))),
        }
    }

    /// All items that are left.
    #[track_caller]
    pub(crate) fn all(mut self) -> Held<Vec<S::Item>> {
        let mut items = Vec::new();
        while let Some(item) = self.next()? {
            items.push(item);
        }
        Ok(items)
    }
}
