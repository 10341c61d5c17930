//! [`Backoff`]: how long to wait before the broker is tried again.

use std::time::Duration;

/// Random pauses under a bound that doubles, without an end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        let first = first.max(Duration::from_millis(1));
        Self { first, longest: longest.max(first) }
    }

    /// The pause after so many failures in a row, from 0, for a random number in `0.0..1.0`.
    pub(crate) fn pause(&self, failures: u32, random: f64) -> Duration {
        let factor = 2_u32.saturating_pow(failures.min(30));
        let bound = self.first.saturating_mul(factor).min(self.longest);
        bound.mul_f64(random.clamp(0.0, 1.0))
    }
}

/// The longest bound. A submission waits 30 s for its confirmation, and is to outlive a broker
/// that is away for most of that.
const LONGEST: Duration = Duration::from_secs(5);

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_millis(100), LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_lie_between_nothing_and_a_bound_that_doubles_up_to_the_longest() {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for (failures, bound) in [(0, 100), (1, 200), (3, 800), (4, 1000), (u32::MAX, 1000)] {
            assert_eq!(backoff.pause(failures, 1.0), Duration::from_millis(bound));
            assert_eq!(backoff.pause(failures, 0.0), Duration::ZERO);
        }
    }
}
