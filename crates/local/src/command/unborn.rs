//! Children between their `fork` and their `exec`, which nobody knows yet.

use std::{collections::HashSet, fs};

use rustix::process::{Pid, Signal, kill_process};

/// Lets every child go on that is not one of `known`, and forget a stop that it was sent.
///
/// Where the system does not list the children nothing is done.
pub(super) fn free(known: &HashSet<Pid>) {
    for child in children().filter(|child| !known.contains(child)) {
        // It may have ended meanwhile.
        let _ = kill_process(child, Signal::CONT);
    }
}

/// The children of this process, those of each of its threads.
fn children() -> impl Iterator<Item = Pid> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| {
        let pids = list.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
        pids.collect::<Vec<_>>()
    })
}
