//! [`Attempt`]: one run of one task, in the hands of a backend.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    CommandRunner,
    body::{Body, catch, contain, run_handler},
    cell::{Cell, Phase, StopReason},
    claim::Claim,
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
/// Finishing or dropping one may start another one at once, through
/// [`Backend::start`](super::Backend::start): do neither under a lock that `start` takes.
pub struct Attempt {
    run: Run,
    handed_in: bool,
}

/// Names one attempt of one task, also when the same id is submitted again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttemptKey {
    /// The task.
    pub task_id: TaskId,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// When the task was submitted, which tells it from a later one with the same id.
    pub(super) submitted: Instant,
}

/// What came of preparing an attempt.
#[derive(Debug)]
#[must_use]
pub enum Prepared {
    /// The body may begin.
    Ready,
    /// The task has ended meanwhile: drop the attempt.
    Unwanted,
    /// The body must not run: finish with this error.
    Failed(TaskError),
}

impl Attempt {
    pub(super) fn new(run: Run) -> Self {
        Self { run, handed_in: false }
    }

    pub(super) fn cell(&self) -> &Arc<Cell> {
        self.run.cell()
    }

    /// Whether the task ends with it, however it ends.
    pub(super) fn is_last(&self) -> bool {
        self.run.number() >= self.task().options().retry.max_attempts().get()
    }

    /// Which attempt of which task it is.
    #[must_use]
    pub fn key(&self) -> AttemptKey {
        self.run.key()
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> &Task {
        &self.run.cell().task
    }

    /// The task's priority.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.task().options().priority
    }

    /// The time limit of the body.
    #[must_use]
    pub fn time_limit(&self) -> Option<Duration> {
        self.task().options().time_limit
    }

    /// The code to run.
    #[must_use]
    pub fn handler(&self) -> &Handler {
        self.run.cell().registered.handler()
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
        let inner = self.run.cell().lock();
        inner.is_current(&self.run)
            && matches!(inner.phase, Phase::Waiting | Phase::HandedOver | Phase::Preparing)
    }

    /// Whether hooks or a recorder have to be awaited around the body.
    #[must_use]
    pub fn has_surroundings(&self) -> bool {
        self.run.cell().core.has_surroundings()
    }

    /// Says that the attempt is sent ahead to a worker that will begin it later.
    ///
    /// From here on the engine does not end the task without the backend: it
    /// [recalls](super::Backend::recall) it, and the backend answers by
    /// [`take_back`](Self::take_back) or [`begin`](Self::begin).
    /// `false`: it is no longer wanted; drop it.
    #[must_use]
    pub fn hand_over(&self) -> bool {
        if self.is_overdue() {
            // The timer's thread may be late.
            self.run.cell().expire();
        }
        let mut inner = self.run.cell().lock();
        let may = matches!(inner.phase, Phase::Waiting | Phase::Preparing)
            && inner.is_current(&self.run)
            && inner.stop.is_none();
        if may {
            inner.phase = Phase::HandedOver;
        }
        may
    }

    /// Whether the task should have started earlier than now.
    fn is_overdue(&self) -> bool {
        let cell = self.run.cell();
        let expires = cell.task.options().expires;
        let at = expires.and_then(|expires| cell.submitted.checked_add(expires));
        at.is_some_and(|at| cell.core.now() >= at)
    }

    /// Says that the attempt came back unstarted, to be queued or sent again.
    ///
    /// `false`: it was recalled; drop it, which ends its task.
    #[must_use]
    pub fn take_back(&self) -> bool {
        let mut inner = self.run.cell().lock();
        if inner.phase != Phase::HandedOver || !inner.is_current(&self.run) {
            return false;
        }
        let wanted = inner.stop.is_none();
        if wanted {
            inner.phase = Phase::Waiting;
        }
        wanted
    }

    /// Claims the attempt for a worker: opens its capture files, records its start, and runs
    /// the hooks that come before the body.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future and then the attempt ends the task as lost.
    pub async fn prepare(&self) -> Prepared {
        let cell = self.run.cell();
        {
            let mut inner = cell.lock();
            if inner.phase != Phase::Waiting || !inner.is_current(&self.run) {
                return Prepared::Unwanted;
            }
            inner.phase = Phase::Preparing;
        }
        match self.surround().await {
            Ok(()) => Prepared::Ready,
            Err(error) => Prepared::Failed(error),
        }
    }

    async fn surround(&self) -> Result<(), TaskError> {
        let cell = self.run.cell();
        if let Some(recorder) = cell.core.recorder() {
            let change = Change::Started { task_id: cell.id(), attempt: self.run.number() };
            catch(|| recorder.record(change)).await.map_err(|error| {
                let message = format!("the start could not be recorded: {error}");
                TaskError::new(TaskErrorKind::Infrastructure, message)
            })?;
        }
        self.open_files()?;
        let Some(hooks) = cell.core.hooks() else { return Ok(()) };
        {
            let mut inner = cell.lock();
            // Whoever has claimed the end meanwhile would not know of the hook.
            if inner.phase != Phase::Preparing || !inner.is_current(&self.run) {
                return Err(TaskError::cancelled());
            }
            inner.set_up = true;
        }
        let ctx = self.context();
        let setup = Body::new(ctx.clone(), {
            let hooks = Arc::clone(hooks);
            move || Box::pin(async move { hooks.setup(&ctx).await.map_err(TaskError::from_error) })
        });
        setup?.await.map_err(|error| match error.kind() {
            TaskErrorKind::Cancelled => error,
            _ => TaskError::failed(format!("the setup before the task failed: {error}")),
        })
    }

    /// Marks the body as running, from here on until the attempt is finished.
    ///
    /// `false`: the task was cancelled or has expired, and must not run; drop the attempt.
    /// One that was handed over has begun already when this is heard of: it stays `true`,
    /// and the wish to stop is raised.
    #[must_use]
    pub fn begin(&self, worker: &Arc<str>) -> bool {
        let cell = self.run.cell();
        let now = cell.core.now();
        let mut inner = cell.lock();
        let ready = match inner.phase {
            Phase::Waiting | Phase::Preparing => inner.stop.is_none(),
            Phase::HandedOver => true,
            Phase::Enrolling
            | Phase::Promised
            | Phase::Running
            | Phase::Settling { .. }
            | Phase::Ended(_) => false,
        };
        if !ready || !inner.is_current(&self.run) {
            return false;
        }
        inner.phase = Phase::Running;
        inner.started = Some(now);
        inner.attempts += 1;
        inner.worker = Some(Arc::clone(worker));
        cell.emit(inner.number, || EventKind::Started { worker: Some(Arc::clone(worker)) });
        let number = inner.number;
        if let Some(at) = self.time_limit().and_then(|limit| now.checked_add(limit)) {
            inner.rare().timers.limit = Some(cell.core.arm_limit(cell, at, number));
        }
        let stopped = inner.stop.is_some();
        if stopped {
            cell.emit(inner.number, || EventKind::CancelRequested);
        }
        drop(inner);
        if stopped {
            cell.request_stop(&self.run);
        }
        true
    }

    /// Says how long the body has run, where its beginning was heard of late.
    pub fn ran_for(&self, time: Duration) {
        let cell = self.run.cell();
        let Some(started) = cell.core.now().checked_sub(time) else { return };
        let mut inner = cell.lock();
        if inner.phase == Phase::Running && inner.is_current(&self.run) {
            inner.started = inner.started.map(|heard| heard.min(started).max(cell.submitted));
        }
    }

    /// Ends the attempt. Whether the task ends with it is the retry policy's to say.
    ///
    /// A task that was resolved otherwise meanwhile keeps its outcome; this result is dropped
    /// and counted.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt with this result, without the hooks and the
    /// recorder that had not been called yet.
    pub fn finish(
        mut self,
        result: Result<Payload, TaskError>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let settled = self.hand_in().map(|claim| claim.settle(result));
        async move {
            if let Some(settled) = settled {
                settled.await;
            }
        }
    }

    /// Ends the attempt on a thread that may not wait; hooks and recorder run elsewhere.
    pub fn finish_elsewhere(mut self, result: Result<Payload, TaskError>) {
        if let Some(claim) = self.hand_in() {
            claim.settle_elsewhere(result);
        }
    }

    fn hand_in(&mut self) -> Option<Claim> {
        let claim = self.run.cell().claim_run(&self.run);
        self.handed_in = claim.is_some();
        if claim.is_none() {
            self.run.cell().core.counts().late();
        }
        claim
    }

    /// Runs a synchronous body on this thread, if that needs no awaiting.
    ///
    /// # Errors
    ///
    /// Gives the attempt back when its body is of another kind or has hooks or a recorder:
    /// [`run`](Self::run) it.
    pub fn run_sync(self, worker: &Arc<str>) -> Result<(), Self> {
        if self.has_surroundings() {
            return Err(self);
        }
        let Handler::Sync(body) = self.handler() else { return Err(self) };
        if self.begin(worker) {
            let ctx = self.context();
            let result = self
                .open_files()
                .and_then(|()| contain(|| ctx.scope(|| body(&ctx, &self.task().payload)))?);
            self.finish_elsewhere(result);
        }
        Ok(())
    }

    /// Runs the attempt to its end: hooks, body, hooks, whatever the kind of body.
    ///
    /// A synchronous body blocks the thread that polls this.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops an async body and ends the task as lost.
    pub async fn run(self, worker: &Arc<str>, commands: &dyn CommandRunner) {
        let result = match self.prepare().await {
            Prepared::Unwanted => return,
            Prepared::Failed(error) => Err(error),
            Prepared::Ready if self.begin(worker) => {
                run_handler(self.handler(), self.context(), &self.task().payload, commands).await
            }
            // Asked to stop while it was prepared: the reason says the rest.
            Prepared::Ready => Err(TaskError::cancelled()),
        };
        self.finish(result).await;
    }

    fn open_files(&self) -> Result<(), TaskError> {
        self.run.open_files().map_err(|error| {
            let message = format!("the output of the task cannot be captured: {error}");
            TaskError::new(TaskErrorKind::Infrastructure, message)
        })
    }

    /// The error of an attempt that nobody will run to its end.
    fn dropped(&self, claim: &Claim) -> TaskError {
        if claim.was_asked_to_stop() {
            return TaskError::cancelled();
        }
        let lost = WorkerLost { reason: LossReason::Dropped, ..WorkerLost::default() };
        TaskError::lost(lost, "the executor dropped the task before it had ended")
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.handed_in {
            return;
        }
        let cell = self.run.cell();
        if let Some(claim) = cell.claim_run(&self.run) {
            let error = self.dropped(&claim);
            claim.settle_elsewhere(Err(error));
        }
        cell.release_place(&self.run);
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("key", &self.key()).finish_non_exhaustive()
    }
}

impl StopReason {
    /// Whether no further attempt is wanted.
    pub(super) const fn is_final(self) -> bool {
        match self {
            Self::Cancel | Self::Shutdown | Self::Expired => true,
            Self::TimeLimit => false,
        }
    }
}
