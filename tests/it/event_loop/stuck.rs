//! Futures that do not come back from a poll.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use outwork_core::{
    Executor, Registry, Shutdown, State, TaskDef, TaskErrorKind, TaskHandle, TaskOptions,
};
use outwork_local::EventLoopPool;

use super::{block_loop, linger, thread_name};
use crate::support::{
    Gate, LATER, drain, ms, outcome, receive, register_async, stop, submit, task_with, threads_of,
    unique, value, wait_until,
};

const NEVER: Duration = LATER;

fn pool(loops: usize, stall_after: Duration, replace_after: Duration) -> (EventLoopPool, String) {
    let name = unique("l");
    let builder = EventLoopPool::builder().loops(loops).name(&name);
    let builder = builder.stall_after(stall_after).replace_after(replace_after);
    (builder.build().unwrap(), name)
}

/// A future that awaits something first, and then blocks its loop. While it is stuck its loop
/// still counts as one of those who wait for new work.
fn block_loop_later(pool: &EventLoopPool, index: usize, gate: &Gate) -> TaskHandle<()> {
    let (stuck, is_stuck) = mpsc::channel();
    let gate = gate.clone();
    let handle = pool.submit_to(index, async move {
        tokio::time::sleep(ms(5)).await;
        stuck.send(()).unwrap();
        gate.wait();
    });
    receive("the future that is to block its loop", &is_stuck);
    handle.unwrap()
}

#[test]
fn new_work_is_routed_around_a_stuck_loop() {
    let (pool, name) = pool(2, ms(5), NEVER);
    let (gate, (send, threads)) = (Gate::new(), mpsc::channel());
    // The other loop has more to do.
    let busy: Vec<_> =
        (0..100).map(|_| pool.submit_to(1, linger(gate.clone(), send.clone())).unwrap()).collect();
    busy.iter().for_each(|_| drop(receive("the thread", &threads)));
    let stuck = block_loop(&pool, 0, &gate);
    let mut probes = Vec::new();
    wait_until("new work is routed around the stuck loop", || {
        let mut probe = pool.spawn(async { thread_name() });
        match probe.wait_timeout(ms(20)) {
            Ok(outcome) => {
                assert_eq!(outcome.into_result().unwrap(), format!("{name}-1"));
                true
            }
            Err(_) => {
                probes.push(probe);
                false
            }
        }
    });
    assert!(probes.len() < 50, "it was routed by its load");
    gate.open();
    value(stuck);
    busy.into_iter().for_each(value);
    // What had been given to the stuck loop is done when it comes back.
    probes.into_iter().for_each(|probe| assert_eq!(value(probe), format!("{name}-0")));
    wait_until("the first loop is used again", || {
        value(pool.spawn(async { thread_name() })) == format!("{name}-0")
    });
}

#[test]
fn a_stuck_loop_gets_another_thread_and_goes_on() {
    for block in [block_loop, block_loop_later] {
        let (pool, name) = pool(1, ms(5), ms(20));
        let (gate, neighbour) = (Gate::new(), Gate::new());
        let (send, threads) = mpsc::channel();
        let started = pool.spawn(linger(neighbour.clone(), send));
        receive("the thread of the neighbour", &threads);
        let stuck = block(&pool, 0, &gate);
        wait_until("the loop has another thread", || threads_of(&name) == 2);
        // Each of them is started by the new thread, and none is left to the old one, which
        // may still count among those who wait for work.
        for n in 0..20 {
            assert_eq!(value(pool.spawn(async move { n })), n);
        }
        assert_eq!(threads_of(&name), 2);
        neighbour.open();
        assert_eq!((started.state(), stuck.state()), (State::Running, State::Running));
        gate.open();
        value(stuck);
        value(started);
        wait_until("the old thread has left", || threads_of(&name) == 1);
        assert_eq!(value(pool.spawn(async { 7 })), 7);
        assert_eq!(pool.status().in_flight, 0);
        drain(&pool);
        wait_until("all threads have left", || threads_of(&name) == 0);
    }
}

#[test]
fn a_neighbour_that_had_started_ends_on_its_old_thread() {
    let (pool, _) = pool(1, ms(5), ms(20));
    let (gate, neighbour) = (Gate::new(), Gate::new());
    let (started, starts) = mpsc::channel();
    let at = neighbour.clone();
    let other = pool.spawn_local(move || async move {
        let before = std::rc::Rc::new(thread::current().id());
        started.send(()).unwrap();
        at.opened().await;
        (*before, thread::current().id())
    });
    receive("the start of the neighbour", &starts);
    let stuck = block_loop(&pool, 0, &gate);
    let elsewhere = value(pool.spawn(async { thread::current().id() }));
    neighbour.open();
    gate.open();
    value(stuck);
    let (before, after) = value(other);
    assert_eq!(before, after);
    assert_ne!(before, elsewhere);
}

#[test]
fn a_neighbour_that_is_cancelled_behind_a_stuck_one_ends_with_that_one() {
    let (pool, _) = pool(1, ms(5), ms(20));
    let (gate, neighbour) = (Gate::new(), Gate::new());
    let (send, threads) = mpsc::channel();
    let other = pool.spawn(linger(neighbour, send));
    receive("the thread of the neighbour", &threads);
    let stuck = block_loop(&pool, 0, &gate);
    other.cancel();
    assert_eq!(value(pool.spawn(async { 7 })), 7);
    assert_eq!(other.state(), State::Running, "nothing is cancelled that has not stopped");
    gate.open();
    value(stuck);
    assert_eq!(outcome(other).state(), State::Cancelled);
}

#[test]
fn the_thread_that_replaces_a_stuck_one_is_not_taken_for_stuck_too() {
    let (pool, name) = pool(1, ms(5), ms(2_000));
    let gate = Gate::new();
    let stuck = block_loop(&pool, 0, &gate);
    // The first poll on the new thread: it lasts for many looks, and far from long enough to be
    // replaced, unless what was seen of the old thread counts against the new one.
    let (started, starts) = mpsc::channel();
    let long = pool.spawn(async move {
        started.send(()).unwrap();
        thread::sleep(ms(100));
        thread::current().id()
    });
    receive("the start of the long poll", &starts);
    let here = value(pool.spawn(async { thread::current().id() }));
    assert_eq!(value(long), here);
    assert_eq!(threads_of(&name), 2);
    gate.open();
    value(stuck);
}

#[test]
fn a_loop_can_be_replaced_again_and_again() {
    let (pool, name) = pool(1, ms(2), ms(5));
    let gate = Gate::new();
    let stuck: Vec<_> = (0..5).map(|_| block_loop_later(&pool, 0, &gate)).collect();
    assert_eq!(value(pool.spawn(async { 7 })), 7);
    assert_eq!(threads_of(&name), 6);
    gate.open();
    stuck.into_iter().for_each(value);
    wait_until("the old threads have left", || threads_of(&name) == 1);
    assert_eq!(pool.status().in_flight, 0);
}

const STUCK: TaskDef<(), ()> = TaskDef::new("stuck");

fn with_stuck(gate: &Gate, replace_after: Duration) -> (EventLoopPool, mpsc::Receiver<()>) {
    let (started, starts) = mpsc::channel();
    let at = gate.clone();
    let mut registry = Registry::new();
    register_async(&mut registry, STUCK, move |_| {
        let (started, at) = (started.clone(), at.clone());
        async move {
            started.send(()).unwrap();
            at.wait();
        }
    });
    let builder = EventLoopPool::builder().loops(1).name(unique("l")).registry(registry);
    let pool = builder.stall_after(ms(5)).replace_after(replace_after).build().unwrap();
    (pool, starts)
}

#[test]
fn a_stuck_body_past_its_time_limit_is_reported_and_its_loop_replaced() {
    // The loop is replaced because of the limit, or long before the limit passes.
    for (limit, replace_after) in [(ms(30), NEVER), (ms(300), ms(10))] {
        let gate = Gate::new();
        let (pool, starts) = with_stuck(&gate, replace_after);
        let options = TaskOptions::new().time_limit(limit).unwrap();
        let stuck = submit(&pool, task_with(STUCK, options));
        receive("the start of the body", &starts);
        let behind = pool.spawn(async { 7 });
        let error = outcome(stuck).into_result().unwrap_err();
        assert_eq!(error.kind(), &TaskErrorKind::TimedOut { limit, abandoned: true });
        assert_eq!(value(behind), 7);
        gate.open();
        wait_until("the late result is counted", || pool.status().counts.late == 1);
        wait_until("nothing is in flight", || pool.status().in_flight == 0);
        drain(&pool);
    }
}

#[test]
fn what_is_behind_a_stuck_future_is_lost_at_the_deadline_of_the_shutdown() {
    for replace_after in [NEVER, ms(10)] {
        let gate = Gate::new();
        let (pool, _) = pool(1, ms(5), replace_after);
        let (send, threads) = mpsc::channel();
        let neighbour = pool.spawn(linger(Gate::new(), send));
        receive("the thread of the neighbour", &threads);
        let stuck = block_loop(&pool, 0, &gate);
        if replace_after != NEVER {
            assert_eq!(value(pool.spawn(async { 7 })), 7);
        }
        let report = stop(&pool, Shutdown::drain(ms(100)));
        assert!(report.stopped);
        assert_eq!([outcome(stuck).state(), outcome(neighbour).state()], [State::Lost; 2]);
        gate.open();
    }
}

#[test]
fn a_named_task_behind_a_stuck_one_is_lost_at_the_deadline_of_the_shutdown() {
    let gate = Gate::new();
    let (pool, starts) = with_stuck(&gate, ms(10));
    let stuck = submit(&pool, task_with(STUCK, TaskOptions::new()));
    receive("the start of the body", &starts);
    assert_eq!(value(pool.spawn(async { 7 })), 7);
    let report = stop(&pool, Shutdown::abort(ms(100)));
    assert_eq!((report.lost, outcome(stuck).state()), (1, State::Lost));
    gate.open();
    wait_until("the late result is counted", || pool.status().counts.late == 1);
}

#[test]
fn a_stop_that_is_asked_for_while_a_loop_is_stuck_waits_for_its_future() {
    let (pool, _) = pool(2, ms(5), ms(20));
    let gate = Gate::new();
    let stuck = block_loop(&pool, 0, &gate);
    assert_eq!(value(pool.submit_to(0, async { 7 }).unwrap()), 7);
    let pool = Arc::new(pool);
    let stopping = Arc::clone(&pool);
    let stopping = thread::Builder::new().spawn(move || drain(&*stopping)).unwrap();
    wait_until("the pool takes no more", || pool.status().phase != outwork_core::Phase::Running);
    gate.open();
    value(stuck);
    assert!(stopping.join().unwrap().stopped);
}
