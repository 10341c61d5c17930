//! What goes over the stream of control, and what is answered.

use bytes::Bytes;
use lapin::{BasicProperties, types::ShortString};
use outwork_core::TaskId;
use serde::{Deserialize, Serialize};

use super::{
    Kind, Millis, WireError,
    headers::{Sender, Writer, headers_of, task_id},
    now, read, write,
};
use crate::topology::QueueName;

/// A record of the stream of control, which every worker reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Control {
    /// A task is cancelled.
    Cancel(Tombstone),
    /// A reader's own mark: what stands before it in the stream has been read.
    Mark {
        /// Who put it there.
        reader: String,
    },
    /// Somebody asks who is there.
    Ping(Ping),
    /// Somebody asks how it is with a task.
    Status(StatusQuestion),
}

/// The question how it is with a task. Whoever has it, or has submitted it, answers with a
/// record as of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StatusQuestion {
    pub(crate) id: TaskId,
    /// Where to answer.
    pub(crate) reply_to: String,
}

/// The question which workers of a queue are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ping {
    /// What tells the answers apart from those to another question.
    pub(crate) id: TaskId,
    pub(crate) queue: QueueName,
    /// Where to answer.
    pub(crate) reply_to: String,
}

/// A worker's answer to a ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pong {
    pub(crate) id: TaskId,
    pub(crate) from: Sender,
}

/// What says that a task is cancelled, for as long as anybody could start it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tombstone {
    pub(crate) id: TaskId,
    /// Submissions of the id that came later are not meant.
    pub(crate) until: Millis,
    /// The queue of the task, where that is known: workers of others need not care.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<QueueName>,
    /// Where to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reply_to: Option<String>,
    /// What becomes of it where it runs already.
    #[serde(default)]
    pub(crate) running: Running,
}

/// What becomes of a cancelled task where it runs already, from mild to harsh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Running {
    /// The attempt is finished, and is the last.
    Finish,
    /// It is asked to stop.
    #[default]
    Ask,
    /// It is made to stop, without its grace.
    Force,
}

/// A worker's answer to a tombstone: it has read it, and will not start the task any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CancelAck {
    pub(crate) id: TaskId,
    pub(crate) from: Sender,
    pub(crate) in_hand: InHand,
}

/// What a worker had of a task when it read the tombstone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InHand {
    /// Nothing.
    No,
    /// It has the task, will see to its end, and sends that as the result.
    Yes,
}

#[derive(Debug, Serialize, Deserialize)]
struct AckBody {
    in_hand: InHand,
}

impl Control {
    pub(crate) fn encode(&self) -> Result<(BasicProperties, Bytes), WireError> {
        let id = match self {
            Self::Cancel(tombstone) => tombstone.id,
            Self::Mark { .. } => TaskId::new(),
            Self::Ping(ping) => ping.id,
            Self::Status(question) => question.id,
        };
        let stamp = u64::try_from(now() / 1000).unwrap_or_default();
        let properties = Writer::new(Kind::Control).properties(id).with_timestamp(stamp);
        Ok((properties, write(self)?.into()))
    }

    pub(crate) fn read(properties: &BasicProperties, body: &[u8]) -> Result<Self, WireError> {
        match headers_of(properties).kind()? {
            Kind::Control => read("record of control", body),
            _ => Err(WireError::Header("it is no record of control".to_owned())),
        }
    }
}

impl CancelAck {
    pub(crate) fn encode(&self) -> Result<(BasicProperties, Bytes), WireError> {
        let writer = Writer::new(Kind::CancelAck).sender(&self.from);
        let properties = writer.properties(self.id).with_type(ShortString::from("cancel"));
        Ok((properties, write(&AckBody { in_hand: self.in_hand })?.into()))
    }

    pub(crate) fn read(properties: &BasicProperties, body: &[u8]) -> Result<Self, WireError> {
        let from = sender(properties)?;
        let AckBody { in_hand } = read("answer to a tombstone", body)?;
        Ok(Self { id: task_id(properties)?, from, in_hand })
    }
}

impl Pong {
    pub(crate) fn encode(&self) -> (BasicProperties, Bytes) {
        (Writer::new(Kind::Pong).sender(&self.from).properties(self.id), Bytes::new())
    }

    pub(crate) fn read(properties: &BasicProperties) -> Result<Self, WireError> {
        Ok(Self { id: task_id(properties)?, from: sender(properties)? })
    }
}

fn sender(properties: &BasicProperties) -> Result<Sender, WireError> {
    let from = headers_of(properties).sender();
    from.ok_or_else(|| WireError::Header("it does not say who sent it".to_owned()))
}
