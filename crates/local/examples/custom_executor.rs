//! An executor of one's own: a few threads that take tasks in the order in which they come.
//!
//! What is written here is how attempts get to threads. Ids, room, limits, retries, delays,
//! cancellation, events, hooks, capture and shutdown come from the engine, and the conformance
//! suite proves the result: see `tests/it/conformance.rs`.

use std::{
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use outwork_core::{
    BodyKind, BoxError, BoxFuture, Capabilities, CommandReport, CommandSpec, Executor,
    ExecutorConfig, ExecutorExt, Refusal, Registered, Registry, Stopping, SubmitErrorKind, Task,
    TaskContext, TaskDef, TaskError, WorkerScope, WouldDeadlock,
    blocking::{Compensate, ExecutorId, block_on},
    delegate_executor,
    engine::{
        Attempt, AttemptKey, Backend, Close, CommandRunner, Engine, EngineOptions, WorkerToken,
    },
};

/// A few threads that take tasks in the order in which they come.
#[derive(Debug)]
pub struct SmallPool {
    engine: Engine<Threads>,
}

delegate_executor!(impl[] for SmallPool => engine);

impl SmallPool {
    /// So many threads for these tasks, with these settings.
    pub fn new(workers: usize, registry: impl Into<Arc<Registry>>, options: EngineOptions) -> Self {
        let engine = Engine::build(registry.into(), options, |executor| {
            let threads = Threads(Arc::new(Shared::new(executor.id, executor.token, workers)));
            (0..workers).for_each(|_| threads.0.start_thread());
            Ok::<_, Infallible>(threads)
        });
        let Ok(engine) = engine;
        Self { engine }
    }
}

/// The backend: all that differs from other executors.
#[derive(Debug)]
struct Threads(Arc<Shared>);

struct Shared {
    id: ExecutorId,
    workers: usize,
    queue: async_channel::Receiver<Message>,
    send: async_channel::Sender<Message>,
    /// Each thread holds a copy. The executor has stopped when the last one is gone.
    token: Mutex<Option<WorkerToken>>,
    /// What each busy thread runs.
    running: Mutex<Vec<AttemptKey>>,
}

enum Message {
    Attempt(Attempt),
    /// One thread is no longer needed.
    Leave,
}

impl Shared {
    fn new(id: ExecutorId, token: WorkerToken, workers: usize) -> Self {
        let (send, queue) = async_channel::unbounded();
        let token = Mutex::new(Some(token));
        Self { id, workers, queue, send, token, running: Mutex::default() }
    }

    fn start_thread(self: &Arc<Self>) {
        let Some(token) = lock(&self.token).clone() else { return };
        let shared = Arc::clone(self);
        let body = move || {
            let _scope = WorkerScope::enter(shared.id, Arc::new(Spare(Arc::clone(&shared))));
            shared.work(&Arc::from("small-pool"));
            drop(token);
        };
        // What a thread that the system refuses would have run is left to the others.
        let _ = thread::Builder::new().name("small-pool".to_owned()).spawn(body);
    }

    fn work(&self, name: &Arc<str>) {
        while let Ok(Message::Attempt(attempt)) = block_on(self.queue.recv()) {
            let key = attempt.key();
            lock(&self.running).push(key);
            block_on(attempt.run(name, &NoCommands));
            // Not there any more: the body was given up, and another thread has this place.
            if !self.take_off(key) {
                return;
            }
        }
    }

    fn take_off(&self, key: AttemptKey) -> bool {
        let mut running = lock(&self.running);
        let place = running.iter().position(|other| *other == key);
        place.map(|place| running.swap_remove(place)).is_some()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Backend for Threads {
    fn start(&self, attempt: Attempt) {
        // A closed queue gives the attempt back, and dropping it ends its task.
        let _ = self.0.send.try_send(Message::Attempt(attempt));
    }

    fn check(&self, _task: &Task, registered: &Registered) -> Result<(), Refusal> {
        match registered.kind() {
            BodyKind::Sync | BodyKind::Async => Ok(()),
            BodyKind::Command => {
                let message = format!("{} is a command, which is not run here", registered.name());
                Err(Refusal::new(SubmitErrorKind::UnknownTask, message))
            }
        }
    }

    fn abandon(&self, key: AttemptKey) -> bool {
        let given_up = self.0.take_off(key);
        if given_up {
            self.0.start_thread();
        }
        given_up
    }

    fn close(&self, how: Close) {
        self.0.send.close();
        if how >= Close::CancelQueued {
            while self.0.queue.try_recv().is_ok() {}
        }
        let token = lock(&self.0.token).take();
        drop(token);
    }

    fn workers(&self) -> usize {
        self.0.workers
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::IN_PROCESS;
        capabilities.stop_command = Stopping::Never;
        capabilities.priorities = false;
        capabilities
    }

    fn config(&self) -> ExecutorConfig {
        ExecutorConfig::new("small-pool", &())
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("workers", &self.workers).finish_non_exhaustive()
    }
}

/// Puts another thread in the place of one that waits for a task of the same pool.
struct Spare(Arc<Shared>);

impl Compensate for Spare {
    fn block(&self, _target: ExecutorId) -> Result<Box<dyn Send>, WouldDeadlock> {
        self.0.start_thread();
        Ok(Box::new(Return(Arc::clone(&self.0))))
    }
}

/// The thread waits no longer, so one is too many.
struct Return(Arc<Shared>);

impl Drop for Return {
    fn drop(&mut self) {
        let _ = self.0.send.try_send(Message::Leave);
    }
}

/// Commands were refused before they got here.
struct NoCommands;

impl CommandRunner for NoCommands {
    fn run(
        &self,
        _spec: CommandSpec,
        _ctx: TaskContext,
    ) -> BoxFuture<'static, Result<CommandReport, TaskError>> {
        Box::pin(async { Err(TaskError::failed("commands are not run here")) })
    }
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
#[allow(dead_code, reason = "the tests include this file for the executor")]
fn main() -> Result<(), BoxError> {
    const SQUARE: TaskDef<u64, u64> = TaskDef::new("demo.square");
    let mut registry = Registry::new();
    registry.register(SQUARE, |_ctx, n| Ok::<_, BoxError>(n * n))?;

    let executor = SmallPool::new(2, registry, EngineOptions::new("small-pool"));
    println!("{}", executor.blocking_call(SQUARE, &12)?);
    println!("{:?}", executor.status().counts);
    Ok(())
}
