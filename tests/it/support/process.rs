//! What the system knows of this process.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use super::{PATIENCE, ms};

/// The names of all threads; a name has at most 15 bytes.
fn names() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    // A thread may end while its name is read.
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .collect()
}

/// How many descriptors are open.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// How many threads there are of a pool of that name.
pub fn threads_of(pool: &str) -> usize {
    let prefix = format!("{pool}-");
    names().iter().filter(|name| name.starts_with(&prefix)).count()
}

/// What a process should have no more of when a pool is gone.
#[derive(Debug)]
pub struct Owned {
    threads: Vec<String>,
    descriptors: usize,
}

impl Owned {
    pub fn now() -> Self {
        Self { threads: names(), descriptors: descriptors() }
    }

    /// Waits until there is no more than this: a thread that has just been started is counted
    /// before it has its name.
    #[track_caller]
    pub fn wait_for_no_more(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = Self::now();
            if now.threads.len() <= self.threads.len() && now.descriptors <= self.descriptors {
                return;
            }
            assert!(Instant::now() < deadline, "there was {self:?} and now is {now:?}");
            thread::sleep(ms(1));
        }
    }
}

/// How long the threads that there are have been on a processor.
pub fn cpu_time() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let nanoseconds = tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|stat| stat.split(' ').next()?.parse::<u64>().ok())
        .sum();
    Duration::from_nanos(nanoseconds)
}

/// The number of the current thread.
pub fn thread_here() -> String {
    let link = fs::read_link("/proc/thread-self").unwrap();
    link.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Whether a thread sleeps. `false` when it is gone.
pub fn is_asleep(thread: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|state| state.starts_with('S'))
}
