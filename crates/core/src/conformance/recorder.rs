//! The slot where a store writes.

mod ledger;

use std::sync::Arc;

use self::ledger::{Ledger, Moment};
use super::{
    Fixture, Spec,
    script::Script,
    support::{Held, Trial, attempts, checks, ms, must, must_be, must_contain, story},
};
use crate::{
    EventFilter, Recorder, Shutdown, State, SubmitErrorKind, TaskOptions, WaitError,
    blocking::block_on_for,
};

checks! { "recorder":
    every_change_is_recorded_in_order:
        "Acceptance, each start, each retry and the end are recorded, in this order.",
    an_end_is_recorded_before_the_handle_resolves:
        "When a handle resolves, the end of its task is recorded.",
    what_cannot_be_recorded_is_refused:
        "A task whose acceptance cannot be recorded is refused and never runs.",
    an_end_that_cannot_be_recorded_keeps_the_result:
        "A failure to record the end is added to the outcome and does not replace the result.",
    an_address_is_recorded_before_the_body_goes_on:
        "An address that a body sets for its task is recorded before the body goes on.",
    a_cancelled_task_is_recorded_to_its_end:
        "A task that is cancelled before it starts is recorded as accepted and ended.",
    a_submission_given_up_while_it_is_recorded_leaves_nothing_behind:
        "A task whose submission is dropped while it is being recorded is not submitted, \
         and its id is free.",
    a_task_cancelled_while_it_is_recorded_ends_in_order:
        "A task that is cancelled while its acceptance is being recorded never runs, \
         and is still told and recorded in order.",
}

/// A trial with a recorder.
fn with(fixture: &dyn Fixture, ledger: Ledger) -> Held<(Trial, Arc<Ledger>)> {
    let ledger = Arc::new(ledger);
    let recorder = Arc::clone(&ledger) as Arc<dyn Recorder>;
    Ok((Trial::new(fixture, Spec::default().workers(1).recorder(recorder))?, ledger))
}

fn every_change_is_recorded_in_order(fixture: &dyn Fixture) -> Held {
    let (trial, ledger) = with(fixture, Ledger::default())?;
    for body in trial.bodies() {
        let options = TaskOptions::new().retry(attempts(2));
        let task = body.task(Script::new().fail_before(2, "not yet")).with_options(options);
        must("the second attempt succeeds", trial.run(task)?.is_success())?;
        let expected =
            ["submitted", "started 1", "retrying after 1", "started 2", "finished succeeded"];
        must_be("the changes", ledger.take(), expected)?;
    }
    trial.finish()
}

fn an_end_is_recorded_before_the_handle_resolves(fixture: &dyn Fixture) -> Held {
    let (trial, ledger) = with(fixture, Ledger::default().waits_at(Moment::Finished))?;
    let mut ends = trial.watch(EventFilter::all().only_final());
    let begun = trial.begin(trial.task(Script::new()))?;
    trial.until("the end is being recorded", || ledger.is_waiting())?;
    let early = ends.within(ms(30))?;
    must(format!("it has not ended before that is recorded: {early:?}"), early.is_none())?;
    ledger.go_on();
    must("it succeeds", trial.outcome_of(begun)?.is_success())?;
    trial.finish()
}

fn what_cannot_be_recorded_is_refused(fixture: &dyn Fixture) -> Held {
    let (trial, ledger) = with(fixture, Ledger::default().fails_at(Moment::Submitted))?;
    let log = trial.log("log");
    for body in trial.bodies() {
        let task = body.task(Script::new().note(&log, "run"));
        let id = task.id();
        for refused in [trial.refused(task.clone())?, trial.refused_now(task)?] {
            must_be("the reason", refused.kind, SubmitErrorKind::Infrastructure)?;
            must_contain("the message", &refused.message, "the ledger is full")?;
        }
        must_be("it is not there", trial.cancel(id)?, crate::Cancel::NotFound)?;
    }
    must_be("the runs", log.count(), 0)?;
    must("no start is recorded", !ledger.has("started 1"))?;
    trial.finish()
}

fn an_end_that_cannot_be_recorded_keeps_the_result(fixture: &dyn Fixture) -> Held {
    let (trial, _ledger) = with(fixture, Ledger::default().fails_at(Moment::Finished))?;
    for body in trial.bodies() {
        let outcome = trial.run(body.task(Script::new().reply("kept")))?;
        must_contain("the outcome", &outcome.notes().join("; "), "the ledger is full")?;
        must_be("the result", outcome.decode::<String>().into_result()?, "kept")?;
    }
    trial.finish()
}

fn an_address_is_recorded_before_the_body_goes_on(fixture: &dyn Fixture) -> Held {
    let (trial, ledger) = with(fixture, Ledger::default().waits_at(Moment::JobHandle))?;
    trial.needs_sync()?;
    let log = trial.log("log");
    let script = Script::new().job_handle("job-17").note(&log, "went on");
    let begun = trial.begin(super::script::Body::Sync.task(script))?;
    trial.until("the address is being recorded", || ledger.is_waiting())?;
    std::thread::sleep(ms(20));
    must_be("what the body did meanwhile", log.count(), 0)?;
    ledger.go_on();
    must("it succeeds", trial.outcome_of(begun)?.is_success())?;
    must_be("what the body did", log.lines(), ["went on"])?;
    must("the address is recorded", ledger.has("job handle \"job-17\""))?;
    trial.finish()
}

fn a_cancelled_task_is_recorded_to_its_end(fixture: &dyn Fixture) -> Held {
    let (trial, ledger) = with(fixture, Ledger::default())?;
    trial.needs_ahead()?;
    let options = TaskOptions::new().delay(trial.long());
    let begun = trial.begin(trial.task(Script::new()).with_options(options))?;
    trial.cancel_live(begun.id)?;
    must_be("the state", trial.outcome_of(begun)?.state(), State::Cancelled)?;
    must_be("the changes", ledger.take(), ["submitted", "finished cancelled"])?;
    trial.finish()
}

fn a_submission_given_up_while_it_is_recorded_leaves_nothing_behind(fixture: &dyn Fixture) -> Held {
    let (trial, ledger) = with(fixture, Ledger::default().waits_at(Moment::Submitted))?;
    trial.needs_ahead()?;
    let log = trial.log("log");
    let task = trial.task(Script::new().note(&log, "run"));
    let waited = block_on_for(trial.executor().submit(task.clone()), Some(ms(20)));
    must_be("the submission", waited.map(drop), Err(WaitError::TimedOut(ms(20))))?;
    ledger.go_on();
    must("the task can be submitted again", trial.run(task)?.is_success())?;
    must_be("the runs", log.count(), 1)?;
    trial.finish()
}

fn a_task_cancelled_while_it_is_recorded_ends_in_order(fixture: &dyn Fixture) -> Held {
    let (trial, ledger) = with(fixture, Ledger::default().waits_at(Moment::Submitted))?;
    trial.needs_ahead()?;
    let (log, watch) = (trial.log("log"), trial.watch(EventFilter::all()));
    let handle = trial.executor().try_submit(trial.task(Script::new().note(&log, "run")))?;
    let id = handle.task_id();
    trial.until("the acceptance is being recorded", || ledger.is_waiting())?;
    trial.cancel_live(id)?;
    ledger.go_on();
    must_be("the state", trial.outcome(handle)?.state(), State::Cancelled)?;
    must("it has stopped", trial.stop(Shutdown::drain(trial.long()))?.stopped)?;
    must_be("the runs", log.count(), 0)?;
    must_be("the changes", ledger.take(), ["submitted", "finished cancelled"])?;
    trial.must_be_at_rest()?;
    must_be("the events", story(&watch.rest()?, id), ["submitted", "finished cancelled 0"])
}
