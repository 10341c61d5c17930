//! The row of the event-loop pool, two loops.

use std::num::NonZeroUsize;

use outwork_core::Outcome;
use outwork_local::EventLoopPool;

use crate::{
    args::RunArgs,
    block_on::block_on,
    peer,
    row::{Goal, OUTWORK, Row, Side},
    window::{self, IN_FLIGHT, Load},
};

/// Spawning a future that is ready at its first poll and awaiting its handle, 1024 in flight, oldest first.
///
/// ns per task. Handles are awaited on a plain thread by [`block_on`], which says why.
/// The peer is tokio-util's `LocalPoolHandle::spawn_pinned`.
pub(super) fn spawn_and_await(args: &RunArgs) -> Row {
    let load = Load { tasks: args.scaled(500_000), in_flight: IN_FLIGHT };
    Row {
        name: "event-loop pool: spawn a future and await",
        unit: "ns/task",
        goal: Some(Goal::RatioAtMost(0.5)),
        ours: Side::new(OUTWORK, move || ours(load)),
        peer: Some(Side::new("LocalPoolHandle", move || peer::local_pool::spawn_and_await(load))),
    }
}

fn ours(load: Load) -> anyhow::Result<f64> {
    let limit = NonZeroUsize::MIN.saturating_add(IN_FLIGHT);
    let pool = EventLoopPool::builder().loops(2).limit(limit).build()?;
    let check = |outcome: Outcome<()>| assert!(outcome.is_success());
    Ok(block_on(window::drive_async(load, || pool.spawn(async {}), check)))
}
