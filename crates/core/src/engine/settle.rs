//! The end of an attempt, made visible: an outcome, or another attempt.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Attempt,
    cell::{Cell, Inner, Phase, StopReason},
    claim::Claim,
    run::Run,
};
use crate::{
    EventKind, Outcome, Output, Payload, Report, TaskError, Timings, sync::MutexGuard,
    waiters::Wakers,
};

impl Cell {
    /// Claims the end of this attempt, if it is the current one, for who has it in hand:
    /// with its place, as it has left the backend.
    pub(super) fn claim_run(self: &Arc<Self>, run: &Run) -> Option<Claim> {
        let mut inner = self.lock();
        if !inner.is_current(run) || inner.is_claimed() {
            return None;
        }
        let has_place = std::mem::take(&mut inner.has_place);
        Some(self.claim_unclaimed(inner, has_place))
    }

    /// Claims the end of a task that somebody else has not claimed before.
    pub(super) fn claim(self: &Arc<Self>, mut inner: MutexGuard<'_, Inner>) -> Option<Claim> {
        if inner.is_claimed() {
            return None;
        }
        // A waiting attempt lies in a queue, and gives the place back when it leaves that.
        let has_place = inner.phase != Phase::Waiting && std::mem::take(&mut inner.has_place);
        Some(self.claim_unclaimed(inner, has_place))
    }

    fn claim_unclaimed(
        self: &Arc<Self>,
        mut inner: MutexGuard<'_, Inner>,
        has_place: bool,
    ) -> Claim {
        inner.phase = Phase::Settling { was_running: inner.phase == Phase::Running };
        let set_up = std::mem::take(&mut inner.set_up);
        let claim = Claim::new(self.run(&inner), inner.stop, set_up, has_place);
        let timers = inner.rare_if_any().map(|rare| rare.timers.take());
        drop(inner);
        // A deadline owns its attempt, and a dropped attempt locks this cell.
        timers.into_iter().flatten().for_each(|key| {
            self.core.timer().cancel(key);
        });
        claim
    }

    /// Gives back the place of an attempt that left the backend after somebody else had
    /// claimed the end of its task.
    pub(super) fn release_place(&self, run: &Run) {
        let mut inner = self.lock();
        let over = inner.is_claimed() && inner.is_current(run);
        if over && std::mem::take(&mut inner.has_place) {
            drop(inner);
            self.core.admission().leave();
        }
    }

    /// Makes the end visible: the one place where a task gets its outcome.
    /// Whether it had none before.
    pub(super) fn conclude(self: &Arc<Self>, result: Result<Payload, TaskError>) -> bool {
        let core = &self.core;
        let now = core.now();
        let mut inner = self.lock();
        if inner.has_ended() {
            drop(inner);
            core.counts().late();
            return false;
        }
        let outcome = inner.outcome(self, result, now);
        let state = outcome.state();
        inner.phase = Phase::Ended(state);
        core.counts().ended(state);
        core.count_stopped(inner.stop, &outcome);
        let attempt = if inner.attempts == 0 { 0 } else { inner.number };
        self.emit(attempt, || EventKind::Finished { state, error: outcome.error().cloned() });
        // Before the end can be seen, so that whoever learns of it finds the instance free.
        drop(inner.rare_if_any().and_then(|rare| rare.instance.take()));
        inner.outcome = Some(outcome);
        let later = inner.later.take();
        if self.is_addressed() {
            core.retain(self);
        }
        core.live().remove(self.id());
        let wakers: Wakers = inner.waiters.take();
        drop(inner);
        drop(later);
        wakers.wake();
        core.task_ended();
        true
    }

    /// Puts the task back to wait for its next attempt, in the place that it has, and gives
    /// that attempt away if it is to start now.
    ///
    /// `Err`: it was asked to stop meanwhile, and ends instead.
    pub(super) fn retry(
        self: &Arc<Self>,
        error: &TaskError,
        delay: Duration,
    ) -> Result<Option<Attempt>, StopReason> {
        let mut inner = self.lock();
        if inner.has_ended() {
            return Err(StopReason::Shutdown);
        }
        // Looked at under the lock: a stop that begins later finds the task waiting.
        if !self.core.allows_retries() {
            inner.stop = Some(StopReason::Shutdown);
        }
        match inner.stop {
            Some(reason) if reason.is_final() => return Err(reason),
            _ => inner.stop = None,
        }
        let last = inner.number;
        let run = Run::later(self, last + 1);
        inner.number = last + 1;
        inner.later = Some(Arc::clone(&run));
        inner.has_place = true;
        inner.phase = Phase::Waiting;
        self.core.counts().retried();
        self.emit(last, || EventKind::Retrying { error: error.clone(), delay });
        let attempt = Attempt::new(Run::Later(run));
        if delay.is_zero() {
            return Ok(Some(attempt));
        }
        inner.rare().timers.due = Some(self.core.arm_start(attempt, delay));
        Ok(None)
    }
}

impl Inner {
    fn outcome(
        &mut self,
        cell: &Cell,
        result: Result<Payload, TaskError>,
        now: Instant,
    ) -> Outcome {
        let rare = self.rare_if_any();
        let (outputs, notes) = rare
            .map(|rare| (std::mem::take(&mut rare.outputs), std::mem::take(&mut rare.notes)))
            .unwrap_or_default();
        let report = Report {
            attempts: cell.task.attempt + self.attempts,
            timings: Timings::measured(cell.submitted, self.started, now),
            worker: self.worker.take(),
            outputs: self.complete(outputs, cell),
            notes,
        };
        Outcome::new(result, report)
    }

    /// Keeps what an attempt wrote, in its place among those before it.
    pub(super) fn keep_output(&mut self, output: Output, cell: &Cell) {
        let before = (self.attempts as usize).saturating_sub(1);
        let outputs = &mut self.rare().outputs;
        if cell.task.options().last_output_only {
            outputs.clear();
        }
        outputs.resize_with(before.max(outputs.len()), Output::default);
        outputs.push(output);
    }

    /// The outputs with those of attempts that wrote nothing, so that the last one is that of
    /// the last attempt; none when no attempt wrote anything.
    pub(super) fn complete(&self, mut outputs: Vec<Output>, cell: &Cell) -> Vec<Output> {
        if !outputs.is_empty() {
            let attempts = (self.attempts as usize).max(outputs.len());
            outputs.resize_with(attempts, Output::default);
            if cell.task.options().last_output_only {
                outputs.drain(..attempts - 1);
            }
        }
        outputs
    }
}
