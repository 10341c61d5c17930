//! [`Program`]: what a child is started from.

use std::{
    env,
    ffi::OsString,
    fs::File,
    io::{self, PipeReader, pipe},
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command},
};

use outwork_core::BuildError;
use rustix::{fs::Access, process::Pid};

use super::super::{
    child::{MARKER, depth},
    sys,
};
use crate::command::census;

#[cfg(test)]
mod tests;

/// The program of the children, always with its path: a bare name would be looked up by the
/// child, and so be started by `fork`, which takes 40 ms for each GiB of this process.
#[derive(Debug)]
pub(in super::super) struct Program {
    path: PathBuf,
    name: OsString,
}

/// A child that was started.
pub(super) struct Started {
    pub(super) process: Child,
    pub(super) socket: OwnedFd,
    pub(super) journal: File,
    pub(super) stdout: PipeReader,
    pub(super) stderr: PipeReader,
}

impl Program {
    /// This very program, also when its file was replaced or removed since it was started.
    pub(in super::super) fn own() -> Result<Self, BuildError> {
        let own = env::current_exe()
            .map_err(|error| BuildError::system("the path of the own program", &error))?;
        let name = env::args_os().next().unwrap_or_else(|| own.clone().into_os_string());
        let path = if cfg!(target_os = "linux") { PathBuf::from("/proc/self/exe") } else { own };
        Ok(Self { path, name })
    }

    /// Another program, which calls `worker_entry` too.
    ///
    /// # Errors
    ///
    /// When there is no such program.
    pub(in super::super) fn named(path: &Path) -> Result<Self, BuildError> {
        let refused = |reason: String| BuildError::InvalidSetting {
            setting: "program",
            value: path.display().to_string(),
            reason,
        };
        let absolute = std::path::absolute(path).map_err(|error| refused(error.to_string()))?;
        if !absolute.is_file() {
            return Err(refused("there is no such file".to_owned()));
        }
        if rustix::fs::access(&absolute, Access::EXEC_OK).is_err() {
            return Err(refused("it may not be executed".to_owned()));
        }
        Ok(Self { name: absolute.clone().into_os_string(), path: absolute })
    }

    /// Starts a child at the head of a group of its own. Only what std can do by `posix_spawn`.
    pub(super) fn start(&self) -> io::Result<Started> {
        let (socket, theirs) = sys::channel()?;
        let (stdout, their_stdout) = pipe()?;
        let (stderr, their_stderr) = pipe()?;
        let journal = sys::nameless_file()?;
        for pipe in [&stdout, &stderr] {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        let mut command = Command::new(&self.path);
        command
            .arg0(&self.name)
            .arg(MARKER)
            .arg((depth() + 1).to_string())
            .process_group(0)
            .stdin(theirs)
            .stdout(their_stdout)
            .stderr(their_stderr);
        let process = census::start(|| command.spawn(), Pid::from_child)?;
        Ok(Started { process, socket, journal, stdout, stderr })
    }
}
