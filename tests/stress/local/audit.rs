//! Whether what became of the jobs agrees with what they were, and with itself.

use outwork_core::{ExecutorStatus, Phase, Rejection, State, TaskErrorKind};

use super::{
    held::Ending,
    ledger::{Fate, Record},
    plan::{Body, Kind},
    stage::Stage,
    tale::Tales,
};

impl Stage {
    /// Whether a job may have ended that way, as far as its handle tells. Called when the
    /// handle has resolved: what stopped the job was noted before.
    pub(super) fn judge(&self, index: usize, ending: &Ending) {
        if let Err(reason) = self.is_plausible(index, ending) {
            self.fault(format!(
                "job {index} ended as {ending:?}, although {reason}: {:?}",
                self.job(index)
            ));
        }
    }

    fn is_plausible(&self, index: usize, ending: &Ending) -> Result<(), &'static str> {
        let (job, record) = (self.job(index), &self.records[index]);
        let undisturbed = !record.was_asked() && !self.is_stopping();
        let must = |so: bool, otherwise| if so { Ok(()) } else { Err(otherwise) };
        if record.was_confirmed() {
            must(ending.state == State::Cancelled, "a cancel said that it had stopped")?;
        }
        match (ending.state, &ending.error) {
            (State::Succeeded, None) => {
                must(ending.value == Some(index), "it should return its own number")?;
                must(!self.fails_always(index), "all its attempts fail")?;
            }
            (State::Cancelled, Some(_)) => must(!undisturbed, "nobody cancelled it")?,
            (State::Lost, Some(_)) => must(!undisturbed, "nobody stopped the executor")?,
            (State::TimedOut, Some(_)) => {
                must(job.via.is_task() && job.time_limit.is_some(), "it has no time limit")?;
            }
            (State::Failed, Some(TaskErrorKind::Expired)) => {
                must(job.expires.is_some() && ending.attempts == 0, "it does not expire")?;
            }
            (State::Failed, Some(TaskErrorKind::Rejected(Rejection::Closed))) => {
                must(self.is_stopping() && !job.via.is_task(), "nobody stopped the executor")?;
            }
            (State::Failed, Some(TaskErrorKind::Failed)) => {
                must(job.failures > 0 && !self.panics(index), "it does not fail")?;
            }
            (State::Failed, Some(TaskErrorKind::Panicked)) => {
                must(job.failures > 0 && self.panics(index), "it does not panic")?;
            }
            _ => return Err("there is no such way to end"),
        }
        if undisturbed && (!job.via.is_task() || job.time_limit.or(job.expires).is_none()) {
            must(self.is_foreseen(index, ending), "nothing disturbed it")?;
        }
        Ok(())
    }

    /// Whether it ended as it has to when nothing comes between.
    fn is_foreseen(&self, index: usize, ending: &Ending) -> bool {
        let always = self.fails_always(index);
        let attempts = if always { self.max_attempts(index) } else { self.job(index).failures + 1 };
        (ending.state == State::Failed) == always
            && ending.attempts == if self.job(index).via.is_task() { attempts } else { 1 }
    }

    fn fails_always(&self, index: usize) -> bool {
        self.job(index).failures >= self.max_attempts(index)
    }

    fn max_attempts(&self, index: usize) -> u32 {
        let job = self.job(index);
        if job.via.is_task() { job.max_attempts.get() } else { 1 }
    }

    /// Closures cannot fail otherwise.
    fn panics(&self, index: usize) -> bool {
        self.job(index).panics || !self.job(index).via.is_task()
    }

    /// Looks at all jobs, once nothing runs any more.
    pub(super) fn audit(&self, tales: Option<&Tales>) {
        for (index, record) in self.records.iter().enumerate() {
            let (fate, runs) = (record.fate(), record.runs());
            if !self.may_have_run(index, &fate).contains(&runs) {
                self.fault(format!(
                    "job {index} ran {runs} times: {fate:?}, {:?}",
                    self.job(index)
                ));
            }
            if let Some(tales) = tales {
                self.audit_tale(index, record, tales);
            }
        }
        let known: std::collections::HashSet<_> =
            self.records.iter().filter_map(Record::id).collect();
        for id in tales.iter().flat_map(|tales| tales.ids()).filter(|id| !known.contains(id)) {
            self.fault(format!("there were events of {id}, which is nobody's"));
        }
    }

    /// How often the body of a job can have run that ended so.
    fn may_have_run(&self, index: usize, fate: &Fate) -> std::ops::RangeInclusive<u32> {
        let job = self.job(index);
        let is_task = job.via.is_task();
        match fate {
            // A submission that is dropped there is one of a task that runs.
            Fate::Offered if self.plan.kind == Kind::Inline => 0..=self.max_attempts(index),
            Fate::Untouched | Fate::Offered | Fate::Refused => 0..=0,
            Fate::Accepted => 0..=self.max_attempts(index),
            // One that is dropped before its first poll has been started, and has not run.
            Fate::Ended(end) if is_task && job.body == Body::Async => {
                u32::from(end.state == State::Succeeded)..=end.attempts
            }
            Fate::Ended(end) if is_task => end.attempts..=end.attempts,
            Fate::Ended(end) => match (end.state, &end.error) {
                (_, Some(TaskErrorKind::Rejected(_))) => 0..=0,
                (State::Cancelled, _) if self.plan.kind == Kind::Threads => 0..=0,
                (State::Cancelled | State::Lost, _) => 0..=1,
                _ => 1..=1,
            },
        }
    }

    /// Whether the events of a job tell the same as its handle.
    fn audit_tale(&self, index: usize, record: &Record, tales: &Tales) {
        let fate = record.fate();
        let tale = record.id().and_then(|id| tales.get(id));
        let is_task = self.job(index).via.is_task();
        let wrong = match (&fate, tale) {
            (Fate::Offered, Some(tale)) if self.plan.kind == Kind::Inline => {
                tale.fault(&fate, is_task, record.runs())
            }
            (Fate::Untouched | Fate::Offered | Fate::Refused, None) => None,
            (Fate::Untouched | Fate::Offered | Fate::Refused, Some(_)) => {
                Some("it was not accepted and has events")
            }
            (Fate::Ended(end), tale) if is_rejected(end) => tale.map(|_| "it has events"),
            // A closure that comes when nobody is told any more has its handle alone to say so.
            (_, None) if !is_task && self.is_stopping() && record.runs() == 0 => None,
            (_, None) => Some("it has no events"),
            (_, Some(tale)) => tale.fault(&fate, is_task, record.runs()),
        };
        if let Some(wrong) = wrong {
            let job = self.job(index);
            self.fault(format!("job {index}, {fate:?}: {wrong}: {tale:?}, {job:?}"));
        }
    }

    /// Whether the executor's own counts add up, once it has stopped.
    pub(super) fn audit_status(&self, status: &ExecutorStatus, tales: Option<&Tales>) {
        let ExecutorStatus { phase, in_flight, running, counts, .. } = *status;
        let ended =
            counts.succeeded + counts.failed + counts.cancelled + counts.timed_out + counts.lost;
        let count = |of: &dyn Fn(&Fate) -> bool| {
            self.tasks().filter(|record| of(&record.fate())).count() as u64
        };
        let accepted = count(&Fate::is_accepted);
        // Of those whose submission was dropped, inline has what it had begun.
        let dropped =
            if self.plan.kind == Kind::Inline { count(&|fate| *fate == Fate::Offered) } else { 0 };
        let mut right = phase == Phase::Stopped && in_flight == 0 && running == 0;
        right &= ended == counts.submitted && (accepted..=accepted + dropped).contains(&ended);
        for (state, of_status) in [
            (State::Succeeded, counts.succeeded),
            (State::Failed, counts.failed),
            (State::Cancelled, counts.cancelled),
            (State::TimedOut, counts.timed_out),
            (State::Lost, counts.lost),
        ] {
            right &= count(&|fate| fate.state() == Some(state)) <= of_status;
            if let Some(tales) = tales {
                right &= tales.tasks_that_ended(state) == of_status;
            }
        }
        if !right {
            let read = tales.map(Tales::endings);
            self.fault(format!(
                "{accepted} tasks were accepted, events tell of {read:?}, and the status says {status:?}"
            ));
        }
    }

    fn tasks(&self) -> impl Iterator<Item = &Record> {
        let jobs = self.plan.jobs.iter().zip(&self.records);
        jobs.filter(|(job, _)| job.via.is_task()).map(|(_, record)| record)
    }
}

fn is_rejected(end: &Ending) -> bool {
    matches!(end.error, Some(TaskErrorKind::Rejected(_)))
}

impl Fate {
    fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted | Self::Ended(_))
    }

    pub(super) fn state(&self) -> Option<State> {
        match self {
            Self::Ended(end) => Some(end.state),
            _ => None,
        }
    }
}
