//! The number that a program of another project measures and prints.

use std::{
    ffi::OsStr,
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};

/// How many seconds one measurement may take.
const PATIENCE: &str = "300";

/// A program that is ended when it takes too long.
pub(crate) fn patiently(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("timeout");
    command.arg(PATIENCE).arg(program).stdin(Stdio::null());
    command
}

/// Runs it to its end; the number that it prints.
///
/// # Errors
///
/// When it fails, with the last line that it says, or prints something else.
pub(crate) fn number(command: &mut Command) -> anyhow::Result<f64> {
    let answer = command.output().context("timeout of the coreutils did not start")?;
    let error = String::from_utf8_lossy(&answer.stderr);
    ensure!(
        answer.status.success(),
        "it ended with {}: {}",
        answer.status,
        error.lines().last().unwrap_or_default()
    );
    let number = String::from_utf8_lossy(&answer.stdout);
    number.trim().parse().with_context(|| format!("a number was expected and came {number:?}"))
}
