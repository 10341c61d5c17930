//! Pools that are stopped, however busy they are.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use outwork_core::{
    EventFilter, Executor, LossReason, NoRoom, Phase, Registry, Rejection, Shutdown,
    ShutdownReport, State, SubmitErrorKind, TaskDef, TaskErrorKind, TaskHandle,
    blocking::{block_on, block_on_for},
};
use outwork_local::ThreadPool;

use super::{occupy, pool};
use crate::support::{
    Gate, LATER, PATIENCE, alone, drain, in_time, leave_nothing, ms, outcome, receive, register,
    register_async, stop, story, submit, takes_between, takes_less_than, task, threads_of, unique,
    value, wait_until,
};

const STOPS: TaskDef<(), bool> = TaskDef::new("stops");
const STOPS_ASYNC: TaskDef<(), bool> = TaskDef::new("stops-async");
const UNIT: TaskDef<(), ()> = TaskDef::new("unit");
const PENDING: TaskDef<(), ()> = TaskDef::new("pending");
const ASKED: TaskDef<(), ()> = TaskDef::new("asked");

/// A pool that is busy with a closure, with three more in the queue.
struct Busy {
    pool: Arc<ThreadPool>,
    name: String,
    gate: Gate,
    running: TaskHandle<()>,
    queued: Vec<TaskHandle<()>>,
}

impl Busy {
    fn new() -> Self {
        let (name, gate) = (unique("t"), Gate::new());
        let mut registry = Registry::new();
        register(&mut registry, UNIT, |_| ());
        let builder = ThreadPool::builder().workers(1).name(&name).registry(registry);
        let pool = Arc::new(builder.build().unwrap());
        let running = occupy(&pool, 1, &gate).pop().unwrap();
        let queued = (0..3).map(|_| pool.spawn(|| ())).collect();
        Self { pool, name, gate, running, queued }
    }

    /// Begins to stop it on another thread, and waits until it takes no more.
    fn begin_stop(&self, how: Shutdown) -> thread::JoinHandle<ShutdownReport> {
        let pool = Arc::clone(&self.pool);
        let stopping = thread::Builder::new().spawn(move || stop(&*pool, how)).unwrap();
        wait_until("the pool takes no more", || self.pool.status().phase != Phase::Running);
        stopping
    }
}

fn states(handles: Vec<TaskHandle<()>>) -> Vec<State> {
    handles.into_iter().map(|handle| outcome(handle).state()).collect()
}

fn join(stopping: thread::JoinHandle<ShutdownReport>) -> ShutdownReport {
    in_time("the shutdown", move || stopping.join().unwrap())
}

#[test]
fn a_drain_finishes_what_runs_and_what_waits() {
    let busy = Busy::new();
    let named = submit(&*busy.pool, task(UNIT));
    let stopping = busy.begin_stop(Shutdown::drain(LATER));
    assert_eq!(busy.pool.status().phase, Phase::Draining);
    busy.gate.open();
    assert!(join(stopping).stopped);
    assert_eq!(busy.pool.status().phase, Phase::Stopped);
    assert_eq!(outcome(busy.running).state(), State::Succeeded);
    assert_eq!(states(busy.queued), [State::Succeeded; 3]);
    assert_eq!(outcome(named).state(), State::Succeeded);
    wait_until("the threads have left", || threads_of(&busy.name) == 0);
}

#[test]
fn a_stop_that_cancels_what_waits_finishes_what_runs() {
    let busy = Busy::new();
    let named = submit(&*busy.pool, task(UNIT));
    let stopping = busy.begin_stop(Shutdown::cancel_pending(LATER));
    assert_eq!(states(busy.queued), [State::Cancelled; 3]);
    assert_eq!(outcome(named).state(), State::Cancelled);
    assert_eq!(busy.running.state(), State::Running);
    busy.gate.open();
    let report = join(stopping);
    assert!(report.stopped && report.cancelled == 1, "{report:?}");
    assert_eq!(outcome(busy.running).state(), State::Succeeded);
}

#[test]
fn an_abort_stops_what_can_be_stopped() {
    let mut registry = Registry::new();
    let (started, starts) = mpsc::channel();
    let begun = started.clone();
    register_async(&mut registry, PENDING, move |_| {
        begun.send(()).unwrap();
        std::future::pending()
    });
    register(&mut registry, ASKED, move |ctx| {
        started.send(()).unwrap();
        block_on_for(ctx.cancelled(), Some(PATIENCE)).unwrap();
    });
    let builder = ThreadPool::builder().workers(2).name(unique("t")).registry(registry);
    let pool = builder.build().unwrap();
    let (pending, asked) = (submit(&pool, task(PENDING)), submit(&pool, task(ASKED)));
    (0..2).for_each(|_| receive("the start of a body", &starts));
    let queued = submit(&pool, task(PENDING));
    let report = stop(&pool, Shutdown::abort(LATER));
    assert_eq!(outcome(pending).state(), State::Cancelled);
    assert_eq!(outcome(asked).state(), State::Succeeded);
    assert_eq!(outcome(queued).state(), State::Cancelled);
    assert!(report.stopped && report.lost == 0, "{report:?}");
}

#[test]
fn a_stop_that_is_not_waited_for_returns_at_once() {
    takes_less_than(ms(50), "a shutdown without waiting", || {
        let busy = Busy::new();
        let begun = Instant::now();
        let report = stop(&*busy.pool, Shutdown::drain(LATER).wait(false));
        let took = begun.elapsed();
        assert!(!report.stopped);
        busy.gate.open();
        drain(&*busy.pool);
        took
    });
}

#[test]
fn a_pool_that_has_nothing_to_do_stops_at_once() {
    let built: [fn() -> ThreadPool; 3] = [
        || pool(2),
        || ThreadPool::builder().workers(2).min_workers(0).build().unwrap(),
        || {
            let builder = ThreadPool::builder().workers(2).min_workers(0);
            let pool = builder.keep_alive(Duration::ZERO).build().unwrap();
            value(pool.spawn(|| ()));
            wait_until("the thread has left", || pool.status().workers == 0);
            pool
        },
    ];
    for build in built {
        takes_less_than(ms(200), "the stop of an idle pool", || {
            let pool = build();
            let begun = Instant::now();
            stop(&pool, Shutdown::drain(Duration::from_secs(5)));
            begun.elapsed()
        });
    }
}

#[test]
fn a_pool_can_be_stopped_twice_and_from_four_threads_at_once() {
    let busy = Busy::new();
    let stopping: Vec<_> = [Shutdown::drain(LATER), Shutdown::abort(LATER)]
        .into_iter()
        .cycle()
        .take(4)
        .map(|how| busy.begin_stop(how))
        .collect();
    busy.gate.open();
    for stopping in stopping {
        assert!(join(stopping).stopped);
    }
    assert!(stop(&*busy.pool, Shutdown::drain(LATER)).stopped);
    assert!(stop(&*busy.pool, Shutdown::abort(Duration::ZERO)).stopped);
    assert_eq!(outcome(busy.running).state(), State::Succeeded);
}

#[test]
fn a_pool_can_be_stopped_from_its_own_tasks() {
    let pool_of = Arc::new(std::sync::Mutex::new(None::<Arc<ThreadPool>>));
    let mut registry = Registry::new();
    let pool = Arc::clone(&pool_of);
    register(&mut registry, STOPS, move |_| {
        let pool = pool.lock().unwrap().take().unwrap();
        block_on(pool.shutdown(Shutdown::drain(LATER))).stopped
    });
    let pool = Arc::clone(&pool_of);
    register_async(&mut registry, STOPS_ASYNC, move |_| {
        let pool = pool.lock().unwrap().take().unwrap();
        async move { pool.shutdown(Shutdown::cancel_pending(LATER)).await.stopped }
    });
    let registry = Arc::new(registry);
    for def in [STOPS, STOPS_ASYNC] {
        let builder = ThreadPool::builder().workers(1).name(unique("t"));
        let pool = Arc::new(builder.registry(Arc::clone(&registry)).build().unwrap());
        *pool_of.lock().unwrap() = Some(Arc::clone(&pool));
        let stopped_inside = value(submit(&*pool, task(def)).decoded::<bool>());
        assert!(!stopped_inside, "a task does not wait for its own end");
        assert!(drain(&*pool).stopped);
    }
}

#[test]
fn a_pool_can_be_stopped_from_its_own_closure() {
    let pool = Arc::new(pool(2));
    let inner = Arc::clone(&pool);
    let inside = pool.spawn(move || block_on(inner.shutdown(Shutdown::abort(LATER))).stopped);
    assert!(!value(inside));
    assert!(drain(&*pool).stopped);
}

#[test]
fn a_pool_can_be_dropped_by_its_own_closure() {
    let name = unique("t");
    let pool = Arc::new(ThreadPool::builder().workers(2).name(&name).build().unwrap());
    let gate = Gate::new();
    let (inner, at) = (Arc::clone(&pool), gate.clone());
    let inside = pool.spawn(move || {
        at.wait();
        drop(inner);
        7
    });
    drop(pool);
    gate.open();
    assert_eq!(value(inside), 7);
    wait_until("the threads have left", || threads_of(&name) == 0);
}

#[test]
fn a_stuck_closure_is_lost_at_the_deadline() {
    let deadline = ms(600);
    takes_between(deadline, deadline.mul_f64(1.1), "the whole stop", || {
        let busy = Busy::new();
        let begun = Instant::now();
        let report = stop(&*busy.pool, Shutdown::drain(deadline));
        let took = begun.elapsed();
        assert!(report.stopped, "{report:?}");
        let error = outcome(busy.running).into_result().unwrap_err();
        let abandoned = matches!(error.kind(), TaskErrorKind::WorkerLost(lost)
            if lost.reason == LossReason::Abandoned);
        assert!(abandoned, "{error:?}");
        assert_eq!(states(busy.queued), [State::Cancelled; 3]);
        busy.gate.open();
        wait_until("the stuck thread has left", || threads_of(&busy.name) == 0);
        took
    });
}

#[test]
fn a_stuck_task_is_lost_at_the_deadline_and_its_late_result_is_counted() {
    let gate = Gate::new();
    let (started, starts) = mpsc::channel();
    let at = gate.clone();
    let registry = crate::support::registry_of(UNIT, move |_| {
        started.send(()).unwrap();
        at.wait();
    });
    let builder = ThreadPool::builder().workers(1).name(unique("t")).registry(registry);
    let pool = builder.build().unwrap();
    let stuck = submit(&pool, task(UNIT));
    receive("the start of the body", &starts);
    let report = stop(&pool, Shutdown::abort(ms(50)));
    assert_eq!((report.lost, outcome(stuck).state()), (1, State::Lost));
    gate.open();
    wait_until("the late result is counted", || pool.status().counts.late == 1);
}

#[test]
fn a_nearer_deadline_overrules_an_earlier_stop() {
    let busy = Busy::new();
    let first = busy.begin_stop(Shutdown::drain(LATER));
    let second = busy.begin_stop(Shutdown::drain(ms(50)));
    assert!(join(second).stopped && join(first).stopped);
    assert_eq!(outcome(busy.running).state(), State::Lost);
    busy.gate.open();
}

#[test]
fn dropping_a_busy_pool_waits_for_nothing_cancels_what_waits_and_finishes_what_runs() {
    let Busy { pool, name, gate, running, queued } = Busy::new();
    in_time("dropping the pool", move || drop(pool));
    assert_eq!(states(queued), [State::Cancelled; 3]);
    assert_eq!(running.state(), State::Running);
    gate.open();
    assert_eq!(outcome(running).state(), State::Succeeded);
    wait_until("the threads have left", || threads_of(&name) == 0);
}

#[test]
fn a_closure_after_the_shutdown_is_rejected() {
    let busy = Busy::new();
    let mut events = busy.pool.events(EventFilter::all());
    busy.begin_stop(Shutdown::drain(LATER).wait(false)).join().unwrap();
    let must_reject = |handle: TaskHandle<()>| {
        let error = outcome(handle).into_result().unwrap_err();
        assert_eq!(error.kind(), &TaskErrorKind::Rejected(Rejection::Closed));
    };
    must_reject(busy.pool.spawn(|| ()));
    assert_eq!(busy.pool.try_spawn(|| ()).unwrap_err().reason(), NoRoom::Closed);
    assert_eq!(block_on(busy.pool.reserve()).unwrap_err(), NoRoom::Closed);
    let refused = block_on(busy.pool.submit(task(UNIT))).unwrap_err();
    assert_eq!(refused.kind(), SubmitErrorKind::Closed);
    busy.gate.open();
    drain(&*busy.pool);
    must_reject(busy.pool.spawn(|| ()));
    let told = story(&mut events);
    assert!(told.iter().all(|(_, words)| words != "submitted"), "it was not accepted: {told:?}");
}

#[test]
fn a_place_that_was_reserved_before_the_shutdown_is_of_no_use_after_it() {
    for how in [Shutdown::drain(LATER), Shutdown::cancel_pending(LATER)] {
        let busy = Busy::new();
        let permit = block_on_for(busy.pool.reserve(), Some(PATIENCE)).unwrap().unwrap();
        stop(&*busy.pool, how.wait(false));
        let ran = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&ran);
        let late = permit.spawn(move || count.fetch_add(1, Ordering::SeqCst));
        let error = outcome(late).into_result().unwrap_err();
        assert_eq!(error.kind(), &TaskErrorKind::Rejected(Rejection::Closed));
        busy.gate.open();
        drain(&*busy.pool);
        assert_eq!((ran.load(Ordering::SeqCst), busy.pool.status().in_flight), (0, 0));
    }
}

#[test]
fn a_wait_for_the_stop_that_is_given_up_does_not_hold_up_the_stop() {
    let busy = Busy::new();
    let given_up = block_on_for(busy.pool.shutdown(Shutdown::drain(LATER)), Some(ms(1)));
    assert!(given_up.is_err());
    busy.gate.open();
    wait_until("the pool has stopped", || busy.pool.status().phase == Phase::Stopped);
}

#[test]
fn two_hundred_pools_leave_no_thread_and_no_descriptor() {
    fn here() {}
    alone(here, || {
        leave_nothing(200, "leaves", || {
            let mut registry = Registry::new();
            register_async(&mut registry, UNIT, |_| tokio::time::sleep(ms(1)));
            let builder = ThreadPool::builder().workers(3).min_workers(1).name("leaves");
            let pool = builder.registry(registry).build().unwrap();
            drop(submit(&pool, task(UNIT)));
            (0..10).for_each(|_| drop(pool.spawn(|| ())));
            pool
        });
    });
}

#[test]
fn a_closure_that_stops_another_pool_whose_tasks_wait_for_its_own_goes_on() {
    let (first, second) = (Arc::new(pool(1)), Arc::new(pool(1)));
    let gate = Gate::new();
    let (inner, at) = (Arc::clone(&first), gate.clone());
    let waits = second.spawn(move || {
        at.wait();
        value(inner.spawn(|| 7))
    });
    let other = Arc::clone(&second);
    let stops = first.spawn(move || {
        gate.open();
        block_on(other.shutdown(Shutdown::drain(LATER))).stopped
    });
    assert_eq!(value(waits), 7);
    assert!(value(stops));
}
