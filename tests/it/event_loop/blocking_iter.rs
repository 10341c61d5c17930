//! Streams on a loop, as iterators on a thread.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

use futures_util::{StreamExt, stream};
use outwork_core::{
    Executor, Registry, Rejection, Shutdown, TaskDef, TaskErrorKind, WouldDeadlock,
};
use outwork_local::{EventLoopPool, ThreadPool};

use super::{block_loop, bounded, named, pool, thread_name};
use crate::support::{
    Gate, LATER, OnDrop, drain, in_time, ms, outcome, panic_on_purpose, receive, register, stop,
    submit, task, unique, value, wait_until,
};

fn prefetch(items: usize) -> NonZeroUsize {
    NonZeroUsize::new(items).unwrap()
}

#[test]
fn the_items_of_a_stream_come_in_order_and_then_nothing() {
    let pool = pool(1);
    for items in [1, 3, 100] {
        let make = || {
            stream::iter(0..50).then(|n| async move {
                tokio::task::yield_now().await;
                n
            })
        };
        let mut iterator = pool.blocking_iter(make, prefetch(items)).unwrap();
        let got: Vec<_> = iterator.by_ref().map(Result::unwrap).collect();
        assert_eq!(got, (0..50).collect::<Vec<_>>());
        assert!(iterator.next().is_none());
    }
    drain(&pool);
}

#[test]
fn a_stream_that_panics_yields_the_error_after_its_items() {
    let pool = pool(1);
    let make = || stream::iter(0..).map(|n| if n < 3 { n } else { panic_on_purpose() });
    let mut iterator = pool.blocking_iter(make, prefetch(10)).unwrap();
    let items: Vec<_> = iterator.by_ref().take(3).map(Result::unwrap).collect();
    assert_eq!(items, [0, 1, 2]);
    let error = iterator.next().unwrap().unwrap_err();
    assert_eq!(error.kind(), &TaskErrorKind::Panicked);
    assert!(iterator.next().is_none() && iterator.next().is_none());
}

#[test]
fn dropping_the_iterator_drops_the_stream_on_its_own_loop() {
    let (pool, name) = named(1);
    let (drops, dropped) = mpsc::channel();
    let make = move || {
        let held = OnDrop(move || drops.send(thread_name()).unwrap());
        stream::iter(0..).map(move |n| {
            let _held = &held;
            n
        })
    };
    let mut iterator = pool.blocking_iter(make, prefetch(2)).unwrap();
    assert_eq!(iterator.next().unwrap().unwrap(), 0);
    drop(iterator);
    assert_eq!(receive("the thread that drops the stream", &dropped), format!("{name}-0"));
    wait_until("nothing is in flight", || pool.status().in_flight == 0);
}

#[test]
fn a_stream_does_not_run_ahead_of_those_who_take() {
    let pool = pool(1);
    for ahead in [1, 4] {
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        let make = move || stream::iter(0..).map(move |_| count.fetch_add(1, Ordering::SeqCst));
        let mut iterator = pool.blocking_iter(make, prefetch(ahead)).unwrap();
        for taken in 0..20 {
            wait_until("items wait to be taken", || made.load(Ordering::SeqCst) >= taken + ahead);
            // Whatever the loop still had to do, it has done.
            (0..5).for_each(|_| value(pool.spawn(tokio::task::yield_now())));
            assert_eq!(made.load(Ordering::SeqCst), taken + ahead);
            assert_eq!(iterator.next().unwrap().unwrap(), taken);
        }
    }
}

#[test]
fn an_iterator_on_the_own_loop_is_an_error_at_once() {
    let pool = Arc::new(pool(2));
    let inner = Arc::clone(&pool);
    let refused =
        pool.spawn(async move { inner.blocking_iter(stream::empty::<()>, prefetch(1)).map(drop) });
    assert_eq!(value(refused), Err(WouldDeadlock));
}

#[test]
fn an_iterator_beside_the_loops_is_as_good_as_elsewhere() {
    const TAKES: TaskDef<(), u32> = TaskDef::new("takes");
    let (send, pools) = async_channel::bounded::<Arc<EventLoopPool>>(1);
    let mut registry = Registry::new();
    register(&mut registry, TAKES, move |_| {
        let pool = pools.try_recv().unwrap();
        let iterator = pool.blocking_iter(|| stream::iter(0..5), prefetch(1)).unwrap();
        iterator.map(Result::unwrap).sum::<u32>()
    });
    let builder = EventLoopPool::builder().loops(1).name(unique("l")).registry(registry);
    let pool = Arc::new(builder.build().unwrap());
    send.try_send(Arc::clone(&pool)).unwrap();
    assert_eq!(value(submit(&*pool, task(TAKES)).decoded::<u32>()), 10);
}

#[test]
fn an_iterator_that_is_carried_to_its_own_loop_does_not_stop_it() {
    let pool = pool(1);
    let gate = Gate::new();
    let at = gate.clone();
    let make = move || stream::once(async move { at.opened().await });
    let mut iterator = pool.blocking_iter(make, prefetch(1)).unwrap();
    let item = pool.spawn(async move { iterator.next().map(|item| item.map_err(drop)) });
    assert_eq!(value(item), Some(Err(())));
    gate.open();
    drain(&pool);
}

#[test]
fn an_iterator_on_a_thread_of_a_pool_whose_tasks_the_stream_awaits_goes_on() {
    let (pool, threads) = (pool(1), Arc::new(ThreadPool::builder().workers(1).build().unwrap()));
    let worker = Arc::clone(&threads);
    let sum = threads.spawn(move || {
        let make = move || {
            stream::iter(0..10).then(move |n| {
                let handle = worker.spawn(move || n);
                async move { handle.await.into_result().unwrap() }
            })
        };
        pool.blocking_iter(make, prefetch(2)).unwrap().map(Result::unwrap).sum::<i32>()
    });
    assert_eq!(value(sum), 45);
}

#[test]
fn an_iterator_ends_with_its_pool() {
    let pool = Arc::new(pool(1));
    let waiting = {
        let mut iterator = pool.blocking_iter(stream::pending::<()>, prefetch(1)).unwrap();
        let pool = Arc::clone(&pool);
        move || {
            stop(&*pool, Shutdown::abort(LATER));
            iterator.next().unwrap().unwrap_err()
        }
    };
    let error = in_time("the iterator", waiting);
    assert_eq!(error.kind(), &TaskErrorKind::Cancelled);
    let mut late = pool.blocking_iter(stream::empty::<()>, prefetch(1)).unwrap();
    let error = late.next().unwrap().unwrap_err();
    assert_eq!(error.kind(), &TaskErrorKind::Rejected(Rejection::Closed));
    assert!(late.next().is_none());
}

#[test]
fn an_iterator_over_a_stuck_stream_ends_at_the_deadline_of_the_shutdown() {
    let (pool, gate) = (pool(1), Gate::new());
    let (started, starts) = mpsc::channel();
    let at = gate.clone();
    let make = move || {
        stream::once(async move {
            started.send(()).unwrap();
            at.wait();
        })
    };
    let mut iterator = pool.blocking_iter(make, prefetch(1)).unwrap();
    receive("the start of the stream", &starts);
    stop(&pool, Shutdown::abort(ms(50)));
    let error = in_time("the iterator", move || iterator.next().unwrap().unwrap_err());
    assert!(matches!(error.kind(), TaskErrorKind::WorkerLost(_)), "{error}");
    gate.open();
}

#[test]
fn an_iterator_waits_for_room_like_any_other_work() {
    let (pool, gate) = (Arc::new(bounded(1, 1)), Gate::new());
    let blocking = block_loop(&pool, 0, &gate);
    let inner = Arc::clone(&pool);
    let opener = gate.clone();
    let items = in_time("the iterator", move || {
        opener.open();
        let iterator = inner.blocking_iter(|| stream::iter(0..3), prefetch(1)).unwrap();
        iterator.map(Result::unwrap).collect::<Vec<_>>()
    });
    assert_eq!(items, [0, 1, 2]);
    assert!(outcome(blocking).is_success());
    wait_until("nothing is in flight", || pool.status().in_flight == 0);
}
