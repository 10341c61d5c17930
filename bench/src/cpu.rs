//! How busy this process is.

use std::{
    thread,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

/// How busy this process is while the calling thread sleeps for `time`, in per cent of one core.
pub(crate) fn busy_percent(time: Duration) -> f64 {
    let (start, cpu) = (Instant::now(), cpu_time());
    thread::sleep(time);
    percent(cpu_time().saturating_sub(cpu), start.elapsed())
}

/// CPU time of all threads of this process since it started.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

fn percent(busy: Duration, elapsed: Duration) -> f64 {
    100.0 * busy.as_secs_f64() / elapsed.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_busy_core_is_a_hundred_per_cent() {
        assert_eq!(percent(Duration::from_secs(2), Duration::from_secs(2)), 100.0);
        assert_eq!(percent(Duration::from_millis(1), Duration::from_secs(2)), 0.05);
        assert_eq!(percent(Duration::ZERO, Duration::from_secs(2)), 0.0);
    }

    #[test]
    fn the_process_clock_moves_with_work() {
        let before = cpu_time();
        let start = Instant::now();
        while cpu_time() == before {
            assert!(start.elapsed() < Duration::from_secs(10), "the process clock stands still");
        }
    }
}
