//! What is done around each attempt.

mod diary;

use std::sync::Arc;

use self::diary::{Diary, Manner};
use super::{
    Fixture, Spec,
    script::Script,
    support::{Held, Trial, attempts, checks, ms, must, must_be, must_contain},
};
use crate::{
    Cancel, EventFilter, Hooks, Metadata, Outcome, Shutdown, State, TaskErrorKind, TaskOptions,
};

checks! { "hooks":
    they_run_around_the_body:
        "Setup runs before the body and teardown after it, with the outcome, and before the \
         handle resolves.",
    a_failing_setup_keeps_the_body_from_running:
        "When setup fails the body never runs, the task fails, and teardown follows once.",
    a_panicking_setup_fails_the_task:
        "A setup that panics counts as one that fails.",
    teardown_follows_once_whatever_happens:
        "Teardown runs exactly once after an error, a panic, a time limit and a cancellation.",
    a_failing_teardown_is_added:
        "The error of a teardown is added to the outcome and never replaces the result.",
    a_panicking_teardown_is_added:
        "A teardown that panics counts as one that fails.",
    a_failing_teardown_does_not_hide_an_error:
        "The error of a teardown never replaces the error of the body.",
    they_run_around_each_attempt:
        "Setup and teardown run around each attempt.",
    all_see_the_same_metadata:
        "Setup, body and teardown see the metadata that the task was submitted with.",
    a_task_cancelled_during_setup_does_not_run:
        "A task that is cancelled during its setup does not run, and is torn down once.",
    a_task_cancelled_during_teardown_is_not_tried_again:
        "A task that is cancelled during the teardown of a failed attempt is not tried again.",
    a_task_that_never_starts_is_not_set_up:
        "Nothing is set up or torn down for a task that is cancelled while it waits.",
    an_abort_tears_down:
        "A task that is stopped by the abort of its executor is torn down once.",
}

/// A trial with hooks that keep a diary.
fn with(fixture: &dyn Fixture, diary: Diary) -> Held<(Trial, Arc<Diary>)> {
    let diary = Arc::new(diary);
    let hooks = Arc::clone(&diary) as Arc<dyn Hooks>;
    Ok((Trial::new(fixture, Spec::default().workers(1).hooks(hooks))?, diary))
}

fn they_run_around_the_body(fixture: &dyn Fixture) -> Held {
    let (trial, diary) = with(fixture, Diary::default())?;
    for body in trial.bodies() {
        let log = trial.log(&format!("{body:?}"));
        diary.watch(&log);
        must_be("the result", trial.reply(body.task(Script::new().reply("well")))?, "well")?;
        must_be("the hooks", diary.take(), ["setup 1", "teardown 1 succeeded"])?;
        trial.run(body.task(Script::new().note(&log, "body")))?;
        must_be("the order", log.lines(), ["setup", "teardown", "setup", "body", "teardown"])?;
        diary.take();
    }
    trial.finish()
}

fn must_not_have_run(outcome: &Outcome, word: &str) -> Held {
    must_be("the state", outcome.state(), State::Failed)?;
    must_be("the attempts", outcome.attempts(), 0)?;
    let message = outcome.error().map(ToString::to_string).unwrap_or_default();
    must_contain("the error", &message, word)
}

fn a_failing_setup_keeps_the_body_from_running(fixture: &dyn Fixture) -> Held {
    let (trial, diary) = with(fixture, Diary::default().setup(Manner::Fails))?;
    for body in trial.bodies() {
        let log = trial.log(&format!("{body:?}"));
        let outcome = trial.run(body.task(Script::new().note(&log, "run")))?;
        must_not_have_run(&outcome, "setup failed")?;
        must_be("the runs", log.count(), 0)?;
        must_be("the hooks", diary.take(), ["setup 1", "teardown 1 failed"])?;
    }
    trial.finish()
}

fn a_panicking_setup_fails_the_task(fixture: &dyn Fixture) -> Held {
    let (trial, diary) = with(fixture, Diary::default().setup(Manner::Panics))?;
    for body in trial.bodies() {
        let log = trial.log(&format!("{body:?}"));
        let outcome = trial.run(body.task(Script::new().note(&log, "run")))?;
        must_not_have_run(&outcome, "setup panicked")?;
        must_be("the runs", log.count(), 0)?;
        must_be("the hooks", diary.take(), ["setup 1", "teardown 1 failed"])?;
    }
    trial.finish()
}

fn teardown_follows_once_whatever_happens(fixture: &dyn Fixture) -> Held {
    let (trial, diary) = with(fixture, Diary::default())?;
    let limit = TaskOptions::new().time_limit(ms(30))?;
    for body in trial.bodies() {
        for script in [Script::new().fail("an error"), Script::new().panic("a panic")] {
            trial.run(body.task(script))?;
            must_be("the hooks", diary.take(), ["setup 1", "teardown 1 failed"])?;
        }
        let late = Script::new().await_stop().fail("out of time");
        trial.run(body.task(late).with_options(limit.clone()))?;
        must_be("the hooks", diary.take(), ["setup 1", "teardown 1 timed_out"])?;
        let log = trial.log(&format!("{body:?}"));
        let stopped = Script::new().note(&log, "runs").await_stop().fail("stopped");
        let begun = trial.begin(body.task(stopped))?;
        trial.until_lines(&log, 1)?;
        trial.cancel_live(begun.id)?;
        trial.outcome_of(begun)?;
        must_be("the hooks", diary.take(), ["setup 1", "teardown 1 cancelled"])?;
    }
    trial.finish()
}

fn must_note(outcome: &Outcome, word: &str) -> Held {
    must_contain("the outcome", &outcome.notes().join("; "), word)
}

fn a_failing_teardown_is_added(fixture: &dyn Fixture) -> Held {
    let (trial, diary) = with(fixture, Diary::default().teardown(Manner::Fails))?;
    for body in trial.bodies() {
        let outcome = trial.run(body.task(Script::new().reply("the result")))?;
        must_note(&outcome, "teardown failed")?;
        let result = outcome.decode::<String>().into_result()?;
        must_be("the result", result, "the result")?;
        must_be("the hooks", diary.take(), ["setup 1", "teardown 1 succeeded"])?;
    }
    trial.finish()
}

fn a_panicking_teardown_is_added(fixture: &dyn Fixture) -> Held {
    let (trial, diary) = with(fixture, Diary::default().teardown(Manner::Panics))?;
    for body in trial.bodies() {
        let outcome = trial.run(body.task(Script::new()))?;
        must("the task has succeeded", outcome.is_success())?;
        must_note(&outcome, "teardown panicked")?;
        must_be("the hooks", diary.take(), ["setup 1", "teardown 1 succeeded"])?;
    }
    trial.finish()
}

fn a_failing_teardown_does_not_hide_an_error(fixture: &dyn Fixture) -> Held {
    let (trial, _diary) = with(fixture, Diary::default().teardown(Manner::Fails))?;
    for body in trial.bodies() {
        let outcome = trial.run(body.task(Script::new().fail("the body's own")))?;
        let error = outcome.error().map(|error| (error.kind().clone(), error.message()));
        let expected = Some((TaskErrorKind::Failed, "the body's own"));
        must_be("the error", error, expected)?;
        must_note(&outcome, "teardown failed")?;
    }
    trial.finish()
}

fn they_run_around_each_attempt(fixture: &dyn Fixture) -> Held {
    let (trial, diary) = with(fixture, Diary::default())?;
    for body in trial.bodies() {
        let options = TaskOptions::new().retry(attempts(3));
        let task = body.task(Script::new().fail_before(2, "not yet")).with_options(options);
        must("the second attempt succeeds", trial.run(task)?.is_success())?;
        let expected = ["setup 1", "teardown 1 failed", "setup 2", "teardown 2 succeeded"];
        must_be("the hooks", diary.take(), expected)?;
    }
    trial.finish()
}

fn all_see_the_same_metadata(fixture: &dyn Fixture) -> Held {
    let (trial, diary) = with(fixture, Diary::default())?;
    for body in trial.bodies() {
        let metadata = Metadata::new().with("colour", "blue").with("größe", "1 m");
        let task = body.task(Script::new().reply_metadata()).with_metadata(metadata.clone());
        let entries = format!("{:?}", metadata.iter().collect::<Vec<_>>());
        must_be("what the body saw", trial.reply(task)?, entries)?;
        must_be("what the hooks saw", diary.metadata(), [metadata.clone(), metadata])?;
    }
    trial.finish()
}

fn a_task_cancelled_during_setup_does_not_run(fixture: &dyn Fixture) -> Held {
    for body in Trial::usual(fixture)?.bodies() {
        let (trial, diary) = with(fixture, Diary::default().setup(Manner::Waits))?;
        let log = trial.log("log");
        let begun = trial.begin(body.task(Script::new().note(&log, "run")))?;
        trial.until("its setup has begun", || diary.has("setup 1"))?;
        trial.cancel_live(begun.id)?;
        diary.go_on();
        let outcome = trial.outcome_of(begun)?;
        must_be("the state", outcome.state(), State::Cancelled)?;
        must_be("the runs", log.count(), 0)?;
        must_be("the hooks", diary.take(), ["setup 1", "teardown 1 cancelled"])?;
        trial.finish()?;
    }
    Ok(())
}

fn a_task_cancelled_during_teardown_is_not_tried_again(fixture: &dyn Fixture) -> Held {
    for body in Trial::usual(fixture)?.bodies() {
        let (trial, diary) = with(fixture, Diary::default().teardown(Manner::Waits))?;
        let log = trial.log("log");
        let task = body.task(Script::new().note(&log, "run").fail("try again"));
        let begun = trial.begin(task.with_options(TaskOptions::new().retry(attempts(3))))?;
        trial.until("its teardown has begun", || diary.has("teardown 1 failed"))?;
        must_be("the answer", trial.cancel(begun.id)?, Cancel::Requested)?;
        diary.go_on();
        must_be("the state", trial.outcome_of(begun)?.state(), State::Cancelled)?;
        must_be("the runs", log.count(), 1)?;
        must_be("the hooks", diary.take(), ["setup 1", "teardown 1 failed"])?;
        trial.finish()?;
    }
    Ok(())
}

fn a_task_that_never_starts_is_not_set_up(fixture: &dyn Fixture) -> Held {
    let (trial, diary) = with(fixture, Diary::default())?;
    let mut watch = trial.watch(EventFilter::all());
    let options = TaskOptions::new().delay(trial.long());
    let begun = trial.begin(trial.task(Script::new()).with_options(options))?;
    watch.next_that("submitted")?;
    trial.cancel_live(begun.id)?;
    must_be("the state", trial.outcome_of(begun)?.state(), State::Cancelled)?;
    must_be("the hooks", diary.take(), [""; 0])?;
    trial.finish()
}

fn an_abort_tears_down(fixture: &dyn Fixture) -> Held {
    for body in Trial::usual(fixture)?.bodies() {
        let (trial, diary) = with(fixture, Diary::default())?;
        let (gate, log) = (trial.gate("never"), trial.log("log"));
        let begun = trial.begin(body.task(Script::new().note(&log, "runs").wait_or_stop(&gate)))?;
        trial.until_lines(&log, 1)?;
        must("it has stopped", trial.stop(Shutdown::abort(trial.long()))?.stopped)?;
        must_be("the state", trial.outcome_of(begun)?.state(), State::Cancelled)?;
        must_be("the hooks", diary.take(), ["setup 1", "teardown 1 cancelled"])?;
    }
    Ok(())
}
