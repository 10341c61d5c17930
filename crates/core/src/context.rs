//! [`TaskContext`]: what a handler sees of its task.

use std::{cell::RefCell, fmt, io, path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    CancelSource, Cancelled, DispatchInfo, EncodeError, Metadata, OutputSink, StopLevel, TaskId,
    TaskName, TraceContext, sync::thread_local,
};

thread_local! {
    static CURRENT: RefCell<Option<TaskContext>> = const { RefCell::new(None) };
}

/// What a handler sees of the task that it runs. Cloning is cheap.
#[derive(Clone)]
pub struct TaskContext {
    host: Arc<dyn ContextHost>,
}

/// What runs a body: the engine's own attempt, or a child process's link to it.
///
/// For implementors of executors; handlers use [`TaskContext`].
pub trait ContextHost: Send + Sync {
    /// The task's id.
    fn task_id(&self) -> TaskId;
    /// The task's name.
    fn name(&self) -> &TaskName;
    /// The number of this attempt, from 1.
    fn attempt(&self) -> u32;
    /// The map of text that came with the task.
    fn metadata(&self) -> &Metadata;
    /// The caller's place in a trace, if it handed one on.
    fn trace(&self) -> Option<&TraceContext>;
    /// The wish that the body stops.
    fn cancel(&self) -> &Arc<CancelSource>;
    /// Where the standard output goes.
    fn stdout(&self) -> OutputSink;
    /// Where the standard error goes.
    fn stderr(&self) -> OutputSink;
    /// Tells how far the body is.
    fn progress(&self, progress: Progress);
    /// Keeps the body's own address for the task, such as the id of a batch job.
    ///
    /// # Errors
    ///
    /// When it cannot be kept.
    fn set_job_handle(&self, handle: serde_json::Value) -> io::Result<()>;
    /// The task's cache folder, made when it is not there.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    fn cache_dir(&self) -> io::Result<Option<PathBuf>>;
}

/// How far a body is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// How much is done.
    pub done: u64,
    /// How much there is to do, where that is known.
    pub total: Option<u64>,
    /// What is going on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl TaskContext {
    /// Wraps what runs the body.
    #[must_use]
    pub fn new(host: Arc<dyn ContextHost>) -> Self {
        Self { host }
    }

    /// The context of the task that runs on this thread, or whose future is being polled.
    ///
    /// It is gone once the body has returned, panicked or was dropped.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.with(|current| current.borrow().clone())
    }

    /// Runs a function with this context as the current one.
    pub fn scope<T>(&self, run: impl FnOnce() -> T) -> T {
        let _restore = Restore(CURRENT.with(|current| current.replace(Some(self.clone()))));
        run()
    }

    /// Who the task is.
    #[must_use]
    pub fn task_id(&self) -> TaskId {
        self.host.task_id()
    }

    /// The name that the task was submitted under.
    #[must_use]
    pub fn name(&self) -> &TaskName {
        self.host.name()
    }

    /// The number of this attempt, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.host.attempt()
    }

    /// The map of text that came with the task.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        self.host.metadata()
    }

    /// The dispatch that the task belongs to.
    #[must_use]
    pub fn dispatch(&self) -> Option<DispatchInfo> {
        self.metadata().dispatch()
    }

    /// The caller's place in a trace, for calls that go on from here; `None` when it handed
    /// none on. Every attempt sees the same.
    #[must_use]
    pub fn trace(&self) -> Option<&TraceContext> {
        self.host.trace()
    }

    /// Whether the body is asked to stop: cancelled, out of time, or shutting down.
    #[must_use]
    pub fn cancel_requested(&self) -> bool {
        self.host.cancel().level() >= StopLevel::Requested
    }

    /// Resolves when the body is asked to stop.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing.
    pub fn cancelled(&self) -> Cancelled {
        self.host.cancel().reached(StopLevel::Requested)
    }

    /// The source behind [`cancelled`](Self::cancelled), for those who run bodies.
    #[must_use]
    pub fn cancel_source(&self) -> &Arc<CancelSource> {
        self.host.cancel()
    }

    /// The task's standard output. Unlike `println!` it is captured on every executor.
    #[must_use]
    pub fn stdout(&self) -> OutputSink {
        self.host.stdout()
    }

    /// The task's standard error.
    #[must_use]
    pub fn stderr(&self) -> OutputSink {
        self.host.stderr()
    }

    /// Tells how far the body is; those who read the executor's events see it.
    pub fn progress(&self, done: u64, total: Option<u64>, message: impl Into<String>) {
        self.host.progress(Progress { done, total, message: message.into() });
    }

    /// Keeps the body's own address for the task, such as the id of a batch job,
    /// so that another process can find it. It is kept before this returns.
    ///
    /// # Errors
    ///
    /// When the value does not encode, or cannot be kept.
    pub fn set_job_handle(&self, handle: &impl Serialize) -> io::Result<()> {
        self.host.set_job_handle(serde_json::to_value(handle)?)
    }

    /// The folder that the task may keep files in, made when it is not there;
    /// `None` when its options name none.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn cache_dir(&self) -> io::Result<Option<PathBuf>> {
        self.host.cache_dir()
    }
}

/// Puts the context of before back, also after a panic.
struct Restore(Option<TaskContext>);

impl Drop for Restore {
    fn drop(&mut self) {
        let _ = CURRENT.try_with(|current| current.replace(self.0.take()));
    }
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext")
            .field("task_id", &self.task_id())
            .field("name", self.name())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}

impl From<EncodeError> for io::Error {
    fn from(error: EncodeError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}
