//! [`Record`]: what is known of one job.

use std::sync::{
    Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use outwork_core::{Outcome, State, TaskErrorKind, TaskId};

/// What is known of one job.
#[derive(Debug, Default)]
pub(super) struct Record {
    id: OnceLock<TaskId>,
    /// Somebody was about to cancel it.
    asked: AtomicBool,
    fate: Mutex<Fate>,
}

/// What became of a job.
#[derive(Debug, Clone, Default)]
pub(super) enum Fate {
    /// It was not submitted, or refused.
    #[default]
    Refused,
    /// The pool has it, and nobody keeps its handle.
    Detached,
    Ended(Ending),
}

/// How a job ended, as its handle tells.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    pub(super) state: State,
    pub(super) error: Option<TaskErrorKind>,
    pub(super) attempts: u32,
    /// The number of the job that came back, and how long its payload was.
    pub(super) value: Option<(usize, usize)>,
}

impl Ending {
    pub(super) fn of(outcome: Outcome<(usize, Bytes)>) -> Self {
        Self {
            state: outcome.state(),
            error: outcome.error().map(|error| error.kind().clone()),
            attempts: outcome.attempts(),
            value: outcome.into_result().ok().map(|(job, payload)| (job, payload.len())),
        }
    }
}

impl Record {
    pub(super) fn is_named(&self, id: TaskId) {
        // It is submitted once.
        let _ = self.id.set(id);
    }

    pub(super) fn id(&self) -> Option<TaskId> {
        self.id.get().copied()
    }

    pub(super) fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
    }

    pub(super) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    pub(super) fn becomes(&self, fate: Fate) {
        *self.lock() = fate;
    }

    pub(super) fn fate(&self) -> Fate {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Fate> {
        self.fate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
