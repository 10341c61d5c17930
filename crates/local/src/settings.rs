//! What the builders of all pools share.

use std::thread::available_parallelism;

use outwork_core::BuildError;

/// More threads than any system gives to one process; a setting above it is a mistake.
const MAX_WORKERS: usize = 1 << 16;

/// One worker for each CPU that this process may use, by its affinity and its cgroup.
pub(crate) fn default_workers() -> usize {
    available_parallelism().map_or(1, Into::into)
}

/// How many tasks may be in flight where nobody says: enough to keep the workers busy,
/// little enough to bound the memory.
pub(crate) fn default_limit(workers: usize) -> usize {
    workers.saturating_mul(64).max(1024)
}

/// Refuses a number of workers that no pool can have.
pub(crate) fn check_workers(setting: &'static str, workers: usize) -> Result<(), BuildError> {
    match workers {
        0 => Err(BuildError::zero(setting)),
        1..=MAX_WORKERS => Ok(()),
        _ => Err(BuildError::InvalidSetting {
            setting,
            value: workers.to_string(),
            reason: format!("at most {MAX_WORKERS} make sense"),
        }),
    }
}

/// Refuses what no pool can have, whatever its workers are.
pub(crate) fn check_common(name: &str, limit: Option<usize>) -> Result<(), BuildError> {
    if limit == Some(0) {
        return Err(BuildError::zero("limit"));
    }
    if name.contains('\0') {
        return Err(BuildError::InvalidSetting {
            setting: "name",
            value: format!("{name:?}"),
            reason: "the name of a thread cannot have a NUL in it".to_owned(),
        });
    }
    Ok(())
}

/// The setters that every builder has, over its fields `settings`, `registry` and `engine`.
macro_rules! engine_setters {
    () => {
        /// Sets the tasks that can be run by name.
        pub fn registry(
            mut self,
            registry: impl Into<std::sync::Arc<outwork_core::Registry>>,
        ) -> Self {
            self.registry = registry.into();
            self
        }

        /// Sets the name in handles, logs and threads.
        pub fn name(mut self, name: impl Into<String>) -> Self {
            self.settings.name = name.into();
            self.engine = self.engine.name(&self.settings.name);
            self
        }

        /// Sets what is done around each attempt.
        pub fn hooks(mut self, hooks: std::sync::Arc<dyn outwork_core::Hooks>) -> Self {
            self.engine = self.engine.hooks(hooks);
            self
        }

        /// Sets where the life of each task is written down.
        pub fn recorder(mut self, recorder: std::sync::Arc<dyn outwork_core::Recorder>) -> Self {
            self.engine = self.engine.recorder(recorder);
            self
        }

        /// Sets where relative capture files lie; otherwise the working directory.
        pub fn results_dir(mut self, directory: impl AsRef<std::path::Path>) -> Self {
            self.engine = self.engine.results_dir(directory);
            self
        }

        /// Sets how many outcomes are kept for tasks whose address was asked for.
        pub fn retain(mut self, outcomes: usize) -> Self {
            self.engine = self.engine.retain(outcomes);
            self
        }

        /// Sets the timer, and with it the clock.
        pub fn timer(mut self, timer: outwork_core::Timer) -> Self {
            self.engine = self.engine.timer(timer);
            self
        }
    };
}

pub(crate) use engine_setters;
