//! [`Pump`]: the loop that submits tasks and hears of their ends.

use std::{
    future::Future,
    num::NonZeroUsize,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::stream::{FuturesUnordered, StreamExt};
use outwork_core::{
    BoxFuture, Executor, Outcome, SubmitError, Task, TaskHandle, blocking::block_on,
};

use crate::{failure::Failure, stopper::Stopper};

/// What a command does with its tasks. All of it happens on one thread.
pub(crate) trait Work {
    /// What is remembered of a task until it has ended.
    type Note: Unpin;

    /// The next task, when there is one.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next<Self::Note>, Failure>>;

    /// Whether one more task may be started.
    fn has_room(&self) -> bool {
        true
    }

    /// A task has ended, or was refused.
    fn ended(&mut self, note: Self::Note, end: Result<Outcome, SubmitError>)
    -> Result<(), Failure>;

    /// There is nothing to do at the moment: whoever reads the output should see it now.
    fn idle(&mut self) -> Result<(), Failure>;
}

/// What [`Work::poll_next`] has found.
pub(crate) enum Next<N> {
    /// A task to submit.
    Task(Task, N),
    /// The input had something that is no task; it was dealt with.
    Passed,
    /// There are no more tasks.
    End,
}

/// Submits tasks, a bounded number at once, and hears of their ends.
pub(crate) struct Pump<'a, W: Work> {
    work: &'a mut W,
    executor: Arc<dyn Executor>,
    in_flight: NonZeroUsize,
    stopper: Stopper,
    running: FuturesUnordered<InFlight<W::Note>>,
    /// A task that waits for room in the executor, where that has less than we would use.
    submitting: Option<Submitting<W::Note>>,
    input_ended: bool,
}

struct Submitting<N> {
    note: Option<N>,
    future: BoxFuture<'static, Result<TaskHandle, SubmitError>>,
}

struct InFlight<N> {
    note: Option<N>,
    handle: TaskHandle,
}

impl<N: Unpin> Future for InFlight<N> {
    type Output = (N, Outcome);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.handle).poll(cx).map(|outcome| {
            (self.note.take().expect("a future is not polled after it was ready"), outcome)
        })
    }
}

/// Runs all tasks of `work`, at most `in_flight` at once, until there are no more or the run is
/// stopped. What had started has ended when this returns, also with an error.
pub(crate) fn run<W: Work>(
    work: &mut W,
    executor: Arc<dyn Executor>,
    in_flight: NonZeroUsize,
    stopper: Stopper,
) -> Result<(), Failure> {
    let mut pump = Pump {
        work,
        executor,
        in_flight,
        stopper: stopper.clone(),
        running: FuturesUnordered::new(),
        submitting: None,
        input_ended: false,
    };
    let ended = block_on(std::future::poll_fn(|cx| pump.poll(cx)));
    match &ended {
        Ok(()) => stopper.leave(),
        Err(_) => stopper.now_and_wait(),
    }
    ended
}

impl<W: Work> Pump<'_, W> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.stopper.register(cx.waker());
        loop {
            self.admit(cx)?;
            match self.running.poll_next_unpin(cx) {
                Poll::Ready(Some((note, outcome))) => self.work.ended(note, Ok(outcome))?,
                Poll::Ready(None) if self.takes_no_more() => {
                    return Poll::Ready(self.work.idle());
                }
                Poll::Ready(None) | Poll::Pending => {
                    self.work.idle()?;
                    return Poll::Pending;
                }
            }
        }
    }

    fn takes_no_more(&self) -> bool {
        self.submitting.is_none() && (self.input_ended || self.stopper.is_stopping())
    }

    /// Submits tasks while there are tasks and room.
    fn admit(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        while self.submitted(cx)?
            && self.running.len() < self.in_flight.get()
            && !self.input_ended
            && !self.stopper.is_stopping()
            && self.work.has_room()
        {
            match self.work.poll_next(cx)? {
                Poll::Ready(Next::Task(task, note)) => self.submit(task, note)?,
                Poll::Ready(Next::Passed) => {}
                Poll::Ready(Next::End) => self.input_ended = true,
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    fn submit(&mut self, task: Task, note: W::Note) -> Result<(), Failure> {
        match self.executor.try_submit(task) {
            Err(refused) if refused.is_full() => {
                let (executor, task) = (Arc::clone(&self.executor), refused.into_task());
                let future = Box::pin(async move { executor.submit(task).await });
                self.submitting = Some(Submitting { note: Some(note), future });
                Ok(())
            }
            result => self.accepted(note, result),
        }
    }

    /// Whether no task is waiting for room in the executor.
    fn submitted(&mut self, cx: &mut Context<'_>) -> Result<bool, Failure> {
        let Some(waiting) = &mut self.submitting else { return Ok(true) };
        let Poll::Ready(result) = waiting.future.as_mut().poll(cx) else { return Ok(false) };
        let note = waiting.note.take();
        self.submitting = None;
        self.accepted(note.expect("it is taken only here"), result)?;
        Ok(true)
    }

    fn accepted(
        &mut self,
        note: W::Note,
        result: Result<TaskHandle, SubmitError>,
    ) -> Result<(), Failure> {
        match result {
            Ok(handle) => {
                self.running.push(InFlight { note: Some(note), handle });
                Ok(())
            }
            // The stop was faster than the last task, which is as if it had not been read.
            Err(refused) if refused.is_closed() && self.stopper.is_stopping() => Ok(()),
            Err(refused) => self.work.ended(note, Err(refused)),
        }
    }
}
