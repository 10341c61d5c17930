//! Rows of `outwork exec`.

use std::{path::Path, process::Command};

use super::outwork::Binary;
use crate::{
    args::LocalArgs,
    feed, peer,
    row::{Goal, OUTWORK, Row, Side},
};

/// Running `/bin/true` once per input line, two at a time, 2000 lines, beside `xargs -P2 -n1`.
///
/// Commands per second from the program's start to its exit, as a shell would see it.
pub(super) fn beside_xargs(args: &LocalArgs) -> Row {
    let commands = args.run.scaled(2000);
    Row {
        name: "exec /bin/true, 2 at a time, beside xargs",
        unit: "commands/s",
        goal: Some(Goal::RatioAtLeast(1.3)),
        ours: ours(args, commands),
        peer: Some(Side::new("xargs -P2 -n1", move || peer::xargs::rate(commands))),
    }
}

/// The same beside GNU `parallel -j2`, 500 lines for both, because parallel is slow.
pub(super) fn beside_parallel(args: &LocalArgs) -> Row {
    let commands = args.run.scaled(500);
    Row {
        name: "exec /bin/true, 2 at a time, beside parallel",
        unit: "commands/s",
        goal: Some(Goal::RatioAtLeast(5.0)),
        ours: ours(args, commands),
        peer: Some(Side::new("parallel -j2", move || peer::parallel::rate(commands))),
    }
}

fn ours(args: &LocalArgs, commands: usize) -> Side {
    let outwork = Binary::new(args);
    Side::new(OUTWORK, move || rate(outwork.path()?, commands))
}

/// Commands per second of `outwork exec` on its thread pool.
fn rate(outwork: &Path, commands: usize) -> anyhow::Result<f64> {
    feed::rate(
        Command::new(outwork).args(["exec", "--executor", "threads:2", "-j2", "--", "/bin/true"]),
        commands,
        "give its place with --outwork",
    )
}
