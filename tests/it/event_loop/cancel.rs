//! Futures that are cancelled.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
    mpsc,
};

use outwork_core::{Cancel, Executor, State};

use super::{block_loop, named, pool, thread_name};
use crate::support::{Gate, OnDrop, drain, outcome, receive, value, wait_until};

#[test]
fn a_future_that_is_cancelled_is_dropped_at_its_await_on_its_own_loop() {
    let (pool, name) = named(2);
    let (drops, dropped) = mpsc::channel();
    let (started, starts) = mpsc::channel();
    let pending = pool.submit_to(1, async move {
        let _held = OnDrop(move || drops.send(thread_name()).unwrap());
        started.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    let pending = pending.unwrap();
    receive("the start of the future", &starts);
    assert_eq!(pending.cancel(), Cancel::Requested);
    assert_eq!(outcome(pending).state(), State::Cancelled);
    assert_eq!(dropped.try_recv(), Ok(format!("{name}-1")), "it is dropped before its end is seen");
}

#[test]
fn a_future_that_is_cancelled_before_its_loop_takes_it_is_never_made() {
    let (pool, gate) = (pool(1), Gate::new());
    let blocking = block_loop(&pool, 0, &gate);
    let made = Arc::new(AtomicBool::new(false));
    let make = Arc::clone(&made);
    let queued = pool.spawn_local(move || {
        make.store(true, Ordering::SeqCst);
        async {}
    });
    assert_eq!((queued.state(), queued.cancel()), (State::Pending, Cancel::Confirmed));
    assert_eq!(queued.cancel(), Cancel::NotFound);
    assert_eq!(outcome(queued).state(), State::Cancelled);
    assert_eq!(pool.status().in_flight, 2, "its place is free when it has left the queue");
    gate.open();
    value(blocking);
    wait_until("nothing is in flight", || pool.status().in_flight == 0);
    drain(&pool);
    assert!(!made.load(Ordering::SeqCst), "a cancelled future was made");
}

#[test]
fn a_result_that_is_there_before_the_next_await_wins_over_nothing() {
    // Cancelled while it is polled: it stops at its next await, or has its result.
    let (pool, gate) = (pool(1), Gate::new());
    let blocking = block_loop(&pool, 0, &gate);
    assert_eq!(blocking.cancel(), Cancel::Requested);
    assert_eq!(blocking.state(), State::Running);
    gate.open();
    assert_eq!(outcome(blocking).state(), State::Succeeded);
}

#[test]
fn a_future_that_never_yields_ready_is_cancelled_between_two_polls() {
    let pool = pool(1);
    let busy = pool.spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
    wait_until("the future runs", || busy.state() == State::Running);
    busy.cancel();
    assert_eq!(outcome::<()>(busy).state(), State::Cancelled);
}

#[test]
fn futures_that_are_cancelled_as_they_start_and_end_have_one_end() {
    let pool = pool(2);
    for turn in 0..3000_u32 {
        let handle = pool.spawn(async move {
            if turn.is_multiple_of(2) {
                tokio::task::yield_now().await;
            }
        });
        let cancel = handle.cancel();
        let state = outcome(handle).state();
        let fits = match cancel {
            Cancel::Confirmed => state == State::Cancelled,
            Cancel::NotFound => state == State::Succeeded,
            Cancel::Requested => matches!(state, State::Cancelled | State::Succeeded),
            Cancel::Unsupported => false,
        };
        assert!(fits, "{cancel:?}, {state}");
    }
    wait_until("nothing is in flight", || pool.status().in_flight == 0);
}
