//! [`Client`]: one of the threads that submit, cancel, resize and stop.

use std::{collections::BTreeMap, sync::Arc, thread, time::Duration};

use outwork_core::{AttachError, WaitError, blocking::block_on};

use super::{
    held::Held,
    plan::{End, Step},
    stage::Stage,
    subject::Subject,
    submit::{drop_bomb, submit, submit_many},
};
use crate::watch::waiting;

/// One of the threads that submit, cancel, resize and stop.
pub(super) struct Client {
    number: usize,
    stage: Arc<Stage>,
    subject: Arc<Subject>,
    held: BTreeMap<usize, Held>,
}

impl Client {
    pub(super) const fn new(number: usize, stage: Arc<Stage>, subject: Arc<Subject>) -> Self {
        Self { number, stage, subject, held: BTreeMap::new() }
    }

    /// Does what the plan says, gives the executor up, and returns the handles that are left.
    pub(super) fn play(mut self) -> BTreeMap<usize, Held> {
        let plan = Arc::clone(&self.stage.plan);
        for (place, step) in plan.clients[self.number].iter().enumerate() {
            let _waiting = waiting(format!("step {place}, {step:?}"));
            self.take(step);
        }
        if matches!(plan.end, End::Drop) {
            let _waiting = waiting("the drop of the executor");
            self.stage.is_about_to_stop();
            drop(self.subject);
        }
        self.held
    }

    fn take(&mut self, step: &Step) {
        let (stage, subject) = (&self.stage, &self.subject);
        match step {
            Step::Submit(job) => {
                let held = block_on(submit(stage, subject, *job));
                self.held.extend(held.map(|held| (*job, held)));
            }
            Step::SubmitMany(jobs, batch) => {
                let held = block_on(submit_many(stage, subject, jobs.clone(), *batch));
                self.held.extend(held);
            }
            Step::Cancel(job) => {
                if let Some(held) = self.held.get(job) {
                    stage.cancel(*job, || held.cancel());
                }
            }
            Step::CancelById(job) => stage.cancel_by_id(subject, *job),
            Step::CancelAll => {
                stage.is_about_to_stop();
                block_on(subject.executor().cancel_all());
            }
            Step::Wait(job) => self.wait(*job, None),
            Step::WaitAtMost(job, time) => self.wait(*job, Some(*time)),
            Step::Detach(job) => drop_bomb(self.held.remove(job)),
            Step::Attach(job) => self.attach(*job),
            Step::Watch(job) => self.watch(*job),
            Step::Status => self.look(),
            Step::Resize(workers) => stage.resize(subject, *workers),
            Step::Stop(stop) => stage.stop(subject, *stop),
            Step::Pause(time) => thread::sleep(*time),
        }
    }

    fn wait(&mut self, job: usize, timeout: Option<Duration>) {
        let Some(mut held) = self.held.remove(&job) else { return };
        match held.wait(timeout) {
            Ok(ending) => self.stage.settle(job, &mut held, ending),
            Err(WaitError::TimedOut(_)) if timeout.is_some() => {
                self.held.insert(job, held);
            }
            Err(error) => self.stage.fault(format!("job {job} was waited for: {error}")),
        }
    }

    /// Gets another handle by the address, which has to tell the same in the end.
    fn attach(&mut self, job: usize) {
        let Some(Held::Task(handle)) = self.held.get(&job) else { return };
        let address = handle.job_handle();
        match block_on(self.subject.executor().attach(&address)) {
            Ok(other) => {
                self.held.insert(job, Held::Task(other.decoded()));
            }
            // Only so many outcomes are kept, and none after the executor is gone.
            Err(AttachError::NotFound(_)) if handle.state().is_final() => {}
            Err(error) => self.stage.fault(format!("job {job} has an address: {error}")),
        }
    }

    fn watch(&self, job: usize) {
        let Some(held) = self.held.get(&job) else { return };
        // An event of another job would be a fault; none in this time is not.
        if let Some(Ok(event)) = held.events().next_timeout(Duration::from_micros(200))
            && event.task_id != held.id()
        {
            self.stage.fault(format!("job {job} was told of an event of {}", event.task_id));
        }
    }

    fn look(&self) {
        let status = self.subject.executor().status();
        let parts = status.counts;
        let ended = parts.succeeded + parts.failed + parts.cancelled + parts.timed_out + parts.lost;
        if ended > parts.submitted {
            self.stage.fault(format!("more tasks have ended than were submitted: {status:?}"));
        }
    }
}
