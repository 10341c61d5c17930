//! Files that tasks name: they are on one machine, and tasks run on another.

use outwork_core::{StreamTarget, TaskOptions};

/// What is said of a task that names a file.
pub(crate) const NO_FILES: &str = "files do not travel to the machine of a worker; leave it out, \
    or let the client and its workers share their files";

/// The first option that names a file, or a folder.
pub(crate) fn named_file(options: &TaskOptions) -> Option<&'static str> {
    let is_file = |target: &Option<StreamTarget>| matches!(target, Some(StreamTarget::File { .. }));
    if is_file(&options.stdout) {
        Some("stdout")
    } else if is_file(&options.stderr) {
        Some("stderr")
    } else if options.cache_dir.is_some() {
        Some("cache_dir")
    } else {
        None
    }
}
