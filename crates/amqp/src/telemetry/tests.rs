//! What is counted, held against the table that says so.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use outwork_core::State;

use super::*;
use crate::{connection::Role, lock::lock, publisher::PublishErrorKind, topology::QueueName};

/// Every series that was counted: its name and its labels.
#[derive(Debug, Default)]
struct Counted(Mutex<BTreeSet<String>>);

struct Ignored;

impl CounterFn for Ignored {
    fn increment(&self, _: u64) {}

    fn absolute(&self, _: u64) {}
}

impl Recorder for Counted {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value()));
        lock(&self.0).insert(format!("{}{}", key.name(), labels.collect::<String>()));
        Counter::from_arc(Arc::new(Ignored))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// Every series that the table promises, for a worker of the queue `mail`.
fn promised() -> BTreeSet<String> {
    let rows = include_str!("../telemetry.md").lines();
    rows.filter(|row| row.starts_with("| `outwork_amqp_")).flat_map(series_of).collect()
}

/// The series of one row: its name with each value of its labels.
fn series_of(row: &str) -> Vec<String> {
    let cells: Vec<_> = row.split('|').collect();
    let name = cells[1].trim().trim_matches('`').to_owned();
    let (mut label, mut values) = ("", Vec::new());
    let mut has_queue = false;
    let words: Vec<_> = cells[2].split('`').collect();
    for pair in words[1..].chunks_exact(2) {
        match pair {
            ["queue", _] => has_queue = true,
            [word, behind] if behind.starts_with(':') => label = word,
            [word, _] => values.push(*word),
            _ => unreachable!("chunks have two"),
        }
    }
    let queues = if has_queue { [" queue=mail", " queue=(other)"].as_slice() } else { &[""] };
    let with_queue = queues.iter().map(|queue| format!("{name}{queue}"));
    if values.is_empty() {
        return with_queue.collect();
    }
    with_queue
        .flat_map(|name| values.iter().map(move |value| format!("{name} {label}={value}")))
        .collect()
}

/// Counts each thing that there is to count, once.
fn count_everything() {
    published();
    late_result();
    result_dropped();
    [Role::Publish, Role::Consume].into_iter().for_each(reconnected);
    told(Ok(()));
    use PublishErrorKind::{Closed, NotSent, Refused, Returned, TooLarge, Unconfirmed};
    let kinds = [Returned, Refused, TooLarge, Unconfirmed, NotSent, Closed];
    kinds.into_iter().for_each(|kind| told(Err(kind)));
    let states = [State::Succeeded, State::Failed, State::Cancelled, State::TimedOut, State::Lost];
    states.into_iter().for_each(client_ended);
    let mail = QueueName::new("mail").unwrap();
    let queues = ByQueue::new(std::slice::from_ref(&mail), &crate::worker::REASONS);
    for queue in [mail, QueueName::new("whatever.a.message.says").unwrap()] {
        let counters = queues.of(&queue);
        counters.delivered();
        counters.copy();
        states.into_iter().for_each(|state| counters.settled(End::Ended(state)));
        counters.settled(End::Retried);
        counters.settled(End::GivenBack);
        crate::worker::REASONS.into_iter().for_each(|reason| counters.dead(reason));
    }
}

#[test]
fn everything_in_the_table_is_counted_and_nothing_else() {
    let counted = Counted::default();
    metrics::with_local_recorder(&counted, count_everything);
    let (counted, promised) = (counted.0.into_inner().unwrap(), promised());
    assert!(promised.len() > 40, "the table does not read: {promised:?}");
    assert_eq!(counted, promised);
}
