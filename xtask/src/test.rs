//! `cargo xtask test`: every test of the workspace.

use std::process::Command;

use anyhow::{Context, ensure};

use crate::broker::{self, BrokerArgs};

/// What to hand on to `cargo test`.
#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// Also run what needs RabbitMQ, which is installed where that is missing and may be done
    #[arg(long)]
    broker: bool,

    /// Arguments of `cargo test`, such as `--release` or a part of a test's name
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    cargo: Vec<String>,
}

/// Runs `cargo test` over all crates, with the conformance suite, examples and documentation,
/// and then what needs a broker, if that was asked for.
pub(crate) fn run(args: &TestArgs) -> anyhow::Result<()> {
    cargo_test(&["--workspace", "--all-features"], args)?;
    if args.broker {
        broker::run(&BrokerArgs::all(&args.cargo))?;
    }
    Ok(())
}

fn cargo_test(selection: &[&str], args: &TestArgs) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .arg("test")
        .args(selection)
        .args(&args.cargo)
        .status()
        .context("cargo could not be started")?;
    ensure!(status.success(), "cargo test failed: {status}");
    Ok(())
}
