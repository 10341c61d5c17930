//! Making bodies stop: on request, at their time limit, at the executor's deadline.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use super::{
    Attempt,
    cell::{Cell, Phase, StopReason},
    core::Core,
    run::Run,
};
use crate::{
    BodyKind, Cancel, EventKind, LossReason, StopLevel, TaskError, TaskErrorKind, WorkerLost,
    timer::TimerKey,
};

impl Core {
    pub(super) fn arm_start(self: &Arc<Self>, attempt: Attempt, delay: Duration) -> TimerKey {
        let core = Arc::clone(self);
        self.timer().after(delay, move || core.start(attempt))
    }

    pub(super) fn arm_limit(&self, cell: &Arc<Cell>, at: Instant, attempt: u32) -> TimerKey {
        let cell = Arc::downgrade(cell);
        self.timer().at(at, move || with(&cell, |cell| cell.limit_passed(attempt)))
    }

    pub(super) fn arm_expiry(&self, cell: &Arc<Cell>, after: Duration) -> TimerKey {
        let cell = Arc::downgrade(cell);
        self.timer().after(after, move || with(&cell, Cell::expire))
    }
}

fn with(cell: &Weak<Cell>, act: impl FnOnce(&Arc<Cell>)) {
    if let Some(cell) = cell.upgrade() {
        act(&cell);
    }
}

/// How long a body that is forced to stop may take before it is given up.
const fn patience(kind: BodyKind) -> Duration {
    match kind {
        // Force means nothing to it.
        BodyKind::Sync => Duration::ZERO,
        // It stops at its next await.
        BodyKind::Async => Duration::from_secs(1),
        // The kernel needs a moment, unless the process hangs in a system call.
        BodyKind::Command => Duration::from_secs(5),
    }
}

impl Cell {
    /// Asks the task to stop: at once when it waits, else through its body.
    pub(super) fn stop(self: &Arc<Self>, reason: StopReason) -> Cancel {
        if let Some(claim) = self.claim_waiting() {
            claim.settle_elsewhere(Err(TaskError::cancelled()));
            return Cancel::Confirmed;
        }
        let run = {
            let mut inner = self.lock();
            match inner.state {
                Phase::Ended(_) | Phase::Settling { .. } => return Cancel::NotFound,
                Phase::Waiting | Phase::Preparing | Phase::Running => {}
            }
            if inner.stop.is_some() {
                return Cancel::Requested;
            }
            inner.stop = Some(reason);
            let run = inner.run.clone();
            self.emit(run.as_ref().map_or(0, |run| run.number), || EventKind::CancelRequested);
            run
        };
        if let Some(run) = run {
            self.request_stop(&run);
        }
        Cancel::Requested
    }

    /// Asks the body to stop, and arms the force that follows its grace.
    fn request_stop(self: &Arc<Self>, run: &Arc<Run>) {
        self.raise(run, StopLevel::Requested);
        let grace = self.grace();
        if grace.is_zero() {
            return self.raise(run, StopLevel::Forced);
        }
        let (cell, late_run) = (Arc::downgrade(self), Arc::downgrade(run));
        let mut inner = self.lock();
        if inner.is_current(run) && matches!(inner.state, Phase::Preparing | Phase::Running) {
            inner.timers.force = Some(self.core.timer().after(grace, move || {
                if let (Some(cell), Some(run)) = (cell.upgrade(), late_run.upgrade()) {
                    cell.raise(&run, StopLevel::Forced);
                }
            }));
        }
    }

    fn raise(&self, run: &Arc<Run>, level: StopLevel) {
        run.raise(level);
        self.core.backend().stop(run.key(), level);
    }

    /// Makes the body stop without any more grace.
    pub(super) fn force(self: &Arc<Self>) {
        let run = self.lock().run.clone();
        if let Some(run) = run {
            self.raise(&run, StopLevel::Forced);
        }
    }

    fn grace(&self) -> Duration {
        let kind = self.registered.kind();
        self.task.options.grace.unwrap_or_else(|| self.core.backend().default_grace(kind))
    }

    fn expire(self: &Arc<Self>) {
        if let Some(claim) = self.claim_waiting() {
            let expires = self.task.options.expires.unwrap_or_default();
            let message = format!("the task had not started {expires:?} after its submission");
            claim.settle_elsewhere(Err(TaskError::new(TaskErrorKind::Expired, message)));
        }
    }

    /// The time limit of an attempt has passed.
    fn limit_passed(self: &Arc<Self>, attempt: u32) {
        let Some(run) = self.running(attempt) else { return };
        let limit = self.task.options.time_limit.unwrap_or_default();
        let first = {
            let mut inner = self.lock();
            inner.stop.is_none() && {
                inner.stop = Some(StopReason::TimeLimit(limit));
                true
            }
        };
        if first {
            self.request_stop(&run);
        }
        let wait = self.grace() + patience(self.registered.kind());
        if wait.is_zero() {
            return self.give_up(attempt);
        }
        let cell = Arc::downgrade(self);
        let mut inner = self.lock();
        if inner.is_current(&run) && inner.state == Phase::Running {
            let give_up = move || with(&cell, |cell| cell.give_up(attempt));
            inner.timers.limit = Some(self.core.timer().after(wait, give_up));
        }
    }

    fn running(&self, attempt: u32) -> Option<Arc<Run>> {
        let inner = self.lock();
        let run = inner.run.as_ref().filter(|run| run.number == attempt)?;
        (inner.state == Phase::Running).then(|| Arc::clone(run))
    }

    /// Gives up a body that does not stop, if its worker can be replaced.
    fn give_up(self: &Arc<Self>, attempt: u32) {
        let Some(run) = self.running(attempt) else { return };
        if !self.core.backend().abandon(run.key()) {
            return;
        }
        let Some(claim) = self.claim_run(&run) else { return };
        let error = match self.lock().stop {
            Some(StopReason::TimeLimit(limit)) => TaskError::timed_out(limit, true),
            _ => abandoned("its body did not stop after it was cancelled, and was given up"),
        };
        claim.settle_elsewhere(Err(error));
    }
}

/// The error of a body that was given up.
pub(super) fn abandoned(message: &str) -> TaskError {
    let lost = WorkerLost { reason: LossReason::Abandoned, ..WorkerLost::default() };
    TaskError::lost(lost, message)
}
