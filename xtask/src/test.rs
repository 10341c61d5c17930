//! `cargo xtask test`: every test of the workspace.

use std::process::Command;

use anyhow::{Context, ensure};

use crate::broker;

/// What to hand on to `cargo test`.
#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// Arguments of `cargo test`, such as `--release` or a part of a test's name
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    cargo: Vec<String>,
}

/// Runs `cargo test` over all crates, with the conformance suite, examples and documentation,
/// once there is a broker for those that need one.
pub(crate) fn run(args: &TestArgs) -> anyhow::Result<()> {
    broker::provide();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["test", "--workspace", "--all-features"])
        .args(&args.cargo)
        .status()
        .context("cargo could not be started")?;
    ensure!(status.success(), "cargo test failed: {status}");
    Ok(())
}
