//! The side that works.

use std::{collections::BTreeSet, io, thread};

use anyhow::Context;
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use lapin::{
    BasicProperties, Channel,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::sync::oneshot;

use super::{PREFETCH, confirming, connect, publish};
use crate::companion;

/// Answers tasks until this process is let go of.
pub(super) async fn work(url: &str, queue: &str) -> anyhow::Result<()> {
    let publishing = confirming(url).await?;
    let consuming = connect(url).await?.create_channel().await?;
    consuming.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut tasks = consuming.basic_consume(queue.into(), "worker".into(), options, none).await?;

    let mut let_go = let_go()?;
    let mut answers = FuturesUnordered::new();
    let mut done = Done::default();
    let mut acks = FuturesUnordered::new();
    loop {
        tokio::select! {
            task = tasks.next() => answers.push(answer(&publishing, task.context("the queue is gone")??)),
            Some(tag) = answers.next() => {
                done.note(tag?);
                while let Some(Some(tag)) = answers.next().now_or_never() {
                    done.note(tag?);
                }
            }
            Some(written) = acks.next() => written?,
            end = &mut let_go => return end?,
        }
        if acks.is_empty()
            && let Some(tag) = done.take_last()
        {
            acks.push(consuming.basic_ack(tag, BasicAckOptions { multiple: true }));
        }
    }
}

/// Says that it works; resolves when this process is let go of.
fn let_go() -> io::Result<oneshot::Receiver<anyhow::Result<()>>> {
    let (tell, told) = oneshot::channel();
    thread::Builder::new().name("bench-end".to_owned()).spawn(move || {
        // Nobody listens when the work has failed before.
        let _ = tell.send(companion::work_until_let_go());
    })?;
    Ok(told)
}

/// Sends back what came; the number of the task once the broker has its result.
async fn answer(channel: &Channel, task: Delivery) -> anyhow::Result<u64> {
    let Delivery { delivery_tag, properties, data, .. } = task;
    let reply_to =
        properties.reply_to().clone().context("a task without a place for its result")?;
    let id = properties.correlation_id().clone().context("a task without an id")?;
    let properties = BasicProperties::default().with_correlation_id(id);
    publish(channel, reply_to, properties, &data).await?;
    Ok(delivery_tag)
}

/// The tasks that are done, to acknowledge together those that lie in a row.
#[derive(Debug, Default)]
struct Done {
    /// All up to this one are done.
    last: u64,
    acknowledged: u64,
    ahead: BTreeSet<u64>,
}

impl Done {
    fn note(&mut self, tag: u64) {
        self.ahead.insert(tag);
        while self.ahead.remove(&(self.last + 1)) {
            self.last += 1;
        }
    }

    /// The last of a row that is done and not acknowledged.
    fn take_last(&mut self) -> Option<u64> {
        (self.acknowledged < self.last).then(|| {
            self.acknowledged = self.last;
            self.last
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tasks_in_a_row_are_acknowledged() {
        let mut done = Done::default();
        assert_eq!(done.take_last(), None);
        for tag in [2, 1, 4] {
            done.note(tag);
        }
        assert_eq!(done.take_last(), Some(2));
        assert_eq!(done.take_last(), None);
        done.note(3);
        assert_eq!(done.take_last(), Some(4));
    }
}
