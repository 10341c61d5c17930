//! [`Run`]: one attempt of a task, as its body sees it.

use std::{
    fmt, io,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use super::{AttemptKey, cell::Cell};
use crate::{
    CancelSource, CapturePlace, Captured, Change, EventKind, Metadata, Output, OutputSink,
    Progress, StopLevel, StreamTarget, TaskContext, TaskId, TaskName, TraceContext,
    blocking::block_on, context::ContextHost,
};

/// One attempt of a task.
///
/// What belongs to the first one lies in the task's cell, so that a task that succeeds at once
/// needs no allocation for it. A body that was given up keeps the run of its attempt, and so
/// cannot reach the next one.
#[derive(Clone)]
pub(super) enum Run {
    First(Arc<Cell>),
    Later(Arc<LaterRun>),
}

/// An attempt after the first.
pub(super) struct LaterRun {
    cell: Arc<Cell>,
    number: u32,
    state: RunState,
}

/// What belongs to one attempt: its wish to stop, and its streams. Made when first needed.
#[derive(Default)]
pub(super) struct RunState {
    cancel: OnceLock<Arc<CancelSource>>,
    stdout: OnceLock<OutputSink>,
    stderr: OnceLock<OutputSink>,
}

impl Run {
    pub(super) fn later(cell: &Arc<Cell>, number: u32) -> Arc<LaterRun> {
        Arc::new(LaterRun { cell: Arc::clone(cell), number, state: RunState::default() })
    }

    pub(super) fn cell(&self) -> &Arc<Cell> {
        match self {
            Self::First(cell) => cell,
            Self::Later(run) => &run.cell,
        }
    }

    pub(super) fn number(&self) -> u32 {
        match self {
            Self::First(cell) => cell.first_attempt(),
            Self::Later(run) => run.number,
        }
    }

    pub(super) fn key(&self) -> AttemptKey {
        let cell = self.cell();
        AttemptKey { task_id: cell.id(), attempt: self.number(), submitted: cell.submitted }
    }

    pub(super) fn context(&self) -> TaskContext {
        match self {
            Self::First(cell) => TaskContext::new(Arc::clone(cell) as Arc<dyn ContextHost>),
            Self::Later(run) => TaskContext::new(Arc::clone(run) as Arc<dyn ContextHost>),
        }
    }

    fn state(&self) -> &RunState {
        match self {
            Self::First(cell) => &cell.first,
            Self::Later(run) => &run.state,
        }
    }

    /// Raises the wish to stop, also for those who start to look only later.
    pub(super) fn raise(&self, level: StopLevel) {
        self.state().cancel().raise(level);
    }

    /// Opens the files that the options name, so that a target that cannot be written is an
    /// error of the attempt and not of the body's first `write`.
    pub(super) fn open_files(&self) -> io::Result<()> {
        let (cell, state) = (self.cell(), self.state());
        let options = cell.task.options();
        for (target, sink) in [(&options.stdout, &state.stdout), (&options.stderr, &state.stderr)] {
            if matches!(target, Some(StreamTarget::File { .. })) {
                let opened = cell.open_sink(target.as_ref())?;
                let _ = sink.set(opened);
            }
        }
        Ok(())
    }

    /// Ends both streams, if anybody opened one; the second value is a limit that was passed.
    pub(super) fn close_streams(&self) -> Option<(Output, Option<u64>)> {
        let state = self.state();
        if state.stdout.get().is_none() && state.stderr.get().is_none() {
            return None;
        }
        let close = |sink: &OnceLock<OutputSink>| -> (Captured, Option<u64>) {
            sink.get().map(OutputSink::close).unwrap_or_default()
        };
        let (stdout, over_out) = close(&state.stdout);
        let (stderr, over_err) = close(&state.stderr);
        Some((Output { stdout, stderr }, over_out.or(over_err)))
    }
}

impl RunState {
    fn cancel(&self) -> &Arc<CancelSource> {
        self.cancel.get_or_init(Arc::default)
    }

    fn stdout(&self, cell: &Cell) -> OutputSink {
        let target = cell.task.options().stdout.as_ref();
        self.stdout.get_or_init(|| cell.open_memory(target)).clone()
    }

    fn stderr(&self, cell: &Cell) -> OutputSink {
        let target = cell.task.options().stderr.as_ref();
        self.stderr.get_or_init(|| cell.open_memory(target)).clone()
    }
}

impl Cell {
    fn open_sink(&self, target: Option<&StreamTarget>) -> io::Result<OutputSink> {
        let place =
            CapturePlace { results_dir: self.core.results_dir(), metadata: &self.task.metadata };
        OutputSink::open(target, place)
    }

    /// Opens a target that is no file: those are open before the body runs.
    fn open_memory(&self, target: Option<&StreamTarget>) -> OutputSink {
        let target = target.filter(|target| !matches!(target, StreamTarget::File { .. }));
        self.open_sink(target).expect("only files can fail to open")
    }

    fn tell_progress(&self, attempt: u32, progress: Progress) {
        let inner = self.lock();
        if inner.number == attempt {
            self.emit(attempt, || EventKind::Progress(progress));
        }
    }

    fn keep_job_handle(&self, handle: &serde_json::Value) -> io::Result<()> {
        let Some(recorder) = self.core.recorder() else { return Ok(()) };
        let change = Change::JobHandle { task_id: self.id(), handle };
        block_on(recorder.record(change)).map_err(io::Error::other)
    }

    fn make_cache_dir(&self) -> io::Result<Option<PathBuf>> {
        let Some(folder) = &self.task.options().cache_dir else { return Ok(None) };
        std::fs::create_dir_all(folder)?;
        Ok(Some(folder.clone()))
    }
}

/// Implements the context of an attempt, given where its cell, number and state lie.
macro_rules! context_host {
    ($type:ty, |$this:ident| $cell:expr, $number:expr, $state:expr) => {
        impl ContextHost for $type {
            fn task_id(&self) -> TaskId {
                let $this = self;
                $cell.id()
            }

            fn name(&self) -> &TaskName {
                let $this = self;
                &$cell.task.name
            }

            fn attempt(&self) -> u32 {
                let $this = self;
                $number
            }

            fn metadata(&self) -> &Metadata {
                let $this = self;
                &$cell.task.metadata
            }

            fn trace(&self) -> Option<&TraceContext> {
                let $this = self;
                $cell.task.options().trace.as_ref()
            }

            fn cancel(&self) -> &Arc<CancelSource> {
                let $this = self;
                $state.cancel()
            }

            fn stdout(&self) -> OutputSink {
                let $this = self;
                $state.stdout(&$cell)
            }

            fn stderr(&self) -> OutputSink {
                let $this = self;
                $state.stderr(&$cell)
            }

            fn progress(&self, progress: Progress) {
                let $this = self;
                $cell.tell_progress($number, progress);
            }

            fn set_job_handle(&self, handle: serde_json::Value) -> io::Result<()> {
                let $this = self;
                $cell.keep_job_handle(&handle)
            }

            fn cache_dir(&self) -> io::Result<Option<PathBuf>> {
                let $this = self;
                $cell.make_cache_dir()
            }
        }
    };
}

context_host!(Cell, |this| *this, this.first_attempt(), this.first);
context_host!(LaterRun, |this| *this.cell, this.number, this.state);

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("key", &self.key()).finish_non_exhaustive()
    }
}
