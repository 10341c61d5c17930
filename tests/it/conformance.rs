//! The contract of `outwork-core`, held against every executor.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use outwork_core::{
    Executor, ExecutorConfig,
    conformance::{Feature, Fixture, Report, Spec, checks, registry, run_some},
};
use outwork_local::{
    BackgroundLoop, EventLoopPool, EventLoopPoolBuilder, EventLoopSettings, Inline, InlineBuilder,
    InlineSettings, ProcessPoolBuilder, ProcessPoolSettings, ThreadPool, ThreadPoolBuilder,
    ThreadPoolSettings, kinds,
};

use crate::support::tasks;

#[path = "../../crates/local/examples/custom_executor.rs"]
mod custom_executor;

/// Among how many threads the checks of one executor are shared: most of them wait.
const SHARES: usize = 4;

/// What needs a process for each worker.
const NEED_PROCESSES: &[&str] =
    &["capture::printed_lines_are_captured", "outcome::a_crash_takes_only_its_own_task"];

/// What needs bodies in this process, which can call their executor.
const NEED_ONE_PROCESS: &[&str] = &[
    "nesting::a_sync_body_can_wait_for_another_task",
    "nesting::a_task_can_stop_its_own_executor",
    "nesting::a_task_can_submit_to_its_own_full_executor",
    "nesting::an_async_body_can_await_another_task",
    "nesting::an_async_body_that_blocks_is_not_stuck",
    "nesting::calls_can_be_nested_deeply",
    "nesting::every_question_can_be_asked_from_a_task",
    "nesting::every_task_sees_its_own_context",
];

/// What needs bodies that outlive their tasks.
const NEED_NO_KILL: &[&str] = &["limits::a_late_result_is_dropped_and_counted"];

/// What needs a queue that is not first come, first served.
const NEED_PRIORITIES: &[&str] = &["order::a_higher_priority_goes_first"];

/// What needs two workers.
const NEED_COMPANY: &[&str] = &[
    "capture::the_output_of_two_tasks_is_never_mixed",
    "events::tasks_beside_each_other_are_each_told_in_order",
    "handle::waiting_for_many_stops_none",
    "order::tasks_run_beside_each_other",
    "streams::a_slow_input_keeps_its_place",
    "streams::all_tasks_have_one_limit",
    "streams::dropping_a_map_cancels_the_rest",
    "streams::dropping_run_multiple_cancels_the_rest",
    "streams::each_task_has_its_limit",
    "streams::ends_come_as_they_happen",
];

/// Holds an executor to everything but what it cannot do: these checks, and no others.
#[track_caller]
fn must_keep_all_but(cannot: &[&[&str]], fixture: &dyn Fixture) {
    let reports = must_keep(fixture);
    let skipped: BTreeSet<_> = reports.iter().flat_map(Report::skipped).collect();
    assert_eq!(skipped, cannot.iter().copied().flatten().copied().collect());
}

/// Holds an executor to everything that it says it can do.
#[track_caller]
fn must_keep(fixture: &dyn Fixture) -> Vec<Report> {
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
    reports
}

fn name() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    format!("pool-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Applies the parts of a spec that every builder has a setter for.
macro_rules! with_spec {
    ($builder:expr, $spec:expr) => {{
        let mut builder = $builder.registry(registry());
        if let Some(hooks) = &$spec.hooks {
            builder = builder.hooks(Arc::clone(hooks));
        }
        if let Some(recorder) = &$spec.recorder {
            builder = builder.recorder(Arc::clone(recorder));
        }
        if let Some(folder) = &$spec.results_dir {
            builder = builder.results_dir(folder);
        }
        if let Some(outcomes) = $spec.retain {
            builder = builder.retain(outcomes);
        }
        builder
    }};
}

fn rebuild(config: &ExecutorConfig) -> Option<Arc<dyn Executor>> {
    Some(kinds().build(config, Arc::new(registry())).unwrap())
}

struct Threads;

impl Fixture for Threads {
    fn build(&self, spec: &Spec) -> Arc<dyn Executor> {
        let settings = ThreadPoolSettings {
            workers: Some(spec.workers),
            limit: spec.limit,
            name: name(),
            ..ThreadPoolSettings::default()
        };
        let builder = ThreadPoolBuilder::from_settings(settings);
        let pool: ThreadPool = with_spec!(builder, spec).build().unwrap();
        Arc::new(pool)
    }

    fn rebuild(&self, config: &ExecutorConfig) -> Option<Arc<dyn Executor>> {
        rebuild(config)
    }
}

struct Processes;

impl Fixture for Processes {
    fn build(&self, spec: &Spec) -> Arc<dyn Executor> {
        let settings = ProcessPoolSettings {
            workers: Some(spec.workers),
            limit: spec.limit,
            name: name(),
            program: Some(env!("CARGO_BIN_EXE_child").into()),
            ..ProcessPoolSettings::default()
        };
        let builder = ProcessPoolBuilder::from_settings(settings);
        let pool = with_spec!(builder, spec).registry(tasks::registry()).build().unwrap();
        Arc::new(pool)
    }

    fn supports(&self, feature: Feature) -> bool {
        feature != Feature::Nesting
    }

    fn rebuild(&self, config: &ExecutorConfig) -> Option<Arc<dyn Executor>> {
        Some(kinds().build(config, Arc::new(tasks::registry())).unwrap())
    }
}

fn loops(spec: &Spec) -> EventLoopPoolBuilder {
    let settings = EventLoopSettings {
        loops: Some(spec.workers),
        limit: spec.limit,
        name: name(),
        ..EventLoopSettings::default()
    };
    with_spec!(EventLoopPoolBuilder::from_settings(settings), spec)
}

struct Loops;

impl Fixture for Loops {
    fn build(&self, spec: &Spec) -> Arc<dyn Executor> {
        let pool: EventLoopPool = loops(spec).build().unwrap();
        Arc::new(pool)
    }

    fn rebuild(&self, config: &ExecutorConfig) -> Option<Arc<dyn Executor>> {
        rebuild(config)
    }
}

struct Background;

impl Fixture for Background {
    fn build(&self, spec: &Spec) -> Arc<dyn Executor> {
        Arc::new(BackgroundLoop::from_builder(loops(spec)).unwrap())
    }

    fn supports(&self, feature: Feature) -> bool {
        feature != Feature::Workers
    }

    fn rebuild(&self, config: &ExecutorConfig) -> Option<Arc<dyn Executor>> {
        rebuild(config)
    }
}

struct InCaller;

impl Fixture for InCaller {
    fn build(&self, spec: &Spec) -> Arc<dyn Executor> {
        let builder = InlineBuilder::from_settings(InlineSettings { name: name() });
        let executor: Inline = with_spec!(builder, spec).build();
        Arc::new(executor)
    }

    fn supports(&self, feature: Feature) -> bool {
        !matches!(feature, Feature::Workers | Feature::Limit)
    }

    fn rebuild(&self, config: &ExecutorConfig) -> Option<Arc<dyn Executor>> {
        rebuild(config)
    }
}

struct Custom;

impl Fixture for Custom {
    fn build(&self, spec: &Spec) -> Arc<dyn Executor> {
        let options = spec.engine_options(name());
        Arc::new(custom_executor::SmallPool::new(spec.workers, registry(), options))
    }
}

#[test]
fn the_thread_pool_keeps_the_contract() {
    must_keep_all_but(&[NEED_PROCESSES], &Threads);
}

#[test]
fn the_process_pool_keeps_the_contract() {
    must_keep_all_but(&[NEED_ONE_PROCESS, NEED_NO_KILL], &Processes);
}

#[test]
fn the_event_loop_pool_keeps_the_contract() {
    must_keep_all_but(&[NEED_PROCESSES, NEED_PRIORITIES], &Loops);
}

#[test]
fn the_background_loop_keeps_the_contract() {
    must_keep_all_but(&[NEED_PROCESSES, NEED_PRIORITIES, NEED_COMPANY], &Background);
}

#[test]
fn the_inline_executor_keeps_the_contract() {
    must_keep(&InCaller);
}

#[test]
fn the_custom_executor_of_the_example_keeps_the_contract() {
    must_keep(&Custom);
}
