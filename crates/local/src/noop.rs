//! [`Noop`]: tasks that succeed without being run.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use outwork_core::{
    Capabilities, Codec, ExecutorConfig, Payload, Registry, delegate_executor,
    engine::{Attempt, Backend, Close, Engine, EngineOptions, WorkerToken},
};

/// Accepts tasks, runs none of them, and says that they succeeded.
///
/// For dry runs, and for measuring what everything around a task costs.
/// Results are the unit value, so only a call that expects none can read them.
#[derive(Debug)]
pub struct Noop {
    engine: Engine<NoopBackend>,
}

delegate_executor!(impl[] for Noop => engine);

impl Noop {
    /// An executor that runs none of these tasks.
    #[must_use]
    pub fn new(registry: impl Into<Arc<Registry>>) -> Self {
        let engine = Engine::build(registry.into(), EngineOptions::new("noop"), |executor| {
            let token = Mutex::new(Some(executor.token));
            Ok::<_, Infallible>(NoopBackend { worker: Arc::from("noop"), token })
        });
        let Ok(engine) = engine;
        Self { engine }
    }
}

#[derive(Debug)]
struct NoopBackend {
    worker: Arc<str>,
    token: Mutex<Option<WorkerToken>>,
}

impl Backend for NoopBackend {
    fn start(&self, attempt: Attempt) {
        if attempt.begin(&self.worker) {
            let nothing = match attempt.task().payload().codec() {
                Codec::Json => Payload::new(Codec::Json, "null"),
                codec => Payload::new(codec, vec![0xc0]),
            };
            attempt.finish_elsewhere(Ok(nothing));
        }
    }

    fn close(&self, _how: Close) {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(token);
    }

    fn workers(&self) -> usize {
        1
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::IN_PROCESS
    }

    fn config(&self) -> ExecutorConfig {
        ExecutorConfig::new("noop", &())
    }
}
