//! [`RunMultiple`]: outcomes in the order in which tasks end.

use std::{
    fmt,
    future::Future,
    num::NonZeroUsize,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::{Stream, future::BoxFuture};

use super::{Indexed, call::Submitter, call::sleep};
use crate::{Outcome, SubmitError, Task, TaskError, TaskErrorKind, TaskHandle};

/// How much [`ExecutorExt::run_multiple`](crate::ExecutorExt::run_multiple) does at once,
/// and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    in_flight: NonZeroUsize,
    per_task: Option<Duration>,
    total: Option<Duration>,
}

impl Limits {
    /// At most so many tasks at once, without a time limit.
    #[must_use]
    pub const fn in_flight(in_flight: NonZeroUsize) -> Self {
        Self { in_flight, per_task: None, total: None }
    }

    /// Cancels a task that has not ended so long after it was accepted.
    #[must_use]
    pub const fn per_task(mut self, limit: Duration) -> Self {
        self.per_task = Some(limit);
        self
    }

    /// Cancels everything that has not ended after so long, and takes no more tasks.
    #[must_use]
    pub const fn total(mut self, limit: Duration) -> Self {
        self.total = Some(limit);
        self
    }
}

/// The outcomes of [`ExecutorExt::run_multiple`](crate::ExecutorExt::run_multiple),
/// as the tasks end.
///
/// # Cancel safety
///
/// Between two items nothing is lost; dropping the stream cancels the rest.
#[must_use = "streams do nothing unless polled"]
pub struct RunMultiple<'a> {
    submit: Submitter<'a>,
    tasks: Option<Box<dyn Iterator<Item = Task> + Send + 'a>>,
    submitting: Option<BoxFuture<'a, Result<TaskHandle, SubmitError>>>,
    next_index: usize,
    running: Vec<Running>,
    limits: Limits,
    total: Option<BoxFuture<'static, ()>>,
}

struct Running {
    index: usize,
    handle: TaskHandle,
    limit: Option<BoxFuture<'static, ()>>,
    timed_out: Option<Duration>,
}

impl Running {
    fn poll(&mut self, cx: &mut Context<'_>, per_task: Option<Duration>) -> Poll<Outcome> {
        if let Some(limit) = &mut self.limit
            && limit.as_mut().poll(cx).is_ready()
        {
            self.limit = None;
            self.timed_out = per_task;
            self.handle.cancel();
        }
        Pin::new(&mut self.handle).poll(cx).map(|outcome| match self.timed_out {
            Some(limit) => timed_out(outcome, limit),
            None => outcome,
        })
    }
}

/// The caller asked for a limit, so that is what the outcome says, and not "cancelled".
fn timed_out(outcome: Outcome, limit: Duration) -> Outcome {
    outcome.map_error(|error| match error.kind() {
        TaskErrorKind::Cancelled => TaskError::timed_out(limit, false),
        _ => error,
    })
}

impl<'a> RunMultiple<'a> {
    pub(super) fn new(
        submit: Submitter<'a>,
        tasks: Box<dyn Iterator<Item = Task> + Send + 'a>,
        limits: Limits,
    ) -> Self {
        Self {
            submit,
            tasks: Some(tasks),
            submitting: None,
            next_index: 0,
            running: Vec::new(),
            limits,
            total: None,
        }
    }

    /// Stops everything once the time for all of it is up.
    fn check_total(&mut self, cx: &mut Context<'_>) {
        let Some(limit) = self.limits.total else { return };
        let total = self.total.get_or_insert_with(|| Box::pin(sleep(limit)));
        if total.as_mut().poll(cx).is_ready() {
            self.tasks = None;
            self.submitting = None;
            for running in self.running.iter_mut().filter(|r| r.timed_out.is_none()) {
                running.timed_out = Some(limit);
                running.handle.cancel();
            }
            self.limits.total = None;
        }
    }

    /// Takes tasks while there is room; a refused one is yielded at once.
    fn fill(&mut self, cx: &mut Context<'_>) -> Option<Indexed> {
        while self.running.len() < self.limits.in_flight.get() {
            if self.submitting.is_none() {
                match self.tasks.as_mut().and_then(Iterator::next) {
                    Some(task) => self.submitting = Some((self.submit)(task)),
                    None => {
                        self.tasks = None;
                        return None;
                    }
                }
            }
            let Poll::Ready(result) = self.submitting.as_mut()?.as_mut().poll(cx) else {
                return None;
            };
            self.submitting = None;
            let index = self.next_index;
            self.next_index += 1;
            match result {
                Ok(handle) => self.running.push(Running {
                    index,
                    handle,
                    limit: self.limits.per_task.map(|limit| Box::pin(sleep(limit)) as _),
                    timed_out: None,
                }),
                Err(error) => return Some((index, Err(error))),
            }
        }
        None
    }
}

impl Stream for RunMultiple<'_> {
    type Item = Indexed;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Indexed>> {
        let this = &mut *self;
        this.check_total(cx);
        if let Some(refused) = this.fill(cx) {
            return Poll::Ready(Some(refused));
        }
        let per_task = this.limits.per_task;
        for place in 0..this.running.len() {
            if let Poll::Ready(outcome) = this.running[place].poll(cx, per_task) {
                let ended = this.running.swap_remove(place);
                return Poll::Ready(Some((ended.index, Ok(outcome))));
            }
        }
        if this.running.is_empty() && this.submitting.is_none() {
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}

// Nothing in it is pinned in place.
impl Unpin for RunMultiple<'_> {}

impl Drop for RunMultiple<'_> {
    fn drop(&mut self) {
        for running in &self.running {
            running.handle.cancel();
        }
    }
}

impl fmt::Debug for RunMultiple<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunMultiple").field("running", &self.running.len()).finish_non_exhaustive()
    }
}
