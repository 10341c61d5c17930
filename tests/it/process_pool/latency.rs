//! How long short tasks take beside a long one.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use outwork_core::{ExecutorExt, Shutdown};
use outwork_local::ProcessPool;

use super::pool;
use crate::support::{
    LATER, alone, stop,
    tasks::{NOOP, SLEEP},
};

const TASKS: usize = 3000;

/// The time that one task in a hundred takes, or more.
fn p99(pool: &ProcessPool) -> Duration {
    (0..200).for_each(|_| pool.blocking_call(NOOP, &()).unwrap());
    let mut times: Vec<_> = (0..TASKS)
        .map(|_| {
            let start = Instant::now();
            pool.blocking_call(NOOP, &()).unwrap();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[TASKS * 99 / 100]
}

/// The same while exactly one task of 200 ms runs.
fn p99_beside_a_long_one(pool: &ProcessPool) -> Duration {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                pool.blocking_call(SLEEP, &200).unwrap();
            }
        });
        let p99 = p99(pool);
        over.store(true, Ordering::Relaxed);
        p99
    })
}

#[test]
fn short_tasks_beside_a_long_one_take_no_more_than_thrice_as_long() {
    fn test() {}
    alone(test, || {
        let (one, two) = (pool(1), pool(2));
        // The claim is about the pool, and the machine may be busy.
        let mut told = Vec::new();
        let holds = (0..10).any(|_| {
            let (without, beside) = (p99(&one), p99_beside_a_long_one(&two));
            told.push((without, beside));
            beside <= without * 3
        });
        assert!(holds, "without and beside a long one: {told:?}");
        stop(&one, Shutdown::drain(LATER));
        stop(&two, Shutdown::drain(LATER));
    });
}
