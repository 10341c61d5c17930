//! [`Held`]: whether a promise held so far.

use std::fmt::Debug;

use crate::conformance::Failure;

/// Whether a promise held so far.
pub(crate) type Held<T = ()> = Result<T, Stop>;

/// Why a check goes no further.
#[derive(Debug)]
pub(crate) enum Stop {
    Skipped(String),
    Broken(Failure),
}

impl Stop {
    #[track_caller]
    pub(crate) fn broken(message: impl Into<String>) -> Self {
        Self::Broken(Failure::new(message))
    }

    pub(crate) fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped(reason.into())
    }
}

/// What a check does not expect to fail breaks the promise when it does.
impl<E: std::error::Error> From<E> for Stop {
    #[track_caller]
    fn from(error: E) -> Self {
        Self::broken(format!("unexpected error: {error}"))
    }
}

/// Breaks the promise unless it is so.
#[track_caller]
pub(crate) fn must(what: impl Into<String>, so: bool) -> Held {
    if so { Ok(()) } else { Err(Stop::broken(format!("not so: {}", what.into()))) }
}

/// Breaks the promise unless something is what it should be.
#[track_caller]
pub(crate) fn must_be<T, U>(what: &str, found: T, expected: U) -> Held
where
    T: PartialEq<U> + Debug,
    U: Debug,
{
    if found == expected {
        Ok(())
    } else {
        Err(Stop::broken(format!("{what}: expected {expected:?}, found {found:?}")))
    }
}

/// Breaks the promise unless a text names something.
#[track_caller]
pub(crate) fn must_contain(what: &str, text: &str, part: &str) -> Held {
    must(format!("{what} names {part:?}: {text:?}"), text.contains(part))
}
