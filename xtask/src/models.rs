//! `cargo xtask models`: what threads can do to each other, tried in many orders.

use std::process::Command;

use anyhow::{Context, ensure};

/// The crates that have models.
const CRATES: [&str; 2] = ["outwork-core", "outwork-local"];

/// How long to try, and what.
#[derive(Debug, clap::Args)]
pub(crate) struct ModelsArgs {
    /// How many orders of the threads are tried of each kind in each model
    #[arg(long, default_value_t = 2_000)]
    orders: usize,
    /// A part of the names of the models that are wanted; without it, all are run
    #[arg(default_value = "models")]
    name: String,
}

/// Builds the crates with the model checker's locks and runs their models.
///
/// In a folder of its own, so that what is built for everything else stays valid.
pub(crate) fn run(args: &ModelsArgs) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["test", "--lib", "--profile", "models", "--target-dir", "target/models"])
        .args(CRATES.map(|name| format!("--package={name}")))
        .arg(&args.name)
        .env("RUSTFLAGS", "--cfg shuttle")
        .env("OUTWORK_MODEL_ORDERS", args.orders.to_string())
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()
        .context("cargo could not be started")?;
    ensure!(status.success(), "the models failed: {status}");
    Ok(())
}
