//! The loop in the background, and the default one of the process.

use std::sync::{Arc, mpsc};

use outwork_core::{CallError, Executor, Registry, State, TaskDef, WaitError};
use outwork_local::{BackgroundLoop, EventLoopPool};

use crate::support::{
    Gate, alone, drain, outcome, register, register_async, submit, task, threads_of, unique, value,
    wait_until,
};

fn background() -> (Arc<BackgroundLoop>, String) {
    let name = unique("b");
    let builder = EventLoopPool::builder().name(&name);
    (Arc::new(BackgroundLoop::from_builder(builder).unwrap()), name)
}

#[test]
fn a_background_loop_is_one_loop_whatever_the_builder_says() {
    let name = unique("b");
    let builder = EventLoopPool::builder().loops(4).name(&name);
    let background = BackgroundLoop::from_builder(builder).unwrap();
    assert_eq!((background.loops(), threads_of(&name)), (1, 1));
    assert_eq!(background.config().kind(), "background-loop");
    assert_eq!(background.run(async { 7 }).unwrap(), 7);
}

#[test]
fn the_default_loop_starts_when_it_is_first_asked_for_and_is_the_same_afterwards() {
    fn here() {}
    alone(here, || {
        assert_eq!(threads_of("background"), 0);
        let asking: Vec<_> = (0..4)
            .map(|_| std::thread::Builder::new().spawn(|| BackgroundLoop::global().unwrap()))
            .collect();
        let asked = asking.into_iter().map(|thread| thread.unwrap().join().unwrap());
        let asked: Vec<_> = asked.collect();
        assert!(asked.iter().all(|one| Arc::ptr_eq(one, &asked[0])));
        assert_eq!(threads_of("background"), 1);
        drop(asked);
        assert_eq!(BackgroundLoop::global().unwrap().run(async { 7 }).unwrap(), 7);
        assert_eq!(threads_of("background"), 1, "it lives on while nobody holds it");
    });
}

const LINGERS: TaskDef<(), ()> = TaskDef::new("lingers");
const BLOCKS: TaskDef<(), ()> = TaskDef::new("blocks");

#[test]
fn replacing_the_default_loop_loses_nothing_that_it_has_accepted() {
    fn here() {}
    alone(here, || {
        for keep_the_old in [true, false] {
            let (name, gate) = (unique("b"), Gate::new());
            let (at, blocks) = (gate.clone(), gate.clone());
            let mut registry = Registry::new();
            register_async(&mut registry, LINGERS, move |_| {
                let at = at.clone();
                async move { at.opened().await }
            });
            register(&mut registry, BLOCKS, move |_| blocks.wait());
            let builder = EventLoopPool::builder().name(&name).registry(registry);
            let first = Arc::new(BackgroundLoop::from_builder(builder).unwrap());
            drop(Arc::clone(&first).replace_global());
            let (send, starts) = mpsc::channel();
            let (at, stuck) = (gate.clone(), gate.clone());
            let running = first.spawn(async move {
                send.send(()).unwrap();
                stuck.wait();
                at.opened().await;
                7
            });
            crate::support::receive("the start of the future", &starts);
            let queued: Vec<_> = (0..10).map(|n| first.spawn(async move { n })).collect();
            let named: Vec<_> =
                [LINGERS, BLOCKS].into_iter().map(|def| submit(&*first, task(def))).collect();
            let (second, _) = background();
            let old = Arc::clone(&second).replace_global().unwrap();
            assert!(Arc::ptr_eq(&old, &first));
            drop(old);
            assert!(Arc::ptr_eq(&BackgroundLoop::global().unwrap(), &second));
            let kept = keep_the_old.then(|| Arc::clone(&first));
            drop(first);
            gate.open();
            assert_eq!(value(running), 7);
            assert_eq!(queued.into_iter().map(value).sum::<i32>(), 45);
            named.into_iter().for_each(|task| assert!(outcome(task).is_success()));
            match kept {
                Some(kept) => assert_eq!(kept.run(async { 8 }).unwrap(), 8),
                None => wait_until("the old threads have left", || threads_of(&name) == 0),
            }
        }
    });
}

#[test]
fn a_loop_that_never_was_the_default_cancels_what_waits_when_it_is_dropped() {
    let (background, name) = background();
    let gate = Gate::new();
    let (send, starts) = mpsc::channel();
    let stuck = gate.clone();
    let running = background.spawn(async move {
        send.send(()).unwrap();
        stuck.wait();
    });
    crate::support::receive("the start of the future", &starts);
    let queued = background.spawn(async {});
    drop(background);
    assert_eq!(outcome(queued).state(), State::Cancelled);
    gate.open();
    value(running);
    wait_until("the thread has left", || threads_of(&name) == 0);
}

#[test]
fn a_run_on_the_loop_itself_is_an_error_and_runs_nothing() {
    let (background, _) = background();
    let inner = Arc::clone(&background);
    let (send, runs) = mpsc::channel();
    let error = background
        .spawn(async move { inner.run(async move { send.send(()).unwrap() }).unwrap_err() });
    let error = value(error);
    assert!(matches!(error, CallError::Wait(WaitError::WouldDeadlock(_))), "{error}");
    drain(&*background);
    assert!(runs.try_recv().is_err(), "what was refused ran all the same");
}

#[test]
fn the_errors_of_a_run_are_those_of_its_future() {
    let (background, _) = background();
    let error = background.run(async { crate::support::panic_on_purpose() }).map(|(): ()| ());
    assert!(error.unwrap_err().task_error().is_some());
    drain(&*background);
    let error = background.run(async {}).unwrap_err();
    assert!(error.task_error().is_some(), "{error}");
}
