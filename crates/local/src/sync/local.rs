//! What the loops use of tokio's `LocalRuntime`, made of the model checker's threads.
//!
//! It promises no more than the original: a future is polled only when it was woken, and the one
//! that is blocked on takes turns with those that it spawned.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

pub(crate) use shuttle::future::yield_now;

shuttle::thread_local! {
    /// What was spawned on this thread, while it runs a runtime.
    static SPAWNED: RefCell<Option<Rc<Spawned>>> = RefCell::new(None);
}

/// Says what runtime it is to be: here there is one kind.
#[derive(Debug)]
pub(crate) struct Builder(());

#[derive(Debug, Default)]
pub(crate) struct LocalOptions(());

impl Builder {
    pub(crate) const fn new_current_thread() -> Self {
        Self(())
    }

    pub(crate) const fn enable_all(&mut self) -> &mut Self {
        self
    }

    pub(crate) const fn max_blocking_threads(&mut self, _threads: usize) -> &mut Self {
        self
    }

    pub(crate) fn build_local(&mut self, _options: LocalOptions) -> io::Result<LocalRuntime> {
        Ok(LocalRuntime::default())
    }
}

/// Runs futures on the thread that blocks on one of them.
#[derive(Default)]
pub(crate) struct LocalRuntime(Rc<Spawned>);

/// What was spawned and has not ended.
type Spawned = RefCell<VecDeque<(WokenFlag, Pin<Box<dyn Future<Output = ()>>>)>>;

impl LocalRuntime {
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        SPAWNED.with(|spawned| spawned.replace(Some(Rc::clone(&self.0))));
        let (mut future, mut woken) = (pin!(future), WokenFlag::default());
        shuttle::future::block_on(poll_fn(|cx| {
            if let Some(Poll::Ready(output)) = woken.poll(future.as_mut(), cx) {
                return Poll::Ready(output);
            }
            self.poll_spawned(cx);
            Poll::Pending
        }))
    }

    /// Gives each that was woken one turn. None is borrowed meanwhile: they may spawn others.
    fn poll_spawned(&self, cx: &Context<'_>) {
        let spawned = self.0.borrow().len();
        for _ in 0..spawned {
            let Some((mut woken, mut future)) = self.0.borrow_mut().pop_front() else { return };
            let polled = woken.poll(future.as_mut(), cx);
            if !polled.is_some_and(|polled| polled.is_ready()) {
                self.0.borrow_mut().push_back((woken, future));
            }
        }
        if self.0.borrow().iter().any(|(woken, _)| woken.0.is_none()) {
            cx.waker().wake_by_ref();
        }
    }
}

/// What could be used to wait for a future that was spawned.
#[derive(Debug)]
pub(crate) struct JoinHandle(());

/// Spawns a future on this thread's runtime.
///
/// # Panics
///
/// When it runs none.
pub(crate) fn spawn_local(future: impl Future<Output = ()> + 'static) -> JoinHandle {
    SPAWNED.with(|spawned| {
        let spawned = spawned.borrow();
        let spawned = spawned.as_ref().expect("this thread runs a loop");
        spawned.borrow_mut().push_back((WokenFlag::default(), Box::pin(future)));
    });
    JoinHandle(())
}

/// Whether a future was woken since it was polled; empty before it was polled at all.
#[derive(Default)]
struct WokenFlag(Option<Arc<WakeThread>>);

/// Notes that a future was woken, and wakes the thread that is to poll it.
struct WakeThread {
    woken: AtomicBool,
    thread: Waker,
}

impl WokenFlag {
    /// Polls a future if it was woken.
    fn poll<F: Future + ?Sized>(
        &mut self,
        future: Pin<&mut F>,
        cx: &Context<'_>,
    ) -> Option<Poll<F::Output>> {
        let first = || WakeThread { woken: AtomicBool::new(true), thread: cx.waker().clone() };
        let wake = self.0.get_or_insert_with(|| Arc::new(first()));
        let waker = Waker::from(Arc::clone(wake));
        let woken = wake.woken.swap(false, Ordering::SeqCst);
        woken.then(|| future.poll(&mut Context::from_waker(&waker)))
    }
}

impl Wake for WakeThread {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.thread.wake_by_ref();
    }
}
