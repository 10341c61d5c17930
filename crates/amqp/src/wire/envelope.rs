//! [`Envelope`]: what a task's headers say, beside the task itself.

use std::sync::Arc;

use lapin::{BasicProperties, types::ShortString};
use outwork_core::{TaskId, TaskName, TraceContext};

use super::{
    Kind, Millis, WireError,
    headers::{self, Writer, headers_of, task_id},
};
use crate::topology::QueueName;

/// What a task's headers say. A retry is written from this and nothing else: what the broker
/// adds on the way, such as `x-death`, would make it drop the message as one that goes round in
/// circles.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Envelope {
    pub(crate) id: TaskId,
    pub(crate) name: TaskName,
    /// When the client accepted it. With the id it names one submission.
    pub(crate) submitted: Millis,
    /// How often its handler has failed.
    pub(crate) failures: u32,
    /// How often its worker was lost.
    pub(crate) losses: u32,
    pub(crate) not_before: Option<Millis>,
    /// When the first attempt is to have started at the latest.
    pub(crate) not_after: Option<Millis>,
    pub(crate) queue: QueueName,
    pub(crate) reply_to: Option<Arc<str>>,
    /// Somebody reads the events of the client, and wants to be told of the start at once.
    pub(crate) watched: bool,
    /// The job's states are written to the stream of the jobs.
    pub(crate) detached: bool,
    pub(crate) schema: u16,
    pub(crate) trace: Option<TraceContext>,
}

impl Envelope {
    pub(crate) fn properties(&self) -> BasicProperties {
        self.properties_as(Kind::Task)
    }

    /// The same, on a message of another kind.
    pub(super) fn properties_as(&self, kind: Kind) -> BasicProperties {
        let writer = Writer::new(kind)
            .int(headers::SUBMITTED, self.submitted)
            .count(headers::ATTEMPT, self.failures)
            .count(headers::LOSSES, self.losses)
            .count(headers::SCHEMA, self.schema.into())
            .int_if(headers::NOT_BEFORE, self.not_before)
            .int_if(headers::NOT_AFTER, self.not_after)
            .text(headers::QUEUE, self.queue.as_str())
            .flag(headers::WATCHED, self.watched)
            .flag(headers::DETACHED, self.detached)
            .text_if(headers::TRACEPARENT, self.trace.as_ref().map(|t| t.traceparent.as_str()))
            .text_if(
                headers::TRACESTATE,
                self.trace.as_ref().and_then(|t| t.tracestate.as_deref()),
            );
        let properties = writer.properties(self.id).with_type(short(self.name.as_str()));
        match &self.reply_to {
            Some(queue) => properties.with_reply_to(short(queue)),
            None => properties,
        }
    }

    pub(crate) fn read(properties: &BasicProperties) -> Result<Self, WireError> {
        match headers_of(properties).kind()? {
            Kind::Task => Self::read_any(properties),
            _ => Err(WireError::header(headers::KIND, "is not that of a task")),
        }
    }

    /// Reads it from a message of whatever kind.
    pub(super) fn read_any(properties: &BasicProperties) -> Result<Self, WireError> {
        let found = headers_of(properties);
        let name = properties.kind().as_ref();
        let name = name.ok_or_else(|| WireError::header("type", "is missing"))?;
        let name = TaskName::new(name.as_str())
            .map_err(|error| WireError::header("type", &format!("is no task's name: {error}")))?;
        let queue = found.text(headers::QUEUE).unwrap_or_default();
        let queue = QueueName::new(queue)
            .map_err(|error| WireError::header(headers::QUEUE, &format!("is wrong: {error}")))?;
        let submitted = found.int(headers::SUBMITTED);
        Ok(Self {
            id: task_id(properties)?,
            name,
            submitted: submitted
                .ok_or_else(|| WireError::header(headers::SUBMITTED, "is missing"))?,
            failures: found.count(headers::ATTEMPT),
            losses: found.count(headers::LOSSES),
            not_before: found.int(headers::NOT_BEFORE),
            not_after: found.int(headers::NOT_AFTER),
            queue,
            reply_to: properties.reply_to().as_ref().map(|queue| queue.as_str().into()),
            watched: found.flag(headers::WATCHED),
            detached: found.flag(headers::DETACHED),
            schema: u16::try_from(found.count(headers::SCHEMA)).unwrap_or(0),
            trace: found.text(headers::TRACEPARENT).map(|traceparent| TraceContext {
                traceparent: traceparent.to_owned(),
                tracestate: found.text(headers::TRACESTATE).map(str::to_owned),
            }),
        })
    }
}

#[cfg(test)]
impl Envelope {
    /// What the first attempt of a new task says when nothing is asked for.
    pub(crate) fn plain(name: &str) -> Self {
        Self {
            id: TaskId::new(),
            name: TaskName::new(name).unwrap(),
            submitted: 1,
            failures: 0,
            losses: 0,
            not_before: None,
            not_after: None,
            queue: QueueName::new("q").unwrap(),
            reply_to: None,
            watched: false,
            detached: false,
            schema: 0,
            trace: None,
        }
    }
}

/// Names are checked when they are made to be shorter than what a short string holds.
fn short(text: &str) -> ShortString {
    ShortString::try_new(text).unwrap_or_default()
}
