//! Blocking the calling thread on a future, and knowing when that must not be done.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use crate::{WaitError, WouldDeadlock};

/// Tells the executors of one process apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExecutorId(u64);

impl ExecutorId {
    /// An id that no other executor of this process has.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "every call gives another value")]
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// What a worker does while its body blocks on a task.
pub trait Compensate: Send + Sync {
    /// Called before the worker parks; what is returned is dropped when it goes on.
    ///
    /// # Errors
    ///
    /// When blocking would stop the work that is waited for.
    fn block(&self, target: ExecutorId) -> Result<Box<dyn Send>, WouldDeadlock>;
}

/// A worker thread of an executor.
#[derive(Clone)]
struct Worker {
    executor: ExecutorId,
    compensate: Arc<dyn Compensate>,
}

thread_local! {
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
    static AWAITED: Cell<Option<ExecutorId>> = const { Cell::new(None) };
    static PARKER: RefCell<Arc<Parker>> = RefCell::new(Parker::new());
}

/// Marks the current thread as a worker of an executor until it is dropped.
///
/// Blocking calls on that thread know by it that they would block the executor itself.
#[derive(Debug)]
pub struct WorkerScope(());

impl WorkerScope {
    /// Marks the current thread.
    #[must_use]
    pub fn enter(executor: ExecutorId, compensate: Arc<dyn Compensate>) -> Self {
        WORKER.set(Some(Worker { executor, compensate }));
        Self(())
    }

    /// The executor that the current thread works for.
    #[must_use]
    pub fn current() -> Option<ExecutorId> {
        WORKER.with_borrow(|worker| worker.as_ref().map(|worker| worker.executor))
    }
}

impl Drop for WorkerScope {
    fn drop(&mut self) {
        // The thread may be ending, with its locals gone already.
        let _ = WORKER.try_with(|worker| worker.take());
    }
}

/// Notes that the future being polled waits for a task of this executor.
///
/// A thread that is about to park on that future learns by it whom it would stop.
pub(crate) fn note_awaited(executor: ExecutorId) {
    AWAITED.set(Some(executor));
}

/// How often a waiter looks before it parks: one to two microseconds, less than a park and
/// an unpark cost, and long enough to see a short task on another thread end.
const SPINS: u32 = 100;

/// Wakes one parked thread.
struct Parker {
    thread: Thread,
    woken: AtomicBool,
}

impl Parker {
    fn new() -> Arc<Self> {
        Arc::new(Self { thread: thread::current(), woken: AtomicBool::new(false) })
    }

    /// Parks until woken or until the deadline; whether it was woken.
    fn park(&self, deadline: Option<Instant>) -> bool {
        for _ in 0..SPINS {
            if self.woken.load(Ordering::Relaxed) {
                break;
            }
            std::hint::spin_loop();
        }
        while !self.woken.swap(false, Ordering::Acquire) {
            match deadline.map(|at| at.saturating_duration_since(Instant::now())) {
                None => thread::park(),
                Some(Duration::ZERO) => return self.woken.swap(false, Ordering::Acquire),
                Some(left) => thread::park_timeout(left),
            }
        }
        true
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}

/// Runs a future to its end on the current thread.
///
/// On a worker thread that is about to park for a task of an executor, the executor is told
/// first, so that it can put another worker in its place; where it cannot, the thread parks
/// all the same.
pub fn block_on<F: Future>(future: F) -> F::Output {
    match drive(future, None, false) {
        Ok(Some(output)) => output,
        Ok(None) | Err(WouldDeadlock) => unreachable!("no deadline, and no refusal asked for"),
    }
}

/// Runs a future to its end, or until the deadline has passed.
///
/// # Errors
///
/// [`WaitError::TimedOut`] when the deadline passed first, and [`WaitError::WouldDeadlock`]
/// when this thread is the worker that has to do the work.
pub fn block_on_for<F: Future>(
    future: F,
    timeout: Option<Duration>,
) -> Result<F::Output, WaitError> {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    match drive(future, deadline, true)? {
        Some(output) => Ok(output),
        None => Err(WaitError::TimedOut(timeout.unwrap_or_default())),
    }
}

fn drive<F: Future>(
    future: F,
    deadline: Option<Instant>,
    refuse: bool,
) -> Result<Option<F::Output>, WouldDeadlock> {
    let mut future = pin!(future);
    with_parker(|parker| {
        let waker = Waker::from(Arc::clone(parker));
        let mut cx = Context::from_waker(&waker);
        loop {
            AWAITED.set(None);
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return Ok(Some(output));
            }
            let spare = compensate();
            if refuse {
                spare.as_ref().map_err(|error| *error)?;
            }
            if !parker.park(deadline) {
                return Ok(None);
            }
        }
    })
}

/// Asks the executor of this thread for a worker in its place.
fn compensate() -> Result<Option<Box<dyn Send>>, WouldDeadlock> {
    let worker = WORKER.with_borrow(Clone::clone);
    match (worker, AWAITED.take()) {
        (Some(worker), Some(target)) => worker.compensate.block(target).map(Some),
        _ => Ok(None),
    }
}

/// The parker of this thread, or a new one when a future that is being driven blocks in turn:
/// the inner wait must not swallow what was meant to wake the outer one.
fn with_parker<T>(run: impl FnOnce(&Arc<Parker>) -> T) -> T {
    PARKER.with(|cached| match cached.try_borrow_mut() {
        Ok(parker) => run(&parker),
        Err(_) => run(&Parker::new()),
    })
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[test]
    fn a_deadline_ends_the_wait() {
        let never = std::future::pending::<()>();
        let error = block_on_for(never, Some(Duration::from_millis(5))).unwrap_err();
        assert_eq!(error, WaitError::TimedOut(Duration::from_millis(5)));
    }

    #[test]
    fn an_inner_wait_does_not_swallow_the_outer_wake() {
        let mut polls = 0;
        block_on(poll_fn(|cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            block_on(async {});
            if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
        }));
        assert_eq!(polls, 3);
    }

    #[test]
    fn a_wake_from_another_thread_ends_the_park() {
        let (send, receive) = async_channel::bounded(1);
        thread::scope(|scope| {
            scope.spawn(|| send.send_blocking(7).unwrap());
            assert_eq!(block_on(receive.recv()), Ok(7));
        });
    }
}
