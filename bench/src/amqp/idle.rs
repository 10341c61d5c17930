//! The row of idleness.

use std::{rc::Rc, thread, time::Duration};

use outwork_core::ExecutorExt;

use super::{
    Broker,
    pair::{self, ECHO, PAYLOAD},
};
use crate::{
    cpu::busy_percent,
    row::{Goal, OUTWORK, Row, Side},
};

/// How long connections may take to settle after the last task.
const SETTLE: Duration = Duration::from_millis(500);
/// How long the idleness is observed: over one heartbeat of each connection.
const IDLE: Duration = Duration::from_secs(12);

/// CPU time of this process over 12 s in which an executor and a worker, both in it, are connected and have nothing to do, after some tasks.
pub(super) fn connected(broker: &Rc<Broker>) -> Row {
    let broker = Rc::clone(broker);
    Row {
        name: "AMQP: idle, an executor and a worker",
        unit: "% CPU",
        goal: Some(Goal::Below(0.1)),
        ours: Side::new(OUTWORK, move || {
            let worker = pair::worker(broker.url())?;
            let client = pair::client(&broker)?;
            for _ in 0..100 {
                client.blocking_call(ECHO, &PAYLOAD)?;
            }
            thread::sleep(SETTLE);
            let percent = busy_percent(IDLE);
            drop((client, worker));
            Ok(percent)
        }),
        peer: None,
    }
}
