//! [`Clock`]: what time it is, as a parameter.

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant, SystemTime},
};

use crate::{sync::Mutex, waiters::lock};

/// Where an executor reads the time, so that tests can move it.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    manual: Option<Arc<Manual>>,
}

#[derive(Debug)]
struct Manual {
    now: Mutex<Instant>,
    moved: async_channel::Sender<()>,
    moves: async_channel::Receiver<()>,
}

impl Clock {
    /// The clock of the system.
    #[must_use]
    pub const fn system() -> Self {
        Self { manual: None }
    }

    /// A clock that stands still until it is [advanced](Self::advance).
    #[must_use]
    pub fn manual() -> Self {
        let (moved, moves) = async_channel::bounded(1);
        Self { manual: Some(Arc::new(Manual { now: Mutex::new(Instant::now()), moved, moves })) }
    }

    /// Moves a manual clock on; the clock of the system is not impressed.
    pub fn advance(&self, by: Duration) {
        if let Some(manual) = &self.manual {
            *lock(&manual.now) += by;
            // A full channel holds a wake-up that has not been seen yet.
            let _ = manual.moved.try_send(());
        }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Instant {
        match &self.manual {
            None => Instant::now(),
            Some(manual) => *lock(&manual.now),
        }
    }

    /// Resolves when a manual clock was moved.
    pub(crate) async fn moved(&self) {
        match &self.manual {
            None => std::future::pending().await,
            Some(manual) => {
                let _ = manual.moves.recv().await;
            }
        }
    }

    pub(crate) const fn is_manual(&self) -> bool {
        self.manual.is_some()
    }
}

/// The calendar time of an instant, by the one pair of readings that this process took.
pub(crate) fn wall_time(at: Instant) -> SystemTime {
    static START: LazyLock<(Instant, SystemTime)> =
        LazyLock::new(|| (Instant::now(), SystemTime::now()));
    let (instant, time) = *START;
    match at.checked_duration_since(instant) {
        Some(since) => time + since,
        None => time - instant.duration_since(at),
    }
}
