//! Tasks that wait for tasks of their own pool.

use std::{
    sync::{Arc, mpsc},
    thread,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use outwork_core::{Executor, ExecutorExt, Priority, Registry, TaskDef, TaskHandle, TaskOptions};
use outwork_local::ThreadPool;

use super::pool;
use crate::support::{
    Gate, drain, register, register_async, submit, task, task_with, threads_of, unique, value,
    wait_until,
};

/// Spawns a closure that waits for one that waits for one, and so on.
fn nest(pool: &Arc<ThreadPool>, depth: u32) -> TaskHandle<u32> {
    let inner = Arc::clone(pool);
    pool.spawn(move || match depth {
        0 => 0,
        _ => nest(&inner, depth - 1).wait().unwrap().into_result().unwrap() + 1,
    })
}

#[test]
fn a_hundred_nested_waits_on_one_thread_end() {
    let name = unique("t");
    let pool = Arc::new(ThreadPool::builder().workers(1).name(&name).build().unwrap());
    assert_eq!(value(nest(&pool, 100)), 100);
    wait_until("the spare threads have left", || threads_of(&name) == 1);
    assert_eq!(value(nest(&pool, 3)), 3);
}

#[test]
fn waits_nested_deeper_than_there_are_spare_threads_fail_and_do_not_hang() {
    let pool = Arc::new(pool(1));
    fn nest(pool: &Arc<ThreadPool>, depth: u32) -> TaskHandle<bool> {
        let inner = Arc::clone(pool);
        pool.spawn(move || {
            let mut handle = match depth {
                0 => return true,
                _ => nest(&inner, depth - 1),
            };
            handle.wait().is_ok_and(|outcome| outcome.into_result().unwrap())
        })
    }
    assert!(!value(nest(&pool, 400)), "some wait was refused");
    drain(&*pool);
}

const OUTER: TaskDef<(), u32> = TaskDef::new("outer");
const INNER: TaskDef<(), u32> = TaskDef::new("inner");

/// Builds a pool with an async body that is given the pool.
fn with_outer<F>(
    workers: usize,
    body: impl Fn(Arc<ThreadPool>) -> F + Send + Sync + 'static,
) -> Arc<ThreadPool>
where
    F: Future<Output = u32> + Send + 'static,
{
    let (send, receive) = async_channel::bounded::<std::sync::Weak<ThreadPool>>(1);
    let mut registry = Registry::new();
    register_async(&mut registry, OUTER, move |_| {
        let pool = receive.try_recv().unwrap().upgrade().unwrap();
        body(pool)
    });
    register(&mut registry, INNER, |_| 7);
    let builder = ThreadPool::builder().workers(workers).name(unique("t")).registry(registry);
    let pool = Arc::new(builder.build().unwrap());
    send.try_send(Arc::downgrade(&pool)).unwrap();
    pool
}

fn outer(pool: &ThreadPool) -> u32 {
    value(submit(pool, task(OUTER)).decoded())
}

#[test]
fn an_async_body_that_awaits_a_task_of_its_own_pool_of_one_ends() {
    let pool = with_outer(1, |pool| async move {
        let handle = pool.submit(task(INNER)).await.unwrap().decoded::<u32>();
        handle.await.into_result().unwrap() + pool.call(INNER, &()).await.unwrap()
    });
    assert_eq!(outer(&pool), 14);
}

#[test]
fn an_async_body_that_awaits_many_tasks_and_polls_only_the_woken_ends() {
    // Only a future that was woken is polled again, so that a wait goes on without anybody
    // saying once more whom it is for.
    let pool = with_outer(1, |pool| async move {
        let gates: Vec<_> = (0..20).map(|_| Gate::new()).collect();
        let mut handles: FuturesUnordered<_> = gates
            .iter()
            .map(|gate| {
                let gate = gate.clone();
                pool.spawn(move || gate.wait())
            })
            .collect();
        let mut ended = 0;
        for gate in &gates {
            gate.open();
            ended += handles.next().await.unwrap().is_success() as u32;
        }
        ended
    });
    assert_eq!(outer(&pool), 20);
}

#[test]
fn an_async_body_that_awaits_a_timer_beside_a_task_ends() {
    let pool = with_outer(1, |pool| async move {
        let gate = Gate::new();
        let at = gate.clone();
        let handle = pool.spawn(move || at.wait());
        let mut both = FuturesUnordered::new();
        let tick = async {
            tokio::time::sleep(crate::support::ms(5)).await;
            gate.open();
            1_u32
        };
        both.push(Box::pin(tick) as std::pin::Pin<Box<dyn Future<Output = u32> + Send>>);
        both.push(Box::pin(async { handle.await.is_success() as u32 }));
        both.next().await.unwrap() + both.next().await.unwrap()
    });
    assert_eq!(outer(&pool), 2);
}

#[test]
fn timers_and_tasks_of_tokio_work_in_an_async_body() {
    let pool = with_outer(1, |_| async {
        tokio::time::sleep(crate::support::ms(1)).await;
        for _ in 0..300 {
            tokio::task::yield_now().await;
        }
        tokio::spawn(async { 7 }).await.unwrap()
    });
    assert_eq!(outer(&pool), 7);
}

#[test]
fn tasks_that_wait_for_those_of_two_pools_in_a_circle_end() {
    let (first, second) = (Arc::new(pool(1)), Arc::new(pool(1)));
    fn circle(here: &Arc<ThreadPool>, there: &Arc<ThreadPool>, depth: u32) -> TaskHandle<u32> {
        let (inner, other) = (Arc::clone(here), Arc::clone(there));
        here.spawn(move || match depth {
            0 => 0,
            _ => value(circle(&other, &inner, depth - 1)) + 1,
        })
    }
    assert_eq!(value(circle(&first, &second, 40)), 40);
}

#[test]
fn a_wait_for_a_task_of_low_priority_ends_although_the_idle_thread_slept_through_it() {
    const LEAF: TaskDef<(), ()> = TaskDef::new("leaf");
    for _ in 0..200 {
        let mut registry = Registry::new();
        register(&mut registry, LEAF, |_| ());
        let builder = ThreadPool::builder().workers(2).name(unique("t")).registry(registry);
        let pool = builder.build().unwrap();
        // Both threads have gone to sleep where they know of no low priority.
        let gate = Gate::new();
        super::occupy(&pool, 2, &gate);
        gate.open();
        let low = TaskOptions::new().priority(Priority::Low);
        let (send, receive) = mpsc::channel::<TaskHandle>();
        drop(pool.spawn(|| ()));
        send.send(submit(&pool, task_with(LEAF, low))).unwrap();
        let waits = pool.spawn(move || receive.recv().unwrap().wait().unwrap().is_success());
        assert!(value(waits));
    }
}

#[test]
fn a_wait_on_an_own_thread_costs_no_thread_when_the_task_has_ended() {
    let name = unique("t");
    let pool = Arc::new(ThreadPool::builder().workers(2).name(&name).build().unwrap());
    let inner = Arc::clone(&pool);
    let threads = pool.spawn(move || {
        let mut handle = inner.spawn(|| ());
        while !handle.state().is_final() {
            thread::yield_now();
        }
        handle.wait().unwrap().into_result().unwrap();
        threads_of(&name)
    });
    assert_eq!(value(threads), 2);
}
