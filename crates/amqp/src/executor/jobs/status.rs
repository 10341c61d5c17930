//! [`JobStatus`]: what is known of a task.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use outwork_core::{Outcome, State, TaskId, TaskName};

use crate::{
    topology::QueueName,
    wire::{JobRecord, Millis},
};

/// What is known of a task, detached or not.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JobStatus {
    /// The job.
    pub id: TaskId,
    /// The name of its task.
    pub name: TaskName,
    /// Its queue.
    pub queue: QueueName,
    /// Where it is in its life. It may have gone on since, until the state is final.
    pub state: State,
    /// The number of the attempt that was told of last; 0 before the first.
    pub attempt: u32,
    /// The worker that has it, or had it last.
    pub worker: Option<String>,
    /// When it was submitted.
    pub submitted_at: SystemTime,
    /// When it came to this state.
    pub at: SystemTime,
    /// How it ended, with the final state of a detached job. Only who submitted another task
    /// gets that of it.
    pub outcome: Option<Outcome>,
}

/// Takes over what a record says. A job that has ended stays so: a copy of it may have run.
pub(super) fn merge(status: &mut Option<JobStatus>, record: JobRecord) {
    if status.as_ref().is_some_and(|status| status.state.is_final()) {
        return;
    }
    *status = Some(record.into());
}

impl From<JobRecord> for JobStatus {
    fn from(record: JobRecord) -> Self {
        Self {
            id: record.id,
            name: record.name,
            queue: record.queue,
            state: record.state,
            attempt: record.attempt,
            worker: record.worker,
            submitted_at: time_of(record.submitted),
            at: time_of(record.at),
            outcome: record.outcome,
        }
    }
}

pub(super) fn time_of(millis: Millis) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}

pub(super) fn millis_of(time: SystemTime) -> Millis {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
