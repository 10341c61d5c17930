//! [`Condvar`]: the model checker's, with waits that end by time.

use std::{
    sync::{Arc, LockResult},
    time::Duration,
};

use shuttle::{
    sync::{
        self, MutexGuard, WaitTimeoutResult,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// The model checker's, with waits that end by time: at any time.
///
/// While one such wait goes on, other waits may end without reason, as they may of the original.
#[derive(Debug, Default)]
pub(crate) struct Condvar(Arc<sync::Condvar>);

impl Condvar {
    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    pub(crate) fn wait_while<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        self.0.wait_while(guard, condition)
    }

    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        time: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let waits = Arc::new(AtomicBool::new(true));
        let (condvar, goes_on) = (Arc::clone(&self.0), Arc::clone(&waits));
        thread::spawn(move || {
            while goes_on.load(Ordering::SeqCst) {
                condvar.notify_all();
                thread::yield_now();
            }
        });
        let waited = self.0.wait_timeout(guard, time);
        waits.store(false, Ordering::SeqCst);
        waited
    }
}
