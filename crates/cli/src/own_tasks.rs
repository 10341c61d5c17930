//! The tasks that the command line itself needs.

use outwork_core::{BoxError, CommandReport, CommandSpec, RegisterError, Registry, TaskDef};

use crate::demo::{ECHO, register_echo};

/// The task behind every run of `exec`.
pub(crate) const EXEC: TaskDef<CommandSpec, CommandReport> = TaskDef::new("outwork.exec");

/// Adds the tasks that the command line itself needs, where they are missing.
///
/// For every executor alike: the workers of a process pool register the same tasks without
/// knowing which command it is for.
pub(crate) fn add(registry: &mut Registry) -> Result<(), RegisterError> {
    if registry.get(EXEC.name().as_str()).is_none() {
        registry.register_command(EXEC, |_, spec| Ok::<_, BoxError>(spec))?;
    }
    if registry.get(ECHO.name().as_str()).is_none() {
        register_echo(registry)?;
    }
    Ok(())
}
