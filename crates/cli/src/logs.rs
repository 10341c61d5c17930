//! What the libraries have to say, for the person at the command.

use std::io::{self, Write};

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Shows warnings from now on: that the connection was lost, and that there is one again.
pub(crate) fn of_a_client() {
    let format = fmt::format().without_time().with_target(false).with_level(false);
    let layer = fmt::layer().event_format(format).with_ansi(false).with_writer(|| Talk);
    // Whoever has set a subscriber of their own keeps it.
    let _ = tracing_subscriber::registry().with(layer).with(filter(LevelFilter::WARN)).try_init();
}

/// Our own libraries: what others have to say is repeated by them where it matters.
fn filter(level: LevelFilter) -> Targets {
    Targets::new().with_target("outwork", level)
}

/// Lines that look like everything else that is said.
struct Talk;

impl Write for Talk {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // In one piece, so that nothing comes between.
        io::stderr().write_all(&[b"outwork: ", line].concat())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
