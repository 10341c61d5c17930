//! `--halt`: when failures end the whole run early.

use std::{num::NonZeroU64, str::FromStr};

/// What `--halt` asks for: `never`, or `now|soon[,fail=N]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HaltPolicy {
    /// Failures end nothing: every task runs.
    #[default]
    Never,
    /// Once `failures` tasks have failed, the run ends in this way.
    After { failures: NonZeroU64, halt: Halt },
}

/// How a run ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// Nothing more is started; what runs may finish.
    Soon,
    /// Nothing more is started and what runs is stopped.
    Now,
}

/// Counts failures and decides when the run has to end.
#[derive(Clone, Debug)]
pub(crate) struct HaltCounter {
    policy: HaltPolicy,
    failed: u64,
}

/// Why a text is no value of `--halt`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HaltError {
    #[error(
        "{text:?} is no way to halt: use never, now or soon, or after N failures now,fail=N or soon,fail=N"
    )]
    Malformed { text: String },
    #[error("{count:?} in {text:?} is no number of failures: use a whole number from 1")]
    BadCount { text: String, count: String },
}

impl FromStr for HaltPolicy {
    type Err = HaltError;

    fn from_str(text: &str) -> Result<Self, HaltError> {
        let malformed = || HaltError::Malformed { text: text.into() };
        let (when, why) = match text.split_once(',') {
            Some((when, why)) => (when, Some(why)),
            None => (text, None),
        };
        let halt = match when {
            "now" => Halt::Now,
            "soon" => Halt::Soon,
            "never" if why.is_none() => return Ok(Self::Never),
            _ => return Err(malformed()),
        };
        let count = why.map_or(Some("1"), |why| why.strip_prefix("fail=")).ok_or_else(malformed)?;
        let bad_count = |_| HaltError::BadCount { text: text.into(), count: count.into() };
        Ok(Self::After { failures: count.parse().map_err(bad_count)?, halt })
    }
}

impl HaltCounter {
    pub(crate) fn new(policy: HaltPolicy) -> Self {
        Self { policy, failed: 0 }
    }

    /// Counts one more failed task.
    pub(crate) fn count_failure(&mut self) {
        self.failed += 1;
    }

    /// How many tasks have failed.
    pub(crate) fn failed(&self) -> u64 {
        self.failed
    }

    /// Whether the run has to end, and how. Once it has to, that stays so.
    pub(crate) fn decision(&self) -> Option<Halt> {
        match self.policy {
            HaltPolicy::After { failures, halt } if self.failed >= failures.get() => Some(halt),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
