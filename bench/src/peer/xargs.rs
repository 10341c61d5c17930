//! GNU xargs.

use std::process::Command;

use crate::feed;

/// Commands per second of `xargs -P2 -n1 /bin/true`.
pub(crate) fn rate(commands: usize) -> anyhow::Result<f64> {
    feed::rate(
        Command::new("xargs").args(["-P2", "-n1", "/bin/true"]),
        commands,
        "`apt-get install findutils`",
    )
}
