//! [`Token`]: the right to acknowledge.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use super::acks::Acks;
use crate::connection::Epoch;

/// The right to acknowledge a delivery for one of its tasks. It knows the channel that this came
/// over, so that after a lost connection it can never acknowledge another message.
///
/// A token that is dropped leaves the delivery as it is: the broker gives it to another worker
/// when this one is gone.
#[derive(Debug)]
pub(super) struct Token(Arc<Delivered>);

/// A delivery that is dealt with once all of its tasks are.
#[derive(Debug)]
struct Delivered {
    acks: Acks,
    /// The connection of its channel, which is the only one of its queue there.
    epoch: Epoch,
    tag: u64,
    tasks_left: AtomicUsize,
    /// One of them is to come again.
    goes_back: AtomicBool,
}

impl Token {
    /// Tokens for the tasks of one delivery.
    pub(super) fn of(
        acks: Acks,
        epoch: Epoch,
        tag: u64,
        tasks: usize,
    ) -> impl Iterator<Item = Self> {
        let delivered = Delivered {
            acks,
            epoch,
            tag,
            tasks_left: AtomicUsize::new(tasks),
            goes_back: AtomicBool::new(false),
        };
        std::iter::repeat_n(Arc::new(delivered), tasks).map(Self)
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.0.epoch
    }

    /// Acknowledges the delivery, if this was the last of its tasks. On a channel that is gone
    /// this does nothing: the message comes again, and is found to be dealt with.
    pub(super) fn acknowledge(self) {
        if self.0.tasks_left.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        match self.0.goes_back.load(Ordering::Acquire) {
            true => self.0.acks.put_back(self.0.tag),
            false => self.0.acks.acknowledge(self.0.tag),
        }
    }

    /// Gives the message back to its queue, once its other tasks are dealt with.
    pub(super) fn put_back(self) {
        self.0.goes_back.store(true, Ordering::Release);
        self.acknowledge();
    }
}
