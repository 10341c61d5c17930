//! What was typed.

use std::{num::NonZeroUsize, path::PathBuf};

use crate::row::Row;

/// Measures Outwork beside its peers in the same run.
#[derive(Debug, clap::Parser)]
#[command(name = "outwork-bench", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Rows of one machine: threads, event loops, `exec`, idleness.
    Local(LocalArgs),
    /// Rows of the process pool.
    Process(ProcessArgs),
    /// Rows of RabbitMQ.
    Amqp(AmqpArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct LocalArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,

    /// The `outwork` binary of the exec rows; without it, cargo builds one.
    #[arg(long, value_name = "PATH")]
    pub(crate) outwork: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ProcessArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,

    /// The interpreter of the Python rows, with pebble installed for its row.
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    pub(crate) python: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AmqpArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,

    /// A broker to measure on, where queues whose names begin with `outwork-bench` are left behind; without it, a private node of the installed `rabbitmq-server` is started.
    #[arg(long, value_name = "URL", env = "OUTWORK_TEST_AMQP_URL", hide_env_values = true)]
    pub(crate) url: Option<String>,

    /// The interpreter of the Python rows; what they need is installed into `bench-peers` in the target folder of this program.
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    pub(crate) python: PathBuf,
}

/// How to measure, whatever the rows.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// Print one JSON object per row, with every sample, instead of a table.
    #[arg(long)]
    pub(crate) json: bool,

    /// Alternating runs per row.
    #[arg(long, value_name = "N", default_value = "5")]
    pub(crate) runs: NonZeroUsize,

    /// A tenth of the work per run: a smoke test, not a number to quote.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Only rows whose name contains this, in any case.
    #[arg(long, value_name = "SUBSTR", default_value = "", hide_default_value = true)]
    pub(crate) filter: String,

    /// Measure every peer against itself: how far a ratio strays from 1 by chance.
    #[arg(long)]
    pub(crate) noise: bool,
}

impl RunArgs {
    /// How much work one run does where a full run does `full`.
    pub(crate) fn scaled(&self, full: usize) -> usize {
        if self.quick { full / 10 } else { full }
    }

    /// Whether the filter lets `row` through.
    pub(crate) fn wants(&self, row: &Row) -> bool {
        row.name.to_lowercase().contains(&self.filter.to_lowercase())
    }
}
