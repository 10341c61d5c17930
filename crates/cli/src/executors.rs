//! [`Executors`]: from `--executor SPEC` to an executor.

use std::{num::NonZeroUsize, sync::Arc};

use outwork_amqp::{AmqpExecutor, AmqpSettings};
use outwork_core::{
    BuildError, Executor, ExecutorConfig, ExecutorKinds, Registry, blocking::block_on,
};
use serde_json::{Value, json};

use crate::{
    args::ExecutorArgs,
    broker,
    config_file::ConfigFile,
    failure::{Failure, tell},
    logs, own_tasks,
    spec::ExecutorSpec,
};

#[cfg(test)]
mod tests;

/// Where tasks run when nobody says.
const DEFAULT: &str = "threads";

/// The kind of executor that hands tasks to other machines.
const AMQP: &str = "amqp";

/// The tasks that a pool has room for at the least.
const ROOM: usize = 1024;

/// How many tasks are in flight over AMQP when nobody says.
pub(crate) const REMOTE: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// Everything that decides what an executor is called and how it is built.
#[derive(Debug)]
pub(crate) struct Executors {
    file: ConfigFile,
    /// The aliases of the user's own kinds.
    own: Vec<String>,
    /// All kinds, the user's own in place of stock ones of the same alias.
    kinds: ExecutorKinds,
}

/// Where tasks are to run. Nothing is built or connected yet.
#[derive(Debug)]
pub(crate) struct Place {
    spec: ExecutorSpec,
    /// On other machines, with these settings.
    remote: Option<AmqpSettings>,
}

/// How many tasks the command wants to have in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) enum InFlight {
    /// As many as the pool has workers, and over AMQP as is usual there.
    PoolSize,
    /// So many here, and so many over AMQP.
    Usually { here: NonZeroUsize, remote: NonZeroUsize },
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

impl Place {
    /// Whether tasks leave this machine.
    pub(crate) fn is_remote(&self) -> bool {
        self.remote.is_some()
    }
}

impl InFlight {
    fn over_amqp(self) -> NonZeroUsize {
        match self {
            Self::PoolSize => REMOTE,
            Self::Usually { remote, .. } => remote,
            Self::Tasks(tasks) | Self::Running(tasks) => tasks,
        }
    }

    fn of_pool(self, workers: usize) -> NonZeroUsize {
        match self {
            Self::PoolSize => NonZeroUsize::new(workers).unwrap_or(NonZeroUsize::MIN),
            Self::Usually { here: tasks, .. } | Self::Tasks(tasks) | Self::Running(tasks) => tasks,
        }
    }

    /// What a pool has to have room for.
    fn limit(self) -> usize {
        match self {
            Self::PoolSize => ROOM,
            Self::Usually { here: tasks, .. } | Self::Tasks(tasks) | Self::Running(tasks) => {
                tasks.get().max(ROOM)
            }
        }
    }
}

impl Executors {
    pub(crate) fn new(file: ConfigFile, own: ExecutorKinds) -> Self {
        let aliases = own.aliases().map(str::to_owned).collect();
        let mut kinds = outwork_local::kinds();
        kinds.extend(own);
        Self { file, own: aliases, kinds }
    }

    /// The place that `--executor` names, else the configured one, else the default.
    pub(crate) fn place(&self, args: &ExecutorArgs) -> Result<Place, Failure> {
        let text = args.executor.as_deref().or(self.file.executor.as_deref()).unwrap_or(DEFAULT);
        let spec = self.parse(text)?;
        let mut remote = self.remote_settings(&spec)?;
        match (&mut remote, &args.queue.queue) {
            (Some(settings), Some(queue)) => settings.queue = queue.clone(),
            (None, Some(_)) => return Err(only_remote("--queue", &spec)),
            (None, None) if args.broker.url.is_some() => return Err(only_remote("--url", &spec)),
            (None, None) if args.broker.url_file.is_some() => {
                return Err(only_remote("--url-file", &spec));
            }
            (None, None) if args.broker.tls_ca.is_some() => {
                return Err(only_remote("--tls-ca", &spec));
            }
            _ => {}
        }
        Ok(Place { spec, remote })
    }

    /// What the configuration says besides.
    pub(crate) fn file(&self) -> &ConfigFile {
        &self.file
    }

    /// What a worker runs its tasks on: an executor of this process.
    pub(crate) fn worker_spec(
        &self,
        flag: Option<&str>,
        concurrency: Option<NonZeroUsize>,
    ) -> Result<ExecutorSpec, Failure> {
        let text = flag.or(self.file.executor.as_deref()).unwrap_or(DEFAULT);
        let spec = self.parse(text)?;
        if self.remote_settings(&spec)?.is_some() {
            return Err(Failure::usage_message(format!(
                "executor {spec} would hand the worker's tasks on to other workers: give \
                 --executor threads, processes, loops or background"
            )));
        }
        spec.sized(concurrency).map_err(Failure::usage)
    }

    /// The settings of an executor on other machines, if it is one.
    fn remote_settings(&self, spec: &ExecutorSpec) -> Result<Option<AmqpSettings>, Failure> {
        match spec {
            ExecutorSpec::Amqp if !self.is_own(AMQP) => Ok(Some(AmqpSettings::default())),
            ExecutorSpec::Alias(name) => match self.file.executors.get(name) {
                Some(config) if self.is_remote(config) => {
                    let settings = config.settings().map_err(|error| refused(spec, error))?;
                    Ok(Some(settings))
                }
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    fn is_own(&self, alias: &str) -> bool {
        self.own.iter().any(|own| own == alias)
    }

    fn is_remote(&self, config: &ExecutorConfig) -> bool {
        config.kind() == AMQP && !self.is_own(AMQP)
    }

    /// Builds the executor of a place, or connects to it.
    pub(crate) fn build(
        &self,
        place: Place,
        args: &ExecutorArgs,
        in_flight: InFlight,
        registry: Registry,
    ) -> Result<Chosen, Failure> {
        match place.remote {
            Some(settings) => self.connect(&place.spec, settings, args, in_flight),
            None => self.build_pool(&place.spec, in_flight, registry),
        }
    }

    fn connect(
        &self,
        spec: &ExecutorSpec,
        mut settings: AmqpSettings,
        args: &ExecutorArgs,
        in_flight: InFlight,
    ) -> Result<Chosen, Failure> {
        let options = broker::find(&args.broker, &self.file)?;
        logs::of_a_client();
        let in_flight = in_flight.over_amqp();
        settings.limit = settings.limit.max(in_flight.get());
        let queue = settings.queue.clone();
        let connecting = AmqpExecutor::builder(options).settings(settings).connect();
        let executor = block_on(connecting)?;
        if executor.status().workers == 0 {
            let queue = queue.as_str();
            tell(&format!("queue {queue:?} has no worker at the moment; its tasks wait for one"));
        }
        let (executor, spec) = (Arc::new(executor), spec.to_string());
        Ok(Chosen { executor, in_flight, at_hand: 0, spec })
    }

    /// Builds an executor of this process.
    pub(crate) fn build_pool(
        &self,
        spec: &ExecutorSpec,
        in_flight: InFlight,
        mut registry: Registry,
    ) -> Result<Chosen, Failure> {
        own_tasks::add(&mut registry).map_err(Failure::usage)?;
        let config = self.config(spec, in_flight);
        let executor = self.kinds.build(&config, registry.into());
        let executor = executor.map_err(|error| refused(spec, error))?;
        let workers = executor.status().workers;
        let in_flight = in_flight.of_pool(workers);
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

    /// Finds out whether a configuration can be used, without a broker.
    pub(crate) fn check(&self, config: &ExecutorConfig) -> Result<(), BuildError> {
        if self.is_remote(config) {
            return config.settings::<AmqpSettings>().map(drop);
        }
        self.kinds.build(config, Arc::default()).map(drop)
    }

    fn config(&self, spec: &ExecutorSpec, in_flight: InFlight) -> ExecutorConfig {
        let limit = in_flight.limit();
        let wanted = match in_flight {
            InFlight::Running(tasks) => Some(tasks),
            InFlight::PoolSize | InFlight::Usually { .. } | InFlight::Tasks(_) => None,
        };
        match spec {
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
            ExecutorSpec::Amqp => ExecutorConfig::new(AMQP, &Value::Null),
        }
    }
}

fn refused(spec: &ExecutorSpec, error: BuildError) -> Failure {
    Failure::usage(anyhow::Error::new(error).context(format!("executor {spec}")))
}

/// A flag that would be ignored.
fn only_remote(flag: &str, spec: &ExecutorSpec) -> Failure {
    Failure::usage_message(format!(
        "{flag} is for tasks on other machines, and executor {spec} runs them here: \
         add --executor amqp, or leave {flag} out"
    ))
}
