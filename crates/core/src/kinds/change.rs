//! [`KindChanges`]: news of the kinds that a table knows.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use async_channel::{Receiver, Sender};
use futures_core::Stream;

use crate::blocking::block_on_for;

/// A kind of executor came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KindChange {
    /// The kind of that alias was added.
    Added(String),
    /// The kind of that alias was taken out.
    Removed(String),
}

/// The changes of an [`ExecutorKinds`](crate::ExecutorKinds), in order, from when they were
/// asked for until the table is dropped.
#[derive(Debug)]
pub struct KindChanges {
    changes: Pin<Box<Receiver<KindChange>>>,
}

impl KindChanges {
    /// Waits for the next change; `None` when the table is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no change.
    pub async fn next(&mut self) -> Option<KindChange> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Blocks for the next change; `None` when the time is up or the table is gone.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<KindChange> {
        block_on_for(self.next(), Some(timeout)).ok().flatten()
    }
}

impl Stream for KindChanges {
    type Item = KindChange;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<KindChange>> {
        self.changes.as_mut().poll_next(cx)
    }
}

/// Those who want to know. A copy of a table has readers of its own.
#[derive(Debug, Default)]
pub(super) struct Readers(Vec<Sender<KindChange>>);

impl Clone for Readers {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Readers {
    /// Kinds are few and change seldom, so that nothing needs to be lost to a slow reader.
    pub(super) fn join(&mut self) -> KindChanges {
        let (sender, changes) = async_channel::unbounded();
        self.0.push(sender);
        KindChanges { changes: Box::pin(changes) }
    }

    /// Those who left are forgotten.
    pub(super) fn tell(&mut self, change: &KindChange) {
        self.0.retain(|reader| reader.try_send(change.clone()).is_ok());
    }
}
