//! [`Fixture`]: how the suite gets the executors that it checks.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{Executor, ExecutorConfig, Hooks, Recorder, engine::EngineOptions};

/// How long a check waits for what has to happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Builds the executors that the suite checks.
pub trait Fixture: Sync {
    /// Builds an executor over [`registry`](super::registry()) that nobody else uses.
    ///
    /// # Panics
    ///
    /// When it cannot be built: the check is then broken.
    fn build(&self, spec: &Spec) -> Arc<dyn Executor>;

    /// Whether [`build`](Self::build) heeds this part of a [`Spec`].
    fn supports(&self, feature: Feature) -> bool {
        let _ = feature;
        true
    }

    /// Builds an executor from what [`Executor::config`] gave; `None` where that is not to be
    /// checked.
    fn rebuild(&self, config: &ExecutorConfig) -> Option<Arc<dyn Executor>> {
        let _ = config;
        None
    }

    /// How long a check waits for what has to happen.
    fn patience(&self) -> Duration {
        PATIENCE
    }
}

/// What a fixture need not be able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Feature {
    /// `Spec::workers` beyond 1: without it there is always one.
    Workers,
    /// `Spec::limit`.
    Limit,
    /// `Spec::hooks`.
    Hooks,
    /// `Spec::recorder`.
    Recorder,
    /// `Spec::results_dir`.
    ResultsDir,
    /// `Spec::retain`.
    Retain,
    /// Bodies run in this process and can call the executor that runs them.
    Nesting,
}

/// What executor a check needs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Spec {
    /// How many synchronous bodies run beside each other, no more and no fewer, where the
    /// executor runs them beside each other at all.
    pub workers: usize,
    /// How many tasks may be accepted and not ended; without it, at least 256.
    pub limit: Option<usize>,
    /// What is done around each attempt.
    pub hooks: Option<Arc<dyn Hooks>>,
    /// Where the life of each task is written down.
    pub recorder: Option<Arc<dyn Recorder>>,
    /// Where relative capture files lie.
    pub results_dir: Option<PathBuf>,
    /// How many outcomes are kept for tasks whose address was asked for.
    pub retain: Option<usize>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            workers: 2,
            limit: None,
            hooks: None,
            recorder: None,
            results_dir: None,
            retain: None,
        }
    }
}

impl Spec {
    /// The part of it that an [`Engine`](crate::engine::Engine) takes.
    #[must_use]
    pub fn engine_options(&self, name: impl Into<String>) -> EngineOptions {
        let mut options = EngineOptions::new(name);
        if let Some(limit) = self.limit {
            options = options.limit(limit);
        }
        if let Some(hooks) = &self.hooks {
            options = options.hooks(Arc::clone(hooks));
        }
        if let Some(recorder) = &self.recorder {
            options = options.recorder(Arc::clone(recorder));
        }
        if let Some(folder) = &self.results_dir {
            options = options.results_dir(folder);
        }
        if let Some(outcomes) = self.retain {
            options = options.retain(outcomes);
        }
        options
    }

    pub(super) fn features(&self) -> impl Iterator<Item = Feature> {
        [
            self.limit.map(|_| Feature::Limit),
            self.hooks.as_ref().map(|_| Feature::Hooks),
            self.recorder.as_ref().map(|_| Feature::Recorder),
            self.results_dir.as_ref().map(|_| Feature::ResultsDir),
            self.retain.map(|_| Feature::Retain),
        ]
        .into_iter()
        .flatten()
    }

    pub(super) const fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    pub(super) const fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    pub(super) fn hooks(mut self, hooks: Arc<dyn Hooks>) -> Self {
        self.hooks = Some(hooks);
        self
    }

    pub(super) fn recorder(mut self, recorder: Arc<dyn Recorder>) -> Self {
        self.recorder = Some(recorder);
        self
    }

    pub(super) fn results_dir(mut self, folder: PathBuf) -> Self {
        self.results_dir = Some(folder);
        self
    }

    pub(super) const fn retain(mut self, outcomes: usize) -> Self {
        self.retain = Some(outcomes);
        self
    }
}
