//! [`Ledger`]: a recorder that keeps its records in memory.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use async_channel::{Receiver, Sender};

use crate::{BoxError, BoxFuture, Change, Recorder};

/// A recorder that keeps its records in memory, and does as it is told.
#[derive(Debug)]
pub(super) struct Ledger {
    lines: Mutex<Vec<String>>,
    fails_at: Option<Moment>,
    waits_at: Option<Moment>,
    waiting: AtomicBool,
    /// Closed when records that wait may go on.
    go_on: (Sender<()>, Receiver<()>),
}

/// A moment in the life of a task at which something can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Submitted,
    JobHandle,
    Finished,
}

impl Default for Ledger {
    fn default() -> Self {
        let go_on = async_channel::bounded(1);
        Self {
            lines: Mutex::default(),
            fails_at: None,
            waits_at: None,
            waiting: AtomicBool::new(false),
            go_on,
        }
    }
}

impl Ledger {
    pub(super) fn fails_at(mut self, moment: Moment) -> Self {
        self.fails_at = Some(moment);
        self
    }

    pub(super) fn waits_at(mut self, moment: Moment) -> Self {
        self.waits_at = Some(moment);
        self
    }

    /// Lets the records go on that wait.
    pub(super) fn go_on(&self) {
        self.go_on.0.close();
    }

    /// Whether a record waits, or has waited.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire)
    }

    pub(super) fn has(&self, line: &str) -> bool {
        self.lines().iter().any(|written| written == line)
    }

    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines())
    }

    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn words(change: &Change<'_>) -> (Option<Moment>, String) {
    match change {
        Change::Submitted(_) => (Some(Moment::Submitted), "submitted".to_owned()),
        Change::Started { attempt, .. } => (None, format!("started {attempt}")),
        Change::JobHandle { handle, .. } => {
            (Some(Moment::JobHandle), format!("job handle {handle}"))
        }
        Change::Retrying { attempt, .. } => (None, format!("retrying after {attempt}")),
        Change::Finished { outcome, .. } => {
            (Some(Moment::Finished), format!("finished {}", outcome.state()))
        }
    }
}

impl Recorder for Ledger {
    fn record<'a>(&'a self, change: Change<'a>) -> BoxFuture<'a, Result<(), BoxError>> {
        let (moment, line) = words(&change);
        Box::pin(async move {
            if moment.is_some() && moment == self.waits_at {
                self.waiting.store(true, Ordering::Release);
                // Ends by an error when the channel is closed, which is the signal.
                let _ = self.go_on.1.recv().await;
            }
            if moment.is_some() && moment == self.fails_at {
                return Err("the ledger is full".into());
            }
            self.lines().push(line);
            Ok(())
        })
    }
}
