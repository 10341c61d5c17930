//! [`ReadyFile`]: the file that is there while a worker takes tasks.

use std::{fs, io, path::PathBuf, process};

use anyhow::Context;

use crate::failure::{Failure, tell};

/// The file that is there while a worker takes tasks. It goes when this is dropped.
#[derive(Debug)]
pub(super) struct ReadyFile {
    path: PathBuf,
    is_there: bool,
}

impl ReadyFile {
    /// Takes away what a worker left that was killed, and finds out whether the file can be made.
    pub(super) fn prepare(path: PathBuf) -> Result<Self, Failure> {
        let tried = remove(&path).and_then(|()| fs::File::create_new(&path)).and_then(|_made| {
            // Nothing may take it for ready in between: it is looked at, if at all, once a second.
            remove(&path)
        });
        let context = || format!("--ready-file {path:?} cannot be made");
        tried.with_context(context).map_err(Failure::usage)?;
        Ok(Self { path, is_there: false })
    }

    /// Makes the file.
    pub(super) fn make(&mut self) -> Result<(), Failure> {
        self.is_there = true;
        let written = fs::write(&self.path, format!("{}\n", process::id()));
        let context = || format!("--ready-file {:?} cannot be made", self.path);
        written.with_context(context).map_err(Failure::failed)
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        if self.is_there
            && let Err(error) = remove(&self.path)
        {
            tell(&format!("--ready-file {:?} cannot be removed: {error}", self.path));
        }
    }
}

fn remove(path: &PathBuf) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
