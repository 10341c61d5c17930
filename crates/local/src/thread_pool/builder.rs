//! [`ThreadPoolBuilder`]: what pool it is to be.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use outwork_core::{
    BuildError, Registry,
    engine::{Engine, EngineOptions},
};
use serde::{Deserialize, Serialize};

use super::{ThreadBackend, ThreadPool};
use crate::settings::{
    check_common, check_workers, default_limit, default_workers, engine_setters,
};

/// The settings of a thread pool, as they stand in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ThreadPoolSettings {
    /// How many threads; without it, one for each CPU that this process may use.
    pub workers: Option<usize>,
    /// How many threads stay when there is nothing to do; without it, all.
    pub min_workers: Option<usize>,
    /// How long a thread above the minimum waits for work.
    pub keep_alive: Duration,
    /// How many tasks may be accepted and not ended; without it, 64 for each thread and at
    /// least 1024.
    pub limit: Option<usize>,
    /// The name of the pool, of which its threads have theirs.
    pub name: String,
}

impl Default for ThreadPoolSettings {
    fn default() -> Self {
        Self {
            workers: None,
            min_workers: None,
            keep_alive: Duration::from_secs(10),
            limit: None,
            name: "threads".to_owned(),
        }
    }
}

impl ThreadPoolSettings {
    pub(super) fn size(&self) -> usize {
        self.workers.unwrap_or_else(default_workers)
    }

    fn check(&self) -> Result<(), BuildError> {
        check_workers("workers", self.size())?;
        check_common(&self.name, self.limit)
    }
}

/// Says what thread pool it is to be.
#[derive(Debug)]
#[must_use = "a builder builds nothing until `build` is called"]
pub struct ThreadPoolBuilder {
    settings: ThreadPoolSettings,
    registry: Arc<Registry>,
    engine: EngineOptions,
}

impl Default for ThreadPoolBuilder {
    fn default() -> Self {
        Self::from_settings(ThreadPoolSettings::default())
    }
}

impl ThreadPoolBuilder {
    /// Starts from settings that stood in a configuration.
    pub fn from_settings(settings: ThreadPoolSettings) -> Self {
        let engine = EngineOptions::new(&settings.name);
        Self { settings, registry: Arc::default(), engine }
    }

    engine_setters!();

    /// Sets how many threads there are.
    pub const fn workers(mut self, workers: usize) -> Self {
        self.settings.workers = Some(workers);
        self
    }

    /// Sets how many threads stay when there is nothing to do; the others leave after
    /// [`keep_alive`](Self::keep_alive) and come back with the work.
    pub const fn min_workers(mut self, workers: usize) -> Self {
        self.settings.min_workers = Some(workers);
        self
    }

    /// Sets how long a thread above the minimum waits for work; otherwise 10 seconds.
    pub const fn keep_alive(mut self, keep_alive: Duration) -> Self {
        self.settings.keep_alive = keep_alive;
        self
    }

    /// Sets how many tasks and closures may be accepted and not ended.
    pub const fn limit(mut self, limit: NonZeroUsize) -> Self {
        self.settings.limit = Some(limit.get());
        self
    }

    /// Builds the pool and starts its threads.
    ///
    /// # Errors
    ///
    /// When a number is 0 or beyond reason, no thread can have the name, or the system refuses
    /// a thread.
    pub fn build(self) -> Result<ThreadPool, BuildError> {
        let Self { settings, registry, engine } = self;
        settings.check()?;
        let limit = settings.limit.unwrap_or_else(|| default_limit(settings.size()));
        let options = engine.limit(limit);
        let engine = Engine::build(registry, options, |pool| ThreadBackend::new(pool, settings))?;
        Ok(ThreadPool { engine })
    }
}
