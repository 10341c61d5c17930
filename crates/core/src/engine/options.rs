//! [`EngineOptions`]: the settings that every local executor has.

use std::{
    fmt,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{Hooks, Recorder, Timer};

/// The settings that every executor on an [`Engine`](super::Engine) has.
#[derive(Clone)]
pub struct EngineOptions {
    pub(super) name: String,
    pub(super) limit: usize,
    pub(super) hooks: Option<Arc<dyn Hooks>>,
    pub(super) recorder: Option<Arc<dyn Recorder>>,
    pub(super) results_dir: PathBuf,
    pub(super) retain: usize,
    pub(super) max_worker_losses: Option<NonZeroU32>,
    pub(super) timer: Timer,
}

impl EngineOptions {
    /// Settings for an executor of that name: 1024 tasks in flight, no hooks, no recorder.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            limit: 1024,
            hooks: None,
            recorder: None,
            results_dir: PathBuf::from("."),
            retain: 1024,
            max_worker_losses: None,
            timer: Timer::shared(),
        }
    }

    /// Sets the name in job handles and logs.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets how many tasks may be accepted and not ended.
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Sets what is done around each attempt.
    #[must_use]
    pub fn hooks(mut self, hooks: Arc<dyn Hooks>) -> Self {
        self.hooks = Some(hooks);
        self
    }

    /// Sets where the life of each task is written down.
    #[must_use]
    pub fn recorder(mut self, recorder: Arc<dyn Recorder>) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// Sets where relative capture files lie; otherwise the working directory.
    #[must_use]
    pub fn results_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.results_dir = directory.as_ref().to_owned();
        self
    }

    /// Sets how many outcomes are kept for tasks whose address was asked for.
    #[must_use]
    pub const fn retain(mut self, outcomes: usize) -> Self {
        self.retain = outcomes;
        self
    }

    /// Sets how many workers an idempotent task may lose before it ends as lost, whatever its
    /// retry policy says; otherwise a lost worker is a failure like others.
    #[must_use]
    pub const fn max_worker_losses(mut self, losses: NonZeroU32) -> Self {
        self.max_worker_losses = Some(losses);
        self
    }

    /// Sets the timer, and with it the clock.
    #[must_use]
    pub fn timer(mut self, timer: Timer) -> Self {
        self.timer = timer;
        self
    }
}

impl fmt::Debug for EngineOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineOptions")
            .field("name", &self.name)
            .field("limit", &self.limit)
            .field("hooks", &self.hooks)
            .field("recorder", &self.recorder)
            .field("results_dir", &self.results_dir)
            .field("retain", &self.retain)
            .field("max_worker_losses", &self.max_worker_losses)
            .finish_non_exhaustive()
    }
}
