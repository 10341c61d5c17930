//! A process that a test kills: it runs one task that beats into a file until it is gone.

use std::{fs::OpenOptions, io::Write, sync::Arc, time::Duration};

use outwork_core::{BoxError, Executor, Registry, TaskDef};
use outwork_local::{EventLoopPool, Inline, ThreadPool};

const BEAT: TaskDef<String, ()> = TaskDef::new("child.beat");

fn main() -> Result<(), BoxError> {
    let mut args = std::env::args().skip(1);
    let (executor, file) = args.next().zip(args.next()).ok_or("usage: child EXECUTOR FILE")?;
    let mut registry = Registry::new();
    registry.register(BEAT, |_ctx, file| {
        let mut file = OpenOptions::new().create(true).append(true).open(file)?;
        loop {
            file.write_all(b".")?;
            std::thread::sleep(Duration::from_millis(2));
        }
        #[expect(unreachable_code, reason = "it says what the loop would return")]
        Ok::<_, BoxError>(())
    })?;
    let executor: Arc<dyn Executor> = match executor.as_str() {
        "inline" => Arc::new(Inline::new(registry)),
        "threads" => Arc::new(ThreadPool::new(Arc::new(registry))?),
        "loops" => Arc::new(EventLoopPool::new(Arc::new(registry))?),
        other => return Err(format!("no executor is named {other}").into()),
    };
    let mut handle = executor.try_submit(BEAT.task(&file)?)?;
    handle.wait()?;
    Ok(())
}
