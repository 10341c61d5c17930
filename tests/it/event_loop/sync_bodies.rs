//! Bodies that block, which never run on a loop.

use std::sync::{
    Arc, Barrier,
    atomic::{AtomicBool, Ordering},
    mpsc,
};

use outwork_core::{Executor, Registry, State, TaskDef, TaskErrorKind, TaskOptions};
use outwork_local::EventLoopPool;

use super::thread_name;
use crate::support::{
    Gate, drain, ms, outcome, receive, register, register_async, submit, task, task_with,
    threads_of, unique, value, wait_until,
};

const BLOCKS: TaskDef<(), String> = TaskDef::new("blocks");
const ASYNC: TaskDef<(), String> = TaskDef::new("async");

#[test]
fn a_body_that_blocks_runs_beside_the_loops_and_stops_nobody() {
    let (name, gate) = (unique("l"), Gate::new());
    let (started, starts) = mpsc::channel();
    let at = gate.clone();
    let mut registry = Registry::new();
    register(&mut registry, BLOCKS, move |_| {
        started.send(()).unwrap();
        at.wait();
        thread_name()
    });
    register_async(&mut registry, ASYNC, |_| async {
        tokio::task::yield_now().await;
        thread_name()
    });
    let builder = EventLoopPool::builder().loops(1).name(&name).registry(registry);
    let pool = builder.build().unwrap();
    let blocking = submit(&pool, task(BLOCKS));
    receive("the start of the body", &starts);
    for _ in 0..10 {
        assert_eq!(value(pool.spawn(async { thread_name() })), format!("{name}-0"));
        let body = submit(&pool, task(ASYNC)).decoded::<String>();
        assert_eq!(value(body), format!("{name}-0"));
    }
    gate.open();
    let beside = value(blocking.decoded::<String>());
    assert!(beside.starts_with(&format!("{name}-blocking-")), "{beside}");
}

#[test]
fn as_many_bodies_that_block_run_at_once_as_there_are_loops() {
    let all = Arc::new(Barrier::new(3));
    let mut registry = Registry::new();
    register(&mut registry, BLOCKS, move |_| {
        all.wait();
        thread_name()
    });
    let builder = EventLoopPool::builder().loops(3).name(unique("l")).registry(registry);
    let pool = builder.build().unwrap();
    for _ in 0..100 {
        let bodies: Vec<_> = (0..3).map(|_| submit(&pool, task(BLOCKS))).collect();
        bodies.into_iter().for_each(|body| drop(value(body)));
    }
    drain(&pool);
}

#[test]
fn a_blocking_body_that_ignores_its_time_limit_is_reported_and_its_thread_replaced() {
    let (name, gate) = (unique("l"), Gate::new());
    let (at, is_first) = (gate.clone(), AtomicBool::new(true));
    let mut registry = Registry::new();
    register(&mut registry, BLOCKS, move |_| {
        if is_first.swap(false, Ordering::SeqCst) {
            at.wait();
        }
        thread_name()
    });
    let builder = EventLoopPool::builder().loops(1).name(&name).registry(registry);
    let pool = builder.build().unwrap();
    let limited = TaskOptions::new().time_limit(ms(50)).unwrap();
    let stuck = submit(&pool, task_with(BLOCKS, limited));
    let error = outcome(stuck).into_result().unwrap_err();
    let timed_out = TaskErrorKind::TimedOut { limit: ms(50), abandoned: true };
    assert_eq!(error.kind(), &timed_out);
    let free = submit(&pool, task(BLOCKS)).decoded::<String>();
    assert!(value(free).ends_with("-1"), "another thread goes on");
    gate.open();
    wait_until("the late result is counted", || pool.status().counts.late == 1);
    wait_until("the stuck thread has left", || threads_of(&name) == 2);
}

#[test]
fn a_pool_that_drains_finishes_bodies_that_block() {
    let gate = Gate::new();
    let (started, starts) = mpsc::channel();
    let at = gate.clone();
    let mut registry = Registry::new();
    register(&mut registry, BLOCKS, move |_| {
        started.send(()).unwrap();
        at.wait();
        thread_name()
    });
    let builder = EventLoopPool::builder().loops(1).name(unique("l")).registry(registry);
    let pool = builder.build().unwrap();
    let bodies: Vec<_> = (0..3).map(|_| submit(&pool, task(BLOCKS))).collect();
    receive("the start of the body", &starts);
    gate.open();
    assert!(drain(&pool).stopped);
    bodies.into_iter().for_each(|body| assert_eq!(outcome(body).state(), State::Succeeded));
}
