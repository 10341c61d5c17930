//! The rows of the process pool, two children; each file has our side of its rows.

use std::{num::NonZeroUsize, thread, time::Duration};

use bytes::Bytes;
use outwork_core::{BoxError, Executor, Registry, TaskDef, TaskHandle};
use outwork_local::{ProcessPool, worker_entry};

use crate::{args::ProcessArgs, row::Row, window::IN_FLIGHT};

mod beside_long;
mod first;
mod noop;
mod one_at_a_time;
mod payload;

/// Every row, in the order of the table.
pub(crate) fn rows(args: &ProcessArgs) -> Vec<Row> {
    vec![
        noop::beside_cpython(args),
        noop::beside_pebble(args),
        noop::beside_procspawn(args),
        one_at_a_time::beside_a_ping_pong(args),
        payload::beside_cpython(args),
        first::beside_a_bare_spawn(args),
        beside_long::beside_none(args),
    ]
}

/// Makes this process a child of a pool, if one has started it.
pub(crate) fn enter() -> anyhow::Result<()> {
    worker_entry(&registry()?);
    Ok(())
}

const NOOP: TaskDef<(), ()> = TaskDef::new("bench.noop");
const ECHO: TaskDef<Bytes, Bytes> = TaskDef::new("bench.echo");
/// Sleeps that many milliseconds.
const SLEEP: TaskDef<u64, ()> = TaskDef::new("bench.sleep");

fn registry() -> anyhow::Result<Registry> {
    let mut registry = Registry::new();
    registry.register(NOOP, |_ctx, ()| Ok::<_, BoxError>(()))?;
    registry.register(ECHO, |_ctx, bytes| Ok::<_, BoxError>(bytes))?;
    registry.register(SLEEP, |_ctx, millis| {
        thread::sleep(Duration::from_millis(millis));
        Ok::<_, BoxError>(())
    })?;
    Ok(registry)
}

/// A pool with room for the window and one more.
fn pool(workers: usize) -> anyhow::Result<ProcessPool> {
    let limit = NonZeroUsize::MIN.saturating_add(IN_FLIGHT);
    Ok(ProcessPool::builder().workers(workers).limit(limit).registry(registry()?).build()?)
}

fn submit_noop(pool: &ProcessPool) -> TaskHandle<()> {
    let task = NOOP.task(&()).expect("a unit encodes");
    pool.try_submit(task).expect("there is room for the window").decoded()
}

fn wait<T>(mut handle: TaskHandle<T>) -> T {
    let outcome = handle.wait().expect("this thread is no worker");
    outcome.into_result().expect("the task succeeds")
}
