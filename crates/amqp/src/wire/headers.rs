//! Headers and properties, written and read.

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, LongString, ShortString},
};
use outwork_core::TaskId;

use super::{VERSION, WireError};

pub(super) const V: &str = "ow-v";
pub(super) const KIND: &str = "ow-kind";
pub(super) const SCHEMA: &str = "ow-schema";
pub(super) const ATTEMPT: &str = "ow-attempt";
pub(super) const LOSSES: &str = "ow-losses";
pub(super) const NOT_BEFORE: &str = "ow-not-before";
pub(super) const NOT_AFTER: &str = "ow-not-after";
pub(super) const QUEUE: &str = "ow-queue";
pub(super) const SUBMITTED: &str = "ow-submitted";
pub(super) const WATCHED: &str = "ow-watched";
pub(super) const DETACHED: &str = "ow-detached";
pub(super) const WORKER: &str = "ow-worker";
pub(super) const INSTANCE: &str = "ow-instance";
pub(super) const TRACEPARENT: &str = "traceparent";
pub(super) const TRACESTATE: &str = "tracestate";

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Task,
    Chunk,
    Result,
    Results,
    Event,
    Control,
    CancelAck,
    Pong,
    Job,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Chunk => "chunk",
            Self::Result => "result",
            Self::Results => "results",
            Self::Event => "event",
            Self::Control => "control",
            Self::CancelAck => "cancel-ack",
            Self::Pong => "pong",
            Self::Job => "job",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        const ALL: [Kind; 9] = [
            Kind::Task,
            Kind::Chunk,
            Kind::Result,
            Kind::Results,
            Kind::Event,
            Kind::Control,
            Kind::CancelAck,
            Kind::Pong,
            Kind::Job,
        ];
        ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Who sent a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sender {
    /// The name of the worker, for people.
    pub(crate) name: String,
    /// What tells it apart from the one that had the name before.
    pub(crate) instance: String,
}

/// A table of headers being written.
#[derive(Debug, Default)]
pub(super) struct Writer(FieldTable);

impl Writer {
    pub(super) fn new(kind: Kind) -> Self {
        Self::default().int(V, VERSION).text(KIND, kind.as_str())
    }

    pub(super) fn int(mut self, name: &str, value: i64) -> Self {
        self.0.insert(ShortString::from(name), AMQPValue::LongLongInt(value));
        self
    }

    pub(super) fn int_if(self, name: &str, value: Option<i64>) -> Self {
        match value {
            Some(value) => self.int(name, value),
            None => self,
        }
    }

    /// Writes a count, which is 0 for those who do not find it: every header that is there costs
    /// the broker and both ends.
    pub(super) fn count(self, name: &str, value: u32) -> Self {
        if value == 0 { self } else { self.int(name, value.into()) }
    }

    pub(super) fn flag(mut self, name: &str, value: bool) -> Self {
        if value {
            self.0.insert(ShortString::from(name), AMQPValue::Boolean(true));
        }
        self
    }

    pub(super) fn text(mut self, name: &str, value: &str) -> Self {
        self.0.insert(ShortString::from(name), AMQPValue::LongString(LongString::from(value)));
        self
    }

    pub(super) fn text_if(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    pub(super) fn sender(self, sender: &Sender) -> Self {
        self.text(WORKER, &sender.name).text(INSTANCE, &sender.instance)
    }

    /// The properties that every message has.
    pub(super) fn properties(self, id: TaskId) -> BasicProperties {
        let id = ShortString::from(id.to_string());
        BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type(ShortString::from("application/msgpack"))
            .with_message_id(id.clone())
            .with_correlation_id(id)
            .with_headers(self.0)
    }
}

/// The headers of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Headers<'a>(Option<&'a FieldTable>);

/// The headers of a message.
pub(crate) fn headers_of(properties: &BasicProperties) -> Headers<'_> {
    Headers(properties.headers().as_ref())
}

impl<'a> Headers<'a> {
    fn get(self, name: &str) -> Option<&'a AMQPValue> {
        self.0?.inner().get(name)
    }

    /// A number of whatever width another client wrote it with.
    pub(crate) fn int(self, name: &str) -> Option<i64> {
        match *self.get(name)? {
            AMQPValue::ShortShortInt(n) => Some(n.into()),
            AMQPValue::ShortShortUInt(n) => Some(n.into()),
            AMQPValue::ShortInt(n) => Some(n.into()),
            AMQPValue::ShortUInt(n) => Some(n.into()),
            AMQPValue::LongInt(n) => Some(n.into()),
            AMQPValue::LongUInt(n) => Some(n.into()),
            AMQPValue::LongLongInt(n) => Some(n),
            AMQPValue::Timestamp(n) => i64::try_from(n).ok(),
            _ => None,
        }
    }

    pub(crate) fn text(self, name: &str) -> Option<&'a str> {
        match self.get(name)? {
            AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
            AMQPValue::ShortString(text) => Some(text.as_str()),
            _ => None,
        }
    }

    pub(super) fn flag(self, name: &str) -> bool {
        matches!(self.get(name), Some(AMQPValue::Boolean(true)))
    }

    /// What the message is about, once its version is found to be known.
    pub(crate) fn kind(self) -> Result<Kind, WireError> {
        match self.int(V) {
            None => {
                return Err(WireError::header(V, "is missing: this is no message of Outwork's"));
            }
            Some(version) if version > VERSION => return Err(WireError::Version(version)),
            Some(_) => {}
        }
        let kind = self.text(KIND).ok_or_else(|| WireError::header(KIND, "is missing"))?;
        Kind::parse(kind).ok_or_else(|| WireError::header(KIND, "names no kind that is known"))
    }

    /// A small count, which is 0 when it is not there.
    pub(super) fn count(self, name: &str) -> u32 {
        self.int(name).and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
    }

    pub(crate) fn sender(self) -> Option<Sender> {
        let name = self.text(WORKER)?.to_owned();
        Some(Sender { name, instance: self.text(INSTANCE)?.to_owned() })
    }
}

/// The task that a message is about.
pub(super) fn task_id(properties: &BasicProperties) -> Result<TaskId, WireError> {
    let id = properties.message_id().as_ref();
    let id = id.ok_or_else(|| WireError::header("message_id", "is missing"))?;
    id.as_str().parse().map_err(|_| WireError::header("message_id", "is no UUID"))
}
