//! [`Roster`]: which children there are, and when another one is started.

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use outwork_core::{RetryPolicy, engine::Close};

use super::{Pool, child::Child};
use crate::process_pool::health::WorkerHealth;

/// After so many starts in a row that failed, a pool without workers refuses its tasks.
const BROKEN_AFTER: u32 = 5;

/// How soon a start that failed is tried again: doubled each time up to half a minute.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What the spawner is to do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    /// Start a child at that time.
    Start(Instant),
    /// Start those now that are to be started later.
    Hurry,
    Close,
}

/// Which children there are.
#[derive(Debug)]
pub(super) struct Roster {
    inner: Mutex<Inner>,
    orders: Sender<Order>,
    /// Among how many what waits is shared: those that take tasks, or are about to.
    sharers: AtomicUsize,
    closing: AtomicU8,
}

#[derive(Debug)]
struct Inner {
    wanted: usize,
    /// Those whose processes are there.
    children: Vec<Arc<Child>>,
    working: usize,
    /// Those that are ordered or begin.
    coming: usize,
    /// Those that take no more tasks and leave once others have come.
    retiring: Vec<Arc<Child>>,
    /// How many starts in a row failed.
    failures: u32,
    /// How many children in a row could take tasks, and ended before they had begun any.
    useless: u32,
    /// Why the last one failed or ended.
    failure: Option<String>,
}

const OPEN: u8 = 0;
const CLOSING: u8 = 1;

impl Roster {
    pub(super) fn new(wanted: usize) -> (Self, Receiver<Order>) {
        let (orders, receiver) = unbounded();
        let inner = Inner {
            wanted,
            children: Vec::new(),
            working: 0,
            coming: 0,
            retiring: Vec::new(),
            failures: 0,
            useless: 0,
            failure: None,
        };
        let roster = Self {
            inner: Mutex::new(inner),
            orders,
            sharers: AtomicUsize::new(wanted),
            closing: AtomicU8::new(OPEN),
        };
        (roster, receiver)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self, at: Instant) {
        // The spawner that does not hear it has left with its pool.
        let _ = self.orders.send(Order::Start(at));
    }

    /// Orders what is missing: all of it, or a single one while starts fail.
    fn order_missing(&self, inner: &mut Inner) {
        if self.is_closing() {
            return;
        }
        let missing = inner.wanted.saturating_sub(inner.working + inner.coming);
        let trouble = inner.trouble();
        let pause = pause_after(trouble);
        let ordered = match trouble {
            0 => missing,
            _ if inner.coming == 0 => missing.min(1),
            _ => 0,
        };
        for _ in 0..ordered {
            self.order(Instant::now() + pause);
        }
        inner.coming += ordered;
        let sharers = inner.working + if trouble == 0 { inner.coming } else { 0 };
        self.sharers.store(sharers, Ordering::Relaxed);
    }

    pub(super) fn order_all(&self) {
        self.order_missing(&mut self.lock());
    }

    /// A process was started.
    pub(super) fn add(&self, child: &Arc<Child>) {
        self.lock().children.push(Arc::clone(child));
    }

    /// A child can take tasks. Gives out who may leave for it.
    fn ready(&self) -> Option<Arc<Child>> {
        let mut inner = self.lock();
        inner.coming = inner.coming.saturating_sub(1);
        inner.working += 1;
        inner.failures = 0;
        if inner.useless == 0 {
            inner.failure = None;
        }
        self.order_missing(&mut inner);
        inner.retiring.pop()
    }

    /// A child has begun its first task: those that come are of use again.
    pub(super) fn is_of_use(&self) {
        let mut inner = self.lock();
        if std::mem::take(&mut inner.useless) == 0 {
            return;
        }
        if inner.failures == 0 {
            inner.failure = None;
            // Nobody hears it who has left with the pool.
            let _ = self.orders.send(Order::Hurry);
        }
        self.order_missing(&mut inner);
    }

    /// A child could not be started, or ended before it could take tasks. Gives out why the
    /// pool is broken, if it is now.
    fn failed(&self, child: Option<&Arc<Child>>, reason: String) -> Option<String> {
        let mut inner = self.lock();
        inner.coming = inner.coming.saturating_sub(1);
        inner.failures = inner.failures.saturating_add(1);
        inner.note_failure(child, reason);
        self.order_missing(&mut inner);
        inner.why_broken()
    }

    /// A child has ended that could take tasks; it is still counted unless it has retired.
    fn gone(&self, child: &Arc<Child>, counted: bool, useless: Option<String>) {
        let mut inner = self.lock();
        inner.retiring.retain(|other| !Arc::ptr_eq(other, child));
        if counted {
            inner.working = inner.working.saturating_sub(1);
        }
        match useless {
            Some(reason) => {
                inner.useless = inner.useless.saturating_add(1);
                inner.note_failure(Some(child), reason);
            }
            None => inner.strike(child),
        }
        self.order_missing(&mut inner);
    }

    /// A child takes no more tasks, and leaves when another one has come.
    pub(super) fn retire(&self, child: &Arc<Child>) {
        let mut inner = self.lock();
        inner.working = inner.working.saturating_sub(1);
        inner.retiring.push(Arc::clone(child));
        self.order_missing(&mut inner);
    }

    pub(super) fn close(&self, how: Close) {
        self.closing.store(CLOSING, Ordering::SeqCst);
        tracing::debug!(?how, "a process pool closes");
        let _ = self.orders.send(Order::Close);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst) != OPEN
    }

    pub(super) fn children(&self) -> Vec<Arc<Child>> {
        self.lock().children.clone()
    }

    /// Among how many children what waits is shared.
    pub(super) fn sharers(&self) -> usize {
        self.sharers.load(Ordering::Relaxed)
    }

    /// How many can run tasks, now or in a moment.
    pub(super) fn workers(&self) -> usize {
        let inner = self.lock();
        match inner.trouble() {
            0 => inner.working + inner.coming,
            _ => inner.working,
        }
    }

    pub(super) fn why_broken(&self) -> Option<String> {
        self.lock().why_broken()
    }

    pub(super) fn health(&self) -> WorkerHealth {
        let inner = self.lock();
        match (inner.why_broken(), &inner.failure) {
            (Some(reason), _) => WorkerHealth::Broken { reason },
            (None, Some(reason)) if inner.working < inner.wanted => WorkerHealth::Degraded {
                workers: inner.working,
                wanted: inner.wanted,
                reason: reason.clone(),
            },
            (None, _) => WorkerHealth::Healthy,
        }
    }
}

impl Inner {
    fn strike(&mut self, child: &Arc<Child>) {
        self.children.retain(|other| !Arc::ptr_eq(other, child));
    }

    fn note_failure(&mut self, child: Option<&Arc<Child>>, reason: String) {
        if let Some(child) = child {
            self.strike(child);
        }
        self.failure = Some(reason);
    }

    /// How often in a row a start has come to nothing.
    fn trouble(&self) -> u32 {
        self.failures.max(self.useless)
    }

    fn why_broken(&self) -> Option<String> {
        let broken = self.working == 0 && self.trouble() >= BROKEN_AFTER;
        self.failure.clone().filter(|_| broken)
    }
}

impl Pool {
    /// A child can take tasks.
    pub(super) fn ready(self: &Arc<Self>, child: &Arc<Child>) {
        // Before anybody can read that all is well, and after nobody can read otherwise.
        self.queue.mend();
        let retired = self.roster.ready();
        self.queue.mend();
        if let Some(retired) = retired {
            retired.retire_for_good();
        }
        self.serve(child);
    }

    /// A child could not be started.
    pub(super) fn start_failed(&self, reason: String) {
        self.failed(None, reason);
    }

    /// A child ended before it could take tasks.
    pub(super) fn failed(&self, child: Option<&Arc<Child>>, reason: String) {
        if self.roster.is_closing() {
            // Nobody waits for it any more.
            tracing::debug!(reason, "a worker did not begin while its pool closed");
        } else {
            tracing::warn!(pool = &*self.name, reason, "a worker could not be started");
        }
        if let Some(why) = self.roster.failed(child, reason) {
            self.fail_queued(&why);
        }
    }

    /// A child has ended that could take tasks; `useless` says why it counts as a failed start.
    pub(super) fn gone(&self, child: &Arc<Child>, counted: bool, useless: Option<String>) {
        self.roster.gone(child, counted, useless);
        if let Some(why) = self.roster.why_broken() {
            self.fail_queued(&why);
        }
    }
}

fn pause_after(failures: u32) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    RetryPolicy::exponential(NonZeroU32::MAX, FIRST_PAUSE)
        .max_delay(LONGEST_PAUSE)
        .jitter(FIRST_PAUSE)
        .delay_after(failures, fastrand::f64())
}
