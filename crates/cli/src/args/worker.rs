//! What was typed of a worker.

use std::{
    ffi::OsString,
    num::{NonZeroU16, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use outwork_amqp::QueueName;

use super::{BrokerArgs, parse_count};
use crate::{broker::parse_queue, duration::parse_duration};

const EXECUTOR_HELP: &str = "Run tasks on: threads[:N], processes[:N], loops[:N], background, or a \
    name from the configuration";

/// `worker`.
#[derive(Debug, Args)]
#[command(after_help = "\
The first SIGINT or SIGTERM takes no more tasks, finishes what runs and exits with 0; when the
drain timeout passes first, what still runs is stopped and given back to other workers, and the
exit code is 6. A second signal does that at once, and a third one kills. SIGTSTP (Ctrl-Z) takes
no more tasks until SIGCONT.

Examples:
  outwork worker --allow-exec sha256sum
  outwork worker --queue mail --queue mail.urgent --executor processes --concurrency 8")]
pub(crate) struct WorkerArgs {
    /// Take tasks from queue Q, by default outwork; may be given several times
    #[arg(long = "queue", value_name = "Q", value_parser = parse_queue)]
    pub(crate) queues: Vec<QueueName>,

    /// Execute PROGRAM for everybody who can reach the queue; may be given several times
    ///
    /// A name is looked up now, and the file that was found is what is executed. Without this
    /// option no program is executed for anybody.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) allow_exec: Vec<OsString>,

    // Not a doc comment, which would read as a link.
    #[arg(long, value_name = "SPEC", help = EXECUTOR_HELP)]
    pub(crate) executor: Option<String>,

    /// Run N tasks at once, by default as many as this process may use CPUs
    #[arg(long, value_name = "N", value_parser = parse_count, allow_negative_numbers = true)]
    pub(crate) concurrency: Option<NonZeroUsize>,

    /// Have N messages of each queue in hand; by default as many as run at once, and more while
    /// they are short
    #[arg(long, value_name = "N", value_parser = parse_prefetch, allow_negative_numbers = true)]
    pub(crate) prefetch: Option<NonZeroU16>,

    /// Give back what still runs so long after the signal to stop
    #[arg(long, value_name = "D", default_value = "25s", value_parser = parse_duration)]
    #[arg(allow_negative_numbers = true)]
    pub(crate) drain_timeout: Duration,

    /// The worker's name in results and logs, by default that of the host
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) name: Option<String>,

    /// Make FILE while tasks are taken, with the number of the process in it
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,

    /// Run the demo tasks too; `tasks` lists them
    #[arg(long)]
    pub(crate) demo_tasks: bool,

    #[command(flatten)]
    pub(crate) broker: BrokerArgs,
}

fn parse_prefetch(text: &str) -> Result<NonZeroU16, &'static str> {
    text.parse().map_err(|_| "use a whole number from 1 to 65535")
}
