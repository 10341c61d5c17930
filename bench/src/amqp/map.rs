//! The row of `map`, which sends many tasks in one message.

use std::{num::NonZeroUsize, rc::Rc, time::Instant};

use anyhow::ensure;
use outwork_core::ExecutorExt;

use super::{
    Broker, load,
    pair::{ECHO, PAYLOAD, Pair},
};
use crate::{
    args::AmqpArgs,
    peer,
    row::{Goal, OUTWORK, Row, Side},
};

/// How many inputs are on their way: what an executor accepts if nothing else is set.
const IN_FLIGHT: NonZeroUsize = NonZeroUsize::new(4096).expect("it is more than 0");

/// Results per second of `map`, in the order of the inputs, 64 bytes there and back.
///
/// The peer is the program on bare lapin with its one message for each task, 256 in flight.
pub(super) fn beside_bare_lapin(args: &AmqpArgs, broker: &Rc<Broker>) -> Row {
    let (load, ours, bare) = (load(args), Rc::clone(broker), Rc::clone(broker));
    let inputs = args.run.scaled(400_000);
    Row {
        name: "AMQP: map, many tasks a message",
        unit: "tasks/s",
        goal: Some(Goal::RatioAtLeast(10.0)),
        ours: Side::new(OUTWORK, move || rate(&Pair::start(&ours)?, inputs)),
        peer: Some(
            Side::new("bare lapin", move || peer::lapin::rate(bare.url(), load))
                .note(peer::lapin::NOTE),
        ),
    }
}

fn rate(pair: &Pair, inputs: usize) -> anyhow::Result<f64> {
    run(pair, inputs / 10)?;
    let start = Instant::now();
    run(pair, inputs)?;
    Ok(inputs as f64 / start.elapsed().as_secs_f64())
}

fn run(pair: &Pair, inputs: usize) -> anyhow::Result<()> {
    let results = pair.client.blocking_map(ECHO, (0..inputs).map(|_| PAYLOAD), IN_FLIGHT);
    let mut count = 0;
    for result in results {
        ensure!(result? == PAYLOAD, "the worker returns what it gets");
        count += 1;
    }
    ensure!(count == inputs, "{count} results of {inputs} inputs");
    Ok(())
}
