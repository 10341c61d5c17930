//! [`Run`]: one attempt of a task, as its body sees it.

use std::{
    fmt, io,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use super::{AttemptKey, cell::Cell};
use crate::{
    CancelSource, CapturePlace, Captured, Change, EventKind, Metadata, Output, OutputSink,
    Progress, StopLevel, StreamTarget, TaskContext, TaskId, TaskName, blocking::block_on,
    context::ContextHost,
};

/// One attempt: its number, its wish to stop, and its streams.
///
/// A body that was given up keeps the run of its attempt, and so cannot reach the next one.
pub(super) struct Run {
    pub(super) cell: Arc<Cell>,
    pub(super) number: u32,
    cancel: OnceLock<Arc<CancelSource>>,
    stdout: OnceLock<OutputSink>,
    stderr: OnceLock<OutputSink>,
}

impl Run {
    pub(super) fn new(cell: Arc<Cell>, number: u32) -> Arc<Self> {
        Arc::new(Self {
            cell,
            number,
            cancel: OnceLock::new(),
            stdout: OnceLock::new(),
            stderr: OnceLock::new(),
        })
    }

    pub(super) fn key(&self) -> AttemptKey {
        AttemptKey { task_id: self.cell.id(), attempt: self.number }
    }

    pub(super) fn context(self: &Arc<Self>) -> TaskContext {
        TaskContext::new(Arc::clone(self) as Arc<dyn ContextHost>)
    }

    /// Raises the wish to stop, also for those who start to look only later.
    pub(super) fn raise(&self, level: StopLevel) {
        self.cancel.get_or_init(Arc::default).raise(level);
    }

    /// Opens the files that the options name, so that a target that cannot be written is an
    /// error of the attempt and not of the body's first `write`.
    pub(super) fn open_files(&self) -> io::Result<()> {
        let options = &self.cell.task.options;
        for (target, sink) in [(&options.stdout, &self.stdout), (&options.stderr, &self.stderr)] {
            if matches!(target, Some(StreamTarget::File { .. })) {
                let opened = self.open(target.as_ref())?;
                let _ = sink.set(opened);
            }
        }
        Ok(())
    }

    fn open(&self, target: Option<&StreamTarget>) -> io::Result<OutputSink> {
        let place = CapturePlace {
            results_dir: self.cell.core.results_dir(),
            metadata: &self.cell.task.metadata,
        };
        OutputSink::open(target, place)
    }

    fn sink(&self, sink: &OnceLock<OutputSink>, target: Option<&StreamTarget>) -> OutputSink {
        let memory = StreamTarget::memory();
        let target = target.filter(|target| !matches!(target, StreamTarget::File { .. }));
        let open = || self.open(Some(target.unwrap_or(&memory))).expect("only files can fail");
        sink.get_or_init(open).clone()
    }

    /// Ends both streams; the second value is a limit that was passed.
    pub(super) fn close_streams(&self) -> (Output, Option<u64>) {
        let close = |sink: &OnceLock<OutputSink>| -> (Captured, Option<u64>) {
            sink.get().map(OutputSink::close).unwrap_or_default()
        };
        let (stdout, over_out) = close(&self.stdout);
        let (stderr, over_err) = close(&self.stderr);
        (Output { stdout, stderr }, over_out.or(over_err))
    }
}

impl ContextHost for Run {
    fn task_id(&self) -> TaskId {
        self.cell.id()
    }

    fn name(&self) -> &TaskName {
        &self.cell.task.name
    }

    fn attempt(&self) -> u32 {
        self.number
    }

    fn metadata(&self) -> &Metadata {
        &self.cell.task.metadata
    }

    fn cancel(&self) -> &Arc<CancelSource> {
        self.cancel.get_or_init(Arc::default)
    }

    fn stdout(&self) -> OutputSink {
        self.sink(&self.stdout, self.cell.task.options.stdout.as_ref())
    }

    fn stderr(&self) -> OutputSink {
        self.sink(&self.stderr, self.cell.task.options.stderr.as_ref())
    }

    fn progress(&self, progress: Progress) {
        let inner = self.cell.lock();
        let current = inner.run.as_ref().is_some_and(|run| std::ptr::eq(&**run, self));
        if current {
            self.cell.emit(self.number, || EventKind::Progress(progress));
        }
    }

    fn set_job_handle(&self, handle: serde_json::Value) -> io::Result<()> {
        let Some(recorder) = self.cell.core.recorder() else { return Ok(()) };
        let change = Change::JobHandle { task_id: self.cell.id(), handle: &handle };
        block_on(recorder.record(change)).map_err(io::Error::other)
    }

    fn cache_dir(&self) -> io::Result<Option<PathBuf>> {
        let Some(folder) = &self.cell.task.options.cache_dir else { return Ok(None) };
        std::fs::create_dir_all(folder)?;
        Ok(Some(folder.clone()))
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("key", &self.key()).finish_non_exhaustive()
    }
}
