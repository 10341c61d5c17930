//! [`ProcessPoolBuilder`]: what pool it is to be.

use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use outwork_core::{BuildError, Registry, engine::EngineOptions};
use serde::{Deserialize, Serialize};

use super::ProcessPool;
use crate::settings::{
    check_common, check_workers, default_limit, default_workers, engine_setters,
};

/// The settings of a process pool, as they stand in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessPoolSettings {
    /// How many worker processes; without it, one for each CPU that this process may use.
    pub workers: Option<usize>,
    /// How many tasks may be accepted and not ended; without it, 64 for each worker and at
    /// least 1024.
    pub limit: Option<usize>,
    /// The name of the pool, of which its workers have theirs.
    pub name: String,
    /// The program of the workers, which calls [`worker_entry`](crate::worker_entry);
    /// without it, this very program.
    pub program: Option<PathBuf>,
    /// How many tasks a worker is sent ahead at most; 1 sends none ahead. It is fewer for
    /// tasks that take long, and no more than 128.
    pub window: u32,
    /// After how many tasks a worker is replaced by a fresh one.
    pub max_tasks_per_worker: Option<NonZeroU64>,
    /// With more memory than so many bytes a worker is replaced when its task has ended.
    pub soft_memory_limit: Option<NonZeroU64>,
    /// With more memory than so many bytes a worker is killed, and its task with it.
    pub memory_limit: Option<NonZeroU64>,
    /// How many workers an idempotent task may lose before it ends as lost.
    pub max_worker_losses: NonZeroU32,
    /// How many bytes arguments and results may have.
    pub max_payload: usize,
    /// How long a worker may take to get ready, and to begin a task that it was sent.
    pub start_timeout: Duration,
    /// Where goes what workers print and no task captures.
    pub output: WorkerOutput,
}

/// Where goes what a worker prints outside of tasks that capture it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum WorkerOutput {
    /// To the standard streams of this process, as it is.
    #[default]
    Inherit,
    /// Line by line to `tracing`, with the worker and the task: standard output as `INFO` under
    /// the target `outwork::stdout`, standard error as `WARN` under `outwork::stderr`.
    Log,
    /// Nowhere.
    Discard,
}

/// How many tasks are sent ahead at most.
const MAX_WINDOW: u32 = 128;

const MAX_PAYLOAD: usize = 256 * 1024 * 1024;

/// The length of a frame has 32 bits, and what is not payload needs some of it.
const MOST_PAYLOAD: usize = 1 << 31;

impl Default for ProcessPoolSettings {
    fn default() -> Self {
        Self {
            workers: None,
            limit: None,
            name: "processes".to_owned(),
            program: None,
            window: MAX_WINDOW,
            max_tasks_per_worker: None,
            soft_memory_limit: None,
            memory_limit: None,
            max_worker_losses: NonZeroU32::MIN.saturating_add(2),
            max_payload: MAX_PAYLOAD,
            start_timeout: Duration::from_secs(10),
            output: WorkerOutput::Inherit,
        }
    }
}

impl ProcessPoolSettings {
    pub(super) fn size(&self) -> usize {
        self.workers.unwrap_or_else(default_workers)
    }

    pub(super) fn check(&self) -> Result<(), BuildError> {
        check_workers("workers", self.size())?;
        check_common(&self.name, self.limit)?;
        let refused = |setting, value: String, reason: String| {
            Err(BuildError::InvalidSetting { setting, value, reason })
        };
        if !(1..=MAX_WINDOW).contains(&self.window) {
            let reason = format!("from 1 to {MAX_WINDOW} tasks can be sent ahead");
            return refused("window", self.window.to_string(), reason);
        }
        if !(1..=MOST_PAYLOAD).contains(&self.max_payload) {
            let reason = format!("from 1 to {MOST_PAYLOAD} bytes are possible");
            return refused("max_payload", self.max_payload.to_string(), reason);
        }
        if self.start_timeout.is_zero() {
            return Err(BuildError::zero("start_timeout"));
        }
        Ok(())
    }
}

/// Says what process pool it is to be.
#[derive(Debug)]
#[must_use = "a builder builds nothing until `build` is called"]
pub struct ProcessPoolBuilder {
    settings: ProcessPoolSettings,
    registry: Arc<Registry>,
    engine: EngineOptions,
}

impl Default for ProcessPoolBuilder {
    fn default() -> Self {
        Self::from_settings(ProcessPoolSettings::default())
    }
}

impl ProcessPoolBuilder {
    /// Starts from settings that stood in a configuration.
    pub fn from_settings(settings: ProcessPoolSettings) -> Self {
        let engine = EngineOptions::new(&settings.name);
        Self { settings, registry: Arc::default(), engine }
    }

    engine_setters!();

    /// Sets how many worker processes there are.
    pub const fn workers(mut self, workers: usize) -> Self {
        self.settings.workers = Some(workers);
        self
    }

    /// Sets how many tasks may be accepted and not ended.
    pub const fn limit(mut self, limit: NonZeroUsize) -> Self {
        self.settings.limit = Some(limit.get());
        self
    }

    /// Sets the program of the workers, which has to call [`worker_entry`](crate::worker_entry)
    /// with the same tasks; otherwise it is this very program.
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.settings.program = Some(program.into());
        self
    }

    /// Sets how many tasks a worker is sent ahead at most, from 1 to 128; otherwise 128.
    ///
    /// However many it may be, a task that takes longer than about a millisecond is not
    /// followed by others.
    pub const fn window(mut self, tasks: u32) -> Self {
        self.settings.window = tasks;
        self
    }

    /// Sets after how many tasks a worker is replaced; the fresh one is started first.
    pub const fn max_tasks_per_worker(mut self, tasks: NonZeroU64) -> Self {
        self.settings.max_tasks_per_worker = Some(tasks);
        self
    }

    /// Sets with how many bytes of memory a worker is replaced when its task has ended.
    pub const fn soft_memory_limit(mut self, bytes: NonZeroU64) -> Self {
        self.settings.soft_memory_limit = Some(bytes);
        self
    }

    /// Sets with how many bytes of memory a worker is killed; its task is then lost with
    /// [`LossReason::MemoryLimit`](outwork_core::LossReason::MemoryLimit).
    ///
    /// The memory is looked at ten times a second.
    pub const fn memory_limit(mut self, bytes: NonZeroU64) -> Self {
        self.settings.memory_limit = Some(bytes);
        self
    }

    /// Sets how many workers an idempotent task may lose before it ends as lost; otherwise 3.
    ///
    /// A task that is not idempotent is lost with its first worker.
    pub const fn max_worker_losses(mut self, losses: NonZeroU32) -> Self {
        self.settings.max_worker_losses = losses;
        self
    }

    /// Sets how many bytes arguments and results may have; otherwise 256 MiB.
    pub const fn max_payload(mut self, bytes: usize) -> Self {
        self.settings.max_payload = bytes;
        self
    }

    /// Sets how long a worker may take to get ready; otherwise 10 seconds.
    ///
    /// One that begins none of the tasks that it was sent for as long is given up too, as when
    /// it was stopped by a signal: another one runs them.
    pub const fn start_timeout(mut self, timeout: Duration) -> Self {
        self.settings.start_timeout = timeout;
        self
    }

    /// Sets where goes what workers print and no task captures; otherwise to the standard
    /// streams of this process.
    pub const fn output(mut self, output: WorkerOutput) -> Self {
        self.settings.output = output;
        self
    }

    /// Builds the pool and starts its workers, without waiting until they are ready.
    ///
    /// # Errors
    ///
    /// When a setting makes no sense, the program does not exist, the system refuses a thread,
    /// this process is a worker itself and did not call [`worker_entry`](crate::worker_entry),
    /// or the system is not Unix.
    pub fn build(self) -> Result<ProcessPool, BuildError> {
        let Self { settings, registry, engine } = self;
        settings.check()?;
        let limit = settings.limit.unwrap_or_else(|| default_limit(settings.size()));
        let options = engine.limit(limit).max_worker_losses(settings.max_worker_losses);
        ProcessPool::start(settings, registry, options)
    }
}
