//! What the tests are written with. Every wait has a deadline and says what it waits for.

mod alone;
mod gate;
mod process;
mod story;
// What the workers of process pools know.
#[path = "../bin/child/tasks.rs"]
pub(crate) mod tasks;

pub use alone::{alone, alone_for};
pub use gate::Gate;
pub use process::{Owned, cpu_time, is_asleep, thread_here, threads_of};
pub use story::{story, story_of};

use std::{
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use outwork_core::{
    BoxError, Executor, Outcome, Registry, Shutdown, ShutdownReport, Task, TaskContext, TaskDef,
    TaskHandle, TaskOptions, blocking::block_on_for,
};

/// How long a test waits for what has to come. Long, because the machine may be busy, and
/// because only a test that fails waits so long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A deadline of a shutdown that is not to matter.
pub const LATER: Duration = Duration::from_secs(600);

pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A name that no other pool of this process has, short enough to be the name of threads.
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Waits until something is so that nobody tells about.
#[track_caller]
pub fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain until {what}");
        thread::sleep(ms(1));
    }
}

/// How a task ended that has to end.
#[track_caller]
pub fn outcome<T>(mut handle: TaskHandle<T>) -> Outcome<T> {
    match handle.wait_timeout(PATIENCE) {
        Ok(outcome) => outcome,
        Err(error) => panic!("{handle:?} has no outcome: {error}"),
    }
}

/// The result of a task that has to succeed.
#[track_caller]
pub fn value<T>(handle: TaskHandle<T>) -> T {
    match outcome(handle).into_result() {
        Ok(value) => value,
        Err(error) => panic!("the task has no result: {error:?}"),
    }
}

/// Calls what must return, on a thread that is left behind when it does not.
#[track_caller]
pub fn in_time<T: Send + 'static>(what: &str, run: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = mpsc::channel();
    let thread = thread::Builder::new().name("in-time".to_owned());
    let caller = thread.spawn(move || send.send(run()).unwrap()).unwrap();
    match receive.recv_timeout(PATIENCE) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: did not return in {PATIENCE:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(caller.join().unwrap_err())
        }
    }
}

/// Receives what has to come.
#[track_caller]
pub fn receive<T>(what: &str, receiver: &mpsc::Receiver<T>) -> T {
    receiver.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// Asserts that something takes less than so long, at the best of some trials:
/// the claim is about the code, and the machine may be busy.
#[track_caller]
pub fn takes_less_than(limit: Duration, what: &str, mut measure: impl FnMut() -> Duration) {
    let mut best = Duration::MAX;
    for _ in 0..8 {
        best = best.min(measure());
        if best < limit {
            return;
        }
    }
    panic!("{what} took {best:?} at best, and not less than {limit:?}");
}

/// Asserts that something takes a time that lies between, in one of some trials, and never less.
#[track_caller]
pub fn takes_between(
    least: Duration,
    most: Duration,
    what: &str,
    mut measure: impl FnMut() -> Duration,
) {
    takes_less_than(most, what, || {
        let took = measure();
        assert!(took >= least, "{what} took {took:?}, which is less than {least:?}");
        took
    });
}

/// Hands over a task that has to be accepted.
#[track_caller]
pub fn submit(executor: &dyn Executor, task: Task) -> TaskHandle {
    block_on_for(executor.submit(task), Some(PATIENCE))
        .expect("no answer to a submission")
        .expect("a task was refused")
}

/// Stops an executor and waits for it.
#[track_caller]
pub fn stop(executor: &dyn Executor, how: Shutdown) -> ShutdownReport {
    let report =
        block_on_for(executor.shutdown(how), Some(how.deadline().min(PATIENCE) + PATIENCE))
            .expect("the executor did not stop");
    assert!(report.stopped || !how.waits(), "{report:?}");
    report
}

/// Lets an executor finish what it has, and waits for it.
#[track_caller]
pub fn drain(executor: &dyn Executor) -> ShutdownReport {
    stop(executor, Shutdown::drain(PATIENCE))
}

/// Each way to stop an executor in its turn.
pub const fn in_turn(round: usize) -> Shutdown {
    match round % 3 {
        0 => Shutdown::drain(LATER),
        1 => Shutdown::cancel_pending(LATER),
        _ => Shutdown::abort(LATER),
    }
}

/// Ends so many executors, whose threads have this name, in one way or another, and sees that
/// neither a thread nor a descriptor is left. To be called [`alone`].
pub fn leave_nothing<E: Executor>(executors: usize, threads: &str, use_one: impl Fn() -> E) {
    drain(&use_one());
    wait_until("the threads of the first have left", || threads_of(threads) == 0);
    let before = Owned::now();
    for round in 0..executors {
        let executor = use_one();
        match round % 4 {
            0 => drop(executor),
            1 => drop(stop(&executor, Shutdown::abort(LATER))),
            _ => drop(drain(&executor)),
        }
    }
    wait_until("all threads have left", || threads_of(threads) == 0);
    before.wait_for_no_more();
}

/// A task of a name without arguments.
pub fn task<R>(def: TaskDef<(), R>) -> Task {
    def.task(&()).unwrap()
}

/// A task of a name without arguments, with options.
pub fn task_with<R>(def: TaskDef<(), R>, options: TaskOptions) -> Task {
    task(def).with_options(options)
}

/// A registry with one function in it.
pub fn registry_of(
    def: TaskDef<(), ()>,
    body: impl Fn(&TaskContext) + Send + Sync + 'static,
) -> Registry {
    let mut registry = Registry::new();
    register(&mut registry, def, body);
    registry
}

/// Registers a function without arguments that cannot fail.
pub fn register<R: serde::Serialize>(
    registry: &mut Registry,
    def: TaskDef<(), R>,
    body: impl Fn(&TaskContext) -> R + Send + Sync + 'static,
) {
    registry.register(def, move |ctx, ()| Ok::<_, BoxError>(body(ctx))).unwrap();
}

/// Registers a function that returns a future, without arguments, that cannot fail.
pub fn register_async<R, F>(
    registry: &mut Registry,
    def: TaskDef<(), R>,
    body: impl Fn(TaskContext) -> F + Send + Sync + 'static,
) where
    R: serde::Serialize + 'static,
    F: Future<Output = R> + Send + 'static,
{
    registry
        .register_async(def, move |ctx, ()| {
            let future = body(ctx);
            async move { Ok::<_, BoxError>(future.await) }
        })
        .unwrap();
}

/// What is said by panics that a test wants, and that are not to be printed.
pub const ON_PURPOSE: &str = "on purpose";

/// Panics without a word on the terminal.
pub fn panic_on_purpose() -> ! {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>() != Some(&ON_PURPOSE) {
                loud(info);
            }
        }));
    });
    std::panic::panic_any(ON_PURPOSE)
}

/// A value whose destructor panics.
#[derive(Debug)]
pub struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic_on_purpose();
        }
    }
}

/// Calls a function when it is dropped.
pub struct OnDrop<F: FnMut()>(pub F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
