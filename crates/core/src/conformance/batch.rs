//! Several tasks at once.

use super::{
    Fixture, Spec,
    script::{Body, Script},
    support::{Held, Stop, Trial, checks, count, must, must_be},
};
use crate::{
    Batch, Codec, Payload, SubmitErrorKind, SubmitManyError, Task, TaskHandle, TaskName,
    TaskOptions, blocking::block_on,
};

checks! { "batch":
    handles_come_in_the_order_of_the_tasks:
        "The handles of a batch come in the order of its tasks.",
    an_empty_batch_is_fine:
        "An empty batch has no handles and is no error.",
    a_batch_larger_than_the_room_waits:
        "A batch that waits is accepted task by task as room comes.",
    a_batch_that_does_not_fit_is_refused_whole:
        "A batch that is to fit and does not is refused whole, and nothing of it runs.",
    a_batch_with_an_unknown_task_is_refused_whole:
        "One unknown name refuses the whole batch before anything starts, by its place.",
    a_batch_with_contradicting_options_is_refused_whole:
        "One task with contradicting options refuses the whole batch before anything starts.",
    a_batch_with_one_id_twice_is_refused_whole:
        "An id that is in the batch twice refuses it before anything starts.",
    a_batch_with_a_live_id_is_refused_whole:
        "The id of a live task refuses the whole batch before anything starts.",
    a_batch_beyond_an_instance_limit_is_refused_whole:
        "A batch with more tasks of a name than may be alive is refused before anything starts.",
}

fn submit(
    trial: &Trial,
    tasks: Vec<Task>,
    batch: Batch,
) -> Held<Result<Vec<TaskHandle>, SubmitManyError>> {
    trial.in_time(move |executor| block_on(executor.submit_many(tasks, batch)))
}

fn handles_come_in_the_order_of_the_tasks(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let words: Vec<_> = (0..20).map(|n| format!("task {n}")).collect();
    let tasks: Vec<_> = words.iter().map(|word| trial.task(Script::new().reply(word))).collect();
    let ids: Vec<_> = tasks.iter().map(Task::id).collect();
    let handles = submit(&trial, tasks, Batch::Wait)??;
    must_be("the ids", handles.iter().map(TaskHandle::task_id).collect::<Vec<_>>(), ids)?;
    for (handle, word) in handles.into_iter().zip(&words) {
        let result = trial.outcome(handle.decoded::<String>())?.into_result()?;
        must_be("the result", &result, word)?;
    }
    trial.finish()
}

fn an_empty_batch_is_fine(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for batch in [Batch::Wait, Batch::Fit] {
        must_be("the handles", submit(&trial, Vec::new(), batch)??.len(), 0)?;
    }
    trial.finish()
}

fn a_batch_larger_than_the_room_waits(fixture: &dyn Fixture) -> Held {
    let trial = Trial::new(fixture, Spec::default().limit(2))?;
    let log = trial.log("log");
    let tasks = (0..10).map(|_| trial.task(Script::new().note(&log, "run"))).collect();
    let handles = submit(&trial, tasks, Batch::Wait)??;
    must_be("the handles", handles.len(), 10)?;
    for handle in handles {
        must("a task succeeds", trial.outcome(handle)?.is_success())?;
    }
    must_be("the runs", log.count(), 10)?;
    trial.finish()
}

fn a_batch_that_does_not_fit_is_refused_whole(fixture: &dyn Fixture) -> Held {
    let trial = Trial::new(fixture, Spec::default().workers(1).limit(3))?;
    trial.needs_queue()?;
    let log = trial.log("log");
    let busy = trial.occupy(1)?;
    let tasks =
        |n| (0..n).map(|_| Body::Sync.task(Script::new().note(&log, "run"))).collect::<Vec<_>>();
    must_be_refused(&trial, tasks(3), Batch::Fit, SubmitErrorKind::Full, None)?;
    let fits = submit(&trial, tasks(2), Batch::Fit)??;
    trial.release(busy)?;
    for handle in fits {
        must("a task that fits succeeds", trial.outcome(handle)?.is_success())?;
    }
    must_be("the runs", log.count(), 2)?;
    trial.finish()
}

/// A batch is refused, whole, for that reason; and at that place, where the reason has one.
fn must_be_refused(
    trial: &Trial,
    tasks: Vec<Task>,
    batch: Batch,
    kind: SubmitErrorKind,
    index: Option<usize>,
) -> Held {
    let Err(error) = submit(trial, tasks.clone(), batch)? else {
        return Err(Stop::broken("a batch that is to be refused was accepted"));
    };
    must_be("the reason", error.kind(), kind)?;
    if let Some(index) = index {
        must_be("the place", error.index(), index)?;
    }
    let (given_back, accepted) = error.into_parts();
    must_be("the tasks that were accepted", accepted.len(), 0)?;
    let expected: Vec<_> = tasks.into_iter().enumerate().collect();
    must_be("the tasks that were given back", given_back, expected)
}

/// Puts a bad task in the middle of good ones: nothing of the batch may run.
fn must_be_refused_for(
    trial: Trial,
    bad: impl Fn(&[Task]) -> Held<Task>,
    kind: SubmitErrorKind,
) -> Held {
    let log = trial.log("log");
    let mut tasks: Vec<_> = (0..4).map(|_| trial.task(Script::new().note(&log, "run"))).collect();
    let bad = bad(&tasks)?;
    tasks.insert(2, bad);
    for batch in [Batch::Wait, Batch::Fit] {
        must_be_refused(&trial, tasks.clone(), batch, kind, Some(2))?;
    }
    must_be("the runs", log.count(), 0)?;
    tasks.remove(2);
    for handle in submit(&trial, tasks, Batch::Wait)?? {
        must("the rest can be submitted again", trial.outcome(handle)?.is_success())?;
    }
    must_be("the runs", log.count(), 4)?;
    trial.finish()
}

fn a_batch_with_an_unknown_task_is_refused_whole(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let name = TaskName::new("conformance.unknown")?;
    let unknown = || Task::new(name.clone(), Payload::new(Codec::Json, "null"));
    let known_later = trial.executor().try_submit(unknown()).is_ok();
    trial.needs(!known_later, "unknown names: they are found out only where the task would run")?;
    must_be_refused_for(trial, |_| Ok(unknown()), SubmitErrorKind::UnknownTask)
}

fn a_batch_with_contradicting_options_is_refused_whole(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let second = std::time::Duration::from_secs(1);
    let options = TaskOptions::new().delay(second).expires(second);
    let bad = trial.task(Script::new()).with_options(options);
    must_be_refused_for(trial, |_| Ok(bad.clone()), SubmitErrorKind::InvalidOptions)
}

fn a_batch_with_one_id_twice_is_refused_whole(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let twice = |tasks: &[Task]| Ok(tasks[0].clone());
    must_be_refused_for(trial, twice, SubmitErrorKind::DuplicateId)
}

fn a_batch_with_a_live_id_is_refused_whole(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_ahead()?;
    let gate = trial.gate("gate");
    let alive = trial.task(Script::new().wait(&gate));
    let begun = trial.begin(alive.clone())?;
    let batch = vec![trial.task(Script::new()), alive];
    must_be_refused(&trial, batch, Batch::Wait, SubmitErrorKind::DuplicateId, Some(1))?;
    gate.open()?;
    must("the live one succeeds", trial.outcome_of(begun)?.is_success())?;
    trial.finish()
}

fn a_batch_beyond_an_instance_limit_is_refused_whole(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_ahead()?;
    let log = trial.log("log");
    let options = TaskOptions::new().max_instances(count(2));
    let task = || trial.task(Script::new().note(&log, "run")).with_options(options.clone());
    let tasks = vec![task(), task(), task()];
    let kind = SubmitErrorKind::MaxInstances;
    must_be_refused(&trial, tasks, Batch::Wait, kind, Some(2))?;
    must_be("the runs", log.count(), 0)?;
    for handle in submit(&trial, vec![task(), task()], Batch::Wait)?? {
        must("as many as allowed are accepted", trial.outcome(handle)?.is_success())?;
    }
    trial.finish()
}
