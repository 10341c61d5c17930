//! Handles and addresses of tasks.

use super::{
    Fixture, Spec,
    script::Script,
    support::{Held, Trial, checks, ms, must, must_be},
};
use crate::{
    AttachError, EventFilter, ExecutorExt, JobHandle, State, TaskHandle, TaskId,
    blocking::block_on_for,
};

checks! { "handle":
    running_is_real:
        "A task is Pending until its body runs, Running while it does, and then final.",
    an_address_survives_serialisation:
        "The address of a task is the same after a round trip through JSON and MessagePack.",
    a_live_task_can_be_attached_to:
        "Whoever has the address of a live task gets a handle that resolves like the first.",
    an_ended_task_can_be_attached_to:
        "The outcome of a task whose address was asked for is kept for a while.",
    an_address_asked_for_late_works_too:
        "The address works also when it was asked for only after the end of the task.",
    a_foreign_address_is_refused:
        "The address of an unknown task is not found, and that of another executor is refused.",
    kept_outcomes_are_bounded:
        "Only the last outcomes are kept, as many as the executor was told to keep.",
    waiting_for_many_stops_none:
        "Waiting for many tasks tells those that have ended from those that have not, \
         and stops none.",
}

fn attach(trial: &Trial, job: &JobHandle) -> Held<Result<TaskHandle, AttachError>> {
    Ok(block_on_for(trial.executor().attach(job), Some(trial.patience()))?)
}

fn running_is_real(fixture: &dyn Fixture) -> Held {
    let trial = Trial::single(fixture)?;
    trial.needs_queue()?;
    let (gate, log) = (trial.gate("gate"), trial.log("log"));
    let mut watch = trial.watch(EventFilter::all());
    let busy = trial.occupy(1)?;
    let task = super::script::Body::Sync.task(Script::new().note(&log, "run").wait(&gate));
    let id = task.id();
    let handle = trial.submit(task)?;
    std::thread::sleep(ms(20));
    must_be("the state while it waits", handle.state(), State::Pending)?;
    must_be("the runs while it waits", log.count(), 0)?;
    trial.release(busy)?;
    let started = watch.next_that("started")?;
    must("the other one started first", started.task_id != id)?;
    trial.until("it is Running", || handle.state() == State::Running)?;
    trial.until_lines(&log, 1)?;
    gate.open()?;
    trial.until("its state is final", || handle.state() == State::Succeeded)?;
    trial.outcome(handle)?;
    trial.finish()
}

fn an_address_survives_serialisation(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let handle = trial.submit(trial.task(Script::new()))?;
    let job = handle.job_handle();
    let json = serde_json::to_string(&job)?;
    must_be("the address after JSON", &serde_json::from_str::<JobHandle>(&json)?, &job)?;
    let bytes = rmp_serde::to_vec_named(&job)?;
    must_be("the address after MessagePack", &rmp_serde::from_slice::<JobHandle>(&bytes)?, &job)?;
    trial.outcome(handle)?;
    trial.finish()
}

fn a_live_task_can_be_attached_to(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_ahead()?;
    let gate = trial.gate("gate");
    let first = trial.submit(trial.task(Script::new().wait(&gate).reply("shared")))?;
    let second = attach(&trial, &first.job_handle())??;
    must_be("the id of the second handle", second.task_id(), first.task_id())?;
    gate.open()?;
    for handle in [second, first] {
        let outcome = trial.outcome(handle.decoded::<String>())?;
        must_be("the result", outcome.into_result()?, "shared")?;
    }
    trial.finish()
}

fn an_ended_task_can_be_attached_to(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_ahead()?;
    let gate = trial.gate("gate");
    let handle = trial.submit(trial.task(Script::new().wait(&gate).reply("kept")))?;
    let job = handle.job_handle();
    gate.open()?;
    trial.outcome(handle)?;
    let outcome = trial.outcome(attach(&trial, &job)??.decoded::<String>())?;
    must_be("the result", outcome.into_result()?, "kept")?;
    trial.finish()
}

fn an_address_asked_for_late_works_too(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let handle = trial.submit(trial.task(Script::new().reply("kept")))?;
    trial.until("the task has ended", || handle.state().is_final())?;
    let job = handle.job_handle();
    drop(handle);
    let outcome = trial.outcome(attach(&trial, &job)??.decoded::<String>())?;
    must_be("the result", outcome.into_result()?, "kept")?;
    trial.finish()
}

fn a_foreign_address_is_refused(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let handle = trial.submit(trial.task(Script::new()))?;
    let job = handle.job_handle();
    let unknown = JobHandle::new(TaskId::new(), job.executor());
    let found = attach(&trial, &unknown)?.map(drop);
    must_be("an unknown task", found, Err(AttachError::NotFound(unknown.into())))?;
    let foreign = JobHandle::new(job.id(), format!("not-{}", job.executor()));
    let found = attach(&trial, &foreign)?.map(drop);
    must_be("another's task", found, Err(AttachError::WrongExecutor(foreign.into())))?;
    trial.outcome(handle)?;
    trial.finish()
}

fn kept_outcomes_are_bounded(fixture: &dyn Fixture) -> Held {
    let trial = Trial::new(fixture, Spec::default().retain(2))?;
    let mut jobs = Vec::new();
    for _ in 0..3 {
        let handle = trial.submit(trial.task(Script::new()))?;
        jobs.push(handle.job_handle());
        trial.outcome(handle)?;
    }
    let found =
        jobs.iter().map(|job| Ok(attach(&trial, job)?.is_ok())).collect::<Held<Vec<_>>>()?;
    must_be("which outcomes are kept", found, [false, true, true])?;
    trial.finish()
}

fn waiting_for_many_stops_none(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_concurrency()?;
    let gate = trial.gate("gate");
    let handles = vec![
        trial.submit(trial.task(Script::new().wait(&gate).reply("slow")))?,
        trial.submit(trial.task(Script::new().fail("quick")))?,
    ];
    trial.until("the quick one has ended", || handles[1].state().is_final())?;
    let waited = trial.executor().blocking_wait_many(handles, Some(ms(20)))?;
    let places = |found: Vec<usize>| found;
    must_be("who has ended", places(waited.done.iter().map(|done| done.0).collect()), [1])?;
    must_be("who has not", places(waited.pending.iter().map(|rest| rest.0).collect()), [0])?;
    gate.open()?;
    let rest = waited.pending.into_iter().map(|(_, handle)| handle).collect();
    let waited = trial.executor().blocking_wait_many(rest, Some(trial.patience()))?;
    must("the slow one succeeds", waited.done.iter().all(|(_, outcome)| outcome.is_success()))?;
    must("all have ended now", waited.pending.is_empty() && waited.done.len() == 1)?;
    trial.finish()
}
