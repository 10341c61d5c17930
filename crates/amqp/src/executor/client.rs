//! [`Client`]: what all tasks of one executor share.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use lapin::types::ShortString;
use outwork_core::{
    Admission, AttachError, Capabilities, Counters, EventHub, ExecutorStatus, JobHandle, Phase,
    Retained, State, TaskHandle, blocking::ExecutorId,
};
use tokio::sync::mpsc;

use super::{
    AmqpSettings, answers::Answers, cell::Cell, chunks::Chunks, instances::Instances,
    live::LiveTasks, recent::RecentEnds, remote::Question, run_times::RunTimes,
    shutdown::Lifecycle, stamps::Stamps,
};
use crate::{
    connection::{ConnectOptions, Link, Runtime},
    lock::lock,
    publisher::Publisher,
    telemetry,
    topology::QueueName,
    wire::{CancelAck, JobRecord, Pong, Sender},
};

/// What all tasks of one executor share. Handles hold it, so it outlives the executor's owner.
pub(super) struct Client {
    pub(super) id: ExecutorId,
    name: String,
    pub(super) options: ConnectOptions,
    pub(super) settings: AmqpSettings,
    pub(super) capabilities: Capabilities,
    pub(super) runtime: Runtime,
    pub(super) publisher: Publisher,
    pub(super) link: Arc<Link>,
    /// The queue that replies come to.
    pub(super) replies: ShortString,
    /// The same, as it is written on every task.
    pub(super) reply_to: Arc<str>,
    pub(super) ask: mpsc::UnboundedSender<Question>,
    pub(super) admission: Arc<Admission>,
    pub(super) live: LiveTasks,
    pub(super) instances: Arc<Instances>,
    pub(super) retained: Retained<Cell>,
    pub(super) hub: EventHub,
    pub(super) acks: Answers<CancelAck>,
    pub(super) pongs: Answers<Pong>,
    pub(super) states: Answers<JobRecord>,
    pub(super) recent: RecentEnds,
    pub(super) stamps: Stamps,
    pub(super) chunks: Chunks,
    pub(super) run_times: RunTimes,
    pub(super) lifecycle: Lifecycle,
    pub(super) counts: Counters,
    consumers: u32,
    /// When the workers of a queue were heard of last, by their instances.
    heard: Mutex<HashMap<QueueName, HashMap<String, Instant>>>,
}

/// What a client needs to be made.
pub(super) struct Setup {
    pub(super) options: ConnectOptions,
    pub(super) settings: AmqpSettings,
    pub(super) runtime: Runtime,
    pub(super) publisher: Publisher,
    pub(super) link: Arc<Link>,
    pub(super) replies: ShortString,
    pub(super) consumers: u32,
    pub(super) ask: mpsc::UnboundedSender<Question>,
    pub(super) chunks: Chunks,
}

/// How long a worker counts as there that nothing was heard of.
const HEARD: Duration = Duration::from_secs(30);

impl Client {
    pub(super) fn new(setup: Setup) -> Arc<Self> {
        let Setup { options, settings, runtime, publisher, link, replies, consumers, ask, chunks } =
            setup;
        let name = settings.name.clone().unwrap_or_else(|| format!("amqp:{}", options.names()));
        Arc::new(Self {
            id: ExecutorId::new(),
            name,
            capabilities: settings.workers,
            admission: Admission::new(settings.limit),
            retained: Retained::new(settings.retain),
            live: LiveTasks::default(),
            instances: Arc::default(),
            hub: EventHub::new(),
            acks: Answers::default(),
            pongs: Answers::default(),
            states: Answers::default(),
            recent: RecentEnds::default(),
            stamps: Stamps::default(),
            chunks,
            run_times: RunTimes::default(),
            lifecycle: Lifecycle::default(),
            counts: Counters::default(),
            heard: Mutex::default(),
            options,
            settings,
            runtime,
            publisher,
            link,
            reply_to: replies.as_str().into(),
            replies,
            consumers,
            ask,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Notes that a worker of a queue is there, if it has said who it is.
    pub(super) fn note_heard(&self, queue: &QueueName, sender: Option<&Sender>) {
        let Some(sender) = sender else { return };
        let mut heard = lock(&self.heard);
        let known = heard.get_mut(queue).and_then(|workers| workers.get_mut(&sender.instance));
        if let Some(at) = known {
            *at = Instant::now();
            return;
        }
        let workers = heard.entry(queue.clone()).or_default();
        workers.retain(|_, at| at.elapsed() < HEARD);
        workers.insert(sender.instance.clone(), Instant::now());
    }

    /// The workers of a queue that were heard of lately.
    pub(super) fn heard_of(&self, queue: &QueueName) -> Vec<String> {
        let heard = lock(&self.heard);
        let lately = heard.get(queue).into_iter().flatten().filter(|(_, at)| at.elapsed() < HEARD);
        lately.map(|(instance, _)| instance.clone()).collect()
    }

    /// A result came that nobody waits for any more.
    pub(super) fn note_late(&self) {
        self.counts.late();
        telemetry::late_result();
    }

    /// How many workers of a queue were heard of lately.
    pub(super) fn workers_of(&self, queue: &QueueName) -> usize {
        let heard = lock(&self.heard);
        heard.get(queue).into_iter().flatten().filter(|(_, at)| at.elapsed() < HEARD).count()
    }

    pub(super) async fn attach(
        self: &Arc<Self>,
        job: JobHandle,
    ) -> Result<TaskHandle, AttachError> {
        if job.executor() != self.name {
            return Err(AttachError::WrongExecutor(Box::new(job)));
        }
        let alive = self.live.get(job.id()).filter(|cell| cell.is_promised());
        match alive.or_else(|| self.retained.get(job.id())).filter(Cell::set_addressed) {
            Some(cell) => Ok(TaskHandle::new(cell)),
            None => self.attach_detached(job).await,
        }
    }

    pub(super) fn status(&self) -> ExecutorStatus {
        let cells = self.live.all();
        let running = cells.iter().filter(|cell| cell.state_now() == State::Running).count();
        let mut status = ExecutorStatus::default();
        let broken = !self.link.is_connected() || !self.publisher.link().is_connected();
        status.phase = match self.lifecycle.phase() {
            Phase::Running if broken || self.publisher.link().is_blocked() => Phase::Broken,
            phase => phase,
        };
        status.workers = self.heard_of(&self.settings.queue).len().max(self.consumers as usize);
        status.in_flight = self.admission.in_flight();
        status.running = running;
        status.limit = self.admission.limit();
        status.counts = self.counts.read(cells.len());
        status
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("name", &self.name)
            .field("broker", self.options.broker())
            .finish_non_exhaustive()
    }
}
