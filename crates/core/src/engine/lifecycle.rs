//! [`Lifecycle`]: the executor's own life, from running to stopped.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use super::{
    Close,
    cell::{Cell, StopReason},
    core::Core,
    stop::{abandoned, was_abandoned},
};
use crate::{
    JoinSource, Outcome, Phase, Shutdown, ShutdownMode, ShutdownReport, State, WorkerScope,
    blocking::awaiting,
    sync::{
        Mutex,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    timer::TimerKey,
    waiters::{WaitKey, Waiters, lock},
};

/// What every worker holds while it lives. The executor has stopped when the last is dropped.
#[derive(Debug, Clone)]
pub struct WorkerToken {
    _last: Arc<LastWorker>,
}

#[derive(Debug)]
struct LastWorker {
    core: Weak<Core>,
}

impl Drop for LastWorker {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade() {
            core.stopped();
        }
    }
}

/// The executor's own life.
#[derive(Debug, Default)]
pub(super) struct Lifecycle {
    phase: AtomicU8,
    stop: Mutex<Stop>,
    stopped: Waiters,
    cancelled: AtomicUsize,
    lost: AtomicUsize,
}

/// What is known of a stop that goes on.
#[derive(Debug, Default)]
struct Stop {
    mode: Option<ShutdownMode>,
    deadline: Option<Instant>,
    timer: Option<TimerKey>,
    closed: Option<Close>,
    /// Keeps the executor from counting as stopped while it has not begun to.
    token: Option<WorkerToken>,
}

const STUCK: &str = "it had not stopped by the executor's deadline";

const RUNNING: u8 = 0;
const DRAINING: u8 = 1;
const STOPPED: u8 = 2;

/// How long forced bodies get after the deadline before they are given up, and how long hooks
/// get after that: together a fifteenth of the deadline, so that the whole stop ends in time
/// give or take that much.
fn margin(deadline: Duration, least: Duration) -> Duration {
    (deadline / 30).min(Duration::from_millis(500)).max(least)
}

impl Lifecycle {
    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            RUNNING => Phase::Running,
            DRAINING => Phase::Draining,
            _ => Phase::Stopped,
        }
    }

    fn mode(&self) -> Option<ShutdownMode> {
        if self.phase.load(Ordering::SeqCst) == RUNNING { None } else { lock(&self.stop).mode }
    }
}

impl Core {
    pub(super) fn worker_token(self: &Arc<Self>) -> WorkerToken {
        let token = WorkerToken { _last: Arc::new(LastWorker { core: Arc::downgrade(self) }) };
        lock(&self.lifecycle().stop).token = Some(token.clone());
        token
    }

    /// Whether a failed attempt may be followed by another: not once waiting tasks are
    /// cancelled.
    pub(super) fn allows_retries(&self) -> bool {
        self.lifecycle().mode().is_none_or(|mode| mode == ShutdownMode::Drain)
    }

    /// Begins a stop, or makes one that goes on harsher or sooner.
    pub(super) fn begin_shutdown(self: &Arc<Self>, how: Shutdown) {
        self.admission().close();
        let lifecycle = self.lifecycle();
        let _ =
            lifecycle.phase.compare_exchange(RUNNING, DRAINING, Ordering::SeqCst, Ordering::SeqCst);
        let mode = self.escalate(how);
        if mode >= ShutdownMode::CancelPending {
            self.cancel_waiting();
            self.close_backend(Close::CancelQueued);
        }
        if mode == ShutdownMode::Abort {
            self.stop_running();
            self.close_backend(Close::StopRunning);
        }
        self.close_if_idle();
    }

    /// Notes the harsher mode and the nearer deadline, and arms the latter.
    fn escalate(self: &Arc<Self>, how: Shutdown) -> ShutdownMode {
        let mut stop = lock(&self.lifecycle().stop);
        let mode = stop.mode.map_or(how.mode(), |before| before.max(how.mode()));
        stop.mode = Some(mode);
        let at = self.now().checked_add(how.deadline());
        let sooner = at.is_some_and(|at| stop.deadline.is_none_or(|before| at < before));
        if sooner && let Some(at) = at {
            stop.deadline = Some(at);
            let core = Arc::downgrade(self);
            let margin = margin(how.deadline(), self.backend().last_grace());
            let timer = self.timer().at(at, move || {
                if let Some(core) = core.upgrade() {
                    core.deadline_passed(margin);
                }
            });
            let old = stop.timer.replace(timer);
            drop(stop);
            old.map(|key| self.timer().cancel(key));
        }
        mode
    }

    fn cancel_waiting(&self) {
        let waits = |cell: &&Arc<Cell>| cell.state() == State::Pending;
        self.live().all().iter().filter(waits).for_each(|cell| {
            cell.stop(StopReason::Shutdown);
        });
    }

    fn stop_running(&self) {
        self.live().all().iter().for_each(|cell| {
            cell.stop(StopReason::Shutdown);
        });
    }

    /// Counts what the stop itself has done to tasks.
    pub(super) fn count_stopped(&self, stop: Option<StopReason>, outcome: &Outcome) {
        let lifecycle = self.lifecycle();
        if stop == Some(StopReason::Shutdown) && outcome.state() == State::Cancelled {
            lifecycle.cancelled.fetch_add(1, Ordering::Relaxed);
        }
        if lifecycle.phase() != Phase::Running && outcome.error().is_some_and(was_abandoned) {
            lifecycle.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// First what can be stopped is forced to.
    fn deadline_passed(self: &Arc<Self>, margin: Duration) {
        // Nothing begins any more, whatever it was that was asked for.
        lock(&self.lifecycle().stop).mode = Some(ShutdownMode::Abort);
        self.stop_running();
        self.live().all().iter().for_each(Cell::force);
        self.close_backend(Close::StopRunning);
        let core = Arc::clone(self);
        self.timer().after(margin, move || core.give_up_running(margin));
    }

    /// Then what still runs is given up, with its hooks and its record.
    fn give_up_running(self: &Arc<Self>, margin: Duration) {
        for cell in self.live().all() {
            if cell.is_promised()
                && let Some(claim) = cell.claim(cell.lock())
            {
                claim.settle_elsewhere(Err(abandoned(STUCK)));
            }
        }
        if self.live().is_empty() {
            return self.end_now();
        }
        let core = Arc::clone(self);
        self.timer().after(margin, move || core.end_now());
    }

    /// Last, what hangs in hooks or the recorder ends without them.
    fn end_now(self: &Arc<Self>) {
        self.close_backend(Close::Abandon);
        for cell in self.live().all().iter().filter(|cell| cell.is_promised()) {
            cell.conclude(Err(abandoned(STUCK)));
        }
        self.stopped();
    }

    /// A task has ended; the last one of a stop lets the backend go.
    pub(super) fn task_ended(&self) {
        if self.live().uncount() {
            self.close_if_idle();
        }
    }

    fn close_if_idle(&self) {
        if self.lifecycle().phase.load(Ordering::SeqCst) == DRAINING && self.live().is_empty() {
            self.close_backend(Close::Drain);
            // Backends without workers have stopped when this is the last token.
            let token = lock(&self.lifecycle().stop).token.take();
            drop(token);
        }
    }

    /// Tells the backend, unless it was told as much already.
    fn close_backend(&self, how: Close) {
        let mut stop = lock(&self.lifecycle().stop);
        if stop.closed.is_none_or(|told| told < how) {
            stop.closed = Some(how);
            drop(stop);
            self.backend().close(how);
        }
    }

    /// The last worker has left, or was given up.
    fn stopped(&self) {
        let lifecycle = self.lifecycle();
        if lifecycle.phase.swap(STOPPED, Ordering::SeqCst) == STOPPED {
            return;
        }
        let timer = lock(&lifecycle.stop).timer.take();
        timer.map(|key| self.timer().cancel(key));
        self.hub().close();
        lifecycle.stopped.wake_all();
    }

    /// Waits for the stop, unless the caller does not want to or would wait for itself.
    pub(super) async fn shutdown_report(&self, how: Shutdown) -> ShutdownReport {
        let lifecycle = self.lifecycle();
        if how.waits() && !WorkerScope::is_inside(self.id()) {
            let mut guard = WaitStopped { core: self, key: WaitKey::default() };
            awaiting(self.id(), std::future::poll_fn(|cx| guard.poll(cx))).await;
        }
        ShutdownReport {
            stopped: lifecycle.phase() == Phase::Stopped,
            cancelled: lifecycle.cancelled.load(Ordering::Relaxed),
            lost: lifecycle.lost.load(Ordering::Relaxed),
        }
    }

    /// Nobody can submit any more: what waits is cancelled, what runs may finish.
    pub(super) fn abandon_executor(self: &Arc<Self>) {
        if self.lifecycle().phase() == Phase::Running {
            self.begin_shutdown(Shutdown::cancel_pending(Duration::MAX));
        }
        self.forget_retained();
    }
}

/// Waits for the executor to have stopped.
struct WaitStopped<'a> {
    core: &'a Core,
    key: WaitKey,
}

impl WaitStopped<'_> {
    fn poll(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        let lifecycle = self.core.lifecycle();
        if lifecycle.phase() == Phase::Stopped {
            return std::task::Poll::Ready(());
        }
        lifecycle.stopped.register(&mut self.key, cx.waker());
        // Stopped between the look and the registration: nobody will wake this waker.
        if lifecycle.phase() == Phase::Stopped {
            return std::task::Poll::Ready(());
        }
        std::task::Poll::Pending
    }
}

impl Drop for WaitStopped<'_> {
    fn drop(&mut self) {
        self.core.lifecycle().stopped.forget(&mut self.key);
    }
}
