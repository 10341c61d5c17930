//! `outwork tasks`: what is registered.

use outwork_core::Registry;
use serde_json::json;

use crate::{exit_code::ExitCode, failure::Failure, output::Output};

/// Lists the tasks by name.
pub(super) fn tasks(as_json: bool, registry: &Registry) -> Result<ExitCode, Failure> {
    let mut output = Output::standard()?;
    if as_json {
        let task = |task: &outwork_core::Registered| {
            json!({
                "name": task.name().as_str(),
                "kind": task.kind().to_string(),
                "arguments": task.arguments(),
                "result": task.result(),
            })
        };
        let tasks: Vec<_> = registry.iter().map(task).collect();
        output.data(format!("{}\n", json!(tasks)).as_bytes())?;
    } else {
        let name = |task: &outwork_core::Registered| task.name().as_str().len();
        let width = registry.iter().map(name).max().unwrap_or(0);
        for task in registry.iter() {
            let (name, kind) = (task.name().as_str(), task.kind().to_string());
            let (arguments, result) = (task.arguments(), task.result());
            let line = format!("{name:width$}  {kind:7}  {arguments} -> {result}\n");
            output.data(line.as_bytes())?;
        }
    }
    output.flush()?;
    Ok(ExitCode::Success)
}
