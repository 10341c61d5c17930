//! `--results DIR`: what each run wrote, in files.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use outwork_core::Captured;

use crate::{command_line::CommandLine, job_end::JobEnd};

/// A directory with a folder for each run, named by the run's number.
///
/// `DIR/<number>/stdout` and `stderr` are where GNU parallel puts them with `--results DIR/{#}/`;
/// `command` holds what was run, and `exitval` how it ended ([`JobEnd::shell_status`]).
/// `exitval` is written last: where it is, the others are whole.
#[derive(Clone, Debug)]
pub(crate) struct ResultsDir {
    dir: PathBuf,
}

/// What is kept of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunResult<'a> {
    /// The run's number, from 1.
    pub(crate) seq: u64,
    pub(crate) command: &'a CommandLine,
    pub(crate) stdout: &'a Captured,
    pub(crate) stderr: &'a Captured,
    pub(crate) end: JobEnd,
}

/// Why results could not be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResultsError {
    #[error(
        "cannot make the results directory {dir:?}; give --results a directory that can be made"
    )]
    Create { dir: PathBuf, source: io::Error },
    #[error("cannot write into the results directory {dir:?}; give --results another one")]
    NotWritable { dir: PathBuf, source: io::Error },
    #[error("cannot write the result {path:?}")]
    Write { path: PathBuf, source: io::Error },
}

impl ResultsDir {
    /// Makes the directory and its parents, and tries it, so that nothing runs whose result would be lost.
    pub(crate) fn create(dir: PathBuf) -> Result<Self, ResultsError> {
        if let Err(source) = fs::create_dir_all(&dir) {
            return Err(ResultsError::Create { dir, source });
        }
        match tempfile::tempfile_in(&dir) {
            Ok(_) => Ok(Self { dir }),
            Err(source) => Err(ResultsError::NotWritable { dir, source }),
        }
    }

    /// Writes the files of one run, over those of an earlier one of the same number.
    pub(crate) fn save(&self, run: &RunResult<'_>) -> Result<(), ResultsError> {
        let folder = self.dir.join(run.seq.to_string());
        make_folder(&folder)?;
        write(&folder.join("command"), format!("{}\n", run.command).as_bytes())?;
        copy(run.stdout, &folder.join("stdout"))?;
        copy(run.stderr, &folder.join("stderr"))?;
        write(&folder.join("exitval"), format!("{}\n", run.end.shell_status()).as_bytes())
    }
}

/// Makes the folder of a run; of an earlier run's files, `exitval` must not vouch for the new ones.
fn make_folder(folder: &Path) -> Result<(), ResultsError> {
    let made = match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            remove(&folder.join("exitval"))
        }
        made => made,
    };
    made.map_err(|source| ResultsError::Write { path: folder.to_path_buf(), source })
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ResultsError> {
    fs::write(path, bytes)
        .map_err(|source| ResultsError::Write { path: path.to_path_buf(), source })
}

fn copy(output: &Captured, path: &Path) -> Result<(), ResultsError> {
    File::create(path)
        .and_then(|mut file| output.copy_to(&mut file))
        .map_err(|source| ResultsError::Write { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests;
