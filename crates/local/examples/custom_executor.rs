//! An executor of one's own: each task gets a thread of its own.
//!
//! What is written here is how an attempt is started. Ids, room, limits, retries, delays,
//! cancellation, events, hooks, capture and shutdown come from the engine, and the conformance
//! suite proves the result: see `tests/it/conformance.rs`.

use std::{
    sync::{Arc, Mutex, PoisonError},
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

/// Runs each task on a thread of its own.
#[derive(Debug)]
pub struct ThreadPerTask {
    engine: Engine<Threads>,
}

delegate_executor!(impl[] for ThreadPerTask => engine);

impl ThreadPerTask {
    /// An executor for these tasks, with these settings.
    pub fn new(registry: impl Into<Arc<Registry>>, options: EngineOptions) -> Self {
        let engine = Engine::build(registry.into(), options, |executor| {
            let token = Mutex::new(Some(executor.token));
            Ok::<_, std::convert::Infallible>(Threads { id: executor.id, token })
        });
        let Ok(engine) = engine;
        Self { engine }
    }
}

/// The backend: all that differs from other executors.
#[derive(Debug)]
struct Threads {
    id: ExecutorId,
    /// Each thread holds a copy. The executor has stopped when the last one is gone.
    token: Mutex<Option<WorkerToken>>,
}

impl Threads {
    fn token(&self) -> Option<WorkerToken> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Backend for Threads {
    fn start(&self, attempt: Attempt) {
        let (token, id) = (self.token(), self.id);
        let body = move || {
            let _scope = WorkerScope::enter(id, Arc::new(NoSpareNeeded));
            block_on(attempt.run(&Arc::from("thread"), &NoCommands));
            drop(token);
        };
        // A thread that the system refuses drops the attempt, which ends its task as lost.
        let _ = thread::Builder::new().name("task".to_owned()).spawn(body);
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

    fn abandon(&self, _key: AttemptKey) -> bool {
        // There is nothing to replace: every task has a thread.
        true
    }

    fn close(&self, _how: Close) {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(token);
    }

    fn workers(&self) -> usize {
        usize::MAX
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::IN_PROCESS;
        capabilities.stop_command = Stopping::Never;
        capabilities.priorities = false;
        capabilities
    }

    fn config(&self) -> ExecutorConfig {
        ExecutorConfig::new("thread-per-task", &())
    }
}

/// A task that waits for another keeps only its own thread.
struct NoSpareNeeded;

impl Compensate for NoSpareNeeded {
    fn block(&self, _target: ExecutorId) -> Result<Box<dyn Send>, WouldDeadlock> {
        Ok(Box::new(()))
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

    let executor = ThreadPerTask::new(registry, EngineOptions::new("thread-per-task"));
    println!("{}", executor.blocking_call(SQUARE, &12)?);
    println!("{:?}", executor.status().counts);
    Ok(())
}
