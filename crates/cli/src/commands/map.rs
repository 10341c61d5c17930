//! `outwork map`: one task for each line of JSON.

mod mapping;

use std::sync::Arc;

use outwork_core::Registry;

use self::mapping::Mapping;
use crate::{
    args::MapArgs,
    executors::{Chosen, Executors, InFlight},
    exit_code::ExitCode,
    failure::Failure,
    feed::Feed,
    input::Source,
    lines::Chunks,
    output::Output,
    pump, signal,
    stopper::Stopper,
};

/// How many pieces of input are read ahead of the tasks.
const READ_AHEAD: usize = 2;

/// Runs the tasks, and says how that went.
pub(super) fn map(
    args: MapArgs,
    executors: &Executors,
    registry: Registry,
) -> Result<ExitCode, Failure> {
    let name = super::run::find(&registry, &args.task)?;
    let spec = args.executor.executor.as_deref();
    let Chosen { executor, in_flight, .. } =
        executors.build(spec, InFlight::Tasks(args.jobs), registry)?;
    let source = Source::from_arg_file(args.arg_file);
    let mut output = Output::standard()?;
    if let Some(notice) = source.terminal_notice() {
        output.say(notice)?;
    }
    let chunks = Chunks::open(source).map_err(Failure::usage)?;
    let feed = Feed::start(chunks, READ_AHEAD).map_err(Failure::failed)?;
    let stopper = Stopper::new(Arc::clone(&executor));
    signal::handle(stopper.clone())?;
    let mut mapping = Mapping::new(name, feed, output, !args.unordered);
    pump::run(&mut mapping, executor, in_flight, stopper.clone())?;
    let failed = mapping.finish()?;
    Ok(match stopper.signal() {
        Some(signal) => ExitCode::Signalled(signal),
        None => ExitCode::of_failures(failed, false),
    })
}
