//! Futures that wait for work of their own pool.

use std::{num::NonZeroUsize, sync::Arc};

use outwork_core::{CallError, Executor, ExecutorExt, Registry, TaskDef, WaitError, WouldDeadlock};
use outwork_local::{EventLoopPool, ThreadPool};

use super::{pool, thread_name};
use crate::support::{Gate, PATIENCE, drain, ms, register, register_async, unique, value};

const LEAF: TaskDef<(), u32> = TaskDef::new("leaf");
const BLOCKING_LEAF: TaskDef<(), u32> = TaskDef::new("blocking-leaf");

/// A pool of one loop with two tasks, of which the one that blocks waits for a gate.
fn with_leaves(gate: &Gate) -> Arc<EventLoopPool> {
    let mut registry = Registry::new();
    register_async(&mut registry, LEAF, |_| async {
        tokio::task::yield_now().await;
        7
    });
    let at = gate.clone();
    register(&mut registry, BLOCKING_LEAF, move |_| {
        at.wait();
        8
    });
    let builder = EventLoopPool::builder().loops(1).name(unique("l")).registry(registry);
    Arc::new(builder.build().unwrap())
}

#[test]
fn a_wait_that_would_stop_the_own_loop_is_an_error_at_once() {
    let gate = Gate::new();
    let pool = with_leaves(&gate);
    let inner = Arc::clone(&pool);
    let errors = pool.spawn(async move {
        let mut handle = inner.spawn(async { 7 });
        let forever = handle.wait().unwrap_err();
        let a_while = handle.wait_timeout(PATIENCE).unwrap_err();
        let call = inner.blocking_call(LEAF, &()).unwrap_err();
        let beside = inner.blocking_call(BLOCKING_LEAF, &()).unwrap_err();
        assert_eq!(handle.await.into_result().unwrap(), 7, "a refused wait takes nothing away");
        ([forever, a_while], [call, beside])
    });
    let (waits, calls) = value(errors);
    assert_eq!(waits, [WaitError::WouldDeadlock(WouldDeadlock); 2]);
    for call in calls {
        assert!(matches!(call, CallError::Wait(WaitError::WouldDeadlock(_))), "{call}");
    }
    gate.open();
    drain(&*pool);
}

#[test]
fn a_future_that_is_spawned_on_an_own_loop_when_there_is_room_never_waits_for_it() {
    let builder = EventLoopPool::builder().loops(1).limit(NonZeroUsize::MIN).name(unique("l"));
    let pool = Arc::new(builder.build().unwrap());
    let inner = Arc::clone(&pool);
    let number = pool.spawn(async move { inner.spawn_when_free(async { 7 }).await.unwrap().await });
    assert_eq!(value(number).into_result().unwrap(), 7);
    assert_eq!(pool.status().in_flight, 0);
}

#[test]
fn what_has_ended_can_be_waited_for_on_the_own_loop() {
    let pool = Arc::new(pool(2));
    let mut ended = pool.spawn(async { 7 });
    outwork_core::blocking::block_on_for(ended.ended(), Some(PATIENCE)).unwrap();
    let sum = pool.spawn(async move { ended.wait().unwrap().into_result().unwrap() });
    assert_eq!(value(sum), 7);
}

#[test]
fn a_future_may_await_tasks_of_its_own_pool() {
    let gate = Gate::new();
    let pool = with_leaves(&gate);
    gate.open();
    let inner = Arc::clone(&pool);
    let sum = pool.spawn(async move {
        let spawned = inner.spawn(async { 1 }).await.into_result().unwrap();
        let called = inner.call(LEAF, &()).await.unwrap();
        let beside = inner.call(BLOCKING_LEAF, &()).await.unwrap();
        spawned + called + beside
    });
    assert_eq!(value(sum), 16);
}

#[test]
fn a_body_beside_the_loops_may_block_on_its_own_pool() {
    const OUTER: TaskDef<(), u32> = TaskDef::new("outer");
    let (send, receive) = async_channel::bounded::<Arc<EventLoopPool>>(1);
    let mut registry = Registry::new();
    register_async(&mut registry, LEAF, |_| async { 7 });
    register(&mut registry, BLOCKING_LEAF, |_| 8);
    register(&mut registry, OUTER, move |_| {
        let pool = receive.try_recv().unwrap();
        let spawned = pool.spawn(async { 1 }).wait().unwrap().into_result().unwrap();
        let called = pool.blocking_call(LEAF, &()).unwrap();
        // There is one thread for bodies that block, and this is it.
        let beside = pool.blocking_call(BLOCKING_LEAF, &()).unwrap();
        spawned + called + beside
    });
    let builder = EventLoopPool::builder().loops(1).name(unique("l")).registry(registry);
    let pool = Arc::new(builder.build().unwrap());
    send.try_send(Arc::clone(&pool)).unwrap();
    let outer = crate::support::submit(&*pool, crate::support::task(OUTER));
    assert_eq!(value(outer.decoded::<u32>()), 16);
}

#[test]
fn a_loop_may_wait_for_another_pool() {
    let (pool, threads) = (pool(1), ThreadPool::builder().workers(1).build().unwrap());
    let handle = pool.spawn(async move {
        let beside = threads.spawn(thread_name).wait().unwrap().into_result().unwrap();
        (beside, thread_name())
    });
    let (beside, here) = value(handle);
    assert_ne!(beside, here);
}

#[test]
fn a_wait_that_is_refused_does_not_stop_timers() {
    let pool = Arc::new(pool(1));
    let inner = Arc::clone(&pool);
    let handle = pool.spawn(async move {
        let mut later = inner.spawn(async { tokio::time::sleep(ms(5)).await });
        while later.wait().is_err() {
            tokio::time::sleep(ms(1)).await;
        }
    });
    value(handle);
}
