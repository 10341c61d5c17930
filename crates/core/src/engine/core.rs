//! [`Core`]: what all tasks of one executor share.

use std::{
    num::NonZeroU32,
    path::Path,
    sync::{Arc, OnceLock},
    time::Instant,
};

use futures_core::future::BoxFuture;

use super::{
    Backend, EngineOptions,
    cell::{Cell, StopReason},
    instances::Instances,
    lifecycle::Lifecycle,
    live::LiveTasks,
};
use crate::{
    AttachError, Cancel, Counters, EventHub, ExecutorStatus, Hooks, JobHandle, JoinSource,
    Recorder, Registry, Retained, State, TaskHandle, TaskId, Timer, admission::Admission,
    blocking::ExecutorId,
};

/// What all tasks of one executor share. Tasks hold it, so it outlives the executor's owner.
#[derive(Debug)]
pub(super) struct Core {
    id: ExecutorId,
    options: EngineOptions,
    registry: Arc<Registry>,
    backend: OnceLock<Arc<dyn Backend>>,
    admission: Arc<Admission>,
    live: LiveTasks,
    instances: Arc<Instances>,
    retained: Retained<Cell>,
    hub: Arc<EventHub>,
    lifecycle: Lifecycle,
    counts: Counters,
}

impl Core {
    pub(super) fn new(registry: Arc<Registry>, options: EngineOptions) -> Arc<Self> {
        Arc::new(Self {
            id: ExecutorId::new(),
            registry,
            backend: OnceLock::new(),
            admission: Admission::new(options.limit),
            live: LiveTasks::default(),
            instances: Arc::default(),
            retained: Retained::new(options.retain),
            hub: Arc::default(),
            lifecycle: Lifecycle::default(),
            counts: Counters::default(),
            options,
        })
    }

    pub(super) fn attach_backend(&self, backend: Arc<dyn Backend>) {
        let first = self.backend.set(backend).is_ok();
        debug_assert!(first, "an engine gets one backend");
    }

    pub(super) fn backend(&self) -> &dyn Backend {
        &**self.backend.get().expect("the backend is attached before the first task")
    }

    pub(super) const fn id(&self) -> ExecutorId {
        self.id
    }

    pub(super) fn name(&self) -> &str {
        &self.options.name
    }

    pub(super) const fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    pub(super) const fn hub(&self) -> &Arc<EventHub> {
        &self.hub
    }

    pub(super) const fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub(super) const fn live(&self) -> &LiveTasks {
        &self.live
    }

    pub(super) const fn instances(&self) -> &Arc<Instances> {
        &self.instances
    }

    pub(super) const fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    pub(super) const fn counts(&self) -> &Counters {
        &self.counts
    }

    pub(super) const fn timer(&self) -> &Timer {
        &self.options.timer
    }

    pub(super) fn results_dir(&self) -> &Path {
        &self.options.results_dir
    }

    pub(super) const fn hooks(&self) -> Option<&Arc<dyn Hooks>> {
        self.options.hooks.as_ref()
    }

    pub(super) const fn recorder(&self) -> Option<&Arc<dyn Recorder>> {
        self.options.recorder.as_ref()
    }

    /// How many workers an idempotent task may lose; without it, its retry policy says.
    pub(super) const fn max_worker_losses(&self) -> Option<NonZeroU32> {
        self.options.max_worker_losses
    }

    /// Whether there is anything to await around a body.
    pub(super) const fn has_surroundings(&self) -> bool {
        self.hooks().is_some() || self.recorder().is_some()
    }

    pub(super) fn now(&self) -> Instant {
        self.timer().now()
    }

    pub(super) fn drive(&self, future: BoxFuture<'static, ()>) {
        self.backend().drive(future);
    }

    pub(super) fn retain(&self, cell: &Arc<Cell>) {
        self.retained.keep(cell.id(), cell);
    }

    pub(super) fn forget_retained(&self) {
        self.retained.close();
    }

    pub(super) fn attach(&self, job: &JobHandle) -> Result<TaskHandle, AttachError> {
        if job.executor() != self.name() {
            return Err(AttachError::WrongExecutor(Box::new(job.clone())));
        }
        let alive = self.live.get(job.id()).filter(|cell| cell.is_promised());
        alive
            .or_else(|| self.retained.get(job.id()))
            .filter(Cell::set_addressed)
            .map(|cell| TaskHandle::new(cell))
            .ok_or_else(|| AttachError::NotFound(Box::new(job.clone())))
    }

    pub(super) fn cancel(&self, id: TaskId) -> Cancel {
        self.live.get(id).map_or(Cancel::NotFound, |cell| cell.stop(StopReason::Cancel))
    }

    /// A body that runs gets no grace.
    pub(super) fn cancel_now(&self, id: TaskId) -> Cancel {
        let Some(cell) = self.live.get(id) else { return Cancel::NotFound };
        let answer = cell.stop(StopReason::Cancel);
        if answer == Cancel::Requested {
            cell.force();
        }
        answer
    }

    /// Those that wait come first, so that none starts in the place of one that stops.
    pub(super) fn cancel_all(&self) -> usize {
        let stopped = |cell: &&Arc<Cell>| cell.stop(StopReason::Cancel) != Cancel::NotFound;
        let (waiting, running): (Vec<_>, Vec<_>) =
            self.live.all().into_iter().partition(|cell| cell.state() == State::Pending);
        waiting.iter().chain(&running).filter(stopped).count()
    }

    pub(super) fn status(&self) -> ExecutorStatus {
        let phase = match self.lifecycle.phase() {
            crate::Phase::Running if self.backend().is_broken() => crate::Phase::Broken,
            phase => phase,
        };
        ExecutorStatus {
            phase,
            workers: self.backend().workers(),
            in_flight: self.admission.in_flight(),
            running: self.live.running(),
            limit: self.admission.limit(),
            counts: self.counts.read(self.live.alive()),
        }
    }
}
