//! The conformance suite on a small pool of threads, and on pools that break the contract.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "helpers of tests are tests as well")]

// Pools that keep the contract: one of threads, and one that runs tasks inside `submit`.
mod threads;

// Programs, for commands.
mod programs;

// Executors around another one that change what it does.
mod twisted;

// Pools that break the contract, each in its own way.
mod broken;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use outwork_core::{
    Executor, ExecutorConfig,
    conformance::{Check, Feature, Fixture, PATIENCE, Report, Spec, checks, find, run_some},
};

use crate::{
    threads::{Run, Settings, Threads, honestly},
    twisted::LockStep,
};

/// Builds pools of threads, twisted or not.
struct Pools {
    run: Run,
    twist: fn(Arc<dyn Executor>) -> Arc<dyn Executor>,
    patience: Duration,
    nesting: bool,
}

impl Pools {
    fn honest() -> Self {
        Self { run: honestly, twist: |pool| pool, patience: PATIENCE, nesting: true }
    }
}

impl Fixture for Pools {
    fn build(&self, spec: &Spec) -> Arc<dyn Executor> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("threads-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let limit = spec.limit.unwrap_or(1024);
        let options = spec.engine_options(name).limit(limit);
        let settings = Settings { workers: spec.workers, limit };
        (self.twist)(Threads::engine(settings, options, self.run))
    }

    fn supports(&self, feature: Feature) -> bool {
        self.nesting || feature != Feature::Nesting
    }

    fn rebuild(&self, config: &ExecutorConfig) -> Option<Arc<dyn Executor>> {
        let Settings { workers, limit } = config.settings().unwrap();
        let mut spec = Spec::default();
        (spec.workers, spec.limit) = (workers, Some(limit));
        Some(self.build(&spec))
    }

    fn patience(&self) -> Duration {
        self.patience
    }
}

fn of_theme(theme: &'static str) -> impl Fn(&Check) -> bool {
    move |check| check.name.split("::").next() == Some(theme)
}

fn must_keep(report: &Report) {
    assert!(report.is_kept(), "{report}");
}

/// One test for each theme, so that they run beside each other.
macro_rules! themes {
    ($($theme:ident),+ $(,)?) => {
        const THEMES: &[&str] = &[$(stringify!($theme)),+];

        mod threads_keep {
            $(
                #[test]
                fn $theme() {
                    let theme = super::of_theme(stringify!($theme));
                    let report = super::run_some(&super::Pools::honest(), theme);
                    super::must_keep(&report);
                    assert_eq!(report.skipped().filter(|name| !super::SKIPPED.contains(name)).count(), 0);
                }
            )+
        }
    };
}

themes! {
    submit, room, instances, order, handle, outcome, events, cancel, limits, retry, capture,
    hooks, recorder, batch, streams, nesting, commands, status, shutdown,
}

/// What threads cannot do.
const SKIPPED: &[&str] =
    &["outcome::a_crash_takes_only_its_own_task", "capture::printed_lines_are_captured"];

#[test]
fn every_check_belongs_to_a_theme_and_has_a_name_of_its_own() {
    let mut names: Vec<_> = checks().iter().map(|check| check.name).collect();
    for name in &names {
        assert!(THEMES.iter().any(|theme| name.starts_with(&format!("{theme}::"))), "{name}");
        assert_eq!(find(name).unwrap().name, *name);
    }
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn a_pool_that_runs_tasks_inside_submit_keeps_what_it_can() {
    let pools = Pools { twist: |pool| LockStep::around(pool), nesting: false, ..Pools::honest() };
    let report = run_some(&pools, |_| true);
    must_keep(&report);
    assert!(report.skipped().count() > SKIPPED.len());
}
