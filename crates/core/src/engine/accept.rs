//! Taking a task in: checked, given a place, recorded, set going.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    Attempt,
    body::catch,
    cell::{Cell, Phase, StopReason},
    core::Core,
    instances::Instance,
    run::Run,
};
use crate::{
    Change, EventKind, Recorder, Refusal, Rejection, State, SubmitError, SubmitErrorKind, Task,
    TaskError, TaskErrorKind, TaskHandle, TaskId, registry::Registered,
};

impl Core {
    /// Refuses what can be seen to be wrong without having taken anything.
    pub(super) fn check(&self, task: &Task) -> Result<Arc<Registered>, Refusal> {
        let registered = self.registry().find(&task.name)?;
        task.options().check()?;
        self.backend().check(task, registered)?;
        if self.admission().is_closed() {
            Err(Refusal::closed())
        } else {
            Ok(Arc::clone(registered))
        }
    }

    /// Refuses early, before waiting for room, what would be refused afterwards.
    pub(super) fn check_free(&self, task: &Task) -> Result<(), Refusal> {
        self.check_free_for(task, 1)
    }

    fn check_free_for(&self, task: &Task, more: u32) -> Result<(), Refusal> {
        if self.live().contains(task.id) {
            return Err(duplicate(task.id));
        }
        task.options()
            .max_instances
            .map_or(Ok(()), |limit| self.instances().check(task, limit, more))
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
                self.admission().leave();
                return Err(refusal.with_task(task));
            }
        };
        let cell = Cell::new(Arc::clone(self), task, registered, instance);
        if !self.live().insert(&cell) {
            self.admission().leave();
            let refusal = duplicate(cell.id());
            return Err(refusal.with_task(cell.into_task()));
        }
        // Looked at after the task can be seen: whoever stops the executor either is seen
        // here or sees the task.
        if self.admission().is_closed() {
            return Err(Refusal::closed().with_task(self.withdraw(cell)));
        }
        Ok(cell)
    }

    fn reserve_instance(&self, task: &Task) -> Result<Option<Instance>, Refusal> {
        task.options().max_instances.map(|limit| self.instances().reserve(task, limit)).transpose()
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
        self.live().remove(cell.id());
        self.admission().leave();
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
