//! Executors that are shut down when their scope is left, in whatever way that is.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    task::{Context, Waker},
    time::Instant,
};

use outwork_core::{
    BoxError, Executor, ExecutorExt, Phase, ScopedExecutor, Shutdown, State, SubmitErrorKind,
    TaskDef,
};
use outwork_local::{EventLoopPool, Inline, ThreadPool};

use crate::support::{
    Gate, LATER, PATIENCE, in_time, ms, outcome, panic_on_purpose, receive, registry_of, stop,
    submit, task, unique, wait_until,
};

const NOTHING: TaskDef<(), ()> = TaskDef::new("test.nothing");

fn threads() -> ThreadPool {
    ThreadPool::builder().workers(1).name(unique("s")).build().unwrap()
}

fn loops() -> EventLoopPool {
    EventLoopPool::builder().loops(1).name(unique("s")).build().unwrap()
}

fn has_stopped(executor: &dyn Executor) -> bool {
    executor.status().phase == Phase::Stopped
}

#[test]
fn leaving_a_scope_does_what_was_promised_to_the_tasks_and_stops_the_executor() {
    in_time("a scope is left", || {
        let gate = Gate::new();
        let scope = threads().scoped(Shutdown::drain(LATER));
        let kept = Arc::clone(scope.shared());
        let inside = gate.clone();
        let runs = scope.spawn(move || inside.wait());
        let waits = scope.spawn(|| "done");
        std::thread::scope(|threads| {
            threads.spawn(|| {
                wait_until("the drop has begun", || kept.status().phase == Phase::Draining);
                gate.open();
            });
            drop(scope);
        });
        assert!(has_stopped(&*kept), "the drop waits until it has");
        assert!(outcome(runs).is_success());
        assert_eq!(outcome(waits).into_result().unwrap(), "done");
    });
}

#[test]
fn an_error_or_a_panic_leaves_a_scope_as_its_end_does() {
    in_time("scopes are left", || {
        let kept = threads();
        let scope = ScopedExecutor::<dyn Executor>::new(Arc::new(kept), Shutdown::abort(LATER));
        let kept = Arc::clone(scope.shared());
        let fails = move || -> Result<(), BoxError> {
            let scope = scope;
            let _handle = scope.try_submit(task(NOTHING))?;
            unreachable!("nothing is registered, so that the line before leaves");
        };
        assert!(fails().is_err());
        assert!(has_stopped(&*kept));

        let scope = loops().scoped(Shutdown::abort(LATER));
        let kept = Arc::clone(scope.shared());
        let panics = move || {
            let _scope = scope;
            panic_on_purpose();
        };
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        assert!(has_stopped(&*kept));
    });
}

#[test]
fn a_body_that_does_not_stop_holds_nobody_in_the_scope() {
    let gate = Gate::new();
    let scope = threads().scoped(Shutdown::drain(ms(50)));
    let inside = gate.clone();
    let (started, starts) = mpsc::channel();
    let stuck = scope.spawn(move || {
        started.send(()).unwrap();
        inside.wait();
    });
    receive("the body that is to be stuck", &starts);
    let start = Instant::now();
    in_time("a scope with a stuck body is left", move || drop(scope));
    assert!(start.elapsed() >= ms(50), "it has its time");
    assert!(start.elapsed() < PATIENCE / 2, "and not the time of the body");
    assert_eq!(outcome(stuck).state(), State::Lost);
    gate.open();
}

#[test]
fn a_scope_that_is_left_in_a_task_of_its_own_executor_does_not_wait_for_itself() {
    let scope = threads().scoped(Shutdown::drain(LATER));
    let kept = Arc::clone(scope.shared());
    let task = kept.spawn(move || drop(scope));
    assert!(outcome(task).is_success());
    wait_until("the pool of threads has stopped", || has_stopped(&*kept));

    let scope = loops().scoped(Shutdown::drain(LATER));
    let kept = Arc::clone(scope.shared());
    let task = kept.spawn(async move { drop(scope) });
    assert!(outcome(task).is_success());
    wait_until("the pool of loops has stopped", || has_stopped(&*kept));
}

#[test]
fn async_code_closes_a_scope_without_blocking_its_thread() {
    let scope = threads().scoped(Shutdown::drain(LATER));
    let kept = Arc::clone(scope.shared());
    let gate = Gate::new();
    let inside = gate.clone();
    let runs = kept.spawn(move || inside.wait());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let report = runtime.block_on(async {
        // Opened by the only thread there is, which would be the one that is blocked.
        let opens = async { gate.open() };
        tokio::join!(scope.close(), opens).0
    });
    assert!(report.stopped && has_stopped(&*kept));
    assert!(outcome(runs).is_success());
}

#[test]
fn a_close_that_is_given_up_stops_the_executor_all_the_same_and_waits_no_more() {
    let scope = threads().scoped(Shutdown::drain(LATER));
    let kept = Arc::clone(scope.shared());
    let gate = Gate::new();
    let inside = gate.clone();
    let runs = kept.spawn(move || inside.wait());
    in_time("a close is given up", move || {
        let mut close = Box::pin(scope.close());
        assert!(close.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    });
    assert_eq!(kept.status().phase, Phase::Draining);
    gate.open();
    assert!(outcome(runs).is_success());
    wait_until("the pool has stopped", || has_stopped(&*kept));
}

#[test]
fn those_who_share_the_executor_find_it_closed_once_the_scope_is_left() {
    let inline = Inline::new(registry_of(NOTHING, |_| ()));
    let scope = inline.scoped(Shutdown::drain(LATER));
    let kept = Arc::clone(scope.shared());
    assert!(outcome(submit(&*scope, task(NOTHING))).is_success());
    assert!(scope.blocking_close().unwrap().stopped);
    let refused = kept.try_submit(task(NOTHING)).unwrap_err();
    assert_eq!(refused.kind(), SubmitErrorKind::Closed);
    assert!(stop(&*kept, Shutdown::abort(LATER)).stopped, "and may stop it again");
}
