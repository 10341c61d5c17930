//! What commands promise, tried with real programs.

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
    TaskErrorKind, TaskId, TaskName, engine::CommandRunner,
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

mod arguments {
    use super::*;

    #[test]
    fn arguments_reach_the_program_as_they_are() {
        let long = "x".repeat(120 * 1024);
        let args: [&[u8]; 14] = [
            b"a b",
            b"",
            b"'",
            b"\"",
            b";",
            b"$(id)",
            b"`id`",
            b"line\nline\n",
            b"{} {1} {print $1}",
            b"*",
            b"-n",
            b"\\0",
            b"\xff\xfe not UTF-8",
            long.as_bytes(),
        ];
        let spec = program("printf").arg("%s\\0").args(args.map(|arg| arg.to_vec()));
        let printed = run(spec).ok();
        let seen: Vec<&[u8]> = printed.split(|byte| *byte == 0).collect();
        assert_eq!(seen[..args.len()], args);
    }

    #[test]
    fn braces_and_dollars_are_the_programs_own_affair() {
        let spec = program("awk").arg("{print $1}").stdin("first second\n");
        assert_eq!(run(spec).text(), "first\n");
    }

    #[test]
    fn a_megabyte_of_arguments_is_not_too_much() {
        let spec = program("printf").arg("%s").args((0..10).map(|_| "y".repeat(100_000)));
        assert_eq!(run(spec).ok().len(), 1_000_000);
    }

    #[test]
    fn more_than_the_system_takes_is_an_error_of_the_task() {
        let error = run(program("true").arg("z".repeat(8 << 20))).error();
        assert_eq!((error.kind(), error.is_permanent()), (&TaskErrorKind::Failed, true));
    }

    #[test]
    fn what_no_program_can_be_given_is_an_error_of_the_task() {
        for spec in [
            program("true").arg("a\0b"),
            program("true").cwd("/tmp\0"),
            program("true").env("A", "b\0"),
            program("true").env("A\0", "b"),
            program("true").env("A=B", "c"),
            program("true").env("", "c"),
            program("true").env_remove("="),
        ] {
            let error = run(spec.clone()).error();
            assert_eq!(error.kind(), &TaskErrorKind::Failed, "{spec:?}");
            assert!(error.is_permanent(), "{spec:?}");
        }
    }

    #[test]
    fn a_program_sees_the_name_that_it_was_called_by() {
        assert_eq!(run(program("sh").args(["-c", "echo $0"])).text(), "sh\n");
    }
}

mod streams {
    use super::*;

    /// Bytes of which no two neighbourhoods look alike, and few are UTF-8.
    fn noise(seed: u64, len: usize) -> Vec<u8> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn both_streams_come_whole_and_apart() {
        let folder = tempfile::tempdir().unwrap();
        let (out, err) = (noise(1, 10 << 20), noise(2, 10 << 20));
        fs::write(folder.path().join("out"), &out).unwrap();
        fs::write(folder.path().join("err"), &err).unwrap();
        for commands in BOTH {
            let spec = script(r#"cat "$1/out" & cat "$1/err" >&2; wait"#, &folder);
            let done = Job::start(commands, spec).end();
            assert!(done.result.is_ok() && done.stdout == out && done.stderr == err);
        }
    }

    #[test]
    fn a_large_input_goes_in_while_the_output_comes_out() {
        let input = noise(3, 10 << 20);
        assert!(run(program("cat").stdin(input.clone())).ok() == input);
    }

    #[test]
    fn a_program_need_not_read_its_input() {
        let input = Bytes::from(vec![b'x'; 10 << 20]);
        assert_eq!(run(program("head").args(["-c", "1"]).stdin(input.clone())).text(), "x");
        for _ in 0..20 {
            assert!(run(program("true").stdin(input.clone())).ok().is_empty());
        }
    }

    #[test]
    fn without_input_there_is_the_end_of_it() {
        assert!(run(program("cat")).ok().is_empty());
        assert!(run(program("cat").stdin("")).ok().is_empty());
    }

    #[test]
    fn what_cannot_be_kept_does_not_stop_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(Some(&StreamTarget::file("/dev/full")));
        let spec = script(r#"head -c 1000000 /dev/zero; : > "$1/end""#, &folder);
        let error = Job::with_host(Commands::default(), spec, host).end().error();
        assert_eq!(error.kind(), &TaskErrorKind::Infrastructure);
        assert!(folder.path().join("end").exists());
    }

    /// What came through a pipe by its last read, which the runtime had no part in.
    fn finished(reader: PipeReader, spare: PipeWriter) -> Bytes {
        let host = Host::new(None);
        let _runtime = runtime().enter();
        let pipe = OutputPipe { reader, spare };
        let mut outlet = Outlet::new(pipe, host.stdout.clone()).unwrap();
        outlet.finish().unwrap();
        host.stdout.close().0.bytes().unwrap()
    }

    #[test]
    fn what_is_in_the_pipe_at_the_end_is_not_lost() {
        let (reader, mut writer) = pipe().unwrap();
        writer.write_all(b"last words").unwrap();
        assert_eq!(&*finished(reader, writer), b"last words");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_comes_after_the_end_is_not_read() {
        let (reader, writer) = pipe().unwrap();
        let full = rustix::pipe::fcntl_setpipe_size(&writer, 1 << 20).unwrap();
        let mut more = writer.try_clone().unwrap();
        let for_ever = move || while more.write(&[0; 4096]).is_ok() {};
        let for_ever = thread::Builder::new().spawn(for_ever).unwrap();
        let is_full = || rustix::io::ioctl_fionread(&reader).unwrap() == full as u64;
        wait_until("the pipe is full", is_full);
        assert_eq!(finished(reader, writer).len(), full);
        for_ever.join().unwrap();
    }

    #[test]
    fn a_program_has_no_descriptors_but_its_streams() {
        // What was left open for us is left open for others.
        let inherited = process::Command::new("ls").arg("/proc/self/fd").output().unwrap().stdout;
        let folder = tempfile::tempdir().unwrap();
        let line = r#"echo $$ > "$1/pids"; exec sleep 1000"#;
        let held = script(line, &folder).stdin(vec![0; 1 << 20]);
        let held = Job::start(Commands::default(), held);
        pids(&folder, 1);
        assert_eq!(run(program("ls").arg("/proc/self/fd")).ok(), inherited);
        held.raise(StopLevel::Forced);
        held.end();
    }

    #[test]
    fn a_broken_pipe_ends_a_program_as_it_does_in_a_shell() {
        assert_eq!(run(CommandSpec::shell("yes | head -n 1")).text(), "y\n");
    }
}

mod ends {
    use super::*;

    #[test]
    fn an_exit_code_and_a_signal_are_told_apart() {
        for commands in BOTH {
            let end = |line: &str| Job::start(commands, CommandSpec::shell(line)).end();
            assert_eq!(end("exit 0").result.unwrap(), CommandReport { code: 0 });
            assert_eq!(end("exit 3").kind(), TaskErrorKind::Exited { code: 3 });
            assert_eq!(end("exit 139").kind(), TaskErrorKind::Exited { code: 139 });
            assert_eq!(end("kill -SEGV $$").kind(), TaskErrorKind::Signalled { signal: 11 });
            assert_eq!(end("kill -KILL $$").kind(), TaskErrorKind::Signalled { signal: 9 });
            assert_eq!(end("kill -40 $$").kind(), TaskErrorKind::Signalled { signal: 40 });
        }
    }

    #[test]
    fn an_error_says_who_and_how_and_what_was_said_last() {
        let error = run(program("sh").args(["-c", "echo why >&2; exit 2"])).error();
        assert_eq!((error.message(), error.stderr_tail()), ("`sh` exited with code 2", "why\n"));
        let error = run(CommandSpec::shell("kill -SEGV $$")).error();
        assert_eq!(error.message(), "`/bin/sh` was killed by SIGSEGV");
        let error = run(CommandSpec::shell("kill -40 $$")).error();
        assert_eq!(error.message(), "`/bin/sh` was killed by signal 40");
    }

    #[test]
    fn the_last_8_kib_of_the_standard_error_are_kept() {
        let line = r"head -c 1000000 /dev/zero >&2; printf '\377 the end' >&2; exit 1";
        let error = run(CommandSpec::shell(line)).error();
        let tail = error.stderr_tail();
        assert!(tail.ends_with("\u{fffd} the end"));
        assert_eq!(tail.len(), 8 * 1024 + '\u{fffd}'.len_utf8() - 1);
    }

    #[test]
    fn what_was_left_in_the_background_is_neither_awaited_nor_killed() {
        for (commands, code) in BOTH.into_iter().flat_map(|by| [(by, 0), (by, 3)]) {
            let folder = tempfile::tempdir().unwrap();
            let line = r#"sleep 1000 & echo $! > "$1/pids"; echo hi; exit $2"#;
            let done = Job::start(commands, script(line, &folder).arg(code.to_string())).end();
            assert_eq!((done.result.is_ok(), &*done.stdout), (code == 0, &b"hi\n"[..]));
            let left = pids(&folder, 1)[0];
            assert!(!is_gone(left));
            kill(left);
        }
    }

    #[test]
    fn somebody_who_writes_for_ever_is_not_awaited() {
        let folder = tempfile::tempdir().unwrap();
        let done = run(script(r#"yes & echo $! > "$1/pids"; sleep 0.05"#, &folder));
        assert!(done.ok().starts_with(b"y\n"));
        let left = pids(&folder, 1)[0];
        // Nobody reads any more.
        wait_until("the pipe broke", || is_gone(left));
    }

    #[test]
    fn many_run_at_once_on_one_loop() {
        let one = Builder::new_current_thread().enable_all().build().unwrap();
        let host = || TaskContext::new(Host::new(None));
        one.block_on(async {
            let all: Vec<_> = (0..64)
                .map(|number| {
                    let spec = CommandSpec::shell(format!("sleep 0.1; exit {number}"));
                    tokio::spawn(Commands::default().run(spec, host()))
                })
                .collect();
            for (number, one) in all.into_iter().enumerate() {
                let code = match one.await.unwrap() {
                    Ok(report) => report.code,
                    Err(error) => match error.kind() {
                        TaskErrorKind::Exited { code } => *code,
                        other => panic!("{other:?}"),
                    },
                };
                assert_eq!(usize::try_from(code).unwrap(), number);
            }
        });
    }
}

mod start {
    use super::*;

    fn not_found(program: &str) -> TaskErrorKind {
        TaskErrorKind::Rejected(Rejection::ProgramNotFound { program: program.to_owned() })
    }

    fn not_executable(program: impl Into<OsBytes>) -> TaskErrorKind {
        let program = program.into().to_string();
        TaskErrorKind::Rejected(Rejection::ProgramNotExecutable { program })
    }

    #[test]
    fn a_missing_program_is_named() {
        for name in ["no-such-program", "/no/such/program", "./no-such-program", "/dev/null/x"] {
            assert_eq!(run(program(name)).kind(), not_found(name));
        }
    }

    #[test]
    fn a_file_that_may_not_be_executed_is_told_from_a_missing_one() {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain");
        fs::write(&plain, "#!/bin/sh\n").unwrap();
        let stray = executable(folder.path(), "stray", "#!/no/such/interpreter\n");
        let noise = executable(folder.path(), "noise", "\x01\x02 not a program");
        for path in [&plain, folder.path(), &stray, &noise] {
            assert_eq!(run(CommandSpec::new(path).unwrap()).kind(), not_executable(path));
        }
        let by_name = program("plain").env("PATH", folder.path());
        assert_eq!(run(by_name).kind(), not_executable("plain"));
    }

    #[test]
    fn what_the_system_lacks_is_no_fault_of_the_task() {
        for lack in [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE, Errno::IO] {
            let error = not_started(&program("x"), Path::new("/bin/x"), &lack.into());
            assert_eq!(error.kind(), &TaskErrorKind::Infrastructure, "{lack:?}");
            assert!(!error.is_permanent());
        }
    }

    #[test]
    fn a_missing_working_directory_is_not_taken_for_a_missing_program() {
        for directory in ["/no/such/directory", "/etc/passwd"] {
            for name in ["true", "/bin/true", "./true", "no-such-program"] {
                let error = run(program(name).cwd(directory)).error();
                assert_eq!(error.kind(), &TaskErrorKind::Infrastructure);
                assert!(error.message().contains(directory), "{error}");
            }
        }
    }

    #[test]
    fn a_program_is_looked_for_where_the_command_stands() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        executable(&folder.path().join("bin"), "tool", "#!/bin/sh\necho \"tool $PWD\"\n");
        let real = folder.path().canonicalize().unwrap();
        let here = env::current_dir().unwrap();
        let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
        let relative = up.join(real.strip_prefix("/").unwrap());
        for directory in [&real, &relative] {
            let at = |name: &str| program(name).cwd(directory);
            let expected = format!("tool {}\n", real.display());
            assert_eq!(run(at("bin/tool")).text(), expected);
            assert_eq!(run(at("./bin/../bin/tool")).text(), expected);
            assert_eq!(run(at("tool").env("PATH", "/nowhere:bin")).text(), expected);
        }
        let inside = program("tool").cwd(real.join("bin")).env("PATH", "/nowhere::/usr/bin");
        assert_eq!(run(inside).text(), format!("tool {}/bin\n", real.display()));
    }

    #[test]
    fn a_program_is_looked_for_in_the_path_that_it_will_see() {
        let folder = tempfile::tempdir().unwrap();
        executable(folder.path(), "true", "#!/bin/sh\necho mine\n");
        fs::create_dir(folder.path().join("false")).unwrap();
        let path = format!("{}:/bin:/usr/bin", folder.path().display());
        assert_eq!(run(program("true").env("PATH", &*path)).text(), "mine\n");
        assert_eq!(run(program("true").env("PATH", &*path).env_remove("PATH")).text(), "");
        assert_eq!(run(program("true").clear_env()).text(), "");
        // A folder of that name is no program.
        assert_eq!(
            run(program("false").env("PATH", &*path)).kind(),
            TaskErrorKind::Exited { code: 1 }
        );
        assert_eq!(run(program("true").env("PATH", "/nowhere")).kind(), not_found("true"));
    }

    #[test]
    fn a_program_that_is_being_written_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = executable(folder.path(), "busy", "#!/bin/sh\n");
        let writer = fs::OpenOptions::new().append(true).open(&path).unwrap();
        let spec = || CommandSpec::new(&*path).unwrap();
        let given_up = Job::start(Commands::default(), spec()).end();
        assert_eq!(given_up.kind(), TaskErrorKind::Infrastructure);
        let cancelled = Job::start(Commands::default(), spec());
        cancelled.raise(StopLevel::Requested);
        assert_eq!(cancelled.end().kind(), TaskErrorKind::Cancelled);
        let mut patient = Commands::default().run(spec(), TaskContext::new(Host::new(None)));
        let first_poll = poll_fn(|cx| Poll::Ready(patient.as_mut().poll(cx)));
        assert!(runtime().block_on(first_poll).is_pending());
        drop(writer);
        runtime().block_on(patient).unwrap();
    }

    #[test]
    fn the_environment_is_inherited_set_and_removed_in_order() {
        let own = env::var("PATH").unwrap();
        assert_eq!(run(program("sh").args(["-c", "echo $PATH"])).text(), format!("{own}\n"));
        let spec = program("env")
            .env("BEFORE", "gone")
            .clear_env()
            .env("A", "1")
            .env("B", "x\ny")
            .env_remove("A")
            .env("A", "2")
            .env("B2", "3")
            .env_remove("B2");
        assert_eq!(run(spec).text(), "A=2\nB=x\ny\n");
    }

    #[test]
    fn variables_of_outwork_are_kept_from_programs() {
        alone("start::variables_of_outwork_are_kept_from_programs", || {
            let seen = run(program("env")).text();
            assert!(!seen.contains("OUTWORK_") && seen.contains("PATH="), "{seen}");
            let seen = run(program("env").env("OUTWORK_MINE", "1")).text();
            assert!(seen.contains("OUTWORK_MINE=1") && !seen.contains("secret"), "{seen}");
        });
    }

    /// `fork` takes 40 ms here, because it copies the page tables.
    #[test]
    fn the_start_does_not_slow_down_with_the_memory_of_this_process() {
        alone("start::the_start_does_not_slow_down_with_the_memory_of_this_process", || {
            let heap = vec![1_u8; 1 << 30];
            let folder = tempfile::tempdir().unwrap();
            let spec = || program("true").cwd(folder.path()).env("PATH", "/bin:/usr/bin");
            run(spec()).ok();
            let time = || {
                let (ctx, spec) = (TaskContext::new(Host::new(None)), spec());
                runtime().block_on(async {
                    let start = Instant::now();
                    let launched = launch(&spec, &ctx).await.unwrap();
                    let took = start.elapsed();
                    drop(launched);
                    took
                })
            };
            // Other tests take their share of the processor; `fork` is never that fast.
            let best = (0..20).map(|_| time()).min().unwrap();
            assert!(best < Duration::from_millis(2), "{best:?}");
            assert!(heap.iter().step_by(4096).all(|byte| *byte == 1));
        });
    }
}

mod stop {
    use super::*;

    /// Three generations that ignore SIGTERM.
    const STUBBORN: &str = r#"
        trap '' TERM
        echo started
        echo $$ >> "$1/pids"
        sh -c 'echo $$ >> "$1/pids"; sh -c '\''echo $$ >> "$1/pids"; sleep 1000; :'\'' sh "$1"; :' sh "$1"
        :
    "#;

    #[test]
    fn a_program_is_asked_with_sigterm() {
        for commands in BOTH {
            let folder = tempfile::tempdir().unwrap();
            let spec = script(r#"echo before; echo $$ > "$1/pids"; exec sleep 1000"#, &folder);
            let job = Job::start(commands, spec);
            let leader = pids(&folder, 1)[0];
            job.raise(StopLevel::Requested);
            let done = job.end();
            assert_eq!(&*done.stdout, b"before\n");
            assert_eq!(done.kind(), TaskErrorKind::Cancelled);
            assert_eq!(state(leader), None);
        }
    }

    #[test]
    fn a_program_that_ends_well_after_it_was_asked_to_stop_is_cancelled_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let line = r#"
            trap 'echo cleaned; exit 0' TERM
            echo $$ > "$1/pids"
            while :; do sleep 0.01; done
        "#;
        let job = Job::start(Commands::default(), script(line, &folder));
        pids(&folder, 1);
        job.raise(StopLevel::Requested);
        let done = job.end();
        assert_eq!(&*done.stdout, b"cleaned\n");
        assert_eq!(done.kind(), TaskErrorKind::Cancelled);
    }

    #[test]
    fn a_tree_that_ignores_sigterm_is_killed_by_force() {
        for commands in BOTH {
            let folder = tempfile::tempdir().unwrap();
            let job = Job::start(commands, script(STUBBORN, &folder));
            let tree = pids(&folder, 3);
            job.raise(StopLevel::Requested);
            wait_until("SIGTERM was sent and ignored", || {
                let status = fs::read_to_string(format!("/proc/{}/status", tree[0])).unwrap();
                status.contains("State:\tS") && tree.iter().all(|pid| !is_gone(*pid))
            });
            assert!(!job.end.is_finished());
            job.raise(StopLevel::Forced);
            let done = job.end();
            assert_eq!(state(tree[0]), None);
            wait_until("the tree is gone", || tree.iter().all(|pid| is_gone(*pid)));
            assert_eq!(&*done.stdout, b"started\n");
            assert_eq!(done.kind(), TaskErrorKind::Cancelled);
        }
    }

    #[test]
    fn force_needs_no_request_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let job = Job::start(Commands::default(), script(STUBBORN, &folder));
        let tree = pids(&folder, 3);
        let start = Instant::now();
        job.raise(StopLevel::Forced);
        assert_eq!(job.end().kind(), TaskErrorKind::Cancelled);
        wait_until("the tree is gone", || tree.iter().all(|pid| is_gone(*pid)));
        let took = start.elapsed();
        assert!(took < Duration::from_secs(1), "{took:?}");
        println!("from force to the end of three generations: {took:?}");
    }

    #[test]
    fn a_child_that_ignores_sigterm_and_holds_no_pipe_dies_with_its_parent() {
        let folder = tempfile::tempdir().unwrap();
        let line = r#"
            sh -c 'trap "" TERM; echo $$ >> "$1/pids"; exec sleep 1000' sh "$1" >/dev/null 2>&1 &
            while ! [ -s "$1/pids" ]; do sleep 0.01; done
            echo $$ >> "$1/pids"
            wait
        "#;
        let job = Job::start(Commands::default(), script(line, &folder));
        let [child, leader] = pids(&folder, 2)[..] else { unreachable!() };
        job.raise(StopLevel::Requested);
        assert_eq!(job.end().kind(), TaskErrorKind::Cancelled);
        assert_eq!(state(leader), None);
        wait_until("the child was killed", || is_gone(child));
    }

    #[test]
    fn a_child_that_ignores_sigterm_and_holds_a_pipe_has_the_rest_of_the_grace() {
        for commands in BOTH {
            let folder = tempfile::tempdir().unwrap();
            let line = r#"
                (
                    trap '' TERM
                    sh -c 'echo $PPID' >> "$1/pids"
                    while ! [ -e "$1/go" ]; do sleep 0.01; done
                    echo late
                    : > "$1/said"
                    exec sleep 1000
                ) &
                while ! [ -s "$1/pids" ]; do sleep 0.01; done
                echo $$ >> "$1/pids"
                wait
            "#;
            let job = Job::start(commands, script(line, &folder));
            let [child, leader] = pids(&folder, 2)[..] else { unreachable!() };
            job.raise(StopLevel::Requested);
            // A zombie keeps the group's number from being given to another.
            wait_until("the program ended", || state(leader) == Some('Z'));
            fs::write(folder.path().join("go"), "").unwrap();
            wait_until("the child went on", || folder.path().join("said").exists());
            job.raise(StopLevel::Forced);
            let done = job.end();
            assert_eq!(&*done.stdout, b"late\n");
            assert_eq!(done.kind(), TaskErrorKind::Cancelled);
            assert_eq!(state(leader), None);
            wait_until("the child was killed", || is_gone(child));
        }
    }

    #[test]
    fn a_group_that_ends_within_the_grace_needs_no_force() {
        let folder = tempfile::tempdir().unwrap();
        let line = r#"
            (
                trap '' TERM
                : > "$1/ready"
                while ! [ -e "$1/go" ]; do sleep 0.01; done
                echo late
            ) &
            while ! [ -e "$1/ready" ]; do sleep 0.01; done
            echo $$ > "$1/pids"
            wait
        "#;
        let job = Job::start(Commands::default(), script(line, &folder));
        let leader = pids(&folder, 1)[0];
        job.raise(StopLevel::Requested);
        wait_until("the program ended", || state(leader) == Some('Z'));
        fs::write(folder.path().join("go"), "").unwrap();
        let done = job.end();
        assert_eq!(&*done.stdout, b"late\n");
        assert_eq!(done.kind(), TaskErrorKind::Cancelled);
    }

    #[test]
    fn who_left_the_group_does_not_keep_the_task_from_ending() {
        let folder = tempfile::tempdir().unwrap();
        let line = r#"setsid sh -c 'echo $$ > "$1/pids"; exec sleep 1000' sh "$1" & wait"#;
        let job = Job::start(Commands::default(), script(line, &folder));
        let left = pids(&folder, 1)[0];
        job.raise(StopLevel::Forced);
        assert_eq!(job.end().kind(), TaskErrorKind::Cancelled);
        kill(left);
    }

    #[test]
    fn a_stopped_program_can_be_asked_and_killed() {
        for level in [StopLevel::Requested, StopLevel::Forced] {
            let folder = tempfile::tempdir().unwrap();
            let spec = script(r#"echo $$ > "$1/pids"; kill -STOP $$; sleep 1000"#, &folder);
            let job = Job::start(Commands::default(), spec);
            let leader = pids(&folder, 1)[0];
            wait_until("the program has stopped", || state(leader) == Some('T'));
            job.raise(level);
            assert_eq!(job.end().kind(), TaskErrorKind::Cancelled);
        }
    }

    #[test]
    fn a_command_that_is_cancelled_before_it_started_never_starts() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(None);
        host.cancel.raise(StopLevel::Requested);
        let spec = script(r#": > "$1/ran""#, &folder);
        let done = Job::with_host(Commands::default(), spec, host).end();
        assert_eq!(done.kind(), TaskErrorKind::Cancelled);
        assert!(!folder.path().join("ran").exists());
    }

    #[test]
    fn dropping_the_future_kills_the_group_and_leaves_no_zombie() {
        for commands in BOTH {
            let folder = tempfile::tempdir().unwrap();
            let job = Job::start(commands, script(STUBBORN, &folder));
            let tree = pids(&folder, 3);
            job.end.abort();
            wait_until("the group is gone", || tree.iter().all(|pid| is_gone(*pid)));
            wait_until("the program was reaped", || state(tree[0]).is_none());
        }
    }

    #[test]
    fn the_end_of_the_runtime_kills_the_group() {
        for commands in BOTH {
            let folder = tempfile::tempdir().unwrap();
            let short = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let ctx = TaskContext::new(Host::new(None));
            // As on a thread pool: driven by the runtime, but on a thread of its own.
            let handle = short.handle().clone();
            let body = commands.run(script(STUBBORN, &folder), ctx);
            let outside = thread::Builder::new().spawn(move || handle.block_on(body)).unwrap();
            let tree = pids(&folder, 3);
            drop(short);
            let error = outside.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), &TaskErrorKind::Infrastructure);
            wait_until("the group is gone", || tree.iter().all(|pid| is_gone(*pid)));
            wait_until("the program was reaped", || state(tree[0]).is_none());
        }
    }
}

mod leaks {
    use super::*;

    fn descriptors() -> Vec<String> {
        let all = fs::read_dir("/proc/self/fd").unwrap();
        let target = |entry: fs::DirEntry| fs::read_link(entry.path()).ok();
        let mut all: Vec<_> = all
            .filter_map(|entry| Some(target(entry.unwrap())?.display().to_string()))
            .filter(|target| !target.ends_with("/fd"))
            .collect();
        all.sort();
        all
    }

    fn children() -> String {
        let mut all = String::new();
        for thread in fs::read_dir("/proc/self/task").unwrap() {
            let path = thread.unwrap().path().join("children");
            all += &fs::read_to_string(path).unwrap_or_default();
        }
        all
    }

    fn one_of_each(commands: Commands) {
        let start = |spec| Job::start(commands, spec);
        start(program("true")).end().ok();
        start(program("cat").stdin(vec![0; 100_000])).end().ok();
        start(program("true").stdin(vec![0; 100_000])).end().ok();
        start(program("false")).end().error();
        start(program("no-such-program")).end().error();
        start(program("/etc/passwd")).end().error();
        start(program("true").cwd("/no/such")).end().error();
        let stopped = start(program("sleep").arg("1000"));
        stopped.raise(StopLevel::Requested);
        stopped.end().error();
        start(program("sleep").arg("1000")).end.abort();
    }

    #[test]
    fn neither_descriptors_nor_zombies_stay_behind() {
        alone("leaks::neither_descriptors_nor_zombies_stay_behind", || {
            one_of_each(Commands::default());
            wait_until("no child is left", || children().is_empty());
            let before = descriptors();
            for round in 0..25 {
                one_of_each(BOTH[round % 2]);
            }
            wait_until("no child is left", || children().is_empty());
            wait_until("no descriptor is left", || descriptors().len() <= before.len());
            assert_eq!(descriptors(), before);
        });
    }
}
