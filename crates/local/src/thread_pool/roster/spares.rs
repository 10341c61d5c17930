//! [`Spares`]: threads in the place of those that block.

use std::sync::Arc;

use outwork_core::{
    WouldDeadlock,
    blocking::{Compensate, ExecutorId},
};

use crate::{sync::atomic::Ordering, thread_pool::backend::Shared};

/// Threads in the place of those that block on other tasks, at most. The cap of Java's
/// `ForkJoinPool`.
const MAX_SPARES: usize = 256;

/// Puts another thread in the place of one that blocks.
pub(in super::super) struct Spares(pub(in super::super) Arc<Shared>);

impl Compensate for Spares {
    fn block(&self, _target: ExecutorId) -> Result<Box<dyn Send>, WouldDeadlock> {
        let shared = &self.0;
        {
            let mut members = shared.roster.members();
            if members.spares >= MAX_SPARES {
                return Err(WouldDeadlock);
            }
            members.spares += 1;
            shared.roster.target.store(members.size + members.spares, Ordering::SeqCst);
        }
        let spare = Spare(Arc::clone(shared));
        if shared.roster.idle.load(Ordering::SeqCst) == 0
            && shared.may_grow()
            && !shared.start_one()
        {
            return Err(WouldDeadlock);
        }
        Ok(Box::new(spare))
    }
}

/// Room for a thread in the place of one that blocks.
struct Spare(Arc<Shared>);

impl Drop for Spare {
    fn drop(&mut self) {
        let roster = &self.0.roster;
        {
            let mut members = roster.members();
            members.spares -= 1;
            roster.target.store(members.size + members.spares, Ordering::SeqCst);
        }
        if roster.has_surplus() {
            self.0.queue.nudge();
        }
    }
}
