//! What commands promise, tried with real programs.

/// What a program is called with.
mod arguments;
/// How a program ended.
mod ends;
/// What is left when all is over: nothing.
mod leaks;
/// How a program is found and started, with which environment.
mod start;
/// What becomes of a program, and of what it started, that is to stop.
mod stop;
/// What goes in and comes out.
mod streams;

use std::{
    env, fs,
    future::poll_fn,
    io::{self, PipeReader, PipeWriter, Write as _, pipe},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process, str,
    sync::{Arc, OnceLock},
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use outwork_core::{
    CancelSource, CapturePlace, CommandReport, CommandSpec, ContextHost, Metadata, OsBytes,
    OutputSink, Progress, Rejection, StopLevel, StreamTarget, TaskContext, TaskError,
    TaskErrorKind, TaskId, TaskName, TraceContext, engine::CommandRunner,
};
use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process},
};
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
    time::timeout,
};

use super::{
    Commands,
    exit::Notice,
    failure::not_started,
    launch::{OutputPipe, launch},
    outlet::Outlet,
};

const PATIENCE: Duration = Duration::from_secs(20);
const BY_THREAD: Commands = Commands { notice: Notice::Thread };
const BOTH: [Commands; 2] = [Commands { notice: Notice::Best }, BY_THREAD];

/// What runs the body, without an engine.
struct Host {
    id: TaskId,
    name: TaskName,
    metadata: Metadata,
    cancel: Arc<CancelSource>,
    stdout: OutputSink,
    stderr: OutputSink,
}

impl Host {
    fn new(stdout: Option<&StreamTarget>) -> Arc<Self> {
        let metadata = Metadata::new();
        let place = CapturePlace { results_dir: Path::new("/nowhere"), metadata: &metadata };
        Arc::new(Self {
            id: TaskId::new(),
            name: TaskName::new("command").unwrap(),
            cancel: Arc::default(),
            stdout: OutputSink::open(stdout, place).unwrap(),
            stderr: OutputSink::open(None, place).unwrap(),
            metadata,
        })
    }
}

impl ContextHost for Host {
    fn task_id(&self) -> TaskId {
        self.id
    }

    fn name(&self) -> &TaskName {
        &self.name
    }

    fn attempt(&self) -> u32 {
        1
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn trace(&self) -> Option<&TraceContext> {
        None
    }

    fn cancel(&self) -> &Arc<CancelSource> {
        &self.cancel
    }

    fn stdout(&self) -> OutputSink {
        self.stdout.clone()
    }

    fn stderr(&self) -> OutputSink {
        self.stderr.clone()
    }

    fn progress(&self, _: Progress) {}

    fn set_job_handle(&self, _: serde_json::Value) -> io::Result<()> {
        Ok(())
    }

    fn cache_dir(&self) -> io::Result<Option<PathBuf>> {
        Ok(None)
    }
}

fn runtime() -> &'static Runtime {
    static SHARED: OnceLock<Runtime> = OnceLock::new();
    SHARED
        .get_or_init(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap())
}

/// A command that runs, on the shared runtime.
struct Job {
    host: Arc<Host>,
    end: JoinHandle<Result<CommandReport, TaskError>>,
}

/// What came of a command.
#[derive(Debug)]
struct Done {
    result: Result<CommandReport, TaskError>,
    stdout: Bytes,
    stderr: Bytes,
}

impl Job {
    fn start(commands: Commands, spec: CommandSpec) -> Self {
        Self::with_host(commands, spec, Host::new(None))
    }

    fn with_host(commands: Commands, spec: CommandSpec, host: Arc<Host>) -> Self {
        let ctx = TaskContext::new(Arc::clone(&host) as Arc<dyn ContextHost>);
        Self { end: runtime().spawn(commands.run(spec, ctx)), host }
    }

    fn raise(&self, level: StopLevel) {
        self.host.cancel.raise(level);
    }

    fn end(self) -> Done {
        let end = runtime().block_on(async { timeout(PATIENCE, self.end).await });
        let result = end.expect("the command ended in time").unwrap();
        let read = |sink: &OutputSink| sink.close().0.bytes().unwrap();
        Done { result, stdout: read(&self.host.stdout), stderr: read(&self.host.stderr) }
    }
}

fn run(spec: CommandSpec) -> Done {
    Job::start(Commands::default(), spec).end()
}

impl Done {
    fn ok(self) -> Bytes {
        self.result.unwrap();
        self.stdout
    }

    fn text(self) -> String {
        String::from_utf8(self.ok().into()).unwrap()
    }

    fn error(self) -> TaskError {
        self.result.unwrap_err()
    }

    fn kind(self) -> TaskErrorKind {
        self.error().kind().clone()
    }
}

fn program(name: &str) -> CommandSpec {
    CommandSpec::new(name).unwrap()
}

/// A shell script with `$1` as a folder to leave signs in.
fn script(line: &str, folder: &TempDir) -> CommandSpec {
    CommandSpec::shell(line).arg("sh").arg(folder.path())
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The numbers of processes in a file of one per line, once there are as many.
fn pids(folder: &TempDir, count: usize) -> Vec<i32> {
    let read = || -> Option<Vec<i32>> {
        let text = fs::read_to_string(folder.path().join("pids")).ok()?;
        let lines = text.ends_with('\n').then(|| text.lines())?;
        lines.map(|line| line.trim().parse().ok()).collect()
    };
    let mut found = Vec::new();
    wait_until("all processes have started", || {
        found = read().unwrap_or_default();
        found.len() == count
    });
    found
}

/// The state letter of a process; `None` when there is no such process.
fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

/// Whether a process runs no more; those of others may stay zombies.
fn is_gone(pid: i32) -> bool {
    matches!(state(pid), None | Some('Z' | 'X'))
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

/// Runs a test's body in a process of its own, where nothing else goes on.
fn alone(test: &str, body: fn()) {
    const MARK: &str = "OUTWORK_TEST_ALONE";
    if env::var_os(MARK).is_some() {
        return body();
    }
    let module = module_path!().split_once("::").unwrap().1;
    let child = process::Command::new(env::current_exe().unwrap())
        .args([&format!("{module}::{test}"), "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, "secret")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

fn executable(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}
