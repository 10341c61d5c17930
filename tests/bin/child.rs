//! A process that a test kills: it runs a task and a program that beat into files.

use std::{fs::OpenOptions, io::Write, sync::Arc, thread, time::Duration};

use outwork_core::{BoxError, CommandReport, CommandSpec, Executor, Registry, TaskDef};
use outwork_local::{EventLoopPool, Inline, ThreadPool};

const BEAT: TaskDef<String, ()> = TaskDef::new("child.beat");
const PROGRAM: TaskDef<String, CommandReport> = TaskDef::new("child.program");

/// Beats until the file cannot be written any more, because its folder is gone.
const SCRIPT: &str = r#"while printf . >> "$1"; do sleep 0.01; done 2>/dev/null"#;

fn registry() -> Result<Registry, BoxError> {
    let mut registry = Registry::new();
    registry.register(BEAT, |_ctx, file| {
        let mut file = OpenOptions::new().create(true).append(true).open(file)?;
        loop {
            file.write_all(b".")?;
            thread::sleep(Duration::from_millis(2));
        }
        #[expect(unreachable_code, reason = "it says what the loop would return")]
        Ok::<_, BoxError>(())
    })?;
    registry.register_command(PROGRAM, |_ctx, file| {
        Ok::<_, BoxError>(CommandSpec::shell(SCRIPT).args(["sh", &file]))
    })?;
    Ok(registry)
}

fn main() -> Result<(), BoxError> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [executor, file, program] = &args[..] else {
        return Err("usage: child EXECUTOR FILE FILE".into());
    };
    let registry = registry()?;
    let executor: Arc<dyn Executor> = match executor.as_str() {
        "inline" => Arc::new(Inline::new(registry)),
        "threads" => Arc::new(ThreadPool::builder().workers(2).registry(registry).build()?),
        "loops" => Arc::new(EventLoopPool::builder().loops(2).registry(registry).build()?),
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
