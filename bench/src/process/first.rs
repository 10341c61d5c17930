//! The row of a fresh pool.

use std::time::Instant;

use super::{pool, submit_noop, wait};
use crate::{
    args::ProcessArgs,
    peer,
    row::{Goal, OUTWORK, Row, Side},
    sample::median,
};

/// µs from building a pool of two children to its first result, the median of some fresh pools.
///
/// The peer is starting this very program so that it exits at once, and waiting for it.
pub(super) fn beside_a_bare_spawn(args: &ProcessArgs) -> Row {
    let pools = args.run.scaled(100);
    Row {
        name: "process pool: first result of a fresh pool",
        unit: "µs",
        goal: Some(Goal::RatioAtMost(5.0)),
        ours: Side::new(OUTWORK, move || median_micros(pools, ours)),
        peer: Some(Side::new("bare spawn and exit", move || {
            median_micros(pools, peer::bare_spawn::spawn_and_wait)
        })),
    }
}

fn ours() -> anyhow::Result<()> {
    let pool = pool(2)?;
    wait(submit_noop(&pool));
    Ok(())
}

fn median_micros(times: usize, act: impl Fn() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut samples = Vec::with_capacity(times);
    for _ in 0..times {
        let start = Instant::now();
        act()?;
        samples.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(median(&samples).unwrap_or_default())
}
