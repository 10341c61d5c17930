//! Parking a thread and waking it, as the model checker's threads do it.
//!
//! Waking is a place where another thread may go first, but only in models that
//! [ask](wakes_take_time) for it: `event-listener` wakes under a lock of its own, of which the
//! checker knows nothing, and a thread that went first there could meet that lock.

use std::{
    cell::Cell,
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
    time::Duration,
};

use shuttle::future::block_on;

std::thread_local! {
    /// The checker runs all threads of one model on one thread of the system.
    static WAKES_TAKE_TIME: Cell<bool> = const { Cell::new(false) };
}

shuttle::thread_local! {
    static CURRENT: Thread = Thread::default();
}

/// Other threads may go first also while somebody is being woken, in what this thread checks.
#[cfg(test)]
pub(super) fn wakes_take_time() {
    WAKES_TAKE_TIME.set(true);
}

fn let_others_go_first() {
    if WAKES_TAKE_TIME.get() {
        shuttle::thread::sleep(Duration::ZERO);
    }
}

/// A flag that whoever wakes a thread sets.
#[derive(Debug)]
pub(crate) struct WakeFlag(AtomicBool);

impl WakeFlag {
    pub(crate) const fn new(woken: bool) -> Self {
        Self(AtomicBool::new(woken))
    }

    pub(crate) fn load(&self, order: Ordering) -> bool {
        let_others_go_first();
        self.0.load(order)
    }

    pub(crate) fn swap(&self, woken: bool, order: Ordering) -> bool {
        let_others_go_first();
        self.0.swap(woken, order)
    }
}

/// A thread, as those see it who wake it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Thread(Arc<Mutex<Token>>);

/// Makes the next park return at once.
#[derive(Debug, Default)]
struct Token {
    is_there: bool,
    parked: Option<Waker>,
}

impl Thread {
    pub(crate) fn unpark(&self) {
        let_others_go_first();
        let parked = {
            let mut token = self.token();
            token.is_there = true;
            token.parked.take()
        };
        parked.map(Waker::wake);
    }

    fn token(&self) -> MutexGuard<'_, Token> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn current() -> Thread {
    CURRENT.with(Thread::clone)
}

pub(crate) fn park() {
    let thread = current();
    block_on(poll_fn(|cx| {
        let mut token = thread.token();
        if std::mem::take(&mut token.is_there) {
            return Poll::Ready(());
        }
        token.parked = Some(cx.waker().clone());
        Poll::Pending
    }));
}

/// Time stands still in a model: nobody is woken by it.
pub(crate) fn park_timeout(_time: Duration) {
    park();
}
