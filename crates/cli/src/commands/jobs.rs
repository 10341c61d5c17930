//! `outwork submit`, `result`, `status` and `cancel`: work that nobody waits for.

mod status;

use std::time::Duration;

use outwork_amqp::{AmqpExecutor, JobStatus, QueueName};
use outwork_core::{
    Cancel, Executor, Shutdown, Task, TaskId, TaskName, TaskOptions, blocking::block_on,
};
use serde_json::json;

use super::run::{argument, show_outcome};
use crate::{
    args::{BrokerArgs, CancelArgs, ResultArgs, StatusArgs, SubmitArgs},
    broker, config,
    config_file::ConfigFile,
    exit_code::ExitCode,
    failure::Failure,
    logs,
    output::Output,
};

/// Hands a task over for good, and writes its id.
pub(super) fn submit(args: SubmitArgs, json: bool, file: &ConfigFile) -> Result<ExitCode, Failure> {
    let name = TaskName::new(&args.task).map_err(Failure::usage)?;
    let task = Task::new(name, argument(&args.argument)?).with_options(options(&args)?);
    let options = broker::find(&args.broker, file)?;
    logs::of_a_client();
    let builder = AmqpExecutor::builder(options).queue(args.queue.queue.unwrap_or_default());
    let executor = block_on(builder.connect())?;
    let job = block_on(executor.submit_detached(task));
    leave(&executor);
    let job = job.map_err(|refused| Failure::not_submitted(refused, true))?;
    let line = match json {
        true => serde_json::to_string(&job).map_err(Failure::failed)?,
        false => job.id().to_string(),
    };
    write(&line)
}

fn options(args: &SubmitArgs) -> Result<TaskOptions, Failure> {
    let mut options = config::options(args.retries, args.time_limit)?.last_output_only(true);
    options.delay = args.delay;
    Ok(options)
}

/// Writes the result of a job that has ended.
pub(super) fn result(
    args: &ResultArgs,
    json: bool,
    file: &ConfigFile,
) -> Result<ExitCode, Failure> {
    let executor = asker(&args.broker, None, file)?;
    let found = block_on(async {
        match args.wait {
            Some(wait) => executor.wait_job(args.id, wait).await,
            None => executor.job(args.id).await,
        }
    });
    leave(&executor);
    let job = known(found?, args.id)?;
    let mut output = Output::standard()?;
    match &job.outcome {
        Some(outcome) => show_outcome(&mut output, job.name.as_str(), outcome, json),
        None => {
            output.say(format_args!("task {} is {}", args.id, job.state))?;
            Ok(ExitCode::WaitTimedOut)
        }
    }
}

/// Writes what is known of a job.
pub(super) fn status(
    args: &StatusArgs,
    json: bool,
    file: &ConfigFile,
) -> Result<ExitCode, Failure> {
    let executor = asker(&args.broker, None, file)?;
    let found = block_on(executor.status_of(args.id));
    leave(&executor);
    let job = known(found?, args.id)?;
    write(if json { status::json(&job) } else { status::text(&job) }.trim_end())
}

/// Asks a task to stop, wherever it is.
pub(super) fn cancel(args: CancelArgs, json: bool, file: &ConfigFile) -> Result<ExitCode, Failure> {
    let executor = asker(&args.broker, args.queue.queue, file)?;
    let answer = block_on(executor.cancel_job(args.id));
    let ended = match &answer {
        Ok(Cancel::NotFound) => block_on(executor.job(args.id))?,
        _ => None,
    };
    leave(&executor);
    let answer = match answer? {
        Cancel::Confirmed => "confirmed",
        Cancel::Requested => "requested",
        Cancel::Unsupported => "unsupported",
        Cancel::NotFound => {
            let job = known(ended, args.id)?;
            let message = format!("task {} has ended already: {}", args.id, job.state);
            return Err(Failure::failed(anyhow::Error::msg(message)));
        }
    };
    match json {
        true => write(&json!({ "id": args.id, "cancel": answer }).to_string()),
        false => write(answer),
    }
}

/// Somebody who only asks: no queue has to be there.
fn asker(
    args: &BrokerArgs,
    queue: Option<QueueName>,
    file: &ConfigFile,
) -> Result<AmqpExecutor, Failure> {
    let options = broker::find(args, file)?;
    logs::of_a_client();
    let builder = AmqpExecutor::builder(options).queue(queue.unwrap_or_default()).without_queue();
    Ok(block_on(builder.connect())?)
}

/// Leaves nothing of oneself on the broker, as far as that is done soon.
pub(super) fn leave(executor: &AmqpExecutor) {
    block_on(executor.shutdown(Shutdown::drain(LEAVING)));
}

/// How long that may take.
const LEAVING: Duration = Duration::from_secs(3);

fn known(job: Option<JobStatus>, id: TaskId) -> Result<JobStatus, Failure> {
    job.ok_or_else(|| {
        Failure::failed(anyhow::Error::msg(format!(
            "no job {id} is known: only what `submit` hands over is kept, and that for at least \
             14 days"
        )))
    })
}

fn write(line: &str) -> Result<ExitCode, Failure> {
    let mut output = Output::standard()?;
    output.data(format!("{line}\n").as_bytes())?;
    output.flush()?;
    Ok(ExitCode::Success)
}
