//! The guarantees of the README, cell by cell and in its words.

use std::{
    num::NonZeroUsize,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use outwork_core::{
    BoxError, Cancel, Executor, ExecutorExt, Outcome, Registry, State, StreamTarget,
    SubmitErrorKind, Task, TaskDef, TaskErrorKind, TaskHandle, TaskId, TaskOptions,
    blocking::block_on_for,
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
            thread::sleep(Duration::from_millis(millis));
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
            thread::sleep(Duration::from_millis(millis));
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

/// How to build an executor of one column of the table.
type Build = fn(Registry) -> Arc<dyn Executor>;

const INLINE: Build = |registry| Arc::new(Inline::new(registry));
const THREADS: Build = |registry| Arc::new(threads(registry));
const LOOPS: Build = |registry| Arc::new(loops(registry));

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
    for build in [INLINE, THREADS, LOOPS] {
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
fn running_task_survives_the_callers_sigkill_no_commands_may() {
    for executor in ["inline", "threads", "loops"] {
        let folder = tempfile::tempdir().unwrap();
        let (beats, program) = (folder.path().join("beats"), folder.path().join("program"));
        let mut caller = Command::new(env!("CARGO_BIN_EXE_child"))
            .arg(executor)
            .args([&beats, &program])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("both tasks beat", || beats_of(&beats) > 3 && beats_of(&program) > 3);
        caller.kill().unwrap();
        caller.wait().unwrap();
        // The process is reaped: whatever beat in it is over.
        let last = beats_of(&beats);
        let of_program = beats_of(&program);
        wait_until("the program beats on", || beats_of(&program) > of_program + 3);
        assert_eq!(beats_of(&beats), last, "{executor}");
        // The program ends with the folder that it beats in.
        drop(folder);
    }
}

fn beats_of(file: &Path) -> usize {
    std::fs::read(file).map_or(0, |beats| beats.len())
}

/// Submits from a thread of its own, because inline runs the task inside that call.
fn begin(on: &Arc<dyn Executor>, task: Task) -> (TaskId, JoinHandle<Outcome>) {
    let (id, on) = (task.id(), Arc::clone(on));
    let run = move || on.try_submit(task).unwrap().wait_timeout(PATIENCE).unwrap();
    (id, thread::Builder::new().name("submits".to_owned()).spawn(run).unwrap())
}

fn cancel(on: &Arc<dyn Executor>, id: TaskId) -> Cancel {
    block_on_for(on.cancel(id), Some(PATIENCE)).unwrap()
}

fn wait_all_run(on: &Arc<dyn Executor>, running: usize) {
    wait_until("the tasks run", || on.status().running == running);
}

#[test]
fn cancel_queued_yes() {
    for build in [INLINE, THREADS, LOOPS] {
        let (registry, runs) = registry();
        let executor = build(registry);
        // Behind another one where there is a queue, and before its time everywhere.
        let busy = begin(&executor, UNTIL_ASKED.task(&()).unwrap());
        wait_all_run(&executor, 1);
        let queued = COUNT.task(&false).unwrap();
        let later = queued.clone().with_id(TaskId::new());
        let later = later.with_options(TaskOptions::new().delay(PATIENCE * 4));
        let queues = executor.capabilities().submits_ahead;
        let waiting = if queues { vec![queued, later] } else { vec![later] };
        let all = waiting.len() + 1;
        let waiting: Vec<_> = waiting.into_iter().map(|task| begin(&executor, task)).collect();
        wait_until("all are accepted", || executor.status().in_flight == all);
        for (id, waits) in waiting {
            assert_eq!(cancel(&executor, id), Cancel::Confirmed, "{executor:?}");
            assert_eq!(waits.join().unwrap().state(), State::Cancelled);
        }
        cancel(&executor, busy.0);
        assert_eq!(busy.1.join().unwrap().state(), State::Cancelled);
        assert_eq!(executor.blocking_call(COUNT, &false).unwrap(), 1, "only this one ran");
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn cancel_running_as_the_body_can() {
    for build in [INLINE, THREADS] {
        let (registry, _) = registry();
        let executor = build(registry);
        for asked in [UNTIL_ASKED, FOREVER] {
            let (id, ends) = begin(&executor, asked.task(&()).unwrap());
            wait_all_run(&executor, 1);
            assert_eq!(cancel(&executor, id), Cancel::Requested);
            assert_eq!(ends.join().unwrap().state(), State::Cancelled, "{executor:?}");
        }
        let (id, deaf) = begin(&executor, STUCK.task(&100).unwrap());
        wait_all_run(&executor, 1);
        assert_eq!(cancel(&executor, id), Cancel::Requested);
        assert_eq!(deaf.join().unwrap().state(), State::Succeeded, "{executor:?}");
    }
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
    let mut handle = pool.try_submit(limited(STUCK, &10_000, limit)).unwrap();
    let outcome = handle.wait_timeout(PATIENCE).unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "at once, not {:?}", start.elapsed());
    let abandoned = TaskErrorKind::TimedOut { limit, abandoned: true };
    assert_eq!(outcome.error().unwrap().kind(), &abandoned);
    // The only thread is still asleep: another one does this.
    pool.blocking_call(COUNT, &false).unwrap();
    assert!(start.elapsed() < Duration::from_secs(8), "on another thread");
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
    let stuck = submit(&pool, STUCK_LOOP, &10_000);
    wait_running(&stuck);
    let mut next = pool.spawn(async {});
    assert!(next.wait_timeout(PATIENCE).unwrap().is_success());
    assert!(start.elapsed() < Duration::from_secs(8), "on another thread");
}

#[test]
fn crash_of_one_task_panic_contained() {
    for build in [THREADS, LOOPS] {
        let (registry, _) = registry();
        let pool = build(registry);
        let mut handle = submit(&*pool, COUNT, &true);
        let outcome = handle.wait_timeout(PATIENCE).unwrap();
        assert_eq!(outcome.error().unwrap().kind(), &TaskErrorKind::Panicked);
        assert_eq!(pool.blocking_call(COUNT, &false).unwrap(), 2);
    }
}

#[test]
fn backpressure_bounded_queue() {
    let limit = NonZeroUsize::new(2).unwrap();
    let (threads, loops) = (ThreadPool::builder().workers(1), EventLoopPool::builder().loops(1));
    let pools: [Box<dyn Executor>; 2] = [
        Box::new(threads.limit(limit).registry(registry().0).build().unwrap()),
        Box::new(loops.limit(limit).registry(registry().0).build().unwrap()),
    ];
    for pool in pools {
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
