//! The rows of one task at a time.

use std::rc::Rc;

use outwork_core::ExecutorExt;

use super::{
    Broker, calls,
    pair::{ECHO, PAYLOAD, Pair},
};
use crate::{
    args::AmqpArgs,
    one_by_one,
    peer::{self, python_queue::PythonQueue},
    row::{Goal, OUTWORK, Row, Side},
};

/// The median µs from the submission of a task to its result, one at a time: the broker has to write the task to its disk, and then the result.
///
/// The peer is a program on bare lapin with the same guarantees.
pub(super) fn beside_bare_lapin(args: &AmqpArgs, broker: &Rc<Broker>) -> Row {
    let (calls, bare) = (calls(args), Rc::clone(broker));
    Row {
        name: "AMQP: one at a time, p50, beside bare lapin",
        unit: "µs/call",
        goal: Some(Goal::RatioAtMost(1.2)),
        ours: ours(calls, broker),
        peer: Some(
            Side::new("bare lapin", move || peer::lapin::p50(bare.url(), calls))
                .note(peer::lapin::NOTE),
        ),
    }
}

/// The same beside Celery.
pub(super) fn beside_celery(args: &AmqpArgs, broker: &Rc<Broker>) -> Row {
    let (queue, ours) = (PythonQueue::Celery, ours(calls(args), broker));
    let (broker, python) = (Rc::clone(broker), args.python.clone());
    let calls = args.run.scaled(500);
    let peer = Side::new(queue.label(), move || {
        peer::python_queue::p50(&python, queue, broker.url(), calls)
    });
    let goal = Some(Goal::RatioAtMost(0.7));
    let name = "AMQP: one at a time, p50, beside Celery";
    Row { name, unit: "µs/call", goal, ours, peer: Some(peer.note(queue.note())) }
}

fn ours(calls: usize, broker: &Rc<Broker>) -> Side {
    let broker = Rc::clone(broker);
    Side::new(OUTWORK, move || {
        let pair = Pair::start(&broker)?;
        let call = || {
            let answer = pair.client.blocking_call(ECHO, &PAYLOAD);
            assert_eq!(answer.expect("the worker answers"), PAYLOAD);
        };
        Ok(one_by_one::p50(calls, call) / 1e3)
    })
}
