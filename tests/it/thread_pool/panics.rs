//! Code of users that panics, wherever it can.

use std::thread::{self, ThreadId};

use outwork_core::{Executor, Shutdown, State, TaskErrorKind};
use outwork_local::ThreadPool;

use super::{bounded, occupy, pool};
use crate::support::{
    Bomb, Gate, LATER, ON_PURPOSE, drain, outcome, panic_on_purpose, stop, value,
};

fn the_thread(pool: &ThreadPool) -> ThreadId {
    value(pool.spawn(|| thread::current().id()))
}

#[test]
fn a_panic_ends_its_closure_and_not_the_thread() {
    let pool = pool(1);
    let before = the_thread(&pool);
    let error = outcome(pool.spawn(|| -> () { panic_on_purpose() })).into_result().unwrap_err();
    assert_eq!((error.kind(), error.message()), (&TaskErrorKind::Panicked, ON_PURPOSE));
    assert_eq!(the_thread(&pool), before);
}

#[test]
fn a_panic_whose_payload_panics_is_contained() {
    let pool = pool(1);
    let before = the_thread(&pool);
    let handle = pool.spawn(|| -> () { std::panic::panic_any(Bomb) });
    assert_eq!(outcome(handle).error().unwrap().kind(), &TaskErrorKind::Panicked);
    assert_eq!(the_thread(&pool), before);
}

#[test]
fn a_result_that_panics_when_nobody_keeps_it_is_contained() {
    let pool = pool(1);
    let before = the_thread(&pool);
    let gate = Gate::new();
    let at = gate.clone();
    drop(pool.spawn(move || {
        at.wait();
        Bomb
    }));
    gate.open();
    assert_eq!(the_thread(&pool), before);
    drain(&pool);
}

#[test]
fn a_closure_that_panics_when_it_is_cancelled_in_the_queue_is_contained() {
    let (pool, gate) = (bounded(1, 4), Gate::new());
    let busy = occupy(&pool, 1, &gate);
    let by_handle = pool.spawn({
        let bomb = Bomb;
        move || std::mem::forget(bomb)
    });
    by_handle.cancel();
    assert_eq!(outcome(by_handle).state(), State::Cancelled);
    let held = [Bomb, Bomb].map(|bomb| pool.spawn(move || std::mem::forget(bomb)));
    stop(&pool, Shutdown::cancel_pending(LATER).wait(false));
    held.into_iter().for_each(|handle| assert_eq!(outcome(handle).state(), State::Cancelled));
    gate.open();
    busy.into_iter().for_each(value);
    assert!(drain(&pool).stopped);
    assert_eq!(pool.status().in_flight, 0);
}

#[test]
fn a_closure_that_panics_when_its_pool_is_dropped_is_contained() {
    let (pool, gate) = (pool(1), Gate::new());
    let busy = occupy(&pool, 1, &gate);
    let bomb = Bomb;
    let queued = pool.spawn(move || std::mem::forget(bomb));
    drop(pool);
    assert_eq!(outcome(queued).state(), State::Cancelled);
    gate.open();
    busy.into_iter().for_each(value);
}

#[test]
fn a_flood_of_panics_costs_no_thread() {
    let pool = pool(2);
    let handles: Vec<_> = (0..500).map(|_| pool.spawn(|| -> () { panic_on_purpose() })).collect();
    for handle in handles {
        assert_eq!(outcome(handle).state(), State::Failed);
    }
    assert_eq!((pool.status().workers, pool.status().in_flight), (2, 0));
}
