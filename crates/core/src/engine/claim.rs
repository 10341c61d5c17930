//! [`Claim`]: the right, held by just one, to end an attempt.

use std::{sync::Arc, time::Duration};

use super::{
    body::{Body, catch},
    cell::{Cell, StopReason},
    run::Run,
};
use crate::{Change, LossReason, Outcome, Payload, Report, TaskError, TaskErrorKind, Timings};

/// The right to end an attempt. Whoever gets it first decides how; everybody else is late.
///
/// Dropped in the middle, it ends the attempt with the verdict that it had reached.
#[must_use = "an attempt that is claimed has to be settled"]
pub(super) struct Claim {
    run: Run,
    stop: Option<StopReason>,
    set_up: bool,
    /// The task's place, which is given back with its end.
    has_place: bool,
    verdict: Option<Verdict>,
    concluded: bool,
}

/// What follows an attempt.
enum Verdict {
    Retry { error: TaskError, delay: Duration },
    End(Result<Payload, TaskError>),
}

impl Claim {
    pub(super) fn new(run: Run, stop: Option<StopReason>, set_up: bool, has_place: bool) -> Self {
        Self { run, stop, set_up, has_place, verdict: None, concluded: false }
    }

    fn cell(&self) -> &Arc<Cell> {
        self.run.cell()
    }

    /// Whether nothing but an end was wanted of the task, or of the whole executor.
    pub(super) fn was_asked_to_stop(&self) -> bool {
        self.stop.is_some_and(StopReason::is_final) || !self.cell().core.allows_retries()
    }

    /// Ends the attempt, with the hooks and the recorder before the end is visible.
    ///
    /// The verdict is reached at once, so that it stands also when the future is dropped.
    pub(super) fn settle(
        mut self,
        result: Result<Payload, TaskError>,
    ) -> impl Future<Output = ()> + Send + use<> {
        self.verdict = Some(self.judge(result));
        async move {
            if self.cell().core.has_surroundings() {
                self.tear_down().await;
                self.record().await;
                if self.is_to_retry() && !self.retry() {
                    // The end that it comes to instead.
                    self.record().await;
                }
            }
            self.conclude();
        }
    }

    /// The same on a thread that may not wait.
    pub(super) fn settle_elsewhere(mut self, result: Result<Payload, TaskError>) {
        if self.cell().core.has_surroundings() {
            let core = Arc::clone(&self.cell().core);
            core.drive(Box::pin(self.settle(result)));
        } else {
            self.verdict = Some(self.judge(result));
            self.conclude();
        }
    }

    /// Ends a task that was not accepted, so that there is nothing to tear down or to record.
    pub(super) fn reject(mut self, error: TaskError) {
        self.verdict = Some(Verdict::End(Err(error)));
        self.conclude();
    }

    fn is_to_retry(&self) -> bool {
        matches!(self.verdict, Some(Verdict::Retry { .. }))
    }

    /// Carries the verdict out, unless that was done.
    fn conclude(&mut self) {
        if self.concluded || self.retry() {
            return;
        }
        self.concluded = true;
        let result = match self.verdict.take() {
            Some(Verdict::End(result)) => result,
            Some(Verdict::Retry { error, .. }) => Err(error),
            None => Err(super::stop::abandoned("its end was interrupted")),
        };
        // Before the end is visible, so that whoever learns of it finds the room.
        if self.has_place {
            self.cell().core.admission().leave();
        }
        self.cell().conclude(result);
    }

    /// Begins the next attempt, if that is the verdict.
    /// A task that was asked to stop meanwhile has none: the verdict is then that it ends.
    fn retry(&mut self) -> bool {
        let Some(Verdict::Retry { error, delay }) = &self.verdict else { return false };
        match self.cell().retry(error, *delay) {
            Ok(at_once) => {
                self.concluded = true;
                if let Some(attempt) = at_once {
                    self.cell().core.start_next(attempt);
                }
            }
            Err(reason) => {
                let end = stopped(reason, self.cell().time_limit(), error);
                self.verdict = Some(Verdict::End(Err(end)));
            }
        }
        self.concluded
    }

    /// What the result means, now that it is known why the body stopped.
    fn judge(&self, result: Result<Payload, TaskError>) -> Verdict {
        let mut result = self.reinterpret(result);
        if let Some((output, over)) = self.run.close_streams() {
            if let (Some(limit), Ok(_)) = (over, &result) {
                let message = format!("the task wrote more than the {limit} bytes that are kept");
                let kind = TaskErrorKind::OutputTooLarge { limit };
                result = Err(TaskError::new(kind, message));
            }
            self.cell().lock().keep_output(output, self.cell());
        }
        match result {
            Err(error) if self.retries(&error) => Verdict::Retry { delay: self.delay(), error },
            result => Verdict::End(result),
        }
    }

    /// A body that was asked to stop and failed did stop, whatever words it failed with.
    /// A result that was there all the same stands, except after the time limit.
    fn reinterpret(&self, result: Result<Payload, TaskError>) -> Result<Payload, TaskError> {
        let limit = self.cell().time_limit();
        match (self.stop, result) {
            (_, Err(error)) if was_given_up(&error) => Err(error),
            (Some(reason @ StopReason::TimeLimit), Ok(_)) => {
                Err(stopped(reason, limit, &TaskError::cancelled()))
            }
            (Some(reason), Err(error)) => Err(stopped(reason, limit, &error)),
            (_, result) => result,
        }
    }

    fn retries(&self, error: &TaskError) -> bool {
        let options = self.cell().task.options();
        if self.was_asked_to_stop() {
            return false;
        }
        let is_loss = matches!(error.kind(), TaskErrorKind::WorkerLost(_));
        match self.cell().core.max_worker_losses().filter(|_| is_loss) {
            Some(most) => options.idempotent && self.count_loss() < most.get(),
            None => options.retry.retries(self.run.number(), error, options.idempotent),
        }
    }

    /// How many workers the task has lost, with this one.
    fn count_loss(&self) -> u32 {
        let mut inner = self.cell().lock();
        let losses = &mut inner.rare().losses;
        *losses = losses.saturating_add(1);
        *losses
    }

    fn delay(&self) -> Duration {
        self.cell().task.options().retry.delay_after(self.run.number(), fastrand::f64())
    }

    /// Calls the hook that is owed; what goes wrong there is noted.
    async fn tear_down(&mut self) {
        let hooks = self.cell().core.hooks().cloned();
        let Some(hooks) = hooks.filter(|_| std::mem::take(&mut self.set_up)) else { return };
        let ctx = self.run.context();
        let (inner, outcome) = (ctx.clone(), self.preview());
        let teardown = Body::unstoppable(ctx, move || {
            Box::pin(async move {
                hooks.teardown(&inner, &outcome).await.map_err(TaskError::from_error)
            })
        });
        let done = match teardown {
            Ok(teardown) => teardown.await,
            Err(panic) => Err(panic),
        };
        if let Err(error) = done {
            self.note(format!("the teardown after the task failed: {error}"));
        }
    }

    /// Tells the recorder, with the notes of the teardown; a failure is noted.
    async fn record(&self) {
        let Some(recorder) = self.cell().core.recorder() else { return };
        let task_id = self.cell().id();
        let outcome;
        let change = if let Some(Verdict::Retry { error, delay }) = &self.verdict {
            Change::Retrying { task_id, attempt: self.run.number(), error, delay: *delay }
        } else {
            outcome = self.preview();
            Change::Finished { task_id, outcome: &outcome }
        };
        if let Err(error) = catch(|| recorder.record(change)).await {
            tracing::error!(%task_id, %error, "a change could not be recorded");
            self.note(format!("the end could not be recorded: {error}"));
        }
    }

    fn note(&self, note: String) {
        self.cell().lock().rare().notes.push(note);
    }

    /// The outcome of this attempt, as hooks and recorder see it before it is final.
    fn preview(&self) -> Outcome {
        let result = match &self.verdict {
            Some(Verdict::Retry { error, .. }) => Err(error.clone()),
            Some(Verdict::End(result)) => result.clone(),
            None => Err(super::stop::abandoned("its end was interrupted")),
        };
        let cell = self.cell();
        let mut inner = cell.lock();
        let outputs = inner.rare_if_any().map(|rare| rare.outputs.clone()).unwrap_or_default();
        let report = Report {
            attempts: cell.task.attempt + inner.attempts,
            timings: Timings::measured(cell.submitted, inner.started, cell.core.now()),
            worker: inner.worker.clone(),
            outputs: inner.complete(outputs, cell),
            notes: inner.rare_if_any().map(|rare| rare.notes.clone()).unwrap_or_default(),
        };
        Outcome::new(result, report)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.conclude();
    }
}

/// Whether the engine gave the body up, so that it cannot count as stopped.
fn was_given_up(error: &TaskError) -> bool {
    match error.kind() {
        TaskErrorKind::WorkerLost(lost) => {
            matches!(lost.reason, LossReason::Abandoned | LossReason::Dropped)
        }
        TaskErrorKind::TimedOut { .. } => true,
        _ => false,
    }
}

/// The error of a body that was asked to stop and did, with what it said last.
fn stopped(reason: StopReason, limit: Duration, last_word: &TaskError) -> TaskError {
    let mut error = match reason {
        StopReason::Cancel => TaskError::cancelled(),
        StopReason::Shutdown => {
            TaskError::new(TaskErrorKind::Cancelled, "the task was cancelled by the shutdown")
        }
        StopReason::Expired => {
            TaskError::new(TaskErrorKind::Expired, "the task had not started in time")
        }
        StopReason::TimeLimit => TaskError::timed_out(limit, false),
    };
    if last_word.kind() != &TaskErrorKind::Cancelled {
        error.add_note(format!("its last word: {last_word}"));
    }
    error.with_stderr_tail(last_word.stderr_tail())
}
