//! [`Mapping`]: the tasks of `map`, from their lines to their results.

use std::{
    collections::VecDeque,
    io::Write,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use outwork_core::{
    Codec, Outcome, Payload, SubmitError, Task, TaskError, TaskErrorKind, TaskName, TaskOptions,
};
use serde_json::{Map, Value};

use crate::{
    error_json::error_json,
    exit_code::{ExitCode, is_not_allowed},
    failure::Failure,
    feed::Feed,
    input::InputError,
    output::Output,
    pump::{Next, Work},
    result_json::result_json,
};

/// How many results may wait for their turn, and how many bytes of them.
const WAITING: usize = 16 * 1024;
const WAITING_BYTES: usize = 16 << 20;

/// The tasks of `map`.
pub(super) struct Mapping {
    name: TaskName,
    options: Arc<TaskOptions>,
    feed: Feed<Result<Bytes, InputError>>,
    /// What is left of the last piece of input.
    chunk: Bytes,
    output: Output,
    /// Whether results are written in the order of the input.
    ordered: bool,
    /// Results that wait for their turn, the first for the one of index `turn`.
    waiting: VecDeque<Option<Ended>>,
    waiting_bytes: usize,
    turn: u64,
    /// Lines read so far.
    lines: u64,
    failed: u64,
    /// A worker on another machine does not know or allow the task.
    not_allowed: bool,
    input_error: Option<InputError>,
    /// A line of output in the making.
    buffer: Vec<u8>,
}

type Ended = Result<Payload, Box<Map<String, Value>>>;

impl Mapping {
    pub(super) fn new(
        name: TaskName,
        feed: Feed<Result<Bytes, InputError>>,
        output: Output,
        ordered: bool,
    ) -> Self {
        Self {
            name,
            options: Arc::new(TaskOptions::new().bulk(true)),
            feed,
            chunk: Bytes::new(),
            output,
            ordered,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            turn: 0,
            lines: 0,
            failed: 0,
            not_allowed: false,
            input_error: None,
            buffer: Vec::new(),
        }
    }

    /// How the whole went.
    pub(super) fn finish(mut self) -> Result<ExitCode, Failure> {
        self.output.flush()?;
        match self.input_error {
            Some(error) => Err(Failure::failed(error)),
            None if self.not_allowed => Ok(ExitCode::Refused),
            None => Ok(ExitCode::of_failures(self.failed, false)),
        }
    }

    /// Takes the next line from the chunk, which is not empty.
    fn next_line(&mut self) -> Bytes {
        match self.chunk.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let line = self.chunk.slice(..end);
                self.chunk.advance(end + 1);
                line
            }
            None => std::mem::take(&mut self.chunk),
        }
    }

    fn task(&mut self) -> Result<Next<u64>, Failure> {
        let line = self.next_line();
        let index = self.lines;
        self.lines += 1;
        if let Err(error) = std::str::from_utf8(&line) {
            let message = format!("line {} is not UTF-8: {error}", index + 1);
            self.done(index, Err(TaskError::new(TaskErrorKind::Undecodable, message)))?;
            return Ok(Next::Passed);
        }
        let task = Task::new(self.name.clone(), Payload::new(Codec::Json, line));
        Ok(Next::Task(task.with_options(Arc::clone(&self.options)), index))
    }

    /// A task has ended: it is written when it is its turn.
    fn done(&mut self, index: u64, result: Result<Payload, TaskError>) -> Result<(), Failure> {
        let ended = result.map_err(|error| {
            self.failed += 1;
            self.not_allowed |= is_not_allowed(&error);
            let mut object = error_json(&error);
            object.insert("line".to_owned(), (index + 1).into());
            Box::new(object)
        });
        if !self.ordered {
            return self.write(index, &ended);
        }
        if index != self.turn {
            self.keep(index, ended);
            return Ok(());
        }
        self.write(index, &ended)?;
        self.turn += 1;
        self.waiting.pop_front();
        while let Some(ended) = self.waiting.pop_front_if(|ended| ended.is_some()).flatten() {
            self.waiting_bytes -= size(&ended);
            self.write(self.turn, &ended)?;
            self.turn += 1;
        }
        Ok(())
    }

    fn keep(&mut self, index: u64, ended: Ended) {
        let place = usize::try_from(index - self.turn).expect("few results wait");
        if self.waiting.len() <= place {
            self.waiting.resize_with(place + 1, || None);
        }
        self.waiting_bytes += size(&ended);
        self.waiting[place] = Some(ended);
    }

    fn write(&mut self, index: u64, ended: &Ended) -> Result<(), Failure> {
        let line = &mut self.buffer;
        line.clear();
        // Writing to a vector does not fail.
        let _ = write!(line, "{{\"index\":{index},\"");
        match ended {
            Ok(payload) => match result_json(payload) {
                Ok(json) => {
                    line.extend_from_slice(b"ok\":");
                    line.extend_from_slice(&json);
                }
                Err(error) => {
                    self.failed += 1;
                    let message = format!("the result is no JSON: {error}");
                    let error = error_json(&TaskError::new(TaskErrorKind::Undecodable, message));
                    let _ = write!(line, "error\":{}", Value::Object(error));
                }
            },
            Err(error) => {
                line.extend_from_slice(b"error\":");
                let _ = serde_json::to_writer(&mut *line, error);
            }
        }
        line.extend_from_slice(b"}\n");
        self.output.data(line)?;
        Ok(())
    }
}

/// What a result that waits takes of the memory, about.
fn size(ended: &Ended) -> usize {
    ended.as_ref().map_or(512, Payload::len)
}

/// The error of a task, with the line where the arguments are to blame.
fn with_line(error: TaskError, line: u64) -> TaskError {
    match error.kind() {
        TaskErrorKind::Undecodable => {
            let message = format!("line {line}: {}", error.message());
            TaskError::new(TaskErrorKind::Undecodable, message)
        }
        _ => error,
    }
}

impl Work for Mapping {
    /// The index.
    type Note = u64;

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next<u64>, Failure>> {
        while self.chunk.is_empty() {
            match ready!(self.feed.poll_next(cx)) {
                None => return Poll::Ready(Ok(Next::End)),
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(error)) => {
                    self.input_error = Some(error);
                    return Poll::Ready(Ok(Next::End));
                }
            }
        }
        Poll::Ready(self.task())
    }

    fn has_room(&self) -> bool {
        self.waiting.len() < WAITING && self.waiting_bytes < WAITING_BYTES
    }

    fn ended(&mut self, index: u64, end: Result<Outcome, SubmitError>) -> Result<(), Failure> {
        let result = match end {
            Ok(outcome) => outcome.into_result().map_err(|error| with_line(error, index + 1)),
            Err(refused) => Err(TaskError::new(TaskErrorKind::Infrastructure, refused.to_string())),
        };
        self.done(index, result)
    }

    fn idle(&mut self) -> Result<(), Failure> {
        Ok(self.output.flush()?)
    }
}
