//! The rows of RabbitMQ; each file has our side of its rows.

use std::rc::Rc;

use crate::{args::AmqpArgs, row::Row, window::Load};

mod broker;
mod idle;
mod map;
mod one_at_a_time;
mod one_each;
mod pair;

pub(crate) use broker::Broker;
pub(crate) use pair::enter;

/// Every row, in the order of the table.
pub(crate) fn rows(args: &AmqpArgs, broker: &Rc<Broker>) -> Vec<Row> {
    vec![
        one_each::beside_bare_lapin(args, broker),
        one_at_a_time::beside_bare_lapin(args, broker),
        map::beside_bare_lapin(args, broker),
        one_each::beside_celery(args, broker),
        one_at_a_time::beside_celery(args, broker),
        one_each::beside_dramatiq(args, broker),
        one_each::beside_rusty_celery(args, broker),
        one_each::beside_apalis(args, broker),
        idle::connected(broker),
    ]
}

/// What a row of many tasks does, the same for us and for bare lapin.
fn load(args: &AmqpArgs) -> Load {
    Load { tasks: args.run.scaled(40_000), in_flight: 256 }
}

/// How many tasks a row of one at a time does.
fn calls(args: &AmqpArgs) -> usize {
    args.run.scaled(2_000)
}
