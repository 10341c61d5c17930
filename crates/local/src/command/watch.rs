//! [`GroupWatch`]: somebody who has to know of every group while it is there.

use std::{io, sync::OnceLock};

use rustix::process::Pid;

/// Who has to know which groups there are, so that they can be killed by others.
pub(crate) trait GroupWatch: Send + Sync + 'static {
    /// Calls `start`, which starts a program and gives its group if there is one then.
    fn start(&self, start: &mut dyn FnMut() -> Option<Pid>);

    /// The program was reaped: its number may be given to another.
    fn reaped(&self, group: Pid);
}

static WATCH: OnceLock<Box<dyn GroupWatch>> = OnceLock::new();

/// Lets somebody know of all groups of this process from now on. Only the first call counts.
pub(crate) fn watch_groups(watch: impl GroupWatch) {
    let _ = WATCH.set(Box::new(watch));
}

/// Starts a program under the eyes of who watches, if anybody does.
pub(super) fn start<T>(
    spawn: impl FnOnce() -> io::Result<T>,
    pid: impl FnOnce(&T) -> Pid,
) -> io::Result<T> {
    let Some(watch) = WATCH.get() else { return spawn() };
    let (mut start, mut started) = (Some((spawn, pid)), None);
    watch.start(&mut || {
        let (spawn, pid) = start.take()?;
        started.insert(spawn()).as_ref().ok().map(pid)
    });
    started.unwrap_or_else(|| Err(io::Error::other("the program was not started")))
}

/// A program was reaped.
pub(super) fn reaped(group: Pid) {
    if let Some(watch) = WATCH.get() {
        watch.reaped(group);
    }
}
