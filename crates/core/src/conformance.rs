//! The contract as functions that the tests of every executor run.
//!
//! A [`Fixture`] builds executors; each [`Check`] builds one, holds it to one promise, and
//! shuts it down. The checks see executors only from outside, by outcomes, events, progress,
//! status and files, so that the same functions prove threads, processes and a cluster with
//! workers in other processes: those register [`registry()`], and share the temporary folder.
//!
//! What an executor cannot do is read from its [`Capabilities`](crate::Capabilities), and what
//! a fixture cannot build from [`Fixture::supports`]. A check that is left out for one of the
//! two says so in the [`Report`]; none passes in silence.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use outwork_core::{Executor, conformance::{Fixture, Spec, run_all}};
//!
//! struct MyPools;
//!
//! impl Fixture for MyPools {
//!     fn build(&self, spec: &Spec) -> Arc<dyn Executor> {
//!         # let _ = spec; unimplemented!()
//!         // MyPool::new(conformance::registry(), spec.workers, spec.engine_options("mine"))
//!     }
//! }
//!
//! let report = run_all(&MyPools);
//! assert!(report.is_kept(), "{report}");
//! ```

mod batch;
mod cancel;
mod capture;
mod commands;
mod events;
mod fixture;
mod handle;
mod hooks;
mod instances;
mod limits;
mod nesting;
mod order;
mod outcome;
mod recorder;
mod registry;
mod report;
mod retry;
mod room;
mod script;
mod shutdown;
mod status;
mod streams;
mod submit;
mod support;

pub use fixture::{Feature, Fixture, PATIENCE, Spec};
pub use registry::registry;
pub use report::{Check, Failure, Report, Ruling, Verdict};

/// All checks, theme by theme.
#[must_use]
pub fn checks() -> Vec<Check> {
    [
        submit::CHECKS,
        room::CHECKS,
        instances::CHECKS,
        order::CHECKS,
        handle::CHECKS,
        outcome::CHECKS,
        events::CHECKS,
        cancel::CHECKS,
        limits::CHECKS,
        retry::CHECKS,
        capture::CHECKS,
        hooks::CHECKS,
        recorder::CHECKS,
        batch::CHECKS,
        streams::CHECKS,
        nesting::CHECKS,
        commands::CHECKS,
        status::CHECKS,
        shutdown::CHECKS,
    ]
    .concat()
}

/// The check of that name, such as `cancel::a_queued_task_never_runs`.
#[must_use]
pub fn find(name: &str) -> Option<Check> {
    checks().into_iter().find(|check| check.name == name)
}

/// Runs every check, one after the other.
pub fn run_all(fixture: &dyn Fixture) -> Report {
    run_some(fixture, |_| true)
}

/// Runs the checks that are chosen, one after the other.
pub fn run_some(fixture: &dyn Fixture, choose: impl Fn(&Check) -> bool) -> Report {
    checks().into_iter().filter(choose).map(|check| Ruling::of(check, fixture)).collect()
}
