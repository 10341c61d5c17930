//! [`ToChild`] and [`FromChild`]: what frames mean.

use std::path::PathBuf;

use bytes::Bytes;
use outwork_core::{
    Codec, Metadata, Payload, Progress, StopLevel, TaskError, TaskId, TraceContext,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Header, Hello, Kind, Outbox, Ready, WireError};

/// A frame that was not looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Raw {
    pub(in super::super) header: Header,
    pub(in super::super) body: Bytes,
}

/// What a pool says.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum ToChild {
    Hello(Hello),
    Task(TaskFrame),
    /// Give the task back, if it has not begun.
    Recall {
        seq: u64,
    },
    /// The task is to stop.
    Stop {
        seq: u64,
        level: StopLevel,
    },
    /// Whether the task's own address was kept.
    Answer {
        seq: u64,
        refused: Option<String>,
    },
    /// Finish what there is, and end.
    Leave,
}

/// What a child says.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum FromChild {
    Ready(Ready),
    /// It cannot work with this pool.
    Refused(String),
    Started {
        seq: u64,
    },
    Done {
        seq: u64,
        nanos: u32,
        result: Payload,
    },
    Failed {
        seq: u64,
        nanos: u32,
        error: TaskError,
    },
    Returned {
        seq: u64,
    },
    Stdout {
        seq: u64,
        bytes: Bytes,
    },
    Stderr {
        seq: u64,
        bytes: Bytes,
    },
    Progress {
        seq: u64,
        progress: Progress,
    },
    /// The task's own address, as JSON.
    JobHandle {
        seq: u64,
        json: Bytes,
    },
    /// A program was started, which leads this group.
    Spawned {
        group: u32,
    },
    /// The program was reaped, and its number may be given to another.
    Reaped {
        group: u32,
    },
    Log {
        seq: u64,
        record: LogRecord,
    },
}

/// A task as a child gets it.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct TaskFrame {
    pub(in super::super) seq: u64,
    /// Its place among the registered names in their order.
    pub(in super::super) task: u32,
    pub(in super::super) attempt: u32,
    pub(in super::super) id: TaskId,
    pub(in super::super) payload: Payload,
    pub(in super::super) tell_start: bool,
    pub(in super::super) capture_stdout: bool,
    pub(in super::super) capture_stderr: bool,
    pub(in super::super) extras: Option<Extras>,
}

/// What most tasks have none of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in super::super) struct Extras {
    #[serde(default)]
    pub(in super::super) metadata: Metadata,
    #[serde(default)]
    pub(in super::super) cache_dir: Option<PathBuf>,
    #[serde(default)]
    pub(in super::super) trace: Option<TraceContext>,
}

/// An event of a child's `tracing`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct LogRecord {
    pub(in super::super) level: String,
    pub(in super::super) target: String,
    pub(in super::super) message: String,
    /// The other fields, as they read.
    pub(in super::super) fields: String,
}

/// The length of a task's id.
const ID: usize = 16;

impl TaskFrame {
    fn flags(&self) -> u8 {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        json_flag(&self.payload)
            | flag(self.extras.is_some(), Header::EXTRAS)
            | flag(self.tell_start, Header::TELL_START)
            | flag(self.capture_stdout, Header::CAPTURE_STDOUT)
            | flag(self.capture_stderr, Header::CAPTURE_STDERR)
    }

    fn put(&self, out: &mut Outbox) {
        let header = Header {
            flags: self.flags(),
            schema: self.payload.schema(),
            first: self.task,
            second: self.attempt,
            ..Header::new(Kind::Task, self.seq)
        };
        let id = self.id.as_uuid().as_bytes();
        match &self.extras {
            None => out.push_shared(header, &[id], self.payload.bytes()),
            Some(extras) => {
                let extras = encode(extras);
                let length = length_of(&extras).to_le_bytes();
                out.push_shared(header, &[id, &length, &extras], self.payload.bytes());
            }
        }
    }

    fn read(header: Header, body: &Bytes) -> Result<Self, WireError> {
        let short = || bad(Kind::Task, "it is too short");
        let (id, _) = body.split_first_chunk::<ID>().ok_or_else(short)?;
        let mut rest = ID;
        let mut extras = None;
        if header.flags & Header::EXTRAS != 0 {
            let (length, more) = body[ID..].split_first_chunk::<4>().ok_or_else(short)?;
            let length = u32::from_le_bytes(*length) as usize;
            extras = Some(decode(Kind::Task, more.get(..length).ok_or_else(short)?)?);
            rest += 4 + length;
        }
        Ok(Self {
            seq: header.seq,
            task: header.first,
            attempt: header.second,
            id: TaskId::from_uuid(uuid::Uuid::from_bytes(*id)),
            payload: payload(header, body.slice(rest..)),
            tell_start: header.flags & Header::TELL_START != 0,
            capture_stdout: header.flags & Header::CAPTURE_STDOUT != 0,
            capture_stderr: header.flags & Header::CAPTURE_STDERR != 0,
            extras,
        })
    }
}

impl ToChild {
    /// Appends the frame to what is to be written.
    pub(in super::super) fn put(&self, out: &mut Outbox) {
        match self {
            Self::Hello(hello) => out.push(Header::new(Kind::Hello, 0), &[&encode(hello)]),
            Self::Task(task) => task.put(out),
            Self::Recall { seq } => out.push(Header::new(Kind::Recall, *seq), &[]),
            Self::Stop { seq, level } => {
                let first = *level as u32;
                out.push(Header { first, ..Header::new(Kind::Stop, *seq) }, &[]);
            }
            Self::Answer { seq, refused } => {
                out.push(Header::new(Kind::Answer, *seq), &[&encode(refused)]);
            }
            Self::Leave => out.push(Header::new(Kind::Leave, 0), &[]),
        }
    }

    /// # Errors
    ///
    /// When it is nothing that a pool says.
    pub(in super::super) fn read(raw: &Raw) -> Result<Self, WireError> {
        let Raw { header, body } = raw;
        let seq = header.seq;
        Ok(match header.kind {
            Kind::Hello => Self::Hello(decode(header.kind, body)?),
            Kind::Task => Self::Task(TaskFrame::read(*header, body)?),
            Kind::Recall => Self::Recall { seq },
            Kind::Stop => Self::Stop { seq, level: level(header.first)? },
            Kind::Answer => Self::Answer { seq, refused: decode(header.kind, body)? },
            Kind::Leave => Self::Leave,
            other => return Err(WireError::WrongDirection(other)),
        })
    }
}

impl FromChild {
    /// Appends the frame to what is to be written.
    pub(in super::super) fn put(&self, out: &mut Outbox) {
        match self {
            Self::Ready(ready) => out.push(Header::new(Kind::Ready, 0), &[&encode(ready)]),
            Self::Refused(why) => out.push(Header::new(Kind::Refused, 0), &[why.as_bytes()]),
            Self::Started { seq } => out.push(Header::new(Kind::Started, *seq), &[]),
            Self::Done { seq, nanos, result } => {
                let header = Header {
                    flags: json_flag(result),
                    schema: result.schema(),
                    first: *nanos,
                    ..Header::new(Kind::Done, *seq)
                };
                out.push_shared(header, &[], result.bytes());
            }
            Self::Failed { seq, nanos, error } => {
                let header = Header { first: *nanos, ..Header::new(Kind::Failed, *seq) };
                out.push(header, &[&encode(error)]);
            }
            Self::Returned { seq } => out.push(Header::new(Kind::Returned, *seq), &[]),
            Self::Stdout { seq, bytes } => out.push(Header::new(Kind::Stdout, *seq), &[bytes]),
            Self::Stderr { seq, bytes } => out.push(Header::new(Kind::Stderr, *seq), &[bytes]),
            Self::Progress { seq, progress } => {
                out.push(Header::new(Kind::Progress, *seq), &[&encode(progress)]);
            }
            Self::JobHandle { seq, json } => {
                out.push(Header::new(Kind::JobHandle, *seq), &[json]);
            }
            Self::Spawned { group } => {
                out.push(Header { first: *group, ..Header::new(Kind::Spawned, 0) }, &[]);
            }
            Self::Reaped { group } => {
                out.push(Header { first: *group, ..Header::new(Kind::Reaped, 0) }, &[]);
            }
            Self::Log { seq, record } => {
                out.push(Header::new(Kind::Log, *seq), &[&encode(record)]);
            }
        }
    }

    /// # Errors
    ///
    /// When it is nothing that a child says.
    pub(in super::super) fn read(raw: Raw) -> Result<Self, WireError> {
        let Raw { header, body } = raw;
        let Header { kind, seq, first, .. } = header;
        Ok(match kind {
            Kind::Ready => Self::Ready(decode(kind, &body)?),
            Kind::Refused => Self::Refused(String::from_utf8_lossy(&body).into_owned()),
            Kind::Started => Self::Started { seq },
            Kind::Done => Self::Done { seq, nanos: first, result: payload(header, body) },
            Kind::Failed => Self::Failed { seq, nanos: first, error: decode(kind, &body)? },
            Kind::Returned => Self::Returned { seq },
            Kind::Stdout => Self::Stdout { seq, bytes: body },
            Kind::Stderr => Self::Stderr { seq, bytes: body },
            Kind::Progress => Self::Progress { seq, progress: decode(kind, &body)? },
            Kind::JobHandle => Self::JobHandle { seq, json: body },
            Kind::Spawned => Self::Spawned { group: first },
            Kind::Reaped => Self::Reaped { group: first },
            Kind::Log => Self::Log { seq, record: decode(kind, &body)? },
            other => return Err(WireError::WrongDirection(other)),
        })
    }
}

fn json_flag(payload: &Payload) -> u8 {
    match payload.codec() {
        Codec::Json => Header::JSON,
        // The codecs that may come will each need a flag of their own.
        _ => 0,
    }
}

fn payload(header: Header, bytes: Bytes) -> Payload {
    let codec = if header.flags & Header::JSON == 0 { Codec::MessagePack } else { Codec::Json };
    Payload::new(codec, bytes).with_schema(header.schema)
}

fn level(number: u32) -> Result<StopLevel, WireError> {
    match number {
        1 => Ok(StopLevel::Requested),
        2 => Ok(StopLevel::Forced),
        _ => Err(bad(Kind::Stop, "there is no such level")),
    }
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("the frames' own types encode")
}

fn decode<T: DeserializeOwned>(kind: Kind, bytes: &[u8]) -> Result<T, WireError> {
    rmp_serde::from_slice(bytes).map_err(|error| bad(kind, &error.to_string()))
}

fn length_of(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("options were checked against the limit")
}

fn bad(kind: Kind, reason: &str) -> WireError {
    WireError::BadBody { kind, reason: reason.to_owned() }
}
