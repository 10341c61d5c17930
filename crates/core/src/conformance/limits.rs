//! Time limits.

use std::time::Instant;

use super::{
    Fixture,
    script::{Body, Script},
    support::{Held, Trial, attempts, checks, ms, must, must_be},
};
use crate::{Outcome, State, Stopping, Task, TaskErrorKind, TaskOptions};

checks! { "limits":
    a_body_is_told_that_its_time_is_up:
        "When its time limit passes a body sees the wish that it stops, and its task \
         is then TimedOut.",
    an_async_body_is_dropped_at_its_limit:
        "An async body that does not heed its time limit is dropped at its next await, \
         and its destructors run.",
    a_stuck_body_does_not_hold_its_task:
        "Where that can be done, a synchronous body that ignores its limit is given up: \
         its task is TimedOut at once, and another worker takes its place.",
    a_late_result_is_dropped_and_counted:
        "The result of a body that was given up is dropped and counted.",
    a_result_after_the_limit_is_too_late:
        "A body that returns its result after its time limit has timed out.",
    the_limit_counts_from_the_start:
        "The time limit counts from the start of the body, not from the submission.",
    a_quick_body_is_not_touched:
        "A body that ends within its limit succeeds.",
    each_attempt_has_its_own_limit:
        "A time limit is of one attempt: the next one has all of it again.",
    partial_output_is_kept:
        "What a body wrote before its time limit is kept.",
}

fn limited(task: Task, milliseconds: u64) -> Held<Task> {
    Ok(task.with_options(TaskOptions::new().time_limit(ms(milliseconds))?))
}

fn must_be_timed_out(outcome: &Outcome, milliseconds: u64) -> Held {
    must_be("the state", outcome.state(), State::TimedOut)?;
    let limit = match outcome.error().map(|error| error.kind()) {
        Some(TaskErrorKind::TimedOut { limit, .. }) => Some(*limit),
        _ => None,
    };
    must_be("the limit in the error", limit, Some(ms(milliseconds)))
}

fn a_body_is_told_that_its_time_is_up(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let script = Script::new().await_stop().fail("out of time");
        let start = Instant::now();
        must_be_timed_out(&trial.run(limited(body.task(script), 50)?)?, 50)?;
        must("it had its time", start.elapsed() >= ms(50))?;
    }
    trial.finish()
}

fn an_async_body_is_dropped_at_its_limit(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_async()?;
    let (gate, log) = (trial.gate("gate"), trial.log("log"));
    let script = Script::new().note_at_end(&log, "dropped").wait(&gate).note(&log, "went on");
    must_be_timed_out(&trial.run(limited(Body::Async.task(script), 50)?)?, 50)?;
    must_be("what the body did", log.lines(), ["dropped"])?;
    trial.finish()
}

fn a_stuck_body_does_not_hold_its_task(fixture: &dyn Fixture) -> Held {
    let trial = Trial::single(fixture)?;
    trial.needs_sync()?;
    trial.needs(trial.can().limits_stuck_sync, "limits_stuck_sync is false")?;
    let gate = trial.gate("gate");
    for _ in 0..2 {
        let options = TaskOptions::new().time_limit(ms(50))?.grace(ms(20));
        let stuck = Body::Sync.task(Script::new().wait(&gate)).with_options(options);
        must_be_timed_out(&trial.run(stuck)?, 50)?;
        let next = trial.reply(Body::Sync.task(Script::new().reply("next")))?;
        must_be("the next task of the only worker", next, "next")?;
    }
    gate.open()?;
    trial.finish()
}

fn a_late_result_is_dropped_and_counted(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_sync()?;
    trial.needs(trial.can().limits_stuck_sync, "limits_stuck_sync is false")?;
    let cooperative = trial.can().stop_sync == Stopping::Cooperative;
    trial.needs(cooperative, "stop_sync is enforced: no body outlives its task")?;
    let here = !trial.can().outlives_caller;
    trial.needs(here, "outlives_caller is true: a late result is counted where the body runs")?;
    let gate = trial.gate("gate");
    let stuck = limited(Body::Sync.task(Script::new().wait(&gate).reply("late")), 50)?;
    let mut handle = trial.submit(stuck)?;
    must_be_timed_out(&handle.wait_timeout(trial.patience())?, 50)?;
    gate.open()?;
    trial.until("the late result is counted", || trial.executor().status().counts.late == 1)?;
    must_be("the state", handle.state(), State::TimedOut)?;
    trial.finish()
}

fn a_result_after_the_limit_is_too_late(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let script = Script::new().await_stop().reply("too late");
        must_be_timed_out(&trial.run(limited(body.task(script), 50)?)?, 50)?;
    }
    trial.finish()
}

fn the_limit_counts_from_the_start(fixture: &dyn Fixture) -> Held {
    let trial = Trial::single(fixture)?;
    trial.needs_queue()?;
    let busy = trial.occupy(1)?;
    let begun = trial.begin(limited(Body::Sync.task(Script::new().reply("in time")), 400)?)?;
    std::thread::sleep(ms(500));
    trial.release(busy)?;
    must_be("the result", trial.reply_of(begun)?, "in time")?;
    trial.finish()
}

fn a_quick_body_is_not_touched(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let quick = limited(body.task(Script::new().reply("in time")), 400)?;
        must_be("the result", trial.reply(quick)?, "in time")?;
        // The limit of the quick one passes while this one runs.
        let next = body.task(Script::new().sleep(ms(450)).reply("unharmed"));
        must_be("the result", trial.reply(next)?, "unharmed")?;
    }
    trial.finish()
}

fn each_attempt_has_its_own_limit(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let log = trial.log(&format!("{body:?}"));
        let options = TaskOptions::new().time_limit(ms(40))?.retry(attempts(3));
        let script = Script::new().note(&log, "runs").await_stop().fail("out of time");
        let start = Instant::now();
        let outcome = trial.run(body.task(script).with_options(options))?;
        must_be_timed_out(&outcome, 40)?;
        must_be("the attempts", outcome.attempts(), 3)?;
        must_be("the runs", log.count(), 3)?;
        must("each had its time", start.elapsed() >= ms(120))?;
    }
    trial.finish()
}

fn partial_output_is_kept(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let script = Script::new().stdout("so far").stderr("and so bad").await_stop().fail("");
        let outcome = trial.run(limited(body.task(script), 100)?)?;
        must_be_timed_out(&outcome, 100)?;
        must_be("the standard output", outcome.stdout().text()?, "so far")?;
        must_be("the standard error", outcome.stderr().text()?, "and so bad")?;
    }
    trial.finish()
}
