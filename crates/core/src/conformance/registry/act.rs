//! The steps of a script that are done at once.

use super::guard::Guard;
use crate::{
    BoxError, TaskContext, TaskError,
    conformance::{
        script::{Reply, Step},
        support::note,
    },
};

/// What a body has said, and the destructors that it leaves. They run when it ends.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) reply: String,
    guards: Vec<Guard>,
}

/// An error with a cause.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Caused {
    message: String,
    #[source]
    cause: std::io::Error,
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("the payload of a panic panicked");
        }
    }
}

impl State {
    pub(super) fn act(&mut self, step: Step, ctx: &TaskContext) -> Result<(), BoxError> {
        match step {
            Step::Note { log, line } => note(&log, &line)?,
            Step::NoteContext { log } => note(&log, whose_context(ctx))?,
            Step::AtEnd(at_end) => self.guards.push(Guard::new(at_end)),
            Step::Stdout(bytes) => ctx.stdout().write(&bytes)?,
            Step::StdoutBefore { attempt, bytes } if ctx.attempt() < attempt => {
                ctx.stdout().write(&bytes)?;
            }
            Step::Stderr(bytes) => ctx.stderr().write(&bytes)?,
            Step::Print(line) => print(&line),
            Step::Progress { done, total } => ctx.progress(done, Some(total), ""),
            Step::JobHandle(address) => ctx.set_job_handle(&address)?,
            Step::CacheFile(name) => cache_file(ctx, &name)?,
            Step::Fail { message, cause } => return Err(failure(message, cause)),
            Step::FailBefore { attempt, message } if ctx.attempt() < attempt => {
                return Err(message.into());
            }
            Step::FailForGood(message) => {
                return Err(TaskError::failed(message).permanent().into());
            }
            Step::Panic(message) => panic!("{message}"),
            Step::PanicWithBomb => std::panic::panic_any(Bomb),
            Step::Abort => std::process::abort(),
            Step::Reply(reply) => self.reply = say(reply, ctx),
            Step::StdoutBefore { .. } | Step::FailBefore { .. } | Step::Wait(_) | Step::Nest(_) => {
            }
        }
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "it is to be seen whether this is captured")]
fn print(line: &str) {
    println!("{line}");
}

fn cache_file(ctx: &TaskContext, name: &str) -> Result<(), BoxError> {
    let folder = ctx.cache_dir()?.ok_or("there is no cache folder")?;
    std::fs::File::create(folder.join(name))?;
    Ok(())
}

fn failure(message: String, cause: Option<String>) -> BoxError {
    match cause {
        None => message.into(),
        Some(cause) => Box::new(Caused { message, cause: std::io::Error::other(cause) }),
    }
}

fn say(reply: Reply, ctx: &TaskContext) -> String {
    match reply {
        Reply::Text(text) => text,
        Reply::Attempt => ctx.attempt().to_string(),
        Reply::Trace => format!("{:?}", ctx.trace()),
        Reply::Metadata => format!("{:?}", ctx.metadata().iter().collect::<Vec<_>>()),
    }
}

fn whose_context(ctx: &TaskContext) -> &'static str {
    match TaskContext::current() {
        Some(current) if current.task_id() == ctx.task_id() => "own",
        Some(_) => "another's",
        None => "none",
    }
}
