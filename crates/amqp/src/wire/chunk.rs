//! [`Chunk`](Kind::Chunk): tasks in one message that differ in their ids and arguments only.

use std::sync::Arc;

use bytes::Bytes;
use lapin::BasicProperties;
use outwork_core::{Codec, Payload, Task, TaskId, TaskOptions};
use serde::{Deserialize, Serialize};

use super::{
    Envelope, FRAME, Kind, Millis, TaskMessage, WireError, as_bytes, options::WireOptions, read,
    write_sized,
};

/// What is a task's own in a chunk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item<'a> {
    pub(crate) id: TaskId,
    pub(crate) submitted: Millis,
    #[serde(serialize_with = "as_bytes")]
    pub(crate) args: &'a [u8],
}

/// What a task with so many bytes of arguments adds to a chunk at most, in bytes.
pub(crate) fn item_len(args: usize) -> usize {
    args + FRAME
}

/// The body of a chunk, being read.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(default)]
    codec: Codec,
    #[serde(default)]
    options: WireOptions,
    #[serde(borrow)]
    tasks: Vec<Item<'a>>,
}

/// The same, being written.
#[derive(Serialize)]
struct BodyRef<'a> {
    codec: Codec,
    #[serde(skip_serializing_if = "WireOptions::is_empty")]
    options: WireOptions,
    tasks: &'a [Item<'a>],
}

/// Writes tasks that have this envelope, but for the id and the time in it, and these options.
pub(crate) fn encode_chunk(
    envelope: &Envelope,
    codec: Codec,
    options: &TaskOptions,
    tasks: &[Item<'_>],
) -> Result<(BasicProperties, Bytes), WireError> {
    let options = WireOptions::of(options)?;
    let size = tasks.iter().map(|task| item_len(task.args.len())).sum();
    let body = write_sized(&BodyRef { codec, options, tasks }, size)?;
    Ok((envelope.properties_as(Kind::Chunk), body.into()))
}

/// Reads the tasks of a chunk.
pub(crate) fn read_chunk(
    properties: &BasicProperties,
    body: &Bytes,
) -> Result<Vec<TaskMessage>, WireError> {
    let common = Envelope::read_any(properties)?;
    let Body { codec, options, tasks } = read("chunk", body)?;
    if tasks.is_empty() {
        return Err(WireError::body("chunk", &"it has no tasks"));
    }
    let mut options = options.options()?;
    options.trace.clone_from(&common.trace);
    let options = Arc::new(options);
    let messages = tasks.into_iter().map(|Item { id, submitted, args }| {
        // All of them are there until the last one ends: they share the body.
        let args = body.slice_ref(args);
        let envelope = Envelope { id, submitted, ..common.clone() };
        let payload = Payload::new(codec, args).with_schema(common.schema);
        let task = Task::new(common.name.clone(), payload)
            .with_id(id)
            .with_options(Arc::clone(&options))
            .with_attempts_made(common.failures);
        TaskMessage { envelope, task }
    });
    let messages: Vec<_> = messages.collect();
    // What one of them is in a message of its own, all are: to be tried again, or buried.
    messages.first().map(|message| TaskMessage::body(&message.task)).transpose()?;
    Ok(messages)
}
