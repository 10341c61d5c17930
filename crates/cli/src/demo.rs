//! The demo tasks of the stock binary.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use futures_util::future::{Either, select};
use outwork_core::{BoxError, RegisterError, Registry, TaskDef, TaskError};
use serde_json::Value;

/// Gives its argument back.
pub(crate) const ECHO: TaskDef<Value, Value> = TaskDef::new("demo.echo");
/// Waits so many seconds, and stops at once when it is cancelled.
const SLEEP: TaskDef<f64, f64> = TaskDef::new("demo.sleep");
/// Fails with a message.
const FAIL: TaskDef<String, ()> = TaskDef::new("demo.fail");
/// Panics with a message.
const PANIC: TaskDef<Option<String>, ()> = TaskDef::new("demo.panic");
/// Keeps a CPU busy for so many seconds, and does not stop when it is cancelled.
const SPIN: TaskDef<f64, f64> = TaskDef::new("demo.spin");
/// Fills so many MiB of memory.
const ALLOC: TaskDef<usize, usize> = TaskDef::new("demo.alloc");
/// Aborts the process that it runs in.
const ABORT: TaskDef<(), ()> = TaskDef::new("demo.abort");

/// The demo tasks: `demo.echo`, `demo.sleep`, `demo.fail`, `demo.panic`, `demo.spin`,
/// `demo.alloc` and `demo.abort`.
pub(crate) fn demo_tasks() -> Registry {
    let mut registry = Registry::new();
    let registered = register(&mut registry);
    debug_assert!(registered.is_ok(), "the names are different");
    registry
}

fn register(registry: &mut Registry) -> Result<(), RegisterError> {
    registry.register(ECHO, |_, value| Ok::<_, BoxError>(value))?;
    registry.register_async(SLEEP, |ctx, seconds| async move {
        let sleep = std::pin::pin!(tokio::time::sleep(duration(seconds)?));
        match select(sleep, ctx.cancelled()).await {
            Either::Left(_) => Ok::<_, BoxError>(seconds),
            Either::Right(_) => Err(TaskError::cancelled().into()),
        }
    })?;
    registry.register(FAIL, |_, message| Err::<(), BoxError>(message.into()))?;
    registry.register(PANIC, |_, message| -> Result<(), BoxError> {
        panic!("{}", message.as_deref().unwrap_or("demo.panic was asked to panic"))
    })?;
    registry.register(SPIN, |_, seconds| {
        let duration = duration(seconds)?;
        let start = Instant::now();
        while start.elapsed() < duration {
            std::hint::spin_loop();
        }
        Ok::<_, BoxError>(seconds)
    })?;
    registry.register(ALLOC, |_, mib| {
        // A filled vector is really in memory, a zeroed one only promised.
        black_box(vec![1_u8; mib << 20]);
        Ok::<_, BoxError>(mib)
    })?;
    registry.register(ABORT, |_, ()| -> Result<(), BoxError> { std::process::abort() })
}

fn duration(seconds: f64) -> Result<Duration, BoxError> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|error| format!("{seconds} is no number of seconds: {error}").into())
}
