//! [`Errands`]: what a worker has not seen to the end yet.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// What a worker has not seen to the end yet: a hand is empty before its acknowledgement is
/// written, and a drain has to wait for that as well.
#[derive(Debug, Clone, Default)]
pub(super) struct Errands(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    under_way: AtomicUsize,
    /// Told when one is done.
    done: Notify,
}

impl Errands {
    /// Begins something that a drain waits for: it ends when what is returned is dropped.
    pub(super) fn begin(&self) -> Errand {
        self.0.under_way.fetch_add(1, Ordering::SeqCst);
        Errand(Arc::clone(&self.0))
    }

    /// Waits until nothing is under way.
    pub(super) async fn all_done(&self) {
        loop {
            let done = self.0.done.notified();
            if self.0.under_way.load(Ordering::SeqCst) == 0 {
                return;
            }
            done.await;
        }
    }
}

/// What a worker does with one message, from its delivery to its acknowledgement.
#[derive(Debug)]
pub(super) struct Errand(Arc<Shared>);

impl Drop for Errand {
    fn drop(&mut self) {
        if self.0.under_way.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.done.notify_waiters();
        }
    }
}
