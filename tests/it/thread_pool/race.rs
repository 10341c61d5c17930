//! Calls that meet.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use outwork_core::{Executor, Registry, State, TaskDef, blocking::block_on};
use outwork_local::ThreadPool;

use crate::support::{in_turn, outcome, register, stop, task, unique};

const UNIT: TaskDef<(), ()> = TaskDef::new("unit");

#[test]
fn every_handle_resolves_when_submissions_meet_a_shutdown() {
    let mut registry = Registry::new();
    register(&mut registry, UNIT, |_| ());
    let registry = Arc::new(registry);
    for round in 0..2000_usize {
        let builder = ThreadPool::builder().workers(1 + round % 2).min_workers(round % 3);
        let builder = builder.limit(4.try_into().unwrap()).name(unique("t"));
        let pool = builder.registry(Arc::clone(&registry)).build().unwrap();
        let (ran, start) = (AtomicUsize::new(0), Barrier::new(4));
        let ran = Arc::new(ran);
        thread::scope(|scope| {
            for submitter in 0..3 {
                let (pool, ran, start) = (&pool, &ran, &start);
                scope.spawn(move || {
                    start.wait();
                    let mut spawned = Vec::new();
                    for _ in 0..8 {
                        if submitter == 0 {
                            let submitted = block_on(pool.submit(task(UNIT)));
                            submitted.map_or_else(drop, |handle| {
                                assert_resolved(outcome(handle).state());
                            });
                        } else {
                            let ran = Arc::clone(ran);
                            spawned.push(pool.spawn(move || ran.fetch_add(1, Ordering::SeqCst)));
                        }
                    }
                    spawned.into_iter().for_each(|handle| assert_resolved(outcome(handle).state()));
                });
            }
            start.wait();
            for _ in 0..round % 50 {
                thread::yield_now();
            }
            stop(&pool, in_turn(round));
        });
        let after = ran.load(Ordering::SeqCst);
        assert_eq!(pool.status().in_flight, 0);
        drop(pool);
        assert_eq!(ran.load(Ordering::SeqCst), after, "a body ran after the stop");
    }
}

fn assert_resolved(state: State) {
    assert!(matches!(state, State::Succeeded | State::Cancelled | State::Failed), "{state}");
}

#[test]
fn a_closure_is_either_run_or_cancelled_and_never_both() {
    let builder = ThreadPool::builder().workers(2).name(unique("t"));
    let pool = builder.build().unwrap();
    for _ in 0..3000 {
        let ran = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&ran);
        let handle = pool.spawn(move || count.fetch_add(1, Ordering::SeqCst));
        let cancelled = handle.cancel() == outwork_core::Cancel::Confirmed;
        let state = outcome(handle).state();
        let expected = if cancelled { State::Cancelled } else { State::Succeeded };
        assert_eq!(state, expected);
        assert_eq!(ran.load(Ordering::SeqCst), usize::from(!cancelled));
    }
}
