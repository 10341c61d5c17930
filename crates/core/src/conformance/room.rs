//! What is in flight is bounded.

use std::thread;

use super::{
    Fixture, Spec,
    script::{Body, Script},
    support::{Busy, Held, Trial, checks, count, ms, must, must_be},
};
use crate::{
    EventFilter, ExecutorExt, RetryPolicy, SubmitErrorKind, Task, TaskOptions, WaitError,
    blocking::block_on_for,
};

checks! { "room":
    a_full_executor_refuses_at_once:
        "When as many tasks are in flight as allowed, try_submit refuses and gives the task back.",
    submit_waits_for_room:
        "When there is no room, submit waits until there is.",
    submit_timeout_gives_the_task_back:
        "When there is no room in time, submit_timeout gives the task back, and nothing runs.",
    a_submission_that_is_given_up_leaves_nothing_behind:
        "A task whose submission is dropped while it waits for room is not submitted, \
         and its id is free.",
    every_end_makes_room:
        "A task that succeeded, failed, panicked or timed out has given its room back.",
    a_cancelled_task_makes_room:
        "A cancelled task gives its room back, also while its delay or its backoff goes on.",
    a_task_that_waits_for_its_time_takes_room:
        "A task that waits for its delay is in flight like any other.",
}

/// An executor whose only worker is busy and whose room is taken.
fn full(fixture: &dyn Fixture) -> Held<(Trial, Busy)> {
    let trial = Trial::new(fixture, Spec::default().workers(1).limit(1))?;
    trial.needs_queue()?;
    let busy = trial.occupy(1)?;
    Ok((trial, busy))
}

fn a_full_executor_refuses_at_once(fixture: &dyn Fixture) -> Held {
    let (trial, busy) = full(fixture)?;
    let log = trial.log("log");
    let task = Body::Sync.task(Script::new().note(&log, "run"));
    must_be("try_submit", trial.refused_now(task.clone())?.kind, SubmitErrorKind::Full)?;
    trial.release(busy)?;
    must("there is room again", trial.run(task)?.is_success())?;
    must_be("the runs", log.count(), 1)?;
    trial.finish()
}

fn submit_waits_for_room(fixture: &dyn Fixture) -> Held {
    let (trial, busy) = full(fixture)?;
    thread::scope(|scope| {
        let task = Body::Sync.task(Script::new().reply("second"));
        let second = scope.spawn(|| trial.reply(task));
        thread::sleep(ms(30));
        must("a submission without room waits", !second.is_finished())?;
        trial.release(busy)?;
        match second.join() {
            Ok(reply) => must_be("the result", reply?, "second"),
            Err(_) => must("the submission does not panic", false),
        }
    })?;
    trial.finish()
}

fn submit_timeout_gives_the_task_back(fixture: &dyn Fixture) -> Held {
    let (trial, busy) = full(fixture)?;
    let log = trial.log("log");
    let task = Body::Sync.task(Script::new().note(&log, "run"));
    let submit = |task: Task| trial.executor().submit_timeout(task, ms(20));
    let back = submit(task.clone()).map_err(|error| (error.kind(), error.into_task()));
    must_be("the answer", back.map(drop), Err((SubmitErrorKind::Full, task.clone())))?;
    trial.release(busy)?;
    trial.outcome(submit(task)?)?;
    must_be("the runs", log.count(), 1)?;
    trial.finish()
}

fn a_submission_that_is_given_up_leaves_nothing_behind(fixture: &dyn Fixture) -> Held {
    let (trial, busy) = full(fixture)?;
    let log = trial.log("log");
    let task = Body::Sync.task(Script::new().note(&log, "run"));
    let waited = block_on_for(trial.executor().submit(task.clone()), Some(ms(20)));
    must_be("the wait for room", waited.map(drop), Err(WaitError::TimedOut(ms(20))))?;
    trial.release(busy)?;
    must("the task can be submitted again", trial.run(task)?.is_success())?;
    must_be("the runs", log.count(), 1)?;
    trial.finish()
}

fn every_end_makes_room(fixture: &dyn Fixture) -> Held {
    let trial = Trial::new(fixture, Spec::default().workers(1).limit(1))?;
    let limit = TaskOptions::new().time_limit(ms(20))?;
    let gate = trial.gate("never");
    for body in trial.bodies() {
        let ends = [
            body.task(Script::new()),
            body.task(Script::new().fail("an error")),
            body.task(Script::new().panic("a panic")),
            body.task(Script::new().wait_or_stop(&gate)).with_options(limit.clone()),
        ];
        for task in ends {
            trial.run(task)?;
            // Whoever learns of an end finds the room free: no waiting here.
            let handle = trial.executor().try_submit(body.task(Script::new()))?;
            trial.outcome(handle)?;
        }
    }
    trial.finish()
}

fn a_cancelled_task_makes_room(fixture: &dyn Fixture) -> Held {
    let trial = Trial::new(fixture, Spec::default().workers(1).limit(1))?;
    trial.needs_ahead()?;
    let gate = trial.gate("never");
    let long = trial.long();
    let retry = TaskOptions::new().retry(RetryPolicy::fixed(count(2), long));
    let delayed = trial.task(Script::new()).with_options(TaskOptions::new().delay(long));
    let retried = trial.task(Script::new().fail("try again")).with_options(retry);
    let running = trial.task(Script::new().wait_or_stop(&gate));
    for (task, moment) in [(delayed, "submitted"), (retried, "retrying"), (running, "started")] {
        let mut watch = trial.watch(EventFilter::all().task(task.id()));
        let begun = trial.begin(task)?;
        watch.next_that(moment)?;
        trial.cancel_live(begun.id)?;
        trial.outcome_of(begun)?;
        must("there is room for another", trial.run(trial.task(Script::new()))?.is_success())?;
    }
    trial.finish()
}

fn a_task_that_waits_for_its_time_takes_room(fixture: &dyn Fixture) -> Held {
    let trial = Trial::new(fixture, Spec::default().workers(1).limit(1))?;
    trial.needs_ahead()?;
    let delayed = trial.task(Script::new()).with_options(TaskOptions::new().delay(ms(200)));
    let begun = trial.begin(delayed)?;
    let next = trial.task(Script::new());
    must_be("try_submit meanwhile", trial.refused_now(next)?.kind, SubmitErrorKind::Full)?;
    must("the delayed task runs", trial.outcome_of(begun)?.is_success())?;
    trial.finish()
}
