//! The rows of one machine; each file has our side of its rows.

use crate::{args::LocalArgs, row::Row};

mod event_loop;
mod exec;
mod idle;
mod map;
mod named;
mod outwork;
mod thread_pool;

/// Every row, in the order of the table.
pub(crate) fn rows(args: &LocalArgs) -> Vec<Row> {
    vec![
        thread_pool::spawn_and_await(&args.run),
        thread_pool::one_at_a_time_p50(&args.run),
        thread_pool::one_at_a_time_mean(&args.run),
        named::call_and_await(&args.run),
        event_loop::spawn_and_await(&args.run),
        exec::beside_xargs(args),
        exec::beside_parallel(args),
        map::rate(args),
        map::memory(args),
        idle::used_pools(),
    ]
}
