//! [`Args`]: what was typed.

use clap::{Parser, Subcommand};

/// Stresses the executors until the time is up or something is wrong.
#[derive(Debug, Parser)]
#[command(name = "stress")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The executors inside one process: threads, loops, the background loop, inline
    Local(RunArgs),
    /// The process pool, whose workers are killed, stopped and crashed
    Process(RunArgs),
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RunArgs {
    /// How long to go on, in seconds
    #[arg(long, default_value_t = 20)]
    pub(crate) seconds: u64,
    /// What all that is random comes from; without it, another one each time
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// The round to begin with: the one that a fault was found in
    #[arg(long, default_value_t = 0)]
    pub(crate) round: u64,
    /// Runs that one round again and again
    #[arg(long)]
    pub(crate) repeat: bool,
}
