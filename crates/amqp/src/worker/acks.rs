//! [`Acks`]: the acknowledgements of one channel, written together.

mod dealt;

use std::{future::Future, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use lapin::{
    Channel,
    options::{BasicAckOptions, BasicNackOptions},
};
use tokio::sync::mpsc;

use self::dealt::Dealt;
use super::errands::{Errand, Errands};

/// The acknowledgements of one channel. Those that are due at the same time are written
/// together, and as few of them as say the same: one for all of a run of messages.
#[derive(Debug, Clone)]
pub(super) struct Acks {
    settled: mpsc::UnboundedSender<Settled>,
    errands: Errands,
}

/// One delivery that is dealt with. A drain waits until the broker is told.
#[derive(Debug)]
struct Settled {
    tag: u64,
    back: bool,
    _errand: Errand,
}

/// How many are written together at most.
const TOGETHER: usize = 1024;

/// How long an acknowledgement may take to be written.
const LIMIT: Duration = Duration::from_secs(10);

impl Acks {
    /// Starts to write what is due for a channel, until nobody has a message of it any more.
    pub(super) fn start(channel: Channel, errands: Errands) -> Self {
        let (settled, due) = mpsc::unbounded_channel();
        tokio::spawn(write(channel, due));
        Self { settled, errands }
    }

    /// Has a delivery acknowledged. On a channel that is gone this does nothing: the message
    /// comes again, and is found to be dealt with.
    pub(super) fn acknowledge(&self, tag: u64) {
        self.settle(tag, false);
    }

    /// Has a message given back to its queue.
    pub(super) fn put_back(&self, tag: u64) {
        self.settle(tag, true);
    }

    fn settle(&self, tag: u64, back: bool) {
        // The writer ends after the last of its senders.
        let _ = self.settled.send(Settled { tag, back, _errand: self.errands.begin() });
    }
}

async fn write(channel: Channel, mut due: mpsc::UnboundedReceiver<Settled>) {
    let mut dealt = Dealt::default();
    let mut batch = Vec::new();
    while due.recv_many(&mut batch, TOGETHER).await > 0 {
        // First, because an acknowledgement of all up to a later one would take them along.
        for settled in batch.iter().filter(|settled| settled.back) {
            let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
            in_time(channel.basic_nack(settled.tag, options)).await;
            dealt.put_back(settled.tag);
        }
        let tags = batch.iter().filter(|settled| !settled.back).map(|settled| settled.tag);
        let acks = dealt.acknowledge(tags).into_iter().map(|ack| {
            in_time(channel.basic_ack(ack.tag, BasicAckOptions { multiple: ack.all_up_to_it }))
        });
        // Written at once, and not one by one.
        acks.collect::<FuturesUnordered<_>>().collect::<()>().await;
        batch.clear();
    }
}

async fn in_time(sent: impl Future<Output = lapin::Result<()>>) {
    match tokio::time::timeout(LIMIT, sent).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a stale acknowledgement was dropped"),
        Err(_) => tracing::warn!("an acknowledgement was not written within {LIMIT:?}"),
    }
}
