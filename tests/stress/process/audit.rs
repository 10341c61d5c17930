//! Whether what became of the jobs agrees with what they were, and with itself.

use std::collections::HashMap;

use outwork_core::{
    EventKind, EventStream, ExecutorStatus, LossReason, Phase, State, TaskErrorKind, TaskId,
    blocking::block_on,
};

use super::{
    body::Act,
    ledger::{Ending, Fate, Record},
    plan::{Chaos, End, Plan},
};

/// How each task was told to have ended, each time that it was told.
pub(super) type Ends = HashMap<TaskId, Vec<State>>;

/// Reads all events there are, to the end of the stream.
pub(super) fn read_ends(mut events: EventStream) -> Result<Ends, String> {
    let mut ends = Ends::new();
    while let Some(event) = block_on(events.next()) {
        let event = event.map_err(|lagged| format!("there was room for all events: {lagged}"))?;
        let told = ends.entry(event.task_id).or_default();
        if let EventKind::Finished { state, .. } = event.kind {
            told.push(state);
        }
    }
    Ok(ends)
}

/// How often each body has run, by the lines that they left.
pub(super) fn runs_in(log: &str, jobs: usize) -> Vec<u32> {
    let mut runs = vec![0; jobs];
    for job in log.lines().filter_map(|line| line.parse::<usize>().ok()) {
        if let Some(runs) = runs.get_mut(job) {
            *runs += 1;
        }
    }
    runs
}

/// Everything that is wrong with the end of a round.
pub(super) fn faults(
    plan: &Plan,
    records: &[Record],
    runs: &[u32],
    ends: &Ends,
    status: Option<&ExecutorStatus>,
) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, (record, runs)) in records.iter().zip(runs).enumerate() {
        let fate = record.fate();
        let told = record.id().and_then(|id| ends.get(&id)).map(Vec::as_slice).unwrap_or_default();
        let wrong = match &fate {
            Fate::Refused if *runs > 0 || !told.is_empty() => Err("it was refused"),
            Fate::Detached if told.len() != 1 => Err("it has another number of ends"),
            Fate::Refused | Fate::Detached => Ok(()),
            Fate::Ended(end) if told != [end.state] => Err("its events tell otherwise"),
            Fate::Ended(end) => is_plausible(plan, index, record, end, *runs),
        };
        if let Err(wrong) = wrong {
            let job = &plan.jobs[index];
            faults.push(format!("job {index}, {job:?}: {fate:?}, {runs} runs, {told:?}: {wrong}"));
        }
    }
    faults.extend(status.and_then(|status| miscounted(status, records, ends)));
    faults
}

fn is_plausible(
    plan: &Plan,
    index: usize,
    record: &Record,
    end: &Ending,
    runs: u32,
) -> Result<(), &'static str> {
    let job = &plan.jobs[index];
    let may_be_stopped = record.was_asked() || plan.end != End::Drain;
    let may_be_killed = plan.chaos != Chaos::Nothing || may_be_stopped;
    let must = |so: bool, otherwise| if so { Ok(()) } else { Err(otherwise) };
    must(runs <= end.attempts, "it ran more often than it says")?;
    must(job.idempotent || end.attempts <= 1, "it was run again")?;
    match (end.state, &end.error) {
        (State::Succeeded, None) => {
            must(end.value == Some((index, job.payload)), "another result came")?;
            must(runs >= 1, "it did not run")?;
            must(matches!(job.act, Act::Return | Act::Sleep(_)), "it cannot succeed")
        }
        (State::Failed, Some(TaskErrorKind::Failed)) => must(job.act == Act::Fail, "it does not"),
        (State::Failed, Some(TaskErrorKind::Panicked)) => {
            must(job.act == Act::Panic, "it does not panic")
        }
        // Five workers in a row may be killed before they begin anything.
        (State::Failed, Some(TaskErrorKind::Infrastructure)) => {
            must(plan.chaos != Chaos::Nothing, "its pool was not broken")?;
            must(job.idempotent || runs == 0, "it had begun")
        }
        (State::TimedOut, Some(_)) => must(job.time_limit.is_some(), "it has no limit"),
        (State::Cancelled, Some(_)) => must(may_be_stopped, "nobody cancelled it"),
        (State::Lost, Some(TaskErrorKind::WorkerLost(lost))) => {
            must(lost.reason != LossReason::Garbled, "no worker says garbage")?;
            must(job.act.is_deadly() || may_be_killed, "nobody killed its worker")
        }
        _ => Err("there is no such way to end"),
    }
}

/// Whether the pool's own counts add up, once it has stopped.
fn miscounted(status: &ExecutorStatus, records: &[Record], ends: &Ends) -> Option<String> {
    let counts = status.counts;
    let told = |state| ends.values().filter(|told| told.contains(&state)).count() as u64;
    let ended =
        counts.succeeded + counts.failed + counts.cancelled + counts.timed_out + counts.lost;
    let accepted = records.iter().filter(|record| !matches!(record.fate(), Fate::Refused)).count();
    let right = status.phase == Phase::Stopped
        && status.in_flight == 0
        && counts.submitted == accepted as u64
        && ended == counts.submitted
        && told(State::Succeeded) == counts.succeeded
        && told(State::Failed) == counts.failed
        && told(State::Cancelled) == counts.cancelled
        && told(State::TimedOut) == counts.timed_out
        && told(State::Lost) == counts.lost;
    (!right).then(|| format!("{accepted} tasks were accepted, and the status says {status:?}"))
}
