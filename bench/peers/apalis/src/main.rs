//! apalis over AMQP, in two processes.

#[path = "../../drive.rs"]
mod drive;

use std::{future::poll_fn, pin::Pin};

use apalis::prelude::*;
use apalis_amqp::{AmqpBackend, Config};

async fn echo(value: String) {
    drive::done(&value);
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::default().queue(drive::queue()).prefetch_count(256);
    let mut backend = AmqpBackend::<String>::new_from_addr(drive::url())?.with_config(config);
    if drive::is_worker() {
        drive::end_with_input();
        // A worker whose backend has no channel yet unwraps a consumer that is not there.
        poll_fn(|cx| TaskSink::poll_ready(Pin::new(&mut backend), cx)).await?;
        WorkerBuilder::new("worker").backend(backend).build(echo).run().await?;
        return Ok(());
    }
    drive::measure(async || {
        backend.push(drive::VALUE.to_owned()).await?;
        Ok(())
    })
    .await
}
