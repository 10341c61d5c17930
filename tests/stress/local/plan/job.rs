//! [`Job`]: one task or closure, and what it does.

use std::{num::NonZeroU32, time::Duration};

use fastrand::Rng;
use outwork_core::{Priority, RetryPolicy, TaskOptions};

use super::{micros, step::Stop};

/// One task or closure.
#[derive(Debug, Clone)]
pub(in crate::local) struct Job {
    pub(in crate::local) via: Via,
    pub(in crate::local) body: Body,
    pub(in crate::local) act: Act,
    /// So many attempts fail, the rest succeeds.
    pub(in crate::local) failures: u32,
    /// They fail by a panic.
    pub(in crate::local) panics: bool,
    /// The result of a closure panics when it is dropped.
    pub(in crate::local) bomb: bool,
    pub(in crate::local) max_attempts: NonZeroU32,
    pub(in crate::local) retry_delay: Duration,
    pub(in crate::local) time_limit: Option<Duration>,
    pub(in crate::local) delay: Option<Duration>,
    pub(in crate::local) expires: Option<Duration>,
    pub(in crate::local) priority: Priority,
}

/// How it gets to the executor. What an executor does not have it takes as `Submit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::local) enum Via {
    Submit,
    TrySubmit,
    /// The submission is polled once, and dropped when it has to wait.
    Glance,
    Spawn,
    TrySpawn,
    /// A place first, then the closure.
    Reserve,
    SpawnLocal,
    SubmitTo(usize),
    SubmitKeyed(u64),
}

impl Via {
    /// Whether what gets there this way is a task, with a name and options.
    pub(in crate::local) const fn is_task(self) -> bool {
        matches!(self, Self::Submit | Self::TrySubmit | Self::Glance)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::local) enum Body {
    Sync,
    Async,
}

/// What a body does before it succeeds or fails.
#[derive(Debug, Clone, Copy)]
pub(in crate::local) enum Act {
    Nothing,
    Sleep(Duration),
    /// Busy, and deaf to cancellation.
    Spin(Duration),
    /// Until it is asked to stop, but no longer than that.
    Listen(Duration),
    /// Submits another job to the same executor, and waits for it.
    Nest(usize),
    /// Stops the executor that runs it.
    Stop(Stop),
    Resize(usize),
    /// Cancels a task, and be it itself.
    Cancel(usize),
}

impl Job {
    pub(super) fn random(rng: &mut Rng, via: Via, act: Act) -> Self {
        let max_attempts = NonZeroU32::MIN.saturating_add(rng.u32(..3) * rng.u32(..2));
        let sometimes = |rng: &mut Rng, most| {
            let wanted = rng.u8(..4) == 0;
            wanted.then(|| micros(rng, most) + Duration::from_nanos(1))
        };
        let delay = sometimes(rng, 8000);
        // It must not expire before its delay is over.
        let expires = sometimes(rng, 8000).map(|after| after + delay.unwrap_or_default());
        let priority = rng.choice([Priority::Low, Priority::Normal, Priority::High]);
        Self {
            via,
            body: if rng.bool() { Body::Sync } else { Body::Async },
            act,
            failures: if rng.u8(..3) == 0 { rng.u32(..4) } else { 0 },
            panics: rng.bool(),
            bomb: rng.u8(..4) == 0,
            max_attempts,
            retry_delay: if rng.bool() { Duration::ZERO } else { micros(rng, 3000) },
            time_limit: sometimes(rng, 4000),
            delay,
            expires,
            priority: priority.unwrap_or_default(),
        }
    }

    /// Waits for a while, awaits for a while, and succeeds.
    pub(super) const fn warm_up() -> Self {
        const WHILE: Duration = Duration::from_millis(1);
        Self {
            via: Via::Submit,
            body: Body::Async,
            act: Act::Sleep(WHILE),
            failures: 0,
            panics: false,
            bomb: false,
            max_attempts: NonZeroU32::MIN,
            retry_delay: Duration::ZERO,
            time_limit: None,
            delay: Some(WHILE),
            expires: None,
            priority: Priority::Normal,
        }
    }

    /// The same without anything to wait for.
    pub(super) const fn short(mut self) -> Self {
        self.retry_delay = Duration::ZERO;
        self.delay = None;
        self.expires = None;
        self
    }

    /// The options of a task that does this.
    pub(in crate::local) fn options(&self) -> TaskOptions {
        let retry = RetryPolicy::fixed(self.max_attempts, self.retry_delay);
        let mut options = TaskOptions::new().retry(retry).priority(self.priority);
        options.time_limit = self.time_limit;
        options.delay = self.delay;
        options.expires = self.expires;
        options
    }
}
