//! [`Pipes`]: what a child prints.

use std::{
    collections::VecDeque,
    io::{self, PipeReader, Read},
    os::fd::{AsFd, BorrowedFd},
};

use outwork_core::{OutputSink, TaskId};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::super::builder::WorkerOutput;

/// How much of the standard error is kept for the error of a crash.
const TAIL: usize = 8 * 1024;

/// How much is read at once.
const READ: usize = 64 * 1024;

/// A pipe that is ready takes so much without making its writer wait.
const ATOMIC: usize = 4096;

/// How much may wait until this process's own stream takes it; then the child has to wait.
const PENDING: usize = 64 * 1024;

/// The longest line that is passed on in one piece.
const LINE: usize = 16 * 1024;

/// The two pipes that a child prints to.
#[derive(Debug)]
pub(super) struct Pipes {
    pub(super) stdout: Pipe,
    pub(super) stderr: Pipe,
}

/// The number of each, where there is one thing for either.
pub(super) const STDOUT: usize = 0;
pub(super) const STDERR: usize = 1;

/// One of them.
#[derive(Debug)]
pub(super) struct Pipe {
    reader: Option<PipeReader>,
    stream: Stream,
    output: WorkerOutput,
    /// What it ended with, for the error of a crash.
    tail: VecDeque<u8>,
    /// What could not be passed on yet.
    pending: VecDeque<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

/// Whose output it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag<'a> {
    pub(super) worker: &'a str,
    pub(super) task: Option<TaskId>,
}

impl Pipes {
    pub(super) fn new(stdout: PipeReader, stderr: PipeReader, output: WorkerOutput) -> Self {
        let pipe = |reader, stream| Pipe {
            reader: Some(reader),
            stream,
            output,
            tail: VecDeque::new(),
            pending: VecDeque::new(),
        };
        Self { stdout: pipe(stdout, Stream::Stdout), stderr: pipe(stderr, Stream::Stderr) }
    }
}

impl Pipes {
    pub(super) fn of(&mut self, stream: usize) -> &mut Pipe {
        if stream == STDOUT { &mut self.stdout } else { &mut self.stderr }
    }
}

impl Pipe {
    /// What is to be watched for something to read.
    pub(super) fn source(&self) -> Option<BorrowedFd<'_>> {
        self.reader.as_ref().filter(|_| self.pending.len() < PENDING).map(AsFd::as_fd)
    }

    /// Whether this process's own stream is to be watched for room.
    pub(super) fn target(&self) -> Option<BorrowedFd<'static>> {
        let waits = self.output == WorkerOutput::Inherit && !self.pending.is_empty();
        waits.then(|| self.stream.own())
    }

    /// Reads everything that is there, for the task that captures it or for everybody.
    pub(super) fn drain(&mut self, sink: Option<&OutputSink>, tag: Tag<'_>) {
        while let Some(bytes) = self.read() {
            self.give(&bytes, sink, tag);
        }
    }

    /// Reads once; `None` when nothing is there.
    pub(super) fn read(&mut self) -> Option<Vec<u8>> {
        let mut bytes = vec![0; READ];
        let read = loop {
            match self.reader.as_mut()?.read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        match read {
            Ok(0) => {
                self.reader = None;
                return None;
            }
            Ok(read) => bytes.truncate(read),
            Err(_) => return None,
        }
        self.keep_tail(&bytes);
        Some(bytes)
    }

    /// Hands on what was read, to the task that captures it or to everybody.
    pub(super) fn give(&mut self, bytes: &[u8], sink: Option<&OutputSink>, tag: Tag<'_>) {
        let Some(sink) = sink else { return self.pass_on(bytes, tag) };
        if let Err(error) = sink.write(bytes) {
            tracing::error!(%error, "the output of a task cannot be written");
        }
    }

    fn keep_tail(&mut self, bytes: &[u8]) {
        if self.stream == Stream::Stderr {
            self.tail.extend(&bytes[bytes.len().saturating_sub(TAIL)..]);
            self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        }
    }

    fn pass_on(&mut self, bytes: &[u8], tag: Tag<'_>) {
        match self.output {
            WorkerOutput::Discard => {}
            WorkerOutput::Inherit => {
                self.pending.extend(bytes);
                self.write_pending();
            }
            WorkerOutput::Log => {
                self.pending.extend(bytes);
                while let Some(line) = self.next_line() {
                    self.log(&line, tag);
                }
            }
        }
    }

    /// Writes to this process's own stream as long as that does not have to wait.
    pub(super) fn write_pending(&mut self) {
        while !self.pending.is_empty() && self.stream.has_room() {
            let (front, _) = self.pending.as_slices();
            let piece = &front[..front.len().min(ATOMIC)];
            match rustix::io::write(self.stream.own(), piece) {
                Ok(written) => drop(self.pending.drain(..written)),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return,
                // Nobody reads it any more.
                Err(_) => self.pending.clear(),
            }
        }
    }

    fn next_line(&mut self) -> Option<String> {
        let end = self.pending.iter().position(|byte| *byte == b'\n');
        let length = match end {
            Some(end) => end + 1,
            None if self.pending.len() >= LINE => LINE,
            None => return None,
        };
        let line: Vec<u8> = self.pending.drain(..length).collect();
        Some(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned())
    }

    fn log(&self, line: &str, tag: Tag<'_>) {
        let Tag { worker, task } = tag;
        let task = task.map(tracing::field::display);
        match self.stream {
            Stream::Stdout => tracing::info!(target: "outwork::stdout", worker, task, "{line}"),
            Stream::Stderr => tracing::warn!(target: "outwork::stderr", worker, task, "{line}"),
        }
    }

    /// Reads and passes on what is left, once the child is gone; gives the end of it.
    pub(super) fn finish(&mut self, sink: Option<&OutputSink>, tag: Tag<'_>) -> String {
        self.drain(sink, tag);
        match self.output {
            WorkerOutput::Log if !self.pending.is_empty() => {
                let rest: Vec<u8> = self.pending.drain(..).collect();
                self.log(&String::from_utf8_lossy(&rest), tag);
            }
            _ => self.write_pending(),
        }
        String::from_utf8_lossy(self.tail.make_contiguous()).into_owned()
    }
}

impl Stream {
    fn own(self) -> BorrowedFd<'static> {
        match self {
            Self::Stdout => rustix::stdio::stdout(),
            Self::Stderr => rustix::stdio::stderr(),
        }
    }

    fn has_room(self) -> bool {
        let own = self.own();
        let mut watched = [PollFd::new(&own, PollFlags::OUT)];
        poll(&mut watched, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }
}
