//! GNU parallel.

use std::process::Command;

use crate::feed;

/// Commands per second of `parallel -j2 /bin/true`.
pub(crate) fn rate(commands: usize) -> anyhow::Result<f64> {
    feed::rate(
        // Without `--will-cite` it asks for a citation.
        Command::new("parallel").args(["--will-cite", "-j2", "/bin/true"]),
        commands,
        "`apt-get install parallel`",
    )
}
