//! [`Stage`]: what the clients and the bodies of one round share.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use outwork_core::{Cancel, Task, TaskDef, WaitError, blocking::block_on};

use super::{
    held::{Ending, Held},
    ledger::{Fate, Record},
    plan::{Body, Job, Plan, Stop},
    subject::Subject,
};

pub(super) const SYNC: TaskDef<usize, usize> = TaskDef::new("stress.sync");
pub(super) const ASYNC: TaskDef<usize, usize> = TaskDef::new("stress.async");

/// What the clients and the bodies of one round share.
pub(super) struct Stage {
    pub(super) plan: Arc<Plan>,
    pub(super) records: Vec<Record>,
    /// Bodies may not keep the executor alive that runs them.
    subject: OnceLock<Weak<Subject>>,
    /// Somebody was about to stop everything.
    stopping: AtomicBool,
    faults: Mutex<Vec<String>>,
}

impl Stage {
    pub(super) fn new(plan: &Arc<Plan>) -> Arc<Self> {
        Arc::new(Self {
            plan: Arc::clone(plan),
            records: plan.jobs.iter().map(|_| Record::default()).collect(),
            subject: OnceLock::new(),
            stopping: AtomicBool::new(false),
            faults: Mutex::default(),
        })
    }

    pub(super) fn set_subject(&self, subject: &Arc<Subject>) {
        let first = self.subject.set(Arc::downgrade(subject)).is_ok();
        debug_assert!(first, "a round has one executor");
    }

    /// The executor, if somebody has it still.
    pub(super) fn subject(&self) -> Option<Arc<Subject>> {
        self.subject.get()?.upgrade()
    }

    pub(super) fn job(&self, index: usize) -> &Job {
        &self.plan.jobs[index]
    }

    /// The task that a job is submitted as. It can be cancelled from here on.
    pub(super) fn task(&self, index: usize) -> Task {
        let job = self.job(index);
        let def = if job.body == Body::Sync { SYNC } else { ASYNC };
        let task = def.task(&index).expect("a number encodes").with_options(job.options());
        self.records[index].is_named(task.id());
        task
    }

    pub(super) fn fault(&self, what: impl Into<String>) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(what.into());
    }

    pub(super) fn take_faults(&self) -> Vec<String> {
        std::mem::take(&mut *self.faults.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says that everything is about to be stopped.
    pub(super) fn is_about_to_stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(super) fn cancel(&self, index: usize, cancel: impl FnOnce() -> Cancel) {
        let record = &self.records[index];
        record.ask();
        if cancel() == Cancel::Confirmed {
            record.confirm();
        }
    }

    /// Cancels a task that may be anywhere, or nowhere yet.
    pub(super) fn cancel_by_id(&self, subject: &Subject, index: usize) {
        if let Some(id) = self.records[index].id() {
            self.cancel(index, || block_on(subject.executor().cancel(id)));
        }
    }

    pub(super) fn stop(&self, subject: &Subject, Stop(how): Stop) {
        self.is_about_to_stop();
        let report = block_on(subject.executor().shutdown(how));
        if how.waits() && !report.stopped {
            self.fault(format!("{how:?} was waited for and came to {report:?}"));
        }
    }

    pub(super) fn resize(&self, subject: &Subject, workers: usize) {
        if let Err(error) = subject.resize(workers) {
            self.fault(format!("resized to {workers}: {error}"));
        }
    }

    /// A handle has resolved, and does so only once.
    pub(super) fn settle(&self, index: usize, held: &mut Held, ending: Ending) {
        let now = held.state();
        if now != ending.state {
            self.fault(format!("job {index} ended as {ending:?}, and its handle says {now}"));
        }
        match held.wait(Some(Duration::ZERO)) {
            Err(WaitError::Taken) => {}
            // Its address was asked for, so that its end can be read again.
            Ok(again) if again == ending => {}
            other => self.fault(format!("job {index} ended as {ending:?}, and then {other:?}")),
        }
        self.judge(index, &ending);
        self.records[index].becomes(Fate::Ended(ending));
    }
}
