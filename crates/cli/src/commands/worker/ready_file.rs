//! [`ReadyFile`]: the file that is there while a worker takes tasks.

use std::{
    fs::{self, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process,
};

use anyhow::Context;
use tempfile::NamedTempFile;

use crate::failure::{Failure, tell};

/// The file that is there while a worker takes tasks. It goes when this is dropped.
#[derive(Debug)]
pub(super) struct ReadyFile {
    path: PathBuf,
    /// What it is to be: it appears whole, under its name, once the worker is ready.
    waiting: Option<NamedTempFile>,
}

impl ReadyFile {
    /// Takes away what a worker left that was killed, and writes the file under another name.
    pub(super) fn prepare(path: PathBuf) -> Result<Self, Failure> {
        let written = remove(&path).and_then(|()| write_beside(&path));
        let context = || format!("--ready-file {path:?} cannot be made");
        let waiting = Some(written.with_context(context).map_err(Failure::usage)?);
        Ok(Self { path, waiting })
    }

    /// Makes the file.
    pub(super) fn make(&mut self) -> Result<(), Failure> {
        let Some(waiting) = self.waiting.take() else { return Ok(()) };
        let made = waiting.persist(&self.path).map_err(|error| error.error);
        let context = || format!("--ready-file {:?} cannot be made", self.path);
        made.map(drop).with_context(context).map_err(Failure::failed)
    }
}

/// Writes a file that goes by itself unless it gets its name.
fn write_beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".ready-")
        // Whoever looks after the worker may be somebody else.
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    writeln!(file, "{}", process::id())?;
    Ok(file)
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        if self.waiting.is_none()
            && let Err(error) = remove(&self.path)
        {
            tell(&format!("--ready-file {:?} cannot be removed: {error}", self.path));
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
