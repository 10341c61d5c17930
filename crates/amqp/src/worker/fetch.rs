//! Fetching tasks from one queue.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use lapin::{
    BasicProperties, Channel, Connection, Consumer,
    message::Delivery,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions},
    types::{FieldTable, ShortString},
};
use tokio::sync::watch;

use super::{
    acks::Acks,
    dead::{Letter, Reason, bury_message},
    desk::{Desk, count},
    errand,
    errands::Errand,
    hand::{Hand, Wish},
    hands::Taken,
    token::Token,
};
use crate::{
    connection::{Epoch, open_channel},
    topology::{DELIVERY_LIMIT, QueueName},
    wire::{Kind, TaskMessage, WireError, headers_of, read_chunk},
};

/// Fetches from one queue over one channel, until that is lost or the worker drains.
pub(super) struct Fetcher {
    desk: Arc<Desk>,
    queue: QueueName,
    epoch: Epoch,
    channel: Channel,
    acks: Acks,
    consumer: Option<Consumer>,
    /// The number of the consumer, for its tag.
    number: u32,
}

/// Whether a worker fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetching {
    On,
    Paused,
    /// Not any more: what was fetched and has not begun is given back.
    Over,
}

#[expect(clippy::large_enum_variant, reason = "there is one of them, and it does not move")]
enum Next {
    Delivery(Delivery),
    Pace(u16),
    Fetching(Fetching),
}

impl Fetcher {
    pub(super) async fn open(
        desk: &Arc<Desk>,
        (connection, epoch): (&Connection, Epoch),
        queue: &QueueName,
    ) -> Result<Self, String> {
        let channel = open_channel(&desk.options, connection).await.map_err(|e| e.to_string())?;
        let (desk, queue) = (Arc::clone(desk), queue.clone());
        let acks = Acks::start(channel.clone(), desk.errands.clone());
        Ok(Self { desk, queue, epoch, channel, acks, consumer: None, number: 0 })
    }

    /// Fetches until the channel is lost; why it was, or nothing when fetching is over.
    pub(super) async fn run(mut self, mut fetching: watch::Receiver<Fetching>) -> Option<String> {
        match self.fetch(&mut fetching).await {
            Ok(()) => None,
            Err(why) => Some(format!("queue {}: {why}", self.queue)),
        }
    }

    async fn fetch(&mut self, fetching: &mut watch::Receiver<Fetching>) -> Result<(), String> {
        let mut pace = self.desk.pace.subscribe();
        let mut state = *fetching.borrow_and_update();
        loop {
            match state {
                Fetching::Over => {
                    self.stop().await?;
                    return Ok(());
                }
                Fetching::Paused => {
                    self.stop().await?;
                    // The sender lives as long as the worker.
                    let _ = fetching.changed().await;
                    state = *fetching.borrow_and_update();
                    continue;
                }
                Fetching::On if self.consumer.is_none() => {
                    let prefetch = *pace.borrow_and_update();
                    self.start(prefetch).await?;
                }
                Fetching::On => {}
            }
            let consumer = self.consumer.as_mut().ok_or("there is no consumer")?;
            let next = tokio::select! {
                biased;
                changed = fetching.changed() => match changed {
                    Ok(()) => Next::Fetching(*fetching.borrow_and_update()),
                    Err(_) => Next::Fetching(Fetching::Over),
                },
                Ok(()) = pace.changed() => Next::Pace(*pace.borrow_and_update()),
                delivery = consumer.next() => Next::Delivery(alive(delivery)?),
            };
            match next {
                Next::Delivery(delivery) => {
                    self.take(delivery);
                    // Its tasks begin before the next are read, so that their results are on
                    // their way while those run.
                    tokio::task::yield_now().await;
                }
                Next::Fetching(now) => state = now,
                // Never two at a time: the broker would deal the tasks out to both, and those
                // that one still has in its buffer would come after later ones.
                Next::Pace(prefetch) => {
                    self.stop().await?;
                    self.start(prefetch).await?;
                }
            }
        }
    }

    /// Consumes with so many messages in hand at most. The limit of a consumer is that of the
    /// moment when it began.
    async fn start(&mut self, prefetch: u16) -> Result<(), String> {
        self.number += 1;
        let tag = ShortString::from(format!("{}-{}", self.queue.as_str().len(), self.number));
        let queue = self.desk.options.names().task_queue(&self.queue);
        let started = async {
            self.channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
            let options = BasicConsumeOptions::default();
            self.channel.basic_consume(queue, tag, options, FieldTable::default()).await
        };
        let consumer = tokio::time::timeout(self.desk.options.limit(), started)
            .await
            .map_err(|_| "no answer to basic.consume".to_owned())?
            .map_err(|error| error.to_string())?;
        self.consumer = Some(consumer);
        Ok(())
    }

    /// Consumes no more. What has been delivered is taken into hand first, in its order.
    async fn stop(&mut self) -> Result<(), String> {
        let Some(mut consumer) = self.consumer.take() else { return Ok(()) };
        let tag = consumer.tag();
        let cancel = self.channel.basic_cancel(tag, BasicCancelOptions::default());
        tokio::time::timeout(self.desk.options.limit(), cancel)
            .await
            .map_err(|_| "no answer to basic.cancel".to_owned())?
            .map_err(|error| error.to_string())?;
        let mut rest = VecDeque::new();
        let drain = async {
            while let Some(delivery) = consumer.next().await {
                rest.push_back(alive(Some(delivery)));
            }
        };
        tokio::time::timeout(self.desk.options.limit(), drain)
            .await
            .map_err(|_| "a consumer that was stopped does not end".to_owned())?;
        rest.into_iter().try_for_each(|delivery| {
            self.take(delivery?);
            Ok(())
        })
    }

    /// Takes a message into hand. Whatever it is, somebody sees to its end from here on.
    fn take(&self, delivery: Delivery) {
        self.desk.told.of(&self.queue).delivered();
        let Delivery { delivery_tag, properties, data, redelivered, .. } = delivery;
        let tokens = |tasks| Token::of(self.acks.clone(), self.epoch, delivery_tag, tasks);
        let body = Bytes::from(data);
        let headers = headers_of(&properties);
        let fate = match (headers.kind(), redelivered) {
            // Only one of its tasks may have been too much for its worker, or have been running
            // when that was lost: from here on each goes by itself.
            (Ok(Kind::Chunk), true) => Fate::GiveBack,
            _ if headers.int(DELIVERIES) >= Some(DELIVERY_LIMIT) => Fate::GiveUp,
            _ => Fate::Run,
        };
        match read_tasks(&properties, &body) {
            Ok((messages, whole)) => {
                self.desk.pace.note_message(messages.len());
                let tokens = tokens(messages.len());
                // It is the same of all of them.
                let first = messages.first().map(|message| &message.envelope);
                let reply_to = first.and_then(|envelope| self.desk.reply_queue(envelope));
                let hands = messages
                    .into_iter()
                    .zip(tokens)
                    .map(|(task, token)| Hand::new(task, whole.clone(), reply_to.clone(), token));
                self.see_to(hands.filter_map(|hand| self.take_task(hand, fate)).collect(), fate);
            }
            Err(error) => {
                let reason = Reason::undecodable(&error);
                let letter = Letter { properties, body };
                tokens(1).for_each(|token| self.bury(letter.clone(), reason.clone(), token));
            }
        }
    }

    fn bury(&self, letter: Letter, reason: Reason, token: Token) {
        let (desk, queue, errand) =
            (Arc::clone(&self.desk), self.queue.clone(), self.desk.errands.begin());
        tokio::spawn(async move {
            bury_message(&desk, &queue, letter, reason, token).await;
            drop(errand);
        });
    }

    /// Takes a task into hand, unless it is there or was dealt with.
    fn take_task(&self, hand: Hand, fate: Fate) -> Option<(Arc<Hand>, Errand)> {
        let desk = &self.desk;
        let errand = desk.errands.begin();
        match desk.hands.take(hand) {
            Taken::Copy(tokens) => {
                count(&desk.counters.copies);
                desk.told.of(&self.queue).copy();
                tokens.into_iter().for_each(Token::acknowledge);
                None
            }
            Taken::New(hand) => {
                if desk.is_draining() || fate == Fate::GiveBack {
                    hand.wish(Wish::GiveBack);
                }
                Some((hand, errand))
            }
        }
    }

    /// Sees to the tasks of a message, all at the same time.
    fn see_to(&self, mut hands: Vec<(Arc<Hand>, Errand)>, fate: Fate) {
        let desk = Arc::clone(&self.desk);
        if hands.len() > 1 {
            tokio::spawn(async move {
                let all = hands.into_iter().map(|hand| see_to(&desk, hand, fate));
                all.collect::<FuturesUnordered<_>>().collect::<()>().await;
            });
        } else if let Some(only) = hands.pop() {
            tokio::spawn(async move { see_to(&desk, only, fate).await });
        }
    }
}

async fn see_to(desk: &Arc<Desk>, (hand, errand): (Arc<Hand>, Errand), fate: Fate) {
    match fate {
        Fate::GiveUp => errand::give_up(desk, &hand).await,
        Fate::Run | Fate::GiveBack => errand::run(desk, &hand).await,
    }
    drop(errand);
}

/// What is to become of the tasks of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Run,
    /// They go back into the queue, each in a message of its own.
    GiveBack,
    GiveUp,
}

/// The tasks of a message, and its body if that is the body of its only task.
fn read_tasks(
    properties: &BasicProperties,
    body: &Bytes,
) -> Result<(Vec<TaskMessage>, Option<Bytes>), WireError> {
    Ok(match headers_of(properties).kind()? {
        Kind::Chunk => (read_chunk(properties, body)?, None),
        _ => (vec![TaskMessage::read(properties, body)?], Some(body.clone())),
    })
}

/// What says how often a message was delivered before, in queues that count it.
const DELIVERIES: &str = "x-delivery-count";

/// The delivery, or why none will come any more.
fn alive(delivery: Option<lapin::Result<Delivery>>) -> Result<Delivery, String> {
    match delivery {
        Some(Ok(delivery)) => Ok(delivery),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("the broker has cancelled the consumer: was the queue deleted?".to_owned()),
    }
}
