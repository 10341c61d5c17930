//! Dead letters: what cannot be run, with the reason.

use bytes::Bytes;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, LongString, ShortString},
};
use outwork_core::{Outcome, Rejection, TaskErrorKind};

use super::{
    desk::{Desk, count},
    hand::Hand,
    token::Token,
};
use crate::{publisher::Outgoing, topology::QueueName, wire::now};

/// Why a message cannot be run, as it stands in the header `ow-reason`.
#[derive(Debug, Clone)]
pub(super) struct Reason {
    word: &'static str,
    error: String,
}

/// Every word that there is for a reason.
pub(crate) const WORDS: [&str; 5] =
    [UNDECODABLE, UNKNOWN_TASK, REFUSED_PROGRAM, INVALID, CRASHED_WORKER];

const UNDECODABLE: &str = "undecodable";
const UNKNOWN_TASK: &str = "unknown-task";
const REFUSED_PROGRAM: &str = "refused-program";
const INVALID: &str = "invalid";
const CRASHED_WORKER: &str = "crashed-worker";

/// How much of an error fits into a header.
const LONGEST_ERROR: usize = 4096;

impl Reason {
    pub(super) fn undecodable(error: &dyn std::fmt::Display) -> Self {
        Self { word: UNDECODABLE, error: error.to_string() }
    }

    /// Its workers were lost too often.
    pub(super) fn crashed_worker(outcome: &Outcome) -> Option<Self> {
        let error = outcome.error()?.to_string();
        Some(Self { word: CRASHED_WORKER, error })
    }

    /// Why a task that has ended so belongs to the dead letters, if it does.
    pub(super) fn of(outcome: &Outcome) -> Option<Self> {
        let error = outcome.error()?;
        let word = match error.kind() {
            TaskErrorKind::Undecodable => UNDECODABLE,
            TaskErrorKind::Rejected(Rejection::UnknownTask) => UNKNOWN_TASK,
            TaskErrorKind::Rejected(Rejection::ProgramNotAllowed { .. }) => REFUSED_PROGRAM,
            TaskErrorKind::Rejected(Rejection::InvalidMessage) => INVALID,
            _ => return None,
        };
        Some(Self { word, error: error.to_string() })
    }

    fn headers(&self, desk: &Desk, queue: &QueueName, before: Option<&FieldTable>) -> FieldTable {
        // Only our own headers are kept: foreign ones may be of any size.
        let own = before.into_iter().flatten();
        let own = own.filter(|(name, _)| name.as_str().starts_with("ow-"));
        let own = own.filter(|(_, value)| size(value) <= LONGEST_ERROR);
        let mut headers = FieldTable::default();
        own.for_each(|(name, value)| {
            headers.insert(name.clone(), value.clone());
        });
        let mut text = |name: &str, value: &str| {
            let value = AMQPValue::LongString(LongString::from(value));
            headers.insert(ShortString::from(name), value);
        };
        text("ow-reason", self.word);
        text("ow-error", shortened(&self.error));
        text("ow-origin", queue.as_str());
        text("ow-worker", &desk.sender.name);
        headers.insert(ShortString::from("ow-dead-since"), AMQPValue::LongLongInt(now()));
        headers
    }
}

fn size(value: &AMQPValue) -> usize {
    match value {
        AMQPValue::LongString(text) => text.len(),
        AMQPValue::FieldArray(_) | AMQPValue::FieldTable(_) | AMQPValue::ByteArray(_) => usize::MAX,
        _ => 8,
    }
}

fn shortened(text: &str) -> &str {
    let mut end = text.len().min(LONGEST_ERROR);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Puts a task that was read to the dead letters. Whether it is there.
pub(super) async fn bury_letter(desk: &Desk, hand: &Hand, reason: &Reason) -> bool {
    let properties = hand.envelope.properties();
    let letter = Letter { properties, body: hand.body() };
    publish(desk, &hand.envelope.queue, letter, reason).await
}

/// Puts a message that does not read to the dead letters, and acknowledges it.
pub(super) async fn bury_message(
    desk: &Desk,
    queue: &QueueName,
    letter: Letter,
    reason: Reason,
    token: Token,
) {
    tracing::warn!(%queue, reason = reason.word, error = %reason.error, "a message is buried");
    if publish(desk, queue, letter, &reason).await {
        token.acknowledge();
    }
}

/// A message as it came.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) properties: BasicProperties,
    pub(super) body: Bytes,
}

async fn publish(desk: &Desk, queue: &QueueName, letter: Letter, reason: &Reason) -> bool {
    let Letter { properties, body } = letter;
    let mut kept = BasicProperties::default().with_delivery_mode(2).with_headers(reason.headers(
        desk,
        queue,
        properties.headers().as_ref(),
    ));
    if let Some(id) = properties.message_id() {
        kept = kept.with_message_id(id.clone());
    }
    if let Some(kind) = properties.kind() {
        kept = kept.with_type(kind.clone());
    }
    if let Some(content_type) = properties.content_type() {
        kept = kept.with_content_type(content_type.clone());
    }
    let outgoing = Outgoing {
        exchange: desk.options.names().dead_exchange(),
        key: ShortString::try_new(queue.as_str()).unwrap_or_default(),
        properties: kept,
        body,
        give_up: None,
    };
    let buried = desk.insist(outgoing).await.is_ok();
    if buried {
        count(&desk.counters.dead);
        desk.told.of(queue).dead(reason.word);
    }
    buried
}
