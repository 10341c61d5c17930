//! The thread pool: killed half-way, called twice, called from inside itself, starved, flooded,
//! and shut down while busy.

mod build;
mod events;
mod limits;
mod nesting;
mod panics;
mod queue;
mod race;
mod shutdown;
mod size;

use std::{num::NonZeroUsize, sync::mpsc};

use outwork_core::TaskHandle;
use outwork_local::ThreadPool;

use crate::support::{Gate, receive, unique};

fn pool(workers: usize) -> ThreadPool {
    ThreadPool::builder().workers(workers).name(unique("t")).build().unwrap()
}

/// A pool that holds so many tasks and no more.
fn bounded(workers: usize, limit: usize) -> ThreadPool {
    let limit = NonZeroUsize::new(limit).unwrap();
    ThreadPool::builder().workers(workers).limit(limit).name(unique("t")).build().unwrap()
}

/// Keeps so many threads of a pool busy until the gate is opened.
fn occupy(pool: &ThreadPool, workers: usize, gate: &Gate) -> Vec<TaskHandle<()>> {
    let (started, starts) = mpsc::channel();
    let handles = (0..workers).map(|_| {
        let (started, gate) = (started.clone(), gate.clone());
        pool.spawn(move || {
            started.send(()).unwrap();
            gate.wait();
        })
    });
    let handles = handles.collect();
    (0..workers).for_each(|_| receive("a closure that is to keep a thread busy", &starts));
    handles
}
