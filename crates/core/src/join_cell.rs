//! [`JoinCell`]: where one outcome is left and picked up.

use std::{
    fmt,
    sync::Mutex,
    task::{Context, Poll},
};

use crate::{
    Outcome, State,
    waiters::{WaitKey, WakerList, Wakers, lock},
};

/// Where one outcome is left and picked up, for handles of closures and of remote tasks.
///
/// While the task waits the cell keeps its body. The first
/// [`complete`](Self::complete) decides; later ones are told that they are late.
pub struct JoinCell<T, B = ()> {
    inner: Mutex<Inner<T, B>>,
}

struct Inner<T, B> {
    state: State,
    body: Option<B>,
    outcome: Option<Outcome<T>>,
    waiters: WakerList,
}

impl<T, B> Inner<T, B> {
    fn end(&mut self, outcome: Outcome<T>) -> Wakers {
        self.state = outcome.state();
        self.outcome = Some(outcome);
        self.waiters.take()
    }
}

impl<T, B> JoinCell<T, B> {
    /// A cell of a task that waits.
    #[must_use]
    pub fn new(body: B) -> Self {
        let inner = Inner {
            state: State::Pending,
            body: Some(body),
            outcome: None,
            waiters: WakerList::default(),
        };
        Self { inner: Mutex::new(inner) }
    }

    /// Where the task is.
    #[must_use]
    pub fn state(&self) -> State {
        lock(&self.inner).state
    }

    /// Says that the task runs and gives its body away; `None` when it must not run.
    #[must_use]
    pub fn begin(&self) -> Option<B> {
        let mut inner = lock(&self.inner);
        let body = inner.body.take()?;
        inner.state = State::Running;
        Some(body)
    }

    /// Leaves the outcome and wakes who waits.
    ///
    /// # Errors
    ///
    /// The outcome, when another was there before.
    pub fn complete(&self, outcome: Outcome<T>) -> Result<(), Outcome<T>> {
        let mut inner = lock(&self.inner);
        if inner.state.is_final() {
            return Err(outcome);
        }
        let wakers = inner.end(outcome);
        drop(inner);
        wakers.wake();
        Ok(())
    }

    /// Ends a task that has not begun to run, and gives its unused body away.
    ///
    /// # Errors
    ///
    /// The outcome, when it has.
    pub fn complete_pending(&self, outcome: Outcome<T>) -> Result<B, Outcome<T>> {
        let mut inner = lock(&self.inner);
        let Some(body) = inner.body.take() else { return Err(outcome) };
        let wakers = inner.end(outcome);
        drop(inner);
        wakers.wake();
        Ok(body)
    }

    /// Takes the outcome once it is there; `None` when it was taken before.
    pub fn poll_take(&self, cx: &mut Context<'_>, key: &mut WaitKey) -> Poll<Option<Outcome<T>>> {
        let mut inner = lock(&self.inner);
        match inner.outcome.take() {
            None if inner.state.is_final() => Poll::Ready(None),
            None => {
                inner.waiters.register(key, cx.waker());
                Poll::Pending
            }
            outcome => Poll::Ready(outcome),
        }
    }

    /// Ready once the outcome is there, or was.
    pub fn poll_ended(&self, cx: &mut Context<'_>, key: &mut WaitKey) -> Poll<()> {
        let mut inner = lock(&self.inner);
        if inner.state.is_final() {
            return Poll::Ready(());
        }
        inner.waiters.register(key, cx.waker());
        Poll::Pending
    }

    /// Takes back what the polls left under the key.
    pub fn forget(&self, key: &mut WaitKey) {
        if key.is_registered() {
            lock(&self.inner).waiters.forget(key);
        }
    }
}

impl<T, B> fmt::Debug for JoinCell<T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinCell").field("state", &self.state()).finish_non_exhaustive()
    }
}
