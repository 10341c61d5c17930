//! What is accepted is owned; what is refused is returned.

use super::{
    Fixture,
    registry::DOUBLE,
    script::Script,
    support::{Held, Trial, attempts, checks, ms, must, must_be, must_contain},
};
use crate::{
    Codec, ExecutorExt, Payload, State, SubmitErrorKind, Task, TaskErrorKind, TaskName,
    TaskOptions, WaitError, blocking::block_on_for,
};

checks! { "submit":
    every_kind_of_body_runs_to_its_end:
        "Synchronous and async bodies are run to their end, and their results come back.",
    a_result_waits_for_whoever_asks:
        "The result of a task that ended before anybody waited is still delivered.",
    a_handle_can_be_awaited_and_waited_for:
        "A handle is a future, and can be waited for by a thread.",
    a_wait_that_times_out_stops_nothing:
        "When the time of a wait is up the task runs on and can be waited for again.",
    dropping_a_handle_detaches:
        "A task whose handle is dropped runs on.",
    a_task_keeps_the_id_of_its_caller:
        "The handle has the id that the task was submitted with.",
    an_id_in_use_is_refused:
        "A task with the id of a live task is refused and given back, and the live one unharmed.",
    an_id_is_free_after_the_end:
        "The id of a task that has ended can be used again.",
    an_unknown_task_is_refused_with_the_nearest_name:
        "A name that is not registered is refused, with the most similar one that is.",
    contradicting_options_are_refused:
        "A task that would expire before its delay is over is refused and given back.",
    a_body_answers_in_the_codec_of_its_caller:
        "A handler takes MessagePack and JSON, and answers in kind.",
    arguments_that_do_not_fit_are_undecodable:
        "Arguments of the wrong type fail the task as undecodable, whatever its retry policy.",
    a_blocking_call_returns_the_result:
        "A plain thread can call a task and block for its result.",
    a_cache_folder_is_made_on_demand:
        "The cache folder of the options is made when the body asks for it, and not before.",
}

fn every_kind_of_body_runs_to_its_end(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let script = Script::new().sleep(ms(5)).reply("done").sleep(ms(5));
        must_be("the result", trial.reply(body.task(script))?, "done")?;
    }
    trial.finish()
}

fn a_result_waits_for_whoever_asks(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let handle = trial.submit(body.task(Script::new().reply("kept")))?;
        trial.until("the task has ended", || handle.state().is_final())?;
        let outcome = trial.outcome(handle.decoded::<String>())?;
        must_be("the result", outcome.into_result()?, "kept")?;
    }
    trial.finish()
}

fn a_handle_can_be_awaited_and_waited_for(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let awaited = trial.submit(trial.task(Script::new().sleep(ms(10))))?;
    let outcome = block_on_for(awaited, Some(trial.patience()))?;
    must("an awaited handle resolves", outcome.is_success())?;
    let mut waited = trial.submit(trial.task(Script::new().sleep(ms(10))))?;
    must("a wait ends with the task", waited.wait_timeout(trial.patience())?.is_success())?;
    trial.finish()
}

fn a_wait_that_times_out_stops_nothing(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_ahead()?;
    for body in trial.bodies() {
        let gate = trial.gate(&format!("{body:?}"));
        let mut handle = trial.submit(body.task(Script::new().wait(&gate).reply("late")))?;
        for _ in 0..2 {
            let waited = handle.wait_timeout(ms(20)).map(|outcome| outcome.state());
            must_be("a short wait", waited, Err(WaitError::TimedOut(ms(20))))?;
        }
        must("the task has not ended", !handle.state().is_final())?;
        gate.open()?;
        let outcome = trial.outcome(handle.decoded::<String>())?;
        must_be("the result", outcome.into_result()?, "late")?;
    }
    trial.finish()
}

fn dropping_a_handle_detaches(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_ahead()?;
    for body in trial.bodies() {
        let gate = trial.gate(&format!("gate-{body:?}"));
        let log = trial.log(&format!("log-{body:?}"));
        drop(trial.submit(body.task(Script::new().wait(&gate).note(&log, "ran on")))?);
        gate.open()?;
        trial.until_lines(&log, 1)?;
    }
    trial.finish()
}

fn a_task_keeps_the_id_of_its_caller(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let tasks = [trial.task(Script::new()), trial.task(Script::new())];
    let ids = [tasks[0].id(), tasks[1].id()];
    must("two tasks have two ids", ids[0] != ids[1])?;
    for (task, id) in tasks.into_iter().zip(ids) {
        let handle = trial.submit(task)?;
        must_be("the id of the handle", handle.task_id(), id)?;
        must_be("the id of the address", handle.job_handle().id(), id)?;
        trial.outcome(handle)?;
    }
    trial.finish()
}

fn an_id_in_use_is_refused(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let (gate, log) = (trial.gate("gate"), trial.log("log"));
    let task = trial.task(Script::new().note(&log, "run").wait(&gate).reply("first"));
    let first = trial.begin(task.clone())?;
    trial.until_lines(&log, 1)?;
    must_be("submit", trial.refused(task.clone())?.kind, SubmitErrorKind::DuplicateId)?;
    must_be("try_submit", trial.refused_now(task)?.kind, SubmitErrorKind::DuplicateId)?;
    gate.open()?;
    must_be("the result of the first", trial.reply_of(first)?, "first")?;
    must_be("the runs", log.count(), 1)?;
    trial.finish()
}

fn an_id_is_free_after_the_end(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let log = trial.log("log");
    let task = trial.task(Script::new().note(&log, "run"));
    for runs in 1..=20 {
        must("a run succeeds", trial.run(task.clone())?.is_success())?;
        must_be("the runs", log.count(), runs)?;
    }
    trial.finish()
}

fn an_unknown_task_is_refused_with_the_nearest_name(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let payload = Payload::encode(Codec::MessagePack, &1)?;
    let task =
        || -> Held<_> { Ok(Task::new(TaskName::new("conformance.duobel")?, payload.clone())) };
    for refused in [trial.refused(task()?)?, trial.refused_now(task()?)?] {
        must_be("the reason", refused.kind, SubmitErrorKind::UnknownTask)?;
        must_contain("the message", &refused.message, DOUBLE.name().as_str())?;
    }
    trial.finish()
}

fn contradicting_options_are_refused(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let log = trial.log("log");
    let options = TaskOptions::new().delay(ms(20)).expires(ms(10));
    let task = trial.task(Script::new().note(&log, "run")).with_options(options);
    must_be("submit", trial.refused(task.clone())?.kind, SubmitErrorKind::InvalidOptions)?;
    must_be("try_submit", trial.refused_now(task)?.kind, SubmitErrorKind::InvalidOptions)?;
    must_be("the runs", log.count(), 0)?;
    trial.finish()
}

fn a_body_answers_in_the_codec_of_its_caller(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_sync()?;
    for codec in [Codec::MessagePack, Codec::Json] {
        let result =
            trial.run(Task::new(DOUBLE.name(), Payload::encode(codec, &21)?))?.into_result()?;
        must_be("the codec of the result", result.codec(), codec)?;
        must_be("the result", result.decode::<u64>()?, 42)?;
    }
    trial.finish()
}

fn arguments_that_do_not_fit_are_undecodable(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_sync()?;
    let payload = Payload::encode(Codec::MessagePack, "no number")?;
    let options = TaskOptions::new().retry(attempts(3));
    let outcome = trial.run(Task::new(DOUBLE.name(), payload).with_options(options))?;
    must_be("the state", outcome.state(), State::Failed)?;
    let kind = outcome.error().map(|error| error.kind().clone());
    must_be("the error", kind, Some(TaskErrorKind::Undecodable))?;
    must("it is not tried again", outcome.attempts() <= 1)?;
    trial.finish()
}

fn a_blocking_call_returns_the_result(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_sync()?;
    let call = |number| trial.in_time(move |executor| executor.blocking_call(DOUBLE, &number));
    must_be("21 doubled", call(21)??, 42)?;
    let error = call(13)?.map_err(|error| error.to_string());
    must_be("13 doubled", error, Err("13 brings bad luck".to_owned()))?;
    trial.finish()
}

fn a_cache_folder_is_made_on_demand(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let folder = trial.file(&format!("caches/{body:?}"));
        let task = |script| body.task(script).with_options(TaskOptions::new().cache_dir(&folder));
        must("a body without wishes succeeds", trial.run(task(Script::new()))?.is_success())?;
        must("no folder is made that nobody asked for", !folder.exists())?;
        let outcome = trial.run(task(Script::new().cache_file("kept")))?;
        must("a body that asks succeeds", outcome.is_success())?;
        must("the folder is made", folder.join("kept").exists())?;
    }
    trial.finish()
}
