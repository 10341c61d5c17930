//! [`Scene`]: a pool whose time a thread of the model lets pass.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use outwork_core::{
    Clock, Executor, Registry, Shutdown, State, TaskHandle, Timer, blocking::block_on,
};
use shuttle::{
    sync::{atomic::AtomicBool, mpsc},
    thread,
};

use super::super::EventLoopPool;
use crate::sync::local;

pub(super) const WITHOUT_END: Duration = Duration::MAX;

/// The time between two looks of the watch. A poll that lasts from one to the next gets its
/// loop another thread.
pub(super) const PERIOD: Duration = Duration::from_secs(1);

/// A pool whose time a thread of the model lets pass.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) pool: Arc<EventLoopPool>,
    clock: Clock,
    /// How many bodies have run.
    ran: Arc<AtomicUsize>,
}

/// Time passes until this is stopped.
pub(super) struct Passing {
    over: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

/// A body that holds up its loop until its gate is dropped.
pub(super) struct Stuck {
    pub(super) handle: TaskHandle<()>,
    pub(super) gate: mpsc::Sender<()>,
}

impl Scene {
    pub(super) fn new(loops: usize) -> Self {
        Self::with(loops, Registry::new())
    }

    pub(super) fn with(loops: usize, registry: Registry) -> Self {
        let clock = Clock::manual();
        let builder = EventLoopPool::builder().loops(loops).registry(registry);
        let builder = builder.stall_after(PERIOD).replace_after(PERIOD);
        let pool = builder.timer(Timer::new(clock.clone())).build().unwrap();
        Self { pool: Arc::new(pool), clock, ran: Arc::default() }
    }

    /// A body with some steps in its poll, and an await between two of them.
    pub(super) fn body(&self) -> impl Future<Output = ()> + Send + 'static {
        let ran = Arc::clone(&self.ran);
        async move {
            ran.fetch_add(1, Ordering::SeqCst);
            thread::yield_now();
            local::yield_now().await;
            thread::yield_now();
        }
    }

    /// Gives a loop a body that holds it up until the gate opens: at once, or after an await, when
    /// its loop counts among those who wait for work. Returns when it does.
    pub(super) fn hold_up(&self, index: usize, at_once: bool) -> Stuck {
        let (stuck, is_stuck) = mpsc::channel();
        let handle = self.give_stuck(index, at_once, move || stuck.send(()).unwrap());
        is_stuck.recv().unwrap();
        handle
    }

    /// As [`hold_up`](Self::hold_up), without waiting until the loop is stuck.
    pub(super) fn begin_to_hold_up(&self, index: usize, at_once: bool) -> Stuck {
        self.give_stuck(index, at_once, || ())
    }

    fn give_stuck(
        &self,
        index: usize,
        at_once: bool,
        tell: impl FnOnce() + Send + 'static,
    ) -> Stuck {
        let ran = Arc::clone(&self.ran);
        let (gate, opened) = mpsc::channel::<()>();
        let body = async move {
            ran.fetch_add(1, Ordering::SeqCst);
            if !at_once {
                local::yield_now().await;
            }
            tell();
            let _ = opened.recv();
        };
        Stuck { handle: self.pool.submit_to(index, body).unwrap(), gate }
    }

    pub(super) fn ran(&self) -> usize {
        self.ran.load(Ordering::SeqCst)
    }

    pub(super) fn beside<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> thread::JoinHandle<T> {
        let scene = self.clone();
        thread::spawn(move || run(&scene))
    }

    /// Lets time pass until the other end is stopped.
    pub(super) fn time_passes(&self) -> Passing {
        let (over, clock) = (Arc::new(AtomicBool::new(false)), self.clock.clone());
        let until = Arc::clone(&over);
        let thread = thread::spawn(move || {
            while !until.load(Ordering::SeqCst) {
                clock.advance(PERIOD);
                thread::yield_now();
            }
        });
        Passing { over, thread }
    }

    /// What the loops have to do, by their own count.
    pub(super) fn loads(&self) -> Vec<usize> {
        let slots = &self.pool.engine.backend().shared.slots;
        slots.iter().map(|slot| slot.load()).collect()
    }

    /// Has seen every thread leave that was replaced.
    pub(super) fn must_have_one_thread_each(&self) {
        let slots = &self.pool.engine.backend().shared.slots;
        while slots.iter().any(|slot| slot.generations()[1..].iter().any(|one| !one.has_left())) {
            thread::yield_now();
        }
    }

    pub(super) fn is_polling(&self) -> bool {
        let slots = &self.pool.engine.backend().shared.slots;
        slots.iter().any(|slot| slot.generation().is_polling())
    }

    /// How often a loop was replaced by threads that have not left.
    pub(super) fn replaced(&self) -> usize {
        let slots = &self.pool.engine.backend().shared.slots;
        slots.iter().map(|slot| slot.generations().len() - 1).sum()
    }

    /// Stops the pool, has seen every thread of it leave, and that nothing counts any more.
    pub(super) fn stop(&self, how: Shutdown) {
        assert!(block_on(self.pool.shutdown(how)).stopped);
        self.must_be_at_rest();
    }

    pub(super) fn must_be_at_rest(&self) {
        // One who spawns just now, or a thread that was given up, may still have a place.
        while self.pool.status().in_flight > 0 {
            thread::yield_now();
        }
        assert!(self.loads().iter().all(|load| *load == 0), "{:?}", self.loads());
    }
}

impl Stuck {
    /// Opens the gate, and sees the body end as it would have.
    pub(super) fn comes_back(self) {
        drop(self.gate);
        must_succeed([self.handle]);
    }

    /// Opens the gate of a body that may have been stopped meanwhile.
    pub(super) fn is_let_go(self) {
        drop(self.gate);
        let state = state(self.handle);
        assert!(matches!(state, State::Succeeded | State::Cancelled), "{state}");
    }
}

impl Passing {
    pub(super) fn stop(self) {
        self.over.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
    }
}

pub(super) fn state<T: Send + 'static>(handle: TaskHandle<T>) -> State {
    block_on(handle).state()
}

pub(super) fn must_succeed<T: Send + 'static>(handles: impl IntoIterator<Item = TaskHandle<T>>) {
    handles.into_iter().for_each(|handle| assert_eq!(state(handle), State::Succeeded));
}
