//! How many threads there are.

use std::{
    sync::{Arc, Barrier},
    time::Duration,
};

use outwork_core::{BuildError, Executor};
use outwork_local::{ThreadPool, ThreadPoolSettings};

use super::occupy;
use crate::support::{Gate, drain, ms, threads_of, unique, value, wait_until};

const HOUR: Duration = Duration::from_secs(3600);

fn named(workers: usize) -> (ThreadPool, String) {
    let name = unique("t");
    (ThreadPool::builder().workers(workers).name(&name).build().unwrap(), name)
}

fn elastic(minimum: usize, workers: usize, keep_alive: Duration) -> (ThreadPool, String) {
    let name = unique("t");
    let builder = ThreadPool::builder().workers(workers).min_workers(minimum);
    (builder.keep_alive(keep_alive).name(&name).build().unwrap(), name)
}

/// Runs closures that cannot end unless all run at once.
fn meet(pool: &ThreadPool, closures: usize) {
    let all = Arc::new(Barrier::new(closures));
    let handles: Vec<_> = (0..closures)
        .map(|_| {
            let all = Arc::clone(&all);
            pool.spawn(move || drop(all.wait()))
        })
        .collect();
    handles.into_iter().for_each(value);
}

fn wait_for_threads(pool: &ThreadPool, name: &str, threads: usize) {
    let what = format!("{name} has {threads} threads");
    wait_until(&what, || threads_of(name) == threads && pool.status().workers == threads);
}

#[test]
fn all_threads_that_are_too_many_leave_an_idle_pool() {
    let (pool, name) = elastic(8, 8, HOUR);
    meet(&pool, 8);
    pool.resize(2).unwrap();
    wait_for_threads(&pool, &name, 2);
    meet(&pool, 2);
    drain(&pool);
}

#[test]
fn a_busy_pool_shrinks_as_its_tasks_end() {
    let ((pool, name), gate) = (named(4), Gate::new());
    let busy = occupy(&pool, 4, &gate);
    let queued: Vec<_> = (0..20).map(|n| pool.spawn(move || n)).collect();
    pool.resize(1).unwrap();
    gate.open();
    busy.into_iter().for_each(value);
    assert_eq!(queued.into_iter().map(value).sum::<i32>(), 190);
    wait_for_threads(&pool, &name, 1);
    assert_eq!(value(pool.spawn(|| 7)), 7);
}

#[test]
fn a_busy_pool_that_grows_starts_what_is_queued() {
    for (pool, _) in [named(1), elastic(1, 1, HOUR), elastic(0, 1, HOUR)] {
        let gate = Gate::new();
        let busy = occupy(&pool, 1, &gate);
        let all = Arc::new(Barrier::new(3));
        let queued: Vec<_> = (0..3)
            .map(|_| {
                let all = Arc::clone(&all);
                pool.spawn(move || drop(all.wait()))
            })
            .collect();
        pool.resize(4).unwrap();
        queued.into_iter().for_each(value);
        gate.open();
        busy.into_iter().for_each(value);
    }
}

#[test]
fn a_size_of_zero_is_refused_and_changes_nothing() {
    let (pool, name) = named(2);
    assert_eq!(pool.resize(0).unwrap_err(), BuildError::zero("workers"));
    meet(&pool, 2);
    assert_eq!(threads_of(&name), 2);
}

#[test]
fn a_pool_that_goes_up_and_down_under_load_loses_nothing() {
    let (pool, name) = named(2);
    let mut handles = Vec::new();
    for round in 0..200_usize {
        handles.extend((0..10).map(|n| pool.spawn(move || round + n)));
        pool.resize(1 + round % 5).unwrap();
    }
    assert_eq!(handles.into_iter().map(value).count(), 2000);
    pool.resize(3).unwrap();
    wait_for_threads(&pool, &name, 3);
    meet(&pool, 3);
    drain(&pool);
    wait_until("all threads have left", || threads_of(&name) == 0);
}

#[test]
fn the_size_is_in_the_configuration() {
    let (pool, _) = named(2);
    pool.resize(3).unwrap();
    let settings: ThreadPoolSettings = pool.config().settings().unwrap();
    assert_eq!(settings.workers, Some(3));
}

#[test]
fn a_pool_that_shrank_below_its_minimum_has_it_again_when_it_grows() {
    let (pool, name) = elastic(3, 4, Duration::ZERO);
    pool.resize(1).unwrap();
    wait_for_threads(&pool, &name, 1);
    pool.resize(4).unwrap();
    wait_for_threads(&pool, &name, 3);
}

#[test]
fn a_closed_pool_that_is_resized_starts_no_thread() {
    let (pool, name) = named(1);
    drain(&pool);
    wait_until("the thread has left", || threads_of(&name) == 0);
    pool.resize(4).unwrap();
    assert_eq!((threads_of(&name), pool.status().workers), (0, 0));
}

#[test]
fn threads_above_the_minimum_leave_when_they_are_idle_and_come_back_with_the_work() {
    let (pool, name) = elastic(1, 3, ms(10));
    for _ in 0..3 {
        meet(&pool, 3);
        wait_for_threads(&pool, &name, 1);
    }
}

#[test]
fn a_pool_may_have_no_thread_while_there_is_nothing_to_do() {
    let (pool, name) = elastic(0, 2, ms(10));
    assert_eq!(threads_of(&name), 0);
    for _ in 0..3 {
        meet(&pool, 2);
        wait_for_threads(&pool, &name, 0);
    }
}

#[test]
fn a_closure_that_comes_while_the_last_thread_leaves_is_run() {
    let (pool, _) = elastic(0, 1, Duration::ZERO);
    for n in 0..2000 {
        assert_eq!(value(pool.spawn(move || n)), n);
    }
}

#[test]
fn a_pool_that_may_grow_does_so_for_closures_that_need_each_other() {
    let (pool, _) = elastic(1, 2, HOUR);
    for _ in 0..50 {
        // The second comes while the thread that was idle is being woken for the first.
        meet(&pool, 2);
        pool.resize(1).unwrap();
        wait_until("a thread has left", || pool.status().workers == 1);
        pool.resize(2).unwrap();
    }
}
