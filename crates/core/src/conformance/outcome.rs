//! How tasks end, and what is told about it.

use super::{
    Fixture,
    script::{Body, Script},
    support::{Held, Trial, checks, ms, must, must_be},
};
use crate::{Outcome, State, TaskErrorKind};

checks! { "outcome":
    an_error_keeps_its_message_and_its_causes:
        "The error of a body comes back as Failed with its message and its chain of causes.",
    an_error_without_words_is_an_error:
        "A body that fails with an empty message has failed, and says so.",
    a_panic_fails_only_its_own_task:
        "A body that panics fails its own task as Panicked with the message, \
         and the workers go on.",
    a_panic_that_panics_is_contained:
        "A panic whose payload panics when it is dropped harms no other task.",
    a_destructor_that_panics_is_contained:
        "A future that panics when it is dropped harms no other task.",
    a_crash_takes_only_its_own_task:
        "Where crashes are isolated, a body that ends its process is lost, \
         and the other tasks succeed.",
    an_outcome_tells_the_times_and_the_worker:
        "An outcome tells the attempts, the worker, and when the task was accepted, started \
         and ended.",
    failures_do_not_share_their_errors:
        "Each failed task has an error of its own.",
}

fn kind(outcome: &Outcome) -> Option<TaskErrorKind> {
    outcome.error().map(|error| error.kind().clone())
}

fn an_error_keeps_its_message_and_its_causes(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let outcome = trial.run(body.task(Script::new().fail_because("outer", "inner")))?;
        must_be("the state", outcome.state(), State::Failed)?;
        must_be("the kind", kind(&outcome), Some(TaskErrorKind::Failed))?;
        let error = outcome.error().map(|error| (error.message(), error.causes()));
        must_be("message and causes", error, Some(("outer", &["inner".to_owned()][..])))?;
    }
    trial.finish()
}

fn an_error_without_words_is_an_error(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let outcome = trial.run(body.task(Script::new().reply("ignored").fail("")))?;
        must_be("the state", outcome.state(), State::Failed)?;
        let worded = outcome.error().is_some_and(|error| !error.to_string().is_empty());
        must("the error says something", worded)?;
    }
    trial.finish()
}

fn a_panic_fails_only_its_own_task(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        // More often than there are workers.
        for _ in 0..5 {
            let outcome = trial.run(body.task(Script::new().panic("on purpose")))?;
            must_be("the kind", kind(&outcome), Some(TaskErrorKind::Panicked))?;
            must_be("the state", outcome.state(), State::Failed)?;
            let told = outcome.error().is_some_and(|error| error.message().contains("on purpose"));
            must("the error has the message of the panic", told)?;
        }
        must_be("the next task", trial.reply(body.task(Script::new().reply("well")))?, "well")?;
    }
    trial.finish()
}

fn a_panic_that_panics_is_contained(fixture: &dyn Fixture) -> Held {
    let trial = Trial::single(fixture)?;
    for body in trial.bodies() {
        for _ in 0..3 {
            let outcome = trial.run(body.task(Script::new().panic_with_bomb()))?;
            must_be("the kind", kind(&outcome), Some(TaskErrorKind::Panicked))?;
        }
        must_be("the next task", trial.reply(body.task(Script::new().reply("well")))?, "well")?;
    }
    trial.finish()
}

fn a_destructor_that_panics_is_contained(fixture: &dyn Fixture) -> Held {
    let trial = Trial::single(fixture)?;
    trial.needs_async()?;
    let (gate, log) = (trial.gate("never"), trial.log("log"));
    for runs in 1..=3 {
        let script = Script::new().panic_at_end("in a destructor").note(&log, "runs").wait(&gate);
        let begun = trial.begin(Body::Async.task(script))?;
        trial.until_lines(&log, runs)?;
        trial.cancel_live(begun.id)?;
        must_be("the state", trial.outcome_of(begun)?.state(), State::Cancelled)?;
    }
    must_be("the next task", trial.reply(Body::Async.task(Script::new().reply("well")))?, "well")?;
    trial.finish()
}

fn a_crash_takes_only_its_own_task(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs(trial.can().isolates_crash, "isolates_crash is false")?;
    for body in trial.bodies() {
        let crash = trial.begin(body.task(Script::new().abort()))?;
        let others = (0..8)
            .map(|_| trial.begin(body.task(Script::new().reply("well"))))
            .collect::<Held<Vec<_>>>()?;
        must_be("the state", trial.outcome_of(crash)?.state(), State::Lost)?;
        for other in others {
            must_be("another task", trial.reply_of(other)?, "well")?;
        }
    }
    trial.finish()
}

fn an_outcome_tells_the_times_and_the_worker(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let outcome = trial.run(body.task(Script::new().sleep(ms(20))))?;
        must_be("the attempts", outcome.attempts(), 1)?;
        must("the worker has a name", outcome.worker().is_some_and(|name| !name.is_empty()))?;
        let times = outcome.timings();
        let (submitted, started) = (times.submitted_at(), times.started_at());
        let finished = times.finished_at();
        let told = submitted.is_some() && started.is_some() && finished.is_some();
        must(format!("all times are told: {times:?}"), told)?;
        must(format!("{times:?} are in order"), submitted <= started && started <= finished)?;
        must("the run time is told", times.run_time() >= Some(ms(20)))?;
    }
    trial.finish()
}

fn failures_do_not_share_their_errors(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let words: Vec<_> = (0..10).map(|n| format!("error {n}")).collect();
        let begun = words
            .iter()
            .map(|words| trial.begin(body.task(Script::new().fail(words))))
            .collect::<Held<Vec<_>>>()?;
        for (begun, words) in begun.into_iter().zip(&words) {
            let outcome = trial.outcome_of(begun)?;
            must_be("the message", outcome.error().map(|error| error.message()), Some(&**words))?;
        }
    }
    trial.finish()
}
