//! [`Watch`]: the second thread of a child, which has an eye on the first.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use super::runner::Worker;

/// A body that takes longer than one to two of these is long: what waits behind it is given
/// back, what was gathered is written, and this thread reads the socket meanwhile.
const TICK: Duration = Duration::from_micros(500);

/// After so many ticks without a body the thread sleeps until there is one.
const QUIET_TICKS: u32 = 20;

/// Notices bodies that take long.
///
/// The runner reads the socket itself, because a task that comes to an idle child then wakes
/// one thread and not two. That leaves the socket alone while a body runs: no wish to stop and
/// no end of the pool would be seen. For short bodies that does not matter, and for long ones
/// there is this thread. It ticks while there is work and sleeps when there is none.
#[derive(Default)]
pub(super) struct Watch {
    /// Odd while a body runs; each body has a number of its own.
    epoch: AtomicU64,
    /// The number of a body that takes long.
    long: AtomicU64,
    asleep: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Watch {
    /// A body begins.
    pub(super) fn begin(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        // Either this sees that the thread sleeps, or the thread sees the new number.
        if self.asleep.load(Ordering::SeqCst)
            && self.asleep.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// A body has ended.
    pub(super) fn end(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether the body that runs takes long, so that nothing should wait behind it.
    pub(super) fn is_long(&self) -> bool {
        let epoch = self.epoch.load(Ordering::SeqCst);
        epoch % 2 == 1 && self.long.load(Ordering::SeqCst) == epoch
    }

    /// # Errors
    ///
    /// When the system refuses the thread.
    pub(super) fn start(worker: &Arc<Worker>) -> std::io::Result<()> {
        let watched = Arc::clone(worker);
        let thread = thread::Builder::new().name("outwork-watch".to_owned());
        let started = thread.spawn(move || watched.watch.run(&watched))?;
        let _ = worker.watch.thread.set(started.thread().clone());
        Ok(())
    }

    fn run(&self, worker: &Worker) {
        let (mut seen, mut quiet) = (0, 0);
        loop {
            thread::park_timeout(TICK);
            let epoch = self.epoch.load(Ordering::SeqCst);
            let in_body = epoch % 2 == 1;
            if in_body && epoch == seen {
                self.long.store(epoch, Ordering::SeqCst);
                worker.stand_in(|| self.epoch.load(Ordering::SeqCst) == epoch);
            }
            quiet = if epoch == seen && !in_body { quiet + 1 } else { 0 };
            seen = epoch;
            if quiet >= QUIET_TICKS {
                self.sleep(epoch);
                quiet = 0;
            }
        }
    }

    fn sleep(&self, epoch: u64) {
        self.asleep.store(true, Ordering::SeqCst);
        while self.asleep.load(Ordering::SeqCst) && self.epoch.load(Ordering::SeqCst) == epoch {
            thread::park();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}
