//! [`ReadyFile`]: the file that is there while a worker takes tasks.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
};

use anyhow::Context;

use crate::failure::{Failure, tell};

/// The file that is there while a worker takes tasks. It goes when this is dropped.
#[derive(Debug)]
pub(super) struct ReadyFile {
    path: PathBuf,
    /// Where it is written, so that it appears whole.
    beside: PathBuf,
    is_made: bool,
}

impl ReadyFile {
    /// Takes away what a worker left that was killed, and writes the file under another name.
    pub(super) fn prepare(path: PathBuf) -> Result<Self, Failure> {
        let context = || format!("--ready-file {path:?} cannot be made");
        let written = remove(&path).and_then(|()| write_beside(&path));
        let beside = written.with_context(context).map_err(Failure::usage)?;
        Ok(Self { path, beside, is_made: false })
    }

    /// Makes the file.
    pub(super) fn make(&mut self) -> Result<(), Failure> {
        let context = || format!("--ready-file {:?} cannot be made", self.path);
        fs::rename(&self.beside, &self.path).with_context(context).map_err(Failure::failed)?;
        self.is_made = true;
        Ok(())
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        let path = if self.is_made { &self.path } else { &self.beside };
        if let Err(error) = remove(path) {
            tell(&format!("--ready-file {path:?} cannot be removed: {error}"));
        }
    }
}

/// Writes what is to be in the file; where that is.
fn write_beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", process::id()));
    fs::write(&beside, format!("{}\n", process::id()))?;
    Ok(beside)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn the_file_appears_whole_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ready");
        fs::write(&path, "left by one that was killed").unwrap();
        let mut ready = ReadyFile::prepare(path.clone()).unwrap();
        assert!(!path.exists(), "it is not ready yet");
        ready.make().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", process::id()));
        assert_eq!(files(folder.path()), 1);
        drop(ready);
        assert_eq!(files(folder.path()), 0);
    }

    #[test]
    fn of_a_worker_that_never_was_ready_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        drop(ReadyFile::prepare(folder.path().join("ready")).unwrap());
        assert_eq!(files(folder.path()), 0);
    }

    #[test]
    fn what_names_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(ReadyFile::prepare(folder.path().to_owned()).is_err(), "a folder");
        assert!(ReadyFile::prepare(folder.path().join("none/ready")).is_err(), "in no folder");
        assert!(ReadyFile::prepare("..".into()).is_err());
    }
}
