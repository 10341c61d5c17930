//! The side that asks.

use std::{cell::RefCell, convert::Infallible};

use anyhow::Context;
use futures_util::{FutureExt, StreamExt};
use lapin::{
    BasicProperties, Channel, Consumer,
    message::Delivery,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions,
        QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable, LongString, ShortString},
};
use slab::Slab;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{PREFETCH, confirming, connect, publish};

/// When the broker removes a queue of replies that nobody reads, in ms.
const EXPIRY: i64 = 600_000;

/// Publishes tasks on one connection and reads their results on another.
pub(super) struct Client {
    publishing: Channel,
    reading: Channel,
    queue: ShortString,
    replies: ShortString,
    waiting: RefCell<Slab<oneshot::Sender<Vec<u8>>>>,
}

impl Client {
    /// Connects twice and declares queues of its own.
    pub(super) async fn connect(url: &str) -> lapin::Result<(Self, Consumer)> {
        let publishing = confirming(url).await?;
        let reading = connect(url).await?.create_channel().await?;
        // The names are new for each client: nothing of an earlier run is in the way.
        let id = Uuid::new_v4();
        let queue = ShortString::from(format!("outwork-bench.bare.tasks.{id}"));
        let replies = ShortString::from(format!("outwork-bench.bare.replies.{id}"));
        let mut quorum = FieldTable::default();
        quorum.insert("x-queue-type".into(), AMQPValue::LongString(LongString::from("quorum")));
        reading.queue_declare(queue.clone(), QueueDeclareOptions::durable(), quorum).await?;
        let mut expiring = FieldTable::default();
        expiring.insert("x-expires".into(), AMQPValue::LongLongInt(EXPIRY));
        reading.queue_declare(replies.clone(), QueueDeclareOptions::durable(), expiring).await?;

        reading.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let consumer = reading
            .basic_consume(replies.clone(), "replies".into(), options, FieldTable::default())
            .await?;
        let waiting = RefCell::default();
        Ok((Self { publishing, reading, queue, replies, waiting }, consumer))
    }

    pub(super) const fn queue(&self) -> &ShortString {
        &self.queue
    }

    /// Has the broker take a task, and waits for its result.
    pub(super) async fn call(&self, body: &[u8]) -> anyhow::Result<Vec<u8>> {
        let (tell, answer) = oneshot::channel();
        let key = self.waiting.borrow_mut().insert(tell);
        let properties = BasicProperties::default()
            .with_correlation_id(key.to_string().into())
            .with_reply_to(self.replies.clone());
        publish(&self.publishing, self.queue.clone(), properties, body).await?;
        Ok(answer.await?)
    }

    /// Reads replies until something is wrong, and acknowledges together all that are there.
    pub(super) async fn read(&self, mut replies: Consumer) -> anyhow::Result<Infallible> {
        let gone = "the queue of replies is gone";
        loop {
            let mut last = self.answer(replies.next().await.context(gone)??)?;
            while let Some(reply) = replies.next().now_or_never() {
                last = self.answer(reply.context(gone)??)?;
            }
            self.reading.basic_ack(last, BasicAckOptions { multiple: true }).await?;
        }
    }

    /// Hands a reply to the one who waits for it; its number for the acknowledgement.
    fn answer(&self, reply: Delivery) -> anyhow::Result<u64> {
        let id = reply.properties.correlation_id().as_ref().context("a reply to nothing")?;
        let asked = self.waiting.borrow_mut().try_remove(id.as_str().parse()?);
        // Who has asked waits.
        let _ = asked.context("a reply that nobody waits for")?.send(reply.data);
        Ok(reply.delivery_tag)
    }

    /// Takes its queues away. The connections close with it.
    pub(super) async fn close(self) -> lapin::Result<()> {
        for queue in [self.queue, self.replies] {
            self.reading.queue_delete(queue, QueueDeleteOptions::default()).await?;
        }
        Ok(())
    }
}
