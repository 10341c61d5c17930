//! Pools of processes in Python.

use std::{path::Path, process::Command};

use anyhow::{Context, ensure};

use crate::window::Load;

/// Which pool.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PythonPool {
    /// `concurrent.futures.ProcessPoolExecutor`.
    Cpython,
    /// `pebble.ProcessPool`.
    Pebble,
}

/// Tasks per second with two processes: functions that return their argument, `None` without a payload, else that many bytes.
///
/// # Errors
///
/// The interpreter or pebble is not installed; the error says what to install.
pub(crate) fn rate(
    python: &Path,
    pool: PythonPool,
    load: Load,
    payload: usize,
) -> anyhow::Result<f64> {
    let name = match pool {
        PythonPool::Cpython => "cpython",
        PythonPool::Pebble => "pebble",
    };
    let numbers = [load.tasks, load.in_flight, payload].map(|number| number.to_string());
    let output = Command::new(python)
        .args(["-c", include_str!("python/pool.py"), name])
        .args(numbers)
        .output()
        .with_context(|| format!("{} did not start: install Python 3", python.display()))?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{} ended with {}: {} (pebble comes with `pip install pebble`)",
        python.display(),
        output.status,
        error.lines().last().unwrap_or_default()
    );
    let rate = String::from_utf8_lossy(&output.stdout);
    rate.trim().parse().with_context(|| format!("a rate was expected and came {rate:?}"))
}
