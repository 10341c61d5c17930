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
//! # Examples
//!
//! An executor of one's own is a [`Backend`](crate::engine::Backend) under an
//! [`Engine`](crate::engine::Engine). This one has a thread for each attempt, and is held to what
//! the contract says of retries; [`run_all`] would hold it to all of it.
//!
//! ```
//! use std::{convert::Infallible, future::ready, sync::{Arc, Mutex}, thread};
//!
//! use outwork_core::{
//!     BoxFuture, Capabilities, CommandReport, CommandSpec, Executor, ExecutorConfig, TaskContext,
//!     TaskError,
//!     blocking::block_on,
//!     conformance::{Feature, Fixture, Spec, registry, run_some},
//!     engine::{Attempt, Backend, Close, CommandRunner, Engine, WorkerToken},
//! };
//!
//! /// Each thread holds a token, and the executor has stopped when the last one is dropped.
//! #[derive(Debug)]
//! struct Threads(Mutex<Option<WorkerToken>>);
//!
//! impl Backend for Threads {
//!     fn start(&self, attempt: Attempt) {
//!         let token = self.0.lock().unwrap().clone();
//!         thread::spawn(move || {
//!             let worker = "thread".into();
//!             if let Err(not_sync) = attempt.run_sync(&worker) {
//!                 block_on(not_sync.run(&worker, &NoPrograms));
//!             }
//!             drop(token);
//!         });
//!     }
//!
//!     fn close(&self, _how: Close) {
//!         let token = self.0.lock().unwrap().take();
//!         drop(token);
//!     }
//!
//!     fn workers(&self) -> usize {
//!         1
//!     }
//!
//!     fn capabilities(&self) -> Capabilities {
//!         Capabilities::IN_PROCESS
//!     }
//!
//!     fn config(&self) -> ExecutorConfig {
//!         ExecutorConfig::new("threads", &())
//!     }
//! }
//!
//! struct NoPrograms;
//!
//! impl CommandRunner for NoPrograms {
//!     fn run(
//!         &self,
//!         spec: CommandSpec,
//!         _ctx: TaskContext,
//!     ) -> BoxFuture<'static, Result<CommandReport, TaskError>> {
//!         let refusal = format!("`{}` was not started: there are no programs here", spec.program());
//!         Box::pin(ready(Err(TaskError::failed(refusal))))
//!     }
//! }
//!
//! struct MyExecutors;
//!
//! impl Fixture for MyExecutors {
//!     fn build(&self, spec: &Spec) -> Arc<dyn Executor> {
//!         let engine = Engine::build(Arc::new(registry()), spec.engine_options("mine"), |engine| {
//!             Ok::<_, Infallible>(Threads(Mutex::new(Some(engine.token))))
//!         });
//!         Arc::new(engine.unwrap())
//!     }
//!
//!     fn supports(&self, feature: Feature) -> bool {
//!         // There are as many threads as there are tasks.
//!         feature != Feature::Workers
//!     }
//! }
//!
//! let report = run_some(&MyExecutors, |check| check.name.starts_with("retry::"));
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
