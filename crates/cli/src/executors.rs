//! [`Executors`]: from `--executor SPEC` to an executor.

use std::{num::NonZeroUsize, sync::Arc};

use outwork_core::{BuildError, Executor, ExecutorConfig, ExecutorKinds, Registry};
use serde_json::{Value, json};

use crate::{config_file::ConfigFile, failure::Failure, own_tasks, spec::ExecutorSpec};

/// Where tasks run when nobody says.
const DEFAULT: &str = "threads";

/// The tasks that a pool has room for at the least.
const ROOM: usize = 1024;

/// Everything that decides what an executor is called and how it is built.
#[derive(Debug)]
pub(crate) struct Executors {
    file: ConfigFile,
    /// The aliases of the user's own kinds.
    own: Vec<String>,
    /// All kinds, the user's own in place of stock ones of the same alias.
    kinds: ExecutorKinds,
}

/// How many tasks the command wants to have in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) enum InFlight {
    /// As many as the pool has workers.
    PoolSize,
    /// So many, whatever the pool's size.
    Tasks(NonZeroUsize),
    /// So many running at once: a thread or process pool without a size of its own gets that one.
    Running(NonZeroUsize),
}

/// An executor, and how many tasks are to be in flight.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) in_flight: NonZeroUsize,
    /// How many more may wait in the executor while no more than `in_flight` run: with its next
    /// task at hand, a thread need not wait for us.
    pub(crate) at_hand: usize,
    /// As it was asked for.
    pub(crate) spec: String,
}

impl Executors {
    pub(crate) fn new(file: ConfigFile, own: ExecutorKinds) -> Self {
        let aliases = own.aliases().map(str::to_owned).collect();
        let mut kinds = outwork_local::kinds();
        kinds.extend(own);
        Self { file, own: aliases, kinds }
    }

    /// Builds the executor that `--executor` names, else the configured one, else the default.
    pub(crate) fn build(
        &self,
        flag: Option<&str>,
        in_flight: InFlight,
        mut registry: Registry,
    ) -> Result<Chosen, Failure> {
        own_tasks::add(&mut registry).map_err(Failure::usage)?;
        let text = flag.or(self.file.executor.as_deref()).unwrap_or(DEFAULT);
        let spec = self.parse(text)?;
        let config = self.config(&spec, in_flight)?;
        let executor = self.build_config(&config, registry.into()).map_err(|error| {
            Failure::usage(anyhow::Error::new(error).context(format!("executor {spec}")))
        })?;
        let workers = executor.status().workers;
        let in_flight = match in_flight {
            InFlight::PoolSize => NonZeroUsize::new(workers).unwrap_or(NonZeroUsize::MIN),
            InFlight::Tasks(tasks) | InFlight::Running(tasks) => tasks,
        };
        let runs_one_each = matches!(spec, ExecutorSpec::Threads(_)) && workers <= in_flight.get();
        let at_hand = if runs_one_each { workers } else { 0 };
        Ok(Chosen { executor, in_flight, at_hand, spec: spec.to_string() })
    }

    /// Reads a SPEC, which may also be a kind of the user's own.
    pub(crate) fn parse(&self, text: &str) -> Result<ExecutorSpec, Failure> {
        let configured = self.file.executors.keys().map(String::as_str);
        let own = self.own.iter().map(String::as_str);
        let aliases: Vec<_> = configured.chain(own).collect();
        ExecutorSpec::parse(text, &aliases).map_err(Failure::usage)
    }

    /// Builds what a configuration describes.
    pub(crate) fn build_config(
        &self,
        config: &ExecutorConfig,
        registry: Arc<Registry>,
    ) -> Result<Arc<dyn Executor>, BuildError> {
        self.kinds.build(config, registry)
    }

    fn config(&self, spec: &ExecutorSpec, in_flight: InFlight) -> Result<ExecutorConfig, Failure> {
        let (limit, wanted) = match in_flight {
            InFlight::PoolSize => (ROOM, None),
            InFlight::Tasks(tasks) => (tasks.get().max(ROOM), None),
            InFlight::Running(tasks) => (tasks.get().max(ROOM), Some(tasks)),
        };
        Ok(match spec {
            ExecutorSpec::Inline => ExecutorConfig::new("inline", &Value::Null),
            ExecutorSpec::Threads(size) => {
                let workers = size.or(wanted);
                ExecutorConfig::new("threads", &json!({ "workers": workers, "limit": limit }))
            }
            ExecutorSpec::Processes(size) => {
                let workers = size.or(wanted);
                ExecutorConfig::new("processes", &json!({ "workers": workers, "limit": limit }))
            }
            ExecutorSpec::Loops(loops) => {
                ExecutorConfig::new("loops", &json!({ "loops": loops, "limit": limit }))
            }
            ExecutorSpec::Background => {
                ExecutorConfig::new("background", &json!({ "limit": limit }))
            }
            ExecutorSpec::Alias(name) => match self.file.executors.get(name) {
                Some(config) => config.clone(),
                None => ExecutorConfig::new(name, &Value::Null),
            },
            ExecutorSpec::Amqp => {
                return Err(Failure::usage_message(format!(
                    "executor {spec} is not in this build yet; \
                     use inline, threads, processes, loops or background"
                )));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use outwork_local::Inline;

    use super::*;

    fn executors(config: &str) -> Executors {
        let mut own = ExecutorKinds::new();
        own.add("mine", |_, registry| Ok(Arc::new(Inline::new(registry)))).unwrap();
        Executors::new(toml::from_str(config).unwrap(), own)
    }

    #[track_caller]
    fn check(config: &str, flag: Option<&str>, in_flight: InFlight, kind: &str, tasks: usize) {
        let chosen = executors(config).build(flag, in_flight, Registry::new()).unwrap();
        let got = (chosen.executor.config().kind().to_owned(), chosen.in_flight.get());
        assert_eq!(got, (kind.to_owned(), tasks));
    }

    #[test]
    fn the_flag_wins_over_the_configuration_and_that_over_the_default() {
        let threads = executors("").build(None, InFlight::PoolSize, Registry::new()).unwrap();
        assert_eq!(threads.executor.config().kind(), "thread-pool");
        let config = "executor = 'x'\n[executors.x]\nkind = 'loops'\nsettings = { loops = 3 }";
        check(config, None, InFlight::PoolSize, "event-loop-pool", 3);
        check(config, Some("inline"), InFlight::PoolSize, "inline", 1);
    }

    #[test]
    fn a_kind_of_the_users_own_is_a_name_and_a_kind_in_the_configuration() {
        check("", Some("mine"), InFlight::PoolSize, "inline", 1);
        check("[executors.x]\nkind = 'mine'", Some("x"), InFlight::PoolSize, "inline", 1);
    }

    #[test]
    fn a_thread_pool_without_a_size_has_a_thread_for_each_that_is_to_run() {
        let seven = NonZeroUsize::new(7).unwrap();
        let workers = |flag, in_flight| {
            let chosen = executors("").build(Some(flag), in_flight, Registry::new()).unwrap();
            chosen.executor.status().workers
        };
        assert_eq!(workers("threads", InFlight::Running(seven)), 7);
        assert_eq!(workers("threads:2", InFlight::Running(seven)), 2);
    }
}
