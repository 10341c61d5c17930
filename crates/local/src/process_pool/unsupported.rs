//! What stands in for the pool where there are no Unix processes.

use std::{convert::Infallible, sync::Arc};

use outwork_core::{
    BuildError, Capabilities, ExecutorConfig, Registry,
    engine::{Attempt, Backend, Close, EngineOptions},
};

use super::{ProcessPool, WorkerHealth, builder::ProcessPoolSettings};

/// There is none.
#[derive(Debug)]
pub(crate) struct ProcessBackend(Infallible);

impl Backend for ProcessBackend {
    fn start(&self, _attempt: Attempt) {
        match self.0 {}
    }

    fn close(&self, _how: Close) {
        match self.0 {}
    }

    fn workers(&self) -> usize {
        match self.0 {}
    }

    fn capabilities(&self) -> Capabilities {
        match self.0 {}
    }

    fn config(&self) -> ExecutorConfig {
        match self.0 {}
    }
}

impl ProcessPool {
    pub(super) fn start(
        _settings: ProcessPoolSettings,
        _registry: Arc<Registry>,
        _options: EngineOptions,
    ) -> Result<Self, BuildError> {
        Err(BuildError::System {
            what: "a process pool".to_owned(),
            message: "it needs Unix; a thread pool runs the same tasks".to_owned(),
        })
    }
}

impl ProcessPool {
    /// Whether its workers are there, and if not, why.
    #[must_use]
    pub fn health(&self) -> WorkerHealth {
        match self.engine.backend().0 {}
    }
}

/// Does nothing: no pool starts workers on this system.
pub fn worker_entry(_registry: &Registry) {}

/// Never: no pool starts workers on this system.
#[must_use]
pub fn is_worker() -> bool {
    false
}
