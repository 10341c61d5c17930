//! The tasks that the command line itself needs.

use std::collections::BTreeSet;

use outwork_core::{BoxError, CommandReport, CommandSpec, RegisterError, Registry, TaskDef};

use crate::demo::demo_tasks;

/// The task behind every run of `exec`.
pub(crate) const EXEC: TaskDef<CommandSpec, CommandReport> = TaskDef::new("outwork.exec");

/// Adds the tasks that the command line itself needs, and the demo tasks, where they are missing.
///
/// For every executor alike: the workers of a process pool register the same tasks without
/// knowing which command it is for.
pub(crate) fn add(registry: &mut Registry) -> Result<(), RegisterError> {
    if registry.get(EXEC.name().as_str()).is_none() {
        registry.register_command(EXEC, |_, spec| Ok::<_, BoxError>(spec))?;
    }
    for demo in demo_tasks().iter() {
        let name = demo.name().as_str();
        if registry.get(name).is_none() {
            registry.register_raw(name, demo.handler().clone())?;
        }
    }
    Ok(())
}

/// The demo tasks among all, for a worker that does not run them. Those that a person has
/// registered are not: they only have the same name.
pub(crate) fn demo_names(registry: &Registry, is_stock: bool) -> BTreeSet<String> {
    let demo = demo_tasks();
    let names = demo.iter().map(|task| task.name().as_str());
    names.filter(|name| is_stock || registry.get(name).is_none()).map(str::to_owned).collect()
}
