//! [`Stopper`]: the wish that a run ends early.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    task::Waker,
    time::Duration,
};

use futures_util::task::AtomicWaker;
use outwork_core::{Executor, Shutdown, blocking::block_on};

/// How long what was asked to stop may take until it is given up:
/// a little more than the grace of commands.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

const GOING: u8 = 0;
const SOON: u8 = 1;
const NOW: u8 = 2;

/// The wish that a run ends early. Clones are about the same run.
///
/// A wish goes to the executor at once, from whatever thread: the one that runs the loop may be
/// busy in an inline task or waiting for a reader of our output.
#[derive(Clone, Debug)]
pub(crate) struct Stopper {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    executor: Arc<dyn Executor>,
    level: AtomicU8,
    /// The signal that asked first, 0 for none.
    signal: AtomicU8,
    /// The signal that came last, 0 for none: known from the moment when it comes.
    hit: Arc<AtomicUsize>,
    waker: AtomicWaker,
}

impl Stopper {
    pub(crate) fn new(executor: Arc<dyn Executor>) -> Self {
        let (level, signal) = (AtomicU8::new(GOING), AtomicU8::new(0));
        let (hit, waker) = (Arc::default(), AtomicWaker::new());
        Self { shared: Arc::new(Shared { executor, level, signal, hit, waker }) }
    }

    /// Whether nothing more is to be started.
    pub(crate) fn is_stopping(&self) -> bool {
        self.shared.level.load(Ordering::Acquire) != GOING
    }

    /// Starts nothing more, and lets what runs finish.
    pub(crate) fn soon(&self) {
        self.stop(SOON, Shutdown::cancel_pending(Duration::MAX));
    }

    /// Starts nothing more, and stops what runs.
    pub(crate) fn now(&self) {
        self.stop(NOW, Shutdown::abort(STOP_DEADLINE));
    }

    /// As [`now`](Self::now), without any grace, and waits for that.
    pub(crate) fn kill(&self) {
        self.now();
        block_on(self.shared.executor.shutdown(Shutdown::abort(Duration::ZERO)));
    }

    /// As [`now`](Self::now), and waits until everything has stopped.
    pub(crate) fn now_and_wait(&self) {
        self.now();
        block_on(self.shared.executor.shutdown(Shutdown::abort(STOP_DEADLINE)));
    }

    /// Lets an executor that is not in this process end in order, now that all has ended: what
    /// is only this run's is not left behind on the broker.
    pub(crate) fn leave(&self) {
        if self.shared.executor.capabilities().outlives_caller {
            block_on(self.shared.executor.shutdown(Shutdown::drain(STOP_DEADLINE)));
        }
    }

    fn stop(&self, level: u8, how: Shutdown) {
        if self.shared.level.fetch_max(level, Ordering::AcqRel) < level {
            block_on(self.shared.executor.shutdown(how.wait(false)));
            self.shared.waker.wake();
        }
    }

    /// Notes which signal asked; only the first counts.
    pub(crate) fn note_signal(&self, signal: u8) {
        let signals = &self.shared.signal;
        let _ = signals.compare_exchange(0, signal, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// What the handlers of signals set to the signal's number.
    pub(crate) fn hit(&self) -> &Arc<AtomicUsize> {
        &self.shared.hit
    }

    /// Whether this signal came to us.
    ///
    /// A program that it killed may never have begun: until its `exec` it is in our group, and
    /// Ctrl-C reaches it there.
    pub(crate) fn was_hit_by(&self, signal: i32) -> bool {
        usize::try_from(signal) == Ok(self.shared.hit.load(Ordering::SeqCst)) && signal != 0
    }

    /// The signal that ended the run.
    pub(crate) fn signal(&self) -> Option<u8> {
        match self.shared.signal.load(Ordering::Relaxed) {
            0 => None,
            signal => Some(signal),
        }
    }

    /// Wakes this waker when the run is to end.
    pub(crate) fn register(&self, waker: &Waker) {
        self.shared.waker.register(waker);
    }
}
