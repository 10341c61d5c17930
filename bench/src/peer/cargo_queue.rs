//! Task queues in Rust, over the same broker, each in a package of its own that is built when it is asked for: their dependencies would be in everybody's way.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};
use uuid::Uuid;

use super::answer;
use crate::{output, window::Load};

/// Which queue.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CargoQueue {
    RustyCelery,
    Apalis,
}

impl CargoQueue {
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::RustyCelery => "rusty-celery 0.5.5",
            Self::Apalis => "apalis-amqp 1.0.0",
        }
    }

    /// How it was run, and what it does not promise.
    pub(crate) const fn note(self) -> &'static str {
        match self {
            Self::RustyCelery => {
                "256 prefetched; no results: that a task is done is told through a pipe, which costs less than a result; a task is acknowledged before it runs, so that a worker that dies loses it; publishes without confirmations; no dead letters; a classic queue, because it cannot read from a quorum queue"
            }
            Self::Apalis => {
                "256 prefetched; no results: that a task is done is told through a pipe, which costs less than a result; publishes without asking for confirmations, and its messages are not persistent; each task pushed declares its queue on a new channel; its worker, which panics unless a channel was opened before, gets one first; a classic queue"
            }
        }
    }

    const fn folder(self) -> &'static str {
        match self {
            Self::RustyCelery => "rusty-celery",
            Self::Apalis => "apalis",
        }
    }
}

/// Tasks per second of a task that gets 64 bytes.
///
/// # Errors
///
/// When it cannot be built, or fails.
pub(crate) fn rate(queue: CargoQueue, url: &str, load: Load) -> anyhow::Result<f64> {
    let name = format!("outwork-bench.{}.{}", queue.folder(), Uuid::new_v4());
    answer::number(
        answer::patiently(built(queue)?)
            .args([load.tasks, load.in_flight].map(|number| number.to_string()))
            .env("OUTWORK_BENCH_URL", url)
            .env("OUTWORK_BENCH_QUEUE", name),
    )
}

/// Has cargo build the program, which does nothing when it is fresh, and returns its path.
fn built(queue: CargoQueue) -> anyhow::Result<PathBuf> {
    let this = env::current_exe().context("the path of this program")?;
    let target = this.ancestors().nth(2).context("this program is not in a target folder")?;
    let target = target.join("bench-peers").join(queue.folder());
    let program = target.join("release").join(format!("peer-{}", queue.folder()));
    if !program.exists() {
        output::talk(&format!("building {}", program.display()));
    }
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(queue.folder());
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--release", "--locked", "--manifest-path"])
        .arg(package.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .context("cargo did not start")?;
    ensure!(status.success(), "cargo could not build {}", package.display());
    Ok(program)
}
