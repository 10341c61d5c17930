//! [`Replies`]: what comes back from the workers.

use std::sync::{Arc, Weak};

use futures_util::{FutureExt, StreamExt};
use lapin::{
    Channel, Connection,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::{FieldTable, ShortString},
};
use outwork_core::{LossReason, TaskError, WorkerLost};
use tokio::sync::{mpsc, oneshot};

use super::{cell::Cell, client::Client, jobs::follow_jobs, remote::Question};
use crate::{
    connection::{
        ConnectError, ConnectErrorKind, ConnectOptions, End, Epoch, Session, in_time, open_channel,
    },
    topology::{declare_client, delete_queue, verify_queue, was_deleted},
    wire::{
        CancelAck, Control, InHand, JobRecord, Kind, Pong, RemoteEvent, ResultMessage, Sender,
        WireError, headers_of, read_results,
    },
};

/// Reads the replies on one connection after the other, and answers questions that need one.
///
/// It does not keep the client: when nobody else does, there is nobody to reply to.
pub(super) struct Replies {
    client: Weak<Client>,
    options: ConnectOptions,
    /// The queue that they come to.
    queue: ShortString,
    questions: mpsc::UnboundedReceiver<Question>,
    /// Told once, when it reads for the first time.
    ready: Option<oneshot::Sender<Result<(), ConnectError>>>,
}

/// How many replies may be on their way.
const PREFETCH: u16 = 1000;

/// After how many replies they are acknowledged, when more keep coming.
const TOGETHER: u32 = 128;

impl Replies {
    pub(super) fn new(
        client: &Arc<Client>,
        questions: mpsc::UnboundedReceiver<Question>,
        ready: oneshot::Sender<Result<(), ConnectError>>,
    ) -> Self {
        let (options, queue) = (client.options.clone(), client.replies.clone());
        Self { client: Arc::downgrade(client), options, queue, questions, ready: Some(ready) }
    }

    async fn read(&mut self, connection: &Connection, epoch: Epoch) -> Result<(), ConnectError> {
        let (options, replies) = (self.options.clone(), self.queue.clone());
        if epoch > Epoch(1) {
            let deleted = was_deleted(&options, connection, &replies).await?;
            declare_client(&options, connection, &replies).await?;
            if deleted && let Some(client) = self.client.upgrade() {
                client.lose_replies();
            }
        }
        let channel = open_channel(&options, connection).await?;
        let (url, limit) = (options.broker(), options.limit());
        let qos = channel.basic_qos(PREFETCH, BasicQosOptions::default());
        in_time(url, "basic.qos", limit, qos).await?;
        let (tag, none) = (ShortString::from("replies"), FieldTable::default());
        let consume = channel.basic_consume(replies, tag, BasicConsumeOptions::default(), none);
        let mut consumer = in_time(url, "basic.consume", limit, consume).await?;
        if let Some(ready) = self.ready.take() {
            // Nobody may be waiting any more.
            let _ = ready.send(Ok(()));
        }
        let mut unacknowledged = Unacknowledged { options, channel, last: 0, count: 0 };
        loop {
            let delivery = match consumer.next().now_or_never() {
                Some(delivery) => delivery,
                None => {
                    unacknowledged.acknowledge().await?;
                    tokio::select! {
                        delivery = consumer.next() => delivery,
                        question = self.questions.recv() => {
                            let Some(question) = question else { return Ok(()) };
                            self.answer(connection, question).await;
                            continue;
                        }
                    }
                }
            };
            let lost = |why: String| ConnectError::new(ConnectErrorKind::Broker, why);
            match delivery {
                Some(Ok(delivery)) => {
                    let Some(client) = self.client.upgrade() else { return Ok(()) };
                    let tag = delivery.delivery_tag;
                    client.reply(delivery);
                    unacknowledged.note(tag).await?;
                }
                Some(Err(error)) => return Err(lost(error.to_string())),
                None => return Err(lost("the queue of the replies was deleted".to_owned())),
            }
        }
    }

    async fn answer(&self, connection: &Connection, question: Question) {
        let Some(client) = self.client.upgrade() else { return };
        match question {
            Question::Consumers { queue, answer } => {
                let found = verify_queue(&client.options, connection, &queue).await;
                let found = found.inspect_err(|error| tracing::warn!(%error, "no workers counted"));
                // Who asked may have gone.
                let _ = answer.send(found.ok().map(|found| found.consumers));
            }
            Question::Jobs { wanted, answers } => {
                follow_jobs(&client.options, connection, wanted, answers).await;
            }
        }
    }
}

/// Replies that were dealt with. They are acknowledged together: what is acknowledged last
/// is known to be unacknowledged itself.
struct Unacknowledged {
    options: ConnectOptions,
    channel: Channel,
    last: u64,
    count: u32,
}

impl Unacknowledged {
    async fn note(&mut self, tag: u64) -> Result<(), ConnectError> {
        (self.last, self.count) = (tag, self.count + 1);
        if self.count >= TOGETHER { self.acknowledge().await } else { Ok(()) }
    }

    async fn acknowledge(&mut self) -> Result<(), ConnectError> {
        if std::mem::take(&mut self.count) == 0 {
            return Ok(());
        }
        let ack = self.channel.basic_ack(self.last, BasicAckOptions { multiple: true });
        in_time(self.options.broker(), "acknowledging replies", self.options.limit(), ack).await
    }
}

impl Session for Replies {
    async fn live(&mut self, connection: &Connection, epoch: Epoch) -> End {
        match self.read(connection, epoch).await {
            Ok(()) => End::Done,
            Err(error) => {
                let why = error.to_string();
                if let Some(ready) = self.ready.take() {
                    let _ = ready.send(Err(error));
                }
                End::Failed(why)
            }
        }
    }

    /// Deletes the queue: every handle has its outcome, or nobody holds it, so that whatever is
    /// in it, or comes yet, is nobody's. Workers are told so, and count it. When this is not
    /// done, the broker does it after a while.
    async fn leave(&mut self, connection: &Connection) {
        let deleted = delete_queue(&self.options, connection, &self.queue).await;
        if let Err(error) = deleted {
            tracing::debug!(%error, "the queue of the replies is left to expire");
        }
    }
}

/// What is said of tasks whose results may have been dropped.
const MISSED: &str = "its result may be lost: the queue of the replies was deleted, which the \
    broker does when nobody has read them for 10 minutes. The task may have run, or may run yet";

impl Client {
    /// Gives up the tasks whose results may have been dropped: most of them would never come.
    fn lose_replies(&self) {
        for cell in self.live.all() {
            if cell.is_accepted() {
                let lost = WorkerLost { reason: LossReason::Disconnected, ..WorkerLost::default() };
                cell.end_here(TaskError::lost(lost, MISSED));
            }
        }
    }

    /// Deals with one reply.
    fn reply(self: &Arc<Self>, delivery: Delivery) {
        if let Err(error) = self.read_reply(&delivery) {
            tracing::warn!(%error, "a reply does not read");
        }
    }

    /// What somebody tells all clients.
    fn told_to_all(&self, what: Control) {
        match what {
            Control::Cancel(tombstone) => {
                let cell = self.live.get(tombstone.id);
                let meant = |cell: &Arc<Cell>| cell.submitted <= tombstone.until;
                if let Some(cell) = cell.filter(meant) {
                    // As if it were cancelled here: only then it is known who could start it.
                    Self::cancel_in_background(cell);
                }
            }
            Control::Status(question) => self.answer_state(&question),
            Control::Mark { .. } | Control::Ping(_) => {}
        }
    }

    fn read_reply(self: &Arc<Self>, delivery: &Delivery) -> Result<(), WireError> {
        let Delivery { properties, data, .. } = delivery;
        let headers = headers_of(properties);
        let sender = headers.sender();
        match headers.kind()? {
            Kind::Result => {
                self.note_results([ResultMessage::read(properties, data)?], sender.as_ref());
            }
            Kind::Results => self.note_results(read_results(data)?, sender.as_ref()),
            Kind::Event => {
                let (id, submitted, event) = RemoteEvent::read(properties, data)?;
                if let Some(cell) = self.live.get(id).filter(|cell| cell.submitted == submitted) {
                    self.note_heard(&cell.queue, sender.as_ref());
                    cell.heard(event, sender.as_ref().map(|sender| sender.name.as_str()));
                }
            }
            Kind::CancelAck => {
                let ack = CancelAck::read(properties, data)?;
                // Told here, so that it is told before the end that follows.
                if ack.in_hand == InHand::Yes
                    && let Some(cell) = self.live.get(ack.id)
                {
                    cell.stop_was_told();
                }
                self.acks.tell(ack.id, &ack);
            }
            Kind::Pong => {
                let pong = Pong::read(properties)?;
                self.pongs.tell(pong.id, &pong);
            }
            Kind::Job => {
                let record = JobRecord::read(properties, data)?;
                self.states.tell(record.id, &record);
            }
            Kind::Control => self.told_to_all(Control::read(properties, data)?),
            Kind::Task | Kind::Chunk => {
                return Err(WireError::Header("it is no reply".to_owned()));
            }
        }
        Ok(())
    }

    /// Notes the results of one message.
    fn note_results(
        self: &Arc<Self>,
        results: impl IntoIterator<Item = ResultMessage>,
        sender: Option<&Sender>,
    ) {
        let mut heard_of = None;
        for ResultMessage { id, submitted, outcome } in results {
            let cell = self.live.get(id).filter(|cell| cell.submitted == submitted);
            let Some(cell) = cell else {
                self.note_late();
                continue;
            };
            // Before anybody sees the end.
            if heard_of.as_ref() != Some(&cell.queue) {
                self.note_heard(&cell.queue, sender);
                heard_of = Some(cell.queue.clone());
            }
            if let Some(time) = outcome.timings().run_time() {
                self.run_times.note(&cell.name, time);
            }
            cell.accept();
            cell.conclude(outcome);
        }
    }
}
