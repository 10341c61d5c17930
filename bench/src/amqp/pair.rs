//! Our executor in this process, and our worker in another one.

use std::{env, process::Command, sync::Arc};

use anyhow::Context;
use bytes::Bytes;
use outwork_amqp::{AmqpExecutor, AmqpWorker, ConnectOptions};
use outwork_core::{BoxError, Registry, TaskDef, blocking::block_on};
use outwork_local::ThreadPool;

use super::Broker;
use crate::companion::{self, Companion};

pub(super) const ECHO: TaskDef<Bytes, Bytes> = TaskDef::new("bench.echo");

/// What goes there and back.
pub(super) const PAYLOAD: Bytes = Bytes::from_static(&[7; 64]);

/// Where the worker finds its broker; it says that the process is one.
const WORKER: &str = "OUTWORK_BENCH_WORKER";

/// An executor and a worker with two threads, in a process of its own.
pub(super) struct Pair {
    pub(super) client: AmqpExecutor,
    _worker: Companion,
}

impl Pair {
    pub(super) fn start(broker: &Broker) -> anyhow::Result<Self> {
        let this = env::current_exe().context("the path of this program")?;
        let worker = Companion::start(Command::new(this).env(WORKER, broker.url()))?;
        Ok(Self { client: client(broker)?, _worker: worker })
    }
}

pub(super) fn client(broker: &Broker) -> anyhow::Result<AmqpExecutor> {
    Ok(block_on(AmqpExecutor::builder(options(broker.url())?).connect())?)
}

pub(super) fn worker(url: &str) -> anyhow::Result<AmqpWorker> {
    let mut registry = Registry::new();
    registry.register(ECHO, |_ctx, bytes| Ok::<_, BoxError>(bytes))?;
    let pool = ThreadPool::builder().workers(2).registry(registry).build()?;
    let worker = AmqpWorker::builder(options(url)?, Arc::new(pool));
    Ok(block_on(worker.start())?)
}

fn options(url: &str) -> anyhow::Result<ConnectOptions> {
    Ok(ConnectOptions::new(url)?.prefix("outwork-bench")?)
}

/// Works, if this process was started as a worker.
pub(crate) fn enter() -> anyhow::Result<bool> {
    let Ok(url) = env::var(WORKER) else { return Ok(false) };
    let worker = worker(&url)?;
    companion::work_until_let_go()?;
    drop(worker);
    Ok(true)
}
