//! How a child ended, and what that means for its task.

use std::{fs, os::unix::process::ExitStatusExt, process::ExitStatus};

use outwork_core::{LossReason, TaskError, WorkerLost};
use rustix::process::Pid;

use super::child::Kill;

/// How a child ended.
#[derive(Debug)]
pub(super) struct Death {
    pub(super) pid: Pid,
    /// `None` when somebody else has reaped it.
    pub(super) status: Option<ExitStatus>,
    pub(super) killed: Option<Kill>,
    /// Whether the kernel has killed somebody for want of memory while the child was there.
    pub(super) oom_kill: bool,
    /// The end of its standard error.
    pub(super) stderr: String,
}

const SIGKILL: i32 = 9;

impl Death {
    /// The error of the task that it was at.
    pub(super) fn of_task(&self) -> TaskError {
        if self.killed == Some(Kill::Ordered) {
            return TaskError::cancelled();
        }
        let lost = WorkerLost {
            reason: self.reason(),
            pid: Some(self.pid.as_raw_nonzero().get().unsigned_abs()),
            code: self.status.and_then(|status| status.code()),
            signal: self.status.and_then(|status| status.signal()),
            oom: self.is_oom(),
        };
        let message = format!("its worker was lost: {}", self.words());
        TaskError::lost(lost, message).with_stderr_tail(self.stderr.clone())
    }

    const fn reason(&self) -> LossReason {
        match &self.killed {
            Some(Kill::Memory { .. }) => LossReason::MemoryLimit,
            Some(Kill::Garbled(_)) => LossReason::Garbled,
            Some(Kill::Disconnected) => LossReason::Disconnected,
            Some(Kill::Ordered | Kill::NotReady | Kill::Silent) | None => LossReason::Died,
        }
    }

    /// Killed by somebody else, while the kernel killed somebody for want of memory.
    fn is_oom(&self) -> bool {
        self.killed.is_none()
            && self.status.and_then(|status| status.signal()) == Some(SIGKILL)
            && self.oom_kill
    }

    /// How it ended, for a person.
    pub(super) fn words(&self) -> String {
        let pid = self.pid.as_raw_nonzero();
        match &self.killed {
            Some(Kill::Memory { limit, used }) => {
                format!("process {pid} used {used} bytes of memory, and {limit} are allowed")
            }
            Some(Kill::Garbled(what)) => {
                format!("what process {pid} said was not understood, so it was killed: {what}")
            }
            Some(Kill::Disconnected) => {
                format!("process {pid} had its channel closed, so it was ended")
            }
            Some(Kill::NotReady) => format!("process {pid} did not get ready in time"),
            Some(Kill::Silent) => {
                format!("process {pid} began none of the tasks that it was sent, so it was killed")
            }
            Some(Kill::Ordered) => format!("process {pid} was killed by its pool"),
            None => self.status_words(),
        }
    }

    fn status_words(&self) -> String {
        let pid = self.pid.as_raw_nonzero();
        let oom = if self.is_oom() { ", probably for want of memory" } else { "" };
        match self.status {
            None => format!("process {pid} ended, and somebody else has reaped it"),
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("process {pid} exited with code {code}"),
                (None, Some(signal)) => format!("process {pid} was ended by signal {signal}{oom}"),
                (None, None) => format!("process {pid} ended: {status}"),
            },
        }
    }

    /// How it ended, with what it wrote to its standard error.
    pub(super) fn words_with_stderr(&self) -> String {
        match self.stderr.trim_end() {
            "" => self.words(),
            stderr => format!("{}; its standard error ends with: {stderr}", self.words()),
        }
    }
}

/// How often the kernel has killed for want of memory: in this process's control group where
/// that counts, and otherwise anywhere.
pub(super) fn oom_kills() -> u64 {
    let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = group.lines().find_map(|line| line.strip_prefix("0::"));
    let events = group
        .and_then(|group| fs::read_to_string(format!("/sys/fs/cgroup{group}/memory.events")).ok());
    let counts = events.or_else(|| fs::read_to_string("/proc/vmstat").ok()).unwrap_or_default();
    oom_kills_in(&counts).unwrap_or_default()
}

/// The count in a file of names and numbers, as these two are.
fn oom_kills_in(counts: &str) -> Option<u64> {
    counts.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests;
