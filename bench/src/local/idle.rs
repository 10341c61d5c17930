//! The row of idleness.

use std::{
    any::Any,
    thread,
    time::{Duration, Instant},
};

use outwork_local::{BackgroundLoop, EventLoopPool, ThreadPool};
use rustix::time::{ClockId, clock_gettime};

use crate::row::{Goal, OUTWORK, Row, Side};

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

/// How busy this process is while the calling thread sleeps for `time`.
fn busy_percent(time: Duration) -> f64 {
    let (start, cpu) = (Instant::now(), cpu_time());
    thread::sleep(time);
    percent(cpu_time().saturating_sub(cpu), start.elapsed())
}

/// CPU time of all threads of this process since it started.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

fn percent(busy: Duration, elapsed: Duration) -> f64 {
    100.0 * busy.as_secs_f64() / elapsed.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_busy_core_is_a_hundred_per_cent() {
        assert_eq!(percent(Duration::from_secs(2), Duration::from_secs(2)), 100.0);
        assert_eq!(percent(Duration::from_millis(1), Duration::from_secs(2)), 0.05);
        assert_eq!(percent(Duration::ZERO, Duration::from_secs(2)), 0.0);
    }

    #[test]
    fn the_process_clock_moves_with_work() {
        let before = cpu_time();
        let start = Instant::now();
        while cpu_time() == before {
            assert!(start.elapsed() < Duration::from_secs(10), "the process clock stands still");
        }
    }
}
