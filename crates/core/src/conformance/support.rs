//! What the checks are written with.

mod files;
mod held;
mod items;
mod trial;
mod watch;

pub(super) use files::{Folder, Gate, Log, note};
pub(super) use held::{Held, Stop, must, must_be, must_contain};
pub(super) use items::Items;
pub(super) use trial::{Begun, Busy, Trial, needs_feature};
pub(super) use watch::{Watch, story};

use std::{num::NonZeroU32, time::Duration};

use crate::RetryPolicy;

/// Lists the checks of a theme with their promises.
macro_rules! checks {
    ($theme:literal: $($name:ident: $promise:literal,)+) => {
        pub(super) const CHECKS: &[crate::conformance::Check] = &[$(crate::conformance::Check {
            name: concat!($theme, "::", stringify!($name)),
            promise: $promise,
            body: $name,
        }),+];
    };
}

pub(super) use checks;

pub(super) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Tries something that takes a time, and if that was too little, with more of it: the machine may
/// be busy with other things.
pub(super) fn with_enough_time(time: Duration, mut attempt: impl FnMut(Duration) -> Held) -> Held {
    attempt(time).or_else(|_| attempt(4 * time)).or_else(|_| attempt(16 * time))
}

pub(super) fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("the suite counts from 1")
}

/// So many attempts, one right after the other.
pub(super) fn attempts(n: u32) -> RetryPolicy {
    RetryPolicy::fixed(count(n), Duration::ZERO)
}
