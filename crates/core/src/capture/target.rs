//! [`StreamTarget`]: where a stream of a task goes.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Component, Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::Metadata;

/// Where the standard output or error of a task goes.
///
/// Without a target, what a handler writes to its context's sinks and what a command prints
/// is kept in memory with the default settings of [`StreamTarget::memory`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum StreamTarget {
    /// Nowhere.
    Discard,
    /// Into the outcome: the first bytes in memory, what is beyond in an unlinked file.
    Memory {
        /// How many bytes stay in memory.
        in_memory: usize,
        /// How many bytes are kept at all; a task that writes more ends as
        /// [`OutputTooLarge`](crate::TaskErrorKind::OutputTooLarge) with the head kept.
        limit: Option<u64>,
    },
    /// At the end of a file. Folders on the way are made, and a leading `~/` is the home.
    /// A relative path lies in the executor's results folder under the task's dispatch id,
    /// and may not leave it.
    File {
        /// The file.
        path: PathBuf,
    },
}

impl StreamTarget {
    /// Keeps 64 KiB in memory and the rest in an unlinked file, without a limit.
    #[must_use]
    pub const fn memory() -> Self {
        Self::Memory { in_memory: 64 * 1024, limit: None }
    }

    /// Keeps everything up to `limit` bytes, at most 64 KiB of it in memory.
    #[must_use]
    pub const fn limited(limit: u64) -> Self {
        Self::Memory { in_memory: 64 * 1024, limit: Some(limit) }
    }

    /// Appends to a file.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File { path: path.into() }
    }
}

impl Default for StreamTarget {
    fn default() -> Self {
        Self::memory()
    }
}

/// Where relative capture files of one task lie.
#[derive(Debug, Clone, Copy)]
pub struct CapturePlace<'a> {
    /// The results folder of the executor.
    pub results_dir: &'a Path,
    /// The metadata, for the dispatch id.
    pub metadata: &'a Metadata,
}

impl CapturePlace<'_> {
    /// Opens a capture file for appending.
    pub(super) fn open(&self, path: &Path) -> io::Result<File> {
        let path = self.resolve(path)?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        OpenOptions::new().create(true).append(true).read(true).open(path)
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        if let Ok(below_home) = path.strip_prefix("~") {
            let home = std::env::home_dir()
                .ok_or_else(|| io::Error::other("the home folder behind ~ is not known"))?;
            return Ok(home.join(below_home));
        }
        if path.is_absolute() {
            return Ok(path.to_owned());
        }
        let mut folder = self.results_dir.to_owned();
        if let Some(info) = self.metadata.dispatch() {
            folder.push(plain(Path::new(&info.dispatch_id))?);
        }
        Ok(folder.join(plain(path)?))
    }
}

/// A path that goes only down.
fn plain(path: &Path) -> io::Result<&Path> {
    let down = path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    let message = || format!("{} leaves the results folder", path.display());
    if down { Ok(path) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, message())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DispatchInfo;

    #[test]
    fn a_relative_path_lies_under_the_dispatch_and_cannot_leave_it() {
        let info = DispatchInfo { dispatch_id: "run-1".to_owned(), node_id: None };
        let metadata = Metadata::new().with_dispatch(&info);
        let place = CapturePlace { results_dir: Path::new("/r"), metadata: &metadata };
        assert_eq!(place.resolve(Path::new("a/b")).unwrap(), Path::new("/r/run-1/a/b"));
        assert_eq!(place.resolve(Path::new("/abs")).unwrap(), Path::new("/abs"));
        for bad in ["../x", "a/../../x"] {
            assert!(place.resolve(Path::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_dispatch_id_cannot_lead_out_either() {
        let info = DispatchInfo { dispatch_id: "../up".to_owned(), node_id: None };
        let metadata = Metadata::new().with_dispatch(&info);
        let place = CapturePlace { results_dir: Path::new("/r"), metadata: &metadata };
        assert!(place.resolve(Path::new("a")).is_err());
    }

    #[test]
    fn a_tilde_is_the_home() {
        let metadata = Metadata::new();
        let place = CapturePlace { results_dir: Path::new("/r"), metadata: &metadata };
        let home = std::env::home_dir().unwrap();
        assert_eq!(place.resolve(Path::new("~/x")).unwrap(), home.join("x"));
    }
}
