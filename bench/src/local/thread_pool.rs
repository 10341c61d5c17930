//! Rows of the thread pool, two workers.

use std::num::NonZeroUsize;

use outwork_core::TaskHandle;
use outwork_local::ThreadPool;

use crate::{
    args::RunArgs,
    one_by_one, peer,
    row::{Goal, OUTWORK, Row, Side},
    window::{self, IN_FLIGHT, Load},
};

/// Spawning an empty closure and receiving its result in the spawning thread, 1024 in flight, oldest first.
///
/// ns per task, from the first spawn to the last result. Building and dropping the pool is outside the clock.
/// The peer is rayon's `ThreadPool::spawn` with a `oneshot` channel, because rayon has no handle of its own.
pub(super) fn spawn_and_await(args: &RunArgs) -> Row {
    let load = Load { tasks: args.scaled(1_000_000), in_flight: IN_FLIGHT };
    Row {
        name: "thread pool: spawn a closure and await",
        unit: "ns/task",
        goal: Some(Goal::RatioAtMost(1.0)),
        ours: Side::new(OUTWORK, move || ours(load)),
        peer: Some(Side::new("rayon spawn + oneshot", move || peer::rayon::spawn_and_await(load))),
    }
}

/// The median ns of a closure's way to a worker and back when nothing else is in flight, every call timed by itself.
///
/// The peer is rayon's `install`, called from outside the pool: it blocks as a spawn and a wait do.
pub(super) fn one_at_a_time_p50(args: &RunArgs) -> Row {
    let calls = args.scaled(CALLS);
    one_at_a_time("thread pool: one at a time, p50", move |call| one_by_one::p50(calls, call))
}

/// The mean of the same, with the clock read only before and after all calls.
pub(super) fn one_at_a_time_mean(args: &RunArgs) -> Row {
    let calls = args.scaled(CALLS);
    one_at_a_time("thread pool: one at a time, mean", move |call| one_by_one::mean(calls, call))
}

const CALLS: usize = 50_000;

fn one_at_a_time(
    name: &'static str,
    timed: impl Fn(&mut dyn FnMut()) -> f64 + Copy + 'static,
) -> Row {
    Row {
        name,
        unit: "ns/call",
        goal: Some(Goal::RatioAtMost(1.1)),
        ours: Side::new(OUTWORK, move || ours_one_at_a_time(timed)),
        peer: Some(Side::new("rayon install", move || peer::rayon::install(timed))),
    }
}

fn ours(load: Load) -> anyhow::Result<f64> {
    let pool = pool()?;
    Ok(window::drive(load, || pool.spawn(|| ()), wait))
}

fn ours_one_at_a_time(timed: impl FnOnce(&mut dyn FnMut()) -> f64) -> anyhow::Result<f64> {
    let pool = pool()?;
    Ok(timed(&mut || wait(pool.spawn(|| ()))))
}

/// Two threads, with room for the window and one more.
fn pool() -> anyhow::Result<ThreadPool> {
    let limit = NonZeroUsize::MIN.saturating_add(IN_FLIGHT);
    Ok(ThreadPool::builder().workers(2).limit(limit).build()?)
}

fn wait(mut handle: TaskHandle<()>) {
    let outcome = handle.wait().expect("this thread is no worker");
    assert!(outcome.is_success());
}
