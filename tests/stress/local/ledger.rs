//! [`Record`]: what is known of one job.

use std::sync::{
    Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use outwork_core::TaskId;

use super::held::Ending;

/// What is known of one job.
#[derive(Debug, Default)]
pub(super) struct Record {
    id: OnceLock<TaskId>,
    runs: AtomicU32,
    /// Somebody was about to cancel it.
    asked: AtomicBool,
    /// A cancel said that it has stopped.
    confirmed: AtomicBool,
    fate: Mutex<Fate>,
}

/// What became of a job.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Fate {
    #[default]
    Untouched,
    /// Its submission is on the way, or was given up.
    Offered,
    Refused,
    /// The executor has it, and nobody has seen its end.
    Accepted,
    Ended(Ending),
}

impl Record {
    /// The right to submit the job; only one gets it, because a job that is nested may be come
    /// by once in each attempt.
    pub(super) fn take(&self) -> bool {
        let mut fate = self.lock();
        let untouched = *fate == Fate::Untouched;
        if untouched {
            *fate = Fate::Offered;
        }
        untouched
    }

    pub(super) fn becomes(&self, fate: Fate) {
        *self.lock() = fate;
    }

    pub(super) fn fate(&self) -> Fate {
        self.lock().clone()
    }

    pub(super) fn is_named(&self, id: TaskId) {
        // Who names it again looks whether that is the same.
        let _ = self.id.set(id);
    }

    pub(super) fn id(&self) -> Option<TaskId> {
        self.id.get().copied()
    }

    pub(super) fn has_run(&self) {
        self.runs.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn runs(&self) -> u32 {
        self.runs.load(Ordering::SeqCst)
    }

    pub(super) fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
    }

    pub(super) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    pub(super) fn confirm(&self) {
        self.confirmed.store(true, Ordering::SeqCst);
    }

    pub(super) fn was_confirmed(&self) -> bool {
        self.confirmed.load(Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, Fate> {
        self.fate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
