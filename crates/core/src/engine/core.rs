//! [`Core`]: what all tasks of one executor share.

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroU32,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use futures_core::future::BoxFuture;

use super::{
    Attempt, Backend, EngineOptions,
    body::catch,
    cell::{Cell, Phase, StopReason},
    instances::{Instance, Instances},
    lifecycle::Lifecycle,
    live::LiveTasks,
    retained::Retained,
    run::Run,
};
use crate::{
    AttachError, Cancel, Change, Counts, EventHub, EventKind, ExecutorStatus, Hooks, JobHandle,
    JoinSource, Recorder, Refusal, Registry, Rejection, State, SubmitError, SubmitErrorKind, Task,
    TaskError, TaskErrorKind, TaskHandle, TaskId, Timer, admission::Admission,
    blocking::ExecutorId, registry::Registered,
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
    retained: Retained,
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
        self.retained.keep(cell);
    }

    pub(super) fn forget_retained(&self) {
        self.retained.close();
    }

    /// Refuses what can be seen to be wrong without having taken anything.
    pub(super) fn check(&self, task: &Task) -> Result<Arc<Registered>, Refusal> {
        let registered = self.registry.find(&task.name)?;
        task.options().check()?;
        self.backend().check(task, registered)?;
        if self.admission.is_closed() { Err(Refusal::closed()) } else { Ok(Arc::clone(registered)) }
    }

    /// Refuses early, before waiting for room, what would be refused afterwards.
    pub(super) fn check_free(&self, task: &Task) -> Result<(), Refusal> {
        self.check_free_for(task, 1)
    }

    fn check_free_for(&self, task: &Task, more: u32) -> Result<(), Refusal> {
        if self.live.contains(task.id) {
            return Err(duplicate(task.id));
        }
        task.options().max_instances.map_or(Ok(()), |limit| self.instances.check(task, limit, more))
    }

    /// Checks all tasks of a batch, also against each other.
    pub(super) fn check_batch(&self, tasks: &[Task]) -> Result<(), (usize, Refusal)> {
        let mut ids = HashSet::with_capacity(tasks.len());
        let mut names = HashMap::new();
        tasks.iter().enumerate().try_for_each(|(index, task)| {
            // Only those count that have a limit, as when they come one by one.
            let of_name = names.entry(task.name.as_str()).or_insert(0_u32);
            *of_name += u32::from(task.options().max_instances.is_some());
            let fresh = if ids.insert(task.id) { Ok(()) } else { Err(duplicate(task.id)) };
            fresh
                .and_then(|()| self.check(task).map(drop))
                .and_then(|()| self.check_free_for(task, *of_name))
                .map_err(|refusal| (index, refusal))
        })
    }

    /// Accepts a task that has a place, with its acceptance recorded.
    pub(super) async fn accept(
        self: &Arc<Self>,
        task: Task,
        registered: Arc<Registered>,
    ) -> Result<TaskHandle, SubmitError> {
        let cell = self.enroll(task, registered)?;
        if let Some(recorder) = self.recorder() {
            // Dropped in the middle, the task is not submitted.
            let enrolled = Enrolled { core: self, cell: Some(cell) };
            let cell = enrolled.cell.as_ref().expect("it was just put in");
            let recorded = catch(|| recorder.record(Change::Submitted(&cell.task))).await;
            let cell = enrolled.keep();
            if let Err(error) = recorded {
                let message = format!("the task could not be recorded: {error}");
                let refusal = Refusal::new(SubmitErrorKind::Infrastructure, message);
                return Err(refusal.with_task(self.withdraw(cell)));
            }
            self.launch(&cell);
            return Ok(TaskHandle::new(cell));
        }
        self.launch(&cell);
        Ok(TaskHandle::new(cell))
    }

    /// Accepts a task that has a place at once; when it cannot be recorded, its handle says so.
    pub(super) fn accept_now(
        self: &Arc<Self>,
        task: Task,
        registered: Arc<Registered>,
    ) -> Result<TaskHandle, SubmitError> {
        let cell = self.enroll(task, registered)?;
        match self.recorder().cloned() {
            None => self.launch(&cell),
            Some(recorder) => {
                let promised = Promised::new(&cell);
                self.drive(Box::pin(promised.keep(recorder)));
            }
        }
        Ok(TaskHandle::new(cell))
    }

    /// Reserves what the task needs beside its place, which is given back when it is refused.
    fn enroll(
        self: &Arc<Self>,
        task: Task,
        registered: Arc<Registered>,
    ) -> Result<Arc<Cell>, SubmitError> {
        let instance = match self.reserve_instance(&task) {
            Ok(instance) => instance,
            Err(refusal) => {
                self.admission.leave();
                return Err(refusal.with_task(task));
            }
        };
        let cell = Cell::new(Arc::clone(self), task, registered, instance);
        if !self.live.insert(&cell) {
            self.admission.leave();
            let refusal = duplicate(cell.id());
            return Err(refusal.with_task(cell.into_task()));
        }
        // Looked at after the task can be seen: whoever stops the executor either is seen
        // here or sees the task.
        if self.admission.is_closed() {
            return Err(Refusal::closed().with_task(self.withdraw(cell)));
        }
        Ok(cell)
    }

    fn reserve_instance(&self, task: &Task) -> Result<Option<Instance>, Refusal> {
        task.options().max_instances.map(|limit| self.instances.reserve(task, limit)).transpose()
    }

    /// Takes a task that was not accepted out again. Nobody else ends one that is enrolling.
    fn withdraw(&self, cell: Arc<Cell>) -> Task {
        let instance = {
            let mut inner = cell.lock();
            inner.phase = Phase::Ended(State::Failed);
            inner.has_place = false;
            inner.rare_if_any().and_then(|rare| rare.instance.take())
        };
        drop(instance);
        self.live.remove(cell.id());
        self.admission.leave();
        self.task_ended();
        cell.into_task()
    }

    /// Sets an accepted task going, unless it was asked to stop meanwhile.
    fn launch(self: &Arc<Self>, cell: &Arc<Cell>) {
        let attempt = Attempt::new(Run::First(Arc::clone(cell)));
        let options = cell.task.options();
        let mut inner = cell.lock();
        if inner.is_claimed() {
            // The executor's deadline came first.
            drop(inner);
            return drop(attempt);
        }
        cell.emit(0, || EventKind::Submitted);
        inner.phase = Phase::Waiting;
        // Looked at under the lock: a stop that begins later finds the task waiting.
        if !self.allows_retries() {
            inner.stop.get_or_insert(StopReason::Shutdown);
        }
        if inner.stop.is_some() {
            drop(inner);
            return drop(attempt);
        }
        if let Some(expires) = options.expires {
            inner.rare().timers.expiry = Some(self.arm_expiry(cell, expires));
        }
        match options.delay.filter(|delay| !delay.is_zero()) {
            Some(delay) => inner.rare().timers.due = Some(self.arm_start(attempt, delay)),
            None => {
                drop(inner);
                self.start(attempt);
            }
        }
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

fn duplicate(id: TaskId) -> Refusal {
    Refusal::new(SubmitErrorKind::DuplicateId, format!("a task with the id {id} is alive already"))
}

/// A task that is enrolled and not yet accepted.
struct Enrolled<'a> {
    core: &'a Core,
    cell: Option<Arc<Cell>>,
}

impl Enrolled<'_> {
    fn keep(mut self) -> Arc<Cell> {
        self.cell.take().expect("it is taken out only here and in the destructor")
    }
}

impl Drop for Enrolled<'_> {
    fn drop(&mut self) {
        if let Some(cell) = self.cell.take() {
            self.core.withdraw(cell);
        }
    }
}

/// A task whose handle is out while its acceptance is being recorded.
///
/// Dropped before that is done, as by a backend that cannot run the recorder, it is rejected.
struct Promised {
    cell: Arc<Cell>,
    /// Why it is not recorded, while it is not.
    missing: Option<String>,
}

impl Promised {
    fn new(cell: &Arc<Cell>) -> Self {
        cell.lock().phase = Phase::Promised;
        let missing = Some("the recorder was not run to its end".to_owned());
        Self { cell: Arc::clone(cell), missing }
    }

    async fn keep(mut self, recorder: Arc<dyn Recorder>) {
        let recorded = catch(|| recorder.record(Change::Submitted(&self.cell.task))).await;
        self.missing = recorded.err().map(|error| error.to_string());
        if self.missing.is_none() {
            self.cell.core.launch(&self.cell);
        }
    }
}

impl Drop for Promised {
    fn drop(&mut self) {
        let Some(cause) = self.missing.take() else { return };
        if let Some(claim) = self.cell.claim(self.cell.lock()) {
            let message = format!("the task could not be recorded: {cause}");
            let kind = TaskErrorKind::Rejected(Rejection::NotRecorded);
            claim.reject(TaskError::new(kind, message));
        }
    }
}

/// The counters behind [`Counts`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    succeeded: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    timed_out: AtomicU64,
    lost: AtomicU64,
    retried: AtomicU64,
    late: AtomicU64,
}

impl Counters {
    pub(super) fn retried(&self) {
        self.retried.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn late(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, state: State) {
        let counter = match state {
            State::Succeeded => &self.succeeded,
            State::Cancelled => &self.cancelled,
            State::TimedOut => &self.timed_out,
            State::Lost => &self.lost,
            State::Failed | State::Pending | State::Running => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// What was submitted has ended or is alive.
    fn read(&self, alive: usize) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut counts = Counts {
            submitted: alive as u64,
            succeeded: get(&self.succeeded),
            failed: get(&self.failed),
            cancelled: get(&self.cancelled),
            timed_out: get(&self.timed_out),
            lost: get(&self.lost),
            retried: get(&self.retried),
            late: get(&self.late),
        };
        let Counts { succeeded, failed, cancelled, timed_out, lost, .. } = counts;
        counts.submitted += succeeded + failed + cancelled + timed_out + lost;
        counts
    }
}
