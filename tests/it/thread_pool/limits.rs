//! Bodies that ignore their time limit.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use outwork_core::{
    BoxError, BoxFuture, Cancel, Executor, Hooks, Outcome, Registry, Shutdown, State, TaskContext,
    TaskDef, TaskErrorKind, TaskOptions, blocking::block_on,
};
use outwork_local::ThreadPool;

use crate::support::{
    Gate, LATER, drain, in_time, ms, outcome, receive, register, register_async, registry_of, stop,
    submit, takes_between, takes_less_than, task, task_with, threads_of, unique, value, wait_until,
};

const STUCK: TaskDef<(), ()> = TaskDef::new("stuck");
const LIMIT: Duration = ms(60);

fn limited(limit: Duration) -> TaskOptions {
    TaskOptions::new().time_limit(limit).unwrap()
}

/// A pool of one thread with a task that tells when it starts, and waits for a gate.
struct Pool {
    pool: ThreadPool,
    name: String,
    starts: mpsc::Receiver<Instant>,
    gate: Gate,
}

impl Pool {
    fn new() -> Self {
        let (name, gate) = (unique("t"), Gate::new());
        let (started, starts) = mpsc::channel();
        let at = gate.clone();
        let registry = registry_of(STUCK, move |_| {
            // Not every test reads it.
            let _ = started.send(Instant::now());
            at.wait();
        });
        let builder = ThreadPool::builder().workers(1).name(&name).registry(registry);
        Self { pool: builder.build().unwrap(), name, starts, gate }
    }
}

#[test]
fn a_body_that_ignores_its_time_limit_is_reported_at_once() {
    takes_between(LIMIT, LIMIT + ms(100), "the report", || {
        let stuck = Pool::new();
        let handle = submit(&stuck.pool, task_with(STUCK, limited(LIMIT)));
        let started = receive("the start of the body", &stuck.starts);
        let outcome = outcome(handle);
        let took = started.elapsed();
        let timed_out = TaskErrorKind::TimedOut { limit: LIMIT, abandoned: true };
        assert_eq!(outcome.error().unwrap().kind(), &timed_out);
        stuck.gate.open();
        took
    });
}

#[test]
fn a_thread_that_is_stuck_is_replaced_and_leaves_when_it_can() {
    let Pool { pool, name, gate, .. } = Pool::new();
    let stuck = submit(&pool, task_with(STUCK, limited(LIMIT)));
    let behind = pool.spawn(|| thread::current().name().map(str::to_owned));
    assert_eq!(outcome(stuck).state(), State::TimedOut);
    assert_eq!(value(behind), Some(format!("{name}-1")), "another thread goes on");
    assert_eq!((threads_of(&name), pool.status().workers), (2, 1));
    assert_eq!(pool.status().counts.late, 0);
    gate.open();
    wait_until("the late result is counted", || pool.status().counts.late == 1);
    wait_until("the stuck thread has left", || threads_of(&name) == 1);
    assert_eq!(pool.status().counts.timed_out, 1);
    assert_eq!(value(pool.spawn(|| 7)), 7);
}

#[test]
fn threads_that_were_stuck_and_left_do_not_count_for_ever() {
    let name = unique("t");
    let gates = Arc::new(Mutex::new(Gate::new()));
    let current = Arc::clone(&gates);
    let registry = registry_of(STUCK, move |_| {
        let gate = current.lock().unwrap().clone();
        gate.wait();
    });
    let builder = ThreadPool::builder().workers(1).name(&name).registry(registry);
    let pool = builder.build().unwrap();
    for _ in 0..300 {
        let gate = Gate::new();
        *gates.lock().unwrap() = gate.clone();
        let mut stuck = submit(&pool, task_with(STUCK, limited(ms(1))));
        let state = stuck.wait_timeout(Duration::from_secs(5)).map(|outcome| outcome.state());
        gate.open();
        assert_eq!(state, Ok(State::TimedOut));
        // The body may not have looked at its gate yet.
        wait_until("the stuck thread has left", || threads_of(&name) == 1);
    }
}

#[test]
fn a_body_that_ends_in_time_keeps_its_thread() {
    const SHORT: TaskDef<(), String> = TaskDef::new("short");
    let mut registry = Registry::new();
    register(&mut registry, SHORT, |_| thread::current().name().unwrap().to_owned());
    let builder = ThreadPool::builder().workers(1).name(unique("t")).registry(registry);
    let pool = builder.build().unwrap();
    let run = || value(submit(&pool, task_with(SHORT, limited(LATER))).decoded::<String>());
    let names: Vec<_> = (0..20).map(|_| run()).collect();
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
}

#[test]
fn limits_that_pass_while_their_bodies_end_cost_no_thread_and_no_task() {
    let name = unique("t");
    let registry = registry_of(STUCK, |_| thread::sleep(ms(1)));
    let builder = ThreadPool::builder().workers(2).name(&name).registry(registry);
    let pool = builder.build().unwrap();
    let tasks: Vec<_> = (0..300).map(|_| submit(&pool, task_with(STUCK, limited(ms(1))))).collect();
    for task in tasks {
        let state = outcome(task).state();
        assert!(matches!(state, State::Succeeded | State::TimedOut), "{state}");
    }
    wait_until("there are two threads", || threads_of(&name) == 2 && pool.status().workers == 2);
    drain(&pool);
}

#[test]
fn a_shutdown_does_not_wait_for_a_thread_that_was_given_up() {
    for how in [Shutdown::drain(LATER), Shutdown::cancel_pending(LATER)] {
        let Pool { pool, starts, gate, .. } = Pool::new();
        let stuck = submit(&pool, task_with(STUCK, limited(LIMIT)));
        receive("the start of the body", &starts);
        let pool = Arc::new(pool);
        let stopping = Arc::clone(&pool);
        let report = in_time("the shutdown", move || stop(&*stopping, how));
        assert!(report.stopped && report.lost == 0, "{report:?}");
        assert_eq!(outcome(stuck).state(), State::TimedOut);
        gate.open();
        wait_until("the late result is counted", || pool.status().counts.late == 1);
    }
}

#[test]
fn an_async_body_past_its_limit_stops_at_its_next_await_and_keeps_its_thread() {
    const PENDING: TaskDef<(), ()> = TaskDef::new("pending");
    let mut registry = Registry::new();
    register_async(&mut registry, PENDING, |_| std::future::pending());
    let builder = ThreadPool::builder().workers(1).name(unique("t")).registry(registry);
    let pool = builder.build().unwrap();
    let before = value(pool.spawn(|| thread::current().id()));
    takes_less_than(LIMIT + ms(100), "the end of the body", || {
        let begun = Instant::now();
        let outcome = outcome(submit(&pool, task_with(PENDING, limited(LIMIT))));
        let timed_out = TaskErrorKind::TimedOut { limit: LIMIT, abandoned: false };
        assert_eq!(outcome.error().unwrap().kind(), &timed_out);
        begun.elapsed()
    });
    assert_eq!(value(pool.spawn(|| thread::current().id())), before);
}

/// Hooks whose teardown blocks its thread for tasks that ran into their limit.
#[derive(Debug)]
struct BlockingTeardown(Gate);

impl Hooks for BlockingTeardown {
    fn teardown<'a>(
        &'a self,
        _ctx: &'a TaskContext,
        outcome: &'a Outcome,
    ) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move {
            if outcome.state() == State::TimedOut {
                self.0.wait();
            }
            Ok(())
        })
    }
}

#[test]
fn a_teardown_that_blocks_does_not_stop_the_timers_of_other_bodies() {
    const TICK: TaskDef<(), ()> = TaskDef::new("tick");
    let (teardown, gate) = (Gate::new(), Gate::new());
    let (started, starts) = mpsc::channel();
    let at = gate.clone();
    let mut registry = registry_of(STUCK, move |_| {
        started.send(()).unwrap();
        at.wait();
    });
    register_async(&mut registry, TICK, |_| tokio::time::sleep(ms(5)));
    let builder = ThreadPool::builder().workers(1).name(unique("t")).registry(registry);
    let hooks = Arc::new(BlockingTeardown(teardown.clone()));
    let pool = builder.hooks(hooks).build().unwrap();
    let stuck = submit(&pool, task_with(STUCK, limited(LIMIT)));
    receive("the start of the body", &starts);
    // Runs on the thread that replaces the stuck one, while the teardown of the stuck one blocks.
    let tick = submit(&pool, task(TICK));
    assert_eq!(outcome(tick).state(), State::Succeeded);
    assert_eq!(stuck.state(), State::Running);
    teardown.open();
    assert_eq!(outcome(stuck).state(), State::TimedOut);
    gate.open();
}

#[test]
fn a_task_that_is_cancelled_now_gets_no_grace() {
    const PENDING: TaskDef<(), ()> = TaskDef::new("pending");
    let (started, starts) = mpsc::channel();
    let mut registry = Registry::new();
    register_async(&mut registry, PENDING, move |_| {
        started.send(()).unwrap();
        std::future::pending()
    });
    let pool = ThreadPool::builder().workers(1).registry(registry).build().unwrap();
    let mut handle = submit(&pool, task_with(PENDING, TaskOptions::new().grace(LATER)));
    receive("the start of the body", &starts);
    assert_eq!(handle.cancel(), Cancel::Requested);
    assert!(handle.wait_timeout(ms(50)).is_err(), "it has its grace");
    assert_eq!(block_on(pool.cancel_now(handle.task_id())), Cancel::Requested);
    assert_eq!(outcome(handle).state(), State::Cancelled);
}
