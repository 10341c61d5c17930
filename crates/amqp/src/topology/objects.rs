//! The exchanges and queues, with all that is said when they are made.

use lapin::{
    ExchangeKind,
    types::{AMQPValue, FieldTable, LongString, ShortString},
};
use serde::{Deserialize, Serialize};

use super::{
    LEVELS, Prefix, QueueName,
    ladder::{due_pattern, pattern},
};

/// How a task queue keeps its messages. All of its users have to agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueKind {
    /// On several nodes where there are several, and counting how often a message came back.
    #[default]
    Quorum,
    /// On one node. A message whose worker dies each time comes back without an end.
    Classic,
}

/// One exchange.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) name: ShortString,
    pub(crate) kind: ExchangeKind,
}

/// One queue or stream.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    pub(crate) name: ShortString,
    pub(crate) arguments: FieldTable,
}

/// What leads from an exchange to a queue or to another exchange.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    pub(crate) from: ShortString,
    pub(crate) to: Target,
    pub(crate) key: ShortString,
}

#[derive(Debug, Clone)]
pub(crate) enum Target {
    Queue(ShortString),
    Exchange(ShortString),
}

/// Everything that a set of users needs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Objects {
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) bindings: Vec<Binding>,
}

/// How often a message may come back before the broker gives it up. Said explicitly, because
/// what the broker assumes differs from none to 20 between its versions.
pub(crate) const DELIVERY_LIMIT: i64 = 100;

/// Looking at a dead letter counts as a delivery, and must not destroy it.
const PEEK_LIMIT: i64 = 1_000_000;

/// How long the streams keep their records at least.
const RETENTION: &str = "14D";

/// The streams are cut into files of this size, and forget whole files.
const SEGMENT: i64 = 16 << 20;

/// How long replies wait for a client that has gone.
const REPLY_EXPIRES_MS: i64 = 10 * 60 * 1000;

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}

fn key(key: String) -> ShortString {
    ShortString::try_new(key).expect("a queue's name of 128 bytes leaves room for the ladder")
}

fn table<const N: usize>(arguments: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        table.insert(ShortString::from(name), value);
    }
    table
}

impl Queue {
    /// A task queue. What the broker gives up goes to the dead letters.
    pub(crate) fn task(prefix: &Prefix, queue: &QueueName, kind: QueueKind) -> Self {
        let name = prefix.task_queue(queue);
        let dead = text(prefix.dead_exchange().as_str());
        let arguments = match kind {
            QueueKind::Classic => table([
                ("x-queue-type", text("classic")),
                ("x-dead-letter-exchange", dead),
                ("x-dead-letter-routing-key", text(queue.as_str())),
            ]),
            QueueKind::Quorum => table([
                ("x-queue-type", text("quorum")),
                ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERY_LIMIT)),
                ("x-dead-letter-exchange", dead),
                ("x-dead-letter-routing-key", text(queue.as_str())),
                ("x-dead-letter-strategy", text("at-least-once")),
                ("x-overflow", text("reject-publish")),
            ]),
        };
        Self { name, arguments }
    }

    fn dead(prefix: &Prefix, queue: &QueueName) -> Self {
        let arguments = table([
            ("x-queue-type", text("quorum")),
            ("x-delivery-limit", AMQPValue::LongLongInt(PEEK_LIMIT)),
        ]);
        Self { name: prefix.dead_queue(queue), arguments }
    }

    /// A rung of the ladder: messages leave for the next one, or for the exchange of what is
    /// due, and only once they have arrived there.
    fn rung(prefix: &Prefix, level: usize) -> Self {
        let next = below(prefix, level);
        let arguments = table([
            ("x-queue-type", text("quorum")),
            ("x-message-ttl", AMQPValue::LongLongInt(1000 << level)),
            ("x-dead-letter-exchange", text(next.as_str())),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ]);
        Self { name: prefix.delay(level), arguments }
    }

    fn stream(name: ShortString) -> Self {
        let arguments = table([
            ("x-queue-type", text("stream")),
            ("x-max-age", text(RETENTION)),
            ("x-stream-max-segment-size-bytes", AMQPValue::LongLongInt(SEGMENT)),
        ]);
        Self { name, arguments }
    }

    /// The queue of one client's replies, which outlives a lost connection.
    pub(crate) fn replies(name: ShortString) -> Self {
        let arguments = table([
            ("x-queue-type", text("classic")),
            ("x-expires", AMQPValue::LongLongInt(REPLY_EXPIRES_MS)),
        ]);
        Self { name, arguments }
    }
}

/// Where a message goes that has waited on a rung, or passes it by.
fn below(prefix: &Prefix, level: usize) -> ShortString {
    match level {
        0 => prefix.due_exchange(),
        _ => prefix.delay(level - 1),
    }
}

impl Objects {
    /// What workers and clients share, whatever the queues.
    pub(crate) fn shared(prefix: &Prefix) -> Self {
        let mut objects = Self::default();
        let direct = [
            prefix.task_exchange(),
            prefix.dead_exchange(),
            prefix.reply_exchange(),
            prefix.log_exchange(),
        ];
        objects.exchanges.extend(direct.map(|name| Exchange { name, kind: ExchangeKind::Direct }));
        let due = Exchange { name: prefix.due_exchange(), kind: ExchangeKind::Topic };
        objects.exchanges.push(due);
        let streams = [(prefix.control_stream(), "ctl"), (prefix.jobs_stream(), "jobs")];
        for (stream, routing) in streams {
            objects.queues.push(Queue::stream(stream.clone()));
            objects.bind(prefix.log_exchange(), Target::Queue(stream), routing.to_owned());
        }
        (0..LEVELS).for_each(|level| objects.add_rung(prefix, level));
        objects
    }

    fn add_rung(&mut self, prefix: &Prefix, level: usize) {
        let name = prefix.delay(level);
        self.exchanges.push(Exchange { name: name.clone(), kind: ExchangeKind::Topic });
        self.queues.push(Queue::rung(prefix, level));
        self.bind(name.clone(), Target::Queue(name.clone()), pattern(level, true));
        self.bind(name, Target::Exchange(below(prefix, level)), pattern(level, false));
    }

    /// One task queue and its dead letters.
    pub(crate) fn queue(prefix: &Prefix, queue: &QueueName, kind: QueueKind) -> Self {
        let mut objects = Self::default();
        let (task, dead) = (Queue::task(prefix, queue, kind), Queue::dead(prefix, queue));
        let routing = queue.as_str().to_owned();
        objects.bind(prefix.task_exchange(), Target::Queue(task.name.clone()), routing.clone());
        objects.bind(prefix.due_exchange(), Target::Queue(task.name.clone()), due_pattern(queue));
        objects.bind(prefix.dead_exchange(), Target::Queue(dead.name.clone()), routing);
        objects.queues.extend([task, dead]);
        objects
    }

    fn bind(&mut self, from: ShortString, to: Target, routing: String) {
        self.bindings.push(Binding { from, to, key: key(routing) });
    }
}
