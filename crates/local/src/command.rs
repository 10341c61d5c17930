//! [`Commands`]: programs as the bodies of tasks.

#[cfg(unix)]
pub(crate) mod census;
#[cfg(unix)]
mod exit;
#[cfg(unix)]
mod failure;
#[cfg(unix)]
mod group;
#[cfg(unix)]
mod inlet;
#[cfg(unix)]
mod launch;
#[cfg(unix)]
mod outlet;
#[cfg(unix)]
mod program;
#[cfg(unix)]
mod running;
#[cfg(test)]
#[cfg(unix)]
mod tests;
#[cfg(unix)]
mod unborn;
#[cfg(unix)]
mod watch;

#[cfg(unix)]
pub use self::census::{PausedCommands, pause_commands};
#[cfg(unix)]
pub(crate) use self::watch::{GroupWatch, watch_groups};
use futures_core::future::BoxFuture;

use outwork_core::{CommandReport, CommandSpec, TaskContext, TaskError, engine::CommandRunner};

/// Executes programs, each in a process group of its own.
///
/// Its future has to be polled in the context of a tokio runtime with I/O and time, which is
/// best driven by the thread that polls it: each command then wakes one thread once.
/// A command that runs takes five descriptors.
///
/// # The end
///
/// A command ends with its program. What the program leaves in the background lives on, and
/// is not waited for even when it holds the pipes.
///
/// # Stopping
///
/// A command that is asked to stop gets SIGTERM, the whole group of it. When its program has
/// ended and nobody holds the pipes any more, or when it is forced to stop, what is left of
/// the group gets SIGKILL. The program stays a zombie until then, so that no signal can hit
/// the group of somebody else that was given the same number.
/// A process that leaves the group by itself is beyond reach.
///
/// # Cancel safety
///
/// Dropping the future kills the group.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Commands {
    #[cfg(unix)]
    notice: exit::Notice,
}

impl CommandRunner for Commands {
    #[cfg(unix)]
    fn run(
        &self,
        spec: CommandSpec,
        ctx: TaskContext,
    ) -> BoxFuture<'static, Result<CommandReport, TaskError>> {
        Box::pin(execute(spec, ctx, self.notice))
    }

    #[cfg(not(unix))]
    fn run(
        &self,
        spec: CommandSpec,
        _ctx: TaskContext,
    ) -> BoxFuture<'static, Result<CommandReport, TaskError>> {
        let message = format!("`{}` was not started: commands need Unix", spec.program());
        let kind = outwork_core::TaskErrorKind::Infrastructure;
        Box::pin(std::future::ready(Err(TaskError::new(kind, message).permanent())))
    }
}

#[cfg(unix)]
async fn execute(
    spec: CommandSpec,
    ctx: TaskContext,
    notice: exit::Notice,
) -> Result<CommandReport, TaskError> {
    if ctx.cancel_requested() {
        return Err(TaskError::cancelled());
    }
    let launched = launch::launch(&spec, &ctx).await?;
    let program = spec.program().clone();
    let input = spec.input().cloned();
    // The arguments may be large, and the program has its own copy.
    drop(spec);
    let running = running::Running::new(launched, input.unwrap_or_default(), &ctx, notice);
    let ended = match running {
        Ok(running) => running.await,
        Err(error) => Err(error),
    };
    failure::report(&program, ended)
}
