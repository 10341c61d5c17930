//! How much memory a process has.

use std::fs;

use rustix::process::Pid;

/// The memory that a process has in use, in bytes; `None` when it is gone or the system does
/// not say.
pub(super) fn resident(pid: Pid) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{}/statm", pid.as_raw_nonzero())).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
