//! `outwork run`: one registered task.

use std::{num::NonZeroUsize, sync::Arc};

use outwork_core::{
    Codec, Outcome, Payload, Registry, Task, TaskError, TaskErrorKind, TaskName, blocking::block_on,
};
use serde_json::{Value, json};

use crate::{
    args::RunArgs,
    error_json::error_json,
    executors::{Chosen, Executors, InFlight, Place},
    exit_code::ExitCode,
    failure::Failure,
    output::Output,
    result_json::result_json,
    signal,
    stopper::Stopper,
};

/// Runs the task and writes its result.
pub(super) fn run(
    args: &RunArgs,
    json: bool,
    executors: &Executors,
    registry: Registry,
) -> Result<ExitCode, Failure> {
    let place = executors.place(&args.executor)?;
    let is_remote = place.is_remote();
    let task = Task::new(find(&registry, &args.task, &place)?, argument(&args.argument)?);
    let one = InFlight::Tasks(NonZeroUsize::MIN);
    let Chosen { executor, .. } = executors.build(place, &args.executor, one, registry)?;
    let stopper = Stopper::new(Arc::clone(&executor));
    signal::handle(stopper.clone())?;
    let outcome = block_on(async { Ok(executor.submit(task).await?.await) });
    stopper.leave();
    let outcome = outcome.map_err(|refused| Failure::not_submitted(refused, is_remote))?;
    let code = show_outcome(&mut Output::standard()?, &args.task, &outcome, json)?;
    Ok(stopper.signal().map_or(code, ExitCode::Signalled))
}

/// Writes how a task ended.
pub(super) fn show_outcome(
    output: &mut Output,
    task: &str,
    outcome: &Outcome,
    json: bool,
) -> Result<ExitCode, Failure> {
    // Its result is the data; what it wrote on the way is talk.
    for captured in [outcome.stdout(), outcome.stderr()] {
        output.captured(None, &Default::default(), &captured)?;
    }
    let code = match result_of(outcome) {
        Ok(result) => show_result(output, &result, json),
        Err(error) => show_error(output, task, &error, json),
    }?;
    output.flush()?;
    Ok(code)
}

/// The name of a task, which has to be registered unless it runs on other machines.
pub(super) fn find(registry: &Registry, name: &str, place: &Place) -> Result<TaskName, Failure> {
    if place.is_remote() {
        return TaskName::new(name).map_err(Failure::usage);
    }
    Ok(registry.find(name).map_err(Failure::usage)?.name().clone())
}

/// The argument of a task, which has to be JSON.
pub(super) fn argument(text: &str) -> Result<Payload, Failure> {
    match serde_json::from_str::<Value>(text) {
        Ok(_) => Ok(Payload::new(Codec::Json, text.to_owned())),
        Err(error) => Err(Failure::usage_message(format!(
            "the argument {text:?} is not JSON: {error}; text has to be in double quotes, \
             as in '\"text\"'"
        ))),
    }
}

fn result_of(outcome: &Outcome) -> Result<Vec<u8>, TaskError> {
    let payload = outcome.result().map_err(Clone::clone)?;
    let json = result_json(payload).map_err(|error| {
        let message = format!("the result is no JSON: {error}");
        TaskError::new(TaskErrorKind::Undecodable, message)
    })?;
    Ok(json.into_owned())
}

fn show_result(output: &mut Output, result: &[u8], json: bool) -> Result<ExitCode, Failure> {
    if json {
        output.data(b"{\"ok\":")?;
        output.data(result)?;
        output.data(b"}\n")?;
    } else {
        output.data(result)?;
        output.data(b"\n")?;
    }
    Ok(ExitCode::Success)
}

fn show_error(
    output: &mut Output,
    task: &str,
    error: &TaskError,
    json: bool,
) -> Result<ExitCode, Failure> {
    if json {
        output.data(format!("{}\n", json!({ "error": error_json(error) })).as_bytes())?;
    }
    output.say(format_args!("task {task} ({}): {error}", error.kind().name()))?;
    Ok(ExitCode::of_error(error))
}
