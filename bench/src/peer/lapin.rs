//! A request/reply program on bare lapin, with the guarantees of Outwork over AMQP and no other promises.
//!
//! Tasks are persistent, mandatory, confirmed, and in a quorum queue.
//! Results are persistent, mandatory and confirmed, on a second connection, into a durable queue with an expiry; their task is acknowledged only then.
//! Both sides publish through one channel that one task owns, in a window of whole futures of a message and its confirmation, which gets many messages into one write.
//! Acknowledgements name the last of a row of tasks that are all done, and the next is sent when the last was written.
//! Everything happens on the one thread of a process.
//!
//! It has no deadlines, does not connect again, recognises no copies, and cannot cancel, delay, retry or bury.

mod client;
mod worker;

use std::{env, time::Duration};

use anyhow::{Context, bail};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::ShortString,
};
use tokio::runtime::Runtime;

use self::client::Client;
use super::role::Role;
use crate::{
    companion::Companion,
    one_by_one,
    window::{self, Load},
};

/// What has to be known beside its figures.
pub(crate) const NOTE: &str = "the same guarantees (persistent, mandatory and confirmed both ways, quorum queue of tasks, durable queue of results, a result confirmed before its task is acknowledged; 256 prefetched); no deadlines, no new connections, no recognition of copies, no cancelling, delaying, retrying or burying; the body runs inside the loop that reads";

/// How many messages a worker has in hand, and how many replies may be on their way to a client.
const PREFETCH: u16 = 256;

/// What goes there and back.
const PAYLOAD: [u8; 64] = [7; 64];

/// For a measurement that hangs: it has no deadlines of its own.
const PATIENCE: Duration = Duration::from_secs(300);

/// Where a worker finds its broker, and its queue there.
const URL: &str = "OUTWORK_BENCH_URL";
const QUEUE: &str = "OUTWORK_BENCH_QUEUE";

/// Tasks per second: 64 bytes to a worker in another process and back, each in a message of its own.
pub(crate) fn rate(url: &str, load: Load) -> anyhow::Result<f64> {
    measure(url, async |client| {
        let check = |answer: anyhow::Result<Vec<u8>>| drop(answer.expect("the worker answers"));
        1e9 / window::drive_calls(load, || client.call(&PAYLOAD), check).await
    })
}

/// The median µs of such a task from its publication to its result, one at a time.
pub(crate) fn p50(url: &str, calls: usize) -> anyhow::Result<f64> {
    measure(url, async |client| {
        let call = async || drop(client.call(&PAYLOAD).await.expect("the worker answers"));
        one_by_one::p50_async(calls, call).await / 1e3
    })
}

fn measure(url: &str, timed: impl AsyncFnOnce(&Client) -> f64) -> anyhow::Result<f64> {
    runtime()?.block_on(async {
        let (client, replies) = Client::connect(url).await?;
        let worker = Companion::start(
            Role::LapinWorker.command()?.env(URL, url).env(QUEUE, client.queue().as_str()),
        )?;
        let measured = async {
            tokio::select! {
                value = timed(&client) => Ok(value),
                ended = client.read(replies) => Err(ended.err().context("no more replies")?),
            }
        };
        let value = tokio::time::timeout(PATIENCE, measured).await;
        drop(worker);
        client.close().await?;
        value.with_context(|| format!("no end within {PATIENCE:?}"))?
    })
}

/// The worker's process.
pub(super) fn work() -> anyhow::Result<()> {
    let variable = |name| env::var(name).with_context(|| format!("{name} is not set"));
    let (url, queue) = (variable(URL)?, variable(QUEUE)?);
    runtime()?.block_on(worker::work(&url, &queue))
}

fn runtime() -> anyhow::Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

async fn connect(url: &str) -> lapin::Result<Connection> {
    Connection::connect(url, ConnectionProperties::default()).await
}

/// A channel on a connection of its own, whose messages are confirmed.
async fn confirming(url: &str) -> lapin::Result<Channel> {
    let channel = connect(url).await?.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

/// Publishes to a queue; the broker has it when this returns.
async fn publish(
    channel: &Channel,
    queue: ShortString,
    properties: BasicProperties,
    body: &[u8],
) -> anyhow::Result<()> {
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let properties = properties.with_delivery_mode(2);
    let exchange = ShortString::default();
    match channel.basic_publish(exchange, queue, options, body, properties).await?.await? {
        Confirmation::Ack(None) => Ok(()),
        other => bail!("a message was not taken: {other:?}"),
    }
}
