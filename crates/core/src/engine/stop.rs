//! Making tasks stop: on request, at their time limit, at the executor's deadline.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use super::{
    Attempt,
    backend::Recall,
    cell::{Cell, Phase, StopReason},
    core::Core,
    run::Run,
};
use crate::{
    Cancel, EventKind, LossReason, StopLevel, TaskError, TaskErrorKind, WorkerLost, timer::TimerKey,
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

impl Cell {
    /// Asks the task to stop: at once when it waits, else through its worker.
    pub(super) fn stop(self: &Arc<Self>, reason: StopReason) -> Cancel {
        let mut inner = self.lock();
        match inner.phase {
            Phase::Ended(_) => return Cancel::NotFound,
            _ if inner.stop.is_some_and(StopReason::is_final) => return Cancel::Requested,
            _ => inner.stop = Some(reason),
        }
        match inner.phase {
            Phase::Waiting => {
                if let Some(claim) = self.claim(inner) {
                    claim.settle_elsewhere(Err(TaskError::cancelled()));
                }
                return Cancel::Confirmed;
            }
            Phase::HandedOver => {
                // Whether it has begun already will only be known when its worker is heard.
                let key = self.run(&inner).key();
                drop(inner);
                self.core.backend().recall(key, Recall::Stop);
            }
            Phase::Preparing | Phase::Running => {
                self.emit(inner.number, || EventKind::CancelRequested);
                let run = self.run(&inner);
                drop(inner);
                self.request_stop(&run);
            }
            // Whoever accepts or settles it sees the reason before it goes on.
            Phase::Enrolling | Phase::Promised | Phase::Settling { .. } | Phase::Ended(_) => {}
        }
        Cancel::Requested
    }

    /// Asks the body to stop, and arms the force that follows its grace.
    pub(super) fn request_stop(self: &Arc<Self>, run: &Run) {
        self.raise(run, StopLevel::Requested);
        let grace = self.grace();
        if grace.is_zero() {
            return self.raise(run, StopLevel::Forced);
        }
        let (cell, attempt) = (Arc::downgrade(self), run.number());
        let mut inner = self.lock();
        if inner.is_current(run) && matches!(inner.phase, Phase::Preparing | Phase::Running) {
            inner.rare().timers.force = Some(self.core.timer().after(grace, move || {
                with(&cell, |cell| cell.force_attempt(attempt));
            }));
        }
    }

    fn raise(&self, run: &Run, level: StopLevel) {
        run.raise(level);
        self.core.backend().stop(run.key(), level);
    }

    /// Makes the body stop without any more grace.
    pub(super) fn force(self: &Arc<Self>) {
        let run = self.run(&self.lock());
        self.raise(&run, StopLevel::Forced);
    }

    /// The same for an attempt whose grace has passed, if it is still that one.
    fn force_attempt(self: &Arc<Self>, attempt: u32) {
        if self.lock().number == attempt {
            self.force();
        }
    }

    fn grace(&self) -> Duration {
        let kind = self.registered.kind();
        self.task.options().grace.unwrap_or_else(|| self.core.backend().default_grace(kind))
    }

    /// The time limit of an attempt, where one has passed.
    pub(super) fn time_limit(&self) -> Duration {
        self.task.options().time_limit.unwrap_or_default()
    }

    pub(super) fn expire(self: &Arc<Self>) {
        let mut inner = self.lock();
        // The deadline may have been on its way while the first attempt failed.
        if inner.number != self.first_attempt() {
            return;
        }
        match inner.phase {
            Phase::Waiting => {
                let Some(claim) = self.claim(inner) else { return };
                let expires = self.task.options().expires.unwrap_or_default();
                let message = format!("the task had not started {expires:?} after its submission");
                claim.settle_elsewhere(Err(TaskError::new(TaskErrorKind::Expired, message)));
            }
            Phase::HandedOver if inner.stop.is_none() => {
                inner.stop = Some(StopReason::Expired);
                let key = self.run(&inner).key();
                drop(inner);
                self.core.backend().recall(key, Recall::Expired);
            }
            _ => {}
        }
    }

    /// The time limit of an attempt has passed.
    pub(super) fn limit_passed(self: &Arc<Self>, attempt: u32) {
        let run = {
            let mut inner = self.lock();
            if inner.phase != Phase::Running || inner.number != attempt {
                return;
            }
            let first = inner.stop.is_none();
            inner.stop.get_or_insert(StopReason::TimeLimit);
            first.then(|| self.run(&inner))
        };
        if let Some(run) = &run {
            self.request_stop(run);
        }
        let patience = self.core.backend().patience(self.registered.kind());
        let wait = self.grace().saturating_add(patience);
        if wait.is_zero() {
            return self.give_up(attempt);
        }
        let cell = Arc::downgrade(self);
        let mut inner = self.lock();
        if inner.number == attempt && inner.phase == Phase::Running {
            let give_up = move || with(&cell, |cell| cell.give_up(attempt));
            inner.rare().timers.limit = Some(self.core.timer().after(wait, give_up));
        }
    }

    /// Gives up a body that does not stop, if its worker can be replaced.
    fn give_up(self: &Arc<Self>, attempt: u32) {
        let run = {
            let inner = self.lock();
            if inner.phase != Phase::Running || inner.number != attempt {
                return;
            }
            self.run(&inner)
        };
        if !self.core.backend().abandon(run.key()) {
            return;
        }
        let Some(claim) = self.claim_run(&run) else { return };
        let error = match self.lock().stop {
            Some(StopReason::TimeLimit) => TaskError::timed_out(self.time_limit(), true),
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

/// Whether the error is that of a body that was given up.
pub(super) fn was_abandoned(error: &TaskError) -> bool {
    matches!(error.kind(), TaskErrorKind::WorkerLost(lost) if lost.reason == LossReason::Abandoned)
}
