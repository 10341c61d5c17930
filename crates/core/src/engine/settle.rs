//! [`Claim`]: the right, held by just one, to end an attempt.

use std::{sync::Arc, time::Duration};

use super::{
    Attempt,
    body::Body,
    cell::{Cell, Inner, Phase, StopReason},
    run::Run,
};
use crate::{
    Change, EventKind, Outcome, Payload, Report, TaskError, TaskErrorKind, Timings, waiters::Wakers,
};

/// The right to end an attempt. Whoever gets it first decides how; everybody else is late.
#[must_use = "an attempt that is claimed and not settled never ends"]
pub(super) struct Claim {
    cell: Arc<Cell>,
    run: Option<Arc<Run>>,
    stop: Option<StopReason>,
    set_up: bool,
    was_waiting: bool,
}

/// What follows an attempt.
enum Verdict {
    Retry { error: TaskError, delay: Duration },
    End(Result<Payload, TaskError>),
}

impl Inner {
    pub(super) fn is_current(&self, run: &Arc<Run>) -> bool {
        self.run.as_ref().is_some_and(|current| Arc::ptr_eq(current, run))
    }
}

impl Cell {
    /// Claims the end of the current attempt, whoever has it.
    pub(super) fn claim(self: &Arc<Self>) -> Option<Claim> {
        self.claim_if(|_| true)
    }

    /// Claims the end of this attempt, if it is the current one.
    pub(super) fn claim_run(self: &Arc<Self>, run: &Arc<Run>) -> Option<Claim> {
        self.claim_if(|inner| inner.is_current(run))
    }

    /// Claims the end of a task whose body has not been touched yet.
    pub(super) fn claim_waiting(self: &Arc<Self>) -> Option<Claim> {
        self.claim_if(|inner| inner.state == Phase::Waiting)
    }

    fn claim_if(self: &Arc<Self>, may: impl FnOnce(&Inner) -> bool) -> Option<Claim> {
        let mut inner = self.lock();
        let was = inner.state;
        if matches!(was, Phase::Settling { .. } | Phase::Ended(_)) || !may(&inner) {
            return None;
        }
        let was_running = was == Phase::Running;
        inner.state = Phase::Settling { was_running };
        let claim = Claim {
            cell: Arc::clone(self),
            run: inner.run.clone(),
            stop: inner.stop,
            set_up: std::mem::take(&mut inner.set_up),
            was_waiting: was == Phase::Waiting,
        };
        let timers = inner.timers.any().then(|| inner.timers.take());
        drop(inner);
        if was_running {
            self.core.counts().stopped(1);
        }
        // A deadline owns its attempt, and a dropped attempt locks this cell.
        timers.into_iter().flatten().for_each(|key| {
            self.core.timer().cancel(key);
        });
        Some(claim)
    }

    /// Gives back the room of an attempt that left the backend after its task had ended.
    pub(super) fn release_slot(&self, run: &Arc<Run>) {
        let mut inner = self.lock();
        if !inner.is_current(run) || !matches!(inner.state, Phase::Ended(_)) {
            return;
        }
        let parts = (inner.slot.take(), inner.run.take());
        drop(inner);
        drop(parts);
    }

    /// Ends the task now, whoever has claimed it: the executor's deadline has passed.
    pub(super) fn force_end(self: &Arc<Self>, error: TaskError) -> bool {
        drop(self.claim());
        self.conclude(Err(error), false)
    }

    /// Makes the end visible: the one place where a task gets its outcome.
    fn conclude(self: &Arc<Self>, result: Result<Payload, TaskError>, keep_slot: bool) -> bool {
        let core = &self.core;
        let now = core.now();
        // The room and the count are given back first, so that whoever learns of the end
        // finds them free.
        let slot = if keep_slot { None } else { self.lock().slot.take() };
        drop(slot);
        let mut inner = self.lock();
        if matches!(inner.state, Phase::Ended(_)) {
            drop(inner);
            core.counts().late();
            return false;
        }
        let outcome = inner.outcome(self, result, now);
        let state = outcome.state();
        inner.state = Phase::Ended(state);
        core.counts().ended(state);
        self.emit(inner.attempt_number(), || EventKind::Finished {
            state,
            error: outcome.error().cloned(),
        });
        let parts = (inner.instance.take(), if keep_slot { None } else { inner.run.take() });
        inner.outcome = Some(outcome);
        if self.is_addressed() {
            core.retain(self);
        }
        core.live().remove(self.id());
        let wakers: Wakers = inner.waiters.take();
        drop(inner);
        drop(parts);
        wakers.wake();
        core.task_ended();
        true
    }

    /// Puts the task back to wait for its next attempt.
    fn retry(self: &Arc<Self>, error: &TaskError, delay: Duration) {
        let mut inner = self.lock();
        let Some(last) = inner.run.take() else { return };
        if matches!(inner.state, Phase::Ended(_)) {
            return;
        }
        let run = Run::new(Arc::clone(self), last.number + 1);
        inner.run = Some(Arc::clone(&run));
        inner.state = Phase::Waiting;
        inner.stop = None;
        self.core.counts().retried();
        self.emit(last.number, || EventKind::Retrying { error: error.clone(), delay });
        let attempt = Attempt::new(run);
        if delay.is_zero() {
            drop(inner);
            self.core.start(attempt);
        } else {
            inner.timers.due = Some(self.core.arm_start(attempt, delay));
            drop(inner);
        }
        self.core.cancel_if_closing(self);
    }
}

impl Inner {
    fn attempt_number(&self) -> u32 {
        self.run.as_ref().map_or(
            self.attempts,
            |run| {
                if self.attempts == 0 { 0 } else { run.number }
            },
        )
    }

    fn outcome(
        &mut self,
        cell: &Cell,
        result: Result<Payload, TaskError>,
        now: std::time::Instant,
    ) -> Outcome {
        Outcome::new(
            result,
            Report {
                attempts: cell.task.attempt + self.attempts,
                timings: Timings {
                    submitted: Some(cell.submitted),
                    started: self.started,
                    finished: Some(now),
                },
                worker: self.worker.take(),
                outputs: std::mem::take(&mut self.outputs),
                notes: std::mem::take(&mut self.notes),
            },
        )
    }
}

impl Claim {
    /// Ends the attempt, with the hooks and the recorder before the end is visible.
    pub(super) async fn settle(self, result: Result<Payload, TaskError>) {
        let verdict = self.verdict(result);
        if self.cell.core.has_surroundings() {
            let notes = self.surround(&verdict).await;
            self.cell.lock().notes.extend(notes);
        }
        self.conclude(verdict);
    }

    /// The same on a thread that may not wait.
    pub(super) fn settle_elsewhere(self, result: Result<Payload, TaskError>) {
        let core = Arc::clone(&self.cell.core);
        if core.has_surroundings() {
            core.drive(Box::pin(self.settle(result)));
        } else {
            let verdict = self.verdict(result);
            self.conclude(verdict);
        }
    }

    fn conclude(self, verdict: Verdict) {
        match verdict {
            Verdict::Retry { error, delay } => self.cell.retry(&error, delay),
            Verdict::End(result) => {
                self.cell.conclude(result, self.was_waiting);
            }
        }
    }

    /// What the result means, now that it is known why the body stopped.
    fn verdict(&self, result: Result<Payload, TaskError>) -> Verdict {
        let mut result = self.reinterpret(result);
        if let Some(run) = self.run.as_ref().filter(|_| !self.was_waiting) {
            let (output, over) = run.close_streams();
            if let (Some(limit), Ok(_)) = (over, &result) {
                let message = format!("the task wrote more than the {limit} bytes that are kept");
                let kind = TaskErrorKind::OutputTooLarge { limit };
                result = Err(TaskError::new(kind, message));
            }
            self.cell.lock().outputs.push(output);
        }
        match result {
            Err(error) if self.retries(&error) => Verdict::Retry { delay: self.delay(), error },
            result => Verdict::End(result),
        }
    }

    /// A body that was asked to stop and failed did stop, whatever words it failed with.
    /// A result that was there all the same stands, except after the time limit.
    fn reinterpret(&self, result: Result<Payload, TaskError>) -> Result<Payload, TaskError> {
        let abandoned = |error: &TaskError| {
            matches!(error.kind(), TaskErrorKind::WorkerLost(_) | TaskErrorKind::TimedOut { .. })
        };
        match (self.stop, result) {
            (_, Err(error)) if abandoned(&error) => Err(error),
            (Some(StopReason::TimeLimit(limit)), _) => Err(TaskError::timed_out(limit, false)),
            (Some(StopReason::Cancel | StopReason::Shutdown), Err(error)) => {
                let mut cancelled = TaskError::cancelled();
                if error.kind() != &TaskErrorKind::Cancelled {
                    cancelled.add_note(format!("its last word: {error}"));
                }
                Err(cancelled)
            }
            (_, result) => result,
        }
    }

    fn retries(&self, error: &TaskError) -> bool {
        let asked_to_stop = matches!(self.stop, Some(StopReason::Cancel | StopReason::Shutdown));
        let options = &self.cell.task.options;
        !asked_to_stop
            && self.cell.core.allows_retries()
            && options.retry.retries(self.number(), error, options.idempotent)
    }

    fn delay(&self) -> Duration {
        self.cell.task.options.retry.delay_after(self.number(), fastrand::f64())
    }

    fn number(&self) -> u32 {
        self.run.as_ref().map_or(0, |run| run.number)
    }

    /// Runs the teardown and tells the recorder; what goes wrong there is noted.
    async fn surround(&self, verdict: &Verdict) -> Vec<String> {
        let mut notes = Vec::new();
        let outcome = self.preview(verdict);
        if self.set_up
            && let Some(error) = self.tear_down(&outcome).await
        {
            notes.push(format!("the teardown after the task failed: {error}"));
        }
        if let Some(recorder) = self.cell.core.recorder() {
            let task_id = self.cell.id();
            let change = match verdict {
                Verdict::Retry { error, delay } => {
                    Change::Retrying { task_id, attempt: self.number(), error, delay: *delay }
                }
                Verdict::End(_) => Change::Finished { task_id, outcome: &outcome },
            };
            if let Err(error) = recorder.record(change).await {
                tracing::error!(%task_id, %error, "a change could not be recorded");
                notes.push(format!("the end could not be recorded: {error}"));
            }
        }
        notes
    }

    async fn tear_down(&self, outcome: &Outcome) -> Option<TaskError> {
        let hooks = Arc::clone(self.cell.core.hooks()?);
        let ctx = self.run.as_ref()?.context();
        let (inner, outcome) = (ctx.clone(), outcome.clone());
        let teardown = Body::unstoppable(ctx, move || {
            Box::pin(async move {
                hooks.teardown(&inner, &outcome).await.map_err(TaskError::from_error)
            })
        });
        match teardown {
            Ok(teardown) => teardown.await.err(),
            Err(panic) => Some(panic),
        }
    }

    /// The outcome of this attempt, as hooks and recorder see it before it is final.
    fn preview(&self, verdict: &Verdict) -> Outcome {
        let result = match verdict {
            Verdict::Retry { error, .. } => Err(error.clone()),
            Verdict::End(result) => result.clone(),
        };
        let inner = self.cell.lock();
        let report = Report {
            attempts: self.cell.task.attempt + inner.attempts,
            timings: Timings {
                submitted: Some(self.cell.submitted),
                started: inner.started,
                finished: Some(self.cell.core.now()),
            },
            worker: inner.worker.clone(),
            outputs: inner.outputs.clone(),
            notes: inner.notes.clone(),
        };
        Outcome::new(result, report)
    }
}
