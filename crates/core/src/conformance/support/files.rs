//! Files by which checks and bodies meet, wherever the bodies run.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::Held;

/// The files of one check, gone with it.
#[derive(Debug)]
pub(crate) struct Folder {
    folder: TempDir,
}

impl Folder {
    pub(crate) fn new() -> Held<Self> {
        Ok(Self { folder: TempDir::with_prefix("outwork-conformance-")? })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn gate(&self, name: &str) -> Gate {
        Gate { path: self.join(name) }
    }

    pub(crate) fn log(&self, name: &str) -> Log {
        Log { path: self.join(name) }
    }
}

/// A file that bodies wait for. It appears at the latest when the gate is dropped.
#[derive(Debug)]
pub(crate) struct Gate {
    path: PathBuf,
}

impl Gate {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn open(&self) -> Held {
        File::create(&self.path)?;
        Ok(())
    }

    /// Whether bodies may pass. Nobody is left waiting when the whole folder is gone.
    pub(crate) fn is_open(path: &Path) -> bool {
        path.exists() || path.parent().is_none_or(|folder| !folder.exists())
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // The folder may be gone, and then nobody waits.
        let _ = File::create(&self.path);
    }
}

/// A file that bodies write lines to.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    path: PathBuf,
}

impl Log {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The lines so far; none before the first was written.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.lines().len()
    }
}

/// Adds a line in one write, so that the lines of several writers are not mixed.
pub(crate) fn note(log: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(log)?;
    file.write_all(format!("{line}\n").as_bytes())
}
