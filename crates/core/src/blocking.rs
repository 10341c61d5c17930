//! Blocking the calling thread on a future, and knowing when that must not be done.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::pin,
    sync::{Arc, atomic::AtomicU64},
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use crate::{
    WaitError, WouldDeadlock,
    sync::{
        WakeFlag,
        atomic::Ordering,
        parking::{self, Thread},
        thread_local,
    },
};

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
struct Worker {
    executor: ExecutorId,
    compensate: Arc<dyn Compensate>,
    /// The executor for which it works while it works for this one: a task that is run inside
    /// a call runs on whatever thread makes the call.
    outer: Option<Arc<Self>>,
}

impl Worker {
    fn all(self: &Arc<Self>) -> impl Iterator<Item = &Arc<Self>> {
        std::iter::successors(Some(self), |worker| worker.outer.as_ref())
    }
}

thread_local! {
    static WORKER: RefCell<Option<Arc<Worker>>> = const { RefCell::new(None) };
    static AWAITED: Cell<Option<ExecutorId>> = const { Cell::new(None) };
    static PARKER: RefCell<Arc<Parker>> = RefCell::new(Parker::new());
}

/// Marks the current thread as a worker of an executor until it is dropped.
///
/// Blocking calls on that thread know by it that they would block the executor itself.
/// Scopes nest, and are dropped in the reverse order on the thread that entered them.
#[derive(Debug)]
pub struct WorkerScope(());

impl WorkerScope {
    /// Marks the current thread.
    #[must_use]
    pub fn enter(executor: ExecutorId, compensate: Arc<dyn Compensate>) -> Self {
        WORKER.with(|worker| {
            let outer = worker.take();
            worker.replace(Some(Arc::new(Worker { executor, compensate, outer })));
        });
        Self(())
    }

    /// The executor that the current thread works for; of several, the innermost.
    #[must_use]
    pub fn current() -> Option<ExecutorId> {
        WORKER.with(|worker| worker.borrow().as_ref().map(|worker| worker.executor))
    }

    /// Whether the current thread works for this executor, and be it for another one inside.
    #[must_use]
    pub fn is_inside(executor: ExecutorId) -> bool {
        let inside = |worker: &Arc<Worker>| worker.all().any(|worker| worker.executor == executor);
        WORKER.with(|worker| worker.borrow().as_ref().is_some_and(inside))
    }
}

impl Drop for WorkerScope {
    fn drop(&mut self) {
        // The thread may be ending, with its locals gone already.
        let _ = WORKER.try_with(|worker| {
            let left = worker.take();
            worker.replace(left.as_ref().and_then(|left| left.outer.clone()));
        });
    }
}

/// Notes that the future being polled waits for a task of this executor.
///
/// A thread that is about to park on that future learns by it whom it would stop.
pub(crate) fn note_awaited(executor: ExecutorId) {
    AWAITED.with(|awaited| awaited.set(Some(executor)));
}

/// Awaits what an executor has to do first, such as to make room, and says so to a thread that
/// is about to park on it.
///
/// # Cancel safety
///
/// That of the future.
pub async fn awaiting<F: Future>(executor: ExecutorId, future: F) -> F::Output {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        let poll = future.as_mut().poll(cx);
        if poll.is_pending() {
            note_awaited(executor);
        }
        poll
    })
    .await
}

/// How often a waiter looks before it parks: one to two microseconds, less than a park and
/// an unpark cost, and long enough to see a short task on another thread end.
const SPINS: u32 = if cfg!(shuttle) { 1 } else { 100 };

/// Wakes one parked thread.
struct Parker {
    thread: Thread,
    woken: WakeFlag,
}

impl Parker {
    fn new() -> Arc<Self> {
        Arc::new(Self { thread: parking::current(), woken: WakeFlag::new(false) })
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
                None => parking::park(),
                Some(Duration::ZERO) => return self.woken.swap(false, Ordering::Acquire),
                Some(left) => parking::park_timeout(left),
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
    // Whom the future waited for last. It need not say so again at every poll: one that waits
    // for several polls only those again that were woken.
    let mut awaited = None;
    with_parker(|parker| {
        let waker = Waker::from(Arc::clone(parker));
        let mut cx = Context::from_waker(&waker);
        loop {
            AWAITED.with(|awaited| awaited.set(None));
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return Ok(Some(output));
            }
            awaited = AWAITED.with(Cell::take).or(awaited);
            let spare = compensate(awaited);
            if refuse {
                spare.as_ref().map_err(|error| *error)?;
            }
            if !parker.park(deadline) {
                return Ok(None);
            }
        }
    })
}

/// Asks the executors of this thread for workers in its place.
fn compensate(awaited: Option<ExecutorId>) -> Result<Vec<Box<dyn Send>>, WouldDeadlock> {
    let Some(target) = awaited else { return Ok(Vec::new()) };
    let worker = WORKER.with(|worker| worker.borrow().clone());
    let workers = worker.iter().flat_map(Worker::all);
    workers.map(|worker| worker.compensate.block(target)).collect()
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
    use std::{future::poll_fn, thread};

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

    struct Counting(AtomicU64);

    impl Compensate for Counting {
        fn block(&self, _target: ExecutorId) -> Result<Box<dyn Send>, WouldDeadlock> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(Box::new(()))
        }
    }

    #[test]
    fn every_executor_that_the_thread_works_for_is_asked_and_only_while_it_does() {
        let counts = [(); 2].map(|()| Arc::new(Counting(AtomicU64::new(0))));
        let ids = [ExecutorId::new(), ExecutorId::new()];
        let read = || [0, 1].map(|n: usize| counts[n].0.load(Ordering::Relaxed));
        let wait = || {
            let mut polls = 0;
            // Says only once whom it waits for.
            block_on(poll_fn(|cx| {
                polls += 1;
                if polls == 1 {
                    note_awaited(ExecutorId::new());
                }
                cx.waker().wake_by_ref();
                if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
            }));
        };
        let outer = WorkerScope::enter(ids[0], Arc::clone(&counts[0]) as _);
        let inner = WorkerScope::enter(ids[1], Arc::clone(&counts[1]) as _);
        assert_eq!(WorkerScope::current(), Some(ids[1]));
        assert!(WorkerScope::is_inside(ids[0]) && WorkerScope::is_inside(ids[1]));
        wait();
        assert_eq!(read(), [2, 2]);
        drop(inner);
        assert_eq!(WorkerScope::current(), Some(ids[0]));
        assert!(!WorkerScope::is_inside(ids[1]));
        wait();
        assert_eq!(read(), [4, 2]);
        drop(outer);
        assert_eq!(WorkerScope::current(), None);
        wait();
        assert_eq!(read(), [4, 2]);
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
