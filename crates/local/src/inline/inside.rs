//! [`Inside`]: the body of a task, inside the call that submits it.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use outwork_core::{
    WorkerScope, WouldDeadlock,
    blocking::{Compensate, ExecutorId},
};
use tokio::runtime::Handle;

/// A future that is polled as a body of the executor, with timers and I/O at hand, wherever
/// the call comes from that it is part of.
pub(super) struct Inside<F> {
    executor: ExecutorId,
    runtime: &'static Handle,
    /// Taken out to be dropped where it was polled.
    body: Option<Pin<Box<F>>>,
}

impl<F: Future> Inside<F> {
    pub(super) fn new(executor: ExecutorId, runtime: &'static Handle, body: F) -> Self {
        Self { executor, runtime, body: Some(Box::pin(body)) }
    }
}

impl<F: Future> Future for Inside<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _entered = self.runtime.enter();
        let _scope = scope(self.executor);
        let body = self.body.as_mut().expect("it is taken out only by the destructor");
        body.as_mut().poll(cx)
    }
}

impl<F> Drop for Inside<F> {
    fn drop(&mut self) {
        let _entered = self.runtime.enter();
        let _scope = scope(self.executor);
        drop(self.body.take());
    }
}

/// Marks the thread as one that works for the executor: what stops that from in here does not
/// wait for itself.
pub(super) fn scope(executor: ExecutorId) -> WorkerScope {
    WorkerScope::enter(executor, Arc::new(NeedsNone))
}

/// Nobody needs another thread in the place of one that blocks: each task has its caller's.
struct NeedsNone;

impl Compensate for NeedsNone {
    fn block(&self, _target: ExecutorId) -> Result<Box<dyn Send>, WouldDeadlock> {
        Ok(Box::new(()))
    }
}

/// Whether this thread is polling a future for a scheduler of tokio's. What yields there waits
/// for that future to return, and so for ever when it is blocked on instead.
///
/// tokio does not tell, but shows: what yields elsewhere is woken at once.
pub(super) fn is_scheduled() -> bool {
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    let yields = pin!(tokio::task::yield_now());
    let pending = yields.poll(&mut Context::from_waker(&waker)).is_pending();
    pending && !woken.0.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_of_tokio_is_told_from_one_that_only_entered_its_context() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert!(!is_scheduled());
        let entered = runtime.enter();
        assert!(!is_scheduled());
        drop(entered);
        assert!(runtime.block_on(async { is_scheduled() }));
        assert!(runtime.block_on(async { tokio::spawn(async { is_scheduled() }).await.unwrap() }));
        assert!(!is_scheduled());
    }
}
