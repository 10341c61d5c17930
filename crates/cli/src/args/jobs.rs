//! What was typed of jobs that run detached, and of the workers that run them.

use std::time::Duration;

use clap::Args;
use outwork_core::TaskId;

use super::{BrokerArgs, QueueArgs, parse_from_zero};
use crate::duration::{parse_duration, parse_time_limit};

/// `submit`.
#[derive(Debug, Args)]
#[command(after_help = "\
The id is written to standard output once the broker has the job for good: it is run although
nobody waits for it, and its result is kept for at least 14 days.

Example:
  id=$(outwork submit demo.sleep 60)
  outwork status $id
  outwork result $id --wait 2m")]
pub(crate) struct SubmitArgs {
    /// The name of the task, as the workers know it
    pub(crate) task: String,

    /// Its argument
    #[arg(value_name = "ARGS-JSON", default_value = "null", allow_hyphen_values = true)]
    pub(crate) argument: String,

    /// Start it so long from now at the earliest
    #[arg(long, value_name = "D", value_parser = parse_duration, allow_negative_numbers = true)]
    pub(crate) delay: Option<Duration>,

    /// Run it again when it fails, up to N more times
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    #[arg(value_parser = parse_from_zero::<u32>, allow_negative_numbers = true)]
    pub(crate) retries: u32,

    /// Stop it after so long: seconds, or as in 500ms, 2m, 1h 30m
    #[arg(long, value_name = "D", value_parser = parse_time_limit, allow_negative_numbers = true)]
    pub(crate) time_limit: Option<Duration>,

    #[command(flatten)]
    pub(crate) queue: QueueArgs,

    #[command(flatten)]
    pub(crate) broker: BrokerArgs,
}

/// `result`.
#[derive(Debug, Args)]
pub(crate) struct ResultArgs {
    /// The id that `submit` has written
    #[arg(value_parser = parse_id)]
    pub(crate) id: TaskId,

    /// Wait so long for the job to end; when it has not, the exit code is 5
    #[arg(long, value_name = "D", value_parser = parse_duration, allow_negative_numbers = true)]
    pub(crate) wait: Option<Duration>,

    #[command(flatten)]
    pub(crate) broker: BrokerArgs,
}

/// `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The id that `submit` has written
    #[arg(value_parser = parse_id)]
    pub(crate) id: TaskId,

    #[command(flatten)]
    pub(crate) broker: BrokerArgs,
}

/// `cancel`.
#[derive(Debug, Args)]
#[command(after_help = "\
It writes `confirmed` when no worker has the task and none will start it, and `requested` when
the wish is on its way to the worker that has it. The task is found wherever it is, also when
all workers are down: one that comes up later does not start it. Whoever waits for it in `exec`,
`run` or `map` is told.")]
pub(crate) struct CancelArgs {
    /// The id that `submit` has written, or that a worker's log shows
    #[arg(value_parser = parse_id)]
    pub(crate) id: TaskId,

    #[command(flatten)]
    pub(crate) queue: QueueArgs,

    #[command(flatten)]
    pub(crate) broker: BrokerArgs,
}

/// `ping`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 a worker has answered; 3 the broker cannot be reached; 4 it refuses; 5 the time of
--wait is up; 69 no worker has answered.")]
pub(crate) struct PingArgs {
    /// Wait until the broker can be reached and a worker answers
    #[arg(long)]
    pub(crate) wait: bool,

    /// How long to wait: by default 5s, and with --wait 60s
    #[arg(long, value_name = "D", value_parser = parse_time_limit, allow_negative_numbers = true)]
    pub(crate) timeout: Option<Duration>,

    #[command(flatten)]
    pub(crate) queue: QueueArgs,

    #[command(flatten)]
    pub(crate) broker: BrokerArgs,
}

fn parse_id(text: &str) -> Result<TaskId, &'static str> {
    text.parse().map_err(|_| "use the id that `submit` has written")
}
