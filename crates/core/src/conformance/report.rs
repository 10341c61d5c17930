//! [`Report`]: which promises an executor keeps.

use std::{
    fmt,
    panic::{AssertUnwindSafe, Location, catch_unwind},
    time::{Duration, Instant},
};

use super::{
    Fixture,
    support::{Held, Stop},
};
use crate::engine::panic_message;

/// One promise of the contract, and what holds an executor to it.
#[derive(Clone, Copy)]
pub struct Check {
    /// Its theme and its claim, such as `cancel::a_queued_task_never_runs`.
    pub name: &'static str,
    /// The promise in one sentence.
    pub promise: &'static str,
    pub(super) body: fn(&dyn Fixture) -> Held,
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a promise may be broken"]
pub enum Verdict {
    /// The promise is kept.
    Kept,
    /// It could not be checked, for this reason.
    Skipped(String),
    /// It is not kept.
    Broken(Failure),
}

/// How a promise was broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({place})")]
pub struct Failure {
    message: String,
    place: Place,
}

/// A line of the suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place(&'static Location<'static>);

impl Failure {
    #[track_caller]
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: Place(Location::caller()) }
    }

    /// What was expected and what came instead.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.0.file();
        let short = file.rsplit_once("/src/").map_or(file, |(_, short)| short);
        write!(f, "{short}:{}", self.0.line())
    }
}

impl Check {
    /// Holds the executors of a fixture to the promise. A check that panics is broken.
    pub fn run(&self, fixture: &dyn Fixture) -> Verdict {
        match catch_unwind(AssertUnwindSafe(|| (self.body)(fixture))) {
            Ok(Ok(())) => Verdict::Kept,
            Ok(Err(Stop::Skipped(reason))) => Verdict::Skipped(reason),
            Ok(Err(Stop::Broken(failure))) => Verdict::Broken(failure),
            Err(panic) => {
                let message = panic_message(&*panic);
                Verdict::Broken(Failure::new(format!("the check panicked: {message}")))
            }
        }
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One check and what it came to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Ruling {
    /// The check.
    pub check: Check,
    /// What it came to.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

impl Ruling {
    pub(super) fn of(check: Check, fixture: &dyn Fixture) -> Self {
        let start = Instant::now();
        let verdict = check.run(fixture);
        Self { check, verdict, took: start.elapsed() }
    }
}

/// Which promises an executor keeps.
#[derive(Debug, Clone)]
#[must_use = "promises may be broken"]
pub struct Report {
    rulings: Vec<Ruling>,
}

impl Report {
    /// Whether no promise was broken.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.broken().next().is_none()
    }

    /// Every check that was run, in order.
    #[must_use]
    pub fn rulings(&self) -> &[Ruling] {
        &self.rulings
    }

    /// The names of the broken promises.
    pub fn broken(&self) -> impl Iterator<Item = &'static str> {
        self.names(|verdict| matches!(verdict, Verdict::Broken(_)))
    }

    /// The names of the promises that were not checked.
    pub fn skipped(&self) -> impl Iterator<Item = &'static str> {
        self.names(|verdict| matches!(verdict, Verdict::Skipped(_)))
    }

    fn names(&self, choose: impl Fn(&Verdict) -> bool) -> impl Iterator<Item = &'static str> {
        self.rulings.iter().filter(move |ruling| choose(&ruling.verdict)).map(|r| r.check.name)
    }
}

impl FromIterator<Ruling> for Report {
    fn from_iter<I: IntoIterator<Item = Ruling>>(rulings: I) -> Self {
        Self { rulings: rulings.into_iter().collect() }
    }
}

impl fmt::Display for Ruling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { check: Check { name, promise, .. }, verdict, took } = self;
        match verdict {
            Verdict::Kept => write!(f, "kept     {name} ({} ms)", took.as_millis()),
            Verdict::Skipped(reason) => write!(f, "skipped  {name}: {reason}"),
            Verdict::Broken(failure) => {
                write!(f, "BROKEN   {name}: {failure}\n         promised: {promise}")
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ruling in &self.rulings {
            writeln!(f, "{ruling}")?;
        }
        let (all, broken, skipped) =
            (self.rulings.len(), self.broken().count(), self.skipped().count());
        let kept = all - broken - skipped;
        write!(f, "{all} promises: {kept} kept, {skipped} skipped, {broken} broken")
    }
}
