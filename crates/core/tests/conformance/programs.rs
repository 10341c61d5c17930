//! [`Programs`]: executes programs with the means of the standard library.

use std::{
    io::{ErrorKind, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::Duration,
};

use outwork_core::{
    BoxFuture, CommandReport, CommandSpec, OutputSink, Rejection, StopLevel, TaskContext,
    TaskError, TaskErrorKind, engine::CommandRunner,
};

/// Executes programs with the means of the standard library.
pub struct Programs;

impl CommandRunner for Programs {
    fn run(
        &self,
        spec: CommandSpec,
        ctx: TaskContext,
    ) -> BoxFuture<'static, Result<CommandReport, TaskError>> {
        let (send, receive) = async_channel::bounded(1);
        let execute = move || drop(send.try_send(execute(&spec, &ctx)));
        thread::Builder::new().name("program".to_owned()).spawn(execute).unwrap();
        Box::pin(async move { receive.recv().await.unwrap() })
    }
}

fn execute(spec: &CommandSpec, ctx: &TaskContext) -> Result<CommandReport, TaskError> {
    let mut child = command(spec).spawn().map_err(|error| refused(spec, error.kind()))?;
    if let Some(mut stdin) = child.stdin.take() {
        let input = spec.input().cloned().unwrap_or_default();
        thread::Builder::new().spawn(move || stdin.write_all(&input)).unwrap();
    }
    let out = pump(child.stdout.take().unwrap(), ctx.stdout());
    let err = pump(child.stderr.take().unwrap(), ctx.stderr());
    let status = supervise(&mut child, ctx);
    out.join().unwrap();
    let tail = err.join().unwrap();
    verdict(status).map_err(|error| error.with_stderr_tail(tail))
}

fn command(spec: &CommandSpec) -> Command {
    let mut command = Command::new(spec.program().to_os());
    command.args(spec.arguments().iter().map(|arg| arg.to_os()));
    if let Some(folder) = spec.directory() {
        command.current_dir(folder.to_os());
    }
    if spec.clears_env() {
        command.env_clear();
    }
    for (key, value) in spec.environment() {
        match value {
            Some(value) => command.env(key.to_os(), value.to_os()),
            None => command.env_remove(key.to_os()),
        };
    }
    let stdin = if spec.input().is_some() { Stdio::piped() } else { Stdio::null() };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command
}

fn refused(spec: &CommandSpec, kind: ErrorKind) -> TaskError {
    let program = spec.program().to_string();
    let rejection = match kind {
        ErrorKind::NotFound => Rejection::ProgramNotFound { program },
        _ => Rejection::ProgramNotExecutable { program },
    };
    TaskError::new(TaskErrorKind::Rejected(rejection), format!("cannot execute: {kind}"))
}

/// Reads a pipe to its end; the last bytes come back as text.
fn pump(mut pipe: impl Read + Send + 'static, sink: OutputSink) -> JoinHandle<String> {
    let pump = move || {
        let (mut buffer, mut tail) = (vec![0; 64 * 1024], Vec::new());
        while let Ok(n @ 1..) = pipe.read(&mut buffer) {
            sink.write(&buffer[..n]).unwrap();
            tail = buffer[n.saturating_sub(200)..n].to_vec();
        }
        String::from_utf8_lossy(&tail).into_owned()
    };
    thread::Builder::new().spawn(pump).unwrap()
}

/// Waits for the program, and asks or makes its group stop as its task is.
fn supervise(child: &mut Child, ctx: &TaskContext) -> ExitStatus {
    let mut told = StopLevel::None;
    loop {
        let level = ctx.cancel_source().level();
        if level > told {
            told = level;
            signal(child, if level == StopLevel::Forced { "KILL" } else { "TERM" });
        }
        if let Some(status) = child.try_wait().unwrap() {
            if told != StopLevel::None {
                signal(child, "KILL");
            }
            return status;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn signal(child: &Child, signal: &str) {
    let group = format!("-{}", child.id());
    // The group may have ended by itself.
    let _ = Command::new("kill").args(["-s", signal, "--", &group]).stderr(Stdio::null()).status();
}

fn verdict(status: ExitStatus) -> Result<CommandReport, TaskError> {
    let kind = match (status.code(), status.signal()) {
        (Some(0), _) => return Ok(CommandReport { code: 0 }),
        (Some(code), _) => TaskErrorKind::Exited { code },
        (None, signal) => TaskErrorKind::Signalled { signal: signal.unwrap_or_default() },
    };
    Err(TaskError::new(kind, format!("the program ended: {status}")))
}
