//! What is said of a command that was not started, or failed.

use std::{
    ffi::OsStr,
    io,
    os::unix::{ffi::OsStrExt, process::ExitStatusExt},
    path::Path,
};

use outwork_core::{CommandReport, CommandSpec, OsBytes, Rejection, TaskError, TaskErrorKind};
use rustix::{fs::Access, io::Errno, process::Signal};

use super::running::Ended;

/// Refuses what no program can be given.
pub(super) fn check(spec: &CommandSpec) -> Result<(), TaskError> {
    let has_nul = |text: &OsBytes| text.as_bytes().contains(&0);
    if let Some(place) = spec.arguments().iter().position(has_nul) {
        return Err(invalid(spec, &format!("argument {} holds a NUL byte", place + 1)));
    }
    if spec.directory().is_some_and(has_nul) {
        return Err(invalid(spec, "its working directory holds a NUL byte"));
    }
    for (key, value) in spec.environment() {
        if key.is_empty() || key.as_bytes().iter().any(|byte| matches!(byte, 0 | b'=')) {
            return Err(invalid(spec, &format!("{key:?} cannot be the name of a variable")));
        }
        if value.as_ref().is_some_and(has_nul) {
            return Err(invalid(spec, &format!("the variable {key} holds a NUL byte")));
        }
    }
    Ok(())
}

fn invalid(spec: &CommandSpec, what: &str) -> TaskError {
    TaskError::failed(format!("`{}` cannot be started: {what}", spec.program())).permanent()
}

fn infrastructure(program: &OsBytes, what: &str) -> TaskError {
    TaskError::new(TaskErrorKind::Infrastructure, format!("`{program}` {what}"))
}

fn rejected(spec: &CommandSpec, rejection: fn(String) -> Rejection, what: &str) -> TaskError {
    let program = spec.program().to_string();
    let message = format!("`{program}` {what}");
    TaskError::new(TaskErrorKind::Rejected(rejection(program)), message)
}

/// The program is nowhere in the command's `PATH`.
pub(super) fn not_found(spec: &CommandSpec) -> TaskError {
    no_directory(spec).unwrap_or_else(|| {
        rejected(spec, |program| Rejection::ProgramNotFound { program }, "was not found")
    })
}

/// There is such a file, but it may not be executed.
pub(super) fn not_executable(spec: &CommandSpec) -> TaskError {
    not_executable_because(spec, "may not be executed")
}

fn not_executable_because(spec: &CommandSpec, what: &str) -> TaskError {
    rejected(spec, |program| Rejection::ProgramNotExecutable { program }, what)
}

/// The system did not start it.
pub(super) fn not_started(spec: &CommandSpec, path: &Path, error: &io::Error) -> TaskError {
    let errno = Errno::from_io_error(error);
    if let Some(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) = errno
        && let Some(error) = no_directory(spec)
    {
        return error;
    }
    match errno {
        Some(Errno::NOENT) if path.exists() => {
            not_executable_because(spec, "needs an interpreter or a loader that was not found")
        }
        Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => not_found(spec),
        Some(Errno::NOEXEC) => {
            not_executable_because(spec, "is neither a program for this machine nor a script")
        }
        Some(Errno::ACCESS | Errno::PERM | Errno::ISDIR) => not_executable(spec),
        Some(Errno::TOOBIG) => {
            invalid(spec, "its arguments and environment are larger than the system takes")
        }
        Some(_) => infrastructure(spec.program(), &format!("was not started: {error}")),
        None => invalid(spec, &error.to_string()),
    }
}

/// What is wrong with the working directory, which the kernel reports as if it was the program.
fn no_directory(spec: &CommandSpec) -> Option<TaskError> {
    let directory = Path::new(OsStr::from_bytes(spec.directory()?.as_bytes()));
    let error = match directory.metadata() {
        Ok(found) if !found.is_dir() => Errno::NOTDIR.into(),
        Ok(_) => rustix::fs::access(directory, Access::EXEC_OK).err()?.into(),
        Err(error) => error,
    };
    let what = format!("was not started: no working directory {}: {error}", directory.display());
    Some(infrastructure(spec.program(), &what))
}

/// What the end of a program means for its task.
pub(super) fn report(
    program: &OsBytes,
    ended: io::Result<Ended>,
) -> Result<CommandReport, TaskError> {
    let ended = ended.map_err(|error| {
        infrastructure(program, &format!("was not watched to its end: {error}"))
    })?;
    if ended.stopped {
        return Err(TaskError::cancelled());
    }
    let unkept = ended.refused.map(|error| format!("its output could not be kept: {error}"));
    let error = match (ended.status.code(), ended.status.signal()) {
        (Some(0), _) => match unkept {
            None => return Ok(CommandReport { code: 0 }),
            Some(unkept) => return Err(infrastructure(program, &format!("ran, but {unkept}"))),
        },
        (Some(code), _) => {
            let message = format!("`{program}` exited with code {code}");
            TaskError::new(TaskErrorKind::Exited { code }, message)
        }
        (None, signal) => {
            let signal = signal.unwrap_or_default();
            let message = format!("`{program}` was killed by {}", signal_name(signal));
            TaskError::new(TaskErrorKind::Signalled { signal }, message)
        }
    };
    let mut error = error.with_stderr_tail(ended.stderr_tail);
    unkept.into_iter().for_each(|unkept| error.add_note(unkept));
    Err(error)
}

/// The name of a signal, such as `SIGSEGV`.
fn signal_name(signal: i32) -> String {
    let name = SIGNALS.iter().find(|(known, _)| known.as_raw() == signal);
    name.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}

/// Those that end a program unless it handles them.
const SIGNALS: &[(Signal, &str)] = &[
    (Signal::HUP, "SIGHUP"),
    (Signal::INT, "SIGINT"),
    (Signal::QUIT, "SIGQUIT"),
    (Signal::ILL, "SIGILL"),
    (Signal::TRAP, "SIGTRAP"),
    (Signal::ABORT, "SIGABRT"),
    (Signal::BUS, "SIGBUS"),
    (Signal::FPE, "SIGFPE"),
    (Signal::KILL, "SIGKILL"),
    (Signal::USR1, "SIGUSR1"),
    (Signal::SEGV, "SIGSEGV"),
    (Signal::USR2, "SIGUSR2"),
    (Signal::PIPE, "SIGPIPE"),
    (Signal::ALARM, "SIGALRM"),
    (Signal::TERM, "SIGTERM"),
    (Signal::XCPU, "SIGXCPU"),
    (Signal::XFSZ, "SIGXFSZ"),
    (Signal::VTALARM, "SIGVTALRM"),
    (Signal::PROF, "SIGPROF"),
    (Signal::SYS, "SIGSYS"),
];
