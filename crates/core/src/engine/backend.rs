//! [`Backend`]: what a pool has to be able to do.

use std::{fmt, time::Duration};

use futures_core::future::BoxFuture;

use super::{Attempt, AttemptKey};
use crate::{
    BodyKind, Capabilities, CommandReport, CommandSpec, ExecutorConfig, Refusal, StopLevel, Task,
    TaskContext, TaskError, blocking::block_on, registry::Registered,
};

/// What a pool has to be able to do; the [`Engine`](super::Engine) does the rest.
///
/// An attempt that is started has to be run, or dropped: dropping one is safe and resolves
/// its task as lost, or is nothing at all when the task was cancelled meanwhile.
pub trait Backend: Send + Sync + fmt::Debug + 'static {
    /// Takes an attempt, to be run as soon as a worker is free. Never waits.
    ///
    /// Attempts of one priority start in the order in which they come here.
    /// Called from submitters, from the timer's thread when a delay is over, and from whoever
    /// finishes an attempt that is followed by another.
    fn start(&self, attempt: Attempt);

    /// Refuses tasks that this backend can never run.
    ///
    /// # Errors
    ///
    /// When the task is of such a kind.
    fn check(&self, task: &Task, registered: &Registered) -> Result<(), Refusal> {
        let _ = (task, registered);
        Ok(())
    }

    /// Calls back an attempt that was [handed over](Attempt::hand_over) and has not begun.
    ///
    /// Backends that never hand over need nothing here.
    fn recall(&self, key: AttemptKey, why: Recall) {
        let _ = (key, why);
    }

    /// Makes a body stop that does not run in this process.
    ///
    /// Bodies in this process are stopped through their context, and need nothing here.
    fn stop(&self, key: AttemptKey, level: StopLevel) {
        let _ = (key, level);
    }

    /// How long a body that is asked to stop has before it is made to, where its task does
    /// not say.
    fn default_grace(&self, kind: BodyKind) -> Duration {
        match kind {
            BodyKind::Sync | BodyKind::Async => Duration::ZERO,
            BodyKind::Command => Duration::from_secs(2),
        }
    }

    /// How long a body that was made to stop may take before it is given up.
    fn patience(&self, kind: BodyKind) -> Duration {
        match kind {
            // Force means nothing to it.
            BodyKind::Sync => Duration::ZERO,
            // It stops at its next await.
            BodyKind::Async => Duration::from_secs(1),
            // The kernel needs a moment, unless the process hangs in a system call.
            BodyKind::Command => Duration::from_secs(5),
        }
    }

    /// How long a body that is forced to stop at the deadline of a shutdown has, at the least,
    /// before it is given up.
    fn last_grace(&self) -> Duration {
        Duration::from_millis(10)
    }

    /// Gives up the worker whose body does not stop, and puts another in its place.
    ///
    /// Whether it could be done. If not, the engine waits on, unless it is shutting down.
    fn abandon(&self, key: AttemptKey) -> bool {
        let _ = key;
        false
    }

    /// Runs a small future of the lifecycle, such as a teardown, where no body is in its way.
    fn drive(&self, future: BoxFuture<'static, ()>) {
        let run = std::thread::Builder::new().name("outwork-finish".to_owned());
        if let Err(error) = run.spawn(move || block_on(future)) {
            tracing::error!(%error, "no thread for the end of a task");
        }
    }

    /// Takes no more attempts. Called again with a harsher [`Close`] as a stop goes on.
    ///
    /// Each worker drops its [`WorkerToken`](super::WorkerToken) as it leaves;
    /// the executor has stopped when the last one has.
    fn close(&self, how: Close);

    /// How many workers can run tasks.
    fn workers(&self) -> usize;

    /// Whether it can run nothing at the moment, and tries to mend that.
    fn is_broken(&self) -> bool {
        false
    }

    /// What this backend can really do.
    fn capabilities(&self) -> Capabilities;

    /// How to build the like of it.
    fn config(&self) -> ExecutorConfig;
}

/// Why an attempt is called back before it has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recall {
    /// Its task was cancelled, or the executor stops.
    Stop,
    /// It was to start earlier than this.
    Expired,
}

/// How a backend closes. Each includes the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Close {
    /// What is queued is run, then the workers leave.
    Drain,
    /// What is queued is dropped.
    CancelQueued,
    /// What runs and is no attempt, such as a spawned future, is made to stop as far as it can
    /// be. Attempts are stopped by the engine.
    StopRunning,
    /// What runs is given up: its handles resolve now.
    Abandon,
}

/// Executes programs for command handlers.
pub trait CommandRunner: Send + Sync {
    /// Executes one program to its end, writing its output to the context's sinks.
    fn run(
        &self,
        spec: CommandSpec,
        ctx: TaskContext,
    ) -> BoxFuture<'static, Result<CommandReport, TaskError>>;
}
