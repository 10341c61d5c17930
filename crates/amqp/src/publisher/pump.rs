//! [`Pump`]: the one task that publishes.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use futures_util::{Stream, future::poll_fn, stream::FuturesUnordered};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection,
    message::BasicReturnMessage,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::ShortString,
};
use tokio::time::MissedTickBehavior;

use super::{
    PublishError, WINDOW,
    judge::{Judge, Mark, Verdict},
    outgoing::{Job, Outgoing},
    window::Window,
};
use crate::{
    connection::{ConnectOptions, End, Epoch, Link, Session, in_time, open_channel},
    telemetry,
};

/// How often it is looked whether something has waited for too long.
const TICK: Duration = Duration::from_millis(250);

/// The one task that publishes: whole futures of a message and its confirmation in a window,
/// which is what gets many messages into one write.
pub(super) struct Pump {
    options: ConnectOptions,
    queue: async_channel::Receiver<Job>,
    link: Arc<Link>,
    is_idle: Arc<AtomicBool>,
    /// Sent before and not confirmed when the connection was lost.
    again: VecDeque<Job>,
    window: Window,
    judge: Judge<Job>,
}

/// The place of a message in the window, and what the broker said of it.
type Answer = (usize, lapin::Result<Confirmation>);

/// What comes next for a pump.
#[expect(clippy::large_enum_variant, reason = "there is one of them, and it does not move")]
enum Next {
    Job(Option<Job>),
    Answers(Vec<Answer>),
    Tick,
}

impl Mark for Job {
    fn mark(&self) -> String {
        let Outgoing { exchange, key, properties, .. } = &self.outgoing;
        mark(exchange, key, properties)
    }
}

fn mark(exchange: &ShortString, key: &ShortString, properties: &BasicProperties) -> String {
    let id = properties.message_id().as_ref().map_or("", |id| id.as_str());
    let kind = properties.kind().as_ref().map_or("", |kind| kind.as_str());
    format!("{exchange} {key} {id} {kind}")
}

fn mark_of(message: &BasicReturnMessage) -> String {
    let delivery = &message.delivery;
    mark(&delivery.exchange, &delivery.routing_key, &delivery.properties)
}

async fn publish(channel: Channel, place: usize, outgoing: Outgoing) -> Answer {
    let Outgoing { exchange, key, properties, body, .. } = outgoing;
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let confirmed =
        async { channel.basic_publish(exchange, key, options, &body, properties).await?.await };
    (place, confirmed.await)
}

/// All answers that are there, once there is one.
async fn answers<S: Stream<Item = Answer> + Unpin>(sent: &mut S) -> Vec<Answer> {
    let mut answers = Vec::new();
    poll_fn(|cx| {
        while let Poll::Ready(Some(answer)) = Pin::new(&mut *sent).poll_next(cx) {
            answers.push(answer);
        }
        if answers.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    answers
}

impl Pump {
    pub(super) fn new(
        options: &ConnectOptions,
        queue: async_channel::Receiver<Job>,
        link: &Arc<Link>,
        is_idle: &Arc<AtomicBool>,
    ) -> Self {
        Self {
            options: options.clone(),
            queue,
            link: Arc::clone(link),
            is_idle: Arc::clone(is_idle),
            again: VecDeque::new(),
            window: Window::default(),
            judge: Judge::default(),
        }
    }

    async fn open(&self, connection: &Connection) -> Result<Channel, String> {
        let channel = open_channel(&self.options, connection).await.map_err(|e| e.to_string())?;
        let select = channel.confirm_select(ConfirmSelectOptions::default());
        let limit = self.options.limit();
        in_time(self.options.broker(), "confirm.select", limit, select)
            .await
            .map_err(|error| error.to_string())?;
        Ok(channel)
    }

    async fn run(&mut self, channel: &Channel) -> End {
        let mut sent = FuturesUnordered::new();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut open = true;
        loop {
            let is_idle = self.window.len() == 0 && self.again.is_empty();
            self.is_idle.store(is_idle, Ordering::Relaxed);
            if !open && is_idle {
                return End::Done;
            }
            let has_room = self.window.len() < WINDOW;
            let next = tokio::select! {
                answers = answers(&mut sent), if !sent.is_empty() => Next::Answers(answers),
                job = next_job(&mut self.again, &self.queue), if has_room && open => Next::Job(job),
                _ = tick.tick(), if self.window.len() > 0 => Next::Tick,
            };
            match next {
                Next::Job(None) => open = false,
                Next::Job(Some(job)) => {
                    let outgoing = job.outgoing.clone();
                    let place = self.window.add(job);
                    telemetry::published();
                    sent.push(publish(channel.clone(), place, outgoing));
                }
                Next::Answers(answers) => {
                    if let Some(why) = self.note(answers, sent.is_empty()) {
                        return End::Failed(why);
                    }
                }
                Next::Tick => {
                    if let Some(why) = self.look_at_the_clock() {
                        return End::Failed(why);
                    }
                }
            }
        }
    }

    /// Notes what the broker said; why the channel is of no more use, if that is so.
    fn note(&mut self, answers: Vec<Answer>, nothing_on_its_way: bool) -> Option<String> {
        let mut broken = None;
        for (place, answer) in answers {
            match answer {
                Ok(Confirmation::Ack(hung_on)) => {
                    let hung_on = hung_on.map(|message| mark_of(&message));
                    if let Some(job) = self.window.take(place) {
                        self.judge.confirmed(job, hung_on);
                    }
                }
                Ok(Confirmation::Nack(_)) => {
                    if let Some(job) = self.window.take(place) {
                        let refused = PublishError::refused(job.outgoing.key.as_str());
                        job.tell(Err(refused));
                    }
                }
                // It stays in the window, to be published again.
                Ok(Confirmation::NotRequested) => {
                    broken = Some("the broker confirms nothing".to_owned());
                }
                Err(error) => broken = Some(error.to_string()),
            }
        }
        for Verdict { message: job, returned } in self.judge.verdicts(nothing_on_its_way) {
            let Outgoing { exchange, key, .. } = &job.outgoing;
            let result = match returned {
                true => Err(PublishError::returned(exchange.as_str(), key.as_str(), "NO_ROUTE")),
                false => Ok(()),
            };
            job.tell(result);
        }
        broken
    }

    /// Gives up what is late. A broker that is not known to be blocked and confirms nothing
    /// for too long is no broker any more, whatever its heartbeats say.
    fn look_at_the_clock(&mut self) -> Option<String> {
        let (now, blocked) = (Instant::now(), self.link.is_blocked());
        let limit = self.options.confirm_limit();
        let stuck = self.window.oldest().is_some_and(|at| now.duration_since(at) > limit);
        self.window.give_up_late(now, blocked);
        (stuck && !blocked).then(|| format!("nothing was confirmed for {limit:?}"))
    }

    /// Takes everything in hand that waits, so that none of it waits for longer than it may.
    fn give_up_waiting(&mut self) {
        let now = Instant::now();
        while self.again.len() < WINDOW
            && let Ok(job) = self.queue.try_recv()
        {
            self.again.push_back(job);
        }
        let (late, rest): (VecDeque<_>, _) =
            std::mem::take(&mut self.again).into_iter().partition(|job| job.is_late(now));
        self.again = rest;
        late.into_iter().for_each(|job| job.give_up(false));
    }
}

/// What was sent before comes first.
async fn next_job(again: &mut VecDeque<Job>, queue: &async_channel::Receiver<Job>) -> Option<Job> {
    match again.pop_front() {
        Some(job) => Some(job),
        None => queue.recv().await.ok(),
    }
}

impl Session for Pump {
    async fn live(&mut self, connection: &Connection, _epoch: Epoch) -> End {
        match self.open(connection).await {
            Ok(channel) => self.run(&channel).await,
            Err(why) => End::Failed(why),
        }
    }

    /// Keeps what was not confirmed, to be published again.
    fn cut_off(&mut self) {
        let unjudged: Vec<_> = self.judge.abandon().collect();
        let window = self.window.drain();
        for job in unjudged.into_iter().chain(window).rev() {
            self.again.push_front(job);
        }
    }

    async fn wait(&mut self) {
        loop {
            self.give_up_waiting();
            if self.queue.is_closed() && self.queue.is_empty() && self.again.is_empty() {
                return;
            }
            tokio::time::sleep(TICK).await;
        }
    }
}
