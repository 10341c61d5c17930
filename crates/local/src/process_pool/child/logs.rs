//! [`forward`]: the events of a worker's `tracing` go to its pool.

use std::{
    fmt::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
    subscriber::set_global_default,
};

use super::{
    super::wire::{FromChild, Hello, LogRecord},
    runner::Worker,
};

/// Sends events from now on to the pool, those that somebody looks at there.
pub(super) fn forward(hello: &Hello, worker: &Arc<Worker>) {
    let level = hello.log_level.as_ref().and_then(|level| level.parse::<Level>().ok());
    let Some(level) = level else { return };
    let forwarder = Forwarder { level, worker: Arc::clone(worker), next: AtomicU64::new(1) };
    // Who has set a subscriber of their own before `worker_entry` keeps it.
    let _ = set_global_default(forwarder);
}

struct Forwarder {
    level: Level,
    worker: Arc<Worker>,
    next: AtomicU64,
}

impl Subscriber for Forwarder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.level))
    }

    fn new_span(&self, _attributes: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut words = Words::default();
        event.record(&mut words);
        let record = LogRecord {
            level: event.metadata().level().to_string(),
            target: event.metadata().target().to_owned(),
            message: words.message,
            fields: words.fields,
        };
        self.worker.link.say(&FromChild::Log { seq: self.worker.current_seq(), record });
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

/// The message of an event, and its other fields.
#[derive(Default)]
struct Words {
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a text does not fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            let space = if self.fields.is_empty() { "" } else { " " };
            write!(self.fields, "{space}{}={value:?}", field.name())
        };
    }
}
