//! [`Stage`]: the folder through which a test and its workers speak, and the tasks of a cell.

use std::{fs, num::NonZeroU64, os::unix::fs::PermissionsExt, path::PathBuf};

use bytes::Bytes;
use outwork_core::{State, Task, TaskHandle, TaskOptions};
use outwork_local::{ProcessPool, WorkerOutput};
use tempfile::TempDir;

use super::{
    super::{builder, child},
    table::{Cell, MEMORY, When},
};
use crate::support::{
    ms, outcome, submit,
    tasks::{DIE_LATER, DIE_WHEN, ECHO, HOLD, LOG, Moment},
    wait_until,
};

/// How many short tasks wait behind the one that the worker dies with.
const BEHIND: u32 = 40;

/// The folder through which a test and its workers speak.
pub struct Stage {
    folder: TempDir,
}

impl Stage {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn create(&self, name: &str) {
        fs::write(self.file(name), "").unwrap();
    }

    /// Two workers, of which the one that dies is played where a real one cannot be caught.
    pub fn pool(&self, cell: &Cell) -> ProcessPool {
        let memory = NonZeroU64::new(MEMORY << 20).unwrap();
        let builder = builder(2)
            .window(cell.window)
            .memory_limit(memory)
            .start_timeout(cell.start_timeout())
            .output(WorkerOutput::Discard);
        let builder = match cell.when {
            When::Greeting => builder.program(self.cast(cell, Moment::Greeting)),
            When::Sent => builder.program(self.cast(cell, Moment::Sent)),
            When::Answering => builder.program(self.cast(cell, Moment::Answering)),
            When::Leaving => builder.program(self.cast(cell, Moment::Leaving)),
            When::InBody | When::Idle | When::Draining => builder,
        };
        builder.build().unwrap()
    }

    /// A program that plays a worker the first time, and is one whenever it is started again.
    fn cast(&self, cell: &Cell, moment: Moment) -> PathBuf {
        let part = rmp_serde::to_vec(&(moment, cell.death)).unwrap();
        fs::write(self.file("part"), part).unwrap();
        let (folder, child) = (self.folder.path().display(), child().display());
        let script = format!(
            "#!/bin/sh\n\
             mkdir '{folder}/cast' 2>/dev/null && exec '{child}' \"$@\" speaker '{folder}'\n\
             exec '{child}' \"$@\"\n"
        );
        // Moved to its place, so that no process executes a file that is being written.
        let (new, program) = (self.file("program.new"), self.file("program"));
        fs::write(&new, script).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(new, &program).unwrap();
        program
    }

    /// The pool learns how short the short tasks are, so that it sends many of them ahead.
    pub fn learn(&self, pool: &ProcessPool) {
        let learned: Vec<_> = (0..BEHIND).map(|n| submit(pool, self.short(1000 + n))).collect();
        succeed(learned);
    }

    /// A task that is running and stays so on the other worker. Then the one that is played
    /// gets ready.
    pub fn start_sibling(&self, pool: &ProcessPool) -> TaskHandle {
        let sibling = submit(pool, HOLD.task(&self.file("release")).unwrap());
        wait_until("the sibling runs", || sibling.state() == State::Running);
        self.create("enter");
        sibling
    }

    /// The task that the worker has when it dies, or by which it comes to die when it is idle.
    pub fn first(&self, cell: &Cell) -> Task {
        let bytes = Bytes::from(vec![7; cell.payload]);
        let task = match cell.when {
            When::InBody | When::Draining => {
                DIE_WHEN.task(&(cell.death, self.file("now"), bytes)).unwrap()
            }
            When::Idle => DIE_LATER.task(&(cell.death, self.file("now"))).unwrap(),
            _ => ECHO.task(&bytes).unwrap(),
        };
        let mut options = TaskOptions::new().grace(ms(50));
        if let Some(limit) = cell.time_limit() {
            options = options.time_limit(limit).unwrap();
        }
        task.with_options(options)
    }

    /// The worker is to die now.
    pub fn strike(&self) {
        self.create("now");
    }

    /// It was about to, and by itself.
    pub fn was_struck(&self) {
        wait_until("the worker was struck", || self.file("now.struck").exists());
    }

    fn short(&self, number: u32) -> Task {
        LOG.task(&(self.file("log"), number)).unwrap()
    }

    /// Short tasks, which are sent ahead as far as the window goes.
    pub fn submit_behind(&self, pool: &ProcessPool) -> Vec<TaskHandle> {
        (0..BEHIND).map(|number| submit(pool, self.short(number))).collect()
    }

    /// They have succeeded, and each body has run exactly once.
    pub fn have_run(&self, behind: Vec<TaskHandle>) {
        succeed(behind);
        let log = fs::read_to_string(self.file("log")).unwrap();
        let mut ran: Vec<u32> = log.lines().map(|line| line.parse().unwrap()).collect();
        ran.sort_unstable();
        assert_eq!(ran, (0..BEHIND).chain(1000..1000 + BEHIND).collect::<Vec<_>>());
    }

    /// Short tasks run, after the death of the worker.
    pub fn run_behind(&self, pool: &ProcessPool) {
        self.was_struck();
        let behind = self.submit_behind(pool);
        self.have_run(behind);
    }

    /// Lets the other worker's task end, which is as if nothing had happened.
    pub fn release(&self, sibling: TaskHandle) {
        assert_eq!(sibling.state(), State::Running);
        self.create("release");
        let ended = outcome(sibling);
        assert!(ended.is_success() && ended.attempts() == 1, "{ended:?}");
    }
}

fn succeed(handles: Vec<TaskHandle>) {
    for handle in handles {
        let ended = outcome(handle);
        assert!(ended.is_success() && ended.attempts() == 1, "{ended:?}");
    }
}
