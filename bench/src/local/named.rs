//! The row of registered tasks.

use std::num::NonZeroUsize;

use outwork_core::{BoxError, Executor, Registry, TaskDef, TaskHandle};
use outwork_local::ThreadPool;
use serde::{Deserialize, Serialize};

use crate::{
    args::RunArgs,
    peer,
    row::{Goal, OUTWORK, Row, Side},
    window::{self, IN_FLIGHT, Load},
};

/// Calling a registered task by name on two threads and awaiting its result, 1024 in flight, oldest first.
///
/// ns per task. Ours encodes 64 bytes of MessagePack, looks the handler up, decodes the arguments, encodes a number as the result and decodes it.
/// The peer does none of that: it is the bare closure of the thread-pool row, so the ratio is the price of a task that can travel.
pub(super) fn call_and_await(args: &RunArgs) -> Row {
    let load = Load { tasks: args.scaled(500_000), in_flight: IN_FLIGHT };
    Row {
        name: "thread pool: call a task by name, 64 bytes",
        unit: "ns/task",
        goal: Some(Goal::RatioAtMost(4.0)),
        ours: Side::new(OUTWORK, move || ours(load)),
        peer: Some(Side::new("rayon spawn + oneshot", move || peer::rayon::spawn_and_await(load))),
    }
}

const NAMED: TaskDef<Arguments, u64> = TaskDef::new("bench.named");

fn ours(load: Load) -> anyhow::Result<f64> {
    let mut registry = Registry::new();
    registry.register(NAMED, |_ctx, args| Ok::<_, BoxError>(args.id))?;
    let limit = NonZeroUsize::MIN.saturating_add(IN_FLIGHT);
    let pool = ThreadPool::builder().workers(2).limit(limit).registry(registry).build()?;
    let mut id = 1 << 32;
    let call = || {
        id += 1;
        let task = NAMED.task(&Arguments::of(id)).expect("the arguments encode");
        pool.try_submit(task).expect("there is room for the window").decoded()
    };
    Ok(window::drive(load, call, wait))
}

fn wait(mut handle: TaskHandle<u64>) {
    let outcome = handle.wait().expect("this thread is no worker");
    assert!(outcome.into_result().expect("the task succeeds") > 1 << 32);
}

/// Arguments as a real task has them: a number, a fraction, a name; 64 bytes as named-field MessagePack.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Arguments {
    id: u64,
    scale: f64,
    path: String,
}

impl Arguments {
    /// Arguments of exactly 64 bytes for every `id` from 2³² up, which is where MessagePack needs all eight bytes.
    fn of(id: u64) -> Self {
        Self { id, scale: 0.5, path: "/srv/images/archive/scan-1.png".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_64_bytes_of_message_pack() {
        for id in [1 << 32, u64::MAX] {
            let bytes = rmp_serde::to_vec_named(&Arguments::of(id)).unwrap();

            assert_eq!(bytes.len(), 64);
            assert_eq!(rmp_serde::from_slice::<Arguments>(&bytes).unwrap(), Arguments::of(id));
        }
    }
}
