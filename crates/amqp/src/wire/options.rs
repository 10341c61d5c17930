//! A task's options in the body of its message.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use outwork_core::{Priority, RetryPolicy, StreamTarget, TaskOptions};
use serde::{Deserialize, Serialize};

use super::{WireError, read, write};

/// What of a task's options travels in the body: what those apply who run it.
///
/// Unlike the options that a program sets, it ignores what it does not know, so that an older
/// worker can run the tasks of a newer client. Times are in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct WireOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    time_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grace: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<WireRetry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout: Option<StreamTarget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stderr: Option<StreamTarget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_dir: Option<PathBuf>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    last_output_only: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    idempotent: bool,
}

/// A retry policy by the names that it has in a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct WireRetry {
    max_attempts: NonZeroU32,
    #[serde(default)]
    initial_delay: Duration,
    #[serde(default)]
    multiplier: f64,
    #[serde(default)]
    max_delay: Duration,
    #[serde(default)]
    jitter: Duration,
    #[serde(default)]
    retry_on: outwork_core::RetryOn,
}

impl WireRetry {
    fn of(policy: &RetryPolicy) -> Result<Self, WireError> {
        read("retry policy", &write(policy)?)
    }

    fn policy(&self) -> Result<RetryPolicy, WireError> {
        read("retry policy", &write(self)?)
    }
}

impl WireOptions {
    pub(super) fn of(options: &TaskOptions) -> Result<Self, WireError> {
        let retries = options.retry != RetryPolicy::NONE;
        Ok(Self {
            time_limit: options.time_limit.map(micros),
            grace: options.grace.map(micros),
            retry: retries.then(|| WireRetry::of(&options.retry)).transpose()?,
            priority: Some(options.priority).filter(|priority| *priority != Priority::default()),
            stdout: options.stdout.clone(),
            stderr: options.stderr.clone(),
            cache_dir: options.cache_dir.clone(),
            last_output_only: options.last_output_only,
            idempotent: options.idempotent,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    pub(super) fn options(self) -> Result<TaskOptions, WireError> {
        let mut options = TaskOptions::new();
        if let Some(limit) = self.time_limit {
            let limited = options.time_limit(Duration::from_micros(limit));
            options = limited.map_err(|error| WireError::body("task", &error))?;
        }
        options.grace = self.grace.map(Duration::from_micros);
        if let Some(retry) = &self.retry {
            options.retry = retry.policy()?;
        }
        options.priority = self.priority.unwrap_or_default();
        options.stdout = self.stdout;
        options.stderr = self.stderr;
        options.cache_dir = self.cache_dir;
        options.last_output_only = self.last_output_only;
        options.idempotent = self.idempotent;
        Ok(options)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
