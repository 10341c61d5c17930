//! The project's own commands: `cargo xtask test`, `cargo xtask broker`, `cargo xtask models`, `cargo xtask stress`.

mod broker;
mod models;
mod stress;
mod test;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every test of the workspace, with plain `cargo test`
    Test(test::TestArgs),
    /// Run every test that needs RabbitMQ, which is installed where that is missing and may be done
    Broker(broker::BrokerArgs),
    /// Try what threads can do to each other in many orders, with a model checker
    Models(models::ModelsArgs),
    /// Stress the executors until the time is up or something is wrong
    #[command(disable_help_flag = true)]
    Stress(stress::StressArgs),
}

fn main() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Test(args) => test::run(&args),
        Command::Broker(args) => broker::run(&args),
        Command::Models(args) => models::run(&args),
        Command::Stress(args) => stress::run(&args),
    }
}
