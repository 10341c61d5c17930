//! What the system knows of this process.

use std::{fmt, fs};

/// How many threads and descriptors there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holdings {
    threads: usize,
    descriptors: usize,
}

impl Holdings {
    /// What there is now.
    pub(crate) fn now() -> Self {
        Self { threads: count("/proc/self/task"), descriptors: count("/proc/self/fd") }
    }
}

impl fmt::Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} threads and {} descriptors", self.threads, self.descriptors)
    }
}

fn count(directory: &str) -> usize {
    fs::read_dir(directory).map_or(0, Iterator::count)
}

/// The names of all threads; a name has at most 15 bytes.
pub(crate) fn thread_names() -> Vec<String> {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return Vec::new() };
    // A thread may end while its name is read.
    tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("comm")).ok()).collect()
}

/// One line for each thread: its number, name, state, and what it waits for in the kernel.
pub(crate) fn threads() -> String {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return String::new() };
    let mut lines: Vec<_> = tasks
        .flatten()
        .map(|task| {
            // A thread may end while it is looked at.
            let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
            let status = read("status");
            let state = status.lines().find_map(|line| line.strip_prefix("State:"));
            let state = state.unwrap_or("gone").trim();
            let number = task.file_name();
            let (name, place) = (read("comm"), read("wchan"));
            format!("  {} {} {state} {place}", number.display(), name.trim_end())
        })
        .collect();
    lines.sort();
    lines.join("\n")
}

/// The child processes of this process, zombies included.
pub(crate) fn children() -> Vec<u32> {
    let own = std::process::id();
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let parent = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok()
    };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| parent(pid) == Some(own)).collect()
}

/// The name of a process; none once it is gone.
pub(crate) fn name_of(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default()
}
