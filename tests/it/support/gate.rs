//! [`Gate`]: what bodies wait at until a test lets them go on.

use std::sync::{Arc, Condvar, Mutex};

use async_channel::{Receiver, Sender};

use super::PATIENCE;

/// What bodies wait at, threads and futures alike, until a test lets them go on.
#[derive(Clone, Debug)]
pub struct Gate {
    blocking: Arc<(Mutex<bool>, Condvar)>,
    close: Sender<()>,
    closed: Receiver<()>,
}

impl Gate {
    pub fn new() -> Self {
        let (close, closed) = async_channel::bounded(1);
        Self { blocking: Arc::default(), close, closed }
    }

    pub fn open(&self) {
        let (open, changed) = &*self.blocking;
        *open.lock().unwrap() = true;
        changed.notify_all();
        self.close.close();
    }

    pub fn is_open(&self) -> bool {
        *self.blocking.0.lock().unwrap()
    }

    /// Blocks the thread, without any executor knowing why.
    #[track_caller]
    pub fn wait(&self) {
        let (open, changed) = &*self.blocking;
        let open = open.lock().unwrap();
        let (open, _) = changed.wait_timeout_while(open, PATIENCE, |open| !*open).unwrap();
        assert!(*open, "nobody opened the gate in {PATIENCE:?}");
    }

    pub async fn opened(&self) {
        // Nothing is ever sent.
        let _ = self.closed.recv().await;
    }
}
