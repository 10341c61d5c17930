//! What the tests are written with.

#[path = "../bin/child/tasks.rs"]
#[allow(dead_code, unused_imports, reason = "each program that has these tasks uses some")]
pub(crate) mod tasks;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lapin::{
    Channel, Connection, ConnectionProperties,
    message::BasicGetMessage,
    options::{BasicGetOptions, QueueDeclareOptions},
    types::{FieldTable, ShortString},
};
use outwork_amqp::{
    AmqpExecutor, AmqpWorker, AmqpWorkerBuilder, ConnectOptions, QueueKind, QueueName,
};
use outwork_core::{
    BoxError, Executor, Registry, TaskContext, TaskDef, TraceContext, blocking::block_on,
};
use outwork_local::ThreadPool;
use outwork_test_broker::{Broker, Space};
use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use crate::telemetry::Watcher;

/// How long a test waits for what has to happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub const ECHO: TaskDef<String, String> = TaskDef::new("test.echo");
pub const SLEEP: TaskDef<u64, u64> = TaskDef::new("test.sleep");
/// The same, whoever asks it to stop.
pub const STUBBORN: TaskDef<u64, ()> = TaskDef::new("test.stubborn");
pub const FAIL: TaskDef<String, ()> = TaskDef::new("test.fail");
/// Sleeps, and replies the trace that it sees.
pub const TRACE: TaskDef<u64, Option<TraceContext>> = TaskDef::new("test.trace");

/// Writes down what is traced, and tells it on the standard error as far as `RUST_LOG` asks.
pub fn log() {
    let told = std::env::var("RUST_LOG").ok().map(|filter| {
        let filter = filter.parse::<Targets>().unwrap();
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(filter)
    });
    // Another test may have done so.
    let _ = tracing_subscriber::registry().with(Watcher::layer()).with(told).try_init();
}

pub fn until(what: &str, so: impl FnMut() -> bool) {
    until_within(PATIENCE, what, so);
}

pub fn until_within(patience: Duration, what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !so() {
        assert!(Instant::now() < deadline, "waited {patience:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.register(ECHO, |_, text| Ok::<_, BoxError>(text)).unwrap();
    registry.register(SLEEP, |ctx, ms| sleep(ctx, ms).map(|()| ms)).unwrap();
    let stubborn = |_: &TaskContext, ms| {
        std::thread::sleep(Duration::from_millis(ms));
        Ok::<_, BoxError>(())
    };
    registry.register(STUBBORN, stubborn).unwrap();
    registry.register(TRACE, |ctx, ms| sleep(ctx, ms).map(|()| ctx.trace().cloned())).unwrap();
    registry.register(FAIL, |_, why| Err::<(), BoxError>(why.into())).unwrap();
    registry
}

/// Fails when it is asked to stop.
fn sleep(ctx: &TaskContext, ms: u64) -> Result<(), BoxError> {
    let end = Instant::now() + Duration::from_millis(ms);
    while Instant::now() < end {
        if ctx.cancel_requested() {
            return Err("asked to stop".into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// A place on a broker with what a test starts there.
#[derive(Debug)]
pub struct Place {
    pub space: Space,
    pub queue: QueueName,
}

impl Place {
    /// On the broker that the tests share.
    pub fn new() -> Self {
        Self::on(&Broker::shared().unwrap())
    }

    pub fn on(broker: &Broker) -> Self {
        log();
        let space = broker.space().unwrap();
        Self { space, queue: QueueName::new("jobs").unwrap() }
    }

    pub fn options(&self) -> ConnectOptions {
        ConnectOptions::new(self.space.url()).unwrap().prefix(self.space.prefix()).unwrap()
    }

    pub fn pool(workers: usize) -> Arc<dyn Executor> {
        let pool = ThreadPool::builder().registry(registry()).workers(workers);
        Arc::new(pool.build().unwrap())
    }

    pub fn worker_builder(&self, pool: Arc<dyn Executor>) -> AmqpWorkerBuilder {
        AmqpWorker::builder(self.options(), pool)
            .queue(self.queue.clone())
            .queue_kind(QueueKind::Quorum)
    }

    pub fn worker(&self, workers: usize) -> AmqpWorker {
        block_on(self.worker_builder(Self::pool(workers)).start()).unwrap()
    }

    pub fn client(&self) -> AmqpExecutor {
        block_on(AmqpExecutor::builder(self.options()).queue(self.queue.clone()).connect()).unwrap()
    }
}

/// How many messages wait in the queue of tasks, or of dead letters.
pub fn left(place: &Place, which: &str) -> u32 {
    on_channel(place, async |channel| {
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        let declared = channel.queue_declare(queue(place, which), passive, FieldTable::default());
        declared.await.unwrap().message_count()
    })
}

/// Takes the first of the dead letters.
pub fn dead_letter(place: &Place) -> BasicGetMessage {
    on_channel(place, async |channel| {
        let taken = channel.basic_get(queue(place, "dead"), BasicGetOptions { no_ack: true });
        taken.await.unwrap().unwrap()
    })
}

pub fn queue(place: &Place, which: &str) -> ShortString {
    format!("{}.{which}.{}", place.space.prefix(), place.queue).into()
}

/// Does something on a connection of its own.
pub fn on_channel<T>(place: &Place, work: impl AsyncFnOnce(Channel) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(place.space.url(), properties).await.unwrap();
        work(connection.create_channel().await.unwrap()).await
    })
}
