//! Calling tasks back, and making bodies stop.

use std::{sync::Arc, time::Duration};

use outwork_core::{BodyKind, StopLevel, Timer, engine::AttemptKey};
use rustix::process::Signal;

use super::{
    Pool,
    child::{Child, Kill},
};
use crate::process_pool::wire::ToChild;

/// How long a child gets to drop a future, or to kill a program, before it is killed itself.
const LAST_GRACE: Duration = Duration::from_secs(1);

impl Pool {
    /// Calls a task back from the child that has it and has not begun it.
    pub(in super::super) fn recall(&self, key: AttemptKey) {
        for child in self.roster.children() {
            let mut state = child.lock();
            let found = state.ledger.find(|waiting| waiting.attempt.key() == key);
            if let Some(seq) = found {
                ToChild::Recall { seq }.put(&mut state.outbox);
                return child.flush(&mut state);
            }
        }
    }

    /// Makes a body stop. One that only a signal can stop is killed with its child.
    pub(in super::super) fn stop(&self, key: AttemptKey, level: StopLevel) {
        for child in self.roster.children() {
            let mut state = child.lock();
            let Some(at) = state.at.filter(|at| at.key == key) else { continue };
            match (level, at.kind) {
                (StopLevel::None, _) => {}
                (StopLevel::Forced, BodyKind::Sync) => {
                    child.kill_locked(&mut state, Kill::Ordered);
                }
                (StopLevel::Requested | StopLevel::Forced, _) => {
                    ToChild::Stop { seq: at.seq, level }.put(&mut state.outbox);
                    child.flush(&mut state);
                    // The child itself does not heed it; what it has started may.
                    child.signal(&state, Signal::TERM);
                }
            }
            drop(state);
            if level == StopLevel::Forced {
                kill_later(&child, at.seq);
            }
            return;
        }
    }

    /// Kills the child that is at a task.
    pub(in super::super) fn kill_at(&self, key: AttemptKey) {
        for child in self.roster.children() {
            let mut state = child.lock();
            if state.at.is_some_and(|at| at.key == key) {
                return child.kill_locked(&mut state, Kill::Ordered);
            }
        }
    }
}

fn kill_later(child: &Arc<Child>, seq: u64) {
    let child = Arc::downgrade(child);
    Timer::shared().after(LAST_GRACE, move || {
        let Some(child) = child.upgrade() else { return };
        let mut state = child.lock();
        if state.at.is_some_and(|at| at.seq == seq) {
            child.kill_locked(&mut state, Kill::Ordered);
        }
    });
}
