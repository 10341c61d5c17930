//! The row of registered tasks.

use anyhow::bail;
use serde::{Deserialize, Serialize};

use super::{IN_FLIGHT, OUTWORK};
use crate::{
    args::LocalArgs,
    peer,
    row::{Goal, Row, Side},
    window::Load,
};

/// Calling a registered task by name on two threads and awaiting its result, 1024 in flight, oldest first.
///
/// ns per task. Ours encodes 64 bytes of MessagePack, looks the handler up, decodes the arguments, encodes a number as the result and decodes it.
/// The peer does none of that: it is the bare closure of the thread-pool row, so the ratio is the price of a task that can travel.
pub(super) fn call_and_await(args: &LocalArgs) -> Row {
    let load = Load { tasks: args.scaled(500_000), in_flight: IN_FLIGHT };
    Row {
        name: "thread pool: call a task by name, 64 bytes",
        unit: "ns/task",
        goal: Some(Goal::RatioAtMost(4.0)),
        ours: Side::new(OUTWORK, move || ours(load)),
        peer: Some(Side::new("rayon spawn + oneshot", move || peer::rayon::spawn_and_await(load))),
    }
}

// SLOT: registers a handler of `Arguments` that returns `id`; then `window::drive(load, || …call("bench.named", Arguments::of(id)), |handle| …wait)`.
fn ours(_load: Load) -> anyhow::Result<f64> {
    bail!("outwork-local has no thread pool yet")
}

/// Arguments as a real task has them: a number, a fraction, a name; 64 bytes as named-field MessagePack.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Arguments {
    id: u64,
    scale: f64,
    path: String,
}

impl Arguments {
    /// Arguments of exactly 64 bytes for every `id` from 2³² up, which is where MessagePack needs all eight bytes.
    #[cfg_attr(not(test), expect(dead_code, reason = "our side is not plugged in yet"))]
    fn of(id: u64) -> Self {
        Self { id, scale: 0.5, path: "/srv/images/archive/scan-1.png".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_64_bytes_of_message_pack() {
        for id in [1 << 32, u64::MAX] {
            let bytes = rmp_serde::to_vec_named(&Arguments::of(id)).unwrap();

            assert_eq!(bytes.len(), 64);
            assert_eq!(rmp_serde::from_slice::<Arguments>(&bytes).unwrap(), Arguments::of(id));
        }
    }
}
