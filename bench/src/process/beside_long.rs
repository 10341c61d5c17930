//! The row of short tasks beside a long one.

use std::{collections::VecDeque, time::Instant};

use outwork_core::{Executor, TaskHandle};
use outwork_local::ProcessPool;

use super::{SLEEP, pool, submit_noop, wait};
use crate::{
    args::ProcessArgs,
    row::{Goal, OUTWORK, Row, Side},
    sample::quantile,
};

/// How many short tasks are in flight.
const SHORT: usize = 32;
/// How long the long task takes.
const LONG_MILLIS: u64 = 200;

/// The 99th percentile in µs of tasks that do nothing, 32 in flight, on two children of which one always runs a task of 200 ms.
///
/// The peer is our own pool of one child without the long task: what is left when the other child is taken away.
pub(super) fn beside_none(args: &ProcessArgs) -> Row {
    let tasks = args.run.scaled(200_000);
    Row {
        name: "process pool: no-ops beside a task of 200 ms, p99",
        unit: "µs",
        goal: Some(Goal::RatioAtMost(3.0)),
        ours: Side::new(OUTWORK, move || {
            let pool = pool(2)?;
            let mut long = submit_long(&pool);
            p99(&pool, tasks, || {
                if long.state().is_final() {
                    long = submit_long(&pool);
                }
            })
        }),
        peer: Some(Side::new("outwork, one child", move || p99(&pool(1)?, tasks, || ()))),
    }
}

fn submit_long(pool: &ProcessPool) -> TaskHandle {
    let task = SLEEP.task(&LONG_MILLIS).expect("a number encodes");
    pool.try_submit(task).expect("there is room for the window")
}

fn p99(pool: &ProcessPool, tasks: usize, mut before_each: impl FnMut()) -> anyhow::Result<f64> {
    let mut times = Vec::with_capacity(tasks);
    let mut window = VecDeque::with_capacity(SHORT);
    let mut finish = |(start, handle): (Instant, _)| {
        wait(handle);
        times.push(start.elapsed().as_secs_f64() * 1e6);
    };
    for _ in 0..tasks {
        before_each();
        if window.len() == SHORT
            && let Some(oldest) = window.pop_front()
        {
            finish(oldest);
        }
        window.push_back((Instant::now(), submit_noop(pool)));
    }
    window.into_iter().for_each(finish);
    Ok(quantile(&times, 0.99).unwrap_or_default())
}
