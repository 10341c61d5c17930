//! What the libraries have to say, for the person at the command.
//!
//! Lines are made of events only: what the spans around them would add stands in them already.

use std::{
    env,
    io::{self, Write},
    panic,
};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets, filter_fn},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::failure::tell;

/// Shows warnings from now on, and when a connection that was lost is there again.
pub(crate) fn of_a_client() {
    let format = fmt::format().without_time().with_target(false).with_level(false);
    let layer = fmt::layer().event_format(format).with_ansi(false).with_writer(|| Talk);
    let layer = layer.with_filter(filter_fn(|what| what.is_event()));
    // Whoever has set a subscriber of their own keeps it.
    let wanted = filter(LevelFilter::WARN).with_target(CONNECTION, LevelFilter::INFO);
    let _ = tracing_subscriber::registry().with(layer).with(wanted).try_init();
}

/// Where it is told of connections.
const CONNECTION: &str = "outwork_amqp::connection";

/// Writes a line for each change of a task's state from now on, until the guard is dropped.
///
/// By a thread of its own: a log that nobody reads loses lines, and holds up no task.
pub(crate) fn of_a_worker(json: bool) -> WorkerGuard {
    let (writer, guard) = NonBlockingBuilder::default().lossy(true).finish(io::stderr());
    let lines = fmt::layer().with_writer(writer).with_target(false);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match json {
        true => lines.json().flatten_event(true).with_current_span(false).boxed(),
        false => lines.with_ansi(false).boxed(),
    };
    let layer = layer.with_filter(filter_fn(|what| what.is_event()));
    // Whoever has set a subscriber of their own keeps it.
    let _ = tracing_subscriber::registry().with(layer).with(filter(LevelFilter::INFO)).try_init();
    guard
}

/// Tells of a panic from now on where it was: its words may repeat arguments.
pub(crate) fn without_words_of_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
}

/// What is shown: of our own libraries, unless `RUST_LOG` says otherwise.
fn filter(level: LevelFilter) -> Targets {
    let usual = Targets::new().with_target("outwork", level);
    match env::var("RUST_LOG").map(|wanted| wanted.parse()) {
        Ok(Ok(wanted)) => wanted,
        Ok(Err(error)) => {
            tell(&format!("RUST_LOG does not read, and is ignored: {error}"));
            usual
        }
        Err(_) => usual,
    }
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
