//! The rows of tasks that do nothing, many at a time.

use super::{pool, submit_noop, wait};
use crate::{
    args::ProcessArgs,
    peer::{self, python::PythonPool},
    row::{Goal, OUTWORK, Row, Side},
    window::{self, IN_FLIGHT, Load},
};

/// Tasks per second of a registered task that does nothing, two children, 1024 in flight, oldest first.
///
/// Building the pool is outside the clock, and a tenth of the tasks run before it.
/// The peer is `concurrent.futures.ProcessPoolExecutor.submit` of a function that returns `None`, with as many in flight.
pub(super) fn beside_cpython(args: &ProcessArgs) -> Row {
    let load = Load { tasks: args.run.scaled(20_000), in_flight: IN_FLIGHT };
    let python = args.python.clone();
    row(
        args,
        "process pool: a no-op by name",
        Some(Goal::RatioAtLeast(40.0)),
        Side::new("ProcessPoolExecutor", move || {
            peer::python::rate(&python, PythonPool::Cpython, load, 0)
        }),
    )
}

/// The same beside pebble's `ProcessPool.schedule`, which can end a child like ours.
pub(super) fn beside_pebble(args: &ProcessArgs) -> Row {
    let load = Load { tasks: args.run.scaled(20_000), in_flight: IN_FLIGHT };
    let python = args.python.clone();
    row(
        args,
        "process pool: a no-op by name",
        None,
        Side::new("pebble", move || peer::python::rate(&python, PythonPool::Pebble, load, 0)),
    )
}

/// The same beside procspawn's `Pool::spawn`, 64 in flight, because it keeps three descriptors for each.
pub(super) fn beside_procspawn(args: &ProcessArgs) -> Row {
    let load = Load { tasks: args.run.scaled(20_000), in_flight: 64 };
    row(
        args,
        "process pool: a no-op by name",
        None,
        Side::new("procspawn", move || peer::procspawn::rate(load)),
    )
}

fn row(args: &ProcessArgs, name: &'static str, goal: Option<Goal>, peer: Side) -> Row {
    let load = Load { tasks: args.run.scaled(1_000_000), in_flight: IN_FLIGHT };
    let ours = Side::new(OUTWORK, move || ours(load));
    Row { name, unit: "tasks/s", goal, ours, peer: Some(peer) }
}

fn ours(load: Load) -> anyhow::Result<f64> {
    let pool = pool(2)?;
    Ok(1e9 / window::drive(load, || submit_noop(&pool), wait))
}
