//! No job is left with every thread asleep, and after the close every thread leaves.
//!
//! What is modelled is the whole pool, with its engine. A stop is over when every thread has
//! left, so that a thread which sleeps for ever is a stop which never ends. A wait that could
//! end by time may end at any time, so that threads leave as idle whenever that hurts most.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use outwork_core::{
    BoxError, Cancel, EventFilter, EventKind, EventStream, Executor, Priority, Registry, Shutdown,
    State, Task, TaskContext, TaskDef, TaskHandle, TaskOptions, blocking::block_on, models::check,
};
use shuttle::thread;

use super::{ThreadPool, ThreadPoolBuilder};

const WITHOUT_END: Duration = Duration::MAX;

const BODY: TaskDef<(), u32> = TaskDef::new("model.body");

/// A pool of so many threads, of which so many stay.
fn pool(minimum: usize, workers: usize) -> Arc<ThreadPool> {
    build(ThreadPool::builder().workers(workers).min_workers(minimum))
}

fn build(builder: ThreadPoolBuilder) -> Arc<ThreadPool> {
    build_for(builder, || ())
}

/// A pool whose tasks do this.
fn build_for(
    builder: ThreadPoolBuilder,
    body: impl Fn() + Send + Sync + 'static,
) -> Arc<ThreadPool> {
    let mut registry = Registry::new();
    let handler = move |_: &TaskContext, ()| {
        body();
        Ok::<_, BoxError>(7)
    };
    registry.register(BODY, handler).unwrap();
    Arc::new(builder.registry(registry).build().unwrap())
}

fn task(priority: Priority) -> Task {
    BODY.task(&()).unwrap().with_options(TaskOptions::new().priority(priority))
}

fn beside<T: Send + 'static>(
    pool: &Arc<ThreadPool>,
    run: impl FnOnce(&ThreadPool) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let pool = Arc::clone(pool);
    thread::spawn(move || run(&pool))
}

fn state<T: Send + 'static>(handle: TaskHandle<T>) -> State {
    block_on(handle).state()
}

/// Stops the pool, and has seen every thread of it leave.
fn stop(pool: &ThreadPool, how: Shutdown) {
    assert!(block_on(pool.shutdown(how)).stopped);
    // One who spawns just now, or a thread that was given up, may still have a place.
    while pool.status().in_flight > 0 {
        thread::yield_now();
    }
}

#[test]
fn what_is_queued_at_once_is_run_though_threads_come_and_go() {
    for (minimum, workers) in [(0, 1), (0, 2), (1, 2), (2, 2)] {
        check(move || {
            let pool = pool(minimum, workers);
            let others = [(); 2].map(|()| beside(&pool, |pool| state(pool.spawn(|| 7))));
            assert_eq!(state(pool.spawn(|| 7)), State::Succeeded);
            for other in others {
                assert_eq!(other.join().unwrap(), State::Succeeded);
            }
            stop(&pool, Shutdown::drain(WITHOUT_END));
        });
    }
}

/// Two jobs that wait for each other are run by two threads.
#[test]
fn as_many_threads_run_as_there_may_be() {
    for minimum in [0, 1, 2] {
        check(move || {
            let pool = pool(minimum, 2);
            let together = Arc::new(shuttle::sync::Barrier::new(2));
            let meet = |pool: &ThreadPool| {
                let together = Arc::clone(&together);
                pool.spawn(move || together.wait().is_leader())
            };
            let handles = [meet(&pool), meet(&pool)];
            handles.into_iter().for_each(|handle| assert_eq!(state(handle), State::Succeeded));
            stop(&pool, Shutdown::drain(WITHOUT_END));
        });
    }
}

#[test]
fn jobs_of_every_priority_are_run() {
    check(|| {
        let pool = pool(0, 2);
        let submit =
            |priority| move |pool: &ThreadPool| state(pool.try_submit(task(priority)).unwrap());
        let others =
            [Priority::Low, Priority::High].map(|priority| beside(&pool, submit(priority)));
        assert_eq!(submit(Priority::Normal)(&pool), State::Succeeded);
        for other in others {
            assert_eq!(other.join().unwrap(), State::Succeeded);
        }
        stop(&pool, Shutdown::drain(WITHOUT_END));
    });
}

/// The first job of low priority comes while threads wait that do not know of such jobs.
#[test]
fn a_job_of_low_priority_finds_threads_that_wait_for_others() {
    check(|| {
        let pool = pool(2, 2);
        let low = beside(&pool, |pool| state(pool.try_submit(task(Priority::Low)).unwrap()));
        assert_eq!(state(pool.spawn(|| 7)), State::Succeeded);
        assert_eq!(low.join().unwrap(), State::Succeeded);
        stop(&pool, Shutdown::drain(WITHOUT_END));
    });
}

/// A thread that goes off with a job takes no nudge with it that was about another one.
#[test]
fn a_job_of_low_priority_is_run_beside_one_that_waits_for_it() {
    check(|| {
        let together = Arc::new(shuttle::sync::Barrier::new(2));
        let meets = Arc::clone(&together);
        let two = ThreadPool::builder().workers(2).min_workers(2);
        let pool = build_for(two, move || {
            meets.wait();
        });
        let low = beside(&pool, |pool| state(pool.try_submit(task(Priority::Low)).unwrap()));
        let quick = pool.spawn(|| 7);
        let normal = pool.spawn(move || together.wait().is_leader());
        assert_eq!(state(normal), State::Succeeded);
        assert_eq!(state(quick), State::Succeeded);
        assert_eq!(low.join().unwrap(), State::Succeeded);
        stop(&pool, Shutdown::drain(WITHOUT_END));
    });
}

/// Whoever queues a job that comes too late takes the queue's entries out beside the one who
/// closes, and the nudge with them that was for a thread.
#[test]
fn every_thread_leaves_a_pool_that_is_closed_while_jobs_are_queued() {
    for how in [Shutdown::drain, Shutdown::cancel_pending, Shutdown::abort] {
        check(move || {
            let pool = pool(2, 2);
            let others = [(); 2].map(|()| {
                beside(&pool, |pool| match state(pool.spawn(|| 7)) {
                    State::Succeeded | State::Cancelled | State::Failed => {}
                    other => panic!("{other}"),
                })
            });
            stop(&pool, how(WITHOUT_END));
            others.into_iter().for_each(|other| other.join().unwrap());
        });
    }
}

#[test]
fn two_who_close_a_pool_at_once_and_one_who_drops_it_all_see_it_stop() {
    check(|| {
        let pool = pool(1, 2);
        let handle = pool.spawn(|| 7);
        let other = beside(&pool, |pool| stop(pool, Shutdown::cancel_pending(WITHOUT_END)));
        stop(&pool, Shutdown::drain(WITHOUT_END));
        drop(pool);
        other.join().unwrap();
        assert!(matches!(state(handle), State::Succeeded | State::Cancelled));
    });
}

#[test]
fn a_pool_that_shrinks_and_grows_again_runs_what_is_queued() {
    check(|| {
        let pool = pool(2, 2);
        let resizer = beside(&pool, |pool| {
            pool.resize(1).unwrap();
            pool.resize(2).unwrap();
        });
        let other = beside(&pool, |pool| state(pool.spawn(|| 7)));
        assert_eq!(state(pool.spawn(|| 7)), State::Succeeded);
        assert_eq!(other.join().unwrap(), State::Succeeded);
        resizer.join().unwrap();
        stop(&pool, Shutdown::drain(WITHOUT_END));
    });
}

/// Threads that are too many leave, also when they were asleep.
#[test]
fn a_pool_that_shrinks_has_no_thread_too_many_in_the_end() {
    check(|| {
        let pool = pool(3, 3);
        let other = beside(&pool, |pool| state(pool.spawn(|| 7)));
        pool.resize(1).unwrap();
        assert_eq!(other.join().unwrap(), State::Succeeded);
        while pool.status().workers > 1 {
            thread::yield_now();
        }
        stop(&pool, Shutdown::drain(WITHOUT_END));
    });
}

/// The inner one is run by a spare, or by a thread that was there.
#[test]
fn a_job_that_waits_for_another_of_its_own_pool_gets_a_spare() {
    check(|| {
        let pool = pool(0, 1);
        let inner = Arc::clone(&pool);
        let other = beside(&pool, |pool| state(pool.spawn(|| 7)));
        let outer = pool.spawn(move || state(inner.spawn(|| 7)));
        assert_eq!(block_on(outer).into_result().unwrap(), State::Succeeded);
        assert_eq!(other.join().unwrap(), State::Succeeded);
        stop(&pool, Shutdown::drain(WITHOUT_END));
    });
}

/// One place, so that a job that is cancelled in the queue gives back what others wait for.
#[test]
fn a_place_is_given_back_by_what_runs_and_by_what_is_cancelled() {
    check(|| {
        let limit = NonZeroUsize::MIN;
        let pool = build(ThreadPool::builder().workers(1).min_workers(0).limit(limit));
        let other = beside(&pool, |pool| {
            let handle = pool.spawn(|| 7);
            let cancel = handle.cancel();
            let expected = match cancel {
                Cancel::Confirmed => State::Cancelled,
                _ => State::Succeeded,
            };
            assert_eq!(state(handle), expected);
        });
        assert_eq!(state(pool.spawn(|| 7)), State::Succeeded);
        other.join().unwrap();
        stop(&pool, Shutdown::drain(WITHOUT_END));
    });
}

/// A stop that has waited long enough gives up the threads whose bodies do not end.
#[test]
fn the_jobs_of_threads_that_are_given_up_have_one_end() {
    use outwork_core::engine::{Backend, Close};
    check(|| {
        let pool = pool(2, 2);
        let handles = [(); 2].map(|()| pool.spawn(|| 7));
        let other = beside(&pool, |pool| pool.engine.backend().close(Close::Abandon));
        pool.engine.begin_shutdown(Shutdown::abort(WITHOUT_END));
        for handle in handles {
            let state = state(handle);
            assert!(matches!(state, State::Succeeded | State::Cancelled | State::Lost), "{state}");
        }
        other.join().unwrap();
        stop(&pool, Shutdown::abort(WITHOUT_END));
    });
}

/// How many beginnings and how many ends a stream tells of until it ends.
fn read(stream: &mut EventStream) -> (usize, usize) {
    let (mut begun, mut ended) = (0, 0);
    while let Some(event) = block_on(stream.next()) {
        match event.unwrap().kind {
            EventKind::Submitted => begun += 1,
            EventKind::Finished { .. } => ended += 1,
            _ => {}
        }
    }
    (begun, ended)
}

/// The worker, the handle, and the stop each may be the one who ends it.
#[test]
fn a_closure_that_was_told_of_is_told_to_its_end_and_then_the_streams_end() {
    check(|| {
        let pool = pool(1, 1);
        let mut told = pool.events(EventFilter::all());
        let other = beside(&pool, |pool| {
            let handle = pool.spawn(|| 7);
            let mut own = handle.events();
            handle.cancel();
            let state = state(handle);
            assert!(matches!(state, State::Succeeded | State::Cancelled | State::Failed));
            let (_, ended) = read(&mut own);
            assert!(ended <= 1);
        });
        stop(&pool, Shutdown::cancel_pending(WITHOUT_END));
        let (begun, ended) = read(&mut told);
        assert_eq!(begun, ended);
        other.join().unwrap();
    });
}
