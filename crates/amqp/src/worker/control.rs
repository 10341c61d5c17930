//! Reading the stream of control: what is cancelled.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, Consumer,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use outwork_core::{State, TaskId};

use super::{desk::Desk, hand::Held, job_records::record_of, tombstones::MEMORY};
use crate::{
    connection::open_channel,
    publisher::Outgoing,
    wire::{CancelAck, Control, InHand, Ping, Pong, StatusQuestion, Tombstone, headers_of, now},
};

/// How long reading what is in the stream may take.
const REPLAY: Duration = Duration::from_secs(120);

/// How many records may be on their way.
const PREFETCH: u16 = 1000;

/// How long asking for more may take to be written.
const ACK: Duration = Duration::from_secs(10);

/// One reader of the stream, on one connection.
#[derive(Debug)]
pub(super) struct ControlReader {
    channel: Channel,
    consumer: Consumer,
}

/// Where to go on reading.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place(Option<i64>);

impl ControlReader {
    /// Begins to read: where it was left, or with the oldest record that can still matter.
    pub(super) async fn open(
        desk: &Desk,
        connection: &Connection,
        place: Place,
    ) -> Result<Self, String> {
        let channel = open_channel(&desk.options, connection).await.map_err(|e| e.to_string())?;
        let offset = match place.0 {
            Some(offset) => AMQPValue::LongLongInt(offset + 1),
            None => {
                let oldest = u64::try_from((now() - MEMORY) / 1000).unwrap_or_default();
                AMQPValue::Timestamp(oldest)
            }
        };
        let mut arguments = FieldTable::default();
        arguments.insert(ShortString::from("x-stream-offset"), offset);
        let opened = async {
            channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
            let stream = desk.options.names().control_stream();
            let tag = ShortString::from("control");
            channel.basic_consume(stream, tag, BasicConsumeOptions::default(), arguments).await
        };
        let consumer = tokio::time::timeout(desk.options.limit(), opened)
            .await
            .map_err(|_| "no answer when the stream of control was to be read".to_owned())?
            .map_err(|error| format!("the stream of control cannot be read: {error}"))?;
        Ok(Self { channel, consumer })
    }

    /// Reads up to a mark of one's own: then everything is known that was cancelled before.
    pub(super) async fn replay(
        &mut self,
        desk: &Arc<Desk>,
        place: &mut Place,
    ) -> Result<(), String> {
        let reader = format!("{}/{}", desk.sender.instance, TaskId::new());
        let mark = Control::Mark { reader: reader.clone() };
        publish(desk, &mark).await?;
        let reading = async {
            loop {
                let record = self.next(place).await?;
                match record {
                    Some(Control::Mark { reader: found }) if found == reader => return Ok(()),
                    Some(Control::Cancel(tombstone)) => obey(desk, tombstone).await,
                    // Who asked before this worker was there has gone, or asks again.
                    Some(Control::Mark { .. } | Control::Ping(_) | Control::Status(_)) | None => {}
                }
            }
        };
        tokio::time::timeout(REPLAY, reading)
            .await
            .map_err(|_| format!("the stream of control was not read within {REPLAY:?}"))?
    }

    /// Reads on until the channel is lost, and answers.
    pub(super) async fn follow(&mut self, desk: &Arc<Desk>, place: &mut Place) -> String {
        loop {
            match self.next(place).await {
                Ok(Some(Control::Cancel(tombstone))) => obey(desk, tombstone).await,
                Ok(Some(Control::Ping(ping))) => pong(desk, &ping).await,
                Ok(Some(Control::Status(question))) => tell_state(desk, &question).await,
                Ok(Some(Control::Mark { .. }) | None) => {}
                Err(why) => return why,
            }
        }
    }

    /// The next record; `None` when it does not read, as one of a later version.
    async fn next(&mut self, place: &mut Place) -> Result<Option<Control>, String> {
        let delivery = match self.consumer.next().await {
            Some(Ok(delivery)) => delivery,
            Some(Err(error)) => return Err(format!("the stream of control was lost: {error}")),
            None => return Err("the stream of control has ended".to_owned()),
        };
        let Delivery { delivery_tag, properties, data, .. } = delivery;
        // Only gives credit for more: nothing is removed from a stream.
        let ack = self.channel.basic_ack(delivery_tag, BasicAckOptions::default());
        tokio::time::timeout(ACK, ack)
            .await
            .map_err(|_| format!("the stream of control: nothing can be written for {ACK:?}"))?
            .map_err(|error| error.to_string())?;
        place.0 = headers_of(&properties).int("x-stream-offset").or(place.0);
        Ok(Control::read(&properties, &data)
            .inspect_err(|error| tracing::debug!(%error, "a record of control does not read"))
            .ok())
    }
}

/// Does what a tombstone says, and waits until that is done. It is done to its end also when
/// the connection is lost on which it came: it is not read again.
async fn obey(desk: &Arc<Desk>, tombstone: Tombstone) {
    let desk = Arc::clone(desk);
    let obeyed = tokio::spawn(async move { obey_to_the_end(&desk, tombstone).await });
    if let Err(error) = obeyed.await {
        tracing::error!(%error, "a tombstone could not be obeyed");
    }
}

async fn obey_to_the_end(desk: &Arc<Desk>, tombstone: Tombstone) {
    if tombstone.queue.as_ref().is_some_and(|queue| !desk.queues.contains(queue)) {
        return;
    }
    let hands = desk.bury(&tombstone);
    if !hands.is_empty() {
        // Told before the answer is, so that the client hears things in their order.
        desk.read_events();
        for hand in &hands {
            hand.announce();
            desk.send_outbox(hand).await;
        }
    }
    let has_it = hands.iter().any(|hand| hand.place() != Held::LetGo);
    answer(desk, &tombstone, if has_it { InHand::Yes } else { InHand::No }).await;
    for hand in &hands {
        desk.stop(hand, tombstone.running).await;
    }
}

async fn answer(desk: &Desk, tombstone: &Tombstone, in_hand: InHand) {
    let Some(reply_to) = tombstone.reply_to.as_deref() else { return };
    let ack = CancelAck { id: tombstone.id, from: desk.sender.clone(), in_hand };
    match ack.encode() {
        Ok(answer) => send(desk, reply_to, answer).await,
        Err(error) => tracing::warn!(%error, "an answer cannot be written"),
    }
}

async fn pong(desk: &Desk, ping: &Ping) {
    if desk.queues.contains(&ping.queue) {
        let pong = Pong { id: ping.id, from: desk.sender.clone() };
        send(desk, &ping.reply_to, pong.encode()).await;
    }
}

/// Tells how it is with a task, if it is in hand.
async fn tell_state(desk: &Desk, question: &StatusQuestion) {
    let Some(hand) = desk.hands.all().into_iter().find(|hand| hand.envelope.id == question.id)
    else {
        return;
    };
    let state = if hand.started().is_some() { State::Running } else { State::Pending };
    match record_of(desk, &hand, state, None).encode() {
        Ok(answer) => send(desk, &question.reply_to, answer).await,
        Err(error) => tracing::warn!(%error, "an answer cannot be written"),
    }
}

/// Sends an answer, if it may go there.
async fn send(desk: &Desk, reply_to: &str, (properties, body): (BasicProperties, Bytes)) {
    if desk.options.names().is_reply_queue(reply_to) {
        let key = ShortString::try_new(reply_to).unwrap_or_default();
        let answer = desk.reply(key, properties, body);
        // Who asked and has gone needs no answer.
        let _ = desk.publisher.hand_over(answer, drop).await;
    }
}

async fn publish(desk: &Desk, record: &Control) -> Result<(), String> {
    let (properties, body) = record.encode().map_err(|error| error.to_string())?;
    let outgoing = Outgoing {
        exchange: desk.options.names().log_exchange(),
        key: ShortString::from("ctl"),
        properties,
        body,
        give_up: None,
    };
    desk.publisher.publish(outgoing).await.map_err(|error| error.to_string())
}
