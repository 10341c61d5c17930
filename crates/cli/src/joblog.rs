//! `--joblog FILE`: one line for each run that ended, in GNU parallel's columns.

mod logged;

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

pub(crate) use self::logged::{Logged, Resume};
use crate::{command_line::CommandLine, job_end::JobEnd};

/// The first line of every joblog.
const HEADER: &[u8] =
    b"Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

/// A joblog open for writing.
///
/// A line is written whole and at once, so what ended is on record when this process is killed;
/// at most the last line is torn, and a reader passes over it.
/// The command column is quoted by [`CommandLine`]: a line stays a line whatever bytes the command has.
#[derive(Debug)]
pub(crate) struct JobLog {
    path: PathBuf,
    file: File,
}

/// A run that ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// The run's number, from 1.
    pub(crate) seq: u64,
    /// The worker it ran on, `:` for this machine.
    pub(crate) host: &'a str,
    pub(crate) started: SystemTime,
    pub(crate) runtime: Duration,
    /// Bytes of standard output.
    pub(crate) received: u64,
    pub(crate) end: JobEnd,
    pub(crate) command: &'a CommandLine,
}

/// Why a joblog could not be used. Every variant names the file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobLogError {
    #[error(
        "{path:?} is not a joblog, so it is left as it is: \
         its first line is not the header; give --joblog another file"
    )]
    NotAJobLog { path: PathBuf },
    #[error("cannot open the joblog {path:?}")]
    Open { path: PathBuf, source: io::Error },
    #[error("cannot read the joblog {path:?}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write the joblog {path:?}")]
    Write { path: PathBuf, source: io::Error },
}

/// What a file begins with.
enum Beginning {
    /// It holds nothing, or was torn within the header.
    Blank,
    Header,
    Other,
}

impl JobLog {
    /// Starts a joblog anew. Only an earlier joblog is overwritten, never another file.
    pub(crate) fn create(path: &Path) -> Result<Self, JobLogError> {
        let log = Self::open(path)?;
        log.require_joblog()?;
        log.start_anew()?;
        Ok(log)
    }

    /// Continues a joblog, and tells which runs it holds. A joblog that does not exist is started.
    pub(crate) fn resume(path: &Path, resume: Resume) -> Result<(Self, Logged), JobLogError> {
        let log = Self::open(path)?;
        if let Beginning::Blank = log.require_joblog()? {
            log.start_anew()?;
            return Ok((log, Logged::default()));
        }
        let logged = log.read_lines(resume).map_err(|source| log.read_error(source))?;
        log.end_torn_line().map_err(|source| log.write_error(source))?;
        Ok((log, logged))
    }

    /// Tells which runs a joblog holds, and leaves it as it is.
    pub(crate) fn read(path: &Path, resume: Resume) -> Result<Logged, JobLogError> {
        let open = |source| JobLogError::Open { path: path.to_path_buf(), source };
        let log = Self { path: path.to_path_buf(), file: File::open(path).map_err(open)? };
        match log.require_joblog()? {
            Beginning::Blank => Ok(Logged::default()),
            _ => log.read_lines(resume).map_err(|source| log.read_error(source)),
        }
    }

    /// Records a run that ended.
    pub(crate) fn append(&self, entry: &Entry<'_>) -> Result<(), JobLogError> {
        self.write(entry.to_line().as_bytes())
    }

    fn open(path: &Path) -> Result<Self, JobLogError> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        // A pipe or device (`--joblog /dev/stderr`) has nothing to read back.
        options.read(path.metadata().map_or(true, |metadata| metadata.is_file()));
        match options.open(path) {
            Ok(file) => Ok(Self { path: path.to_path_buf(), file }),
            Err(source) => Err(JobLogError::Open { path: path.to_path_buf(), source }),
        }
    }

    fn require_joblog(&self) -> Result<Beginning, JobLogError> {
        match self.beginning().map_err(|source| self.read_error(source))? {
            Beginning::Other => Err(JobLogError::NotAJobLog { path: self.path.clone() }),
            beginning => Ok(beginning),
        }
    }

    fn beginning(&self) -> io::Result<Beginning> {
        if !self.is_regular_file()? {
            return Ok(Beginning::Blank);
        }
        let mut beginning = Vec::new();
        (&self.file).take(HEADER.len() as u64).read_to_end(&mut beginning)?;
        Ok(match &beginning[..] {
            HEADER => Beginning::Header,
            torn if HEADER.starts_with(torn) => Beginning::Blank,
            _ => Beginning::Other,
        })
    }

    fn is_regular_file(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.is_file())
    }

    fn start_anew(&self) -> Result<(), JobLogError> {
        let empty = || if self.is_regular_file()? { self.file.set_len(0) } else { Ok(()) };
        empty().map_err(|source| self.write_error(source))?;
        self.write(HEADER)
    }

    /// Reads what follows the header.
    fn read_lines(&self, resume: Resume) -> io::Result<Logged> {
        Logged::read(io::BufReader::new(&self.file), resume)
    }

    /// Puts the next line on a line of its own.
    fn end_torn_line(&self) -> io::Result<()> {
        let mut last = [0];
        self.file.read_exact_at(&mut last, self.file.metadata()?.len() - 1)?;
        if last == *b"\n" { Ok(()) } else { (&self.file).write_all(b"\n") }
    }

    fn write(&self, bytes: &[u8]) -> Result<(), JobLogError> {
        (&self.file).write_all(bytes).map_err(|source| self.write_error(source))
    }

    fn read_error(&self, source: io::Error) -> JobLogError {
        JobLogError::Read { path: self.path.clone(), source }
    }

    fn write_error(&self, source: io::Error) -> JobLogError {
        JobLogError::Write { path: self.path.clone(), source }
    }
}

impl Entry<'_> {
    fn to_line(self) -> String {
        let Self { seq, received, end, command, .. } = self;
        let host = self.host.replace(|c: char| c.is_whitespace() || c.is_control(), "_");
        let started = self.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (started, runtime) = (started.as_secs_f64(), self.runtime.as_secs_f64());
        let (exitval, signal) = (end.exitval(), end.signal());
        format!(
            "{seq}\t{host}\t{started:.3}\t{runtime:10.3}\t0\t{received}\t{exitval}\t{signal}\t{command}\n"
        )
    }
}

#[cfg(test)]
mod tests;
