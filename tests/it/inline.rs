//! Tasks on the thread that submits them.

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use outwork_core::{
    Batch, BoxError, Cancel, Codec, EventFilter, Executor, ExecutorExt, Handler, Payload, Phase,
    RegisterError, Registry, RetryPolicy, Shutdown, State, SubmitErrorKind, Task, TaskDef,
    TaskErrorKind, TaskHandle, TaskId, TaskName, TaskOptions,
    blocking::{block_on, block_on_for},
};
use outwork_local::{Inline, ThreadPool};

use crate::support::{
    Gate, LATER, OnDrop, PATIENCE, drain, in_time, ms, outcome, panic_on_purpose, receive,
    register, register_async, stop, story, story_of, submit, task, task_with, unique, value,
};

const SYNC: TaskDef<(), ()> = TaskDef::new("sync");
const ASYNC: TaskDef<(), ()> = TaskDef::new("async");
const FAILS: TaskDef<(), ()> = TaskDef::new("fails");
const PENDING: TaskDef<(), ()> = TaskDef::new("pending");

/// An executor whose two tasks tell the thread that they run on.
fn telling() -> (Inline, mpsc::Receiver<ThreadId>) {
    let (tell, told) = mpsc::channel();
    let mut registry = Registry::new();
    let here = tell.clone();
    register(&mut registry, SYNC, move |_| here.send(thread::current().id()).unwrap());
    register_async(&mut registry, ASYNC, move |_| {
        let tell = tell.clone();
        async move {
            tokio::time::sleep(ms(1)).await;
            tell.send(thread::current().id()).unwrap();
        }
    });
    (Inline::new(registry), told)
}

#[test]
fn a_handler_whose_name_is_known_only_at_run_time_takes_and_gives_bytes() {
    let backwards = Handler::Sync(Arc::new(|_, payload| {
        let bytes: Vec<u8> = payload.bytes().iter().rev().copied().collect();
        Ok(Payload::new(payload.codec(), bytes))
    }));
    let mut registry = Registry::new();
    registry.register_raw("at.run-time", backwards.clone()).unwrap();
    let taken = registry.register_raw("at.run-time", backwards.clone()).unwrap_err();
    assert!(matches!(taken, RegisterError::Duplicate(_)), "{taken}");
    let nameless = registry.register_raw("", backwards).unwrap_err();
    assert!(matches!(nameless, RegisterError::InvalidName(_)), "{nameless}");

    let name = TaskName::new("at.run-time").unwrap();
    let task = Task::new(name, Payload::new(Codec::Json, "[1, 2]"));
    let result = outcome(submit(&Inline::new(registry), task)).into_result().unwrap();
    assert_eq!(result, Payload::new(Codec::Json, "]2 ,1["));
}

#[test]
fn a_task_runs_inside_the_call_that_submits_it() {
    let (inline, told) = telling();
    let here = thread::current().id();
    for def in [SYNC, ASYNC] {
        for handle in [submit(&inline, task(def)), inline.try_submit(task(def)).unwrap()] {
            assert_eq!((told.try_recv(), handle.state()), (Ok(here), State::Succeeded));
        }
        let batch = inline.submit_many(vec![task(def), task(def)], Batch::Wait);
        let handles = block_on_for(batch, Some(PATIENCE)).unwrap().unwrap();
        for handle in handles {
            assert_eq!((told.try_recv(), handle.state()), (Ok(here), State::Succeeded));
        }
    }
}

#[test]
fn delays_and_waits_between_attempts_pass_inside_the_call() {
    let runs = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&runs);
    let mut registry = Registry::new();
    let body = move |_: &_, ()| match count.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Err::<(), BoxError>("not yet".into()),
        _ => Ok(()),
    };
    registry.register(FAILS, body).unwrap();
    let inline = Inline::new(registry);
    let retry = RetryPolicy::fixed(NonZeroU32::new(3).unwrap(), ms(20));
    let options = TaskOptions::new().delay(ms(20)).retry(retry);
    let begun = Instant::now();
    let handle = submit(&inline, task_with(FAILS, options));
    assert!(begun.elapsed() >= ms(60), "{:?}", begun.elapsed());
    assert_eq!((handle.state(), runs.load(Ordering::SeqCst)), (State::Succeeded, 3));
    assert_eq!(outcome(handle).attempts(), 3);
}

/// Runs a future as `#[tokio::main]` does on one thread.
fn in_tokio<T: Send + 'static>(what: &str, make: impl AsyncFnOnce() -> T + Send + 'static) -> T {
    in_time(what, move || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap().block_on(make())
    })
}

/// An executor whose body needs timers, and a scheduler that lets it go on after it has yielded.
fn yielding() -> Inline {
    let mut registry = Registry::new();
    register_async(&mut registry, ASYNC, |_| async {
        tokio::time::sleep(ms(1)).await;
        tokio::task::yield_now().await;
        // More than a task may do at once before tokio makes it yield.
        let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
        (0..1000).for_each(|n| send.send(n).unwrap());
        for _ in 0..1000 {
            receive.recv().await.unwrap();
        }
        tokio::spawn(async {}).await.unwrap();
    });
    Inline::new(registry)
}

#[test]
fn an_async_body_works_without_a_runtime_around_it() {
    let inline = yielding();
    assert!(in_time("submit", move || {
        outcome(submit(&inline, task(ASYNC))).is_success()
            && outcome(inline.try_submit(task(ASYNC)).unwrap()).is_success()
    }));
}

#[test]
fn an_async_body_works_inside_a_runtime_of_tokio() {
    let inline = yielding();
    let succeeded = in_tokio("a submission inside tokio", async move || {
        let submitted = inline.submit(task(ASYNC)).await.unwrap().await.is_success();
        let called = inline.call(ASYNC, &()).await.is_ok();
        submitted && called
    });
    assert!(succeeded);
}

#[test]
fn an_async_body_works_inside_a_runtime_of_tokio_also_when_submit_may_not_wait() {
    let inline = yielding();
    let succeeded = in_tokio("a submission inside tokio", async move || {
        inline.try_submit(task(ASYNC)).unwrap().await.is_success()
    });
    assert!(succeeded);
}

#[test]
fn an_async_body_works_in_a_task_of_tokio() {
    let inline = yielding();
    let succeeded = in_tokio("a submission in a task of tokio", async move || {
        let submitted = async move { inline.submit(task(ASYNC)).await.unwrap().await };
        tokio::spawn(submitted).await.unwrap().is_success()
    });
    assert!(succeeded);
}

#[test]
fn a_task_can_be_cancelled_from_another_thread() {
    let (started, starts) = mpsc::channel();
    let mut registry = Registry::new();
    let begun = started.clone();
    register_async(&mut registry, PENDING, move |_| {
        begun.send(()).unwrap();
        std::future::pending()
    });
    register(&mut registry, SYNC, move |ctx| {
        started.send(()).unwrap();
        block_on_for(ctx.cancelled(), Some(PATIENCE)).unwrap();
    });
    let inline = Arc::new(Inline::new(registry));
    for (def, state) in [(PENDING, State::Cancelled), (SYNC, State::Succeeded)] {
        let (task, id) = (task(def), TaskId::new());
        let submitting = Arc::clone(&inline);
        let submitting = move || submitting.try_submit(task.with_id(id)).unwrap();
        let submitting = thread::Builder::new().spawn(submitting).unwrap();
        receive("the start of the body", &starts);
        assert_eq!(block_on(inline.cancel(id)), Cancel::Requested);
        let handle = in_time("submit", move || submitting.join().unwrap());
        assert_eq!(outcome(handle).state(), state);
    }
}

#[test]
fn a_body_may_submit_tasks_in_turn() {
    const OUTER: TaskDef<(), ()> = TaskDef::new("outer");
    const OUTER_ASYNC: TaskDef<(), ()> = TaskDef::new("outer-async");
    let (tell, told) = mpsc::channel();
    let inline_of = Arc::new(Mutex::new(None::<Arc<Inline>>));
    let mut registry = Registry::new();
    register_async(&mut registry, ASYNC, move |_| {
        let tell = tell.clone();
        async move {
            tokio::time::sleep(ms(1)).await;
            tell.send(thread::current().id()).unwrap();
        }
    });
    let inline = Arc::clone(&inline_of);
    register(&mut registry, OUTER, move |_| {
        let inline = inline.lock().unwrap().clone().unwrap();
        value(inline.try_submit(task(ASYNC)).unwrap());
        value(submit(&*inline, task(ASYNC)));
        inline.blocking_call(ASYNC, &()).unwrap();
    });
    let inline = Arc::clone(&inline_of);
    register_async(&mut registry, OUTER_ASYNC, move |_| {
        let inline = inline.lock().unwrap().clone().unwrap();
        async move {
            inline.call(ASYNC, &()).await.unwrap();
            value(inline.try_submit(task(ASYNC)).unwrap());
            inline.call(ASYNC, &()).await.unwrap();
        }
    });
    let inline = Arc::new(Inline::new(registry));
    *inline_of.lock().unwrap() = Some(Arc::clone(&inline));
    let threads = in_time("nested submissions", move || {
        for def in [OUTER, OUTER_ASYNC] {
            value(submit(&*inline, task(def)));
        }
        thread::current().id()
    });
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [threads; 6]);
}

#[test]
fn a_body_on_a_thread_of_a_pool_may_block_on_that_pool() {
    let pool = Arc::new(ThreadPool::builder().workers(1).name(unique("t")).build().unwrap());
    let inner = Arc::clone(&pool);
    let mut registry = Registry::new();
    register(&mut registry, SYNC, move |_| value(inner.spawn(|| ())));
    let inline = Inline::new(registry);
    value(pool.spawn(move || value(inline.try_submit(task(SYNC)).unwrap())));
}

#[test]
fn a_panic_ends_the_task_and_not_the_caller() {
    let mut registry = Registry::new();
    register(&mut registry, SYNC, |_| panic_on_purpose());
    register_async(&mut registry, ASYNC, |_| async { panic_on_purpose() });
    let inline = Inline::new(registry);
    for def in [SYNC, ASYNC] {
        let error = outcome(submit(&inline, task(def))).into_result().unwrap_err();
        assert_eq!(error.kind(), &TaskErrorKind::Panicked);
    }
    assert_eq!(inline.status().in_flight, 0);
}

#[test]
fn a_time_limit_ends_an_async_body_and_is_told_of_a_blocking_one() {
    let mut registry = Registry::new();
    register_async(&mut registry, PENDING, |_| std::future::pending());
    register(&mut registry, SYNC, |ctx| {
        block_on_for(ctx.cancelled(), Some(PATIENCE)).unwrap();
    });
    let inline = Inline::new(registry);
    for def in [PENDING, SYNC] {
        let limited = TaskOptions::new().time_limit(ms(30)).unwrap();
        let error = outcome(submit(&inline, task_with(def, limited))).into_result().unwrap_err();
        let timed_out = TaskErrorKind::TimedOut { limit: ms(30), abandoned: false };
        assert_eq!(error.kind(), &timed_out);
    }
}

#[test]
fn a_submission_that_is_given_up_drops_its_body() {
    let (drops, dropped) = mpsc::channel();
    let mut registry = Registry::new();
    register_async(&mut registry, PENDING, move |_| {
        let drops = drops.clone();
        async move {
            let _held = OnDrop(move || drops.send(()).unwrap());
            std::future::pending().await
        }
    });
    let inline = Inline::new(registry);
    let inline = in_time("a submission that is given up", move || {
        let given_up = block_on_for(inline.submit(task(PENDING)), Some(ms(20)));
        assert!(given_up.is_err());
        inline
    });
    assert!(dropped.try_recv().is_ok());
    assert_eq!((inline.status().in_flight, inline.status().counts.lost), (0, 1));
    drain(&inline);
}

#[test]
fn an_id_that_is_used_again_by_many_threads_is_refused_or_runs() {
    let ran = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&ran);
    let mut registry = Registry::new();
    register(&mut registry, SYNC, move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let inline = Inline::new(registry);
    let id = TaskId::new();
    let accepted = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    match inline.try_submit(task(SYNC).with_id(id)) {
                        Ok(handle) => {
                            assert_eq!(outcome(handle).state(), State::Succeeded);
                            accepted.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(error) => assert_eq!(error.kind(), SubmitErrorKind::DuplicateId),
                    }
                }
            });
        }
    });
    assert_eq!(ran.load(Ordering::SeqCst), accepted.load(Ordering::SeqCst));
}

const STOPS: TaskDef<(), bool> = TaskDef::new("stops");
const STOPS_ASYNC: TaskDef<(), bool> = TaskDef::new("stops-async");

#[test]
fn a_stop_from_inside_a_body_does_not_wait_for_itself() {
    let inline_of = Arc::new(Mutex::new(None::<Arc<Inline>>));
    let mut registry = Registry::new();
    let inline = Arc::clone(&inline_of);
    register(&mut registry, STOPS, move |_| {
        let inline = inline.lock().unwrap().take().unwrap();
        block_on(inline.shutdown(Shutdown::drain(LATER))).stopped
    });
    let inline = Arc::clone(&inline_of);
    register_async(&mut registry, STOPS_ASYNC, move |_| {
        let inline = inline.lock().unwrap().take().unwrap();
        async move { inline.shutdown(Shutdown::drain(LATER)).await.stopped }
    });
    let registry = Arc::new(registry);
    for def in [STOPS, STOPS_ASYNC] {
        let inline = Arc::new(Inline::new(Arc::clone(&registry)));
        *inline_of.lock().unwrap() = Some(Arc::clone(&inline));
        let body = Arc::clone(&inline);
        let handle: TaskHandle<bool> =
            in_time("the submission", move || submit(&*body, task(def)).decoded());
        assert!(!value(handle));
        assert_eq!(inline.status().phase, Phase::Stopped);
    }
}

#[test]
fn a_stop_waits_for_the_body_on_another_thread_until_its_deadline() {
    for (how, state) in [
        (Shutdown::drain(LATER), State::Succeeded),
        (Shutdown::cancel_pending(LATER), State::Succeeded),
        (Shutdown::abort(ms(50)), State::Lost),
    ] {
        let gate = Gate::new();
        let (started, starts) = mpsc::channel();
        let at = gate.clone();
        let mut registry = Registry::new();
        register(&mut registry, SYNC, move |_| {
            started.send(()).unwrap();
            at.wait();
        });
        let inline = Arc::new(Inline::new(registry));
        let submitting = Arc::clone(&inline);
        let submitting = move || submitting.try_submit(task(SYNC)).unwrap();
        let submitting = thread::Builder::new().spawn(submitting).unwrap();
        receive("the start of the body", &starts);
        stop(&*inline, how.wait(false));
        let refused = inline.try_submit(task(SYNC)).unwrap_err();
        assert_eq!(refused.kind(), SubmitErrorKind::Closed);
        if state == State::Lost {
            assert!(stop(&*inline, how).stopped);
        }
        gate.open();
        let handle = in_time("submit", move || submitting.join().unwrap());
        assert!(drain(&*inline).stopped);
        assert_eq!(outcome(handle).state(), state);
    }
}

#[test]
fn an_idle_executor_stops_at_once_and_twice() {
    let (inline, _told) = telling();
    value(submit(&inline, task(SYNC)));
    let begun = Instant::now();
    assert!(drain(&inline).stopped && drain(&inline).stopped);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn events_and_states_are_those_of_every_executor() {
    let (inline, _told) = telling();
    let mut events = inline.events(EventFilter::all());
    let ids: Vec<_> =
        [SYNC, ASYNC].into_iter().map(|def| submit(&inline, task(def)).task_id()).collect();
    let refused = inline.try_submit(task(FAILS)).unwrap_err();
    assert_eq!(refused.kind(), SubmitErrorKind::UnknownTask);
    drain(&inline);
    let told = story(&mut events);
    for id in ids {
        assert_eq!(story_of(&told, id), ["submitted", "started", "finished succeeded"]);
    }
}
