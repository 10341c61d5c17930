//! [`TaskOptions`]: how a task is to be run, as data.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Priority, RetryPolicy, StreamTarget, TraceContext};

/// How one task is to be run.
///
/// Every executor keeps every option, or refuses the task; see
/// [`Capabilities`](crate::Capabilities) for what it can enforce.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TaskOptions {
    #[serde(deserialize_with = "non_zero", skip_serializing_if = "Option::is_none")]
    pub(crate) time_limit: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) grace: Option<Duration>,
    pub(crate) retry: RetryPolicy,
    pub(crate) priority: Priority,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delay: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stdout: Option<StreamTarget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stderr: Option<StreamTarget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_dir: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_instances: Option<NonZeroU32>,
    pub(crate) idempotent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<TraceContext>,
}

/// An option has a value that cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("option {option}: {reason}")]
pub struct OptionsError {
    option: &'static str,
    reason: String,
}

const ZERO_LIMIT: &str = "a time limit of 0 lets nothing run: leave it out for no limit";

fn non_zero<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Duration>, D::Error> {
    match Option::<Duration>::deserialize(reader)? {
        Some(Duration::ZERO) => Err(serde::de::Error::custom(ZERO_LIMIT)),
        limit => Ok(limit),
    }
}

impl TaskOptions {
    /// Options with nothing set: one attempt, at once, without limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how long one attempt may run, counted from when its body really starts.
    ///
    /// # Errors
    ///
    /// When the limit is zero.
    pub fn time_limit(mut self, limit: Duration) -> Result<Self, OptionsError> {
        if limit.is_zero() {
            return Err(OptionsError { option: "time_limit", reason: ZERO_LIMIT.to_owned() });
        }
        self.time_limit = Some(limit);
        Ok(self)
    }

    /// Sets how long a body that was asked to stop may take before it is made to stop.
    ///
    /// Without it, async bodies have none and commands and processes have two seconds.
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Sets what happens after a failed attempt.
    #[must_use]
    pub const fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Sets which of the waiting tasks goes first.
    #[must_use]
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets how long after its submission the task may start at the earliest.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Sets how long after its submission the task may start at the latest.
    #[must_use]
    pub const fn expires(mut self, expires: Duration) -> Self {
        self.expires = Some(expires);
        self
    }

    /// Sets where the standard output goes.
    #[must_use]
    pub fn stdout(mut self, target: StreamTarget) -> Self {
        self.stdout = Some(target);
        self
    }

    /// Sets where the standard error goes.
    #[must_use]
    pub fn stderr(mut self, target: StreamTarget) -> Self {
        self.stderr = Some(target);
        self
    }

    /// Sets a directory that the handler may keep files in; it is made when first asked for.
    #[must_use]
    pub fn cache_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(directory.into());
        self
    }

    /// Sets how many tasks of this name may be alive on the executor at once.
    #[must_use]
    pub const fn max_instances(mut self, limit: NonZeroU32) -> Self {
        self.max_instances = Some(limit);
        self
    }

    /// Says that running the task twice does no harm, so that a lost worker may be retried.
    #[must_use]
    pub const fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = idempotent;
        self
    }

    /// Names the queue, on executors that have several.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Hands the caller's trace on.
    #[must_use]
    pub fn trace(mut self, trace: TraceContext) -> Self {
        self.trace = Some(trace);
        self
    }

    /// The time limit of an attempt.
    #[must_use]
    pub const fn get_time_limit(&self) -> Option<Duration> {
        self.time_limit
    }

    /// The retry policy.
    #[must_use]
    pub const fn get_retry(&self) -> &RetryPolicy {
        &self.retry
    }

    /// The priority.
    #[must_use]
    pub const fn get_priority(&self) -> Priority {
        self.priority
    }

    /// Whether a second run does no harm.
    #[must_use]
    pub const fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    /// The options that remain for whoever runs just one attempt of the task.
    pub(crate) fn single_attempt(mut self) -> Self {
        self.delay = None;
        self.expires = None;
        self.retry = RetryPolicy::NONE;
        self.queue = None;
        self.priority = Priority::default();
        self
    }

    /// What no single setter can see.
    pub(crate) fn check(&self) -> Result<(), OptionsError> {
        match (self.delay, self.expires) {
            (Some(delay), Some(expires)) if expires <= delay => Err(OptionsError {
                option: "expires",
                reason: format!(
                    "it passes after {expires:?}, before the delay of {delay:?} is over"
                ),
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_limit_of_zero_is_refused_by_the_setter_and_on_the_wire() {
        assert!(TaskOptions::new().time_limit(Duration::ZERO).is_err());
        let json = r#"{"time_limit":{"secs":0,"nanos":0}}"#;
        assert!(serde_json::from_str::<TaskOptions>(json).is_err());
    }

    #[test]
    fn a_task_that_expires_before_its_delay_is_over_is_refused() {
        let second = Duration::from_secs(1);
        assert!(TaskOptions::new().delay(second).expires(second).check().is_err());
        assert!(TaskOptions::new().delay(second).expires(second * 2).check().is_ok());
    }

    #[test]
    fn unknown_options_are_refused() {
        assert!(serde_json::from_str::<TaskOptions>(r#"{"time_limits":null}"#).is_err());
    }

    #[test]
    fn a_single_attempt_keeps_only_what_belongs_to_it() {
        let options = TaskOptions::new()
            .delay(Duration::from_secs(1))
            .queue("other")
            .priority(Priority::High)
            .idempotent(true)
            .single_attempt();
        assert_eq!(options, TaskOptions::new().idempotent(true));
    }
}
