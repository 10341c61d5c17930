//! [`Mean`]: what a time has been of late.

use std::time::Duration;

/// The mean of a time, of late, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mean(Option<f64>);

/// How much of the mean the latest one makes up.
const WEIGHT: f64 = 0.1;

impl Mean {
    pub(crate) fn note(&mut self, time: Duration) {
        let time = time.as_secs_f64();
        self.0 = Some(self.0.map_or(time, |mean| mean + WEIGHT * (time - mean)));
    }

    /// In seconds, once there was one.
    pub(crate) const fn seconds(self) -> Option<f64> {
        self.0
    }
}
