//! The row of idleness.

use std::{any::Any, thread, time::Duration};

use outwork_local::{BackgroundLoop, EventLoopPool, ThreadPool};

use crate::{
    cpu::busy_percent,
    row::{Goal, OUTWORK, Row, Side},
};

/// How long a pool may take to settle after its last task.
const SETTLE: Duration = Duration::from_millis(200);
/// How long the idleness is observed.
const IDLE: Duration = Duration::from_secs(2);

/// CPU time of this whole process over 2 s in which pools that have run tasks have nothing to do.
///
/// Per cent of one core, by the process clock of the kernel, 200 ms after the last task. Threads that outlive a pool (a shared runtime, timers) count as well.
pub(super) fn used_pools() -> Row {
    Row {
        name: "idle: pools that have been used",
        unit: "% CPU",
        goal: Some(Goal::Below(0.1)),
        ours: Side::new(OUTWORK, || {
            let pools = ours()?;
            thread::sleep(SETTLE);
            let percent = busy_percent(IDLE);
            drop(pools);
            Ok(percent)
        }),
        peer: None,
    }
}

/// Every local pool, after it has run some tasks.
fn ours() -> anyhow::Result<Box<dyn Any>> {
    let threads = ThreadPool::builder().workers(2).build()?;
    let loops = EventLoopPool::builder().loops(2).build()?;
    let background = BackgroundLoop::global()?;
    for _ in 0..1000 {
        let on_thread = threads.spawn(|| ());
        let on_loop = loops.spawn(async {});
        let in_background = background.spawn(async {});
        for mut handle in [on_thread, on_loop, in_background] {
            handle.wait()?.into_result()?;
        }
    }
    Ok(Box::new((threads, loops, background)))
}
