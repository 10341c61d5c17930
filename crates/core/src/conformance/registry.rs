//! [`registry`]: the tasks that the suite runs.

mod act;
mod guard;
mod pause;

use crate::{
    BoxError, CommandReport, CommandSpec, Registry, TaskContext, TaskDef,
    conformance::script::{ASYNC, SYNC, Script, Step},
};

/// Doubles a number; 13 is an error.
pub(super) const DOUBLE: TaskDef<u64, u64> = TaskDef::new("conformance.double");

/// Executes a program.
pub(super) const COMMAND: TaskDef<CommandSpec, CommandReport> = TaskDef::new("conformance.command");

/// The tasks that the suite runs. Workers in other processes register them too.
///
/// # Panics
///
/// Never: the names are all different.
#[must_use]
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    let registered = [
        registry.register(SYNC, follow),
        registry.register_async(ASYNC, follow_async),
        registry.register(DOUBLE, |_ctx, number| double(number)),
        registry.register_command(COMMAND, |_ctx, spec| Ok::<_, BoxError>(spec)),
    ];
    registered.into_iter().for_each(|done| done.expect("every name is registered once"));
    registry
}

fn double(number: u64) -> Result<u64, BoxError> {
    if number == 13 { Err("13 brings bad luck".into()) } else { Ok(number * 2) }
}

/// Follows a script on a thread that may block.
fn follow(ctx: &TaskContext, script: Script) -> Result<String, BoxError> {
    let mut state = act::State::default();
    for step in script.steps {
        match step {
            Step::Wait(wait) => pause::block(&wait, ctx)?,
            Step::Nest(nest) => state.reply = nest.block()?,
            step => state.act(step, ctx)?,
        }
    }
    Ok(state.reply)
}

/// Follows a script without ever blocking.
async fn follow_async(ctx: TaskContext, script: Script) -> Result<String, BoxError> {
    let mut state = act::State::default();
    for step in script.steps {
        match step {
            Step::Wait(wait) => pause::wait(&wait, &ctx).await?,
            Step::Nest(nest) => state.reply = nest.wait().await?,
            step => state.act(step, &ctx)?,
        }
    }
    Ok(state.reply)
}
