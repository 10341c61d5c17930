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
#[non_exhaustive]
pub struct TaskOptions {
    /// How long one attempt may run.
    #[serde(deserialize_with = "non_zero", skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<Duration>,
    /// How long a body that was asked to stop may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<Duration>,
    /// What happens after a failed attempt.
    pub retry: RetryPolicy,
    /// Which of the waiting tasks goes first.
    pub priority: Priority,
    /// How long after its submission the task may start at the earliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Duration>,
    /// How long after its submission the first attempt may start at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Duration>,
    /// Where the standard output goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout: Option<StreamTarget>,
    /// Where the standard error goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr: Option<StreamTarget>,
    /// Whether what earlier attempts wrote is dropped when another one begins to write.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub last_output_only: bool,
    /// A folder that the handler may keep files in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_dir: Option<PathBuf>,
    /// How many tasks of this name may be alive at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_instances: Option<NonZeroU32>,
    /// Running the task twice does no harm.
    pub idempotent: bool,
    /// The queue, on executors that have several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// It is one of many alike, and may be sent together with others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub bulk: bool,
    /// The caller's trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceContext>,
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
    /// Nothing set.
    pub(crate) const NONE: Self = Self {
        time_limit: None,
        grace: None,
        retry: RetryPolicy::NONE,
        priority: Priority::Normal,
        delay: None,
        expires: None,
        stdout: None,
        stderr: None,
        last_output_only: false,
        cache_dir: None,
        max_instances: None,
        idempotent: false,
        queue: None,
        bulk: false,
        trace: None,
    };

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

    /// Sets how long after its submission the first attempt may start at the latest;
    /// later attempts are not bound by it.
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

    /// Sets whether only the output of the last attempt is kept, and not that of each: for tasks
    /// that write much and are tried often.
    #[must_use]
    pub const fn last_output_only(mut self, only: bool) -> Self {
        self.last_output_only = only;
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

    /// Says that the task is one of many alike. An executor that sends tasks away may then put
    /// several into one message, as many as make up a short piece of work: they cost far less,
    /// and go to the same worker. Executors of this process take no notice.
    #[must_use]
    pub const fn bulk(mut self, bulk: bool) -> Self {
        self.bulk = bulk;
        self
    }

    /// Hands the caller's trace on.
    #[must_use]
    pub fn trace(mut self, trace: TraceContext) -> Self {
        self.trace = Some(trace);
        self
    }

    /// The options that remain for whoever runs just one attempt of the task.
    pub(crate) fn single_attempt(mut self) -> Self {
        self.delay = None;
        self.expires = None;
        self.retry = RetryPolicy::NONE;
        self.queue = None;
        self.bulk = false;
        self.priority = Priority::default();
        self
    }

    /// Checks what no single setter can see. Executors do so when a task is submitted.
    ///
    /// # Errors
    ///
    /// When two options contradict each other.
    pub fn check(&self) -> Result<(), OptionsError> {
        if self.time_limit == Some(Duration::ZERO) {
            return Err(OptionsError { option: "time_limit", reason: ZERO_LIMIT.to_owned() });
        }
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
            .bulk(true)
            .priority(Priority::High)
            .idempotent(true)
            .single_attempt();
        assert_eq!(options, TaskOptions::new().idempotent(true));
    }
}
