//! Attempts after the first.

use std::time::Instant;

use super::{
    Fixture,
    script::Script,
    support::{Held, Trial, attempts, checks, count, ms, must, must_be},
};
use crate::{RetryOn, RetryPolicy, State, TaskErrorKind, TaskOptions, TraceContext};

checks! { "retry":
    a_task_runs_as_often_as_its_policy_says:
        "A task that always fails is run exactly as often as its policy says, \
         and ends with the error of the last attempt.",
    a_success_ends_the_attempts:
        "The first attempt that succeeds is the last.",
    without_a_policy_there_is_one_attempt:
        "Without a retry policy a task is run once.",
    a_body_sees_the_number_of_its_attempt:
        "Each attempt sees its number, from 1.",
    every_attempt_sees_the_callers_trace:
        "The trace context that the caller hands on is seen by each attempt, and no other is.",
    a_panic_is_tried_again:
        "A panic is followed by another attempt like an error.",
    an_error_can_forbid_another_attempt:
        "An error that is permanent is not followed by another attempt.",
    a_policy_can_leave_errors_of_the_handler_alone:
        "A policy that is about the infrastructure does not try again what the handler failed.",
    an_attempt_waits_for_its_backoff:
        "The next attempt does not start before the delay of the policy is over.",
    retries_are_counted:
        "The status counts attempts that were followed by another, and the task once.",
}

fn a_task_runs_as_often_as_its_policy_says(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        for n in [1, 2, 4] {
            let log = trial.log(&format!("{body:?}-{n}"));
            let script = Script::new().note(&log, "run").fail("always");
            let options = TaskOptions::new().retry(attempts(n));
            let outcome = trial.run(body.task(script).with_options(options))?;
            must_be("the runs", log.count(), n as usize)?;
            must_be("the attempts", outcome.attempts(), n)?;
            must_be("the state", outcome.state(), State::Failed)?;
            must_be("the error", outcome.error().map(|e| e.message()), Some("always"))?;
        }
    }
    trial.finish()
}

fn a_success_ends_the_attempts(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let log = trial.log(&format!("{body:?}"));
        let script = Script::new().note(&log, "run").fail_before(2, "not yet").reply("now");
        let options = TaskOptions::new().retry(attempts(5));
        let outcome = trial.run(body.task(script).with_options(options))?.decode::<String>();
        must_be("the attempts", outcome.attempts(), 2)?;
        must_be("the result", outcome.into_result()?, "now")?;
        must_be("the runs", log.count(), 2)?;
    }
    trial.finish()
}

fn without_a_policy_there_is_one_attempt(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let log = trial.log(&format!("{body:?}"));
        let outcome = trial.run(body.task(Script::new().note(&log, "run").fail("once")))?;
        must_be("the attempts", outcome.attempts(), 1)?;
        must_be("the runs", log.count(), 1)?;
    }
    trial.finish()
}

fn a_body_sees_the_number_of_its_attempt(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        for n in [1, 2, 3] {
            let script = Script::new().fail_before(n, "not yet").reply_attempt();
            let options = TaskOptions::new().retry(attempts(3));
            let reply = trial.reply(body.task(script).with_options(options))?;
            must_be("the number of the attempt", reply, n.to_string())?;
        }
    }
    trial.finish()
}

fn every_attempt_sees_the_callers_trace(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let state = Some("congo=t61rcWkgMzE".to_owned());
    let full = TraceContext { traceparent: parent.to_owned(), tracestate: state };
    let short = TraceContext { tracestate: None, ..full.clone() };
    for body in trial.bodies() {
        for trace in [Some(full.clone()), Some(short.clone()), None] {
            for n in [1, 2] {
                let script = Script::new().fail_before(n, "not yet").reply_trace();
                let mut options = TaskOptions::new().retry(attempts(2));
                options.trace.clone_from(&trace);
                let reply = trial.reply(body.task(script).with_options(options))?;
                must_be("the trace", reply, format!("{:?}", trace.as_ref()))?;
            }
        }
    }
    trial.finish()
}

fn a_panic_is_tried_again(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let log = trial.log(&format!("{body:?}"));
        let options = TaskOptions::new().retry(attempts(2));
        let script = Script::new().note(&log, "run").panic("on purpose");
        let outcome = trial.run(body.task(script).with_options(options))?;
        let kind = outcome.error().map(|error| error.kind().clone());
        must_be("the error", kind, Some(TaskErrorKind::Panicked))?;
        must_be("the runs", log.count(), 2)?;
    }
    trial.finish()
}

fn an_error_can_forbid_another_attempt(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let log = trial.log(&format!("{body:?}"));
        let options = TaskOptions::new().retry(attempts(5));
        let script = Script::new().note(&log, "run").fail_for_good("hopeless");
        let outcome = trial.run(body.task(script).with_options(options))?;
        must_be("the error", outcome.error().map(|e| e.message()), Some("hopeless"))?;
        must("the error is permanent", outcome.error().is_some_and(|e| e.is_permanent()))?;
        must_be("the runs", log.count(), 1)?;
    }
    trial.finish()
}

fn a_policy_can_leave_errors_of_the_handler_alone(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let log = trial.log("log");
    let retry = attempts(5).retry_on(RetryOn::Infrastructure);
    let task = trial.task(Script::new().note(&log, "run").fail("the handler's own"));
    trial.run(task.with_options(TaskOptions::new().retry(retry)))?;
    must_be("the runs", log.count(), 1)?;
    trial.finish()
}

fn an_attempt_waits_for_its_backoff(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let retry = RetryPolicy::exponential(count(3), ms(40));
        let script = Script::new().fail_before(3, "not yet");
        let start = Instant::now();
        let outcome = trial.run(body.task(script).with_options(TaskOptions::new().retry(retry)))?;
        must("the third attempt succeeds", outcome.is_success())?;
        must("40 ms and then 80 ms have passed", start.elapsed() >= ms(120))?;
    }
    trial.finish()
}

fn retries_are_counted(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let task = trial.task(Script::new().fail_before(3, "not yet"));
    trial.run(task.with_options(TaskOptions::new().retry(attempts(3))))?;
    let counts = trial.executor().status().counts;
    must_be("the attempts that were followed by another", counts.retried, 2)?;
    must_be("the tasks", (counts.submitted, counts.succeeded, counts.failed), (1, 1, 0))?;
    trial.finish()
}
