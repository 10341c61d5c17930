//! The process pool, by what can go wrong with it.

mod faults;
mod guarantees;
mod journal;
mod latency;
mod limits;
mod orphans;
mod output;
mod queue;
mod start;
mod stop;

use std::{num::NonZeroUsize, path::Path};

use outwork_core::{Outcome, TaskErrorKind, WorkerLost};
use outwork_local::{ProcessPool, ProcessPoolBuilder};

use crate::support::{tasks, unique};

/// The program that the workers of these tests are.
pub fn child() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_child"))
}

/// What a pool of so many workers is made of.
pub fn builder(workers: usize) -> ProcessPoolBuilder {
    ProcessPool::builder()
        .workers(workers)
        .name(unique("proc"))
        .program(child())
        .limit(NonZeroUsize::new(4096).unwrap())
        .registry(tasks::registry())
}

pub fn pool(workers: usize) -> ProcessPool {
    builder(workers).build().unwrap()
}

/// What is known of the worker that a task was lost with.
#[track_caller]
pub fn lost<T: std::fmt::Debug>(outcome: &Outcome<T>) -> WorkerLost {
    match outcome.error().map(outwork_core::TaskError::kind) {
        Some(TaskErrorKind::WorkerLost(lost)) => lost.clone(),
        _ => panic!("no worker was lost: {outcome:?}"),
    }
}
