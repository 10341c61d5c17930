//! `outwork exec`: one run of a program for each line of input.

mod ending;
mod runs;

use std::sync::Arc;

use outwork_core::{BoxError, CommandReport, CommandSpec, Registry, TaskDef};

use self::runs::Runs;
use crate::{
    args::ExecArgs,
    config::ExecConfig,
    executors::{Chosen, Executors},
    exit_code::ExitCode,
    failure::Failure,
    feed::Feed,
    halt::HaltPolicy,
    input::Records,
    output::Output,
    pump, signal,
    stopper::Stopper,
};

/// The task behind every run.
pub(crate) const EXEC: TaskDef<CommandSpec, CommandReport> = TaskDef::new("outwork.exec");

/// How many lines are read ahead of the runs.
const READ_AHEAD: usize = 16;

/// Runs the program, and says how that went.
pub(super) fn exec(
    args: ExecArgs,
    json: bool,
    executors: &Executors,
    mut registry: Registry,
) -> Result<ExitCode, Failure> {
    let mut config = ExecConfig::new(args, json)?;
    let mut output = Output::standard()?;
    registry.register_command(EXEC, |_, spec| Ok::<_, BoxError>(spec)).map_err(Failure::usage)?;
    let chosen = executors.build(config.executor.as_deref(), config.in_flight, registry)?;
    if let Some(notice) = config.source.terminal_notice() {
        output.say(notice)?;
    }
    let records = Records::open(config.source.clone(), config.separator).map_err(Failure::usage)?;
    if config.dry_run {
        return dry_run(config, records, output);
    }
    let Chosen { executor, mut in_flight, at_hand, .. } = chosen;
    if config.halt == HaltPolicy::Never {
        // Otherwise what is at hand could start before we have heard of the failure that ends
        // the run.
        in_flight = in_flight.saturating_add(at_hand);
    }
    let stopper = Stopper::new(Arc::clone(&executor));
    let opened = std::mem::take(&mut config.records).open()?;
    let feed = Feed::start(records, READ_AHEAD).map_err(Failure::failed)?;
    let mut runs = Runs::new(config, opened, feed, output, stopper.clone())?;
    signal::handle(stopper.clone())?;
    pump::run(&mut runs, executor, in_flight, stopper)?;
    runs.finish()
}

/// Writes the commands instead.
fn dry_run(config: ExecConfig, records: Records, mut output: Output) -> Result<ExitCode, Failure> {
    let logged = config.records.logged()?;
    for record in records {
        let record = record.map_err(Failure::failed)?;
        let command = config.template.expand(&record).map_err(Failure::failed)?;
        if !logged.skips(record.number, &command) {
            output.data(format!("{command}\n").as_bytes())?;
        }
    }
    output.flush()?;
    Ok(ExitCode::Success)
}
