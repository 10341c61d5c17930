//! The row of one task at a time.

use super::{pool, submit_noop, wait};
use crate::{
    args::ProcessArgs,
    one_by_one, peer,
    row::{Goal, OUTWORK, Row, Side},
};

/// The median ns from the submission of a task that does nothing to its result, one at a time, one child.
///
/// The peer is what no pool can be faster than: 64 bytes to another process over a socketpair and back.
pub(super) fn beside_a_ping_pong(args: &ProcessArgs) -> Row {
    let calls = args.run.scaled(20_000);
    Row {
        name: "process pool: one at a time, p50",
        unit: "ns/call",
        goal: Some(Goal::RatioAtMost(2.0)),
        ours: Side::new(OUTWORK, move || {
            let pool = pool(1)?;
            Ok(one_by_one::p50(calls, || wait(submit_noop(&pool))))
        }),
        peer: Some(Side::new("socketpair ping-pong", move || peer::ping_pong::p50(calls))),
    }
}
