//! The other processes of tests: the workers of process pools, and a process that a test kills
//! while it runs a task and a program that beat into files.

mod speaker;
mod tasks;

use std::{sync::Arc, thread};

use outwork_core::{BoxError, Executor};
use outwork_local::{EventLoopPool, Inline, ProcessPool, ThreadPool, worker_entry};

use crate::tasks::{BEAT, PROGRAM, TREE, registry};

fn main() -> Result<(), BoxError> {
    speaker::play_if_asked()?;
    worker_entry(&registry());
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [executor, file, program] = &args[..] else {
        return Err("usage: child EXECUTOR FILE FILE".into());
    };
    let registry = registry();
    let executor: Arc<dyn Executor> = match executor.as_str() {
        "inline" => Arc::new(Inline::new(registry)),
        "threads" => Arc::new(ThreadPool::builder().workers(2).registry(registry).build()?),
        "processes" => Arc::new(ProcessPool::builder().workers(2).registry(registry).build()?),
        "loops" => Arc::new(EventLoopPool::builder().loops(2).registry(registry).build()?),
        "tree" => return grow(program),
        other => return Err(format!("no executor is named {other}").into()),
    };
    let tasks = [BEAT.task(file)?, PROGRAM.task(program)?];
    thread::scope(|threads| {
        for task in tasks {
            // Inline runs it inside this call.
            threads.spawn(|| executor.try_submit(task).map(|mut handle| handle.wait()));
        }
    });
    Ok(())
}

/// Runs a task in a process pool that starts processes inside of each other.
fn grow(file: &str) -> Result<(), BoxError> {
    let pool = ProcessPool::builder().workers(1).registry(registry()).build()?;
    pool.try_submit(TREE.task(&(30, file.into()))?)?.wait()?;
    Ok(())
}
