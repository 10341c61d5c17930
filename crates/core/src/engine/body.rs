//! Running the code of users without letting its panics out.

use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::future::BoxFuture;

use super::CommandRunner;
use crate::{
    BoxError, Handler, Payload, StopLevel, TaskContext, TaskError, TaskErrorKind, waiters::WaitKey,
};

/// Runs a function; a panic becomes the error of its task.
///
/// # Errors
///
/// [`Panicked`](TaskErrorKind::Panicked) when the function does.
pub fn contain<T>(run: impl FnOnce() -> T) -> Result<T, TaskError> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        let message = panic_message(&*payload);
        contain_drop(payload);
        TaskError::new(TaskErrorKind::Panicked, message)
    })
}

/// Drops a value of the user's; whether that went without a panic.
pub fn contain_drop<T>(value: T) -> bool {
    match catch_unwind(AssertUnwindSafe(|| drop(value))) {
        Ok(()) => true,
        Err(payload) => {
            let message = panic_message(&*payload);
            tracing::error!(message, "a destructor panicked");
            leak(payload);
            false
        }
    }
}

/// What the second panic in a row carries is not given the chance of a third.
#[expect(clippy::mem_forget, reason = "its destructor may panic, and nothing is above to catch it")]
fn leak(payload: Box<dyn Any + Send>) {
    std::mem::forget(payload);
}

/// The message of a panic.
#[must_use]
pub fn panic_message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "the panic carried no message".to_owned())
}

/// Runs a handler's body to its end, with its panics contained and its context current.
///
/// For backends whose bodies run apart from the engine, such as in a child process;
/// [`Attempt::run`](super::Attempt::run) calls it for all others.
/// A synchronous body blocks the thread that polls this.
///
/// # Errors
///
/// What the body failed with.
///
/// # Cancel safety
///
/// Dropping the future drops an async body and kills a command.
pub async fn run_handler(
    handler: &Handler,
    ctx: TaskContext,
    payload: &Payload,
    commands: &dyn CommandRunner,
) -> Result<Payload, TaskError> {
    match handler {
        Handler::Sync(body) => contain(|| ctx.scope(|| body(&ctx, payload)))?,
        Handler::Async(body) => {
            let inner = ctx.clone();
            Body::new(ctx, || body(inner, payload.clone()))?.await
        }
        Handler::Command(body) => {
            let spec = contain(|| ctx.scope(|| body(&ctx, payload)))??;
            let report = commands.run(spec, ctx).await?;
            Payload::encode(payload.codec(), &report)
                .map_err(|error| TaskError::new(TaskErrorKind::Undecodable, error.to_string()))
        }
    }
}

/// Awaits what a recorder does; its panic becomes an error.
pub(super) async fn catch<'a>(
    make: impl FnOnce() -> BoxFuture<'a, Result<(), BoxError>>,
) -> Result<(), TaskError> {
    let mut future = contain(make)?;
    let done = std::future::poll_fn(|cx| match contain(|| future.as_mut().poll(cx)) {
        Ok(poll) => poll.map(|done| done.map_err(TaskError::from_error)),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await;
    contain_drop(future);
    done
}

/// A task's future: its panics are contained, its context is current while it is polled,
/// and it is dropped as soon as its task is forced to stop.
pub(super) struct Body<T> {
    ctx: TaskContext,
    future: Option<BoxFuture<'static, Result<T, TaskError>>>,
    key: WaitKey,
    /// Whether it is dropped when its task is forced to stop.
    stoppable: bool,
}

impl<T> Body<T> {
    /// `make` is the user's code too, and runs at the first poll.
    pub(super) fn new(
        ctx: TaskContext,
        make: impl FnOnce() -> BoxFuture<'static, Result<T, TaskError>>,
    ) -> Result<Self, TaskError> {
        let future = contain(|| ctx.scope(make))?;
        Ok(Self { ctx, future: Some(future), key: WaitKey::default(), stoppable: true })
    }

    /// A future that has to run to its end, such as a teardown.
    pub(super) fn unstoppable(
        ctx: TaskContext,
        make: impl FnOnce() -> BoxFuture<'static, Result<T, TaskError>>,
    ) -> Result<Self, TaskError> {
        let mut body = Self::new(ctx, make)?;
        body.stoppable = false;
        Ok(body)
    }

    /// Resolves once the task is forced to stop.
    fn poll_forced(&mut self, cx: &Context<'_>) -> Poll<()> {
        if !self.stoppable {
            return Poll::Pending;
        }
        self.ctx.cancel_source().poll_level(StopLevel::Forced, cx, &mut self.key)
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, TaskError>> {
        let Some(future) = &mut self.future else {
            return Poll::Ready(Err(TaskError::cancelled()));
        };
        let ctx = &self.ctx;
        match contain(|| ctx.scope(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll,
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }

    /// The future may hold what its destructor needs the context for.
    fn drop_future(&mut self) {
        if let Some(future) = self.future.take() {
            let ctx = &self.ctx;
            ctx.scope(|| contain_drop(future));
        }
    }
}

impl<T> Future for Body<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.stoppable && this.ctx.cancel_source().level() == StopLevel::Forced {
            this.drop_future();
            return Poll::Ready(Err(TaskError::cancelled()));
        }
        let poll = match this.poll_body(cx) {
            Poll::Pending => this.poll_forced(cx).map(|()| Err(TaskError::cancelled())),
            ready => ready,
        };
        if poll.is_ready() {
            this.drop_future();
        }
        poll
    }
}

impl<T> Drop for Body<T> {
    fn drop(&mut self) {
        self.drop_future();
        self.ctx.cancel_source().forget(&mut self.key);
    }
}
