//! The process pool, by what can go wrong with it.

mod queue;

use std::{num::NonZeroUsize, path::Path};

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
