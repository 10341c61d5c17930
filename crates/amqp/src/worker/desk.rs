//! [`Desk`]: what all parts of a worker share.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use lapin::types::ShortString;
use outwork_core::{Executor, Task, TaskError, TaskId};
use tokio::sync::watch;

use super::{
    dead,
    errands::Errands,
    hand::{Hand, Held, Wish},
    hands::Hands,
    pace::Pace,
    pool_events::PoolEvents,
    results::Results,
    tombstones::Tombstones,
};
use crate::{
    connection::ConnectOptions,
    lock::lock,
    publisher::{Outgoing, PublishError, PublishErrorKind, Publisher},
    telemetry::ByQueue,
    topology::QueueName,
    wire::{Envelope, Running, Sender, Tombstone},
};

/// What every task has to pass before the executor gets it.
pub(super) type Gate = Arc<dyn Fn(Task) -> Result<Task, TaskError> + Send + Sync>;

/// What all parts of a worker share.
pub(super) struct Desk {
    pub(super) options: ConnectOptions,
    pub(super) executor: Arc<dyn Executor>,
    pub(super) gate: Gate,
    pub(super) publisher: Publisher,
    pub(super) results: Results,
    pub(super) sender: Sender,
    pub(super) queues: Vec<QueueName>,
    pub(super) pace: Pace,
    pub(super) counters: Counters,
    pub(super) told: ByQueue,
    pub(super) hands: Hands,
    pub(super) tombstones: Mutex<Tombstones>,
    pub(super) errands: Errands,
    pub(super) events: PoolEvents,
    draining: AtomicBool,
    /// Nothing is fetched any more.
    fetched: watch::Sender<bool>,
    waiting: AtomicUsize,
}

/// What a worker has done.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) done: AtomicU64,
    pub(super) retried: AtomicU64,
    pub(super) dead: AtomicU64,
    pub(super) given_back: AtomicU64,
    /// Of these, the ones that were made to stop for it.
    pub(super) interrupted: AtomicU64,
    pub(super) copies: AtomicU64,
    pub(super) dropped_results: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// How long to wait before a message is tried again that the broker refused.
const AGAIN: Duration = Duration::from_secs(1);

/// What the desk needs to be made.
pub(super) struct Setup {
    pub(super) options: ConnectOptions,
    pub(super) executor: Arc<dyn Executor>,
    pub(super) gate: Gate,
    pub(super) publisher: Publisher,
    pub(super) results: Results,
    pub(super) sender: Sender,
    pub(super) queues: Vec<QueueName>,
    pub(super) pace: Pace,
}

impl Desk {
    pub(super) fn new(setup: Setup) -> Arc<Self> {
        let Setup { options, executor, gate, publisher, results, sender, queues, pace } = setup;
        let told = ByQueue::new(&queues, &dead::WORDS);
        let events = PoolEvents::of(executor.as_ref());
        Arc::new(Self {
            options,
            executor,
            gate,
            publisher,
            results,
            sender,
            queues,
            pace,
            counters: Counters::default(),
            told,
            hands: Hands::default(),
            tombstones: Mutex::default(),
            errands: Errands::default(),
            events,
            draining: AtomicBool::new(false),
            fetched: watch::Sender::new(false),
            waiting: AtomicUsize::new(0),
        })
    }

    /// One more task waits for a moment that is less than a second away.
    pub(super) fn begin_waiting(self: &Arc<Self>) -> Waiting {
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        self.pace.set_waiting(waiting);
        Waiting(Arc::clone(self))
    }

    pub(super) fn start_draining(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Notes that everything that was fetched is in hand, and that nothing more comes.
    pub(super) fn note_fetched(&self) {
        self.fetched.send_replace(true);
    }

    /// Waits until nothing more is fetched.
    pub(super) async fn all_fetched(&self) {
        // The sender lives in the desk.
        let _ = self.fetched.subscribe().wait_for(|fetched| *fetched).await;
    }

    /// Notes that a task is cancelled; the hands that have it, if any do.
    pub(super) fn bury(&self, tombstone: &Tombstone) -> Vec<Arc<Hand>> {
        lock(&self.tombstones).add(tombstone);
        let meant = |hand: &Arc<Hand>| {
            let Envelope { id, submitted, .. } = hand.envelope;
            id == tombstone.id && submitted <= tombstone.until
        };
        let mut hands = self.hands.all();
        hands.retain(meant);
        hands
    }

    /// Stops a task that was found in hand, as far as is wanted.
    pub(super) async fn stop(&self, hand: &Hand, running: Running) {
        // What has begun is finished: the tombstone keeps it from being tried again.
        if running == Running::Finish && hand.started().is_some() {
            return;
        }
        if hand.wish(Wish::Cancel) == Held::InPool {
            self.stop_in_pool(hand.envelope.id, running == Running::Force).await;
        }
    }

    pub(super) async fn stop_in_pool(&self, id: TaskId, force: bool) {
        let answer = match force {
            true => self.executor.cancel_now(id).await,
            false => self.executor.cancel(id).await,
        };
        tracing::debug!(task_id = %id, ?answer, "asked the pool to stop a task");
    }

    /// Puts all events that the pool has told so far into the outboxes.
    pub(super) fn read_events(&self) {
        self.events.read(self);
    }

    /// Sends the events of a task to its client, in order.
    pub(super) async fn send_outbox(&self, hand: &Hand) {
        if hand.has_something_to_send() {
            // Boxed, because every task would have to carry the room for it.
            Box::pin(self.send_events(hand)).await;
        }
    }

    async fn send_events(&self, hand: &Hand) {
        let _turn = hand.turn_to_send().await;
        for event in hand.take_outbox() {
            let Some(reply_to) = &hand.reply_to else { continue };
            match event.encode(&hand.envelope, &self.sender) {
                Ok((properties, body)) => {
                    let key = ShortString::try_new(&**reply_to).unwrap_or_default();
                    let outgoing = self.reply(key, properties, body);
                    // A client that has gone needs no events.
                    let _ = self.publisher.hand_over(outgoing, drop).await;
                }
                Err(error) => tracing::warn!(%error, "an event cannot be sent"),
            }
        }
    }

    /// Where the replies to a message go, if that is where replies may go.
    pub(super) fn reply_queue(&self, envelope: &Envelope) -> Option<Arc<str>> {
        let queue = envelope.reply_to.as_ref()?;
        if self.options.names().is_reply_queue(queue) {
            return Some(Arc::clone(queue));
        }
        tracing::warn!(task_id = %envelope.id, %queue, "a task wants its result where none may go");
        None
    }

    pub(super) fn reply(
        &self,
        key: ShortString,
        properties: lapin::BasicProperties,
        body: bytes::Bytes,
    ) -> Outgoing {
        let exchange = self.options.names().reply_exchange();
        Outgoing { exchange, key, properties, body, give_up: None }
    }

    /// Publishes what must not get lost, for as long as it takes.
    pub(super) async fn insist(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        loop {
            match self.publisher.publish(outgoing.clone()).await {
                Err(error)
                    if matches!(
                        error.kind(),
                        PublishErrorKind::Returned
                            | PublishErrorKind::Refused
                            | PublishErrorKind::Unconfirmed
                            | PublishErrorKind::NotSent
                    ) =>
                {
                    tracing::error!(%error, "trying again what must not get lost");
                    tokio::time::sleep(AGAIN).await;
                }
                published => return published,
            }
        }
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("sender", &self.sender).finish_non_exhaustive()
    }
}

/// A task that waits for its time in the worker. It takes no place from those that could run.
#[derive(Debug)]
pub(super) struct Waiting(Arc<Desk>);

impl Drop for Waiting {
    fn drop(&mut self) {
        let waiting = self.0.waiting.fetch_sub(1, Ordering::Relaxed) - 1;
        self.0.pace.set_waiting(waiting);
    }
}
