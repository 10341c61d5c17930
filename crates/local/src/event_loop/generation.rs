//! [`Generation`]: one thread's time in charge of a loop.

use std::{
    cell::Cell,
    collections::HashSet,
    fmt,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{Arc, PoisonError, atomic::AtomicU64 as Counter},
    task::{Context, Poll},
};

use outwork_core::{
    EventHub,
    engine::{Attempt, AttemptKey, WorkerToken, contain_drop},
};
use slab::Slab;
use tokio::sync::Notify;

use super::{
    backend::Shared,
    slot::{LoopSlot, Work},
    spawned::Spawnable,
};
use crate::{
    room::Place,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
        local,
    },
};

/// How much of the intake is started before the tasks of the loop get their turn.
const BATCH: usize = 64;

/// One thread's time in charge of a loop, as others see it.
pub(super) struct Generation {
    /// Odd while a task is being polled. Only the loop's thread writes it.
    beat: AtomicU64,
    replaced: AtomicBool,
    /// Makes the thread look around.
    wake: Notify,
    token: Mutex<Option<WorkerToken>>,
    /// What has started and not ended, for those who have to end it when the thread does not.
    started: Mutex<Slab<Arc<dyn Spawnable>>>,
    /// Attempts with a time limit that have started here.
    limited: Mutex<HashSet<AttemptKey>>,
}

impl Generation {
    pub(super) fn new(token: WorkerToken) -> Arc<Self> {
        // Each counts from a number of its own, so that a poll here is never taken for one that
        // was seen there.
        static NEXT: Counter = Counter::new(0);
        const APART: u64 = 1 << 40;
        Arc::new(Self {
            beat: AtomicU64::new(NEXT.fetch_add(APART, Ordering::Relaxed)),
            replaced: AtomicBool::new(false),
            wake: Notify::new(),
            token: Mutex::new(Some(token)),
            started: Mutex::default(),
            limited: Mutex::default(),
        })
    }

    /// A number that changes at the start and the end of each poll, odd in between.
    pub(super) fn beat(&self) -> u64 {
        self.beat.load(Ordering::Relaxed)
    }

    pub(super) fn is_polling(&self) -> bool {
        self.beat() % 2 == 1
    }

    fn tick(&self) {
        self.beat.store(self.beat.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Another thread is in charge now.
    pub(super) fn replace(&self) {
        self.replaced.store(true, Ordering::Release);
        self.wake();
    }

    /// Makes the thread look at the intake, and whether it is still in charge.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(super) fn is_replaced(&self) -> bool {
        self.replaced.load(Ordering::Acquire)
    }

    /// Whether an attempt with a time limit has started here and not ended.
    pub(super) fn runs(&self, key: AttemptKey) -> bool {
        locked(&self.limited).contains(&key)
    }

    /// Makes everything stop that has started here, as far as it comes to an await.
    pub(super) fn stop(&self) {
        self.for_each_started(|work| work.stop());
    }

    /// Gives everything up that has started here.
    pub(super) fn abandon(&self, hub: &EventHub) {
        self.replace();
        self.for_each_started(|work| work.lose(hub));
        self.forget_token();
    }

    fn for_each_started(&self, act: impl Fn(&dyn Spawnable)) {
        let started: Vec<_> =
            locked(&self.started).iter().map(|(_, work)| Arc::clone(work)).collect();
        for work in started {
            act(&*work);
            // The last reference may drop a result of the user's.
            contain_drop(work);
        }
    }

    /// Whether the thread is gone, or nobody waits for it any more.
    pub(super) fn has_left(&self) -> bool {
        locked(&self.token).is_none()
    }

    pub(super) fn forget_token(&self) {
        let token = locked(&self.token).take();
        drop(token);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation").field("beat", &self.beat()).finish_non_exhaustive()
    }
}

/// One thread's time in charge of a loop, as the thread itself sees it.
pub(super) struct LocalLoop {
    shared: Arc<Shared>,
    slot: Arc<LoopSlot>,
    generation: Arc<Generation>,
    running: Cell<usize>,
    idle: Notify,
}

impl LocalLoop {
    pub(super) fn new(
        shared: Arc<Shared>,
        slot: Arc<LoopSlot>,
        generation: Arc<Generation>,
    ) -> Rc<Self> {
        Rc::new(Self { shared, slot, generation, running: Cell::new(0), idle: Notify::new() })
    }

    /// Starts what comes in until the pool closes or another thread takes over,
    /// then waits for what was started.
    pub(super) async fn serve(self: Rc<Self>) {
        while let Some(work) = self.next().await {
            self.start(work);
            for _ in 1..BATCH {
                match self.slot.intake.try_recv() {
                    Ok(work) => self.start(work),
                    Err(_) => break,
                }
            }
            local::yield_now().await;
        }
        while self.running.get() > 0 {
            self.idle.notified().await;
        }
    }

    async fn next(&self) -> Option<Work> {
        loop {
            if self.generation.is_replaced() {
                return None;
            }
            tokio::select! {
                biased;
                () = self.generation.wake.notified() => {}
                work = self.slot.intake.recv() => return work.ok(),
            }
        }
    }

    fn start(self: &Rc<Self>, work: Work) {
        match work {
            Work::Spawned(spawned) => spawned.start(self),
            Work::Attempt(attempt) => self.start_attempt(attempt),
        }
    }

    fn start_attempt(self: &Rc<Self>, attempt: Attempt) {
        let mut started = Started::attempt(self);
        if !attempt.is_wanted() {
            return;
        }
        if attempt.time_limit().is_some() {
            started.limit(attempt.key());
        }
        let here = Rc::clone(self);
        self.spawn(async move {
            attempt.run(&here.slot.name, &here.shared.commands).await;
            drop(started);
        });
    }

    /// Polls a future on this loop to its end, with each poll between two beats.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        let generation = Arc::clone(&self.generation);
        drop(local::spawn_local(Beating { generation, future: Box::pin(future) }));
    }
}

/// A future whose polls can be seen from outside.
struct Beating<F> {
    generation: Arc<Generation>,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Beating<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _beat = Beat::start(&this.generation);
        this.future.as_mut().poll(cx)
    }
}

/// One poll; over when dropped, also by a panic.
struct Beat<'a>(&'a Generation);

impl<'a> Beat<'a> {
    fn start(generation: &'a Generation) -> Self {
        generation.tick();
        Self(generation)
    }
}

impl Drop for Beat<'_> {
    fn drop(&mut self) {
        self.0.tick();
    }
}

/// Work that has left the intake. Dropping it takes the work off every count.
pub(super) struct Started {
    here: Rc<LocalLoop>,
    is_load: bool,
    has_place: bool,
    listed: Option<usize>,
    limited: Option<AttemptKey>,
}

impl Started {
    /// A spawned future, which has a place in the pool to give back.
    pub(super) fn new(here: &Rc<LocalLoop>) -> Self {
        let mut started = Self::attempt(here);
        started.has_place = true;
        started
    }

    /// An attempt, whose place is the engine's.
    fn attempt(here: &Rc<LocalLoop>) -> Self {
        here.running.set(here.running.get() + 1);
        Self { here: Rc::clone(here), is_load: true, has_place: false, listed: None, limited: None }
    }

    /// Lists the work for those who stop the pool.
    pub(super) fn register(&mut self, work: Arc<dyn Spawnable>) {
        let key = locked(&self.here.generation.started).insert(Arc::clone(&work));
        self.listed = Some(key);
        // Either whoever stops the pool sees the work, or it is seen here that the pool stops.
        if self.here.shared.stops_running() {
            work.stop();
        }
    }

    fn limit(&mut self, key: AttemptKey) {
        locked(&self.here.generation.limited).insert(key);
        self.limited = Some(key);
    }

    /// Gives the room back, before the end of the work is visible.
    pub(super) fn leave(&mut self) {
        if std::mem::take(&mut self.is_load) {
            self.here.slot.unload();
        }
        if std::mem::take(&mut self.has_place) {
            drop(Place::of(&self.here.shared.admission));
        }
    }

    pub(super) fn hub(&self) -> Arc<EventHub> {
        Arc::clone(&self.here.shared.hub)
    }

    pub(super) fn worker(&self) -> Arc<str> {
        Arc::clone(&self.here.slot.name)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.leave();
        let here = &self.here;
        if let Some(key) = self.listed {
            let work = locked(&here.generation.started).remove(key);
            contain_drop(work);
        }
        if let Some(key) = self.limited {
            locked(&here.generation.limited).remove(&key);
        }
        here.running.set(here.running.get() - 1);
        if here.running.get() == 0 {
            here.idle.notify_one();
        }
    }
}
