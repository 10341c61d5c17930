//! How many tasks of one name may be alive.

use std::thread;

use super::{
    Fixture,
    script::Script,
    support::{Held, Trial, checks, count, ms, must, must_be, must_contain},
};
use crate::{Cancel, SubmitErrorKind, Task, TaskOptions};

checks! { "instances":
    a_task_beyond_the_limit_is_refused:
        "When as many tasks of a name are alive as its options allow, the next one is refused \
         by its id and the limit.",
    an_instance_is_free_after_every_end:
        "A task that succeeded, failed, panicked, timed out or was cancelled is no longer \
         an instance.",
    the_limit_holds_when_many_submit_at_once:
        "Checking the limit and taking an instance is one step.",
}

fn limited(task: Task, limit: u32) -> Task {
    let options = task.options().clone().max_instances(count(limit));
    task.with_options(options)
}

fn a_task_beyond_the_limit_is_refused(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let (gate, log) = (trial.gate("gate"), trial.log("log"));
    let task = || limited(trial.task(Script::new().note(&log, "run").wait(&gate)), 1);
    let first = trial.begin(task())?;
    trial.until_lines(&log, 1)?;
    let second = task();
    let id = second.id().to_string();
    for refused in [trial.refused(second.clone())?, trial.refused_now(second)?] {
        must_be("the reason", refused.kind, SubmitErrorKind::MaxInstances)?;
        must_contain("the message", &refused.message, &id)?;
        must_contain("the message", &refused.message, "1")?;
    }
    gate.open()?;
    must("the first succeeds", trial.outcome_of(first)?.is_success())?;
    must("there may be another now", trial.run(task())?.is_success())?;
    must_be("the runs", log.count(), 2)?;
    trial.finish()
}

fn an_instance_is_free_after_every_end(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let gate = trial.gate("never");
    let short = TaskOptions::new().time_limit(ms(20))?;
    for body in trial.bodies() {
        // Often, because whoever learns of an end must find the instance free at once.
        for _ in 0..50 {
            trial.run(limited(body.task(Script::new()), 1))?;
        }
        let ends = [
            body.task(Script::new().fail("an error")),
            body.task(Script::new().panic("a panic")),
            body.task(Script::new().wait_or_stop(&gate)).with_options(short.clone()),
        ];
        for task in ends {
            trial.run(limited(task, 1))?;
            trial.run(limited(body.task(Script::new()), 1))?;
        }
        let log = trial.log(&format!("{body:?}"));
        let cancelled = body.task(Script::new().note(&log, "runs").wait_or_stop(&gate));
        let begun = trial.begin(limited(cancelled, 1))?;
        trial.until_lines(&log, 1)?;
        must("it is alive", trial.cancel(begun.id)? != Cancel::NotFound)?;
        trial.outcome_of(begun)?;
        trial.run(limited(body.task(Script::new()), 1))?;
    }
    trial.finish()
}

fn the_limit_holds_when_many_submit_at_once(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_ahead()?;
    let gate = trial.gate("gate");
    let task = || limited(trial.task(Script::new().wait(&gate)), 3);
    let handles = thread::scope(|scope| {
        let submitting: Vec<_> =
            (0..12).map(|_| scope.spawn(|| trial.executor().try_submit(task()))).collect();
        submitting.into_iter().filter_map(|thread| thread.join().ok()).collect::<Vec<_>>()
    });
    gate.open()?;
    must_be("the submissions", handles.len(), 12)?;
    let mut ran = 0;
    for handle in handles.into_iter().flatten() {
        // Where acceptance takes a round trip, the refusal comes by the handle.
        ran += usize::from(trial.outcome(handle)?.is_success());
    }
    must_be("how many were accepted", ran, 3)?;
    trial.finish()
}
