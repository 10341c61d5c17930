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
    peer::{self, cargo_queue::CargoQueue, python_queue::PythonQueue},
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
        name: "AMQP: 256 in flight, beside bare lapin",
        unit: "tasks/s",
        goal: Some(Goal::RatioAtLeast(0.9)),
        ours: ours(load, broker),
        peer: Some(
            Side::new("bare lapin", move || peer::lapin::rate(bare.url(), load))
                .note(peer::lapin::NOTE),
        ),
    }
}

/// The same beside Celery, which returns results as well: its client keeps as many in flight and waits for the oldest.
pub(super) fn beside_celery(args: &AmqpArgs, broker: &Rc<Broker>) -> Row {
    let name = "AMQP: 256 in flight, beside Celery";
    let goal = Some(Goal::RatioAtLeast(15.0));
    Row { goal, ..beside(args, broker, name, python(PythonQueue::Celery, args, broker)) }
}

/// The same beside Dramatiq, which returns nothing: its client is told that a task is done.
pub(super) fn beside_dramatiq(args: &AmqpArgs, broker: &Rc<Broker>) -> Row {
    let name = "AMQP: 256 in flight, beside Dramatiq";
    beside(args, broker, name, python(PythonQueue::Dramatiq, args, broker))
}

/// The same beside rusty-celery, which returns nothing either.
pub(super) fn beside_rusty_celery(args: &AmqpArgs, broker: &Rc<Broker>) -> Row {
    let name = "AMQP: 256 in flight, beside rusty-celery";
    beside(args, broker, name, cargo(CargoQueue::RustyCelery, args, broker))
}

/// The same beside apalis over AMQP, which returns nothing either.
pub(super) fn beside_apalis(args: &AmqpArgs, broker: &Rc<Broker>) -> Row {
    let name = "AMQP: 256 in flight, beside apalis";
    beside(args, broker, name, cargo(CargoQueue::Apalis, args, broker))
}

fn beside(args: &AmqpArgs, broker: &Rc<Broker>, name: &'static str, peer: Side) -> Row {
    let ours = ours(load(args), broker);
    Row { name, unit: "tasks/s", goal: None, ours, peer: Some(peer) }
}

fn python(queue: PythonQueue, args: &AmqpArgs, broker: &Rc<Broker>) -> Side {
    let (broker, python) = (Rc::clone(broker), args.python.clone());
    let load = Load { tasks: args.run.scaled(3_000), ..load(args) };
    let rate = move || peer::python_queue::rate(&python, queue, broker.url(), load);
    Side::new(queue.label(), rate).note(queue.note())
}

fn cargo(queue: CargoQueue, args: &AmqpArgs, broker: &Rc<Broker>) -> Side {
    let broker = Rc::clone(broker);
    let load = Load { tasks: args.run.scaled(10_000), ..load(args) };
    let rate = move || peer::cargo_queue::rate(queue, broker.url(), load);
    Side::new(queue.label(), rate).note(queue.note())
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
