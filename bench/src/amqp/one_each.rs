//! The rows of one message for each task, many at a time.

use std::rc::Rc;

use outwork_core::ExecutorExt;

use super::{
    Broker, load,
    pair::{ECHO, PAYLOAD, Pair},
};
use crate::{
    args::AmqpArgs,
    block_on::block_on,
    peer,
    row::{Goal, OUTWORK, Row, Side},
    window::{self, Load},
};

/// Tasks per second: 64 bytes to a worker in another process and back, 256 in flight, one message for each task and one for each result.
///
/// Each call has the broker take the task, waits for its word that it has, and then for the result.
/// The peer is a program on bare lapin with the same guarantees.
pub(super) fn beside_bare_lapin(args: &AmqpArgs, broker: &Rc<Broker>) -> Row {
    let (load, bare) = (load(args), Rc::clone(broker));
    Row {
        name: "AMQP: 256 in flight, a message each",
        unit: "tasks/s",
        goal: Some(Goal::RatioAtLeast(0.9)),
        ours: ours(load, broker),
        peer: Some(
            Side::new("bare lapin", move || peer::lapin::rate(bare.url(), load))
                .note(peer::lapin::NOTE),
        ),
    }
}

fn ours(load: Load, broker: &Rc<Broker>) -> Side {
    let broker = Rc::clone(broker);
    Side::new(OUTWORK, move || {
        let pair = Pair::start(&broker)?;
        let call = || pair.client.call(ECHO, &PAYLOAD);
        let nanos = block_on(window::drive_calls(load, call, |answer| {
            assert_eq!(answer.expect("the worker answers"), PAYLOAD);
        }));
        Ok(1e9 / nanos)
    })
}
