//! `cargo xtask stress`: the stress of the executors, as a release build.

use std::process::Command;

use anyhow::{Context, ensure};

/// What to hand on to the stress, which knows its own arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct StressArgs {
    /// What to stress, and how: `local --seconds 600`, `process`; `--help` says the rest
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    stress: Vec<String>,
}

/// Builds the stress and runs it.
pub(crate) fn run(args: &StressArgs) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--release", "--package", "outwork-tests", "--bin", "stress", "--"])
        .args(&args.stress)
        .status()
        .context("cargo could not be started")?;
    ensure!(status.success(), "the stress found something: {status}");
    Ok(())
}
