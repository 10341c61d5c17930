//! Events of a child's `tracing`, told again in this process.

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock, PoisonError},
};

use outwork_core::TaskId;
use tracing::{
    Event, Level, Metadata,
    callsite::{Callsite, Identifier},
    dispatcher,
    field::{FieldSet, Value},
    metadata::Kind,
    subscriber::Interest,
};

use super::super::wire::LogRecord;

/// The targets and levels that are told apart. A program has a fixed number of them; one that
/// makes up more gets the last one for all others.
const SITES: usize = 1024;

const FIELDS: &[&str] = &["message", "worker", "task", "fields"];

const OTHER: &str = "outwork::worker";

/// Tells an event of a child, under its own target and level.
pub(super) fn replay(record: &LogRecord, worker: &str, task: Option<TaskId>) {
    let Ok(level) = record.level.parse::<Level>() else { return };
    dispatcher::get_default(|dispatch| {
        let metadata = site(&record.target, level);
        if !dispatch.enabled(metadata) {
            return;
        }
        let task = task.map(|task| task.to_string());
        let fields = metadata.fields();
        let mut iter = fields.iter();
        let mut next = || iter.next().expect("the site has these fields");
        let values = [
            (&next(), Some(&record.message as &dyn Value)),
            (&next(), Some(&worker as &dyn Value)),
            (&next(), task.as_ref().map(|task| task as &dyn Value)),
            (&next(), Some(&record.fields as &dyn Value).filter(|_| !record.fields.is_empty())),
        ];
        dispatch.event(&Event::new(metadata, &fields.value_set(&values)));
    });
}

/// Where an event of a child seems to be written. There is one for each target and level, and
/// it stays.
struct Site {
    metadata: OnceLock<Metadata<'static>>,
}

impl Callsite for Site {
    fn set_interest(&self, _interest: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.metadata.get().expect("it is set before the site is used")
    }
}

fn site(target: &str, level: Level) -> &'static Metadata<'static> {
    static KNOWN: OnceLock<Mutex<HashMap<(String, Level), &'static Metadata<'static>>>> =
        OnceLock::new();
    let known = KNOWN.get_or_init(Mutex::default);
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(site) = known.get(&(target.to_owned(), level)) {
        return site;
    }
    let target = if known.len() < SITES { target } else { OTHER };
    known.entry((target.to_owned(), level)).or_insert_with(|| make_site(target, level))
}

fn make_site(target: &str, level: Level) -> &'static Metadata<'static> {
    let site: &'static Site = Box::leak(Box::new(Site { metadata: OnceLock::new() }));
    let target: &'static str = Box::leak(target.to_owned().into_boxed_str());
    site.metadata.get_or_init(|| {
        let fields = FieldSet::new(FIELDS, Identifier(site));
        Metadata::new("event of a worker", target, level, None, None, None, fields, Kind::EVENT)
    })
}
