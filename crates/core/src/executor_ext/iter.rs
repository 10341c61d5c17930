//! [`BlockingIter`]: a stream as an iterator.

use std::{future::poll_fn, pin::Pin};

use futures_core::Stream;

use crate::blocking::block_on;

/// A stream as an iterator that blocks for each item. Dropping it drops the stream.
#[derive(Debug)]
pub struct BlockingIter<S> {
    stream: Pin<Box<S>>,
}

impl<S: Stream> BlockingIter<S> {
    /// Wraps a stream that needs no runtime of its own.
    pub fn new(stream: S) -> Self {
        Self { stream: Box::pin(stream) }
    }
}

impl<S: Stream> Iterator for BlockingIter<S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        block_on(poll_fn(|cx| self.stream.as_mut().poll_next(cx)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}
