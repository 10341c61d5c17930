//! [`EventLoopPoolBuilder`]: what pool it is to be.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use outwork_core::{
    BuildError, Registry,
    engine::{Engine, EngineOptions},
};
use serde::{Deserialize, Serialize};

use super::{EventLoopPool, backend::LoopBackend};
use crate::settings::{
    check_common, check_workers, default_limit, default_workers, engine_setters,
};

/// The settings of an event-loop pool, as they stand in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventLoopSettings {
    /// How many loops; without it, one for each CPU that this process may use.
    pub loops: Option<usize>,
    /// How long one poll may last before new work is routed around its loop.
    pub stall_after: Duration,
    /// How long one poll may last before its loop gets another thread.
    pub replace_after: Duration,
    /// How many tasks may be accepted and not ended; without it, 64 for each loop and at
    /// least 1024.
    pub limit: Option<usize>,
    /// The name of the pool, of which its threads have theirs.
    pub name: String,
}

impl Default for EventLoopSettings {
    fn default() -> Self {
        Self {
            loops: None,
            stall_after: Duration::from_millis(250),
            replace_after: Duration::from_secs(5),
            limit: None,
            name: "loops".to_owned(),
        }
    }
}

impl EventLoopSettings {
    pub(super) fn size(&self) -> usize {
        self.loops.unwrap_or_else(default_workers)
    }

    fn check(&self) -> Result<(), BuildError> {
        check_workers("loops", self.size())?;
        check_common(&self.name, self.limit)
    }
}

/// Says what event-loop pool it is to be.
#[derive(Debug)]
#[must_use = "a builder builds nothing until `build` is called"]
pub struct EventLoopPoolBuilder {
    settings: EventLoopSettings,
    registry: Arc<Registry>,
    engine: EngineOptions,
    kind: &'static str,
}

impl Default for EventLoopPoolBuilder {
    fn default() -> Self {
        Self::from_settings(EventLoopSettings::default())
    }
}

impl EventLoopPoolBuilder {
    /// Starts from settings that stood in a configuration.
    pub fn from_settings(settings: EventLoopSettings) -> Self {
        let engine = EngineOptions::new(&settings.name);
        Self { settings, registry: Arc::default(), engine, kind: "event-loop-pool" }
    }

    engine_setters!();

    /// Sets the alias in the configuration of what is built.
    pub(crate) const fn kind(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    /// Sets how many loops there are.
    pub const fn loops(mut self, loops: usize) -> Self {
        self.settings.loops = Some(loops);
        self
    }

    /// Sets how many tasks and futures may be accepted and not ended.
    pub const fn limit(mut self, limit: NonZeroUsize) -> Self {
        self.settings.limit = Some(limit.get());
        self
    }

    /// Sets how long one poll may last before new work is routed around its loop;
    /// otherwise 250 milliseconds. It is seen at the latest after twice that.
    pub const fn stall_after(mut self, stall_after: Duration) -> Self {
        self.settings.stall_after = stall_after;
        self
    }

    /// Sets how long one poll may last before its loop gets another thread;
    /// otherwise 5 seconds.
    pub const fn replace_after(mut self, replace_after: Duration) -> Self {
        self.settings.replace_after = replace_after;
        self
    }

    /// Builds the pool and starts its loops.
    ///
    /// # Errors
    ///
    /// When a number is 0 or beyond reason, no thread can have the name, or the system refuses
    /// a thread or a descriptor.
    pub fn build(self) -> Result<EventLoopPool, BuildError> {
        let Self { settings, registry, engine, kind } = self;
        settings.check()?;
        let limit = settings.limit.unwrap_or_else(|| default_limit(settings.size()));
        let options = engine.limit(limit);
        let engine =
            Engine::build(registry, options, |pool| LoopBackend::new(pool, settings, kind))?;
        Ok(EventLoopPool { engine })
    }
}
