//! Asking tasks to stop.

use std::thread;

use super::{
    Fixture,
    script::{Body, Script},
    support::{Begun, Gate, Held, Log, Trial, attempts, checks, count, ms, must, must_be, story},
};
use crate::{
    Cancel, EventFilter, Outcome, RetryPolicy, State, Stopping, Task, TaskId, TaskOptions,
    blocking::block_on_for,
};

checks! { "cancel":
    a_queued_task_never_runs:
        "A task that is cancelled while it waits for a worker never runs.",
    a_delayed_task_never_runs:
        "A task that is cancelled while it waits for its delay never runs, \
         and ends long before that is over.",
    a_sync_body_stops_when_it_looks:
        "A synchronous body sees the wish that it stops, and its task is then Cancelled.",
    an_async_body_sees_the_wish:
        "An async body can await the wish that it stops, and has its grace to act on it.",
    an_async_body_stops_at_its_next_await:
        "An async body without grace is dropped at its next await; its destructors run \
         before the handle resolves.",
    cancelled_means_stopped:
        "A task is Cancelled only when its body has stopped.",
    a_sync_body_that_does_not_look:
        "A synchronous body that ignores the wish keeps its result where stopping is \
         cooperative, and is stopped after its grace where it is enforced.",
    a_body_that_fails_when_asked_to_stop_is_cancelled:
        "A body that ends by an error or a panic when it is asked to stop is Cancelled, \
         with its last word kept.",
    a_result_that_is_there_wins:
        "A body that returns its result although it was asked to stop has succeeded.",
    cancelling_again_changes_nothing:
        "Cancelling is idempotent, also from many threads: one request and one end are told.",
    an_unknown_task_is_not_found:
        "Cancelling a task that is unknown or has ended says NotFound.",
    a_handle_can_cancel:
        "A handle can cancel its task.",
    the_answer_agrees_with_the_end:
        "However a cancellation meets the end of its task: Confirmed means that it never ran, \
         NotFound that it had ended, and there is one final event.",
    cancelling_all_counts_and_ends_them:
        "Cancelling all tasks returns how many there were, and each ends as Cancelled, \
         with one final event; what waits does not start in the place of what stops.",
    a_cancelled_task_is_not_tried_again:
        "A task that is cancelled while it runs is never tried again.",
    a_task_between_attempts_can_be_cancelled:
        "A task that is cancelled while it waits for its next attempt never runs again.",
}

/// The usual script of a body that waits to be stopped.
fn stoppable(trial: &Trial) -> Held<(Script, Log, Gate)> {
    let (gate, log) = (trial.gate("never"), trial.log("log"));
    Ok((Script::new().note(&log, "runs").wait_or_stop(&gate), log, gate))
}

/// Submits a task whose body writes a line when it begins, and cancels it then.
fn begin_and_cancel(trial: &Trial, task: Task, log: &Log) -> Held<Begun> {
    let begun = trial.begin(task)?;
    trial.until_lines(log, 1)?;
    trial.cancel_live(begun.id)?;
    Ok(begun)
}

fn must_be_cancelled(outcome: &Outcome) -> Held {
    must_be("the state", outcome.state(), State::Cancelled)
}

fn a_queued_task_never_runs(fixture: &dyn Fixture) -> Held {
    let trial = Trial::single(fixture)?;
    trial.needs_queue()?;
    let log = trial.log("log");
    let busy = trial.occupy(1)?;
    let begun = trial.begin(Body::Sync.task(Script::new().note(&log, "run")))?;
    trial.cancel_live(begun.id)?;
    let outcome = trial.outcome_of(begun)?;
    must_be_cancelled(&outcome)?;
    must_be("the attempts", outcome.attempts(), 0)?;
    trial.release(busy)?;
    // The only worker has passed it by when it runs what came after it.
    trial.run(Body::Sync.task(Script::new()))?;
    must_be("the runs", log.count(), 0)?;
    trial.finish()
}

fn a_delayed_task_never_runs(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let log = trial.log("log");
    let mut watch = trial.watch(EventFilter::all());
    for body in trial.bodies() {
        let options = TaskOptions::new().delay(trial.long());
        let task = body.task(Script::new().note(&log, "run")).with_options(options);
        let begun = trial.begin(task)?;
        watch.next_that("submitted")?;
        trial.cancel_live(begun.id)?;
        must_be_cancelled(&trial.outcome_of(begun)?)?;
    }
    must_be("the runs", log.count(), 0)?;
    trial.finish()
}

fn a_sync_body_stops_when_it_looks(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_sync()?;
    let (script, log, _gate) = stoppable(&trial)?;
    let begun = begin_and_cancel(&trial, Body::Sync.task(script), &log)?;
    must_be_cancelled(&trial.outcome_of(begun)?)?;
    trial.finish()
}

fn an_async_body_sees_the_wish(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_async()?;
    let log = trial.log("log");
    let script = Script::new().note(&log, "runs").await_stop().note(&log, "saw it").fail("bye");
    let options = TaskOptions::new().grace(trial.long());
    let begun = begin_and_cancel(&trial, Body::Async.task(script).with_options(options), &log)?;
    must_be_cancelled(&trial.outcome_of(begun)?)?;
    must_be("what the body did", log.lines(), ["runs", "saw it"])?;
    trial.finish()
}

fn an_async_body_stops_at_its_next_await(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_async()?;
    let (gate, log) = (trial.gate("gate"), trial.log("log"));
    let script = Script::new()
        .note_at_end(&log, "dropped")
        .note(&log, "runs")
        .wait(&gate)
        .note(&log, "went on");
    let options = TaskOptions::new().grace(ms(0));
    let begun = begin_and_cancel(&trial, Body::Async.task(script).with_options(options), &log)?;
    must_be_cancelled(&trial.outcome_of(begun)?)?;
    must_be("what the body did", log.lines(), ["runs", "dropped"])?;
    trial.finish()
}

fn cancelled_means_stopped(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let gate = trial.gate(&format!("gate-{body:?}"));
        let log = trial.log(&format!("log-{body:?}"));
        let script =
            Script::new().note(&log, "runs").await_stop().note(&log, "stops").wait(&gate).fail("");
        let options = TaskOptions::new().grace(trial.long());
        let task = body.task(script).with_options(options);
        let mut ends = trial.watch(EventFilter::all().task(task.id()).only_final());
        let begun = begin_and_cancel(&trial, task, &log)?;
        trial.until_lines(&log, 2)?;
        let early = ends.within(ms(50))?;
        must(format!("it has not ended while its body runs: {early:?}"), early.is_none())?;
        gate.open()?;
        must_be_cancelled(&trial.outcome_of(begun)?)?;
    }
    trial.finish()
}

fn a_sync_body_that_does_not_look(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_sync()?;
    let (gate, log) = (trial.gate("gate"), trial.log("log"));
    let script = Script::new().note(&log, "runs").wait(&gate).reply("all the same");
    let options = TaskOptions::new().grace(ms(50));
    let begun = begin_and_cancel(&trial, Body::Sync.task(script).with_options(options), &log)?;
    if trial.can().stop_sync == Stopping::Enforced {
        must_be_cancelled(&trial.outcome_of(begun)?)?;
    } else {
        gate.open()?;
        must_be("the result", trial.reply_of(begun)?, "all the same")?;
    }
    trial.finish()
}

fn a_body_that_fails_when_asked_to_stop_is_cancelled(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        for last in [Script::fail as fn(Script, &str) -> Script, Script::panic] {
            let log = trial.log(&format!("{body:?}-{}", TaskId::new()));
            let script = last(Script::new().note(&log, "runs").await_stop(), "a last word");
            let options = TaskOptions::new().grace(trial.long());
            let begun = begin_and_cancel(&trial, body.task(script).with_options(options), &log)?;
            let outcome = trial.outcome_of(begun)?;
            must_be_cancelled(&outcome)?;
            let error = outcome.error().map(ToString::to_string).unwrap_or_default();
            must(format!("its last word is kept: {error}"), error.contains("a last word"))?;
        }
    }
    trial.finish()
}

fn a_result_that_is_there_wins(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let log = trial.log(&format!("{body:?}"));
        let script = Script::new().note(&log, "runs").await_stop().reply("just done");
        let options = TaskOptions::new().grace(trial.long());
        let begun = begin_and_cancel(&trial, body.task(script).with_options(options), &log)?;
        must_be("the result", trial.reply_of(begun)?, "just done")?;
    }
    trial.finish()
}

fn cancelling_again_changes_nothing(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let log = trial.log("log");
    let watch = trial.watch(EventFilter::all());
    let gate = trial.gate("gate");
    let script = Script::new().note(&log, "runs").await_stop().wait(&gate).fail("stopped");
    let options = TaskOptions::new().grace(trial.long());
    let begun = trial.begin(trial.task(script).with_options(options))?;
    let id = begun.id;
    trial.until_lines(&log, 1)?;
    thread::scope(|scope| {
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(|| trial.cancel_live(id))).collect();
        asking.into_iter().try_for_each(|thread| match thread.join() {
            Ok(answered) => answered,
            Err(_) => must("no cancellation panics", false),
        })
    })?;
    gate.open()?;
    must_be_cancelled(&trial.outcome_of(begun)?)?;
    trial.finish()?;
    let events = ["submitted", "started 1", "cancel requested", "finished cancelled 1"];
    must_be("the events", story(&watch.rest()?, id), events)
}

fn an_unknown_task_is_not_found(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    must_be("an unknown task", trial.cancel(TaskId::new())?, Cancel::NotFound)?;
    let mut handle = trial.submit(trial.task(Script::new().reply("done")))?;
    must("it succeeds", handle.wait_timeout(trial.patience())?.is_success())?;
    must_be("a task that has ended", trial.cancel(handle.task_id())?, Cancel::NotFound)?;
    must_be("by its handle", handle.cancel(), Cancel::NotFound)?;
    must_be("its state", handle.state(), State::Succeeded)?;
    trial.finish()
}

fn a_handle_can_cancel(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_ahead()?;
    let (script, log, _gate) = stoppable(&trial)?;
    let handle = trial.submit(trial.task(script))?;
    trial.until_lines(&log, 1)?;
    must("it is there", handle.cancel() != Cancel::NotFound)?;
    must_be_cancelled(&trial.outcome(handle)?)?;
    trial.finish()
}

fn the_answer_agrees_with_the_end(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_ahead()?;
    let watch = trial.watch(EventFilter::all().only_final());
    let mut ids = Vec::new();
    for round in 0..60 {
        let log = trial.log(&format!("log-{round}"));
        let handle = trial.submit(trial.task(Script::new().note(&log, "ran")))?;
        // Meets the task while it waits, runs, or has just ended.
        thread::sleep(std::time::Duration::from_micros(20 * (round % 10)));
        let answer = trial.cancel(handle.task_id())?;
        ids.push(handle.task_id());
        let state = trial.outcome(handle)?.state();
        let agrees = match answer {
            Cancel::Confirmed => state == State::Cancelled && log.count() == 0,
            Cancel::NotFound => state == State::Succeeded,
            Cancel::Requested => state.is_final(),
            Cancel::Unsupported => false,
        };
        must(format!("{answer:?} agrees with {state}"), agrees)?;
    }
    trial.finish()?;
    let ends = watch.rest()?;
    for id in ids {
        must_be("the final events of a task", story(&ends, id).len(), 1)?;
    }
    Ok(())
}

fn cancelling_all_counts_and_ends_them(fixture: &dyn Fixture) -> Held {
    let trial = Trial::single(fixture)?;
    trial.needs_queue()?;
    let watch = trial.watch(EventFilter::all().only_final());
    let (script, log, _gate) = stoppable(&trial)?;
    let mut begun = vec![trial.begin(Body::Sync.task(script.clone()))?];
    trial.until_lines(&log, 1)?;
    for _ in 0..3 {
        begun.push(trial.begin(Body::Sync.task(script.clone()))?);
    }
    let delay = TaskOptions::new().delay(trial.long());
    begun.push(trial.begin(Body::Sync.task(script).with_options(delay))?);
    let ids: Vec<_> = begun.iter().map(|begun| begun.id).collect();
    let cancelled = block_on_for(trial.executor().cancel_all(), Some(trial.patience()))?;
    must_be("how many were cancelled", cancelled, 5)?;
    for begun in begun {
        must_be_cancelled(&trial.outcome_of(begun)?)?;
    }
    // The only worker has passed them by when it runs what came after them.
    trial.run(Body::Sync.task(Script::new()))?;
    must_be("the runs", log.count(), 1)?;
    let none = block_on_for(trial.executor().cancel_all(), Some(trial.patience()))?;
    must_be("how many there are left", none, 0)?;
    trial.finish()?;
    let ends = watch.rest()?;
    for id in ids {
        let told = story(&ends, id);
        let once = told.len() == 1 && told[0].starts_with("finished cancelled");
        must(format!("each has one final event: {told:?}"), once)?;
    }
    Ok(())
}

fn a_cancelled_task_is_not_tried_again(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let log = trial.log(&format!("{body:?}"));
        let script = Script::new().note(&log, "runs").await_stop().fail("stopped");
        let options = TaskOptions::new().grace(trial.long()).retry(attempts(5));
        let begun = begin_and_cancel(&trial, body.task(script).with_options(options), &log)?;
        let outcome = trial.outcome_of(begun)?;
        must_be_cancelled(&outcome)?;
        must_be("the attempts", outcome.attempts(), 1)?;
        must_be("the runs", log.count(), 1)?;
    }
    trial.finish()
}

fn a_task_between_attempts_can_be_cancelled(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let log = trial.log(&format!("{body:?}"));
        let retry = RetryPolicy::fixed(count(3), trial.long());
        let task = body
            .task(Script::new().note(&log, "runs").fail("try again"))
            .with_options(TaskOptions::new().retry(retry));
        let mut watch = trial.watch(EventFilter::all().task(task.id()));
        let begun = trial.begin(task)?;
        watch.next_that("retrying")?;
        trial.cancel_live(begun.id)?;
        let outcome = trial.outcome_of(begun)?;
        must_be_cancelled(&outcome)?;
        must_be("the attempts", outcome.attempts(), 1)?;
        must_be("the runs", log.count(), 1)?;
    }
    trial.finish()
}
