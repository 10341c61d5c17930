//! [`AmqpExecutorBuilder`]: the settings of an executor.

use std::sync::Arc;

use lapin::Connection;
use outwork_core::{Capabilities, TaskId};
use tokio::sync::{mpsc, oneshot};

use super::{AmqpExecutor, AmqpSettings, chunks::Chunks, client::Client, replies::Replies};
use crate::{
    connection::{ConnectError, ConnectOptions, Link, Role, Runtime, open, supervise},
    publisher::Publisher,
    topology::{QueueName, declare_client, verify_queue},
};

/// The settings of an [`AmqpExecutor`].
#[derive(Debug, Clone)]
#[must_use = "an executor is made by `connect`"]
pub struct AmqpExecutorBuilder {
    options: ConnectOptions,
    settings: AmqpSettings,
    /// Whether there has to be a worker's queue already.
    verify: bool,
}

impl AmqpExecutorBuilder {
    pub(super) fn new(options: ConnectOptions) -> Self {
        Self { options, settings: AmqpSettings::default(), verify: true }
    }

    /// Takes over all settings.
    pub fn settings(mut self, settings: AmqpSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets the queue of tasks that name none; `outwork` if not set.
    pub fn queue(mut self, queue: QueueName) -> Self {
        self.settings.queue = queue;
        self
    }

    /// Does not look whether the queue is there: for those who only ask for jobs.
    pub const fn without_queue(mut self) -> Self {
        self.verify = false;
        self
    }

    /// Sets how many tasks may be accepted and not ended; 4096 if not set.
    pub const fn limit(mut self, limit: usize) -> Self {
        self.settings.limit = limit;
        self
    }

    /// Sets how many outcomes are kept for tasks whose address was asked for; 1024 if not set.
    pub const fn retain(mut self, outcomes: usize) -> Self {
        self.settings.retain = outcomes;
        self
    }

    /// Sets what the pools of the workers can do; those of a thread pool if not set.
    pub const fn workers(mut self, capabilities: Capabilities) -> Self {
        self.settings.workers = capabilities;
        self
    }

    /// Says that the workers [share files](crate::AmqpWorkerBuilder::shares_files) with this
    /// process, so that tasks may name some.
    pub const fn shares_files(mut self) -> Self {
        self.settings.shares_files = true;
        self
    }

    /// Connects, and looks whether the queue is there.
    ///
    /// # Errors
    ///
    /// When the broker cannot be reached or refuses something, there is no such queue, or a
    /// setting makes no sense. Nothing is tried again here; later, lost connections are made
    /// again without an end.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future: what was connected is closed again.
    pub async fn connect(self) -> Result<AmqpExecutor, ConnectError> {
        if self.settings.limit == 0 {
            return Err(ConnectError::invalid("limit", "at least 1 is needed"));
        }
        let runtime = Runtime::start("outwork-amqp")?;
        let inner = runtime.clone();
        runtime.run(async move { self.connect_on(inner).await }).await
    }

    async fn connect_on(self, runtime: Runtime) -> Result<AmqpExecutor, ConnectError> {
        let Self { options, settings, verify } = self;
        let publishing = open(&options, Role::Publish.as_str()).await?;
        let consuming: Connection = open(&options, Role::Consume.as_str()).await?;
        let consumers = match verify {
            true => verify_queue(&options, &consuming, &settings.queue).await?.consumers,
            false => 0,
        };
        let replies = options.names().reply_queue(&TaskId::new().to_string());
        declare_client(&options, &consuming, &replies).await?;
        let publisher = Publisher::start(&options, &runtime, publishing);
        let link = Arc::new(Link::new(Role::Consume));
        let (ask, questions) = mpsc::unbounded_channel();
        let (chunks, due) = Chunks::new();
        let client = Client::new(client::Setup {
            options: options.clone(),
            settings,
            runtime: runtime.clone(),
            publisher,
            link: Arc::clone(&link),
            replies,
            consumers,
            ask,
            chunks,
        });
        runtime.spawn(chunks::send(Arc::downgrade(&client), due));
        let (ready, is_ready) = oneshot::channel();
        let session = Replies::new(&client, questions, ready);
        let supervised = options.clone();
        runtime.spawn_kept(async move { supervise(supervised, &link, consuming, session).await });
        let executor = AmqpExecutor { client };
        match tokio::time::timeout(options.limit(), is_ready).await {
            Ok(Ok(Ok(()))) => Ok(executor),
            Ok(Ok(Err(error))) => Err(error),
            Ok(Err(_)) | Err(_) => {
                Err(ConnectError::timed_out(options.broker(), "the first consume", options.limit()))
            }
        }
    }
}

use super::{chunks, client};
