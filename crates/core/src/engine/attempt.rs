//! [`Attempt`]: one run of one task, in the hands of a backend.

use std::{fmt, sync::Arc};

use super::{
    CommandRunner,
    body::{Body, contain},
    cell::Phase,
    run::Run,
};
use crate::{
    BodyKind, Change, EventKind, Handler, LossReason, Payload, Priority, Task, TaskContext,
    TaskError, TaskErrorKind, TaskId, WorkerLost,
};

/// One run of one task, in the hands of a [`Backend`](super::Backend).
///
/// It carries the duty to end it: an attempt that is dropped before it was finished resolves
/// its task as lost, so that no handle ever waits for nothing.
pub struct Attempt {
    run: Arc<Run>,
    handed_in: bool,
}

/// Names one attempt of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttemptKey {
    /// The task.
    pub task_id: TaskId,
    /// The number of the attempt, from 1.
    pub attempt: u32,
}

impl Attempt {
    pub(super) fn new(run: Arc<Run>) -> Self {
        Self { run, handed_in: false }
    }

    /// Which attempt of which task it is.
    #[must_use]
    pub fn key(&self) -> AttemptKey {
        self.run.key()
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> &Task {
        &self.run.cell.task
    }

    /// The task's priority.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.task().options.priority
    }

    /// The code to run.
    #[must_use]
    pub fn handler(&self) -> &Handler {
        self.run.cell.registered.handler()
    }

    /// The kind of code.
    #[must_use]
    pub fn kind(&self) -> BodyKind {
        self.handler().kind()
    }

    /// What the body sees.
    #[must_use]
    pub fn context(&self) -> TaskContext {
        self.run.context()
    }

    /// Whether it is still to be run: it was neither cancelled nor has it expired.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.run.cell.lock().state == Phase::Waiting
    }

    /// Whether hooks or a recorder have to be awaited around the body.
    #[must_use]
    pub fn has_surroundings(&self) -> bool {
        self.run.cell.core.has_surroundings()
    }

    /// Claims the attempt for a worker and runs the hooks before the body.
    ///
    /// `Ok(None)`: it is no longer wanted. `Err`: the body must not run; finish with the error.
    async fn prepare(&self) -> Option<Result<(), TaskError>> {
        let cell = &self.run.cell;
        {
            let mut inner = cell.lock();
            if inner.state != Phase::Waiting || !inner.is_current(&self.run) {
                return None;
            }
            inner.state = Phase::Preparing;
        }
        if let Some(recorder) = cell.core.recorder() {
            let change = Change::Started { task_id: cell.id(), attempt: self.run.number };
            if let Err(error) = recorder.record(change).await {
                let message = format!("the start could not be recorded: {error}");
                return Some(Err(TaskError::new(TaskErrorKind::Infrastructure, message)));
            }
        }
        let Some(hooks) = cell.core.hooks() else { return Some(Ok(())) };
        cell.lock().set_up = true;
        let ctx = self.context();
        let setup = Body::new(ctx.clone(), {
            let (hooks, ctx) = (Arc::clone(hooks), ctx);
            move || {
                Box::pin(async move {
                    let done = hooks.setup(&ctx).await;
                    done.map_err(TaskError::from_error)
                })
            }
        });
        let done = match setup {
            Ok(setup) => setup.await,
            Err(panic) => Err(panic),
        };
        Some(done.map_err(|error| {
            if error.kind() == &TaskErrorKind::Cancelled {
                return error;
            }
            TaskError::failed(format!("the setup before the task failed: {error}"))
        }))
    }

    /// Marks the body as running, from here on until the attempt is finished.
    ///
    /// `false`: the task was cancelled or has expired, and must not run; drop the attempt.
    #[must_use]
    pub fn begin(&self, worker: &Arc<str>) -> bool {
        let cell = &self.run.cell;
        let now = cell.core.now();
        let mut inner = cell.lock();
        let ready = matches!(inner.state, Phase::Waiting | Phase::Preparing);
        if !ready || inner.stop.is_some() || !inner.is_current(&self.run) {
            return false;
        }
        inner.state = Phase::Running;
        inner.started = Some(now);
        inner.attempts += 1;
        inner.worker = Some(Arc::clone(worker));
        cell.core.counts().running(1);
        cell.emit(self.run.number, || EventKind::Started { worker: Some(Arc::clone(worker)) });
        if let Some(limit) = cell.task.options.time_limit {
            inner.timers.limit = Some(cell.core.arm_limit(cell, now + limit, self.run.number));
        }
        true
    }

    /// Ends the attempt. Whether the task ends with it is the retry policy's to say.
    ///
    /// A task that was resolved otherwise meanwhile keeps its outcome; this result is dropped
    /// and counted.
    pub async fn finish(mut self, result: Result<Payload, TaskError>) {
        self.handed_in = true;
        match self.claim() {
            Some(claim) => claim.settle(result).await,
            None => self.run.cell.core.counts().late(),
        }
    }

    /// Ends the attempt on a thread that may not wait; hooks and recorder run elsewhere.
    pub fn finish_elsewhere(mut self, result: Result<Payload, TaskError>) {
        self.handed_in = true;
        match self.claim() {
            Some(claim) => claim.settle_elsewhere(result),
            None => self.run.cell.core.counts().late(),
        }
    }

    fn claim(&self) -> Option<super::settle::Claim> {
        self.run.cell.claim_run(&self.run)
    }

    /// Runs a synchronous body on this thread, if that needs no awaiting.
    ///
    /// # Errors
    ///
    /// Gives the attempt back when its body is of another kind or has hooks or a recorder:
    /// [`run`](Self::run) it.
    pub fn run_sync(self, worker: &Arc<str>) -> Result<(), Self> {
        let Handler::Sync(body) = self.handler() else { return Err(self) };
        if self.has_surroundings() {
            return Err(self);
        }
        let body = Arc::clone(body);
        if !self.begin(worker) {
            return Ok(());
        }
        let result = self.open_files().and_then(|()| self.call(&*body));
        self.finish_elsewhere(result);
        Ok(())
    }

    /// Runs the attempt to its end: hooks, body, hooks, whatever the kind of body.
    ///
    /// A synchronous body blocks the thread that polls this.
    pub async fn run(self, worker: &Arc<str>, commands: &dyn CommandRunner) {
        let prepared = match self.prepare().await {
            Some(Ok(())) => self.open_files(),
            Some(Err(error)) => Err(error),
            None => return,
        };
        let result = match prepared {
            Ok(()) if self.begin(worker) => self.run_body(commands).await,
            // Cancelled while it was prepared: the reason to stop says the rest.
            Ok(()) => Err(TaskError::cancelled()),
            Err(error) => Err(error),
        };
        self.finish(result).await;
    }

    fn open_files(&self) -> Result<(), TaskError> {
        self.run.open_files().map_err(|error| {
            let message = format!("the output of the task cannot be captured: {error}");
            TaskError::new(TaskErrorKind::Infrastructure, message)
        })
    }

    async fn run_body(&self, commands: &dyn CommandRunner) -> Result<Payload, TaskError> {
        let ctx = self.context();
        let payload = &self.task().payload;
        match self.handler() {
            Handler::Sync(body) => self.call(&**body),
            Handler::Async(body) => {
                let body = Arc::clone(body);
                let make = {
                    let ctx = ctx.clone();
                    move || body(ctx, payload.clone())
                };
                Body::new(ctx, make)?.await
            }
            Handler::Command(body) => {
                let spec = contain(|| ctx.scope(|| body(&ctx, payload)))??;
                let report = commands.run(spec, ctx).await?;
                Payload::encode(payload.codec(), &report)
                    .map_err(|error| TaskError::new(TaskErrorKind::Undecodable, error.to_string()))
            }
        }
    }

    fn call(&self, body: &crate::handler::SyncBody) -> Result<Payload, TaskError> {
        let ctx = self.context();
        contain(|| ctx.scope(|| body(&ctx, &self.task().payload)))?
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.handed_in
            && let Some(claim) = self.claim()
        {
            let lost = WorkerLost { reason: LossReason::Dropped, ..WorkerLost::default() };
            let error = TaskError::lost(lost, "the executor dropped the task before it had ended");
            claim.settle_elsewhere(Err(error));
        }
        self.run.cell.release_slot(&self.run);
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("key", &self.key()).finish_non_exhaustive()
    }
}
