//! [`Spans`]: what was traced.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, filter_fn},
    layer::Context,
    registry::LookupSpan,
};

/// A span of a task, as it was seen.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub name: &'static str,
    pub fields: BTreeMap<&'static str, String>,
    /// The messages of the events inside.
    pub events: Vec<String>,
}

static CLOSED: Mutex<Vec<Seen>> = Mutex::new(Vec::new());

/// The spans that were closed.
#[derive(Debug)]
pub struct Spans;

/// Writes down what is traced.
#[derive(Debug)]
pub struct Watcher;

impl Watcher {
    /// For the subscriber of all tests.
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
        let ours = |what: &Metadata<'_>| {
            what.target().starts_with("outwork_amqp") && what.level() <= &LevelFilter::INFO
        };
        Self.with_filter(filter_fn(ours))
    }
}

impl Spans {
    pub fn watch() -> Self {
        crate::support::log();
        Self
    }

    fn closed() -> MutexGuard<'static, Vec<Seen>> {
        CLOSED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The closed spans of that name of a task.
    pub fn closed_of(&self, name: &str, task_id: &str) -> Vec<Seen> {
        let closed = Self::closed();
        let mine = |seen: &&Seen| {
            seen.name == name && seen.fields.get("task_id").is_some_and(|id| id == task_id)
        };
        closed.iter().filter(mine).cloned().collect()
    }
}

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Watcher {
    fn on_new_span(&self, values: &span::Attributes<'_>, id: &span::Id, spans: Context<'_, S>) {
        let mut seen = Seen { name: values.metadata().name(), ..Seen::default() };
        values.record(&mut Fields(&mut seen.fields));
        spans.span(id).unwrap().extensions_mut().insert(seen);
    }

    fn on_event(&self, event: &Event<'_>, spans: Context<'_, S>) {
        let Some(span) = spans.event_span(event) else { return };
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        if let Some(seen) = span.extensions_mut().get_mut::<Seen>() {
            seen.events.extend(fields.remove("message"));
        }
    }

    fn on_close(&self, id: span::Id, spans: Context<'_, S>) {
        let seen = spans.span(&id).unwrap().extensions_mut().remove::<Seen>();
        Spans::closed().extend(seen);
    }
}
