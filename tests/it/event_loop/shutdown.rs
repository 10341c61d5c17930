//! Pools of loops that are stopped, however busy they are.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use outwork_core::{
    Executor, NoRoom, Phase, Registry, Rejection, Shutdown, State, TaskDef, TaskErrorKind,
    blocking::{block_on, block_on_for},
};
use outwork_local::EventLoopPool;

use super::{block_loop, linger, named, pool, thread_name};
use crate::support::{
    Gate, LATER, OnDrop, PATIENCE, alone, drain, in_time, in_turn, leave_nothing, ms, outcome,
    receive, register, register_async, stop, submit, takes_between, takes_less_than, task,
    threads_of, unique, value, wait_until,
};

#[test]
fn a_drain_finishes_what_runs_and_what_waits() {
    let (pool, name) = named(2);
    let pool = Arc::new(pool);
    let (gate, later) = (Gate::new(), Gate::new());
    let (send, threads) = mpsc::channel();
    let lingers = pool.submit_to(0, linger(later.clone(), send)).unwrap();
    receive("the thread", &threads);
    let blocking = block_loop(&pool, 0, &gate);
    let queued: Vec<_> = (0..50).map(|n| pool.submit_to(0, async move { n }).unwrap()).collect();
    let stopping = Arc::clone(&pool);
    let stopping = thread::Builder::new().spawn(move || drain(&*stopping)).unwrap();
    wait_until("the pool takes no more", || pool.status().phase == Phase::Draining);
    gate.open();
    value(blocking);
    assert_eq!(queued.into_iter().map(value).sum::<i32>(), 1225);
    assert_eq!(pool.status().phase, Phase::Draining, "a future that awaits is not given up");
    later.open();
    value(lingers);
    assert!(in_time("the drain", move || stopping.join().unwrap()).stopped);
    wait_until("the threads have left", || threads_of(&name) == 0);
}

#[test]
fn a_stop_that_cancels_what_waits_finishes_what_runs() {
    let (pool, gate) = (pool(1), Gate::new());
    let (send, threads) = mpsc::channel();
    let lingers = pool.spawn(linger(gate.clone(), send));
    receive("the thread", &threads);
    let blocking = block_loop(&pool, 0, &gate);
    let queued: Vec<_> = (0..5).map(|_| pool.spawn(async {})).collect();
    stop(&pool, Shutdown::cancel_pending(LATER).wait(false));
    queued.into_iter().for_each(|handle| assert_eq!(outcome(handle).state(), State::Cancelled));
    gate.open();
    assert!(drain(&pool).stopped);
    assert_eq!(outcome(blocking).state(), State::Succeeded);
    assert_eq!(outcome(lingers).state(), State::Succeeded);
}

#[test]
fn an_abort_drops_futures_that_await_on_their_own_loop() {
    let (pool, name) = named(2);
    let (drops, dropped) = mpsc::channel();
    let (send, threads) = mpsc::channel();
    let futures: Vec<_> = (0..4)
        .map(|_| {
            let (drops, send) = (drops.clone(), send.clone());
            pool.spawn(async move {
                let here = thread_name();
                let _held = OnDrop(move || drops.send((here.clone(), thread_name())).unwrap());
                linger(Gate::new(), send).await;
            })
        })
        .collect();
    futures.iter().for_each(|_| drop(receive("the thread", &threads)));
    let begun = Instant::now();
    let report = stop(&pool, Shutdown::abort(LATER));
    assert!(report.stopped && begun.elapsed() < PATIENCE, "{report:?}");
    for future in futures {
        assert_eq!(outcome(future).state(), State::Cancelled);
        let (made, dropped) = dropped.try_recv().unwrap();
        assert_eq!(made, dropped);
    }
    wait_until("the threads have left", || threads_of(&name) == 0);
}

#[test]
fn a_future_that_awaits_at_the_deadline_is_cancelled_and_not_lost() {
    for how in [Shutdown::drain, Shutdown::cancel_pending] {
        // What it is given to stop in is a part of the deadline, and the machine may be busy.
        let is_cancelled = [ms(60), ms(600), ms(6000)].into_iter().any(|deadline| {
            let (pool, name) = named(1);
            let (send, threads) = mpsc::channel();
            let pending = pool.spawn(linger(Gate::new(), send));
            receive("the thread", &threads);
            assert!(stop(&pool, how(deadline)).stopped);
            wait_until("the thread has left", || threads_of(&name) == 0);
            outcome(pending).state() == State::Cancelled
        });
        assert!(is_cancelled);
    }
}

#[test]
fn a_stuck_future_is_lost_at_the_deadline() {
    let deadline = ms(600);
    takes_between(deadline, deadline.mul_f64(1.1), "the whole stop", || {
        let (pool, gate) = (pool(1), Gate::new());
        let blocking = block_loop(&pool, 0, &gate);
        let queued = pool.spawn(async {});
        let begun = Instant::now();
        assert!(stop(&pool, Shutdown::drain(deadline)).stopped);
        let took = begun.elapsed();
        assert_eq!(outcome(blocking).state(), State::Lost);
        assert_eq!(outcome(queued).state(), State::Cancelled);
        gate.open();
        took
    });
}

#[test]
fn a_stop_that_is_not_waited_for_returns_at_once() {
    takes_less_than(ms(50), "a shutdown without waiting", || {
        let (pool, gate) = (pool(1), Gate::new());
        let blocking = block_loop(&pool, 0, &gate);
        let begun = Instant::now();
        assert!(!stop(&pool, Shutdown::abort(LATER).wait(false)).stopped);
        let took = begun.elapsed();
        gate.open();
        outcome(blocking);
        drain(&pool);
        took
    });
}

#[test]
fn a_pool_that_has_nothing_to_do_stops_at_once() {
    takes_less_than(ms(200), "the stop of an idle pool", || {
        let pool = pool(2);
        value(pool.spawn(async {}));
        let begun = Instant::now();
        stop(&pool, Shutdown::drain(Duration::from_secs(5)));
        begun.elapsed()
    });
}

#[test]
fn a_pool_can_be_stopped_twice_and_from_four_threads_at_once() {
    let (pool, gate) = (Arc::new(pool(2)), Gate::new());
    let (send, threads) = mpsc::channel();
    let lingers = pool.spawn(linger(gate.clone(), send));
    receive("the thread", &threads);
    let stopping: Vec<_> = (0..4)
        .map(|_| {
            let pool = Arc::clone(&pool);
            let stop = move || stop(&*pool, Shutdown::cancel_pending(LATER));
            thread::Builder::new().spawn(stop).unwrap()
        })
        .collect();
    wait_until("the pool takes no more", || pool.status().phase == Phase::Draining);
    gate.open();
    for stopping in stopping {
        assert!(in_time("a shutdown", move || stopping.join().unwrap()).stopped);
    }
    assert!(drain(&*pool).stopped);
    assert_eq!(outcome(lingers).state(), State::Succeeded);
}

const STOPS: TaskDef<(), bool> = TaskDef::new("stops");
const STOPS_ASYNC: TaskDef<(), bool> = TaskDef::new("stops-async");

#[test]
fn a_pool_can_be_stopped_from_its_own_tasks() {
    let pool_of = Arc::new(Mutex::new(None::<Arc<EventLoopPool>>));
    let mut registry = Registry::new();
    let pool = Arc::clone(&pool_of);
    register(&mut registry, STOPS, move |_| {
        let pool = pool.lock().unwrap().take().unwrap();
        block_on(pool.shutdown(Shutdown::drain(LATER))).stopped
    });
    let pool = Arc::clone(&pool_of);
    register_async(&mut registry, STOPS_ASYNC, move |_| {
        let pool = pool.lock().unwrap().take().unwrap();
        async move { pool.shutdown(Shutdown::drain(LATER)).await.stopped }
    });
    let registry = Arc::new(registry);
    let build = || {
        let builder = EventLoopPool::builder().loops(1).name(unique("l"));
        Arc::new(builder.registry(Arc::clone(&registry)).build().unwrap())
    };
    for def in [STOPS, STOPS_ASYNC] {
        let pool = build();
        *pool_of.lock().unwrap() = Some(Arc::clone(&pool));
        assert!(!value(submit(&*pool, task(def)).decoded::<bool>()));
        assert!(drain(&*pool).stopped);
    }
    let pool = build();
    let inner = Arc::clone(&pool);
    let inside = pool.spawn(async move { inner.shutdown(Shutdown::drain(LATER)).await.stopped });
    assert!(!value(inside), "a future does not wait for its own end");
    assert!(drain(&*pool).stopped);
}

#[test]
fn a_pool_can_be_dropped_by_its_own_future() {
    let (pool, name) = named(2);
    let (pool, gate) = (Arc::new(pool), Gate::new());
    let (inner, at) = (Arc::clone(&pool), gate.clone());
    let inside = pool.spawn(async move {
        at.opened().await;
        drop(inner);
        tokio::task::yield_now().await;
        7
    });
    drop(pool);
    gate.open();
    assert_eq!(value(inside), 7);
    wait_until("the threads have left", || threads_of(&name) == 0);
}

#[test]
fn dropping_a_busy_pool_waits_for_nothing_cancels_what_waits_and_finishes_what_runs() {
    let (pool, name) = named(1);
    let gate = Gate::new();
    let (send, threads) = mpsc::channel();
    let lingers = pool.spawn(linger(gate.clone(), send));
    receive("the thread", &threads);
    let blocking = block_loop(&pool, 0, &gate);
    let queued = pool.spawn(async {});
    in_time("dropping the pool", move || drop(pool));
    assert_eq!(outcome(queued).state(), State::Cancelled);
    gate.open();
    assert_eq!(outcome(lingers).state(), State::Succeeded);
    assert_eq!(outcome(blocking).state(), State::Succeeded);
    wait_until("the threads have left", || threads_of(&name) == 0);
}

#[test]
fn a_future_after_the_shutdown_is_rejected() {
    let pool = pool(1);
    drain(&pool);
    let late = [
        pool.spawn(async {}),
        pool.submit_keyed(3, async {}),
        pool.submit_to(0, async {}).unwrap(),
    ];
    for handle in late {
        let error = outcome(handle).into_result().unwrap_err();
        assert_eq!(error.kind(), &TaskErrorKind::Rejected(Rejection::Closed));
    }
    assert_eq!(pool.try_spawn(async {}).unwrap_err().reason(), NoRoom::Closed);
    let when_free = block_on_for(pool.spawn_when_free(async {}), Some(PATIENCE)).unwrap();
    assert_eq!(when_free.unwrap_err(), NoRoom::Closed);
}

#[test]
fn every_handle_resolves_when_submissions_meet_a_shutdown() {
    const UNIT: TaskDef<(), ()> = TaskDef::new("unit");
    let mut registry = Registry::new();
    register_async(&mut registry, UNIT, |_| tokio::task::yield_now());
    let registry = Arc::new(registry);
    for round in 0..400_usize {
        let builder = EventLoopPool::builder().loops(1 + round % 2).name(unique("l"));
        let builder = builder.limit(4.try_into().unwrap());
        let pool = builder.registry(Arc::clone(&registry)).build().unwrap();
        let start = std::sync::Barrier::new(4);
        thread::scope(|scope| {
            for submitter in 0..3 {
                let (pool, start) = (&pool, &start);
                scope.spawn(move || {
                    start.wait();
                    let mut spawned = Vec::new();
                    for _ in 0..8 {
                        if submitter == 0 {
                            if let Ok(handle) = block_on(pool.submit(task(UNIT))) {
                                let state = outcome(handle).state();
                                assert!(matches!(state, State::Succeeded | State::Cancelled));
                            }
                        } else {
                            spawned.push(pool.spawn(tokio::task::yield_now()));
                        }
                    }
                    for handle in spawned {
                        let state = outcome(handle).state();
                        let resolved = [State::Succeeded, State::Cancelled, State::Failed];
                        assert!(resolved.contains(&state), "{state}");
                    }
                });
            }
            start.wait();
            for _ in 0..round % 50 {
                thread::yield_now();
            }
            stop(&pool, in_turn(round));
        });
        assert_eq!(pool.status().in_flight, 0);
    }
}

#[test]
fn a_hundred_pools_leave_no_thread_and_no_descriptor() {
    const UNIT: TaskDef<(), ()> = TaskDef::new("unit");
    const BLOCKS: TaskDef<(), ()> = TaskDef::new("blocks");
    fn here() {}
    alone(here, || {
        leave_nothing(100, "leaves", || {
            let mut registry = Registry::new();
            register_async(&mut registry, UNIT, |_| tokio::time::sleep(ms(1)));
            register(&mut registry, BLOCKS, |_| ());
            let builder = EventLoopPool::builder().loops(2).name("leaves");
            let pool = builder.registry(registry).build().unwrap();
            drop([UNIT, BLOCKS].map(|def| submit(&pool, task(def))));
            let short = || async { tokio::time::sleep(ms(1)).await };
            (0..10).for_each(|_| drop(pool.spawn(short())));
            drop(pool.blocking_iter(futures_util::stream::pending::<()>, 1.try_into().unwrap()));
            pool
        });
    });
}
