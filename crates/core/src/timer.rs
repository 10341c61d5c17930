//! [`Timer`]: one thread for all deadlines.

use std::{
    collections::BTreeMap,
    fmt,
    future::poll_fn,
    ops::Deref,
    sync::{Arc, LazyLock},
    task::Poll,
    time::{Duration, Instant},
};

use crate::{
    Clock,
    blocking::{block_on, block_on_for},
    sync::{Mutex, thread},
    waiters::{WaitKey, WakerList, lock},
};

/// Runs small actions when their time has come, on a thread of its own.
///
/// The thread starts with the first deadline and sleeps until the nearest one:
/// it does not poll, and takes no CPU while nothing is due.
/// Actions hand work on and return at once; they never run a task's code.
///
/// When the last handle is dropped the thread leaves, and what was still to come never runs.
#[derive(Clone)]
pub struct Timer {
    shared: Arc<Owned>,
}

/// What the handles share. The thread does not count among them.
struct Owned(Arc<Shared>);

struct Shared {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    deadlines: BTreeMap<TimerKey, Action>,
    next_key: u64,
    started: bool,
    /// The last handle is gone.
    closed: bool,
    sleeper: WakerList,
    sleeps_until: Option<Instant>,
}

type Action = Box<dyn FnOnce() + Send>;

/// Names one deadline. Keys sort by time, and by order within one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerKey {
    at: Instant,
    order: u64,
}

impl Timer {
    /// The timer that all executors of this process share.
    #[must_use]
    pub fn shared() -> Self {
        static SHARED: LazyLock<Timer> = LazyLock::new(|| Timer::new(Clock::system()));
        SHARED.clone()
    }

    /// A timer of its own, by a clock of its own.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { shared: Arc::new(Owned(Arc::new(Shared { clock, state: Mutex::default() }))) }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.shared.clock.now()
    }

    /// Runs an action after a while.
    pub fn after(&self, delay: Duration, action: impl FnOnce() + Send + 'static) -> TimerKey {
        let now = self.now();
        // What is due in more than a century is never due.
        const CENTURY: Duration = Duration::from_secs(100 * 366 * 24 * 3600);
        let at = now.checked_add(delay.min(CENTURY)).unwrap_or(now);
        self.at(at, action)
    }

    /// Runs an action at a time; at once when that has passed.
    pub fn at(&self, at: Instant, action: impl FnOnce() + Send + 'static) -> TimerKey {
        let mut state = lock(&self.shared.state);
        let key = TimerKey { at, order: state.next_key };
        state.next_key += 1;
        state.deadlines.insert(key, Box::new(action));
        let wakers =
            state.sleeps_until.is_none_or(|until| at < until).then(|| state.sleeper.take());
        let start = !std::mem::replace(&mut state.started, true);
        drop(state);
        if let Some(wakers) = wakers {
            wakers.wake();
        }
        if start {
            self.start();
        }
        key
    }

    /// Takes a deadline back; whether it was still to come.
    #[expect(clippy::must_use_candidate, reason = "called for its effect")]
    pub fn cancel(&self, key: TimerKey) -> bool {
        let action = lock(&self.shared.state).deadlines.remove(&key);
        action.is_some()
    }

    fn start(&self) {
        let shared = Arc::clone(&self.shared.0);
        let thread = thread::Builder::new().name("outwork-timer".to_owned()).spawn(move || {
            while !lock(&shared.state).closed {
                shared.run_due();
                shared.sleep();
            }
        });
        if let Err(error) = thread {
            // The next deadline tries again.
            lock(&self.shared.state).started = false;
            tracing::error!(%error, "the timer thread could not be started");
        }
    }
}

impl Deref for Owned {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let sleeper = state.sleeper.take();
        let never = std::mem::take(&mut state.deadlines);
        drop(state);
        sleeper.wake();
        drop(never);
    }
}

impl Shared {
    fn run_due(&self) {
        let now = self.clock.now();
        while let Some(action) = self.take_due(now) {
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(action)).is_err() {
                tracing::error!("an action of the timer panicked");
            }
        }
    }

    fn take_due(&self, now: Instant) -> Option<Action> {
        let mut state = lock(&self.state);
        let entry = state.deadlines.first_entry()?;
        (entry.key().at <= now).then(|| entry.remove())
    }

    /// Sleeps until the nearest deadline, or until a nearer one is added.
    fn sleep(&self) {
        let mut key = WaitKey::default();
        let next = self.announce_sleep();
        // Due since the last look: who set it may have found nobody asleep.
        if next.is_some_and(|next| next <= self.clock.now()) {
            return;
        }
        let changed = self.changed(&mut key, next);
        match next.filter(|_| !self.clock.is_manual()) {
            None => block_on(changed),
            Some(next) => {
                let left = next.saturating_duration_since(self.clock.now());
                let _ = block_on_for(changed, Some(left));
            }
        }
        let old = lock(&self.state).sleeper.forget(&mut key);
        drop(old);
    }

    fn announce_sleep(&self) -> Option<Instant> {
        let mut state = lock(&self.state);
        state.sleeps_until = state.deadlines.first_key_value().map(|(key, _)| key.at);
        state.sleeps_until
    }

    /// Resolves when the nearest deadline is no longer `known`, when a manual clock was moved, or
    /// when the last handle is gone.
    async fn changed(&self, key: &mut WaitKey, known: Option<Instant>) {
        let mut moved = std::pin::pin!(self.clock.moved());
        poll_fn(|cx| {
            if moved.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let mut state = lock(&self.state);
            let next = state.deadlines.first_key_value().map(|(key, _)| key.at);
            if state.closed || next.is_some_and(|next| known.is_none_or(|known| next < known)) {
                return Poll::Ready(());
            }
            let old = state.sleeper.register(key, cx.waker());
            drop(state);
            drop(old);
            Poll::Pending
        })
        .await;
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = lock(&self.shared.state).deadlines.len();
        f.debug_struct("Timer").field("waiting", &waiting).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
