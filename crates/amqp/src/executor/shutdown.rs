//! [`Lifecycle`]: the executor's own life, from running to stopped.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use outwork_core::{
    JoinCell, LossReason, Outcome, Phase, Shutdown, ShutdownMode, ShutdownReport, State, TaskError,
    TaskErrorKind, Timer, TimerKey, WaitKey, WorkerLost, WorkerScope, blocking::awaiting,
};

use tokio::sync::oneshot;

use super::{cancel::Buried, cell::StopReason, client::Client};
use crate::{lock::lock, wire::Running};

/// The executor's own life.
#[derive(Debug)]
pub(super) struct Lifecycle {
    phase: AtomicU8,
    stop: Mutex<Stop>,
    stopped: JoinCell<()>,
    cancelled: AtomicUsize,
    lost: AtomicUsize,
}

/// What is known of a stop that goes on.
#[derive(Debug, Default)]
struct Stop {
    mode: Option<ShutdownMode>,
    deadline: Option<Instant>,
    timer: Option<TimerKey>,
    /// What comes of the wishes that were sent.
    wishes: Vec<oneshot::Receiver<Buried>>,
}

const RUNNING: u8 = 0;
const DRAINING: u8 = 1;
const STOPPED: u8 = 2;

const STUCK: &str = "it had not stopped by the executor's deadline; its worker may still run it";

/// How long a stop that is not waited for may take to be heard of by the workers.
const MOMENT: Duration = Duration::from_millis(40);

/// How long the broker may take to be told goodbye.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// How long bodies that were made to stop get after the deadline before they are given up. The
/// wish has to travel to their workers, and the results back.
fn margin(deadline: Duration) -> Duration {
    (deadline / 10).clamp(Duration::from_millis(75), Duration::from_secs(1))
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self {
            phase: AtomicU8::new(RUNNING),
            stop: Mutex::default(),
            stopped: JoinCell::new(()),
            cancelled: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
        }
    }
}

impl Lifecycle {
    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            RUNNING => Phase::Running,
            DRAINING => Phase::Draining,
            _ => Phase::Stopped,
        }
    }
}

impl Client {
    /// Begins a stop, or makes one that goes on harsher or sooner.
    pub(super) fn begin_shutdown(self: &Arc<Self>, how: Shutdown) {
        self.admission.close();
        let phase = &self.lifecycle.phase;
        let _ = phase.compare_exchange(RUNNING, DRAINING, Ordering::SeqCst, Ordering::SeqCst);
        let mode = self.escalate(how);
        match mode {
            ShutdownMode::Drain => {}
            // Only the workers know what really runs.
            ShutdownMode::CancelPending => self.stop_all(Running::Finish),
            ShutdownMode::Abort => self.stop_all(Running::Ask),
        }
        self.close_if_idle();
    }

    /// Notes the harsher mode and the nearer deadline, and arms the latter.
    fn escalate(self: &Arc<Self>, how: Shutdown) -> ShutdownMode {
        let mut stop = lock(&self.lifecycle.stop);
        let mode = stop.mode.map_or(how.mode(), |before| before.max(how.mode()));
        stop.mode = Some(mode);
        let timer = Timer::shared();
        let at = timer.now().checked_add(how.deadline());
        let sooner = at.is_some_and(|at| stop.deadline.is_none_or(|before| at < before));
        if sooner && let Some(at) = at {
            stop.deadline = Some(at);
            let client = Arc::downgrade(self);
            let margin = margin(how.deadline());
            let key = timer.at(at, move || {
                if let Some(client) = client.upgrade() {
                    client.deadline_passed(margin);
                }
            });
            let old = stop.timer.replace(key);
            drop(stop);
            old.map(|key| timer.cancel(key));
        }
        mode
    }

    /// What waits comes first, so that none of it starts in the place of what stops.
    fn stop_all(self: &Arc<Self>, running: Running) {
        let (run, wait): (Vec<_>, Vec<_>) =
            self.live.all().into_iter().partition(|cell| cell.is_running());
        for cell in wait.into_iter().chain(run) {
            if cell.wish_stop(StopReason::Shutdown, running) == Some(true) {
                lock(&self.lifecycle.stop).wishes.push(Self::bury_cell(&cell, running));
            }
        }
    }

    /// Gives the wishes of a stop a moment to get to the workers, for a caller who does not wait
    /// for more than that.
    pub(super) async fn wishes_heard(self: &Arc<Self>) {
        let wishes = std::mem::take(&mut lock(&self.lifecycle.stop).wishes);
        if wishes.is_empty() {
            return;
        }
        let (heard, all_heard) = oneshot::channel::<()>();
        self.runtime.spawn(async move {
            // Both to be heard and not to be are fine.
            let _ = tokio::time::timeout(MOMENT, join_all(wishes)).await;
            drop(heard);
        });
        // Ends when the other side is dropped.
        let _ = all_heard.await;
    }

    /// First what can be stopped is forced to.
    fn deadline_passed(self: &Arc<Self>, margin: Duration) {
        lock(&self.lifecycle.stop).mode = Some(ShutdownMode::Abort);
        self.stop_all(Running::Force);
        let client = Arc::clone(self);
        Timer::shared().after(margin, move || client.give_up());
    }

    /// Then what has not ended is given up: what waits will never start, what runs is lost.
    fn give_up(self: &Arc<Self>) {
        for cell in self.live.all() {
            if cell.is_running() {
                let reason = LossReason::Abandoned;
                let lost = WorkerLost { reason, ..WorkerLost::default() };
                cell.end_here(TaskError::lost(lost, STUCK));
            } else {
                cell.end_here(TaskError::cancelled());
            }
        }
        self.close_if_idle();
    }

    /// Counts what the stop itself has done to tasks.
    pub(super) fn count_stopped(&self, stop: Option<StopReason>, outcome: &Outcome) {
        if stop == Some(StopReason::Shutdown) && outcome.state() == State::Cancelled {
            self.lifecycle.cancelled.fetch_add(1, Ordering::Relaxed);
        }
        let abandoned = outcome.error().is_some_and(was_abandoned);
        if abandoned && self.lifecycle.phase() != Phase::Running {
            self.lifecycle.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A task has ended; the last one of a stop ends that.
    pub(super) fn task_ended(&self) {
        if self.lifecycle.phase() != Phase::Running {
            self.close_if_idle();
        }
    }

    fn close_if_idle(&self) {
        if self.lifecycle.phase() == Phase::Draining && self.live.is_empty() {
            self.stopped();
        }
    }

    fn stopped(&self) {
        if self.lifecycle.phase.swap(STOPPED, Ordering::SeqCst) == STOPPED {
            return;
        }
        let timer = lock(&self.lifecycle.stop).timer.take();
        timer.map(|key| Timer::shared().cancel(key));
        self.hub.close();
        self.publisher.close();
        self.link.stop();
        // Nobody else completes it.
        let _ = self.lifecycle.stopped.complete(Outcome::bare(Ok(())));
    }

    /// Waits for the stop, unless the caller does not want to or would wait for itself.
    pub(super) async fn shutdown_report(&self, how: Shutdown) -> ShutdownReport {
        let lifecycle = &self.lifecycle;
        if how.waits() && !WorkerScope::is_inside(self.id) {
            let mut guard = WaitStopped { lifecycle, key: WaitKey::default() };
            let stopped =
                std::future::poll_fn(|cx| lifecycle.stopped.poll_ended(cx, &mut guard.key));
            awaiting(self.id, stopped).await;
        }
        let mut report = ShutdownReport::default();
        report.stopped = lifecycle.phase() == Phase::Stopped;
        report.cancelled = lifecycle.cancelled.load(Ordering::Relaxed);
        report.lost = lifecycle.lost.load(Ordering::Relaxed);
        report
    }

    /// Waits until the connections are closed, and what is only this client's is deleted, so that
    /// a process may end; but not for long: the broker cleans up by itself in the end.
    pub(super) async fn gone_within(self: &Arc<Self>, left: Duration) {
        let (gone, is_gone) = oneshot::channel::<()>();
        let client = Arc::clone(self);
        self.runtime.spawn(async move {
            let ended =
                async { tokio::join!(client.link.ended(), client.publisher.link().ended()) };
            // Both to be gone and not to be are fine.
            let _ = tokio::time::timeout(left.min(LAST_WORDS), ended).await;
            drop(gone);
        });
        // Ends when the other side is dropped.
        let _ = is_gone.await;
    }

    /// Nobody can submit any more. What somebody has a handle of is waited for; the rest runs
    /// on, and its results are nobody's.
    pub(super) fn abandon(self: &Arc<Self>) {
        for cell in self.live.all() {
            // This list and the one of the live tasks hold it, and nobody else.
            if Arc::strong_count(&cell) <= 2 {
                self.live.remove(cell.id);
            }
        }
        if self.lifecycle.phase() == Phase::Running {
            self.begin_shutdown(Shutdown::drain(Duration::MAX));
        }
        self.retained.close();
    }
}

fn was_abandoned(error: &TaskError) -> bool {
    matches!(error.kind(), TaskErrorKind::WorkerLost(lost) if lost.reason == LossReason::Abandoned)
}

/// Waits for the executor to have stopped.
struct WaitStopped<'a> {
    lifecycle: &'a Lifecycle,
    key: WaitKey,
}

impl Drop for WaitStopped<'_> {
    fn drop(&mut self) {
        self.lifecycle.stopped.forget(&mut self.key);
    }
}
