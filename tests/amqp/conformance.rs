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
    Executor, ExecutorConfig,
    blocking::block_on,
    conformance::{Feature, Fixture, Report, Spec, checks, registry, run_some},
};
use outwork_local::{ThreadPool, ThreadPoolBuilder, ThreadPoolSettings};

use crate::support::Place;

/// Among how many threads the checks are shared: most of them wait.
const SHARES: usize = 4;

/// Workers whose executors may still be in use. Those of long ago are not.
const KEPT: usize = 24;

/// What a client cannot promise for the pool behind its workers, and what a thread pool cannot.
const CANNOT: &[&str] = &[
    "batch::a_batch_with_an_unknown_task_is_refused_whole",
    "capture::printed_lines_are_captured",
    "limits::a_late_result_is_dropped_and_counted",
    "order::a_higher_priority_goes_first",
    "outcome::a_crash_takes_only_its_own_task",
];

/// What is asked of an executor whose bodies can call it, or that writes a record itself.
const NOT_REMOTE: &[&str] = &["nesting::", "recorder::"];

/// The one of these whose bodies call nobody.
const CALLS_NOBODY: &str = "nesting::no_context_is_left_behind";

#[track_caller]
fn must_keep(fixture: &dyn Fixture) {
    let all = checks();
    let reports: Vec<Report> = thread::scope(|scope| {
        let share = |first: usize| {
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
    assert_eq!(skipped, expected.chain(CANNOT.iter().copied()).collect());
}

/// An executor in front of a worker, each pair with a queue of its own.
struct Cluster {
    place: Place,
    kind: QueueKind,
    number: AtomicU64,
    workers: Mutex<VecDeque<AmqpWorker>>,
}

impl Cluster {
    fn new(kind: QueueKind) -> Self {
        let (number, workers) = (AtomicU64::new(0), Mutex::default());
        Self { place: Place::new(), kind, number, workers }
    }

    fn queue(&self) -> QueueName {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        QueueName::new(&format!("c{number}")).unwrap()
    }

    fn start_worker(&self, queue: &QueueName, pool: Arc<dyn Executor>) {
        let worker = AmqpWorker::builder(self.place.options(), pool)
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

fn pool(spec: &Spec) -> ThreadPool {
    let settings =
        ThreadPoolSettings { workers: Some(spec.workers), ..ThreadPoolSettings::default() };
    let mut builder = ThreadPoolBuilder::from_settings(settings).registry(registry());
    if let Some(hooks) = &spec.hooks {
        builder = builder.hooks(Arc::clone(hooks));
    }
    if let Some(folder) = &spec.results_dir {
        builder = builder.results_dir(folder);
    }
    builder.build().unwrap()
}

impl Fixture for Cluster {
    fn build(&self, spec: &Spec) -> Arc<dyn Executor> {
        let queue = self.queue();
        self.start_worker(&queue, Arc::new(pool(spec)));
        let mut settings = AmqpSettings::default();
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
fn an_executor_over_quorum_queues_keeps_the_contract() {
    must_keep(&Cluster::new(QueueKind::Quorum));
}

#[test]
fn an_executor_over_classic_queues_keeps_the_contract() {
    must_keep(&Cluster::new(QueueKind::Classic));
}
