//! [`Silence`]: whether a child does anything with what it was sent.

use std::time::{Duration, Instant};

use super::{Keeper, Kill};

/// A child is given up after so many looks in a row at which nothing had changed.
///
/// Looks are counted, and not the time: of a time in which this process was stopped itself, as
/// by Ctrl-Z, a child is held to one of them only.
const LOOKS: u32 = 4;

/// Looks after a child that has been sent tasks and begins none.
///
/// It begins one or gives it back within a millisecond or so, and when a body takes long its
/// second thread says that. One that does neither is stopped, or stuck outside of any body: no
/// time limit would ever end that, because none has begun to count.
#[derive(Debug)]
pub(super) struct Silence {
    pause: Duration,
    next: Option<Instant>,
    seen: Seen,
    unchanged: u32,
}

/// What changes while a child does something.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// The task that it is to begin next, while it is at none.
    next: Option<u64>,
    heard: u64,
    unsent: usize,
}

impl Silence {
    /// Nobody is to wait for a child to begin much longer than this.
    pub(super) fn of(patience: Duration) -> Self {
        let mut silence =
            Self { pause: patience / LOOKS, next: None, seen: Seen::default(), unchanged: 0 };
        silence.look_again();
        silence
    }

    /// When the next look is due; none is while the child has nothing to do.
    pub(super) const fn next(&self) -> Option<Instant> {
        self.next
    }

    fn look_again(&mut self) {
        self.next = Instant::now().checked_add(self.pause);
    }
}

impl Keeper {
    /// Somebody has sent something to a child that nobody looked after.
    pub(super) fn listen_again(&mut self) {
        if self.silence.next.is_none() {
            self.silence.look_again();
        }
    }

    /// Kills a child that does nothing with what it was sent.
    pub(super) fn watch_silence(&mut self) {
        if self.silence.next.is_none_or(|at| at > Instant::now()) {
            return;
        }
        let mut state = self.child.lock();
        let next = state.ledger.next_to_begin();
        let seen = Seen { next, heard: self.received, unsent: state.outbox.len() };
        let has_changed = self.silence.seen != seen;
        self.silence.seen = seen;
        self.silence.unchanged = match next {
            Some(_) if !has_changed => self.silence.unchanged + 1,
            _ => 0,
        };
        if self.silence.unchanged >= LOOKS {
            self.child.kill_locked(&mut state, Kill::Silent);
        }
        if state.ledger.is_empty() && !has_changed {
            state.is_unwatched = true;
            self.silence.next = None;
        } else {
            self.silence.look_again();
        }
    }
}
