//! The rows of one machine; each file has our side of its rows.

use crate::{args::LocalArgs, row::Row};

mod event_loop;
mod exec;
mod idle;
mod named;
mod thread_pool;

/// The label of our side.
const OUTWORK: &str = "outwork";

/// How many tasks a throughput row keeps in flight.
const IN_FLIGHT: usize = 1024;

/// Every row, in the order of the table.
pub(crate) fn rows(args: &LocalArgs) -> Vec<Row> {
    let mut rows = vec![
        thread_pool::spawn_and_await(args),
        thread_pool::one_at_a_time_p50(args),
        thread_pool::one_at_a_time_mean(args),
        named::call_and_await(args),
        event_loop::spawn_and_await(args),
        exec::beside_xargs(args),
        exec::beside_parallel(args),
        idle::used_pools(),
    ];
    if args.noise {
        rows = rows.into_iter().filter_map(Row::against_itself).collect();
    }
    rows
}
