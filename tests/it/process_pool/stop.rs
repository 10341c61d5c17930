//! Bodies that do not stop by themselves, and pools that stop.

use std::time::{Duration, Instant};

use bytes::Bytes;
use outwork_core::{
    Executor, ExecutorExt, Shutdown, State, Task, TaskErrorKind, TaskHandle, TaskOptions,
};

use super::pool;
use crate::support::{
    LATER, PATIENCE, ms, outcome, stop, submit,
    tasks::{DIE, Death, NOOP, PID, SLEEP, SPIN},
    wait_until,
};

const AGES: u64 = 600_000_000;

fn limited(task: Task, limit: Duration) -> Task {
    let options = TaskOptions::new().time_limit(limit).unwrap().grace(ms(50));
    task.with_options(options)
}

fn running(handle: &TaskHandle) {
    wait_until("the task runs", || handle.state() == State::Running);
}

#[test]
fn a_busy_body_is_killed_at_its_time_limit_and_those_behind_it_run() {
    let pool = pool(1);
    let stuck = submit(&pool, limited(SPIN.task(&AGES).unwrap(), ms(100)));
    let behind: Vec<_> = (0..20).map(|_| submit(&pool, NOOP.task(&()).unwrap())).collect();
    let stuck = outcome(stuck);
    assert_eq!(stuck.state(), State::TimedOut);
    let limit = ms(100);
    let kind = TaskErrorKind::TimedOut { limit, abandoned: false };
    assert_eq!(stuck.error().unwrap().kind(), &kind, "it was really stopped");
    for handle in behind {
        assert!(outcome(handle).is_success());
    }
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn a_stopped_worker_is_killed_at_the_time_limit_of_its_task() {
    let pool = pool(1);
    let task = DIE.task(&(Death::Stop, 0, Bytes::new())).unwrap();
    assert_eq!(outcome(submit(&pool, limited(task, ms(100)))).state(), State::TimedOut);
    pool.blocking_call(NOOP, &()).unwrap();
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn a_cancelled_body_is_confirmed_when_its_worker_is_dead() {
    let pool = pool(1);
    let worker = pool.blocking_call(PID, &()).unwrap();
    let options = TaskOptions::new().grace(ms(20));
    let handle = submit(&pool, SPIN.task(&AGES).unwrap().with_options(options));
    running(&handle);
    handle.cancel();
    assert_eq!(outcome(handle).state(), State::Cancelled);
    assert!(!std::path::Path::new(&format!("/proc/{worker}")).exists(), "it was reaped before");
    assert_ne!(pool.blocking_call(PID, &()).unwrap(), worker);
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn a_stop_has_its_deadline_whatever_the_bodies_do() {
    for how in [Shutdown::drain, Shutdown::cancel_pending, Shutdown::abort] {
        let pool = pool(2);
        let stuck: Vec<_> = (0..2)
            .map(|_| submit(&pool, SPIN.task(&AGES).unwrap()))
            .chain((0..20).map(|_| submit(&pool, SLEEP.task(&60_000).unwrap())))
            .collect();
        running(&stuck[0]);
        let start = Instant::now();
        stop(&pool, how(ms(300)));
        assert!(start.elapsed() < PATIENCE);
        for handle in stuck {
            let state = outcome(handle).state();
            assert!(matches!(state, State::Cancelled | State::Lost), "{state}");
        }
        assert_eq!(pool.status().in_flight, 0);
    }
}

#[test]
fn dropping_a_pool_does_not_wait_and_leaves_nothing() {
    let pool = pool(1);
    let worker = pool.blocking_call(PID, &()).unwrap();
    let handle = submit(&pool, SLEEP.task(&100).unwrap());
    running(&handle);
    let start = Instant::now();
    drop(pool);
    assert!(start.elapsed() < ms(90) || handle.state() == State::Running);
    assert!(outcome(handle).is_success(), "what runs may finish");
    wait_until("the worker is gone", || !std::path::Path::new(&format!("/proc/{worker}")).exists());
}
