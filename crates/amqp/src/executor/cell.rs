//! [`Cell`]: one task that was submitted here.

mod earlier;
mod joined;
mod stop;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use outwork_core::{
    EventKind, JoinCell, Outcome, Report, State, TaskError, TaskEvent, TaskId, TaskName,
};

pub(super) use stop::StopReason;

use self::{earlier::EarlierOutputs, stop::Stop};
use super::{client::Client, instances::Instance};
use crate::{
    lock::lock,
    telemetry,
    topology::QueueName,
    wire::{JobRecord, Millis, RemoteEvent, Running, now},
};

/// One task that was submitted here, from its submission until nobody holds its outcome.
pub(super) struct Cell {
    pub(super) client: Arc<Client>,
    pub(super) id: TaskId,
    pub(super) name: TaskName,
    pub(super) queue: QueueName,
    pub(super) submitted: Millis,
    /// The address was asked for: the outcome is kept for a while, and may be read twice.
    addressed: AtomicBool,
    /// Wakes those who wait; the outcome itself lies in `inner`.
    ended: JoinCell<()>,
    inner: Mutex<Inner>,
}

/// What changes in a task's life. Each change of `phase` is made under this lock and its event
/// told under it, so that the events of one task come in order. Locks taken inside: those of
/// the live tasks, the instances, what is retained, and the hub.
struct Inner {
    phase: Phase,
    /// How often its handler was run to an error that was followed by another attempt.
    failures: u32,
    /// The start of the current attempt was told.
    start_told: bool,
    stop: Stop,
    has_place: bool,
    worker: Option<Arc<str>>,
    /// When the phase changed last.
    since: Millis,
    earlier: EarlierOutputs,
    instance: Option<Instance>,
    outcome: Option<Outcome>,
}

/// Where a task is, as far as it is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// On its way to the broker; only who submits it may end it.
    Enrolling,
    /// The same, with its handle out already.
    Promised,
    /// On the broker, or in the hands of a worker that has not begun it.
    Waiting,
    Running,
    Ended(State),
}

impl Phase {
    const fn state(self) -> State {
        match self {
            Self::Enrolling | Self::Promised | Self::Waiting => State::Pending,
            Self::Running => State::Running,
            Self::Ended(state) => state,
        }
    }
}

impl Inner {
    fn enter(&mut self, phase: Phase) {
        (self.phase, self.since) = (phase, now());
    }
}

impl Cell {
    pub(super) fn new(client: &Arc<Client>, new: NewCell) -> Arc<Self> {
        let NewCell { id, name, queue, submitted, failures, instance, promised } = new;
        let inner = Inner {
            phase: if promised { Phase::Promised } else { Phase::Enrolling },
            failures,
            start_told: false,
            stop: Stop::default(),
            has_place: true,
            worker: None,
            since: submitted,
            earlier: EarlierOutputs::default(),
            instance,
            outcome: None,
        };
        Arc::new(Self {
            client: Arc::clone(client),
            id,
            name,
            queue,
            submitted,
            addressed: AtomicBool::new(false),
            ended: JoinCell::new(()),
            inner: Mutex::new(inner),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    fn emit(&self, attempt: u32, kind: impl FnOnce() -> EventKind) {
        self.client.hub.emit(|| TaskEvent::now(self.id, Some(self.name.clone()), attempt, kind()));
    }

    /// Whether there is, or is about to be, a handle that has to resolve.
    pub(super) fn is_promised(&self) -> bool {
        self.lock().phase != Phase::Enrolling
    }

    /// Whether the broker is known to have it, or a worker.
    pub(super) fn is_accepted(&self) -> bool {
        matches!(self.lock().phase, Phase::Waiting | Phase::Running)
    }

    pub(super) fn state_now(&self) -> State {
        self.lock().phase.state()
    }

    /// What there is to say of it to whoever asks.
    pub(super) fn record(&self) -> JobRecord {
        let inner = self.lock();
        let attempt = inner.failures + u32::from(inner.phase == Phase::Running);
        self.record_of(&inner, attempt)
    }

    fn record_of(&self, inner: &Inner, attempt: u32) -> JobRecord {
        JobRecord {
            id: self.id,
            name: self.name.clone(),
            queue: self.queue.clone(),
            submitted: self.submitted,
            at: inner.since,
            state: inner.phase.state(),
            attempt,
            worker: inner.worker.as_deref().map(str::to_owned),
            outcome: None,
        }
    }

    /// Keeps the outcome for those who come later with the address; `false` when it is gone.
    pub(super) fn set_addressed(self: &Arc<Self>) -> bool {
        let inner = self.lock();
        self.addressed.store(true, Ordering::Relaxed);
        let (ended, taken) = (matches!(inner.phase, Phase::Ended(_)), inner.outcome.is_none());
        drop(inner);
        if ended && !taken {
            self.client.retained.keep(self.id, self);
        }
        !(ended && taken)
    }

    /// Says that the broker has the task.
    pub(super) fn accept(&self) {
        self.accepted(&mut self.lock());
    }

    fn accepted(&self, inner: &mut Inner) {
        if matches!(inner.phase, Phase::Enrolling | Phase::Promised) {
            inner.phase = Phase::Waiting;
            self.emit(0, || EventKind::Submitted);
        }
    }

    /// Takes a task out again that was not accepted. `false` when it was after all.
    pub(super) fn withdraw(&self) -> bool {
        let is_enrolling = self.lock().phase == Phase::Enrolling;
        is_enrolling && self.take_back()
    }

    /// The same for one whose handle was to be out at once, and is not yet.
    pub(super) fn take_back(&self) -> bool {
        let mut inner = self.lock();
        if !matches!(inner.phase, Phase::Enrolling | Phase::Promised) {
            return false;
        }
        inner.phase = Phase::Ended(State::Failed);
        inner.has_place = false;
        let instance = inner.instance.take();
        self.client.live.remove(self.id);
        drop(inner);
        drop(instance);
        self.client.admission.leave();
        self.client.task_ended();
        true
    }

    /// Notes what a worker tells.
    pub(super) fn heard(&self, event: RemoteEvent, worker: Option<&str>) {
        let mut inner = self.lock();
        if matches!(inner.phase, Phase::Ended(_)) {
            return;
        }
        self.accepted(&mut inner);
        let current = inner.failures + 1;
        if worker.is_some() {
            inner.worker = worker.map(Arc::from);
        }
        match event {
            RemoteEvent::Started { attempt } if attempt == current => self.started(&mut inner),
            RemoteEvent::Progress { attempt, progress } if attempt == current => {
                self.started(&mut inner);
                self.emit(current, || EventKind::Progress(progress));
            }
            RemoteEvent::Retrying { attempt, error, delay, output } if attempt == current => {
                self.started(&mut inner);
                self.client.counts.retried();
                self.emit(current, || EventKind::Retrying { error, delay });
                let failures = std::mem::replace(&mut inner.failures, current);
                inner.earlier.keep(output, failures);
                inner.start_told = false;
                inner.enter(Phase::Waiting);
            }
            // Of an attempt that is over: a copy.
            RemoteEvent::Started { .. }
            | RemoteEvent::Progress { .. }
            | RemoteEvent::Retrying { .. } => {}
        }
    }

    fn started(&self, inner: &mut Inner) {
        if std::mem::replace(&mut inner.start_told, true) {
            return;
        }
        inner.enter(Phase::Running);
        let worker = inner.worker.clone();
        self.emit(inner.failures + 1, || EventKind::Started { worker });
    }

    /// Notes the wish to stop. `None`: it has ended; `Some(false)`: as much was wished before.
    pub(super) fn wish_stop(&self, reason: StopReason, wish: Running) -> Option<bool> {
        let mut inner = self.lock();
        if matches!(inner.phase, Phase::Ended(_)) {
            return None;
        }
        Some(inner.stop.wish(reason, wish))
    }

    /// A worker has the task and was asked to stop it.
    pub(super) fn stop_was_told(&self) {
        let mut inner = self.lock();
        if !matches!(inner.phase, Phase::Ended(_)) && inner.stop.is_news() {
            self.emit(inner.failures + 1, || EventKind::CancelRequested);
        }
    }

    /// Ends a task that will never start any more.
    pub(super) fn cancelled_before_start(self: &Arc<Self>) -> bool {
        self.accept();
        self.end_here(TaskError::cancelled())
    }

    /// Ends a task with an error that was found here.
    pub(super) fn end_here(self: &Arc<Self>, error: TaskError) -> bool {
        let attempts = self.lock().failures;
        let report = Report { attempts, ..Report::default() };
        self.conclude(Outcome::new(Err(error), report))
    }

    /// Makes the end visible: the one place where a task gets its outcome.
    /// Whether it had none before.
    pub(super) fn conclude(self: &Arc<Self>, outcome: Outcome) -> bool {
        let client = &self.client;
        let mut inner = self.lock();
        if matches!(inner.phase, Phase::Ended(_)) {
            drop(inner);
            client.note_late();
            return false;
        }
        if outcome.attempts() > inner.failures {
            self.accepted(&mut inner);
            if inner.worker.is_none() {
                inner.worker = outcome.worker().map(Arc::from);
            }
            self.started(&mut inner);
        }
        let failures = inner.failures;
        let outcome = inner.earlier.put_before(outcome, failures);
        let state = outcome.state();
        inner.enter(Phase::Ended(state));
        client.counts.ended(state);
        telemetry::client_ended(state);
        client.count_stopped(inner.stop.reason(), &outcome);
        self.emit(outcome.attempts(), || EventKind::Finished {
            state,
            error: outcome.error().cloned(),
        });
        let outcome_attempts = outcome.attempts();
        inner.outcome = Some(outcome);
        // Before the end can be seen, so that whoever learns of it finds the room, the instance
        // and the id free.
        drop(inner.instance.take());
        if std::mem::take(&mut inner.has_place) {
            client.admission.leave();
        }
        if self.addressed.load(Ordering::Relaxed) {
            client.retained.keep(self.id, self);
        }
        client.recent.add(self.record_of(&inner, outcome_attempts));
        client.live.remove(self.id);
        drop(inner);
        // Nobody else completes it.
        let _ = self.ended.complete(Outcome::bare(Ok(())));
        client.task_ended();
        true
    }

    /// Whether a body of it is known to run.
    pub(super) fn is_running(&self) -> bool {
        self.state_now() == State::Running
    }
}

/// What a cell is made of.
pub(super) struct NewCell {
    pub(super) id: TaskId,
    pub(super) name: TaskName,
    pub(super) queue: QueueName,
    pub(super) submitted: Millis,
    pub(super) failures: u32,
    pub(super) instance: Option<Instance>,
    /// Its handle is out before it is accepted.
    pub(super) promised: bool,
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell").field("id", &self.id).finish_non_exhaustive()
    }
}
