//! The guarantees of the README, cell by cell and in its words.

use std::{
    num::NonZeroUsize,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use outwork_core::{
    BoxError, Cancel, Executor, ExecutorExt, Registry, State, StreamTarget, SubmitErrorKind, Task,
    TaskDef, TaskErrorKind, TaskHandle, TaskOptions,
};
use outwork_local::{EventLoopPool, Inline, ThreadPool};

use crate::support::{PATIENCE, wait_until};

const COUNT: TaskDef<bool, usize> = TaskDef::new("test.count");
const UNTIL_ASKED: TaskDef<(), ()> = TaskDef::new("test.until_asked");
const STUCK: TaskDef<u64, ()> = TaskDef::new("test.stuck");
const FOREVER: TaskDef<(), ()> = TaskDef::new("test.forever");
const STUCK_LOOP: TaskDef<u64, ()> = TaskDef::new("test.stuck_loop");

/// Tasks, and how often the one that counts has run.
fn registry() -> (Registry, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let mut registry = Registry::new();
    registry
        .register(COUNT, move |_ctx, panics| {
            let run = counter.fetch_add(1, Ordering::SeqCst) + 1;
            assert!(!panics, "on purpose");
            Ok::<_, BoxError>(run)
        })
        .unwrap();
    registry
        .register(UNTIL_ASKED, |ctx, ()| {
            outwork_core::blocking::block_on(ctx.cancelled());
            Err::<(), BoxError>("stopped when asked".into())
        })
        .unwrap();
    registry
        .register(STUCK, |_ctx, millis| {
            std::thread::sleep(Duration::from_millis(millis));
            Ok::<_, BoxError>(())
        })
        .unwrap();
    registry
        .register_async(FOREVER, |_ctx, ()| async {
            std::future::pending::<()>().await;
            Ok::<_, BoxError>(())
        })
        .unwrap();
    registry
        .register_async(STUCK_LOOP, |_ctx, millis| async move {
            std::thread::sleep(Duration::from_millis(millis));
            Ok::<_, BoxError>(())
        })
        .unwrap();
    (registry, runs)
}

fn threads(registry: Registry) -> ThreadPool {
    ThreadPool::builder().workers(1).registry(registry).build().unwrap()
}

fn loops(registry: Registry) -> EventLoopPool {
    EventLoopPool::builder().loops(1).registry(registry).build().unwrap()
}

fn submit<A: serde::Serialize, R>(on: &dyn Executor, def: TaskDef<A, R>, args: &A) -> TaskHandle {
    on.try_submit(def.task(args).unwrap()).unwrap()
}

fn limited<A: serde::Serialize, R>(def: TaskDef<A, R>, args: &A, limit: Duration) -> Task {
    def.task(args).unwrap().with_options(TaskOptions::new().time_limit(limit).unwrap())
}

fn wait_running(handle: &TaskHandle) {
    wait_until("the task runs", || handle.state() == State::Running);
}

#[test]
fn delivery_at_most_once() {
    let build: [fn(Registry) -> Arc<dyn Executor>; 3] = [
        |registry| Arc::new(Inline::new(registry)),
        |registry| Arc::new(threads(registry)),
        |registry| Arc::new(loops(registry)),
    ];
    for build in build {
        let (registry, runs) = registry();
        let executor = build(registry);
        // Idempotent or not: what failed without a retry policy is not run again.
        let task = COUNT.task(&true).unwrap().with_options(TaskOptions::new().idempotent(true));
        let mut handle = executor.try_submit(task).unwrap();
        assert_eq!(handle.wait_timeout(PATIENCE).unwrap().state(), State::Failed);
        assert_eq!(executor.blocking_call(COUNT, &false).unwrap(), 2);
        assert_eq!(runs.load(Ordering::SeqCst), 2, "{executor:?}");
    }
}

#[test]
fn running_task_survives_the_callers_sigkill_no() {
    for executor in ["inline", "threads", "loops"] {
        let folder = tempfile::tempdir().unwrap();
        let beats = folder.path().join("beats");
        let mut caller = Command::new(env!("CARGO_BIN_EXE_child"))
            .arg(executor)
            .arg(&beats)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("the task beats", || beats_of(&beats) > 3);
        caller.kill().unwrap();
        caller.wait().unwrap();
        // The process is reaped: whatever beat in it is over.
        let last = beats_of(&beats);
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(beats_of(&beats), last, "{executor}");
    }
}

fn beats_of(file: &Path) -> usize {
    std::fs::read(file).map_or(0, |beats| beats.len())
}

#[test]
fn cancel_queued_yes() {
    let (registry, runs) = registry();
    let pool = threads(registry);
    let running = submit(&pool, UNTIL_ASKED, &());
    wait_running(&running);
    let mut queued = submit(&pool, COUNT, &false);
    assert_eq!(queued.cancel(), Cancel::Confirmed);
    assert_eq!(queued.wait_timeout(PATIENCE).unwrap().state(), State::Cancelled);
    running.cancel();
    pool.blocking_call(COUNT, &false).unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 1, "only the last one ran");
}

#[test]
fn cancel_running_as_the_body_can() {
    let (registry, _) = registry();
    let pool = threads(registry);
    let mut asked = submit(&pool, UNTIL_ASKED, &());
    wait_running(&asked);
    assert_eq!(asked.cancel(), Cancel::Requested);
    assert_eq!(asked.wait_timeout(PATIENCE).unwrap().state(), State::Cancelled);

    let mut deaf = submit(&pool, STUCK, &100);
    wait_running(&deaf);
    assert_eq!(deaf.cancel(), Cancel::Requested);
    assert_eq!(deaf.state(), State::Running, "it is not said to be cancelled while it runs");
    assert_eq!(deaf.wait_timeout(PATIENCE).unwrap().state(), State::Succeeded);
}

#[test]
fn cancel_running_at_the_next_await() {
    let (registry, _) = registry();
    let pool = loops(registry);
    let mut handle = submit(&pool, FOREVER, &());
    wait_running(&handle);
    assert_eq!(handle.cancel(), Cancel::Requested);
    assert_eq!(handle.wait_timeout(PATIENCE).unwrap().state(), State::Cancelled);
}

#[test]
fn time_limit_async_and_commands() {
    let (mut registry, _) = registry();
    let sleep: TaskDef<(), outwork_core::CommandReport> = TaskDef::new("test.sleep");
    registry
        .register_command(sleep, |_ctx, ()| {
            outwork_core::CommandSpec::new("/bin/sleep").map(|spec| spec.arg("60"))
        })
        .unwrap();
    let inline = Inline::new(registry);
    let limit = Duration::from_millis(50);
    for task in [limited(FOREVER, &(), limit), limited(sleep, &(), limit)] {
        let mut handle = inline.try_submit(task).unwrap();
        assert_eq!(handle.wait_timeout(PATIENCE).unwrap().state(), State::TimedOut);
    }
    // A synchronous body is not stopped: its end is awaited, and then it counts as timed out.
    let mut handle = inline.try_submit(limited(STUCK, &200, limit)).unwrap();
    let outcome = handle.wait_timeout(PATIENCE).unwrap();
    assert_eq!(outcome.state(), State::TimedOut);
    assert!(outcome.timings().run_time().unwrap() >= Duration::from_millis(200));
}

#[test]
fn time_limit_reported_at_once_thread_abandoned_and_replaced() {
    let (registry, _) = registry();
    let pool = threads(registry);
    let limit = Duration::from_millis(50);
    let start = Instant::now();
    let mut handle = pool.try_submit(limited(STUCK, &3000, limit)).unwrap();
    let outcome = handle.wait_timeout(PATIENCE).unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "at once, not {:?}", start.elapsed());
    let abandoned = TaskErrorKind::TimedOut { limit, abandoned: true };
    assert_eq!(outcome.error().unwrap().kind(), &abandoned);
    // The only thread is still asleep: another one does this.
    pool.blocking_call(COUNT, &false).unwrap();
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn time_limit_at_the_next_await_stuck_loop_replaced() {
    let (registry, _) = registry();
    let pool = EventLoopPool::builder()
        .loops(1)
        .registry(registry)
        .stall_after(Duration::from_millis(20))
        .replace_after(Duration::from_millis(40))
        .build()
        .unwrap();
    let limit = Duration::from_millis(50);
    let mut handle = pool.try_submit(limited(FOREVER, &(), limit)).unwrap();
    assert_eq!(handle.wait_timeout(PATIENCE).unwrap().state(), State::TimedOut);

    let start = Instant::now();
    let stuck = submit(&pool, STUCK_LOOP, &3000);
    wait_running(&stuck);
    let mut next = pool.spawn(async {});
    assert!(next.wait_timeout(PATIENCE).unwrap().is_success());
    assert!(start.elapsed() < Duration::from_secs(2), "on another thread");
}

#[test]
fn crash_of_one_task_panic_contained() {
    for pool in [0, 1] {
        let (registry, _) = registry();
        let pool: Box<dyn Executor> =
            if pool == 0 { Box::new(threads(registry)) } else { Box::new(loops(registry)) };
        let mut handle = submit(&*pool, COUNT, &true);
        let outcome = handle.wait_timeout(PATIENCE).unwrap();
        assert_eq!(outcome.error().unwrap().kind(), &TaskErrorKind::Panicked);
        assert_eq!(pool.blocking_call(COUNT, &false).unwrap(), 2);
    }
}

#[test]
fn backpressure_bounded_queue() {
    let limit = NonZeroUsize::new(2).unwrap();
    for pool in [0, 1] {
        let (registry, _) = registry();
        let pool: Box<dyn Executor> = if pool == 0 {
            let builder = ThreadPool::builder().workers(1).limit(limit);
            Box::new(builder.registry(registry).build().unwrap())
        } else {
            let builder = EventLoopPool::builder().loops(1).limit(limit);
            Box::new(builder.registry(registry).build().unwrap())
        };
        let held = [submit(&*pool, UNTIL_ASKED, &()), submit(&*pool, UNTIL_ASKED, &())];
        let refused = pool.try_submit(COUNT.task(&false).unwrap()).unwrap_err();
        assert_eq!(refused.kind(), SubmitErrorKind::Full);
        for handle in &held {
            handle.cancel();
        }
        let task = refused.into_task();
        let mut handle = pool.blocking_submit(task, Some(PATIENCE)).unwrap();
        assert!(handle.wait_timeout(PATIENCE).unwrap().is_success());
    }
}

#[test]
fn capture_keeps_what_a_task_wrote_before_its_time_limit() {
    let mut registry = Registry::new();
    let loud: TaskDef<(), ()> = TaskDef::new("test.loud");
    registry
        .register_async(loud, |ctx, ()| async move {
            ctx.stdout().write(b"partial \xff")?;
            std::future::pending::<()>().await;
            Ok::<_, BoxError>(())
        })
        .unwrap();
    let pool = threads(registry);
    let options = TaskOptions::new().stdout(StreamTarget::memory());
    let options = options.time_limit(Duration::from_millis(50)).unwrap();
    let mut handle = pool.try_submit(loud.task(&()).unwrap().with_options(options)).unwrap();
    let outcome = handle.wait_timeout(PATIENCE).unwrap();
    assert_eq!(outcome.state(), State::TimedOut);
    assert_eq!(&outcome.stdout().bytes().unwrap()[..], b"partial \xff");
}
