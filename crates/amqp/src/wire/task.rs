//! [`TaskMessage`]: a task on its way to a worker.

use std::collections::BTreeMap;

use bytes::Bytes;
use lapin::BasicProperties;
use outwork_core::{Codec, Metadata, Payload, Task};
use serde::{Deserialize, Serialize};

use super::{Envelope, WireError, options::WireOptions, read, write};

/// A task as it came out of a message.
#[derive(Debug, Clone)]
pub(crate) struct TaskMessage {
    pub(crate) envelope: Envelope,
    pub(crate) task: Task,
}

/// The body of a task's message, being read.
#[derive(Debug, Deserialize)]
struct Body {
    args: Bytes,
    #[serde(default)]
    codec: Codec,
    #[serde(default)]
    options: WireOptions,
    #[serde(default)]
    meta: BTreeMap<String, String>,
}

/// The same, being written, without copying what it is made of.
#[derive(Serialize)]
struct BodyRef<'a> {
    args: &'a Bytes,
    codec: Codec,
    #[serde(skip_serializing_if = "WireOptions::is_empty")]
    options: WireOptions,
    #[serde(skip_serializing_if = "is_without_entries")]
    meta: &'a Metadata,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_without_entries(meta: &&Metadata) -> bool {
    meta.iter().next().is_none()
}

impl TaskMessage {
    /// Writes the body. The rest of the task travels in the headers.
    pub(crate) fn body(task: &Task) -> Result<Bytes, WireError> {
        let payload = task.payload();
        let body = write(&BodyRef {
            args: payload.bytes(),
            codec: payload.codec(),
            options: WireOptions::of(task.options())?,
            meta: task.metadata(),
        })?;
        Ok(body.into())
    }

    pub(crate) fn read(properties: &BasicProperties, body: &[u8]) -> Result<Self, WireError> {
        let envelope = Envelope::read(properties)?;
        let Body { args, codec, options, meta } = read("task", body)?;
        let mut options = options.options()?;
        options.trace.clone_from(&envelope.trace);
        let meta = meta.into_iter().fold(Metadata::new(), |meta, (k, v)| meta.with(k, v));
        let payload = Payload::new(codec, args).with_schema(envelope.schema);
        let task = Task::new(envelope.name.clone(), payload)
            .with_id(envelope.id)
            .with_options(options)
            .with_metadata(meta)
            .with_attempts_made(envelope.failures);
        Ok(Self { envelope, task })
    }
}
