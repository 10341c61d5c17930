//! [`Map`]: results in the order of the inputs.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    num::NonZeroUsize,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::{Stream, future::BoxFuture};
use serde::de::DeserializeOwned;

use super::call::Submitter;
use crate::{CallError, EncodeError, SubmitError, Task, TaskHandle};

/// The results of [`ExecutorExt::map`](crate::ExecutorExt::map), in the order of the inputs.
///
/// # Cancel safety
///
/// Between two items nothing is lost; dropping the stream cancels what is in flight.
#[must_use = "streams do nothing unless polled"]
pub struct Map<'a, R> {
    submit: Submitter<'a>,
    tasks: Option<Box<dyn Iterator<Item = Result<Task, EncodeError>> + Send + 'a>>,
    submitting: Option<BoxFuture<'a, Result<TaskHandle, SubmitError>>>,
    in_flight: VecDeque<Slot<R>>,
    limit: NonZeroUsize,
}

enum Slot<R> {
    Running(TaskHandle<R>),
    Refused(CallError),
}

impl<'a, R: DeserializeOwned> Map<'a, R> {
    pub(super) fn new(
        submit: Submitter<'a>,
        tasks: Box<dyn Iterator<Item = Result<Task, EncodeError>> + Send + 'a>,
        limit: NonZeroUsize,
    ) -> Self {
        Self {
            submit,
            tasks: Some(tasks),
            submitting: None,
            in_flight: VecDeque::with_capacity(limit.get().min(1024)),
            limit,
        }
    }

    /// Takes inputs while there is room for them.
    fn fill(&mut self, cx: &mut Context<'_>) {
        while self.in_flight.len() < self.limit.get() {
            let slot = match self.poll_submit(cx) {
                Poll::Ready(Some(slot)) => slot,
                Poll::Ready(None) | Poll::Pending => return,
            };
            self.in_flight.push_back(slot);
        }
    }

    fn poll_submit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Slot<R>>> {
        if self.submitting.is_none() {
            let Some(tasks) = &mut self.tasks else { return Poll::Ready(None) };
            match tasks.next() {
                Some(Ok(task)) => self.submitting = Some((self.submit)(task)),
                Some(Err(error)) => return Poll::Ready(Some(Slot::Refused(error.into()))),
                None => self.tasks = None,
            }
        }
        let Some(submitting) = &mut self.submitting else { return Poll::Ready(None) };
        let result = ready!(submitting.as_mut().poll(cx));
        self.submitting = None;
        Poll::Ready(Some(match result {
            Ok(handle) => Slot::Running(handle.decoded()),
            Err(error) => Slot::Refused(error.into()),
        }))
    }
}

impl<R: DeserializeOwned> Stream for Map<'_, R> {
    type Item = Result<R, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.fill(cx);
        let item = match self.in_flight.pop_front() {
            Some(Slot::Refused(error)) => Err(error),
            Some(Slot::Running(mut handle)) => match Pin::new(&mut handle).poll(cx) {
                Poll::Ready(outcome) => outcome.into_call_result(),
                Poll::Pending => {
                    self.in_flight.push_front(Slot::Running(handle));
                    return Poll::Pending;
                }
            },
            None if self.submitting.is_some() => return Poll::Pending,
            None => return Poll::Ready(None),
        };
        Poll::Ready(Some(item))
    }
}

// Nothing in it is pinned in place.
impl<R> Unpin for Map<'_, R> {}

impl<R> Drop for Map<'_, R> {
    fn drop(&mut self) {
        for slot in &self.in_flight {
            if let Slot::Running(handle) = slot {
                handle.cancel();
            }
        }
    }
}

impl<R> fmt::Debug for Map<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("in_flight", &self.in_flight.len()).finish_non_exhaustive()
    }
}
