//! Reads bytes as messages of every kind: whatever comes is read or refused, without a panic.

use bytes::Bytes;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, LongString, ShortString},
};

use super::{
    CancelAck, Control, Envelope, JobRecord, RemoteEvent, ResultMessage, TaskMessage,
    headers::{
        ATTEMPT, DETACHED, INSTANCE, KIND, LOSSES, NOT_AFTER, NOT_BEFORE, QUEUE, SCHEMA, SUBMITTED,
        TRACEPARENT, TRACESTATE, V, WATCHED, WORKER,
    },
    read_chunk, read_results,
};

const HEADERS: [&str; 15] = [
    V,
    KIND,
    SCHEMA,
    ATTEMPT,
    LOSSES,
    NOT_BEFORE,
    NOT_AFTER,
    QUEUE,
    SUBMITTED,
    WATCHED,
    DETACHED,
    WORKER,
    INSTANCE,
    TRACEPARENT,
    TRACESTATE,
];

/// Reads bytes as the properties and the body of a message, of whatever kind. What reads as a
/// task is written again, and has to read the same.
pub(crate) fn fuzz(bytes: &[u8]) {
    let mut rest = Rest(bytes);
    let properties = rest.properties();
    let Rest(body) = rest;
    // Only that they come back matters.
    drop(ResultMessage::read(&properties, body));
    drop(read_results(body));
    drop(RemoteEvent::read(&properties, body));
    drop(Control::read(&properties, body));
    drop(CancelAck::read(&properties, body));
    drop(JobRecord::read(&properties, body));
    drop(read_chunk(&properties, &Bytes::copy_from_slice(body)));
    drop(TaskMessage::read(&properties, body));
    if let Ok(envelope) = Envelope::read(&properties) {
        let again = Envelope::read(&envelope.properties());
        assert_eq!(again, Ok(envelope), "what was written does not read the same");
    }
}

/// What has not been used of the bytes.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn some(&mut self, length: usize) -> &'a [u8] {
        let (some, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        some
    }

    fn text(&mut self) -> Option<ShortString> {
        let length = usize::from(self.byte());
        let text = String::from_utf8_lossy(self.some(length));
        ShortString::try_new(text).ok().filter(|text| !text.as_str().is_empty())
    }

    fn value(&mut self) -> Option<AMQPValue> {
        Some(match self.byte() % 8 {
            0 => AMQPValue::Boolean(self.byte() % 2 == 1),
            1 => AMQPValue::ShortShortInt(i8::from_le_bytes([self.byte()])),
            2 => {
                let mut eight = [0; 8];
                let some = self.some(8);
                eight[..some.len()].copy_from_slice(some);
                AMQPValue::LongLongInt(i64::from_le_bytes(eight))
            }
            3 => AMQPValue::Timestamp(u64::MAX - u64::from(self.byte())),
            4 | 5 => {
                let length = usize::from(self.byte());
                AMQPValue::LongString(LongString::from(self.some(length)))
            }
            6 => AMQPValue::Void,
            _ => return None,
        })
    }

    fn properties(&mut self) -> BasicProperties {
        let mut headers = FieldTable::default();
        for name in HEADERS {
            if let Some(value) = self.value() {
                headers.insert(ShortString::from(name), value);
            }
        }
        let mut properties = BasicProperties::default().with_headers(headers);
        if let Some(id) = self.text() {
            properties = properties.with_message_id(id);
        }
        if let Some(kind) = self.text() {
            properties = properties.with_type(kind);
        }
        if let Some(queue) = self.text() {
            properties = properties.with_reply_to(queue);
        }
        properties
    }
}
