//! [`QueueCounters`]: what a worker counts for each of its queues.

use std::collections::HashMap;

use metrics::{Key, Label, Level, Metadata};
use outwork_core::State;

use crate::topology::QueueName;

/// What a worker counts for one of its queues.
#[derive(Debug)]
pub(crate) struct QueueCounters {
    delivered: Key,
    copies: Key,
    settled: Vec<(End, Key)>,
    dead: Vec<(&'static str, Key)>,
}

/// The counters of all queues of a worker.
#[derive(Debug)]
pub(crate) struct ByQueue {
    own: HashMap<QueueName, QueueCounters>,
    other: QueueCounters,
}

/// How a worker dealt with a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Its end was told.
    Ended(State),
    /// It is in the queue again, for its next attempt.
    Retried,
    /// It is in the queue again, for another worker.
    GivenBack,
}

/// Every end, with its word.
const ENDS: [(End, &str); 7] = [
    (End::Ended(State::Succeeded), "succeeded"),
    (End::Ended(State::Failed), "failed"),
    (End::Ended(State::Cancelled), "cancelled"),
    (End::Ended(State::TimedOut), "timed-out"),
    (End::Ended(State::Lost), "lost"),
    (End::Retried, "retried"),
    (End::GivenBack, "given-back"),
];

/// The queue of what is of none of the worker's own.
const OTHER: &str = "(other)";

impl ByQueue {
    /// The counters of a worker of these queues, with every word that there is for a reason.
    pub(crate) fn new(queues: &[QueueName], reasons: &[&'static str]) -> Self {
        let own = |queue: &QueueName| (queue.clone(), QueueCounters::new(queue.as_str(), reasons));
        Self { own: queues.iter().map(own).collect(), other: QueueCounters::new(OTHER, reasons) }
    }

    /// The counters of a queue. All that are not the worker's own share theirs: whoever sends
    /// messages could name any number of them.
    pub(crate) fn of(&self, queue: &QueueName) -> &QueueCounters {
        self.own.get(queue).unwrap_or(&self.other)
    }
}

impl QueueCounters {
    fn new(queue: &str, reasons: &[&'static str]) -> Self {
        let plain = |name| Key::from_parts(name, vec![label("queue", queue)]);
        let with = |name, key, value| {
            Key::from_parts(name, vec![label("queue", queue), label(key, value)])
        };
        let settled =
            ENDS.map(|(end, word)| (end, with("outwork_amqp_settled_total", "outcome", word)));
        let dead =
            reasons.iter().map(|word| (*word, with("outwork_amqp_dead_total", "reason", word)));
        Self {
            delivered: plain("outwork_amqp_delivered_total"),
            copies: plain("outwork_amqp_copies_total"),
            settled: settled.into(),
            dead: dead.collect(),
        }
    }

    /// The broker has brought a message.
    pub(crate) fn delivered(&self) {
        add(&self.delivered);
    }

    /// It was one that the worker has, or has dealt with.
    pub(crate) fn copy(&self) {
        add(&self.copies);
    }

    /// A task was dealt with.
    pub(crate) fn settled(&self, end: End) {
        self.settled.iter().filter(|(of, _)| *of == end).for_each(|(_, key)| add(key));
    }

    /// A message went to the dead letters.
    pub(crate) fn dead(&self, reason: &str) {
        self.dead.iter().filter(|(of, _)| *of == reason).for_each(|(_, key)| add(key));
    }
}

fn label(key: &'static str, value: &str) -> Label {
    Label::new(key, value.to_owned())
}

fn add(key: &Key) {
    const METADATA: Metadata<'static> =
        Metadata::new(module_path!(), Level::INFO, Some(module_path!()));
    metrics::with_recorder(|recorder| recorder.register_counter(key, &METADATA).increment(1));
}
