//! [`Watch`]: sees loops that do not come back from a poll.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use outwork_core::Timer;

use super::{backend::Shared, builder::EventLoopSettings, slot::LoopSlot};
use crate::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

/// Looks at the beat of each loop now and then, only while there is something in flight.
///
/// A beat that is odd at two looks, and the same, is one poll that lasted from one look to the
/// other. Nothing on the path of a task reads a clock for that.
#[derive(Debug)]
pub(super) struct Watch {
    timer: Timer,
    armed: AtomicBool,
    period: Duration,
    replace_after: Duration,
    seen: Mutex<Vec<Seen>>,
}

/// What the last looks at one loop saw.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    beat: u64,
    stuck_for: Duration,
}

impl Watch {
    pub(super) fn new(settings: &EventLoopSettings, timer: Timer) -> Self {
        Self {
            timer,
            armed: AtomicBool::new(false),
            period: settings.stall_after.max(Duration::from_millis(1)),
            replace_after: settings.replace_after,
            seen: Mutex::new(vec![Seen::default(); settings.size()]),
        }
    }

    /// Begins to look, unless somebody does already.
    pub(super) fn arm(&self, shared: &Arc<Shared>) {
        if self.armed.load(Ordering::SeqCst) || self.armed.swap(true, Ordering::SeqCst) {
            return;
        }
        self.look_later(shared);
    }

    fn look_later(&self, shared: &Arc<Shared>) {
        let pool = Arc::downgrade(shared);
        self.timer.after(self.period, move || {
            if let Some(shared) = pool.upgrade() {
                shared.watch.look(&shared);
            }
        });
    }

    fn look(&self, shared: &Arc<Shared>) {
        for (index, slot) in shared.slots.iter().enumerate() {
            self.look_at(shared, index, slot);
        }
        if is_busy(shared) {
            return self.look_later(shared);
        }
        self.armed.store(false, Ordering::SeqCst);
        // Work that came after the look found the watch armed.
        if is_busy(shared) {
            self.arm(shared);
        }
    }

    fn look_at(&self, shared: &Arc<Shared>, index: usize, slot: &Arc<LoopSlot>) {
        let generation = slot.generation();
        let beat = generation.beat();
        let stuck_for = {
            let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let seen = &mut all[index];
            let same_poll = seen.beat == beat && beat % 2 == 1;
            seen.stuck_for = if same_poll { seen.stuck_for + self.period } else { Duration::ZERO };
            seen.beat = beat;
            seen.stuck_for
        };
        let stalled = !stuck_for.is_zero();
        if slot.set_stalled(stalled) {
            tracing::warn!(worker = %slot.name, stalled, "the state of an event loop changed");
        }
        if stalled && stuck_for >= self.replace_after && !shared.is_closed() {
            shared.replace(slot, &generation);
        }
    }
}

fn is_busy(shared: &Shared) -> bool {
    !shared.is_closed() && shared.slots.iter().any(|slot| slot.load() > 0)
}
