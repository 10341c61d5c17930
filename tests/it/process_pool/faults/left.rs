//! [`Left`]: what is left behind by a pool.

use std::{collections::BTreeSet, ffi::OsString, fs, path::Path};

use super::super::orphans::below;
use crate::support::{Owned, wait_until};

/// What there is that a pool could leave behind.
#[derive(Debug)]
pub struct Left {
    owned: Owned,
    files: Files,
}

#[derive(Debug, PartialEq, Eq)]
struct Files {
    temporary: BTreeSet<OsString>,
    shared_memory: BTreeSet<OsString>,
}

impl Left {
    /// What there is now.
    pub fn behind() -> Self {
        Self { owned: Owned::now(), files: Files::now() }
    }

    /// There is no more than this, or will not be in a moment, and no process, zombies included.
    #[track_caller]
    pub fn is_all_that_is_left(&self) {
        wait_until("no process is left", || below(std::process::id()).is_empty());
        self.owned.wait_for_no_more();
        wait_until(&format!("nothing more is left than {:?}", self.files), || {
            let now = Files::now();
            now.temporary == self.files.temporary
                && now.shared_memory.is_subset(&self.files.shared_memory)
        });
    }
}

impl Files {
    fn now() -> Self {
        Self {
            temporary: names(&std::env::temp_dir()),
            shared_memory: names(Path::new("/dev/shm")),
        }
    }
}

fn names(folder: &Path) -> BTreeSet<OsString> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name()).collect()
}
