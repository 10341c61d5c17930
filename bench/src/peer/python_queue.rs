//! Task queues in Python, over the same broker.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};
use uuid::Uuid;

use super::answer;
use crate::{companion::Companion, output, window::Load};

/// Which queue.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PythonQueue {
    Celery,
    Dramatiq,
}

/// What is installed for them, each in its version.
const REQUIREMENTS: &str = include_str!("python/requirements.txt");

impl PythonQueue {
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Celery => "Celery 5.7.0",
            Self::Dramatiq => "Dramatiq 2.2.1",
        }
    }

    /// How it was run, and what it does not promise.
    pub(crate) const fn note(self) -> &'static str {
        match self {
            Self::Celery => {
                "as it comes: prefork, two children, results by rpc://, four tasks prefetched for each child; a task is acknowledged before it runs, so that a worker that dies loses it; publishes without confirmations; results are not persistent and are lost with their reader; a classic queue; what does not read is thrown away"
            }
            Self::Dramatiq => {
                "as it comes: two processes of 8 threads; no results, which would need Redis or Memcached: that a task is done is told through a pipe, which costs less than a result; acknowledged when it is done; publishes without confirmations; a classic queue; no cancelling"
            }
        }
    }

    const fn script(self) -> (&'static str, &'static str) {
        match self {
            Self::Celery => ("celery_peer", include_str!("python/celery_peer.py")),
            Self::Dramatiq => ("dramatiq_peer", include_str!("python/dramatiq_peer.py")),
        }
    }

    /// Its worker, as its manual starts it.
    const fn worker(self) -> &'static [&'static str] {
        match self {
            Self::Celery => &[
                "celery",
                "-A",
                "celery_peer",
                "worker",
                "-P",
                "prefork",
                "-c",
                "2",
                "-l",
                "WARNING",
            ],
            Self::Dramatiq => &["dramatiq", "dramatiq_peer", "--processes", "2"],
        }
    }
}

/// Starts a worker and ends it when its standard input ends, if need be by force.
const KEEPER: &str = r#"
trap '' INT TERM
"$@" </dev/null >worker.log 2>&1 &
worker=$!
echo ready
read -r _
kill -TERM $worker
(sleep 10; kill -KILL $worker) >/dev/null 2>&1 &
wait $worker
kill $! 2>/dev/null
"#;

/// Tasks per second of a task that gets 64 bytes and returns them.
///
/// # Errors
///
/// When Python or what it needs cannot be had, or it fails.
pub(crate) fn rate(
    python: &Path,
    queue: PythonQueue,
    url: &str,
    load: Load,
) -> anyhow::Result<f64> {
    measure(python, queue, url, "rate", load)
}

/// The median µs of such a task, one at a time.
///
/// # Errors
///
/// As for [`rate`].
pub(crate) fn p50(
    python: &Path,
    queue: PythonQueue,
    url: &str,
    calls: usize,
) -> anyhow::Result<f64> {
    measure(python, queue, url, "p50", Load { tasks: calls, in_flight: 1 })
}

fn measure(
    python: &Path,
    queue: PythonQueue,
    url: &str,
    what: &str,
    load: Load,
) -> anyhow::Result<f64> {
    let programs = installed(python)?;
    let folder = tempfile::tempdir()?;
    let (name, script) = queue.script();
    let script_path = folder.path().join(name).with_extension("py");
    fs::write(&script_path, script)?;
    let pipe = folder.path().join("done");
    let made = Command::new("mkfifo").arg(&pipe).status().context("mkfifo")?;
    ensure!(made.success(), "mkfifo ended with {made}");
    let queue_name = format!("outwork-bench.{name}.{}", Uuid::new_v4());

    let prepare = |command: &mut Command| {
        command
            .current_dir(folder.path())
            .env("PYTHONPATH", folder.path())
            .env("OUTWORK_BENCH_URL", url)
            .env("OUTWORK_BENCH_QUEUE", &queue_name)
            .env("OUTWORK_BENCH_DONE", &pipe);
    };
    let (worker, arguments) = queue.worker().split_first().context("a worker has a program")?;
    let mut keeper = Command::new("sh");
    keeper.args(["-c", KEEPER, "keeper"]).arg(programs.join(worker)).args(arguments);
    prepare(&mut keeper);
    let _worker = Companion::start(&mut keeper)?;
    let mut client = answer::patiently(programs.join("python"));
    client.arg(&script_path).arg(what);
    client.args([load.tasks, load.in_flight].map(|number| number.to_string()));
    prepare(&mut client);
    answer::number(&mut client).with_context(|| {
        let log = fs::read_to_string(folder.path().join("worker.log")).unwrap_or_default();
        format!("its worker said last: {}", log.lines().last().unwrap_or_default())
    })
}

/// The folder of programs of an environment that has what is needed, made when it is not there.
fn installed(python: &Path) -> anyhow::Result<PathBuf> {
    let this = env::current_exe().context("the path of this program")?;
    let target = this.ancestors().nth(2).context("this program is not in a target folder")?;
    let folder = target.join("bench-peers/python");
    let (programs, mark) = (folder.join("bin"), folder.join("installed.txt"));
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == REQUIREMENTS) {
        return Ok(programs);
    }
    output::talk(&format!("installing what the Python rows need into {}", folder.display()));
    let run = |command: &mut Command| {
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
        let program = command.get_program().display().to_string();
        let status =
            status.with_context(|| format!("{program} did not start: install Python 3"))?;
        ensure!(
            status.success(),
            "{program} ended with {status}: Celery and Dramatiq need a network and Python's venv (`apt-get install python3-venv`)"
        );
        Ok(())
    };
    run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder))?;
    let wanted = folder.join("requirements.txt");
    fs::write(&wanted, REQUIREMENTS)?;
    run(Command::new(programs.join("python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(&wanted))?;
    fs::write(&mark, REQUIREMENTS)?;
    Ok(programs)
}
