//! `outwork map`: one task for each line of JSON.

mod mapping;

use std::{num::NonZeroUsize, sync::Arc};

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

/// How many tasks are in flight when nobody says: on an executor of this process, and over AMQP,
/// where they travel many in a message and several messages have to be on their way.
const USUAL: InFlight = InFlight::Usually {
    here: NonZeroUsize::new(1024).unwrap(),
    remote: NonZeroUsize::new(4096).unwrap(),
};

/// How many pieces of input are read ahead of the tasks.
const READ_AHEAD: usize = 2;

/// Runs the tasks, and says how that went.
pub(super) fn map(
    args: MapArgs,
    executors: &Executors,
    registry: Registry,
) -> Result<ExitCode, Failure> {
    let place = executors.place(&args.executor)?;
    let name = super::run::find(&registry, &args.task, &place)?;
    let in_flight = args.jobs.map_or(USUAL, InFlight::Tasks);
    let Chosen { executor, in_flight, .. } =
        executors.build(place, &args.executor, in_flight, registry)?;
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
    let code = mapping.finish()?;
    Ok(stopper.signal().map_or(code, ExitCode::Signalled))
}
