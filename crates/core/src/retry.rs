//! [`RetryPolicy`]: how often a task is run, how long between, and after which errors.

use std::{num::NonZeroU32, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{TaskError, TaskErrorKind};

/// When a failed attempt is followed by another one.
///
/// Attempts count runs: 1 means no retry. The wait before attempt `n` is
/// `initial_delay × multiplier^(n-2)`, at most `max_delay`, and then up to `jitter` more:
/// jitter is added, never taken away, so that a delay is a promise of "not before".
///
/// A task that was cancelled, rejected, expired or could not be decoded is never run again,
/// and one whose worker was lost only if it is [idempotent](crate::TaskOptions::idempotent).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryPolicy {
    max_attempts: NonZeroU32,
    initial_delay: Duration,
    multiplier: f64,
    max_delay: Duration,
    jitter: Duration,
    retry_on: RetryOn,
}

/// Which kinds of error are worth another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RetryOn {
    /// Errors, panics, exit codes, signals, time limits and failures of the infrastructure.
    #[default]
    AnyFailure,
    /// As above, without time limits: for work that would only run into its limit again.
    NotTimeLimit,
    /// Failures of the infrastructure and lost workers only; what the handler says is final.
    Infrastructure,
}

impl RetryPolicy {
    /// One attempt and no more.
    pub const NONE: Self = Self {
        max_attempts: NonZeroU32::MIN,
        initial_delay: Duration::ZERO,
        multiplier: 2.0,
        max_delay: Duration::from_secs(3600),
        jitter: Duration::ZERO,
        retry_on: RetryOn::AnyFailure,
    };

    /// `max_attempts` runs with the same wait between them.
    #[must_use]
    pub const fn fixed(max_attempts: NonZeroU32, delay: Duration) -> Self {
        Self { max_attempts, initial_delay: delay, multiplier: 1.0, ..Self::NONE }
    }

    /// `max_attempts` runs; the wait starts at `initial_delay` and doubles, at most one hour.
    #[must_use]
    pub const fn exponential(max_attempts: NonZeroU32, initial_delay: Duration) -> Self {
        Self { max_attempts, initial_delay, ..Self::NONE }
    }

    /// Sets the factor from one wait to the next; values under 1 count as 1.
    #[must_use]
    pub const fn multiplier(mut self, multiplier: f64) -> Self {
        self.multiplier = multiplier;
        self
    }

    /// Sets the longest wait, jitter not counted.
    #[must_use]
    pub const fn max_delay(mut self, max_delay: Duration) -> Self {
        self.max_delay = max_delay;
        self
    }

    /// Sets how much is added to a wait at most, at random.
    #[must_use]
    pub const fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// Sets which errors are worth another attempt.
    #[must_use]
    pub const fn retry_on(mut self, retry_on: RetryOn) -> Self {
        self.retry_on = retry_on;
        self
    }

    /// How many runs there are at most.
    #[must_use]
    pub const fn max_attempts(&self) -> NonZeroU32 {
        self.max_attempts
    }

    /// The wait after failed attempt number `failed` (from 1), with `random` in `0.0..1.0`.
    #[must_use]
    pub fn delay_after(&self, failed: u32, random: f64) -> Duration {
        let exponent = i32::try_from(failed.saturating_sub(1)).unwrap_or(i32::MAX);
        let factor = self.multiplier.max(1.0).powi(exponent);
        let seconds = (self.initial_delay.as_secs_f64() * factor).min(self.max_delay.as_secs_f64());
        let base = Duration::try_from_secs_f64(seconds).unwrap_or(self.max_delay);
        base.saturating_add(self.jitter.mul_f64(random.clamp(0.0, 1.0)))
    }

    /// Whether failed attempt number `failed` is followed by another one.
    #[must_use]
    pub fn retries(&self, failed: u32, error: &TaskError, idempotent: bool) -> bool {
        failed < self.max_attempts.get() && !error.is_permanent() && self.covers(error, idempotent)
    }

    fn covers(&self, error: &TaskError, idempotent: bool) -> bool {
        use TaskErrorKind as Kind;
        match error.kind() {
            Kind::Failed | Kind::Panicked | Kind::Exited { .. } | Kind::Signalled { .. } => {
                self.retry_on != RetryOn::Infrastructure
            }
            Kind::TimedOut { .. } => self.retry_on == RetryOn::AnyFailure,
            Kind::Infrastructure => true,
            Kind::WorkerLost(_) => idempotent,
            Kind::Cancelled
            | Kind::Rejected(_)
            | Kind::Expired
            | Kind::Undecodable
            | Kind::OutputTooLarge { .. } => false,
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    #[test]
    fn waits_double_up_to_the_cap_and_jitter_is_added() {
        let policy = RetryPolicy::exponential(attempts(9), Duration::from_secs(1))
            .max_delay(Duration::from_secs(5))
            .jitter(Duration::from_secs(2));
        for (failed, random, seconds) in
            [(1, 0.0, 1.0), (2, 0.0, 2.0), (3, 0.0, 4.0), (4, 0.0, 5.0), (4, 0.5, 6.0)]
        {
            assert_eq!(policy.delay_after(failed, random), Duration::from_secs_f64(seconds));
        }
    }

    #[test]
    fn a_far_attempt_waits_no_longer_than_the_cap() {
        let policy = RetryPolicy::exponential(attempts(u32::MAX), Duration::from_secs(1));
        assert_eq!(policy.delay_after(u32::MAX, 0.0), Duration::from_secs(3600));
    }

    #[test]
    fn one_attempt_means_no_retry() {
        assert!(!RetryPolicy::NONE.retries(1, &TaskError::failed("no"), true));
    }

    #[test]
    fn cancelled_and_rejected_tasks_are_never_run_again() {
        let policy = RetryPolicy::fixed(attempts(5), Duration::ZERO);
        assert!(!policy.retries(1, &TaskError::cancelled(), true));
        assert!(policy.retries(1, &TaskError::failed("no"), true));
        assert!(!policy.retries(5, &TaskError::failed("no"), true));
        assert!(!policy.retries(1, &TaskError::failed("no").permanent(), true));
    }
}
