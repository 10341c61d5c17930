//! [`ProcessBackend`]: the pool as the engine sees it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use outwork_core::{
    BodyKind, BoxFuture, BuildError, Capabilities, ExecutorConfig, Refusal, Registered, Registry,
    StopLevel, Stopping, SubmitErrorKind, Task,
    engine::{Attempt, AttemptKey, Backend, Close, Recall, Surroundings},
};

use super::{
    builder::ProcessPoolSettings,
    child::{DEPTH_LIMIT, depth, is_unentered_worker},
    health::WorkerHealth,
    parent::{Pool, Program},
};
use crate::runtime;

/// How long a task has that is asked to stop, before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// How long after its grace a task may take before its worker is killed in any case.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a task has, at the deadline of a shutdown, to stop and be heard.
const LAST_GRACE: Duration = Duration::from_millis(100);

/// Metadata and paths that go with a task.
const EXTRAS: usize = 512 * 1024;

/// Child processes, and what waits for them.
#[derive(Debug)]
pub(crate) struct ProcessBackend {
    pool: Arc<Pool>,
}

impl ProcessBackend {
    pub(super) fn new(
        engine: Surroundings,
        settings: ProcessPoolSettings,
        registry: &Registry,
    ) -> Result<Self, BuildError> {
        check_depth()?;
        let program = match &settings.program {
            None => Program::own()?,
            Some(path) => Program::named(path)?,
        };
        let pool = Pool::start(settings, program, registry, engine.token)?;
        Ok(Self { pool })
    }

    pub(super) fn health(&self) -> WorkerHealth {
        self.pool.health()
    }
}

/// Refuses a pool whose workers would start pools without end.
fn check_depth() -> Result<(), BuildError> {
    let refused = |reason: &str| {
        let value = depth().to_string();
        Err(BuildError::InvalidSetting { setting: "depth", value, reason: reason.to_owned() })
    };
    if is_unentered_worker() {
        return refused(
            "this process is a worker of a pool that did not call `worker_entry`: call it first \
             in `main`",
        );
    }
    if depth() >= DEPTH_LIMIT {
        return refused("pools can be in workers of pools, but no deeper");
    }
    Ok(())
}

impl Backend for ProcessBackend {
    fn start(&self, attempt: Attempt) {
        self.pool.push(attempt);
    }

    fn check(&self, task: &Task, _registered: &Registered) -> Result<(), Refusal> {
        let too_large = |what: &str, bytes: usize, most: usize| {
            let message =
                format!("{what} of {} has {bytes} bytes, and {most} can be sent", task.name());
            Err(Refusal::new(SubmitErrorKind::TooLarge, message))
        };
        let (bytes, most) = (task.payload().len(), self.pool.settings.max_payload);
        if bytes > most {
            return too_large("the payload", bytes, most);
        }
        let metadata: usize =
            task.metadata().iter().map(|(key, value)| key.len() + value.len()).sum();
        let folder = task
            .options()
            .cache_dir
            .as_ref()
            .map_or(0, |folder: &PathBuf| folder.as_os_str().len());
        if metadata + folder > EXTRAS {
            return too_large("the metadata", metadata + folder, EXTRAS);
        }
        Ok(())
    }

    fn recall(&self, key: AttemptKey, _why: Recall) {
        self.pool.recall(key);
    }

    fn stop(&self, key: AttemptKey, level: StopLevel) {
        self.pool.stop(key, level);
    }

    fn default_grace(&self, kind: BodyKind) -> Duration {
        match kind {
            BodyKind::Async => Duration::ZERO,
            BodyKind::Sync | BodyKind::Command => GRACE,
        }
    }

    fn patience(&self, _kind: BodyKind) -> Duration {
        PATIENCE
    }

    /// The end of a process has to be awaited, and heard of.
    fn last_grace(&self) -> Duration {
        LAST_GRACE
    }

    /// Nothing has to be given up here: what does not stop is killed, and its end awaited.
    fn abandon(&self, key: AttemptKey) -> bool {
        self.pool.kill_at(key);
        false
    }

    fn drive(&self, future: BoxFuture<'static, ()>) {
        runtime::drive(future);
    }

    fn close(&self, how: Close) {
        self.pool.close(how);
    }

    fn workers(&self) -> usize {
        self.pool.workers()
    }

    fn is_broken(&self) -> bool {
        matches!(self.health(), WorkerHealth::Broken { .. })
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::IN_PROCESS;
        capabilities.stop_sync = Stopping::Enforced;
        capabilities.isolates_crash = true;
        capabilities.captures_descriptors = true;
        capabilities
    }

    fn config(&self) -> ExecutorConfig {
        let mut settings = self.pool.settings.clone();
        settings.workers = Some(settings.size());
        ExecutorConfig::new("process-pool", &settings)
    }
}
