//! [`Script`]: what the body of a task does, as data.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    nesting::Nest,
    support::{Gate, Log},
};
use crate::{Task, TaskDef};

/// A task whose synchronous body follows its script.
pub(super) const SYNC: TaskDef<Script, String> = TaskDef::new("conformance.sync");

/// A task whose async body follows its script.
pub(super) const ASYNC: TaskDef<Script, String> = TaskDef::new("conformance.async");

/// What a body does, step by step. Its result is what it replied last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Script {
    pub(super) steps: Vec<Step>,
}

/// One thing that a body does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Step {
    Note { log: PathBuf, line: String },
    NoteContext { log: PathBuf },
    AtEnd(AtEnd),
    Wait(Wait),
    Stdout(Bytes),
    StdoutBefore { attempt: u32, bytes: Bytes },
    Stderr(Bytes),
    Print(String),
    Progress { done: u64, total: u64 },
    JobHandle(String),
    CacheFile(String),
    Fail { message: String, cause: Option<String> },
    FailBefore { attempt: u32, message: String },
    FailForGood(String),
    Panic(String),
    PanicWithBomb,
    Abort,
    Reply(Reply),
    Nest(Nest),
}

/// What a destructor does when the body ends, however it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum AtEnd {
    Note { log: PathBuf, line: String },
    Panic(String),
}

/// What a body waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Wait {
    /// The gate, whoever asks to stop.
    Gate(PathBuf),
    /// The gate; an error when it is asked to stop.
    GateOrStop(PathBuf),
    /// To be asked to stop.
    Stop,
    /// Some time to pass.
    Time(Duration),
}

/// What a body may reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Reply {
    Text(String),
    /// The number of the attempt.
    Attempt,
    /// Everything in the metadata.
    Metadata,
    /// The caller's place in a trace.
    Trace,
}

/// The kinds of body that can follow a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Body {
    Sync,
    Async,
}

impl Body {
    /// A task with such a body.
    pub(super) fn task(self, script: Script) -> Task {
        let def = match self {
            Self::Sync => SYNC,
            Self::Async => ASYNC,
        };
        def.task(&script).expect("a script encodes")
    }
}

impl Script {
    pub(super) fn new() -> Self {
        Self::default()
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Writes a line.
    pub(super) fn note(self, log: &Log, line: &str) -> Self {
        self.then(Step::Note { log: log.path().to_owned(), line: line.to_owned() })
    }

    /// Writes whether the current context is its own.
    pub(super) fn note_context(self, log: &Log) -> Self {
        self.then(Step::NoteContext { log: log.path().to_owned() })
    }

    /// Leaves a destructor that writes a line.
    pub(super) fn note_at_end(self, log: &Log, line: &str) -> Self {
        let (log, line) = (log.path().to_owned(), line.to_owned());
        self.then(Step::AtEnd(AtEnd::Note { log, line }))
    }

    /// Leaves a destructor that panics.
    pub(super) fn panic_at_end(self, message: &str) -> Self {
        self.then(Step::AtEnd(AtEnd::Panic(message.to_owned())))
    }

    /// Waits for a gate, whoever asks to stop.
    pub(super) fn wait(self, gate: &Gate) -> Self {
        self.then(Step::Wait(Wait::Gate(gate.path().to_owned())))
    }

    /// Waits for a gate, and fails when it is asked to stop.
    pub(super) fn wait_or_stop(self, gate: &Gate) -> Self {
        self.then(Step::Wait(Wait::GateOrStop(gate.path().to_owned())))
    }

    /// Waits to be asked to stop.
    pub(super) fn await_stop(self) -> Self {
        self.then(Step::Wait(Wait::Stop))
    }

    /// Lets time pass.
    pub(super) fn sleep(self, time: Duration) -> Self {
        self.then(Step::Wait(Wait::Time(time)))
    }

    pub(super) fn stdout(self, bytes: impl Into<Bytes>) -> Self {
        self.then(Step::Stdout(bytes.into()))
    }

    /// Writes in the attempts before this one.
    pub(super) fn stdout_before(self, attempt: u32, bytes: impl Into<Bytes>) -> Self {
        self.then(Step::StdoutBefore { attempt, bytes: bytes.into() })
    }

    pub(super) fn stderr(self, bytes: impl Into<Bytes>) -> Self {
        self.then(Step::Stderr(bytes.into()))
    }

    /// Prints a line as programs do, past the context.
    pub(super) fn print(self, line: &str) -> Self {
        self.then(Step::Print(line.to_owned()))
    }

    pub(super) fn progress(self, done: u64, total: u64) -> Self {
        self.then(Step::Progress { done, total })
    }

    /// Keeps an address of its own for the task.
    pub(super) fn job_handle(self, address: &str) -> Self {
        self.then(Step::JobHandle(address.to_owned()))
    }

    /// Writes an empty file into the cache folder.
    pub(super) fn cache_file(self, name: &str) -> Self {
        self.then(Step::CacheFile(name.to_owned()))
    }

    pub(super) fn fail(self, message: &str) -> Self {
        self.then(Step::Fail { message: message.to_owned(), cause: None })
    }

    pub(super) fn fail_because(self, message: &str, cause: &str) -> Self {
        self.then(Step::Fail { message: message.to_owned(), cause: Some(cause.to_owned()) })
    }

    /// Fails in the attempts before this one.
    pub(super) fn fail_before(self, attempt: u32, message: &str) -> Self {
        self.then(Step::FailBefore { attempt, message: message.to_owned() })
    }

    /// Fails with an error that forbids another attempt.
    pub(super) fn fail_for_good(self, message: &str) -> Self {
        self.then(Step::FailForGood(message.to_owned()))
    }

    pub(super) fn panic(self, message: &str) -> Self {
        self.then(Step::Panic(message.to_owned()))
    }

    /// Panics with a payload whose destructor panics in turn.
    pub(super) fn panic_with_bomb(self) -> Self {
        self.then(Step::PanicWithBomb)
    }

    /// Ends the process.
    pub(super) fn abort(self) -> Self {
        self.then(Step::Abort)
    }

    pub(super) fn reply(self, text: &str) -> Self {
        self.then(Step::Reply(Reply::Text(text.to_owned())))
    }

    pub(super) fn reply_attempt(self) -> Self {
        self.then(Step::Reply(Reply::Attempt))
    }

    pub(super) fn reply_metadata(self) -> Self {
        self.then(Step::Reply(Reply::Metadata))
    }

    pub(super) fn reply_trace(self) -> Self {
        self.then(Step::Reply(Reply::Trace))
    }

    /// Calls the executor that runs it.
    pub(super) fn nest(self, nest: Nest) -> Self {
        self.then(Step::Nest(nest))
    }
}
