//! [`AmqpWorkerBuilder`]: the settings of a worker.

use std::{fmt, num::NonZeroU16, sync::Arc, time::Duration};

use lapin::Connection;
use outwork_core::{Executor, Rejection, Task, TaskError, TaskErrorKind, TaskId};

use super::{
    AmqpWorker,
    desk::{Desk, Gate, Setup},
    fetch::Fetching,
    pace::Pace,
    pool_events::follow,
    results::Results,
    session::WorkerSession,
};
use crate::{
    connection::{ConnectError, ConnectOptions, Link, Role, Runtime, open, supervise},
    files::{NO_FILES, named_file},
    publisher::Publisher,
    topology::{QueueKind, QueueName, declare_worker},
    wire::Sender,
};

/// The settings of an [`AmqpWorker`].
#[derive(Clone)]
#[must_use = "a worker works once it is started"]
pub struct AmqpWorkerBuilder {
    options: ConnectOptions,
    executor: Arc<dyn Executor>,
    queues: Vec<QueueName>,
    kind: QueueKind,
    prefetch: Option<NonZeroU16>,
    name: Option<String>,
    gate: Gate,
    shares_files: bool,
}

/// How long a worker may take to be ready: its connections, its declarations, and reading what
/// is cancelled.
const READY: Duration = Duration::from_secs(150);

impl AmqpWorkerBuilder {
    pub(super) fn new(options: ConnectOptions, executor: Arc<dyn Executor>) -> Self {
        let (queues, kind) = (Vec::new(), QueueKind::default());
        let gate: Gate = Arc::new(Ok);
        let (prefetch, name, shares_files) = (None, None, false);
        Self { options, executor, queues, kind, prefetch, name, gate, shares_files }
    }

    /// Adds a queue; without any it is the one named `outwork`.
    pub fn queue(mut self, queue: QueueName) -> Self {
        self.queues.push(queue);
        self
    }

    /// Sets how the queues keep their messages; quorum if not set.
    pub const fn queue_kind(mut self, kind: QueueKind) -> Self {
        self.kind = kind;
        self
    }

    /// Sets how many messages of each queue to have in hand: one has one task, or several that
    /// were submitted in bulk. If not set, as many as the executor has workers, and more while
    /// these would have to wait for the next one for longer than a tenth of a task's run time.
    pub const fn prefetch(mut self, prefetch: NonZeroU16) -> Self {
        self.prefetch = Some(prefetch);
        self
    }

    /// Sets the name in outcomes and logs; the name of the host if not set.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets what every task has to pass before the executor gets it, in the form that it comes
    /// out with. A task that is refused ends with that error, and is not tried again; so does
    /// one whose gate panics.
    pub fn admit(
        mut self,
        gate: impl Fn(Task) -> Result<Task, TaskError> + Send + Sync + 'static,
    ) -> Self {
        self.gate = Arc::new(gate);
        self
    }

    /// Writes and makes the files that tasks name: targets of output, and cache folders.
    ///
    /// For clients that share files with this worker, and that may do with them what it may:
    /// whoever reaches the queue can then write wherever it can. Without this such tasks are
    /// refused.
    pub const fn shares_files(mut self) -> Self {
        self.shares_files = true;
        self
    }

    /// Connects, declares what is needed, and starts to work.
    ///
    /// # Errors
    ///
    /// When the broker cannot be reached or refuses something, or a setting makes no sense.
    /// Nothing is tried again here; once the worker runs, lost connections are made again
    /// without an end.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future: the worker may have begun, and leaves at once.
    pub async fn start(mut self) -> Result<AmqpWorker, ConnectError> {
        if !self.executor.capabilities().submits_ahead {
            let why = "an executor that runs tasks inside `submit` cannot serve a worker";
            return Err(ConnectError::invalid("executor", why));
        }
        if self.queues.is_empty() {
            self.queues.push(QueueName::default());
        }
        let runtime = Runtime::start("outwork-amqp-worker")?;
        let inner = runtime.clone();
        runtime.run(async move { self.start_on(inner).await }).await
    }

    async fn start_on(self, runtime: Runtime) -> Result<AmqpWorker, ConnectError> {
        let Self { options, executor, queues, kind, prefetch, name, gate, shares_files } = self;
        let gate = if shares_files { gate } else { without_files(gate) };
        let (publishing, consuming) = connect(&options).await?;
        declare_worker(&options, &publishing, &queues, kind).await?;
        let sender =
            Sender { name: name.unwrap_or_else(host_name), instance: TaskId::new().to_string() };
        let pace = Pace::new(executor.status().workers, prefetch.map(NonZeroU16::get));
        let publisher = Publisher::start(&options, &runtime, publishing);
        let results = Results::start(&runtime, &options, &publisher, &sender);
        let setup = Setup {
            options: options.clone(),
            executor,
            gate,
            publisher,
            results,
            sender,
            queues,
            pace,
        };
        let desk = Desk::new(setup);
        runtime.spawn(follow(Arc::clone(&desk)));
        let link = Arc::new(Link::new(Role::Consume));
        let fetching = tokio::sync::watch::Sender::new(Fetching::On);
        let worker =
            AmqpWorker { desk: Arc::clone(&desk), link: Arc::clone(&link), fetching, runtime };
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        let session = WorkerSession::new(desk, kind, worker.fetching.subscribe(), ready);
        let supervised = options.clone();
        worker
            .runtime
            .spawn_kept(async move { supervise(supervised, &link, consuming, session).await });
        let url = options.broker();
        match tokio::time::timeout(READY, is_ready).await {
            Ok(Ok(Ok(()))) => Ok(worker),
            Ok(Ok(Err(error))) => Err(error),
            Ok(Err(_)) | Err(_) => Err(ConnectError::timed_out(url, "the first consume", READY)),
        }
    }
}

impl fmt::Debug for AmqpWorkerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpWorkerBuilder")
            .field("options", &self.options)
            .field("executor", &self.executor)
            .field("queues", &self.queues)
            .finish_non_exhaustive()
    }
}

/// Refuses what names a file of this machine, before anybody else looks at it.
fn without_files(gate: Gate) -> Gate {
    Arc::new(move |task: Task| match named_file(task.options()) {
        Some(option) => {
            let kind = TaskErrorKind::Rejected(Rejection::InvalidMessage);
            Err(TaskError::new(kind, format!("{option}: {NO_FILES}")))
        }
        None => gate(task),
    })
}

async fn connect(options: &ConnectOptions) -> Result<(Connection, Connection), ConnectError> {
    let publishing = open(options, Role::Publish.as_str()).await?;
    let consuming = open(options, Role::Consume.as_str()).await?;
    Ok((publishing, consuming))
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let name = name.ok().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    name.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_else(|| "worker".to_owned())
}
