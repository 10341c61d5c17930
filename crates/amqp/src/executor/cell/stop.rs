//! [`Stop`]: what is wished of a task that is to stop.

use crate::wire::Running;

/// Why a task is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::executor) enum StopReason {
    Cancel,
    Shutdown,
}

/// What is wished of a task that is to stop, and what of that its worker was told.
#[derive(Debug, Default)]
pub(super) struct Stop {
    reason: Option<StopReason>,
    /// The harshest wish that was sent.
    wish: Option<Running>,
    told: bool,
}

impl Stop {
    /// Notes a wish; whether it is harsher than all before.
    pub(super) fn wish(&mut self, reason: StopReason, wish: Running) -> bool {
        self.reason.get_or_insert(reason);
        let harsher = self.wish.is_none_or(|before| before < wish);
        if harsher {
            self.wish = Some(wish);
        }
        harsher
    }

    /// Notes that a worker was asked to stop a running body; whether that is news.
    pub(super) fn is_news(&mut self) -> bool {
        self.wish >= Some(Running::Ask) && !std::mem::replace(&mut self.told, true)
    }

    /// Why it was wished first.
    pub(super) const fn reason(&self) -> Option<StopReason> {
        self.reason
    }
}
