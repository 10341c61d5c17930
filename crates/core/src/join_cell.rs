//! [`JoinCell`]: where one outcome is left and picked up.

use std::{
    fmt,
    task::{Context, Poll},
};

use crate::{
    Outcome, State,
    sync::Mutex,
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
        self.begin_telling(|| {})
    }

    /// The same, and tells of it before anybody can end the task.
    ///
    /// `tell` is called under the lock of the cell, which it must not come back to.
    #[must_use]
    pub fn begin_telling(&self, tell: impl FnOnce()) -> Option<B> {
        let mut inner = lock(&self.inner);
        if inner.state.is_final() {
            return None;
        }
        let body = inner.body.take()?;
        inner.state = State::Running;
        tell();
        Some(body)
    }

    /// Leaves the outcome and wakes who waits. A body that had not begun never does, and is
    /// dropped with the cell.
    ///
    /// # Errors
    ///
    /// The outcome, when another was there before.
    pub fn complete(&self, outcome: Outcome<T>) -> Result<(), Outcome<T>> {
        self.complete_telling(outcome, || {})
    }

    /// The same, and tells of it before the end can be seen: who comes too late comes after
    /// it was told.
    ///
    /// `tell` is called under the lock of the cell, which it must not come back to.
    ///
    /// # Errors
    ///
    /// The outcome, when another was there before; then nothing is told.
    pub fn complete_telling(
        &self,
        outcome: Outcome<T>,
        tell: impl FnOnce(),
    ) -> Result<(), Outcome<T>> {
        let mut inner = lock(&self.inner);
        if inner.state.is_final() {
            return Err(outcome);
        }
        tell();
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
        let body = if inner.state.is_final() { None } else { inner.body.take() };
        let Some(body) = body else { return Err(outcome) };
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
                let old = inner.waiters.register(key, cx.waker());
                drop(inner);
                drop(old);
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
        let old = inner.waiters.register(key, cx.waker());
        drop(inner);
        drop(old);
        Poll::Pending
    }

    /// Takes back what the polls left under the key.
    pub fn forget(&self, key: &mut WaitKey) {
        if key.is_registered() {
            let old = lock(&self.inner).waiters.forget(key);
            drop(old);
        }
    }
}

impl<T, B> fmt::Debug for JoinCell<T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinCell").field("state", &self.state()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;
    use crate::TaskError;

    /// A worker had taken the entry out of the queue, and the pool was given up just then.
    #[test]
    fn a_body_does_not_begin_after_its_task_has_ended() {
        let cell = JoinCell::<u32, _>::new("body");
        cell.complete(Outcome::bare(Err(TaskError::cancelled()))).unwrap();
        assert_eq!(cell.begin(), None);
        assert!(cell.complete_pending(Outcome::bare(Ok(1))).is_err());
        assert!(cell.complete(Outcome::bare(Ok(2))).is_err());
        assert_eq!(cell.state(), State::Cancelled);
    }

    #[test]
    fn a_body_is_given_away_once() {
        let cell = JoinCell::<u32, _>::new("body");
        assert_eq!(cell.begin(), Some("body"));
        assert_eq!((cell.begin(), cell.state()), (None, State::Running));
        assert!(cell.complete_pending(Outcome::bare(Ok(1))).is_err());
        cell.complete(Outcome::bare(Ok(2))).unwrap();
        assert_eq!(cell.state(), State::Succeeded);
    }

    #[test]
    fn who_comes_too_late_comes_after_the_end_was_told() {
        let cell = JoinCell::<u32, _>::new("body");
        let (said, order) = mpsc::channel();
        thread::scope(|scope| {
            let tell = || {
                let (here, is_here) = mpsc::channel();
                let (cell, late) = (&cell, said.clone());
                scope.spawn(move || {
                    here.send(()).unwrap();
                    cell.complete(Outcome::bare(Ok(2))).unwrap_err();
                    late.send("late").unwrap();
                });
                is_here.recv().unwrap();
                (0..1000).for_each(|_| thread::yield_now());
                said.send("told").unwrap();
            };
            cell.complete_telling(Outcome::bare(Ok(1)), tell).unwrap();
        });
        assert_eq!(order.iter().take(2).collect::<Vec<_>>(), ["told", "late"]);
    }
}
