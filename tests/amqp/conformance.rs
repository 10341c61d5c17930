//! The contract of `outwork-core`, held against the executor in front of a worker.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use outwork_amqp::{AmqpExecutor, AmqpSettings, AmqpWorker, QueueKind, QueueName};
use outwork_core::{
    Capabilities, Executor, ExecutorConfig,
    blocking::block_on,
    conformance::{Feature, Fixture, Report, Spec, checks, registry, run_some},
};
use outwork_local::{EventLoopPool, ProcessPool, ThreadPool};

use crate::support::{Place, tasks};

/// Among how many threads the checks are shared: most of them wait.
const SHARES: usize = 4;

/// Workers whose executors may still be in use. Those of long ago are not.
const KEPT: usize = 24;

/// What a client cannot promise, whatever pool is behind its workers: it does not know what they
/// have registered, a late result is counted by the pool that gave its body up, and the queues
/// of RabbitMQ 3.10 have no priorities.
const CANNOT: &[&str] = &[
    "batch::a_batch_with_an_unknown_task_is_refused_whole",
    "limits::a_late_result_is_dropped_and_counted",
    "order::a_higher_priority_goes_first",
];

/// What needs a process for each body.
const NEED_PROCESSES: &[&str] =
    &["capture::printed_lines_are_captured", "outcome::a_crash_takes_only_its_own_task"];

/// What is asked of an executor whose bodies can call it, or that writes a record itself.
const NOT_REMOTE: &[&str] = &["nesting::", "recorder::"];

/// The one of these whose bodies call nobody.
const CALLS_NOBODY: &str = "nesting::no_context_is_left_behind";

#[track_caller]
fn must_keep(fixture: &Cluster) {
    let all = checks();
    let reports: Vec<Report> = thread::scope(|scope| {
        let share = |first: usize| {
            let fixture: &dyn Fixture = fixture;
            let names: Vec<_> = all.iter().skip(first).step_by(SHARES).map(|c| c.name).collect();
            scope.spawn(move || run_some(fixture, |check| names.contains(&check.name)))
        };
        let running: Vec<_> = (0..SHARES).map(share).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let text: String = reports.iter().map(ToString::to_string).collect();
    println!("{text}");
    assert!(reports.iter().all(Report::is_kept), "{text}");
    let skipped: BTreeSet<_> = reports.iter().flat_map(Report::skipped).collect();
    let left_out = |name: &&str| {
        NOT_REMOTE.iter().any(|theme| name.starts_with(theme)) && *name != CALLS_NOBODY
    };
    let expected = all.iter().map(|check| check.name).filter(left_out);
    let cannot = match fixture.pool {
        Pool::Processes => &[],
        Pool::Threads | Pool::Loops => NEED_PROCESSES,
    };
    let expected = expected.chain(CANNOT.iter().copied()).chain(cannot.iter().copied());
    assert_eq!(skipped, expected.collect());
}

/// An executor in front of a worker, each pair with a queue of its own.
struct Cluster {
    place: Place,
    kind: QueueKind,
    pool: Pool,
    number: AtomicU64,
    workers: Mutex<VecDeque<AmqpWorker>>,
}

/// What the worker runs its tasks on.
#[derive(Debug, Clone, Copy)]
enum Pool {
    Threads,
    Processes,
    Loops,
}

impl Cluster {
    fn new(kind: QueueKind, pool: Pool) -> Self {
        let (number, workers) = (AtomicU64::new(0), Mutex::default());
        Self { place: Place::new(), kind, pool, number, workers }
    }

    fn queue(&self) -> QueueName {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        QueueName::new(&format!("c{number}")).unwrap()
    }

    fn start_worker(&self, queue: &QueueName, pool: Arc<dyn Executor>) {
        let worker = AmqpWorker::builder(self.place.options(), pool)
            .shares_files()
            .queue(queue.clone())
            .queue_kind(self.kind);
        let worker = block_on(worker.start()).unwrap();
        let mut workers = self.workers.lock().unwrap();
        workers.push_back(worker);
        let old = if workers.len() > KEPT { workers.pop_front() } else { None };
        drop(workers);
        drop(old);
    }

    fn connect(&self, settings: AmqpSettings) -> Arc<dyn Executor> {
        let executor = AmqpExecutor::builder(self.place.options()).settings(settings);
        Arc::new(block_on(executor.connect()).unwrap())
    }
}

/// Applies the parts of a spec that every builder has a setter for.
macro_rules! with_spec {
    ($builder:expr, $spec:expr) => {{
        let mut builder = $builder;
        if let Some(hooks) = &$spec.hooks {
            builder = builder.hooks(Arc::clone(hooks));
        }
        if let Some(folder) = &$spec.results_dir {
            builder = builder.results_dir(folder);
        }
        Arc::new(builder.build().unwrap())
    }};
}

impl Pool {
    fn build(self, spec: &Spec) -> Arc<dyn Executor> {
        let workers = spec.workers;
        match self {
            Self::Threads => {
                with_spec!(ThreadPool::builder().workers(workers).registry(registry()), spec)
            }
            Self::Loops => {
                with_spec!(EventLoopPool::builder().loops(workers).registry(registry()), spec)
            }
            Self::Processes => {
                let builder = ProcessPool::builder().program(env!("CARGO_BIN_EXE_child"));
                with_spec!(builder.workers(workers).registry(tasks::registry()), spec)
            }
        }
    }

    /// What the client is told of it.
    fn capabilities(self, pool: &dyn Executor) -> Capabilities {
        let mut capabilities = pool.capabilities();
        capabilities.outlives_caller = true;
        capabilities.priorities = false;
        capabilities
    }
}

impl Fixture for Cluster {
    fn build(&self, spec: &Spec) -> Arc<dyn Executor> {
        let queue = self.queue();
        let pool = self.pool.build(spec);
        let mut settings = AmqpSettings::default();
        settings.workers = self.pool.capabilities(&*pool);
        settings.shares_files = true;
        self.start_worker(&queue, pool);
        settings.queue = queue;
        settings.limit = spec.limit.unwrap_or(settings.limit);
        settings.retain = spec.retain.unwrap_or(settings.retain);
        self.connect(settings)
    }

    fn supports(&self, feature: Feature) -> bool {
        // The recorder of a worker's pool sees single attempts, and bodies on other machines
        // have no executor to call.
        !matches!(feature, Feature::Recorder | Feature::Nesting)
    }

    fn rebuild(&self, config: &ExecutorConfig) -> Option<Arc<dyn Executor>> {
        Some(self.connect(config.settings().unwrap()))
    }
}

#[test]
fn threads_behind_quorum_queues_keep_the_contract() {
    must_keep(&Cluster::new(QueueKind::Quorum, Pool::Threads));
}

#[test]
fn threads_behind_classic_queues_keep_the_contract() {
    must_keep(&Cluster::new(QueueKind::Classic, Pool::Threads));
}

#[test]
fn processes_behind_quorum_queues_keep_the_contract() {
    must_keep(&Cluster::new(QueueKind::Quorum, Pool::Processes));
}

#[test]
fn processes_behind_classic_queues_keep_the_contract() {
    must_keep(&Cluster::new(QueueKind::Classic, Pool::Processes));
}

#[test]
fn loops_behind_quorum_queues_keep_the_contract() {
    must_keep(&Cluster::new(QueueKind::Quorum, Pool::Loops));
}

#[test]
fn loops_behind_classic_queues_keep_the_contract() {
    must_keep(&Cluster::new(QueueKind::Classic, Pool::Loops));
}
