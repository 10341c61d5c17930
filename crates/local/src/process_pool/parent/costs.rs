//! [`Costs`]: how long each task is expected to take.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// What a task is taken to cost that has not run yet: two of them are sent ahead, not more.
const UNKNOWN: u32 = 250_000;

/// How long each registered task takes, as a mean that forgets.
///
/// Nanoseconds; a race between two updates loses one of them, which does no harm.
#[derive(Debug)]
pub(super) struct Costs(Vec<AtomicU32>);

impl Costs {
    pub(super) fn new(tasks: usize) -> Self {
        Self((0..tasks).map(|_| AtomicU32::new(u32::MAX)).collect())
    }

    pub(super) fn expected(&self, task: u32) -> Duration {
        let known = self.0.get(task as usize).map_or(u32::MAX, |cost| cost.load(Ordering::Relaxed));
        Duration::from_nanos(u64::from(if known == u32::MAX { UNKNOWN } else { known }))
    }

    pub(super) fn learn(&self, task: u32, nanos: u32) {
        let Some(cost) = self.0.get(task as usize) else { return };
        let nanos = nanos.min(u32::MAX - 1);
        let known = cost.load(Ordering::Relaxed);
        let mean = match known {
            u32::MAX => nanos,
            // One that took long, as the first often does, is soon forgotten.
            _ if nanos < known / 2 => known / 2,
            _ => known - known / 8 + nanos / 8,
        };
        cost.store(mean, Ordering::Relaxed);
    }
}
