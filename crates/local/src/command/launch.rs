//! Starting a program.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, PipeReader, PipeWriter, pipe},
    os::unix::{ffi::OsStrExt, process::CommandExt},
    path::Path,
    process::{ChildStdin, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use outwork_core::{CommandSpec, StopLevel, TaskContext, TaskError};
use tokio::time::timeout;

use super::{
    failure,
    group::Group,
    program::{self, Found},
};

/// How often a program that is being written is tried again, and after which pause.
///
/// Another thread that wrote the file may have started a program in between, which holds the
/// file open until its `exec`.
const BUSY_RETRIES: u32 = 10;
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// The variables of this process that no program gets to see.
const OWN_VARIABLES: &[u8] = b"OUTWORK_";

/// A program that was started, and the pipes to it.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) group: Group,
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: OutputPipe,
    pub(super) stderr: OutputPipe,
}

/// The pipe of an output stream.
#[derive(Debug)]
pub(super) struct OutputPipe {
    pub(super) reader: PipeReader,
    /// A writer of our own: while it is open the end of the program is not seen on the pipe.
    pub(super) spare: PipeWriter,
}

impl OutputPipe {
    /// The pipe, and the program's side of it.
    fn new() -> io::Result<(Self, Stdio)> {
        let (reader, spare) = pipe()?;
        let programs = spare.try_clone()?.into();
        Ok((Self { reader, spare }, programs))
    }
}

/// Starts a program.
///
/// # Cancel safety
///
/// Nothing runs when the future is dropped before it has resolved.
pub(super) async fn launch(spec: &CommandSpec, ctx: &TaskContext) -> Result<Launched, TaskError> {
    failure::check(spec)?;
    let path = match program::find(spec) {
        Ok(Found::At(path)) => path,
        Ok(Found::NotExecutable) => return Err(failure::not_executable(spec)),
        Ok(Found::Nowhere) => return Err(failure::not_found(spec)),
        Err(error) => return Err(failure::not_started(spec, Path::new(""), &error)),
    };
    let failed = |error| failure::not_started(spec, &path, &error);
    let (stdout, programs_stdout) = OutputPipe::new().map_err(failed)?;
    let (stderr, programs_stderr) = OutputPipe::new().map_err(failed)?;
    let mut command = command(spec, &path).map_err(failed)?;
    command.stdout(programs_stdout).stderr(programs_stderr);
    let mut retries = 0;
    loop {
        match Group::start(&mut command) {
            Ok((group, stdin)) => return Ok(Launched { group, stdin, stdout, stderr }),
            Err(error) if is_busy(&error) && retries < BUSY_RETRIES => {
                retries += 1;
                pause(ctx).await?;
            }
            Err(error) => return Err(failed(error)),
        }
    }
}

fn is_busy(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ExecutableFileBusy
}

async fn pause(ctx: &TaskContext) -> Result<(), TaskError> {
    let cancelled = ctx.cancel_source().reached(StopLevel::Requested);
    match timeout(BUSY_PAUSE, cancelled).await {
        Ok(()) => Err(TaskError::cancelled()),
        Err(_) => Ok(()),
    }
}

/// Only what std can do by `posix_spawn`: `fork` copies the page tables of this process.
fn command(spec: &CommandSpec, path: &Path) -> io::Result<Command> {
    let mut command = Command::new(path);
    command
        .arg0(OsStr::from_bytes(spec.name().as_bytes()))
        .args(spec.arguments().iter().map(|arg| OsStr::from_bytes(arg.as_bytes())))
        .process_group(0)
        .stdin(if spec.input().is_some() { Stdio::piped() } else { null()? });
    if let Some(directory) = spec.directory() {
        command.current_dir(OsStr::from_bytes(directory.as_bytes()));
    }
    set_environment(&mut command, spec);
    Ok(command)
}

/// `/dev/null`, opened once: to look it up takes longer than to copy the descriptor.
fn null() -> io::Result<Stdio> {
    static NULL: OnceLock<File> = OnceLock::new();
    let null = match NULL.get() {
        Some(null) => null,
        None => {
            let opened = File::open("/dev/null")?;
            NULL.get_or_init(|| opened)
        }
    };
    Ok(null.try_clone()?.into())
}

/// The environment is left alone as long as possible: a changed one is built anew each time.
fn set_environment(command: &mut Command, spec: &CommandSpec) {
    if spec.clears_env() {
        command.env_clear();
    } else {
        own_variables().for_each(|key| {
            command.env_remove(key);
        });
    }
    for (key, value) in spec.environment() {
        let key = OsStr::from_bytes(key.as_bytes());
        match value {
            Some(value) => command.env(key, OsStr::from_bytes(value.as_bytes())),
            None => command.env_remove(key),
        };
    }
}

fn own_variables() -> impl Iterator<Item = OsString> {
    env::vars_os().map(|(key, _)| key).filter(|key| key.as_bytes().starts_with(OWN_VARIABLES))
}
