//! The other processes of tests: the workers of process pools, and a process that a test kills
//! while it runs one task that beats into a file until it is gone.

mod tasks;

use std::sync::Arc;

use outwork_core::{BoxError, Executor};
use outwork_local::{EventLoopPool, Inline, ProcessPool, ThreadPool, worker_entry};

use crate::tasks::{BEAT, registry};

fn main() -> Result<(), BoxError> {
    worker_entry(&registry());
    let mut args = std::env::args().skip(1);
    let (executor, file) = args.next().zip(args.next()).ok_or("usage: child EXECUTOR FILE")?;
    let registry = registry();
    let executor: Arc<dyn Executor> = match executor.as_str() {
        "inline" => Arc::new(Inline::new(registry)),
        "threads" => Arc::new(ThreadPool::new(Arc::new(registry))?),
        "processes" => Arc::new(ProcessPool::new(Arc::new(registry))?),
        "loops" => Arc::new(EventLoopPool::new(Arc::new(registry))?),
        other => return Err(format!("no executor is named {other}").into()),
    };
    let mut handle = executor.try_submit(BEAT.task(&file)?)?;
    handle.wait()?;
    Ok(())
}
