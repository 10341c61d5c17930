//! The row of large payloads.

use bytes::Bytes;
use outwork_core::{Executor, TaskHandle};

use super::{ECHO, pool, wait};
use crate::{
    args::ProcessArgs,
    peer::{self, python::PythonPool},
    row::{Goal, OUTWORK, Row, Side},
    window::{self, Load},
};

const MIB: usize = 1 << 20;

/// Tasks per second of a task that gets 1 MiB and returns it, two children, 16 in flight.
///
/// The peer is `ProcessPoolExecutor.submit` of a function that returns its `bytes`.
pub(super) fn beside_cpython(args: &ProcessArgs) -> Row {
    let load = Load { tasks: args.run.scaled(2_000), in_flight: 16 };
    let python = args.python.clone();
    Row {
        name: "process pool: 1 MiB there and back",
        unit: "tasks/s",
        goal: Some(Goal::RatioAtLeast(3.0)),
        ours: Side::new(OUTWORK, move || ours(load)),
        peer: Some(Side::new("ProcessPoolExecutor", move || {
            peer::python::rate(&python, PythonPool::Cpython, load, MIB)
        })),
    }
}

fn ours(load: Load) -> anyhow::Result<f64> {
    let pool = pool(2)?;
    let payload = Bytes::from(vec![7; MIB]);
    let submit = || {
        let task = ECHO.task(&payload).expect("bytes encode");
        pool.try_submit(task).expect("there is room for the window").decoded()
    };
    Ok(1e9
        / window::drive(load, submit, |handle: TaskHandle<Bytes>| {
            assert_eq!(wait(handle).len(), MIB)
        }))
}
