//! [`Host`]: what a body in a child sees, with the pool behind it.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use outwork_core::{
    CancelSource, ContextHost, Metadata, OutputSink, Progress, StopLevel, TaskId, TaskName,
    TraceContext,
};

use super::{
    super::wire::{FromChild, TaskFrame},
    captured::{Printed, Sent, Stream},
    link::Link,
};

/// How long a body waits until the pool has kept its address.
const ANSWER: Duration = Duration::from_secs(60);

/// What runs one body.
pub(super) struct Host {
    task: TaskFrame,
    name: TaskName,
    link: Arc<Link>,
    cancel: Arc<CancelSource>,
    stdout: OnceLock<OutputSink>,
    stderr: OnceLock<OutputSink>,
    /// The pool's answer to an address that was sent.
    answer: Mutex<Option<Result<(), String>>>,
    answered: Condvar,
    /// One address is sent at a time.
    asking: Mutex<()>,
}

impl Host {
    pub(super) fn new(task: TaskFrame, name: TaskName, link: Arc<Link>) -> Arc<Self> {
        Arc::new(Self {
            task,
            name,
            link,
            cancel: Arc::default(),
            stdout: OnceLock::new(),
            stderr: OnceLock::new(),
            answer: Mutex::new(None),
            answered: Condvar::new(),
            asking: Mutex::new(()),
        })
    }

    pub(super) const fn seq(&self) -> u64 {
        self.task.seq
    }

    pub(super) fn stop(&self, level: StopLevel) {
        self.cancel.raise(level);
    }

    pub(super) fn answer(&self, refused: Option<String>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(refused.map_or(Ok(()), Err));
        self.answered.notify_all();
    }

    /// Ends the body's streams: what it printed is on its way, what comes later goes nowhere.
    pub(super) fn close(&self) {
        for sink in [&self.stdout, &self.stderr] {
            if let Some(sink) = sink.get() {
                let _ = sink.close();
            }
        }
        if self.task.capture_stdout {
            Stream::Stdout.flush();
        }
        if self.task.capture_stderr {
            Stream::Stderr.flush();
        }
    }

    fn sink(&self, stream: Stream, captured: bool) -> OutputSink {
        if captured {
            // In the order in which it is printed, whichever way.
            return OutputSink::from_writer(Printed(stream));
        }
        let (seq, link) = (self.seq(), Arc::clone(&self.link));
        OutputSink::from_writer(Sent { stream, seq, link })
    }
}

impl ContextHost for Host {
    fn task_id(&self) -> TaskId {
        self.task.id
    }

    fn name(&self) -> &TaskName {
        &self.name
    }

    fn attempt(&self) -> u32 {
        self.task.attempt
    }

    fn metadata(&self) -> &Metadata {
        static NONE: Metadata = Metadata::new();
        self.task.extras.as_ref().map_or(&NONE, |extras| &extras.metadata)
    }

    fn trace(&self) -> Option<&TraceContext> {
        self.task.extras.as_ref().and_then(|extras| extras.trace.as_ref())
    }

    fn cancel(&self) -> &Arc<CancelSource> {
        &self.cancel
    }

    fn stdout(&self) -> OutputSink {
        let captured = self.task.capture_stdout;
        self.stdout.get_or_init(|| self.sink(Stream::Stdout, captured)).clone()
    }

    fn stderr(&self) -> OutputSink {
        let captured = self.task.capture_stderr;
        self.stderr.get_or_init(|| self.sink(Stream::Stderr, captured)).clone()
    }

    fn progress(&self, progress: Progress) {
        self.link.say(&FromChild::Progress { seq: self.seq(), progress });
    }

    fn set_job_handle(&self, handle: serde_json::Value) -> io::Result<()> {
        let _one = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let json = Bytes::from(serde_json::to_vec(&handle)?);
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        *answer = None;
        self.link.say(&FromChild::JobHandle { seq: self.seq(), json });
        let wait = self.answered.wait_timeout_while(answer, ANSWER, |answer| answer.is_none());
        let (mut answer, _) = wait.unwrap_or_else(PoisonError::into_inner);
        match answer.take() {
            Some(kept) => kept.map_err(io::Error::other),
            None => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("the pool has not kept the address within {ANSWER:?}"),
            )),
        }
    }

    fn cache_dir(&self) -> io::Result<Option<PathBuf>> {
        let folder = self.task.extras.as_ref().and_then(|extras| extras.cache_dir.as_ref());
        let Some(folder) = folder else { return Ok(None) };
        std::fs::create_dir_all(folder)?;
        Ok(Some(folder.clone()))
    }
}
