//! [`gate`]: what a worker does for others, and what it does not.

use std::collections::BTreeSet;

use outwork_core::{CommandSpec, Payload, Rejection, StreamTarget, Task, TaskError, TaskErrorKind};

use super::allowed::Allowed;
use crate::own_tasks::EXEC;

/// Lets through what the worker does for others, in the form in which it does it.
///
/// It stands before the pool, in this process: whatever executor runs the task, nothing that is
/// refused here gets there.
pub(super) fn gate(
    allowed: Allowed,
    withheld: BTreeSet<String>,
) -> impl Fn(Task) -> Result<Task, TaskError> + Send + Sync + 'static {
    move |task| {
        if withheld.contains(task.name().as_str()) {
            let message = format!("{} is a demo task: give the worker --demo-tasks", task.name());
            return Err(rejected(Rejection::UnknownTask, message));
        }
        if *task.name() == EXEC.name() { command(task, &allowed) } else { Ok(task) }
    }
}

/// The command as it is executed: the program that was found at the start, under the name that
/// was asked for, in the worker's own directory and environment.
fn command(task: Task, allowed: &Allowed) -> Result<Task, TaskError> {
    let invalid = |message: String| rejected(Rejection::InvalidMessage, message);
    let asked: CommandSpec = task.payload().decode().map_err(|error| {
        TaskError::new(TaskErrorKind::Undecodable, format!("no command: {error}"))
    })?;
    let Some(path) = allowed.get(asked.program()) else {
        let program = asked.program().to_string();
        tracing::warn!(task_id = %task.id(), program, "refused a program that is not allowed");
        let message =
            format!("the worker does not execute {program:?}: allow it there by --allow-exec");
        return Err(rejected(Rejection::ProgramNotAllowed { program }, message));
    };
    if asked.directory().is_some() || asked.clears_env() || !asked.environment().is_empty() {
        let message = "a command runs in the directory and the environment of the worker";
        return Err(invalid(message.to_owned()));
    }
    let command = CommandSpec::new(path).map_err(|error| invalid(error.to_string()))?;
    let command = command.arg0(asked.program().clone()).args(asked.arguments().iter().cloned());
    let command = match asked.input() {
        Some(input) => command.stdin(input.clone()),
        None => command,
    };
    let codec = task.payload().codec();
    let payload = Payload::encode(codec, &command).map_err(|error| invalid(error.to_string()))?;
    let mut options = task.options().clone();
    options.stdout = Some(bounded(options.stdout));
    options.stderr = Some(bounded(options.stderr));
    Ok(task.with_payload(payload).with_options(options))
}

/// What a worker keeps of each stream of a program, so that none fills its disk. More than a part
/// of that does not travel, but the end of the stream is in this part.
const MOST_OUTPUT: u64 = 64 << 20;

fn bounded(target: Option<StreamTarget>) -> StreamTarget {
    match target.unwrap_or_default() {
        StreamTarget::Memory { in_memory, limit } => StreamTarget::Memory {
            in_memory: in_memory.min(MOST_IN_MEMORY),
            limit: Some(limit.map_or(MOST_OUTPUT, |limit| limit.min(MOST_OUTPUT))),
        },
        other => other,
    }
}

/// Of that, in memory. The rest is in a file without a name.
const MOST_IN_MEMORY: usize = 1 << 20;

fn rejected(rejection: Rejection, message: impl Into<String>) -> TaskError {
    TaskError::new(TaskErrorKind::Rejected(rejection), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(spec: &CommandSpec) -> Result<CommandSpec, TaskError> {
        let gate = gate(Allowed::find(&["cat".into()]).unwrap(), BTreeSet::new());
        gate(EXEC.task(spec).unwrap()).map(|task| task.payload().decode().unwrap())
    }

    fn cat() -> CommandSpec {
        CommandSpec::new("cat").unwrap().arg("a b")
    }

    fn reason(error: &TaskError) -> &Rejection {
        let TaskErrorKind::Rejected(reason) = error.kind() else { panic!("{error:?}") };
        reason
    }

    #[test]
    fn an_allowed_program_is_executed_by_its_path_under_the_name_that_was_asked_for() {
        let passed = pass(&cat()).unwrap();
        assert!(passed.program().to_string().ends_with("/cat"), "{passed:?}");
        assert_eq!((passed.name(), passed.arguments()), (&"cat".into(), &["a b".into()][..]));
    }

    #[test]
    fn no_other_program_passes() {
        let other = CommandSpec::new("ls").unwrap();
        for spec in [other.clone(), other.arg0("cat"), CommandSpec::shell("cat")] {
            let error = pass(&spec).unwrap_err();
            assert!(matches!(reason(&error), Rejection::ProgramNotAllowed { .. }), "{error:?}");
        }
    }

    #[test]
    fn what_would_change_what_an_allowed_program_does_is_refused() {
        for spec in [cat().cwd("/tmp"), cat().env("LD_PRELOAD", "x"), cat().clear_env()] {
            assert_eq!(reason(&pass(&spec).unwrap_err()), &Rejection::InvalidMessage);
        }
    }

    #[test]
    fn nobody_runs_what_is_withheld() {
        let gate = gate(Allowed::default(), ["demo.echo".to_owned()].into());
        let echo = crate::demo::ECHO.task(&1.into()).unwrap();
        assert_eq!(reason(&gate(echo.clone()).unwrap_err()), &Rejection::UnknownTask);
    }
}
