//! `outwork exec`: one run of a program for each line of input.

mod ending;
mod runs;

use std::{num::NonZeroUsize, sync::Arc};

use outwork_core::Registry;
use serde_json::json;

use self::{ending::text, runs::Runs};
use crate::{
    args::ExecArgs,
    command_line::CommandLine,
    config::ExecConfig,
    executors::{Chosen, Executors, InFlight},
    exit_code::ExitCode,
    failure::Failure,
    feed::Feed,
    halt::HaltPolicy,
    input::{Record, Records},
    open_files::{self, needed},
    output::Output,
    pump, signal,
    stopper::Stopper,
};

/// How many lines are read ahead of the runs.
const READ_AHEAD: usize = 16;

/// Runs the program, and says how that went.
pub(super) fn exec(
    args: ExecArgs,
    json: bool,
    executors: &Executors,
    registry: Registry,
) -> Result<ExitCode, Failure> {
    let mut config = ExecConfig::new(args, json)?;
    let mut output = Output::standard()?;
    let place = executors.place(&config.executor)?;
    if config.dry_run {
        let records = open(&config, &mut output)?;
        return dry_run(config, records, output);
    }
    let is_remote = place.is_remote();
    if is_remote {
        config.travel();
    } else if let InFlight::Running(jobs) = config.in_flight {
        config.in_flight = InFlight::Running(fitting(jobs, &mut output)?);
    }
    let chosen = executors.build(place, &config.executor, config.in_flight, registry)?;
    let records = open(&config, &mut output)?;
    let in_flight = match is_remote {
        true => chosen.in_flight,
        false => in_flight_here(&chosen, config.halt, &mut output)?,
    };
    let executor = chosen.executor;
    let stopper = Stopper::new(Arc::clone(&executor));
    let opened = std::mem::take(&mut config.records).open()?;
    let feed = Feed::start(records, READ_AHEAD).map_err(Failure::failed)?;
    let mut runs = Runs::new(config, opened, feed, output, stopper.clone())?;
    signal::handle(stopper.clone())?;
    pump::run(&mut runs, executor, in_flight, stopper)?;
    runs.finish()
}

/// Opens the input, and tells a person who has to type it.
fn open(config: &ExecConfig, output: &mut Output) -> Result<Records, Failure> {
    if let Some(notice) = config.source.terminal_notice() {
        output.say(format_args!("{notice}, or --no-input for a single run"))?;
    }
    Records::open(config.source.clone(), config.separator).map_err(Failure::usage)
}

/// How many runs to have in flight on this machine.
fn in_flight_here(
    chosen: &Chosen,
    halt: HaltPolicy,
    output: &mut Output,
) -> Result<NonZeroUsize, Failure> {
    let fits = fitting(chosen.in_flight, output)?;
    Ok(match halt {
        // What is at hand could start before we have heard of the failure that ends the run.
        HaltPolicy::Never if fits == chosen.in_flight => fits.saturating_add(chosen.at_hand),
        _ => fits,
    })
}

/// So many runs at once as there may be files open for.
fn fitting(runs: NonZeroUsize, output: &mut Output) -> Result<NonZeroUsize, Failure> {
    let fits = open_files::room_for(runs);
    if fits < runs {
        let needed = needed(runs);
        output.say(format_args!(
            "{runs} runs at once need up to {needed} open files, and the limit is lower: \
             {fits} run at once; raise it by `ulimit -n {needed}`, or give -j{fits}"
        ))?;
    }
    Ok(fits)
}

/// Writes the commands instead.
fn dry_run(config: ExecConfig, records: Records, mut output: Output) -> Result<ExitCode, Failure> {
    let logged = config.records.logged()?;
    for record in records {
        let record = record.map_err(Failure::failed)?;
        let command = config.template.expand(&record).map_err(Failure::failed)?;
        if !logged.skips(record.number, &command) {
            output.data(planned(&record, &command, config.output.json).as_bytes())?;
        }
    }
    output.flush()?;
    Ok(ExitCode::Success)
}

/// The line of a command that would be run.
fn planned(record: &Record, command: &CommandLine, json: bool) -> String {
    if !json {
        return format!("{command}\n");
    }
    let line = record.line.as_deref().map(text);
    let object = json!({ "seq": record.number, "line": line, "command": command.to_string() });
    format!("{object}\n")
}
